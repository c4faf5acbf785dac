//! What the recorder keeps: sums by class, by pool and of all.

use super::attainment::Attainment;
use super::summary::RequestCounts;
use super::values::Values;
use crate::power::EnergyMeter;

/// What is kept of one workload.
#[derive(Debug, Clone)]
pub(super) struct ClassRecord {
    pub(super) counts: RequestCounts,
    pub(super) ttft: Values,
    pub(super) ttst: Values,
    pub(super) tpot: Values,
    pub(super) itl: Values,
    pub(super) e2e: Values,
    pub(super) request_std: Values,
    pub(super) attainment: Attainment,
    pub(super) good_tokens: u64,
    pub(super) ttft_met: u64,
    pub(super) tpot_met: u64,
}

impl ClassRecord {
    pub(super) fn new() -> Self {
        Self {
            counts: RequestCounts::default(),
            ttft: Values::default(),
            ttst: Values::default(),
            tpot: Values::default(),
            itl: Values::histogram(),
            e2e: Values::default(),
            request_std: Values::default(),
            attainment: Attainment::new(),
            good_tokens: 0,
            ttft_met: 0,
            tpot_met: 0,
        }
    }
}

/// What is kept of one pool.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PoolRecord {
    pub(super) iterations: u64,
    /// Their whole durations.
    pub(super) iteration_ns: u128,
    pub(super) busy_ns: u128,
    pub(super) prefill_ns: u128,
    pub(super) idle_ns: u128,
    pub(super) compute_ns: u128,
    pub(super) memory_ns: u128,
    pub(super) energy: EnergyMeter,
    pub(super) running: u128,
    pub(super) kv_blocks: u128,
    pub(super) waiting: u128,
    pub(super) kv_peak: u64,
    pub(super) queue_peak: u64,
    pub(super) preemptions: u64,
    pub(super) lookup_tokens: u64,
    pub(super) hit_tokens: u64,
}

/// Requests that wait for memory on the decode side, of one model.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HandoffRecord {
    /// Requests · ns.
    pub(super) waiting: u128,
    /// Time in which at least one waited, ns.
    pub(super) blocked: u128,
}

/// Sums over completed requests of the time in each stage of life, ns.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StageTimes {
    pub(super) queue: u128,
    pub(super) prefill: u128,
    pub(super) reserve: u128,
    pub(super) transfer: u128,
    pub(super) decode_queue: u128,
    pub(super) decode: u128,
}

/// What came and went, whoever it belongs to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flow {
    /// Arrivals during the warm-up.
    pub(super) before: u64,
    /// First and last arrival after it, ns.
    pub(super) first_ns: u64,
    pub(super) last_ns: u64,
    pub(super) arrivals: u64,
    /// Completions between these two.
    pub(super) served: u64,
    /// Completions since the first of them.
    pub(super) since_first: u64,
    /// Completions since the warm-up.
    pub(super) completions: u64,
}
