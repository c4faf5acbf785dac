//! The one way out, from any stage: whatever a request holds goes back to where it came from, and its end is reported, once.
//!
//! What it holds is free at once where it only waits, at the end of the iteration where it runs, and when its transfer has ended where it is
//! on the wire. Requests that stood behind it are looked at again.

use super::request::{Request, Stage};
use super::world::World;
use crate::cluster::event::Wake;
use crate::cluster::ids::{InstanceId, Slot};
use crate::cluster::observe::{Observation, Observer, Outcome};

impl<O: Observer> World<O> {
    /// A request leaves the cluster, for the reason that `outcome` says.
    pub(crate) fn leave(&mut self, slot: Slot, outcome: Outcome) {
        let (stage, id) = (self.requests[slot].progress.stage, self.requests[slot].progress.instance);
        match stage {
            // Rejected: it never stood anywhere.
            Stage::Arrived => {
                self.report(slot, outcome);
                self.requests.remove(slot);
            }
            Stage::Waiting => self.leave_queue(id, slot, outcome),
            // Done: its client has left during the iteration; what is left of it leaves now.
            Stage::Prefilling | Stage::Decoding | Stage::Done => self.leave_batch(id, slot, outcome),
            Stage::Reserving => self.leave_handoff(id, slot, outcome),
            Stage::Resident => self.leave_resident(id, slot, outcome),
            // Its blocks are being read: they are free when the transfer ends.
            Stage::Transferring => self.report(slot, outcome),
        }
    }

    /// Out of the queue of an instance. Behind the first, the next request may start at the next boundary, at once if the instance is idle.
    fn leave_queue(&mut self, id: InstanceId, slot: Slot, outcome: Outcome) {
        self.report(slot, outcome);
        let was_first = self.fleet.instances[id].queue.waiting.first() == Some(slot);
        if was_first {
            self.touch(id);
        }
        let Self { fleet, requests, .. } = self;
        let queue = &mut fleet.instances[id].queue;
        let came_back = requests[slot].progress.preemptions > 0;
        queue.returning -= u32::from(came_back);
        let reopens = came_back && queue.returning == 0;
        queue.waiting.remove(requests, slot);
        self.change_queue(self.fleet.instances[id].pool, -1);
        self.end_refusal(slot);
        let model = self.model_of(slot);
        self.forget(slot);
        if reopens {
            self.memory_freed(id);
        }
        if was_first {
            if self.fleet.routes[model].unblock(id) {
                self.agenda.post(Wake::Memory(model));
            }
            self.agenda.post(Wake::Instance(id));
        }
    }

    /// Out of a batch: at the end of an iteration at once, in the middle of one when it ends.
    fn leave_batch(&mut self, id: InstanceId, slot: Slot, outcome: Outcome) {
        self.touch(id);
        if self.fleet.instances[id].is_free() {
            return self.leave_batch_now(id, slot, outcome);
        }
        let instance = &mut self.fleet.instances[id];
        if self.requests[slot].progress.stage == Stage::Decoding {
            self.requests[slot].book_decode(instance.batch.decode.step(), &instance.totals);
        }
        instance.batch.leaving.push(slot);
        self.report(slot, outcome);
    }

    fn leave_batch_now(&mut self, id: InstanceId, slot: Slot, outcome: Outcome) {
        let Self { fleet, requests, .. } = self;
        let instance = &mut fleet.instances[id];
        // A prompt that is done has left the list of those being computed; where its token was the last, it never joined the decode batch.
        let ends_with_prompt = requests[slot].progress.stage == Stage::Prefilling && !instance.batch.prefilling.contains(&slot);
        if ends_with_prompt {
            instance.batch.admitted.remove(requests, slot);
        } else {
            instance.leave_batch(requests, slot);
        }
        instance.batch.leaving.retain(|&other| other != slot);
        if requests[slot].progress.stage == Stage::Decoding && outcome == Outcome::Completed {
            requests[slot].timeline.last_token = self.calendar.now();
        }
        self.report(slot, outcome);
        self.forget(slot);
        self.memory_freed(id);
    }

    /// Requests whose clients have left during the iteration that has just ended give back what they hold.
    pub(crate) fn let_leaving_go(&mut self, id: InstanceId) {
        for slot in std::mem::take(&mut self.fleet.instances[id].batch.leaving) {
            self.leave_batch_now(id, slot, Outcome::TimedOut);
        }
    }

