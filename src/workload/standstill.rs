//! Detects a loop without progress: its requests all leave at the instant they arrive. Must not know the cause of the next request.

use super::error::WorkloadError;
use super::request::ClassId;
use crate::sim::SimTime;

/// More than this many consecutive requests that leave at the instant they arrive are an error. If one in a thousand can be served, a sequence of
/// this length has a probability of e⁻¹⁰⁰.
const MOST_TURNED_AWAY: u64 = 100_000;

/// The requests of one workload that are in the system.
#[derive(Debug, Default)]
pub(super) struct Inside {
    count: u64,
    /// Latest arrival.
    last: SimTime,
    /// Requests in the system when the first arrival after the latest departures was taken, and whether some have left since.
    settled: u64,
    told: bool,
    /// Consecutive requests that left at the instant of the latest arrival, with none in between that stayed.
    turned_away: u64,
}

impl Inside {
    /// Number of requests in the system.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// Latest arrival.
    pub(super) const fn last(&self) -> SimTime {
        self.last
    }

    /// A request arrives.
    pub(super) fn enter(&mut self, at: SimTime) {
        // Rejections are reported before the next requests arrive.
        if std::mem::take(&mut self.told) {
            if self.count > self.settled {
                self.turned_away = 0;
            }
            self.settled = self.count;
        }
        self.count += 1;
        self.last = at;
    }

    /// A request leaves at `at`; `at_once`: its successor arrives at the same instant.
    pub(super) fn leave(&mut self, at: SimTime, at_once: bool) {
        self.count = self.count.saturating_sub(1);
        self.told = true;
        self.turned_away = if at <= self.last && at_once { self.turned_away + 1 } else { 0 };
    }

    /// Returns an error, once, if the loop makes no progress.
    pub(super) fn standstill(&mut self, class: ClassId) -> Option<WorkloadError> {
        (self.turned_away > MOST_TURNED_AWAY).then(|| WorkloadError::Standstill {
            class: class.0,
            requests: std::mem::take(&mut self.turned_away),
            at: self.last,
        })
    }
}
