//! What the recorder must know of a run before it starts.

use super::summary::SloLimits;
use crate::cluster::{FrontendSpec, PoolSpec, Role};
use crate::sim::SimDuration;

/// What the recorder must know of a workload.
#[derive(Debug, Clone)]
pub struct ClassParameters {
    /// Name in the scenario.
    pub name: String,
    /// Limits.
    pub slo: SloLimits,
}

/// What the recorder must know of a pool.
#[derive(Debug, Clone)]
pub struct PoolParameters {
    /// Name in the scenario.
    pub name: String,
    /// What its instances do.
    pub role: Role,
    /// Node profile.
    pub hardware: String,
    /// Served model.
    pub model: String,
    /// Instances.
    pub instances: u32,
    /// Chips of one instance.
    pub chips_per_instance: u32,
    /// KV blocks of one instance.
    pub kv_blocks: u64,
    /// Tokens of one block.
    pub block_size: u32,
    /// Most sequences that one instance runs at a time.
    pub max_num_seqs: u32,
    /// What a step is modelled by.
    pub perf: String,
}

impl PoolParameters {
    /// Of a pool on nodes of a profile, with a model.
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

/// What the recorder must know of a frontend.
#[derive(Debug, Clone)]
pub struct FrontendParameters {
    /// Name in the scenario.
    pub name: String,
    /// Stations.
    pub instances: u32,
    /// Requests that one serves at once.
    pub workers: u32,
}

impl From<&FrontendSpec> for FrontendParameters {
    fn from(frontend: &FrontendSpec) -> Self {
        Self { name: frontend.name.clone(), instances: frontend.instances, workers: frontend.workers }
    }
}

/// Everything the recorder must know of a run.
#[derive(Debug, Clone)]
pub struct RecorderParameters {
    /// Workloads by class.
    pub classes: Vec<ClassParameters>,
    /// Pools in the order of the scenario.
    pub pools: Vec<PoolParameters>,
    /// Frontends in the order of the scenario.
    pub frontends: Vec<FrontendParameters>,
    /// Requests that arrive earlier do not count.
    pub warmup: SimDuration,
    /// Length of a timeline interval to begin with.
    pub interval: SimDuration,
}
