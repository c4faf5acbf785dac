//! The event loop.

use thiserror::Error;

use super::audit::Violation;
use super::event::{Event, arrival_key};
use super::observe::Observer;
use super::state::Cluster;
use crate::network::NetworkError;
use crate::sim::{EventKey, Livelock, SimTime};
use crate::workload::{Workload, WorkloadError};

/// The latest time that a run may reach: later than any arrival, and early enough that no sum of times or of their squares overflows.
const LATEST: SimTime = SimTime::from_ns(u64::MAX / 2);
/// The same for people, rounded down.
const MAX_YEARS: u32 = 292;

/// Why a run ended early. What was observed until then has been reported.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The workload cannot go on: user error.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The clock runs out: user error, for no cluster needs so long.
    #[error(
        "simulated time passes {} years, more than it can hold; look for a rate, bandwidth or step time that is out of scale",
        MAX_YEARS
    )]
    BeyondTime,
    /// The simulation stands still: our error.
    #[error(transparent)]
    Livelock(#[from] Livelock),
    /// The network was asked for nonsense: our error.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// An invariant is broken: our error.
    #[error(transparent)]
    Violation(#[from] Violation),
}

impl<O: Observer> Cluster<O> {
    /// Runs until no request is left and none will come, or until the end of the scenario.
    ///
    /// `progress` is called now and then with the cluster and the workload; returning false ends the run as if the scenario ended there.
    ///
    /// # Errors
    /// A broken trace line, or an error of ours: see [`RunError`].
    pub fn run(&mut self, workload: &mut dyn Workload, mut progress: impl FnMut(&Self, &dyn Workload) -> bool) -> Result<(), RunError> {
        let end = self.spec.end.map_or(SimTime::NEVER, |span| SimTime::ZERO + span);
        let mut until_progress = 1u32;
        loop {
            let arrival = workload.peek()?.map(|at| arrival_key(at.max(self.now)));
            let mut event = self.next_event();
            if let Some(fault) = self.fault.take() {
                return Err(fault.into());
            }
            if self.network_pending && arrival.into_iter().chain(event).all(|key| key.at() > self.now) {
                self.schedule_network();
                event = self.next_event();
            }
            let Some(key) = arrival.into_iter().chain(event).min().filter(|key| key.at() <= end) else {
                // The clock runs on to a given end, although nothing happens any more.
                if self.spec.end.is_some() {
                    self.now = end;
                    self.order = EventKey::new(end, u8::MAX, u32::MAX);
                }
                break;
            };
            if key.at() > LATEST {
                return Err(RunError::BeyondTime);
            }
            if self.spec.audit {
                self.audit_clock(key.at())?;
            }
            self.now = key.at();
            self.order = self.order.max(key.without_sequence());
            self.guard.note(self.now)?;
            if arrival == Some(key) {
                if let Some((_, request)) = workload.next()? {
                    self.events += 1;
                    self.on_arrival(request);
                }
            } else if let Some((_, event)) = self.queue.pop() {
                self.handle(event);
            }
            for (class, at) in self.departed.drain(..) {
                workload.request_done(class, at);
            }
            if self.spec.audit {
                self.audit()?;
            }
            until_progress -= 1;
            if until_progress == 0 {
                until_progress = 4096;
                if !progress(self, workload) {
                    break;
                }
            }
        }
        if self.spec.end.is_none() {
            self.audit_end(workload.is_exhausted())?;
        }
        Ok(())
    }

    /// The key of the earliest live event; stale ones are dropped.
    fn next_event(&mut self) -> Option<EventKey> {
        while let Some((key, &event)) = self.queue.peek_event() {
            let live = match event {
                Event::IterationFinished { instance, generation } => self.instances[instance.at()].generation == generation,
                Event::TransferFinished { generation } => self.network_generation == generation,
                Event::LayerReady { slot, epoch } | Event::Delivered { slot, epoch } => self.requests.is_current(slot, epoch),
                Event::Deadline { class } => self.first_deadline(class) == Some(key.at()),
            };
            if live {
                return Some(key);
            }
            self.queue.pop();
            if let Event::Deadline { class } = event {
                self.schedule_deadline(class);
            }
        }
        None
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::IterationFinished { instance, .. } => self.on_iteration_finished(instance),
            Event::TransferFinished { .. } => {
                self.events += 1;
                self.on_transfer_finished();
            }
            Event::LayerReady { slot, .. } => {
                self.events += 1;
                self.on_layer_ready(slot);
            }
            Event::Delivered { slot, .. } => {
                self.events += 1;
                self.on_delivered(slot);
            }
            Event::Deadline { class } => {
                self.events += 1;
                self.on_deadline(class);
            }
        }
    }
}