    /// Out of the row of those that wait for memory on the decode side: the next may need less, and the sender has its blocks back.
    fn leave_handoff(&mut self, sender: InstanceId, slot: Slot, outcome: Outcome) {
        self.report(slot, outcome);
        let model = self.model_of(slot);
        let was_first = self.fleet.routes[model].handoffs.first() == Some(slot);
        self.fleet.routes[model].handoffs.remove(&mut self.requests, slot);
        self.change_handoff_queue(model, -1);
        self.settle(sender);
        self.forget(slot);
        if was_first {
            self.agenda.post(Wake::Memory(model));
        }
        self.agenda.post(Wake::Instance(sender));
    }

    /// Away from an instance that has its KV and has not yet taken it into the batch.
    fn leave_resident(&mut self, id: InstanceId, slot: Slot, outcome: Outcome) {
        self.report(slot, outcome);
        self.touch(id);
        self.settle(id);
        self.fleet.instances[id].queue.resident.remove(&mut self.requests, slot);
        self.change_queue(self.fleet.instances[id].pool, -1);
        self.forget(slot);
        self.memory_freed(id);
    }

    /// Gives back what a request holds, on both sides, and forgets it; while a transfer reads or writes that, only its end can.
    fn forget(&mut self, slot: Slot) {
        self.give_back(slot);
        self.requests[slot].progress.stage = Stage::Done;
        if self.requests[slot].handoff.transfer.is_some() {
            return;
        }
        if !self.requests[slot].handoff.reserved.is_empty() {
            self.report_transfer(slot);
            self.cancel_reservation(slot);
        }
        self.requests.remove(slot);
    }

    /// Reports what was sent for a request that sends no more, also where the transfer was in vain.
    pub(super) fn report_transfer(&mut self, slot: Slot) {
        let request = &self.requests[slot];
        if let Some(start) = request.timeline.transfer_start {
            self.observer.on(self.calendar.now(), &Observation::Transfer { from: start, bytes: request.handoff.bytes });
        }
    }

    /// Reports the end of a request, once.
    fn report(&mut self, slot: Slot, outcome: Outcome) {
        let now = self.now();
        let request = &mut self.requests[slot];
        if std::mem::replace(&mut request.progress.reported, true) {
            return;
        }
        let ended = if outcome == Outcome::Completed { request.timeline.last_token } else { now };
        if outcome != Outcome::Completed && request.progress.stage != Stage::Arrived {
            request.progress.stage = Stage::Done;
        }
        if self.audit && self.disorder.is_none() {
            self.disorder = disorder(request);
        }
        let record = request.record(outcome, ended, now);
        self.requests.count(outcome);
        self.departed.push((record.class, now));
        self.observer.on(now, &Observation::Ended(&record));
    }

    /// The run has ended: reports every request that is still inside.
    pub(super) fn report_unfinished(&mut self) {
        let now = self.now();
        let inside: Vec<Slot> = self.requests.iter().filter(|(_, request)| !request.progress.reported).map(|(slot, _)| slot).collect();
        for slot in inside {
            let request = &mut self.requests[slot];
            if request.progress.stage == Stage::Decoding {
                let instance = &self.fleet.instances[request.progress.instance];
                request.book_decode(instance.batch.decode.step(), &instance.totals);
            }
            self.observer.on(now, &Observation::Ended(&request.record(Outcome::InFlight, now, now)));
        }
    }
}

/// What is wrong with the order of a request's timestamps; `None` if nothing is.
fn disorder(request: &Request) -> Option<String> {
    let timeline = &request.timeline;
    let decoded = timeline.decode_start.map(|_| timeline.last_token);
    let times = [Some(timeline.arrived), timeline.prefill_start, timeline.first_token, timeline.delivered, timeline.decode_start, decoded];
    // A request preempted before its first decode iteration gets its second token from the recomputation.
    let last = timeline.first_token.map(|_| timeline.last_token);
    let tokens = [timeline.prefill_start, timeline.first_token, timeline.second_token, last];
    let wire = [timeline.reserved_at, timeline.transfer_start, timeline.delivered];
    let ordered = [&times[..], &tokens, &wire].iter().all(|times| times.iter().flatten().is_sorted());
    (!ordered).then(|| format!("request {} has timestamps out of order: {times:?}, {tokens:?}, {wire:?}", request.ask.id))
}
