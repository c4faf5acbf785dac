//! Client timeouts.
//!
//! All clients of a workload wait equally long, so timeouts come in the order of arrival: one row per workload, of which only the first is
//! scheduled. A long timeout costs no memory but that of the requests that are inside.

use std::collections::VecDeque;

use super::requests::Requests;
use crate::cluster::ids::Slot;
use crate::sim::SimTime;

/// When a client leaves, if its request is still inside then.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: SimTime,
    slot: Slot,
    /// Number of the request, for the slot may have another tenant by then.
    id: u64,
}

/// The timeouts of one workload in the order of arrival; those of requests that have left are dropped when they come to the front.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    row: VecDeque<Deadline>,
    /// True while an event is queued: for the first, or for one before it that is void.
    pub(super) scheduled: bool,
}

impl Deadlines {
    pub(super) fn push(&mut self, at: SimTime, slot: Slot, id: u64) {
        self.row.push_back(Deadline { at, slot, id });
    }

    /// The first timeout of a request that is still inside.
    pub(super) fn first(&mut self, requests: &Requests) -> Option<SimTime> {
        while self.row.front().is_some_and(|first| !requests.is_waiting_for(first.slot, first.id)) {
            self.row.pop_front();
        }
        self.row.front().map(|first| first.at)
    }

    /// Takes the first.
    pub(crate) fn pop(&mut self) -> Option<Slot> {
        self.row.pop_front().map(|first| first.slot)
    }
}
