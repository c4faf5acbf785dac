//! The complete scenario, every default and profile written out, and the hash of everything that determines a result.
//!
//! Owns: the parts of a scenario that determine its result: the values and the content of the files that it names, not their paths.
//! Must not know: the meaning of the values.

use std::fmt::Display;
use std::fs::File;
use std::path::Path;

use super::super::file::{Lengths, Role, RouterChoice, ScenarioFile, WorkloadEntry};
use super::cluster::Parts;
use crate::document::{ConfigErrors, Document};
use crate::model::hugging_face::{config_file, quantization_file};
use crate::units::Count;

/// An input file of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// Its path as the user gave it, or the name of a compiled-in text.
    pub name: String,
    /// BLAKE3 of its content, hexadecimal.
    pub blake3: String,
}

/// The resolved scenario.
pub(super) struct Resolved {
    /// With absolute paths: it can be run from any folder.
    pub(super) yaml: String,
    /// With bare file names: it is independent of their folders.
    pub(super) portable: String,
    pub(super) hash: String,
    pub(super) files: Vec<InputFile>,
}

/// Header of a portable scenario, on the missing paths.
const PORTABLE: &str = "# Files by their names; resolved.yaml and manifest.json say where they lie.\n";

/// Writes out a scenario. Running the output gives the same result, and resolving it gives the same text.
pub(super) fn resolve(file: &ScenarioFile, document: &Document, parts: &Parts) -> Result<Resolved, ConfigErrors> {
    let failed = |problem: &dyn Display| ConfigErrors::file(&file.name, &problem.to_string(), None);
    let mut complete = complete(file, parts);
    let mut files = documents(file, document).map_err(|e| failed(&e))?;
    let mut contents = Vec::new();
    each_path(&mut complete.workload, |key, path| {
        let full = std::path::absolute(document.resolve(key, path)).map_err(|e| failed(&e))?;
        let blake3 = hash_of(&full).map_err(|e| failed(&format!("{}: {e}", full.display())))?;
        *path = full.display().to_string();
        contents.push(format!("{key}: {blake3}\n"));
        files.push(InputFile { name: path.clone(), blake3 });
        Ok(())
    })?;
    let yaml = serde_yaml::to_string(&complete).map_err(|e| failed(&e))?;
    let mut portable = if contents.is_empty() {
        // Without paths there is nothing to rename.
        yaml.clone()
    } else {
        each_path(&mut complete.workload, |_, path| {
            if let Some(name) = Path::new(path).file_name() {
                *path = name.to_string_lossy().into_owned();
            }
            Ok(())
        })?;
        serde_yaml::to_string(&complete).map_err(|e| failed(&e))?
    };
    let mut hasher = blake3::Hasher::new();
    hasher.update(portable.as_bytes());
    hasher.update(contents.concat().as_bytes());
    if !contents.is_empty() {
        portable.insert_str(0, PORTABLE);
    }
    Ok(Resolved { yaml, portable, hash: hasher.finalize().to_hex().to_string(), files })
}

