//! The iterations of one instance: the one in flight, and the run of decode iterations it belongs to.
//!
//! An undisturbed decode batch *runs ahead*: one event covers many iterations. Their sums are a closed form of their number, so iterations
//! passed over end at the same nanoseconds, and cost the same picojoules, as iterations stepped through.

use super::snapshot::Snapshot;
use crate::cluster::segment::{KvBlocks, Sums};
use crate::perf::{DecodeRun, IterationCost, RunLines};
use crate::power::{InstancePower, RunPower};
use crate::sim::{SimDuration, SimTime};
use crate::units::nearest;

/// A run of decode iterations of one unchanged batch, and the number done so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) start: SimTime,
    pub(super) cost: RunLines,
    pub(super) power: RunPower,
    pub(super) done: u64,
    /// Sums over the iterations done.
    pub(super) booked: Sums,
    /// Cumulative sums of the instance at the start of the run.
    base: Snapshot,
}

impl Run {
    /// End of iteration `n`, counted from 1.
    pub(super) fn boundary(&self, n: u64) -> SimTime {
        self.start + SimDuration::from_ns(self.cost.elapsed_ns(n))
    }

    /// Sums over the first `n` iterations of a batch that takes the blocks `kv`.
    pub(super) fn sums(&self, n: u64, kv: &KvBlocks<'_>) -> Sums {
        let elapsed = self.cost.elapsed_ns(n);
        Sums {
            span_ns: elapsed,
            energy: self.power.energy(n, elapsed),
            compute_ns: self.cost.compute_ns(n),
            memory_ns: self.cost.memory_ns(n),
            squared_gaps: self.cost.squared_gaps_in(n, elapsed),
            taken_ns: kv.taken_ns(&self.cost.durations, n),
        }
    }

    /// Cumulative sums of the instance after the iterations done. Each of the `sequences` is charged an equal share.
    pub(super) fn totals(&self, sequences: u32) -> Snapshot {
        let (done, each) = (&self.booked, 1.0 / f64::from(sequences));
        Snapshot {
            step: self.base.step + self.done,
            gap_sum: self.base.gap_sum + done.span_ns,
            gap_squares: self.base.gap_squares + done.squared_gaps,
            energy_j: self.base.energy_j + done.energy.it_j() * each,
            time_s: self.base.time_s + SimDuration::from_ns(done.span_ns).as_secs_f64() * each,
        }
    }

    /// Sum and sum of squares of the instance's gaps up to the end of iteration `n`, counted from 1.
    pub(super) fn gaps(&self, n: u64) -> (u64, u128) {
        (self.base.gap_sum + self.cost.elapsed_ns(n), self.base.gap_squares + self.cost.squared_gaps(n))
    }

    /// Duration and resource use of the next iteration.
    fn next_cost(&self) -> IterationCost {
        IterationCost {
            duration_ns: self.cost.durations.value(self.done),
            compute_ns: self.cost.compute.value(self.done),
            memory_ns: self.cost.memory.value(self.done),
            ..IterationCost::default()
        }
    }
}

/// The iteration in flight.
#[derive(Debug, Clone, Copy)]
pub(super) struct InFlight {
    pub(super) start: SimTime,
    pub(super) end: SimTime,
    /// Cost of a batch with prefill, known in advance; `None` for a decode iteration, whose cost comes from the run.
    pub(super) cost: Option<IterationCost>,
}

/// What an instance computes now, and how far it is planned.
#[derive(Debug, Default)]
pub(super) struct Flight {
    pub(super) current: Option<InFlight>,
    pub(super) run: Option<Run>,
    /// Iterations until the scheduled event, the one in flight included.
    pub(super) planned: u64,
    /// True once the last planned iteration has ended at this instant, until the next batch is formed.
    pub(super) at_boundary: bool,
}

impl Flight {
    /// Starts a single iteration of known cost.
    pub(super) fn start_single(&mut self, now: SimTime, cost: IterationCost) {
        // An iteration of zero length would stop the clock.
        let end = now + SimDuration::from_ns(nearest(cost.duration_ns).max(1));
        self.run = None;
        self.current = Some(InFlight { start: now, end, cost: Some(cost) });
        self.planned = 1;
        self.at_boundary = false;
    }

    /// True if the current run has iterations left for the coming batch.
    pub(super) fn goes_on(&self) -> bool {
        self.left() > 0
    }

    /// Starts a run. It ends no later than where the chips' power limit becomes or ceases to be binding.
    pub(super) fn start_run(&mut self, now: SimTime, cost: DecodeRun, power: &InstancePower, base: Snapshot) {
        let power = RunPower::new(power, &cost);
        self.run = Some(Run { start: now, cost: cost.lines(), power, done: 0, booked: Sums::default(), base });
    }

    /// Starts the next iteration of the run and plans `planned` iterations, at most those left, until the next event.
    pub(super) fn plan(&mut self, planned: u64) {
        self.planned = planned;
        self.at_boundary = false;
        self.next_of_run();
    }

    /// Moves on to the iteration after those done.
    pub(super) fn next_of_run(&mut self) {
        if let Some(run) = &self.run {
            self.current = Some(InFlight { start: run.boundary(run.done), end: run.boundary(run.done + 1), cost: None });
        }
    }

    /// Iterations left in the run.
    pub(super) fn left(&self) -> u64 {
        self.run.as_ref().map_or(0, |run| run.power.iterations() - run.done)
    }

    /// Number of planned iterations, the last one excluded, that end by `at`.
    pub(super) fn ended_by(&self, at: SimTime) -> u64 {
        let (Some(run), Some(current)) = (&self.run, &self.current) else { return 0 };
        if self.planned <= 1 || current.end > at {
            return 0;
        }
        run.cost.iterations_within(at.since(run.start).ns(), run.done, run.done + self.planned - 1) - run.done
    }

    /// First and last planned iteration, counted from the start of the run.
    pub(super) fn planned_iterations(&self) -> Option<[u64; 2]> {
        let run = self.run.as_ref().filter(|_| self.planned > 0)?;
        Some([run.done, run.done + self.planned - 1])
    }

    /// End of the `n`th next iteration of the run.
    pub(super) fn boundary_after(&self, n: u64) -> Option<SimTime> {
        self.run.as_ref().map(|run| run.boundary(run.done + n))
    }

    /// End of the last planned iteration.
    pub(super) fn planned_end(&self) -> Option<SimTime> {
        let current = self.current?;
        let run = self.run.as_ref().filter(|_| current.cost.is_none());
        Some(run.map_or(current.end, |run| run.boundary(run.done + self.planned)))
    }

    /// The last planned iteration has ended: the next batch is formed at this instant.
    pub(super) fn reach_boundary(&mut self) {
        self.planned = 0;
        self.at_boundary = true;
    }

    /// Becomes idle; true if it was not.
    pub(super) fn stop(&mut self) -> bool {
        self.at_boundary = false;
        self.current.take().is_some()
    }

    /// Discards the iteration in flight and the plan; true if there was one.
    pub(super) fn abort(&mut self) -> bool {
        (self.run, self.planned) = (None, 0);
        self.stop()
    }

    /// Start of the iteration in flight.
    pub(super) fn began(&self) -> Option<SimTime> {
        self.current.filter(|_| !self.at_boundary).map(|current| current.start)
    }

    /// Cost of the iteration in flight, if there is one.
    pub(super) fn cost(&self) -> Option<IterationCost> {
        self.current?.cost.or_else(|| self.run.as_ref().map(Run::next_cost))
    }
}
