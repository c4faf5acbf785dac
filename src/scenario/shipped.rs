//! The scenarios compiled into the binary, so that it works in an empty folder.

use std::path::Path;

use include_dir::{Dir, include_dir};

static SCENARIOS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scenarios");

/// Path and text of a shipped scenario by its name, with or without `scenarios/` and `.yaml`.
pub fn shipped_scenario(path: &Path) -> Option<(String, &'static str)> {
    let name = path.file_stem()?.to_str()?;
    let parent = path.parent().and_then(Path::to_str).unwrap_or_default();
    if !matches!(parent, "" | "scenarios" | "./scenarios") {
        return None;
    }
    let file = SCENARIOS.get_file(format!("{name}.yaml"))?;
    Some((format!("scenarios/{name}.yaml"), file.contents_utf8()?))
}

/// Names and texts of all shipped scenarios, by name.
pub fn shipped_scenarios() -> Vec<(&'static str, &'static str)> {
    let mut all: Vec<_> = SCENARIOS.files().filter_map(|file| Some((file.path().file_stem()?.to_str()?, file.contents_utf8()?))).collect();
    all.sort_unstable();
    all
}