/// The scenario with every default and profile written out.
fn complete(file: &ScenarioFile, parts: &Parts) -> ScenarioFile {
    let mut complete = file.clone();
    complete.include = None;
    complete.profiles = parts.profiles.clone();
    for (name, profile) in &parts.model_profiles {
        if let Some(choice) = complete.models.get_mut(name) {
            choice.profile = Some(profile.clone());
            choice.hugging_face = None;
        }
    }
    complete.policies.admission.parameters.clone_from(&parts.spec.admission.parameters);
    let scheduler = &parts.spec.scheduler;
    complete.policies.queue.parameters.clone_from(&scheduler.queue.parameters);
    complete.policies.preemption.parameters.clone_from(&scheduler.preemption.parameters);
    complete.policies.batching.parameters.clone_from(&scheduler.batching.parameters);
    complete.policies.eviction.parameters.clone_from(&scheduler.eviction.parameters);
    complete.policies.disaggregation.parameters.clone_from(&parts.spec.disaggregation.parameters);
    complete.policies.control.parameters.clone_from(&parts.spec.control.parameters);
    let routers = &parts.spec.routers;
    match &mut complete.policies.router {
        RouterChoice::All(router) => router.parameters.clone_from(&routers.prefill.parameters),
        RouterChoice::ByRole(by_role) => {
            by_role.prefill.parameters.clone_from(&routers.prefill.parameters);
            by_role.decode.parameters.clone_from(&routers.decode.parameters);
            if let Some(mixed) = &mut by_role.mixed {
                mixed.parameters.clone_from(&routers.mixed.parameters);
            }
        }
    }
    let engines = complete.cluster.pools.iter_mut().filter(|pool| pool.role != Role::Frontend);
    for (pool, spec) in engines.zip(&parts.spec.pools) {
        let engine = &mut pool.engine;
        engine.max_num_seqs = Some(spec.engine.max_num_seqs);
        engine.max_num_batched_tokens = Count::new(f64::from(spec.engine.max_num_batched_tokens));
        // Values derived from the chips' memory are not written out, or a run with other chips, weights or parallelism would keep them.
    }
    complete
}

/// The texts of a document from files or compiled in, and the model configurations that it names.
fn documents(file: &ScenarioFile, document: &Document) -> std::io::Result<Vec<InputFile>> {
    let mut files = Vec::new();
    for source in document.sources().iter().filter(|source| !source.is_option()) {
        let compiled_in = || Ok(blake3::hash(source.text.as_bytes()).to_hex().to_string());
        let blake3 = source.path.as_deref().map_or_else(compiled_in, hash_of)?;
        files.push(InputFile { name: source.name.clone(), blake3 });
    }
    for (name, choice) in &file.models {
        if let Some(config) = &choice.hugging_face {
            let path = config_file(&document.resolve(&format!("models.{name}.hugging_face"), config));
            for path in [quantization_file(&path), Some(path)].into_iter().flatten() {
                files.push(InputFile { name: path.display().to_string(), blake3: hash_of(&path)? });
            }
        }
    }
    Ok(files)
}

fn hash_of(path: &Path) -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Visits every path to a file of requests or lengths, with its key.
fn each_path(
    workload: &mut [WorkloadEntry],
    mut visit: impl FnMut(&str, &mut String) -> Result<(), ConfigErrors>,
) -> Result<(), ConfigErrors> {
    for (index, entry) in workload.iter_mut().enumerate() {
        if let Some(trace) = &mut entry.trace {
            visit(&format!("workload[{index}].trace.path"), &mut trace.path)?;
        }
        for (key, lengths) in all_lengths(entry) {
            if let Lengths::Empirical { path: Some(path), .. } = lengths {
                visit(&format!("workload[{index}].{key}.empirical.path"), path)?;
            }
        }
    }
    Ok(())
}

/// All distributions of lengths of a workload, with their keys.
fn all_lengths(entry: &mut WorkloadEntry) -> Vec<(&'static str, &mut Lengths)> {
    let mut all = Vec::new();
    if let Some(synthetic) = &mut entry.synthetic {
        all.push(("synthetic.prompt_tokens", &mut synthetic.prompt_tokens));
        all.push(("synthetic.output_tokens", &mut synthetic.output_tokens));
    }
    if let Some(closed) = &mut entry.closed_loop {
        all.push(("closed_loop.prompt_tokens", &mut closed.prompt_tokens));
        all.push(("closed_loop.output_tokens", &mut closed.output_tokens));
    }
    if let Some(sessions) = &mut entry.sessions {
        all.push(("sessions.messages", &mut sessions.messages));
        all.push(("sessions.message_tokens", &mut sessions.message_tokens));
        all.push(("sessions.output_tokens", &mut sessions.output_tokens));
        all.extend(sessions.tools.as_mut().map(|tools| ("sessions.tools.result_tokens", &mut tools.result_tokens)));
    }
    all
}
