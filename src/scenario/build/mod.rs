//! From the scenario file to typed parameters, section by section.

mod cluster;
mod conditions;
mod faults;
mod names;
mod pool;
mod provenance;
mod reach;
mod resolved;
mod sessions;
mod workload;

pub use resolved::InputFile;
pub use workload::WorkloadSource;

use super::file::ScenarioFile;
use super::meaning::{assertions, check_meaning};
use super::{Library, Scenario};
use crate::document::{ConfigErrors, Loaded};

/// Composes a scenario.
///
/// # Errors
/// All problems at once, each with its place.
pub(super) fn scenario(loaded: Loaded<ScenarioFile>, library: &Library) -> Result<Scenario, ConfigErrors> {
    let (file, document) = (loaded.value, loaded.document);
    let mut problems = document.problems();
    check_meaning(&file, &mut problems);
    let assertions = assertions(&file, &mut problems);
    let library = library.with_inline(&file.profiles, &mut problems);
    let workloads = workload::build(&file, &document, &mut problems);
    let parts = cluster::build(&file, &document, &library, workloads.as_deref(), &mut problems);
    let (Some(workloads), Some(parts)) = (workloads, parts) else {
        problems.finish()?;
        return Err(ConfigErrors::file(&file.name, "the scenario cannot be resolved", None));
    };
    let recorder = cluster::recorder(&file, &parts, &workloads);
    conditions::check(&assertions, &file, &recorder, &parts.spec, &mut problems);
    problems.finish()?;
    let resolved = resolved::resolve(&file, &document, &parts)?;
    Ok(Scenario {
        name: file.name.clone(),
        description: file.description.clone(),
        seed: file.seed,
        requests: file.run.requests.and_then(crate::units::Count::whole),
        duration: file.run.duration,
        recorder,
        rows: file.run.rows,
        rows_gzip: file.run.rows_gzip,
        cluster: parts.spec,
        workloads,
        pue: parts.pue,
        carbon_g_per_kwh: parts.carbon_g_per_kwh,
        node_costs: parts.node_costs,
        caution: parts.caution,
        assertions,
        provenance: parts.provenance,
        resolved_yaml: resolved.yaml,
        portable_yaml: resolved.portable,
        input_hash: resolved.hash,
        files: resolved.files,
    })
}
