//! The moves of a request from one place to the next, each of which leaves all books right: queue, batch, handoff, decode batch.
//!
//! ```text
//! enqueue ─► start ─► (chunk by chunk) ─► hold ─► reserve ─► send ─► activate ─► join
//!    ▲          │                                                                 │
//!    └──────────┴───────────────────── preempt ───────────────────────────────────┘
//! ```

use super::instance::{Chunk, FirstChunk};
use super::load::Load;
use super::request::Stage;
use super::world::World;
use crate::cluster::event::{Event, Wake};
use crate::cluster::ids::{InstanceId, Slot};
use crate::cluster::observe::{Observation, Observer};
use crate::kv::Lease;

impl<O: Observer> World<O> {
    /// A new request goes to the queue of an instance. What is longer than `context` is cut.
    pub(crate) fn enqueue(&mut self, slot: Slot, id: InstanceId, context: u32) {
        // Behind others in the queue it changes nothing before they have moved.
        if self.fleet.instances[id].queue.waiting.is_empty() {
            self.touch(id);
        }
        let Self { fleet, requests, .. } = self;
        let request = &mut requests[slot];
        request.cut(context);
        request.progress.instance = id;
        request.progress.stage = Stage::Waiting;
        fleet.loads[id].assign(request);
        fleet.instances[id].queue.waiting.push_back(requests, slot);
        self.change_queue(self.fleet.instances[id].pool, 1);
        self.agenda.post(Wake::Instance(id));
    }

    /// The first request in the queue starts to be computed, with its first chunk in the coming iteration. False, and nothing changed, if
    /// there is too little memory.
    pub(crate) fn start(&mut self, id: InstanceId, slot: Slot, first: FirstChunk) -> bool {
        let now = self.now();
        let Self { fleet, requests, observer, .. } = self;
        let (instance, request) = (&mut fleet.instances[id], &mut requests[slot]);
        if !instance.kv.fits(&request.ask.prefix, first.hit, first.must_fit) {
            return false;
        }
        let Some(lease) = instance.kv.lease(&request.ask.prefix, first.hit, first.need) else { return false };
        request.progress.held = lease;
        request.progress.computed = first.cached;
        if request.timeline.prefill_start.is_none() {
            request.timeline.prefill_start = Some(now);
            request.progress.cached = first.cached;
            request.progress.prefill_instance = id;
            if !request.ask.prefix.is_empty() && instance.engine.prefix_caching {
                let (hit, tokens) = (u64::from(first.cached), u64::from(request.ask.prompt));
                observer.on(now, &Observation::PrefixLookup { pool: instance.pool, hit, tokens });
            }
        }
        if request.progress.preemptions > 0 {
            instance.queue.returning -= 1;
            instance.queue.returned = instance.queue.returning == 0;
        }
        fleet.loads[id].computed(request, first.cached);
        request.progress.stage = Stage::Prefilling;
        instance.batch.chunks.push(Chunk { slot, tokens: first.tokens });
        instance.queue.waiting.remove(requests, slot);
        instance.batch.prefilling.push(slot);
        instance.batch.admitted.push_back(requests, slot);
        self.change_queue(self.fleet.instances[id].pool, -1);
        true
    }

    /// The first request that arrived by handoff joins the decode batch; the block of its next token was reserved with the rest.
    pub(crate) fn join(&mut self, id: InstanceId, slot: Slot) {
        let Self { fleet, requests, .. } = self;
        let instance = &mut fleet.instances[id];
        instance.queue.resident.remove(requests, slot);
        instance.batch.admitted.push_back(requests, slot);
        let request = &mut requests[slot];
        request.progress.stage = Stage::Decoding;
        instance.join_decode(request, slot);
        self.change_queue(self.fleet.instances[id].pool, -1);
    }

    /// Takes a running sequence's KV away and sends it to the front of the queue, to be computed again.
    pub(crate) fn preempt(&mut self, id: InstanceId, slot: Slot) {
        let now = self.now();
        let Self { fleet, requests, observer, .. } = self;
        let instance = &mut fleet.instances[id];
        if requests[slot].progress.stage == Stage::Decoding && requests[slot].iterations(instance.batch.decode.step()) > 0 {
            requests[slot].timeline.last_token = now;
        }
        instance.leave_batch(requests, slot);
        let request = &mut requests[slot];
        let progress = &mut request.progress;
        progress.lost = progress.lost.max(progress.computed);
        progress.preemptions += 1;
        // All that it had is to be computed again, besides what was still to come.
        let to_come = if progress.stage == Stage::Prefilling { progress.target - progress.computed } else { 0 };
        progress.stage = Stage::Waiting;
        progress.target = request.ask.prompt + progress.generated;
        progress.computed = 0;
        let more = progress.target - to_come;
        request.give_back(&mut instance.kv);
        fleet.loads[id].add_pending(request, more);
        instance.queue.waiting.push_front(requests, slot);
        instance.queue.returning += 1;
        observer.on(now, &Observation::Preempted { pool: instance.pool });
        self.change_queue(self.fleet.instances[id].pool, 1);
    }

