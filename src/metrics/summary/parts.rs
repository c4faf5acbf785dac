//! The result by pool, by class and of the network.

use crate::cluster::Role;

use super::super::attainment::ShareInterval;
use super::{EnergyByPhase, Jitter, Latency, RequestCounts};

/// One pool over the measured time.
#[derive(Debug, Clone)]
pub struct PoolSummary {
    /// Name in the scenario.
    pub name: String,
    /// `prefill`, `decode` or `mixed`.
    pub role: Role,
    /// Node profile.
    pub hardware: String,
    /// Served model: profile and number formats.
    pub model: String,
    /// Instances.
    pub instances: u32,
    /// Chips of all instances.
    pub chips: u32,
    /// Fraction of instance time spent computing.
    pub utilization: f64,
    /// Fraction of peak arithmetic while computing.
    pub mfu: Option<f64>,
    /// Fraction of peak memory bandwidth while computing.
    pub mbu: Option<f64>,
    /// Iterations.
    pub iterations: u64,
    /// Mean duration of an iteration, ms.
    pub iteration_ms_mean: Option<f64>,
    /// Time-weighted mean of running sequences per instance, idle time included.
    pub batch_mean: f64,
    /// Most sequences that one instance runs at a time.
    pub max_num_seqs: u32,
    /// KV blocks in use / all, time-weighted. Blocks of a prefix cache that nobody uses count as free.
    pub kv_utilization_mean: f64,
    /// Highest share of KV blocks in use on any instance.
    pub kv_utilization_peak: f64,
    /// KV capacity of one instance, tokens.
    pub kv_capacity_tokens: u64,
    /// Time-weighted mean of requests waiting in the whole pool.
    pub queue_mean: f64,
    /// Longest queue of the pool.
    pub queue_peak: u64,
    /// Prompt tokens served from the prefix cache / prompt tokens looked up.
    pub prefix_hit_rate: Option<f64>,
    /// Preemptions.
    pub preemptions: u64,
    /// IT joules.
    pub energy_j: f64,
    /// Mean IT power, W; `None` if nothing was measured.
    pub mean_power_w: Option<f64>,
    /// IT joules by phase.
    pub energy_by_phase: EnergyByPhase,
    /// $ of the pool.
    pub cost_usd: f64,
    /// What a step is modelled by.
    pub perf: String,
}

/// One frontend over the measured time.
#[derive(Debug, Clone)]
pub struct FrontendSummary {
    /// Name in the scenario.
    pub name: String,
    /// Stations.
    pub instances: u32,
    /// Requests that one serves at once.
    pub workers: u32,
    /// Share of the time of its workers in which they serve.
    pub utilization: f64,
    /// Time-weighted mean of requests waiting, in all stations.
    pub queue_mean: f64,
    /// Most requests waiting at once.
    pub queue_peak: u64,
}

impl FrontendSummary {
    /// True if requests wait for it, one a station or more, and its workers seldom rest.
    pub fn is_saturated(&self) -> bool {
        const SELDOM: f64 = 0.8;
        self.utilization >= SELDOM && self.queue_mean >= f64::from(self.instances)
    }
}

/// Instances that did not serve all the time.
#[derive(Debug, Clone)]
pub struct FleetSummary {
    /// Times an instance went down, failed or as planned.
    pub outages: u64,
    /// Instance time that was off, s.
    pub down_s: f64,
    /// Requests under which an instance failed, or that found none, whatever became of them.
    pub hit_requests: u64,
    /// What failures cost a completed one of these, mean, ms: from the start of a prompt that was lost to the next queue, and from a failure
    /// after the first token to the next token.
    pub recovery_ms_mean: Option<f64>,
    /// The same by pool.
    pub pools: Vec<PoolOutages>,
}

/// Instances of one pool that did not serve all the time.
#[derive(Debug, Clone)]
pub struct PoolOutages {
    /// Name in the scenario.
    pub name: String,
    /// Times an instance went down, failed or as planned.
    pub outages: u64,
    /// Instance time that was off, s.
    pub down_s: f64,
    /// Share of instance time in which instances served: were neither off nor starting.
    pub availability: f64,
}

