//! A request comes in and goes out: admission, routing, completion, rejection, time-out.

use super::audit::causality;
use super::event::{Event, InstanceId, Slot};
use super::observe::{Observer, Outcome, RequestRecord};
use super::request::{Request, Stage};
use super::state::Cluster;
use crate::kv::Held;
use crate::policy::{Candidates, RequestView};
use crate::sim::SimTime;
use crate::workload::RequestSpec;

/// Entry instances as a router sees them.
struct Entries<'a> {
    instances: &'a [super::instance::Instance],
    ids: &'a [InstanceId],
    prompt: u32,
}

impl Candidates for Entries<'_> {
    fn len(&self) -> usize {
        self.ids.len()
    }
    fn eligible(&self, i: usize) -> bool {
        self.prompt < self.instances[self.ids[i].at()].engine.max_model_len
    }
    fn in_flight(&self, i: usize) -> u64 {
        self.instances[self.ids[i].at()].in_flight
    }
    fn pending_tokens(&self, i: usize) -> u64 {
        self.instances[self.ids[i].at()].pending_tokens
    }
}

impl<O: Observer> Cluster<O> {
    /// A request arrives now.
    pub(super) fn on_arrival(&mut self, spec: RequestSpec) {
        let class = spec.class;
        self.observer.arrived(self.now, class);
        let request = Request::new(self.requests.arrived, self.now, spec);
        let prompt = request.prompt;
        let slot = self.requests.insert(request);
        if let Some(patience) = self.spec.classes[usize::from(class.0)].timeout {
            let id = u32::try_from(self.requests[slot].id & u64::from(u32::MAX)).unwrap_or(u32::MAX);
            self.schedule(patience, Event::Deadline { slot, id });
        }
        let model = self.model_of(slot);
        let longest = self.longest_decode_context(model);
        let route = &mut self.routes[model];
        if route.entry.is_empty() {
            return self.depart(slot, Outcome::RejectedNoInstance);
        }
        let candidates = Entries { instances: &self.instances, ids: &route.entry, prompt };
        let view = RequestView { class, prompt_tokens: prompt };
        let Some(chosen) = route.entry_router.route(&view, &candidates) else {
            return self.depart(slot, Outcome::RejectedPromptTooLong);
        };
        let id = route.entry[chosen];
        self.enter(slot, id, longest);
    }

    /// The longest context that every decode instance of a model can hold; `None` if there is none.
    fn longest_decode_context(&self, model: usize) -> Option<u32> {
        self.routes[model].decode.iter().map(|id| self.instances[id.at()].engine.max_model_len).min()
    }

    /// Puts a new request into the queue of an instance.
    fn enter(&mut self, slot: Slot, id: InstanceId, longest_decode: Option<u32>) {
        let pool = self.instances[id.at()].pool;
        let mut limit = self.instances[id.at()].engine.max_model_len;
        if self.pools[pool.at()].hands_on {
            let Some(longest) = longest_decode else { return self.depart(slot, Outcome::RejectedNoInstance) };
            limit = limit.min(longest);
        }
        let request = &mut self.requests[slot];
        if request.prompt >= limit {
            return self.depart(slot, Outcome::RejectedPromptTooLong);
        }
        let room = limit - request.prompt;
        request.truncated = request.output > room;
        request.output = request.output.min(room);
        request.instance = id;
        // Behind others in the queue it changes nothing before they have moved.
        if self.instances[id.at()].waiting.is_empty() {
            self.touch(id);
        }
        let Self { instances, requests, .. } = self;
        let request = &mut requests[slot];
        let pending = u64::from(request.prompt) + 1;
        instances[id.at()].assign(request, pending);
        instances[id.at()].waiting.push_back(requests, slot);
        self.change_queue(pool, 1);
        self.kick(id);
    }

    /// The last token of a request has left, and it is out of every batch: frees its memory and reports it.
    pub(super) fn complete_request(&mut self, slot: Slot) {
        let id = self.requests[slot].instance;
        let Self { instances, requests, .. } = self;
        let (instance, request) = (&mut instances[id.at()], &mut requests[slot]);
        instance.kv.release(&request.prefix, &mut request.held);
        instance.unassign(request);
        instance.aborted.retain(|&other| other != slot);
        self.report(slot, Outcome::Completed);
        self.requests[slot].stage = Stage::Done;
        self.release_reservation_or_forget(slot);
    }

    /// Reports a request that holds nothing any more, unless its client has been told, and forgets it.
    pub(super) fn depart(&mut self, slot: Slot, outcome: Outcome) {
        self.report(slot, outcome);
        self.requests.remove(slot);
    }

    fn report(&mut self, slot: Slot, outcome: Outcome) {
        let request = &mut self.requests[slot];
        if request.reported {
            return;
        }
        request.reported = true;
        if self.spec.audit && self.violation.is_none() {
            self.violation = causality(request).err();
        }
        let done = if outcome == Outcome::Completed { request.last_token } else { self.now };
        let record = record(request, outcome, done);
        self.requests.outcomes[outcome.index()] += 1;
        self.departed.push((record.class, self.now));
        self.observer.done(&record);
    }

