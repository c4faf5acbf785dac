//! Client timeouts.
//!
//! All clients of a workload wait equally long, so timeouts come in the order of arrival: one row per workload, of which only the first is
//! scheduled. A long timeout costs no memory but that of the requests that are inside.

use std::collections::VecDeque;

use super::requests::Requests;
use super::world::World;
use crate::cluster::event::Event;
use crate::cluster::ids::Slot;
use crate::cluster::observe::Observer;
use crate::sim::SimTime;
use crate::workload::ClassId;

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
    scheduled: bool,
}

impl Deadlines {
    /// The first timeout of a request that is still inside.
    fn first(&mut self, requests: &Requests) -> Option<SimTime> {
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

impl<O: Observer> World<O> {
    /// Notes when the client of a new request leaves, if it does.
    pub(super) fn note_deadline(&mut self, slot: Slot) {
        let (class, id) = (self.requests[slot].ask.class, self.requests[slot].ask.id);
        let Some(timeout) = self.class(class).timeout else { return };
        // Those at the front that are void are dropped, so that the row does not grow.
        self.first_deadline(class);
        let at = self.now() + timeout;
        let deadlines = &mut self.deadlines[class];
        deadlines.row.push_back(Deadline { at, slot, id });
        if !deadlines.scheduled {
            self.schedule_deadline(class);
        }
    }

    /// When the first client of a workload that still waits leaves.
    pub(crate) fn first_deadline(&mut self, class: ClassId) -> Option<SimTime> {
        self.deadlines[class].first(&self.requests)
    }

    /// Schedules the first timeout of a workload. No other may be in the queue.
    pub(crate) fn schedule_deadline(&mut self, class: ClassId) {
        let first = self.first_deadline(class);
        self.deadlines[class].scheduled = first.is_some();
        if let Some(at) = first {
            self.calendar.schedule_at(at, Event::Deadline { class });
        }
    }
}
