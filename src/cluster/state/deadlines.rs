//! Client timeouts.
//!
//! All requests of a workload have the same timeout, so timeouts expire in order of arrival: one queue per workload, of which only the head
//! is scheduled. A long timeout therefore costs no memory beyond that of the requests in flight.

use std::collections::VecDeque;

use super::requests::Requests;
use crate::cluster::ids::Slot;
use crate::sim::SimTime;

/// When a request times out if it is still in flight.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: SimTime,
    slot: Slot,
    /// Number of the request, since the slot may have been reused by then.
    id: u64,
}

/// The timeouts of one workload in order of arrival; those of requests that have left are dropped when they reach the head.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    row: VecDeque<Deadline>,
    /// True while an event is scheduled: for the head, or for an earlier timeout that is void.
    pub(super) scheduled: bool,
}

impl Deadlines {
    pub(super) fn push(&mut self, at: SimTime, slot: Slot, id: u64) {
        self.row.push_back(Deadline { at, slot, id });
    }

    /// The first timeout of a request that is still in flight.
    pub(super) fn first(&mut self, requests: &Requests) -> Option<SimTime> {
        while self.row.front().is_some_and(|first| !requests.is_waiting_for(first.slot, first.id)) {
            self.row.pop_front();
        }
        self.row.front().map(|first| first.at)
    }

    /// Removes the head.
    pub(crate) fn pop(&mut self) -> Option<Slot> {
        self.row.pop_front().map(|first| first.slot)
    }
}
