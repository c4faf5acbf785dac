//! From a path to a scenario file with its form checked.

use super::file::ScenarioFile;
use super::schema;
use super::shipped::shipped_scenario;
use crate::document::{ConfigErrors, Input, Loaded, Refused, try_load};
use crate::policy::Policies;

/// Reads a scenario that uses built-in policies, and applies `--set` options.
///
/// # Errors
/// All problems of form at once, each with its place.
pub fn load_file(input: Input<'_>, sets: &[String]) -> Result<Loaded<ScenarioFile>, ConfigErrors> {
    try_load_file(input, sets, &Policies::default()).map_err(|refused| refused.errors)
}

/// The same with the caller's policies. The error carries the rest of the document.
pub(super) fn try_load_file(
    input: Input<'_>,
    sets: &[String],
    policies: &Policies,
) -> Result<Loaded<ScenarioFile>, Box<Refused<ScenarioFile>>> {
    let loaded = try_load(input, sets, &schema::scenario(policies), shipped_scenario);
    match input {
        // A bare word is meant as the name of a shipped scenario.
        Input::File(path) if !path.exists() && path.extension().is_none() && path.components().count() == 1 => loaded.map_err(|refused| {
            Box::new(Refused { errors: refused.errors.hinted("`tokenmill list scenarios` lists the shipped scenarios"), rest: None })
        }),
        _ => loaded,
    }
}