    /// A chunk has been computed. True if that was the last of a prompt whose client is still there: its token leaves now.
    pub(crate) fn chunk_computed(&mut self, id: InstanceId, chunk: Chunk) -> bool {
        let now = self.now();
        let Self { fleet, requests, observer, .. } = self;
        let (instance, request) = (&mut fleet.instances[id], &mut requests[chunk.slot]);
        let computed = request.progress.computed + chunk.tokens;
        request.usage.recomputed += u64::from(request.progress.lost.min(computed).saturating_sub(request.progress.computed));
        request.progress.computed = computed;
        fleet.loads[id].computed(request, chunk.tokens);
        let shared = instance.kv.publish(&request.ask.prefix, computed.min(request.ask.prompt), &mut request.progress.held);
        let token = computed >= request.progress.target && !request.is_done();
        if token {
            let first = request.timeline.first_token.is_none();
            let (class, prompt, cached) = (request.ask.class, request.ask.prompt, request.progress.cached);
            if let Some(gap) = request.emit(now) {
                observer.on(now, &Observation::Gap { class, ns: gap.ns() });
            }
            if first {
                observer.on(now, &Observation::FirstToken { class, prompt, cached });
            }
            instance.batch.prefilling.retain(|&other| other != chunk.slot);
        }
        self.send_rest_of_chunk(chunk.slot);
        if shared {
            // Others with the same beginning now need less.
            self.memory_freed(id);
        }
        token
    }

    /// A prompt that is done goes on to the decode batch of the same instance.
    pub(crate) fn decode_here(&mut self, id: InstanceId, slot: Slot) {
        let request = &mut self.requests[slot];
        request.progress.stage = Stage::Decoding;
        self.fleet.instances[id].join_decode(request, slot);
    }

    /// A prompt that is done leaves the batch for the handoff: it waits for memory on the decode side, unless it has that already.
    pub(crate) fn hold(&mut self, id: InstanceId, slot: Slot) {
        self.fleet.instances[id].batch.admitted.remove(&mut self.requests, slot);
        if self.requests[slot].is_reserved() {
            self.requests[slot].progress.stage = Stage::Transferring;
            return self.deliver_if_sent(slot);
        }
        self.requests[slot].progress.stage = Stage::Reserving;
        let model = self.model_of(slot);
        self.fleet.routes[model].handoffs.push_back(&mut self.requests, slot);
        self.change_handoff_queue(model, 1);
        self.agenda.post(Wake::Memory(model));
    }

    /// True if a decode instance can take a request now: it holds a token more than the prompt and the first one, or it could not
    /// generate; it is not computing again what it has preempted; and every reservation leaves one free block per running sequence, so
    /// that handoffs do not evict what they are meant to join.
    pub(crate) fn could_receive(&mut self, id: InstanceId, slot: Slot) -> bool {
        let (instance, request) = (&self.fleet.instances[id], &self.requests[slot]);
        let holds = instance.engine.max_model_len > request.ask.prompt.saturating_add(1);
        let has_seat = instance.committed() < u64::from(instance.engine.max_num_seqs);
        if !holds || instance.is_catching_up_on_preempted() || !has_seat {
            return false;
        }
        // A run takes memory as it goes, and changes nothing else that is asked here.
        self.catch_up(id);
        let (instance, request) = (&self.fleet.instances[id], &self.requests[slot]);
        let (hit, need) = instance.handoff_need(request);
        instance.kv.fits(&request.ask.prefix, hit, need + instance.running())
    }

    /// True if a request must have room on the decode side before it may start its prefill here.
    pub(crate) fn needs_room(&self, id: InstanceId, slot: Slot) -> bool {
        if !self.layer_wise() || !self.fleet.hands_on(id) || self.requests[slot].is_reserved() {
            return false;
        }
        // Where no decode instance could add a token to the first one, the request ends with that, here.
        let longest = self.fleet.route(self.model_of(slot)).longest_decode;
        longest.is_some_and(|longest| longest > self.requests[slot].ask.prompt.saturating_add(1))
    }

    /// Takes memory for a request on a decode instance; false, and nothing changed, if there is too little.
    pub(crate) fn reserve(&mut self, id: InstanceId, slot: Slot) -> bool {
        self.settle(id);
        let now = self.now();
        let Self { fleet, requests, .. } = self;
        let (instance, request) = (&mut fleet.instances[id], &mut requests[slot]);
        let (hit, need) = instance.handoff_need(request);
        let Some(lease) = instance.kv.lease(&request.ask.prefix, hit, need) else { return false };
        request.handoff.reserved = lease;
        request.timeline.reserved_at = Some(now);
        request.progress.decode_instance = Some(id);
        request.cut(instance.engine.max_model_len);
        request.handoff.decode_hit = instance.kv.group_tokens(hit);
        request.handoff.offered = request.handoff.decode_hit;
        instance.traffic.incoming += 1;
        instance.traffic.incoming_blocks += need;
        fleet.loads[id].expect(request);
        self.touch(id);
        true
    }

