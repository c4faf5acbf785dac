//! The recorder's sums by class, by pool and in total.

use super::attainment::Attainment;
use super::bins::part;
use super::summary::RequestCounts;
use super::values::Values;
use crate::cluster::RunSegment;
use crate::power::{Energy, EnergyMeter};
use crate::sim::SimTime;
use crate::units::nearest_wide;

/// Record of one workload.
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

    /// Sorts the values for lookup.
    pub(super) fn sort(&mut self) {
        for values in [&mut self.ttft, &mut self.ttst, &mut self.tpot, &mut self.itl, &mut self.e2e, &mut self.request_std] {
            values.sort();
        }
    }
}

/// Record of one pool.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PoolRecord {
    pub(super) iterations: u64,
    /// Sum of the full durations of iterations.
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

impl PoolRecord {
    /// Adds the iterations of a segment, starting with `from`.
    pub(super) fn add_iterations(&mut self, run: &RunSegment<'_>, from: u64) {
        let end = run.end();
        if from == end {
            return;
        }
        let busy = run.span_ns(from, end);
        self.busy_ns += u128::from(busy);
        self.prefill_ns += nearest_wide(busy as f64 * run.prefill_share);
        self.compute_ns += run.compute_ns(from, end);
        self.memory_ns += run.memory_ns(from, end);
        self.energy.add_iteration(run.energy(from, end), run.prefill_share);
        let gauged = from.max(run.gauged_from());
        if gauged < end {
            self.running += u128::from(run.running) * u128::from(run.span_ns(gauged, end));
            self.kv_blocks += run.kv_block_ns(gauged, end);
            self.kv_peak = self.kv_peak.max(run.kv_peak());
        }
    }

    /// Adds the part of iteration `n` after `cut`, which is within it.
    pub(super) fn add_cut_iteration(&mut self, run: &RunSegment<'_>, n: u64, cut: SimTime) {
        let (busy, span) = (run.boundary(n + 1).since(cut).ns(), u128::from(run.span_ns(n, n + 1)));
        let measured = |whole: u128| part(whole, busy.into(), span);
        let Energy { chip_pj, it_pj } = run.energy(n, n + 1);
        self.busy_ns += u128::from(busy);
        self.prefill_ns += nearest_wide(busy as f64 * run.prefill_share);
        self.compute_ns += measured(run.compute_ns(n, n + 1));
        self.memory_ns += measured(run.memory_ns(n, n + 1));
        self.energy.add_iteration(Energy { chip_pj: measured(chip_pj), it_pj: measured(it_pj) }, run.prefill_share);
        if n >= run.gauged_from() {
            let blocks = run.kv_blocks(n);
            self.running += u128::from(run.running) * u128::from(busy);
            self.kv_blocks += u128::from(blocks) * u128::from(busy);
            self.kv_peak = self.kv_peak.max(if n + 1 == run.end() { run.kv_peak() } else { blocks });
        }
    }
}

/// Record of one frontend.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FrontendRecord {
    /// Requests · ns.
    pub(super) waiting: u128,
    /// Workers · ns.
    pub(super) busy: u128,
    pub(super) queue_peak: u64,
}

/// Requests of one model waiting for memory on the decode side.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HandoffRecord {
    /// Requests · ns.
    pub(super) waiting: u128,
    /// Time in which at least one request waited, ns.
    pub(super) blocked: u128,
}

/// Sums over completed requests of the time in each stage, ns.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StageTimes {
    pub(super) queue: u128,
    pub(super) prefill: u128,
    pub(super) reserve: u128,
    pub(super) transfer: u128,
    pub(super) decode_queue: u128,
    pub(super) decode: u128,
    pub(super) recovery: u128,
    pub(super) frontend: u128,
}

/// Arrivals and completions over all workloads.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flow {
    /// Arrivals during the warm-up.
    pub(super) before: u64,
    /// First and last arrival after it, ns.
    pub(super) first_ns: u64,
    pub(super) last_ns: u64,
    pub(super) arrivals: u64,
    /// Completions between the first and the last arrival.
    pub(super) served: u64,
    /// Completions since the first arrival.
    pub(super) since_first: u64,
    /// Completions since the warm-up.
    pub(super) completions: u64,
}
