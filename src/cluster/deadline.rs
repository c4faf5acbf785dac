//! A client's patience ends.
//!
//! What its request holds is freed at once where it only waits, at the next boundary where it runs, and when its transfer has ended where
//! it is on the wire. Whoever stood behind it may then be able to go: nobody waits for one who has left.
//!
//! All clients of a workload have the same patience, so whoever came first leaves first: one row per workload, of which only the first is
//! scheduled. Long patience costs no memory but that of the requests that are inside.

use std::collections::VecDeque;

use super::event::{Event, InstanceId, Slot};
use super::observe::{Observer, Outcome};
use super::request::Stage;
use super::state::Cluster;
use crate::sim::SimTime;
use crate::workload::ClassId;

/// When a client leaves, if it is still waiting then.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: SimTime,
    slot: Slot,
    /// Number of its request, for the place may have another tenant by then.
    id: u64,
}

/// The clients of one workload in the order of arrival; those who are gone are dropped when they come to the front.
#[derive(Debug, Clone, Default)]
pub(super) struct Deadlines {
    row: VecDeque<Deadline>,
    /// True while an event is queued: for the first, or for one before it who is gone.
    scheduled: bool,
}

impl<O: Observer> Cluster<O> {
    /// Notes how long the client of a new request will wait.
    pub(super) fn note_deadline(&mut self, slot: Slot) {
        let class = self.requests[slot].ask.class;
        let Some(patience) = self.classes[class].timeout else { return };
        let id = self.requests[slot].ask.id;
        self.first_deadline(class);
        let deadlines = &mut self.deadlines[class];
        deadlines.row.push_back(Deadline { at: self.now + patience, slot, id });
        if !deadlines.scheduled {
            self.schedule_deadline(class);
        }
    }

    /// When the first client of a workload who still waits leaves.
    pub(super) fn first_deadline(&mut self, class: ClassId) -> Option<SimTime> {
        let row = &mut self.deadlines[class].row;
        while row.front().is_some_and(|first| !self.requests.is_waiting_for(first.slot, first.id)) {
            row.pop_front();
        }
        row.front().map(|first| first.at)
    }

    /// Schedules the first deadline of a workload. No other may be in the queue.
    pub(super) fn schedule_deadline(&mut self, class: ClassId) {
        let first = self.first_deadline(class);
        self.deadlines[class].scheduled = first.is_some();
        if let Some(at) = first {
            let event = Event::Deadline { class };
            self.queue.push(event.key(at), event);
        }
    }

    /// The first client of a workload leaves now.
    pub(super) fn on_deadline(&mut self, class: ClassId) {
        if let Some(first) = self.deadlines[class].row.pop_front() {
            self.give_up(first.slot);
        }
        self.schedule_deadline(class);
    }

    /// The client of a request leaves now.
    fn give_up(&mut self, slot: Slot) {
        let (stage, id) = (self.requests[slot].progress.stage, self.requests[slot].progress.instance);
        self.book_running_share(slot);
        self.report(slot, Outcome::TimedOut);
        self.requests[slot].progress.stage = Stage::Done;
        match stage {
            Stage::Waiting => self.leave_queue(id, slot),
            Stage::Prefilling | Stage::Decoding => {
                self.touch(id);
                self.instances[id].aborted.push(slot);
            }
            Stage::Reserving => self.abandon_handoff(slot),
            Stage::Transferring | Stage::Done => {}
            Stage::Resident => self.leave_arrived(id, slot),
        }
    }

    /// Out of the queue of an instance. Whoever stood behind the first in it may start at the next boundary, at once if it is idle.
    fn leave_queue(&mut self, id: InstanceId, slot: Slot) {
        let was_first = self.instances[id].waiting.first() == Some(slot);
        if was_first {
            self.touch(id);
        }
        let Self { instances, loads, requests, .. } = self;
        let (instance, request) = (&mut instances[id], &mut requests[slot]);
        let came_back = request.progress.preemptions > 0;
        instance.returning -= u32::from(came_back);
        let reopens = came_back && instance.returning == 0;
        loads[id].unassign(request);
        instance.waiting.remove(requests, slot);
        let pool = instance.pool;
        self.change_queue(pool, -1);
        self.end_refusal(slot);
        self.release_reservation_or_forget(slot);
        if reopens {
            self.memory_freed(id);
        }
        if was_first {
            let model = self.pools[pool].spec.model;
            let blocked = &mut self.routes[model].blocked;
            let was_next = blocked.front() == Some(&id);
            blocked.retain(|&other| other != id);
            let others_wait = !blocked.is_empty();
            self.kick(id);
            if was_next && others_wait {
                self.retry_blocked(model);
            }
        }
    }

    /// Away from an instance that has its KV and has not yet taken it into the batch.
    fn leave_arrived(&mut self, id: InstanceId, slot: Slot) {
        self.touch(id);
        self.settle(id);
        let Self { instances, loads, requests, .. } = self;
        let (instance, request) = (&mut instances[id], &mut requests[slot]);
        request.give_back(&mut instance.kv);
        loads[id].unassign(request);
        instance.resident.remove(requests, slot);
        let pool = instance.pool;
        self.change_queue(pool, -1);
        self.requests.remove(slot);
        self.memory_freed(id);
    }

    /// Out of the row of those who wait for memory on the decode side: the next may need less, and the sender has its blocks back.
    fn abandon_handoff(&mut self, slot: Slot) {
        let model = self.model_of(slot);
        let was_first = self.routes[model].handoffs.first() == Some(slot);
        self.routes[model].handoffs.remove(&mut self.requests, slot);
        self.change_handoff_queue(model, -1);
        let sender = self.requests[slot].progress.instance;
        self.settle(sender);
        let Self { instances, loads, requests, .. } = self;
        let (instance, request) = (&mut instances[sender], &mut requests[slot]);
        request.give_back(&mut instance.kv);
        loads[sender].unassign(request);
        self.requests.remove(slot);
        if was_first {
            self.try_handoffs(model);
        }
        self.kick(sender);
    }
}