/// One workload over the measured time.
#[derive(Debug, Clone)]
pub struct ClassSummary {
    /// Name in the scenario.
    pub name: String,
    /// Requests by outcome.
    pub requests: RequestCounts,
    /// Latency limits; `None` where the class has none.
    pub slo: SloLimits,
    /// Requests that met all limits / arrived; `None` without limits.
    pub slo_attainment: Option<f64>,
    /// 95 % interval of that share, from batches of consecutive requests; `None` without limits or requests.
    pub slo_attainment_95: Option<ShareInterval>,
    /// Share meeting the TTFT limit alone.
    pub ttft_attainment: Option<f64>,
    /// Share meeting the TPOT limit alone.
    pub tpot_attainment: Option<f64>,
    /// Latency of this class.
    pub latency: Latency,
    /// Jitter of its gaps.
    pub jitter: Jitter,
}

/// Latency limits in milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct SloLimits {
    /// Time to first token.
    pub ttft_ms: Option<f64>,
    /// Time per output token.
    pub tpot_ms: Option<f64>,
    /// End to end.
    pub e2e_ms: Option<f64>,
}

/// Requests held up because the decode side had no KV memory for them; of the model that waited longest.
#[derive(Debug, Clone, Copy, Default)]
pub struct HandoffSummary {
    /// Time-weighted mean of those waiting. With `layer-wise` overlap only the first in each prefill queue counts.
    pub waiting_mean: f64,
    /// Share of the measured time in which at least one waited.
    pub blocked_share: f64,
}

/// KV transfers over the measured time.
#[derive(Debug, Clone, Copy, Default)]
pub struct NetworkSummary {
    /// Requests whose KV was sent, those included whose client left meanwhile.
    pub transfers: u64,
    /// Bytes moved.
    pub bytes: f64,
    /// Mean time from first byte offered to last byte delivered, ms.
    pub transfer_ms_mean: Option<f64>,
    /// 99th percentile of the same, ms.
    pub transfer_ms_p99: Option<f64>,
    /// Busiest port: bytes carried / (bandwidth · time of the whole run, warm-up included).
    pub peak_port_utilization: Option<f64>,
}

/// Share of KV memory in use on average from which a pool is full.
const KV_FULL: f64 = 0.9;
/// Requests waiting for each instance of a pool on average from which it holds them up.
const QUEUE_LONG: f64 = 0.5;
/// Share of its bandwidth from which a port is full.
const PORT_FULL: f64 = 0.9;

/// Share of the time in which decode memory holds requests up from which it is the bottleneck.
const BLOCKED: f64 = 0.5;
/// Share of the places of a batch, while it computes, from which it is full.
const BATCH_FULL: f64 = 0.9;

impl HandoffSummary {
    /// True if requests wait for memory, or a place in the batch, on the decode side most of the time.
    pub fn is_blocked(&self) -> bool {
        self.blocked_share >= BLOCKED
    }
}

impl NetworkSummary {
    /// True if a port carries nearly all that it can, so that KV caches wait for each other.
    pub fn is_full(&self) -> bool {
        self.peak_port_utilization.is_some_and(|share| share >= PORT_FULL)
    }
}

impl PoolSummary {
    /// True if its KV memory is full on average.
    pub fn is_full(&self) -> bool {
        self.kv_utilization_mean >= KV_FULL
    }

    /// True if requests queue for it on average.
    pub fn is_queued_for(&self) -> bool {
        self.waiting_per_instance() >= QUEUE_LONG
    }

    /// Requests waiting for each instance on average.
    pub fn waiting_per_instance(&self) -> f64 {
        self.queue_mean / f64::from(self.instances.max(1))
    }

    /// Mean of running sequences per instance over the time it computes; `None` if it never did.
    pub fn batch_while_computing(&self) -> Option<f64> {
        (self.utilization > 0.0).then(|| self.batch_mean / self.utilization)
    }

    /// True if it runs about as many sequences as it may, so that no more memory would help.
    pub fn is_batch_full(&self) -> bool {
        self.batch_while_computing().is_some_and(|batch| batch >= BATCH_FULL * f64::from(self.max_num_seqs))
    }
}

impl SloLimits {
    /// True if there is any limit.
    pub const fn any(&self) -> bool {
        self.ttft_ms.is_some() || self.tpot_ms.is_some() || self.e2e_ms.is_some()
    }
}
