//! The complete scenario, every default and profile written out, and the hash of all that determines a result.

use super::super::diagnostic::ConfigErrors;
use super::super::load::Document;
use super::super::scenario::{Lengths, ScenarioFile};
use super::cluster::Parts;
use crate::units::Count;

/// The resolved scenario.
pub(super) struct Resolved {
    pub(super) yaml: String,
    pub(super) hash: String,
}

/// Writes out a scenario. Running the result gives the same result, and resolving it gives the same text.
pub(super) fn resolve(file: &ScenarioFile, document: &Document, parts: &Parts) -> Result<Resolved, ConfigErrors> {
    let failed = |problem: &dyn std::fmt::Display| ConfigErrors::file(&file.name, &problem.to_string(), None);
    let mut complete = file.clone();
    complete.include = None;
    complete.profiles = parts.profiles.clone();
    for (name, profile) in &parts.model_profiles {
        if let Some(choice) = complete.models.get_mut(name) {
            choice.profile = Some(profile.clone());
            choice.hugging_face = None;
        }
    }
    for (pool, spec) in complete.cluster.pools.iter_mut().zip(&parts.spec.pools) {
        let engine = &mut pool.engine;
        engine.max_num_seqs = Some(spec.engine.max_num_seqs);
        engine.max_num_batched_tokens = Count::new(f64::from(spec.engine.max_num_batched_tokens));
        engine.max_model_len = Count::new(f64::from(spec.engine.max_model_len));
        engine.num_gpu_blocks_override = Count::new(spec.engine.kv_blocks as f64);
    }
    let mut hasher = blake3::Hasher::new();
    for (index, entry) in complete.workload.iter_mut().enumerate() {
        let mut absolute = |key: &str, path: &mut String| -> Result<(), ConfigErrors> {
            let full = document.resolve(&format!("workload[{index}].{key}"), path);
            let full = std::path::absolute(&full).map_err(|e| failed(&e))?;
            let content = std::fs::File::open(&full).map_err(|e| failed(&format!("{}: {e}", full.display())))?;
            hasher.update_reader(content).map_err(|e| failed(&format!("{}: {e}", full.display())))?;
            *path = full.display().to_string();
            Ok(())
        };
        if let Some(trace) = &mut entry.trace {
            absolute("trace.path", &mut trace.path)?;
        }
        let synthetic = entry
            .synthetic
            .iter_mut()
            .flat_map(|s| [("synthetic.prompt_tokens", &mut s.prompt_tokens), ("synthetic.output_tokens", &mut s.output_tokens)]);
        let closed = entry
            .closed_loop
            .iter_mut()
            .flat_map(|c| [("closed_loop.prompt_tokens", &mut c.prompt_tokens), ("closed_loop.output_tokens", &mut c.output_tokens)]);
        for (key, lengths) in synthetic.chain(closed) {
            if let Lengths::Empirical { path: Some(path), .. } = lengths {
                absolute(&format!("{key}.empirical.path"), path)?;
            }
        }
    }
    let yaml = serde_yaml::to_string(&complete).map_err(|e| failed(&e))?;
    // Where a trace lies does not matter, only what is in it.
    for entry in &mut complete.workload {
        if let Some(trace) = &mut entry.trace {
            trace.path.clear();
        }
    }
    let anywhere = serde_yaml::to_string(&complete).map_err(|e| failed(&e))?;
    hasher.update(anywhere.as_bytes());
    Ok(Resolved { yaml, hash: hasher.finalize().to_hex().to_string() })
}
