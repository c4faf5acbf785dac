//! The `faults` section: instances by their index among all.

use super::super::file::{self, ScenarioFile};
use super::cluster::engines;
use crate::document::Problems;
use crate::policy::Fault;

/// The faults; those of unknown instances have been noted.
pub(super) fn faults(file: &ScenarioFile, problems: &mut Problems<'_>) -> Vec<Fault> {
    let mut built = Vec::new();
    for (index, fault) in file.faults.iter().enumerate() {
        let path = format!("faults[{index}].instance");
        let Some(instance) = instance(file, &fault.instance, &path, problems) else { continue };
        let file::Fault { at, down, start, drain, .. } = *fault;
        built.push(Fault { at, instance, down, start, drain });
    }
    built
}

/// Position of `POOL/N` among the instances of all pools.
fn instance(file: &ScenarioFile, name: &str, path: &str, problems: &mut Problems<'_>) -> Option<usize> {
    let Some((pool, number)) = name.rsplit_once('/') else {
        let expected = "a pool and the number of an instance in it, counted from 0, such as `decode/3`";
        problems.at(path, format!("`{name}`"), expected, None);
        return None;
    };
    let pools: Vec<&file::Pool> = engines(file).map(|(_, pool)| pool).collect();
    let Some(place) = pools.iter().position(|other| other.name == pool) else {
        let known: Vec<&str> = pools.iter().map(|pool| pool.name.as_str()).collect();
        problems.unknown(path, "pool", pool, &known);
        return None;
    };
    let instances = pools[place].instances;
    match number.parse::<u32>() {
        Ok(number) if number < instances => {
            let before: usize = pools[..place].iter().map(|pool| pool.instances as usize).sum();
            Some(before + number as usize)
        }
        _ => {
            let last = instances.saturating_sub(1);
            let expected = if last == 0 {
                format!("`{pool}/0`, the only instance of the pool")
            } else {
                format!("`{pool}/0` to `{pool}/{last}`, the instances of the pool")
            };
            problems.at(path, format!("`{name}`"), &expected, None);
            None
        }
    }
}
