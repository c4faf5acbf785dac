//! The result by pool, by class and of the network.

use crate::cluster::Role;

use super::super::attainment::ShareInterval;
use super::{Distribution, EnergyByPhase, Jitter, Latency, RequestCounts};

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
    /// Number of instances.
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
    /// Maximum number of running sequences per instance.
    pub max_num_seqs: u32,
    /// KV blocks in use / all, time-weighted. Prefix-cache blocks not in use count as free.
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
    /// Name of the performance model.
    pub perf: String,
}

/// One frontend over the measured time.
#[derive(Debug, Clone)]
pub struct FrontendSummary {
    /// Name in the scenario.
    pub name: String,
    /// Number of stations.
    pub instances: u32,
    /// Requests that one station serves concurrently.
    pub workers: u32,
    /// Share of worker time spent serving.
    pub utilization: f64,
    /// Time-weighted mean of requests waiting, in all stations.
    pub queue_mean: f64,
    /// Peak number of waiting requests.
    pub queue_peak: u64,
}

impl FrontendSummary {
    /// True if at least one request waits per station and its workers are rarely idle.
    pub fn is_saturated(&self) -> bool {
        const SELDOM: f64 = 0.8;
        self.utilization >= SELDOM && self.queue_mean >= f64::from(self.instances)
    }
}

/// Outages of instances.
#[derive(Debug, Clone)]
pub struct FleetSummary {
    /// Number of times an instance went down, by failure or as planned.
    pub outages: u64,
    /// Instance time spent off, s.
    pub down_s: f64,
    /// Requests whose instance failed, or that found no instance, regardless of outcome.
    pub hit_requests: u64,
    /// Mean time lost to failures by the completed ones among them, ms: from the start of a lost prompt until the request is queued again, and from a
    /// failure after the first token to the next token.
    pub recovery_ms_mean: Option<f64>,
    /// Outages by pool.
    pub pools: Vec<PoolOutages>,
}

/// Outages of the instances of one pool.
#[derive(Debug, Clone)]
pub struct PoolOutages {
    /// Name in the scenario.
    pub name: String,
    /// Number of times an instance went down, by failure or as planned.
    pub outages: u64,
    /// Instance time spent off, s.
    pub down_s: f64,
    /// Share of instance time in which instances served, i.e. were neither off nor starting.
    pub availability: f64,
}

/// One workload over the measured time.
#[derive(Debug, Clone)]
pub struct ClassSummary {
    /// Name in the scenario.
    pub name: String,
    /// Requests by outcome.
    pub requests: RequestCounts,
    /// Latency limits; all `None` if the class has none.
    pub slo: SloLimits,
    /// Requests that met all limits / arrived; `None` without limits.
    pub slo_attainment: Option<f64>,
    /// 95 % interval of that share, from batches of consecutive requests; `None` without limits or requests.
    pub slo_attainment_95: Option<ShareInterval>,
    /// Share meeting the TTFT limit.
    pub ttft_attainment: Option<f64>,
    /// Share meeting the TPOT limit.
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

/// Requests blocked by a lack of KV memory on the decode side; of the model with the longest waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct HandoffSummary {
    /// Time-weighted mean of waiting requests. With `layer-wise` overlap only the head of each prefill queue counts.
    pub waiting_mean: f64,
    /// Share of the measured time in which at least one request waited.
    pub blocked_share: f64,
}

/// KV transfers over the measured time.
#[derive(Debug, Clone, Copy, Default)]
pub struct NetworkSummary {
    /// Requests whose KV was sent, including those that timed out meanwhile.
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

/// Calls of sessions that arrived in the measured time.
#[derive(Debug, Clone, Copy)]
pub struct SessionSummary {
    /// Sessions whose first call is among them.
    pub started: u64,
    /// Calls.
    pub calls: u64,
    /// Time to first token of first calls, ms; `None` without values.
    pub first_ttft_ms: Option<Distribution>,
    /// The same of all later calls.
    pub later_ttft_ms: Option<Distribution>,
}

/// Mean share of KV memory in use above which a pool counts as full.
const KV_FULL: f64 = 0.9;
/// Mean number of waiting requests per instance above which a pool counts as queued for.
const QUEUE_LONG: f64 = 0.5;
/// Share of bandwidth above which a port counts as full.
const PORT_FULL: f64 = 0.9;

/// Share of the time with blocked requests above which decode memory is the bottleneck.
const BLOCKED: f64 = 0.5;
/// Share of the batch slots in use, while computing, above which the batch counts as full.
const BATCH_FULL: f64 = 0.9;

impl HandoffSummary {
    /// True if requests wait for memory, or a place in the batch, on the decode side most of the time.
    pub fn is_blocked(&self) -> bool {
        self.blocked_share >= BLOCKED
    }
}

impl NetworkSummary {
    /// True if a port is close to its bandwidth, so that KV transfers delay each other.
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

    /// Mean number of waiting requests per instance.
    pub fn waiting_per_instance(&self) -> f64 {
        self.queue_mean / f64::from(self.instances.max(1))
    }

    /// Mean of running sequences per instance over its computing time; `None` if it never computed.
    pub fn batch_while_computing(&self) -> Option<f64> {
        (self.utilization > 0.0).then(|| self.batch_mean / self.utilization)
    }

    /// True if the batch is close to its limit, so that more memory would not help.
    pub fn is_batch_full(&self) -> bool {
        self.batch_while_computing().is_some_and(|batch| batch >= BATCH_FULL * f64::from(self.max_num_seqs))
    }
}

impl SloLimits {
    /// True if there is a limit.
    pub const fn any(&self) -> bool {
        self.ttft_ms.is_some() || self.tpot_ms.is_some() || self.e2e_ms.is_some()
    }
}
