//! Memory on the decode side: who gets it, and who is told when some comes free.
//!
//! Two kinds of request wait for it. With `after-prefill`, prompts that are done, in one row per model. With `layer-wise`, the first
//! request of each prefill instance; instances get it first come, first served. Whenever a decode instance may have room again, the
//! first of both try; whenever the first gives up, the next does.

use std::cell::RefCell;

use super::event::{InstanceId, Slot};
use super::observe::Observer;
use super::request::{Request, Stage};
use super::spec::{ModelId, Role};
use super::state::Cluster;
use crate::kv::KvStore;
use crate::policy::{Candidates, RequestView};

/// Decode instances as a router sees them. Only those that it asks about are brought to the present.
struct Receivers<'a, O: Observer> {
    cluster: RefCell<&'a mut Cluster<O>>,
    model: ModelId,
    slot: Slot,
}

impl<O: Observer> Candidates for Receivers<'_, O> {
    fn len(&self) -> usize {
        self.cluster.borrow().routes[self.model].decode.len()
    }
    fn eligible(&self, i: usize) -> bool {
        let mut cluster = self.cluster.borrow_mut();
        let id = cluster.routes[self.model].decode[i];
        cluster.could_receive(id, self.slot)
    }
    fn in_flight(&self, i: usize) -> u64 {
        let cluster = self.cluster.borrow();
        cluster.loads[cluster.routes[self.model].decode[i]].in_flight
    }
    fn pending_tokens(&self, i: usize) -> u64 {
        let cluster = self.cluster.borrow();
        cluster.loads[cluster.routes[self.model].decode[i]].pending_tokens
    }
}

/// Leading groups of a prompt that an instance already has, and the blocks it must find for the rest and the next token.
fn need(kv: &KvStore, request: &Request) -> (u32, u64) {
    let hit = kv.lookup(&request.ask.prefix, kv.whole_groups(request.ask.prompt - 1));
    (hit, kv.own_blocks(u64::from(request.ask.prompt) + 1, hit))
}

impl<O: Observer> Cluster<O> {
    /// Memory or a sequence slot may have become free: those who waited for it try again.
    pub(super) fn memory_freed(&mut self, id: InstanceId) {
        let pool = &self.pools[self.instances[id].pool];
        if pool.spec.role != Role::Decode {
            return;
        }
        let model = pool.spec.model;
        self.try_handoffs(model);
        self.retry_blocked(model);
    }

    /// Prefill instances whose first request waits for room try again, first come, first served. The first that still finds none ends it, or
    /// short prompts would take for ever what a long one needs.
    pub(super) fn retry_blocked(&mut self, model: ModelId) {
        while let Some(&id) = self.routes[model].blocked.front() {
            let busy = self.instances[id].current.is_some();
            if !busy {
                self.kick(id);
                if self.routes[model].blocked.front() != Some(&id) {
                    continue;
                }
                if !self.instances[id].waiting.is_empty() {
                    return;
                }
            }
            // One that is busy asks again at its next boundary, and lets others go first until then.
            self.routes[model].blocked.pop_front();
        }
    }

    pub(super) fn try_handoffs(&mut self, model: ModelId) {
        while let Some(slot) = self.routes[model].handoffs.first() {
            if !self.try_reserve(slot) {
                return;
            }
            self.routes[model].handoffs.remove(&mut self.requests, slot);
            self.change_handoff_queue(model, -1);
            let request = &mut self.requests[slot];
            request.progress.stage = Stage::Transferring;
            request.handoff.offered = request.ask.prompt;
            let (from, to) = (request.handoff.decode_hit, request.ask.prompt);
            let bytes = self.wire_bytes(slot, from, to);
            self.offer(slot, bytes);
        }
    }

    /// True if a request may start its prefill here: always, but with layer-wise handoff only once the decode side has room for it. Instances
    /// that wait for room get it first come, first served.
    pub(super) fn ready_to_start(&mut self, id: InstanceId, slot: Slot) -> bool {
        if !self.needs_room(id, slot) {
            return true;
        }
        let model = self.model_of(slot);
        let is_next = self.routes[model].blocked.front().is_none_or(|&first| first == id);
        let reserved = is_next && self.try_reserve(slot);
        let blocked = &mut self.routes[model].blocked;
        if reserved {
            blocked.retain(|&other| other != id);
            self.end_refusal(slot);
        } else {
            if !blocked.contains(&id) {
                blocked.push_back(id);
            }
            if self.requests[slot].timeline.refused_at.is_none() {
                self.requests[slot].timeline.refused_at = Some(self.now);
                self.change_handoff_queue(model, 1);
            }
        }
        reserved
    }

