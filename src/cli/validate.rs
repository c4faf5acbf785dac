//! `tokenmill validate`: problems of scenarios and profiles, without running them.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::arguments::ValidateOptions;
use super::catalogue::print_json;
use super::exit::{BAD_INPUT, Failure};
use super::run::{library, load};
use super::terminal::{Terminal, print};
use crate::document::{self, Input};
use crate::hardware::Kind;
use crate::model::ModelProfile;
use crate::policy::Policies;
use crate::scenario::Library;

pub(super) fn validate(options: &ValidateOptions, terminal: Terminal, policies: &Policies) -> Result<ExitCode, Failure> {
    let library = library(&options.input.library, policies)?;
    let mut bad = false;
    let mut checked: Vec<Value> = Vec::new();
    for file in &options.files {
        let kind = options.kind.as_deref().unwrap_or_else(|| kind_of(file));
        let found = check(file, kind, options, &library);
        if options.json {
            bad |= found.is_err();
            checked.push(json!({
                "file": file,
                "kind": kind,
                "valid": found.is_ok(),
                "problems": found.map_or_else(problems, |()| Ok(Vec::new()))?,
            }));
            continue;
        }
        match found {
            Ok(()) => print(&format!("{}: valid {kind}\n", file.display()))?,
            Err(failure) => {
                bad = true;
                // Reported at once; the exit code follows after all files are checked.
                let _ = failure.report(terminal);
            }
        }
    }
    if options.json {
        print_json(&checked)?;
    }
    Ok(if bad { ExitCode::from(BAD_INPUT) } else { ExitCode::SUCCESS })
}

/// Problems for programs: place, value found, and correction.
fn problems(failure: Failure) -> Result<Vec<Value>, Failure> {
    match failure {
        Failure::Config(errors) => Ok(errors
            .diagnostics()
            .iter()
            .map(|problem| {
                json!({
                    "file": problem.file,
                    "line": (problem.line > 0).then_some(problem.line),
                    "column": (problem.line > 0).then_some(problem.column),
                    "path": problem.path,
                    "message": problem.message(),
                    "hint": problem.hint,
                })
            })
            .collect()),
        Failure::Input { message, hint } => {
            Ok(vec![json!({"file": null, "line": null, "column": null, "path": "", "message": message, "hint": hint})])
        }
        other => Err(other),
    }
}

/// The kind of a file, from its folder.
fn kind_of(file: &Path) -> &'static str {
    match file.parent().and_then(Path::file_name).and_then(|name| name.to_str()) {
        Some("chips") => "chip",
        Some("nodes") => "node",
        Some("links") => "link",
        Some("sites") => "site",
        Some("models") => "model",
        _ => "scenario",
    }
}

fn check(file: &Path, kind: &str, options: &ValidateOptions, library: &Library) -> Result<(), Failure> {
    if kind != "scenario" && !options.input.sets.is_empty() {
        return Err(Failure::hinted(format!("`--set` changes scenarios, and `{}` is a {kind}", file.display()), "leave `--set` out"));
    }
    match kind {
        "chip" => Ok(library.check_profile(Kind::Chip, file)?),
        "node" => Ok(library.check_profile(Kind::Node, file)?),
        "link" => Ok(library.check_profile(Kind::Link, file)?),
        "site" => Ok(library.check_profile(Kind::Site, file)?),
        "model" => {
            let loaded = document::load::<ModelProfile>(Input::File(file), &[])?;
            loaded.value.validate().map_err(|error| Failure::input(format!("{}: {error}", file.display())))
        }
        _ => load(file, &options.input.sets, library).map(|_| ()),
    }
}