    /// The run has ended: reports every request that is still inside.
    pub(super) fn report_unfinished(&mut self) {
        let inside: Vec<Slot> = self.requests.iter().filter(|(_, request)| !request.reported).map(|(slot, _)| slot).collect();
        for slot in inside {
            self.book_running_share(slot);
            let record = record(&self.requests[slot], Outcome::InFlight, self.now);
            self.observer.done(&record);
        }
    }

    /// A client's patience ends. What the request holds is freed at once where it only waits, at the next boundary where it runs, and
    /// when its transfer has ended where it is on the wire.
    pub(super) fn on_deadline(&mut self, slot: Slot) {
        let (stage, id) = (self.requests[slot].stage, self.requests[slot].instance);
        self.book_running_share(slot);
        self.report(slot, Outcome::TimedOut);
        self.requests[slot].stage = Stage::Done;
        match stage {
            Stage::Waiting => {
                let Self { instances, requests, .. } = self;
                let (instance, request) = (&mut instances[id.at()], &mut requests[slot]);
                instance.returning -= u32::from(request.preemptions > 0);
                instance.unassign(request);
                instance.waiting.remove(requests, slot);
                let pool = instance.pool;
                self.change_queue(pool, -1);
                self.release_reservation_or_forget(slot);
            }
            Stage::Prefilling | Stage::Decoding => {
                self.touch(id);
                self.instances[id.at()].aborted.push(slot);
            }
            Stage::Reserving => self.abandon_handoff(slot),
            Stage::Transferring | Stage::Done => {}
            Stage::Resident => {
                self.settle(id);
                let Self { instances, requests, .. } = self;
                let (instance, request) = (&mut instances[id.at()], &mut requests[slot]);
                instance.kv.release(&request.prefix, &mut request.held);
                instance.unassign(request);
                instance.resident.remove(requests, slot);
                let pool = instance.pool;
                self.change_queue(pool, -1);
                self.requests.remove(slot);
                self.touch(id);
                self.memory_freed(id);
            }
        }
    }

    /// A generating request that is about to be reported gets booked what it took part in so far.
    fn book_running_share(&mut self, slot: Slot) {
        if self.requests[slot].stage != Stage::Decoding {
            return;
        }
        let id = self.requests[slot].instance;
        self.catch_up(id);
        let (instance, request) = (&self.instances[id.at()], &mut self.requests[slot]);
        let iterations = instance.decode.step - request.joined.step;
        if iterations > 0 {
            let later = u32::try_from(iterations - 1).unwrap_or(u32::MAX);
            request.generated += later;
            request.add_gaps(
                u64::from(later),
                instance.totals.gap_sum - request.joined.gap_sum,
                instance.totals.gap_squares - request.joined.gap_squares,
            );
        }
        request.energy_j += instance.totals.energy_j - request.joined.energy_j;
        request.decode_s += instance.totals.time_s - request.joined.time_s;
    }

    /// At a boundary: requests whose client has left while they ran give back what they hold.
    pub(super) fn drop_aborted(&mut self, id: InstanceId) {
        if self.instances[id.at()].aborted.is_empty() {
            return;
        }
        for slot in std::mem::take(&mut self.instances[id.at()].aborted) {
            let Self { instances, requests, .. } = self;
            let instance = &mut instances[id.at()];
            if instance.prefilling.contains(&slot) {
                instance.prefilling.retain(|&other| other != slot);
                instance.admitted.remove(requests, slot);
            } else {
                instance.leave_decode(requests, slot);
            }
            let request = &mut requests[slot];
            instance.kv.release(&request.prefix, &mut request.held);
            instance.unassign(request);
            self.release_reservation_or_forget(slot);
        }
        self.memory_freed(id);
    }

    /// Forgets a request unless the decode side still holds memory for it.
    fn release_reservation_or_forget(&mut self, slot: Slot) {
        if self.requests[slot].reserved == Held::default() && self.requests[slot].transfer.is_none() {
            self.requests.remove(slot);
        } else if self.requests[slot].transfer.is_none() {
            self.cancel_reservation(slot);
            self.requests.remove(slot);
        }
    }
}

fn record(request: &Request, outcome: Outcome, done: SimTime) -> RequestRecord {
    let started = request.prefill_start.is_some();
    RequestRecord {
        id: request.id,
        class: request.class,
        outcome,
        truncated: request.truncated,
        prompt_tokens: request.prompt,
        cached_tokens: request.cached,
        output_tokens: request.generated,
        preemptions: request.preemptions,
        recomputed_tokens: request.recomputed,
        prefill_instance: started.then_some(request.prefill_instance),
        decode_instance: request.decode_instance,
        arrived: request.arrived,
        prefill_start: request.prefill_start,
        first_token: request.first_token,
        second_token: request.second_token,
        reserved: request.reserved_at,
        transfer_start: request.transfer_start,
        delivered: request.delivered,
        decode_start: request.decode_start,
        done,
        gap_count: request.gap_count,
        gap_sum_ns: request.gap_sum,
        gap_squares_ns2: request.gap_squares,
        energy_j: request.energy_j,
        prefill_s: request.prefill_s,
        decode_s: request.decode_s,
    }
}
