//! Parameters of the recorder, fixed before the run.

use super::summary::SloLimits;
use crate::cluster::{FrontendSpec, PoolSpec, Role};
use crate::sim::SimDuration;

/// Parameters of a workload.
#[derive(Debug, Clone)]
pub struct ClassParameters {
    /// Name in the scenario.
    pub name: String,
    /// Limits.
    pub slo: SloLimits,
}

/// Parameters of a pool.
#[derive(Debug, Clone)]
pub struct PoolParameters {
    /// Name in the scenario.
    pub name: String,
    /// Role of its instances.
    pub role: Role,
    /// Node profile.
    pub hardware: String,
    /// Served model.
    pub model: String,
    /// Number of instances.
    pub instances: u32,
    /// Chips of one instance.
    pub chips_per_instance: u32,
    /// KV blocks of one instance.
    pub kv_blocks: u64,
    /// Tokens of one block.
    pub block_size: u32,
    /// Maximum number of running sequences per instance.
    pub max_num_seqs: u32,
    /// Name of the performance model.
    pub perf: String,
}

impl PoolParameters {
    /// Parameters of a pool on nodes of a profile, with a model.
    pub fn new(pool: &PoolSpec, hardware: String, model: String) -> Self {
        Self {
            name: pool.name.clone(),
            role: pool.role,
            hardware,
            model,
            instances: pool.instances,
            chips_per_instance: pool.chips,
            kv_blocks: pool.engine.kv_blocks,
            block_size: pool.engine.block_size,
            max_num_seqs: pool.engine.max_num_seqs,
            perf: pool.perf.provenance(),
        }
    }
}

/// Parameters of a frontend.
#[derive(Debug, Clone)]
pub struct FrontendParameters {
    /// Name in the scenario.
    pub name: String,
    /// Number of stations.
    pub instances: u32,
    /// Requests that one station serves concurrently.
    pub workers: u32,
}

impl From<&FrontendSpec> for FrontendParameters {
    fn from(frontend: &FrontendSpec) -> Self {
        Self { name: frontend.name.clone(), instances: frontend.instances, workers: frontend.workers }
    }
}

/// All parameters of the recorder for a run.
#[derive(Debug, Clone)]
pub struct RecorderParameters {
    /// Workloads by class.
    pub classes: Vec<ClassParameters>,
    /// Pools in the order of the scenario.
    pub pools: Vec<PoolParameters>,
    /// Frontends in the order of the scenario.
    pub frontends: Vec<FrontendParameters>,
    /// Requests that arrive earlier are not measured.
    pub warmup: SimDuration,
    /// Initial length of a timeline interval.
    pub interval: SimDuration,
}