    /// A request that may have been refused room before its prefill has got it, or gives up.
    pub(super) fn end_refusal(&mut self, slot: Slot) {
        if let Some(since) = self.requests[slot].timeline.refused_at.take() {
            self.requests[slot].timeline.memory_wait = self.now.since(since);
            let model = self.model_of(slot);
            self.change_handoff_queue(model, -1);
        }
    }

    /// True if a request must have room on the decode side before it may start its prefill here.
    pub(super) fn needs_room(&self, id: InstanceId, slot: Slot) -> bool {
        let hands_on = self.pools[self.instances[id].pool].hands_on;
        if !hands_on || !self.layer_wise() || self.requests[slot].timeline.reserved_at.is_some() {
            return false;
        }
        // Where no decode instance could add a token to the first one, the request ends with that, here.
        let longest = self.routes[self.model_of(slot)].longest_decode;
        longest.is_some_and(|longest| longest > self.requests[slot].ask.prompt.saturating_add(1))
    }

    /// True if a decode instance could take a request now. For the audit: looks at all of them.
    pub(super) fn has_room(&mut self, slot: Slot) -> bool {
        let model = self.model_of(slot);
        (0..self.routes[model].decode.len()).any(|i| self.could_receive(self.routes[model].decode[i], slot))
    }

    /// True if a decode instance can take a request now.
    fn could_receive(&mut self, id: InstanceId, slot: Slot) -> bool {
        let (instance, request) = (&self.instances[id], &self.requests[slot]);
        // It must hold a token more than the prompt and the first one, or it could not generate.
        let holds = instance.engine.max_model_len > request.ask.prompt.saturating_add(1);
        if !holds || instance.returning > 0 || instance.committed() >= u64::from(instance.engine.max_num_seqs) {
            return false;
        }
        // A run takes memory as it goes, and changes nothing else that is asked here.
        self.catch_up(id);
        let (instance, request) = (&self.instances[id], &self.requests[slot]);
        let (hit, need) = need(&instance.kv, request);
        instance.kv.fits(&request.ask.prefix, hit, need + instance.running())
    }

    /// Takes memory for a request on a decode instance of the router's choice.
    fn try_reserve(&mut self, slot: Slot) -> bool {
        let model = self.model_of(slot);
        let request = &self.requests[slot];
        let view = RequestView { class: request.ask.class, prompt_tokens: request.ask.prompt };
        let Some(mut router) = self.routes[model].decode_router.take() else { return false };
        let chosen = router.route(&view, &Receivers { cluster: RefCell::new(self), model, slot });
        self.routes[model].decode_router = Some(router);
        let Some(chosen) = chosen else { return false };
        let id = self.routes[model].decode[chosen];
        self.settle(id);
        let Self { instances, loads, requests, now, .. } = self;
        let (instance, request) = (&mut instances[id], &mut requests[slot]);
        let (hit, need) = need(&instance.kv, request);
        let Some(lease) = instance.kv.lease(&request.ask.prefix, hit, need) else {
            debug_assert!(false, "the router chose an eligible instance");
            return false;
        };
        request.handoff.reserved = lease;
        request.timeline.reserved_at = Some(*now);
        request.progress.decode_instance = Some(id);
        request.cut(instance.engine.max_model_len);
        request.handoff.decode_hit = instance.kv.group_tokens(hit);
        request.handoff.offered = request.handoff.decode_hit;
        instance.incoming += 1;
        instance.incoming_blocks += need;
        loads[id].in_flight += 1;
        loads[id].pending_tokens += u64::from(request.ask.prompt) + 1;
        self.touch(id);
        true
    }

    /// Gives back memory that was taken on the decode side for a request that will not come.
    pub(super) fn cancel_reservation(&mut self, slot: Slot) {
        let Some(id) = self.requests[slot].progress.decode_instance else { return };
        self.touch(id);
        self.settle(id);
        let Self { instances, loads, requests, .. } = self;
        let (instance, request) = (&mut instances[id], &mut requests[slot]);
        instance.incoming_blocks -= request.handoff.reserved.own();
        instance.kv.release(&request.ask.prefix, std::mem::take(&mut request.handoff.reserved));
        instance.incoming -= 1;
        loads[id].in_flight -= 1;
        loads[id].pending_tokens -= u64::from(request.ask.prompt) + 1;
        self.kick(id);
        self.memory_freed(id);
    }
}