    /// A request was refused memory on the decode side before its prefill.
    pub(crate) fn note_refusal(&mut self, slot: Slot) {
        if self.requests[slot].timeline.refused_at.is_none() {
            self.requests[slot].timeline.refused_at = Some(self.now());
            self.change_handoff_queue(self.model_of(slot), 1);
        }
    }

    /// A request that may have been refused memory before its prefill has got it, or leaves.
    pub(crate) fn end_refusal(&mut self, slot: Slot) {
        let now = self.now();
        if let Some(since) = self.requests[slot].timeline.refused_at.take() {
            self.requests[slot].timeline.memory_wait = now.since(since);
            self.change_handoff_queue(self.model_of(slot), -1);
        }
    }

    /// The first prompt that waits for memory on the decode side has got it: all of its KV is sent.
    pub(crate) fn send_held(&mut self, slot: Slot) {
        let model = self.model_of(slot);
        self.fleet.routes[model].handoffs.remove(&mut self.requests, slot);
        self.change_handoff_queue(model, -1);
        let request = &mut self.requests[slot];
        request.progress.stage = Stage::Transferring;
        request.handoff.offered = request.ask.prompt;
        let bytes = self.wire_bytes(slot, self.requests[slot].handoff.decode_hit, self.requests[slot].ask.prompt);
        self.send(slot, bytes);
    }

    /// The KV of a request is complete on the decode side: the sender's blocks are free, the sequence may join the batch.
    pub(crate) fn activate(&mut self, slot: Slot) {
        let now = self.now();
        let sender = self.requests[slot].progress.instance;
        let Some(receiver) = self.requests[slot].progress.decode_instance else { return };
        self.settle(sender);
        self.report_transfer(slot);
        self.give_back(slot);
        self.requests[slot].timeline.delivered = Some(now);
        self.agenda.post(Wake::Instance(sender));
        if self.requests[slot].is_done() {
            self.cancel_reservation(slot);
            self.requests.remove(slot);
            return;
        }
        self.touch(receiver);
        self.settle(receiver);
        let Self { fleet, requests, .. } = self;
        let (instance, request) = (&mut fleet.instances[receiver], &mut requests[slot]);
        request.progress.held = std::mem::take(&mut request.handoff.reserved);
        let taken = request.progress.held.own();
        Load::arrive(request);
        request.progress.instance = receiver;
        request.progress.stage = Stage::Resident;
        request.progress.computed = request.ask.prompt;
        let shared = instance.kv.publish(&request.ask.prefix, request.ask.prompt, &mut request.progress.held);
        instance.traffic.incoming -= 1;
        instance.traffic.incoming_blocks -= taken;
        instance.queue.resident.push_back(requests, slot);
        self.change_queue(self.fleet.instances[receiver].pool, 1);
        self.agenda.post(Wake::Instance(receiver));
        if shared {
            self.memory_freed(receiver);
        }
    }

    /// Gives back what a request holds where it is, and takes it off the books there.
    pub(super) fn give_back(&mut self, slot: Slot) {
        let Self { fleet, requests, .. } = self;
        let request = &mut requests[slot];
        let id = request.progress.instance;
        request.give_back(&mut fleet.instances[id].kv);
        fleet.loads[id].unassign(request);
    }

    /// Gives back memory that was taken on the decode side for a request that will not come.
    pub(super) fn cancel_reservation(&mut self, slot: Slot) {
        let Some(id) = self.requests[slot].progress.decode_instance else { return };
        self.touch(id);
        self.settle(id);
        let Self { fleet, requests, .. } = self;
        let (instance, request) = (&mut fleet.instances[id], &mut requests[slot]);
        let lease: Lease = std::mem::take(&mut request.handoff.reserved);
        instance.traffic.incoming_blocks -= lease.own();
        instance.traffic.incoming -= 1;
        instance.kv.release(&request.ask.prefix, lease);
        fleet.loads[id].expect_no_more(request);
        self.agenda.post(Wake::Instance(id));
        self.memory_freed(id);
    }

    /// Once the prompt is done and its last byte has left the wire, set-up and latency remain. A request whose client left during a
    /// layer-wise prefill holds memory on the decode side only, and leaves.
    pub(super) fn deliver_if_sent(&mut self, slot: Slot) {
        let request = &self.requests[slot];
        if request.handoff.transfer.is_some() {
            return;
        }
        if request.is_done() && request.progress.held.is_empty() {
            self.report_transfer(slot);
            self.cancel_reservation(slot);
            self.requests.remove(slot);
        } else if request.progress.stage == Stage::Transferring || (request.is_done() && request.progress.generated > 0) {
            let epoch = request.progress.epoch;
            let overhead = self.fleet.pool_of(request.progress.instance).spec.handoff_overhead;
            self.calendar.schedule(overhead, Event::Delivered { slot, epoch });
        }
    }
}
