//! A request goes out: completion, rejection, the end of the run. Frees what it holds and reports it, once.

use super::audit::causality;
use super::event::{InstanceId, Slot};
use super::observe::{Observer, Outcome, RequestRecord};
use super::request::{Request, Stage};
use super::state::Cluster;
use crate::sim::SimTime;

impl<O: Observer> Cluster<O> {
    /// The last token of a request has left, and it is out of every batch: frees its memory and reports it.
    pub(super) fn complete_request(&mut self, slot: Slot) {
        let id = self.requests[slot].progress.instance;
        let Self { instances, loads, requests, .. } = self;
        let (instance, request) = (&mut instances[id], &mut requests[slot]);
        request.give_back(&mut instance.kv);
        loads[id].unassign(request);
        instance.aborted.retain(|&other| other != slot);
        self.report(slot, Outcome::Completed);
        self.requests[slot].progress.stage = Stage::Done;
        self.release_reservation_or_forget(slot);
    }

    /// Reports a request that holds nothing any more, unless its client has been told, and forgets it.
    pub(super) fn depart(&mut self, slot: Slot, outcome: Outcome) {
        self.report(slot, outcome);
        self.requests.remove(slot);
    }

    pub(super) fn report(&mut self, slot: Slot, outcome: Outcome) {
        let request = &mut self.requests[slot];
        if request.progress.reported {
            return;
        }
        request.progress.reported = true;
        if self.spec.audit && self.violation.is_none() {
            self.violation = causality(request).err();
        }
        let done = if outcome == Outcome::Completed { request.timeline.last_token } else { self.now };
        let record = record(request, outcome, done, self.now);
        self.requests.outcomes[outcome.index()] += 1;
        self.departed.push((record.class, self.now));
        self.observer.done(&record);
    }

    /// The run has ended: reports every request that is still inside.
    pub(super) fn report_unfinished(&mut self) {
        let inside: Vec<Slot> = self.requests.iter().filter(|(_, request)| !request.progress.reported).map(|(slot, _)| slot).collect();
        for slot in inside {
            self.book_running_share(slot);
            let record = record(&self.requests[slot], Outcome::InFlight, self.now, self.now);
            self.observer.done(&record);
        }
    }

    /// A generating request that is about to be reported gets booked what it took part in so far.
    pub(super) fn book_running_share(&mut self, slot: Slot) {
        if self.requests[slot].progress.stage != Stage::Decoding {
            return;
        }
        let id = self.requests[slot].progress.instance;
        self.catch_up(id);
        let (instance, request) = (&self.instances[id], &mut self.requests[slot]);
        let iterations = instance.decode.step - request.progress.joined.step;
        if iterations > 0 {
            let later = u32::try_from(iterations - 1).unwrap_or(u32::MAX);
            request.progress.generated += later;
            request.usage.add_gaps(
                u64::from(later),
                instance.totals.gap_sum - request.progress.joined.gap_sum,
                instance.totals.gap_squares - request.progress.joined.gap_squares,
            );
        }
        request.usage.decode_energy_j += instance.totals.energy_j - request.progress.joined.energy_j;
        request.usage.decode_s += instance.totals.time_s - request.progress.joined.time_s;
    }

    /// At a boundary: requests whose client has left while they ran give back what they hold.
    pub(super) fn drop_aborted(&mut self, id: InstanceId) {
        if self.instances[id].aborted.is_empty() {
            return;
        }
        for slot in std::mem::take(&mut self.instances[id].aborted) {
            let Self { instances, loads, requests, .. } = self;
            let instance = &mut instances[id];
            if instance.prefilling.contains(&slot) {
                instance.prefilling.retain(|&other| other != slot);
                instance.admitted.remove(requests, slot);
            } else {
                instance.leave_decode(requests, slot);
            }
            let request = &mut requests[slot];
            request.give_back(&mut instance.kv);
            loads[id].unassign(request);
            self.release_reservation_or_forget(slot);
        }
        self.memory_freed(id);
    }

    /// Forgets a request unless the decode side still holds memory for it.
    pub(super) fn release_reservation_or_forget(&mut self, slot: Slot) {
        if self.requests[slot].handoff.reserved.is_empty() && self.requests[slot].handoff.transfer.is_none() {
            self.requests.remove(slot);
        } else if self.requests[slot].handoff.transfer.is_none() {
            self.report_transfer(slot);
            self.cancel_reservation(slot);
            self.requests.remove(slot);
        }
    }
}

fn record(request: &Request, outcome: Outcome, done: SimTime, now: SimTime) -> RequestRecord {
    let started = request.timeline.prefill_start.is_some();
    RequestRecord {
        id: request.ask.id,
        class: request.ask.class,
        outcome,
        truncated: request.ask.truncated,
        prompt_tokens: request.ask.prompt,
        cached_tokens: request.progress.cached,
        output_tokens: request.progress.generated,
        preemptions: request.progress.preemptions,
        recomputed_tokens: request.usage.recomputed,
        prefill_instance: started.then_some(request.progress.prefill_instance),
        decode_instance: request.progress.decode_instance,
        arrived: request.timeline.arrived,
        prefill_start: request.timeline.prefill_start,
        first_token: request.timeline.first_token,
        second_token: request.timeline.second_token,
        reserved: request.timeline.reserved_at,
        memory_wait: request.timeline.refused_at.map_or(request.timeline.memory_wait, |since| now.since(since)),
        transfer_start: request.timeline.transfer_start,
        delivered: request.timeline.delivered,
        decode_start: request.timeline.decode_start,
        done,
        gap_count: request.usage.gap_count,
        gap_sum_ns: request.usage.gap_sum,
        gap_squares_ns2: request.usage.gap_squares,
        prefill_energy_j: request.usage.prefill_energy_j,
        decode_energy_j: request.usage.decode_energy_j,
        prefill_s: request.usage.prefill_s,
        decode_s: request.usage.decode_s,
    }
}
