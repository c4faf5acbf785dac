//! The iterations of one instance: the one in flight, and the run of decode iterations that it belongs to.
//!
//! An undisturbed decode batch *runs ahead*: one event for many iterations. The end of each lies on a closed form, so that iterations
//! passed over end at the same nanoseconds as iterations stepped through.

use crate::perf::{DecodeRun, IterationCost};
use crate::sim::{Generation, SimDuration, SimTime};
use crate::units::nearest;

/// A run of decode iterations of one unchanged batch, and how many of them are done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) start: SimTime,
    pub(super) cost: DecodeRun,
    pub(super) done: u64,
}

impl Run {
    /// End of iteration `n`.
    fn boundary(&self, n: u64) -> SimTime {
        self.start + SimDuration::from_ns(self.cost.elapsed_ns(n))
    }

    /// Cost of the next iteration.
    pub(super) fn next_cost(&self) -> IterationCost {
        let n = self.done as f64;
        let (first, step) = (&self.cost.first, &self.cost.step);
        IterationCost {
            duration_ns: first.duration_ns + n * step.duration_ns,
            compute_ns: first.compute_ns + n * step.compute_ns,
            memory_ns: first.memory_ns + n * step.memory_ns,
            flops: first.flops + n * step.flops,
            memory_bytes: first.memory_bytes + n * step.memory_bytes,
            link_bytes: first.link_bytes + n * step.link_bytes,
            prefill_share: 0.0,
        }
    }
}

/// The iteration in flight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InFlight {
    pub(crate) start: SimTime,
    pub(crate) end: SimTime,
    /// Known in advance for a batch with prefill in it; a decode iteration takes it from the run.
    pub(super) cost: Option<IterationCost>,
}

/// What an instance computes now, and until when that is planned.
#[derive(Debug, Default)]
pub(super) struct Flight {
    pub(super) current: Option<InFlight>,
    pub(super) run: Option<Run>,
    /// Iterations, the one in flight included, until the scheduled event.
    pub(super) planned: u64,
    /// The last planned iteration has ended at this instant; the next batch has not been formed yet.
    pub(super) at_boundary: bool,
    pub(super) generation: Generation,
}

impl Flight {
    /// Starts an iteration whose cost is known, by itself.
    pub(super) fn start_single(&mut self, now: SimTime, cost: IterationCost) {
        // An iteration of no length would stop the clock.
        let end = now + SimDuration::from_ns(nearest(cost.duration_ns).max(1));
        self.run = None;
        self.current = Some(InFlight { start: now, end, cost: Some(cost) });
        self.planned = 1;
        self.at_boundary = false;
    }

    /// True if the batch of the coming decode iteration goes on with a run that has iterations left.
    pub(super) fn goes_on(&self) -> bool {
        self.run.is_some_and(|run| run.done < run.cost.iterations)
    }

    pub(super) fn start_run(&mut self, now: SimTime, cost: DecodeRun) {
        self.run = Some(Run { start: now, cost, done: 0 });
    }

    /// Sets the next iteration of the run in flight, with `planned` iterations of at most those left until the next event.
    pub(super) fn plan(&mut self, now: SimTime, planned: u64) {
        let Some(run) = self.run else { return };
        self.current = Some(InFlight { start: now, end: run.boundary(run.done + 1), cost: None });
        self.planned = planned;
        self.at_boundary = false;
    }

    /// Iterations that the run has left.
    pub(super) fn left(&self) -> u64 {
        self.run.map_or(0, |run| run.cost.iterations - run.done)
    }

    /// When the last planned iteration ends.
    pub(super) fn planned_end(&self) -> Option<SimTime> {
        let current = self.current?;
        let run = self.run.filter(|_| current.cost.is_none());
        Some(run.map_or(current.end, |run| run.boundary(run.done + self.planned)))
    }

    /// From one iteration of a run to the next.
    pub(super) fn advance(&mut self) {
        self.planned -= 1;
        if let (Some(run), Some(current)) = (&self.run, &mut self.current) {
            *current = InFlight { start: current.end, end: run.boundary(run.done + 1), cost: None };
        }
    }

    /// The last planned iteration has ended: a batch is to be formed at this instant.
    pub(super) fn reach_boundary(&mut self) {
        self.planned = 0;
        self.at_boundary = true;
    }

    /// Nothing to compute; true if there was until now.
    pub(super) fn stop(&mut self) -> bool {
        self.at_boundary = false;
        self.current.take().is_some()
    }

    /// The cost of the iteration in flight.
    pub(super) fn cost(&self) -> Option<IterationCost> {
        self.current?.cost.or_else(|| self.run.as_ref().map(Run::next_cost))
    }
}
