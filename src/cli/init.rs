//! `tokenmill init`: writes a starter scenario.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use super::arguments::InitOptions;
use super::catalogue::scenario_names;
use super::exit::Failure;
use super::terminal;
use crate::scenario::shipped_scenario;

pub(super) fn init(options: &InitOptions) -> Result<ExitCode, Failure> {
    let Some((_, text)) = shipped_scenario(Path::new(&options.from)) else {
        return Err(Failure::unknown("scenario", &options.from, &scenario_names()));
    };
    let path = &options.path;
    // Never overwrites an existing file.
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::hinted(
            format!("`{}` already exists and is left unchanged", path.display()),
            "name another file: `tokenmill init FILE`",
        ),
        _ => Failure::create(path, &error),
    })?;
    // The path of the schema in the repository is useless elsewhere.
    let text: String = text.split_inclusive('\n').filter(|line| !line.starts_with("# yaml-language-server")).collect();
    file.write_all(text.as_bytes()).map_err(|error| Failure::write(path, &error))?;
    terminal::message(&format!("wrote `{0}`\n\nhint: `tokenmill run {0}` runs it", path.display()));
    Ok(ExitCode::SUCCESS)
}
