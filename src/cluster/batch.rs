//! Phase 1 of an iteration: which sequences compute how many tokens. The order is vLLM v1's:
//!
//! 1. Every generating sequence gets one token. If KV blocks run out, the sequence admitted last loses its KV and goes back to the
//!    front of the queue, to be computed again (preemption by recompute), until the rest fits.
//! 2. The prompt that is partly computed gets what is left of the token budget, or loses its KV if blocks run out.
//! 3. Sequences whose KV has arrived by handoff join.
//! 4. New prompts are admitted first come first served while budget, sequence slots and blocks last; cached prefixes are skipped. Nothing
//!    is admitted in an iteration that preempted.

use super::engine::{join_decode, settle_gauges};
use super::event::{InstanceId, Slot};
use super::instance::{Chunk, Instance};
use super::observe::Observer;
use super::request::{Request, Stage};
use super::state::Cluster;
use crate::perf::BatchShape;

/// What the coming iteration computes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Batch {
    pub(super) shape: BatchShape,
    /// True if the decode batch is not the one of the last iteration.
    pub(super) changed: bool,
}

impl<O: Observer> Cluster<O> {
    /// Forms the batch of the coming iteration and takes the blocks it needs.
    pub(super) fn form_batch(&mut self, id: InstanceId) -> Batch {
        let now = self.now;
        settle_gauges(id, &mut self.instances[id], &mut self.observer, now);
        self.drop_aborted(id);
        let mut preempted = self.take_decode_blocks(id);
        let window = self.pools[self.instances[id].pool].spec.window;
        let instance = &self.instances[id];
        let mut budget = instance.engine.max_num_batched_tokens.saturating_sub(instance.decode.count);
        let mut prefill = BatchShape::default();
        preempted |= self.continue_prompt(id, &mut budget, &mut prefill, window);
        self.instances[id].look_again = preempted;
        let instance = &self.instances[id];
        if !preempted || instance.running() == 0 {
            self.admit_resident(id, &mut budget);
            self.admit_waiting(id, &mut budget, &mut prefill, window);
        }
        let instance = &mut self.instances[id];
        let decode = instance.decode.shape();
        instance.ahead = true;
        Batch {
            shape: BatchShape {
                decode_sequences: decode.decode_sequences,
                decode_context: decode.decode_context,
                decode_windowed_context: decode.decode_windowed_context,
                ..prefill
            },
            changed: instance.run.is_none(),
        }
    }

    /// Takes the blocks that the generating sequences need, preempting the last admitted while there are too few.
    fn take_decode_blocks(&mut self, id: InstanceId) -> bool {
        let mut preempted = false;
        loop {
            let instance = &mut self.instances[id];
            let need = instance.decode.blocks_needed();
            if instance.kv.grow_pooled(need) {
                instance.ahead = true;
                return preempted;
            }
            let Some(victim) = instance.admitted.last() else { return preempted };
            self.preempt(id, victim);
            preempted = true;
        }
    }

    /// Takes a running sequence's KV away and sends it to the front of the queue.
    fn preempt(&mut self, id: InstanceId, slot: Slot) {
        let Self { instances, loads, requests, observer, now, .. } = self;
        let instance = &mut instances[id];
        if requests[slot].progress.stage == Stage::Decoding {
            instance.leave_decode(requests, slot);
        } else {
            instance.prefilling.retain(|&other| other != slot);
            instance.admitted.remove(requests, slot);
        }
        let request = &mut requests[slot];
        if request.progress.stage == Stage::Decoding && instance.decode.step > request.progress.joined.step {
            request.timeline.last_token = *now;
        }
        request.progress.lost = request.progress.lost.max(request.progress.computed);
        request.progress.preemptions += 1;
        // All that it had is to be computed again, besides what was still to come.
        let to_come = if request.progress.stage == Stage::Prefilling { request.progress.target - request.progress.computed } else { 0 };
        request.progress.stage = Stage::Waiting;
        request.give_back(&mut instance.kv);
        request.progress.target = request.ask.prompt + request.progress.generated;
        loads[id].add_pending(request, request.progress.target - to_come);
        request.progress.computed = 0;
        instance.waiting.push_front(requests, slot);
        instance.returning += 1;
        observer.preempted(*now, instance.pool);
        let pool = instance.pool;
        self.change_queue(pool, 1);
    }

    /// Gives the partly computed prompt its next chunk; true if it was preempted instead, for want of blocks.
    ///
    /// There is at most one, and it was admitted last: what is not computed whole takes all that is left of the budget, so that nothing is
    /// admitted after it until it is done. (The budget of prompts is never zero before: every running sequence but this one takes
    /// one token of it, and there are fewer of those than `max_num_seqs`.)
    fn continue_prompt(&mut self, id: InstanceId, budget: &mut u32, shape: &mut BatchShape, window: Option<u32>) -> bool {
        let Self { instances, requests, .. } = self;
        let instance = &mut instances[id];
        let Some(&slot) = instance.prefilling.first() else { return false };
        debug_assert!(instance.prefilling.len() == 1 && instance.admitted.last() == Some(slot), "one prompt is partly computed, the last");
        let request = &mut requests[slot];
        let tokens = (request.progress.target - request.progress.computed).min(*budget);
        debug_assert!(tokens > 0, "the budget covers every running sequence");
        let have = instance.kv.blocks(u64::from(request.progress.computed));
        let need = instance.kv.blocks(u64::from(request.progress.computed + tokens)) - have;
        if instance.kv.grow(&mut request.progress.held, need) {
            add_chunk(shape, request.progress.computed, tokens, request.progress.target, window);
            instance.chunks.push(Chunk { slot, tokens });
            *budget -= tokens;
            return false;
        }
        self.preempt(id, slot);
        true
    }

    /// Sequences whose KV has arrived join the decode batch; the block of their next token was reserved with the rest.
    fn admit_resident(&mut self, id: InstanceId, budget: &mut u32) {
        while let Some(slot) = self.instances[id].resident.first() {
            let Self { instances, requests, .. } = self;
            let instance = &mut instances[id];
            let request = &mut requests[slot];
            let stored = request.progress.computed;
            if *budget == 0 || instance.running() >= u64::from(instance.engine.max_num_seqs) {
                return;
            }
            *budget -= 1;
            request.progress.stage = Stage::Decoding;
            join_decode(instance, request, slot, stored);
            instance.resident.remove(requests, slot);
            instance.admitted.push_back(requests, slot);
            let pool = instance.pool;
            self.change_queue(pool, -1);
        }
    }

    /// New and preempted requests start to be computed.
    fn admit_waiting(&mut self, id: InstanceId, budget: &mut u32, shape: &mut BatchShape, window: Option<u32>) {
        while let Some(slot) = self.instances[id].waiting.first() {
            let instance = &self.instances[id];
            if *budget == 0 || instance.running() >= u64::from(instance.engine.max_num_seqs) || !self.ready_to_start(id, slot) {
                return;
            }
            let Self { instances, loads, requests, observer, now, .. } = self;
            let instance = &mut instances[id];
            let request = &mut requests[slot];
            let FirstChunk { hit, cached, tokens, need, whole } = first_chunk(instance, request, *budget);
            let Some(lease) = whole.then(|| instance.kv.lease(&request.ask.prefix, hit, need)).flatten() else {
                instance.look_again = hit > 0;
                return;
            };
            request.progress.held = lease;
            request.progress.computed = cached;
            if request.timeline.prefill_start.is_none() {
                request.timeline.prefill_start = Some(*now);
                request.progress.cached = cached;
                request.progress.prefill_instance = id;
                if !request.ask.prefix.is_empty() && instance.engine.prefix_caching {
                    observer.prefix_lookup(*now, instance.pool, u64::from(cached), u64::from(request.ask.prompt));
                }
            }
            if request.progress.preemptions > 0 {
                instance.returning -= 1;
                instance.returned = instance.returning == 0;
            }
            loads[id].computed(request, cached);
            request.progress.stage = Stage::Prefilling;
            add_chunk(shape, cached, tokens, request.progress.target, window);
            instance.chunks.push(Chunk { slot, tokens });
            *budget -= tokens;
            instance.waiting.remove(requests, slot);
            instance.prefilling.push(slot);
            instance.admitted.push_back(requests, slot);
            let pool = instance.pool;
            self.change_queue(pool, -1);
        }
    }
}

/// What a request would compute first.
struct FirstChunk {
    /// Leading groups of its prompt that are cached, and the tokens they cover.
    hit: u32,
    cached: u32,
    tokens: u32,
    /// Blocks of its own that it needs.
    need: u64,
    /// True if the tokens are as many as they must be.
    whole: bool,
}

/// True if the first in the queue could start with `budget` tokens.
pub(super) fn could_start(instance: &Instance, request: &Request, budget: u32) -> bool {
    let FirstChunk { hit, need, whole, .. } = first_chunk(instance, request, budget);
    whole && instance.kv.fits(&request.ask.prefix, hit, need)
}

/// What the first in the queue would compute first, with `budget` tokens.
fn first_chunk(instance: &Instance, request: &Request, budget: u32) -> FirstChunk {
    // At least one token must be computed, for its logits.
    let most = instance.kv.whole_groups(request.progress.target.min(request.ask.prompt) - 1);
    let hit = instance.kv.lookup(&request.ask.prefix, most);
    let cached = instance.kv.group_tokens(hit);
    let left = request.progress.target - cached;
    let tokens = left.min(budget);
    let need = instance.kv.blocks(u64::from(cached + tokens)) - instance.kv.blocks(u64::from(cached));
    let whole = instance.engine.chunked_prefill || tokens == left || budget == instance.engine.max_num_batched_tokens;
    FirstChunk { hit, cached, tokens, need, whole }
}

/// Adds a chunk of `tokens` new tokens after `done` computed ones to the sums of a batch.
fn add_chunk(shape: &mut BatchShape, done: u32, tokens: u32, target: u32, window: Option<u32>) {
    let (p, n) = (u64::from(done), u64::from(tokens));
    shape.prefill_tokens += n;
    shape.prefill_sequences += 1;
    shape.prefill_completions += u32::from(done + tokens >= target);
    shape.prefill_pairs += pairs(p, n);
    shape.prefill_context += p + n;
    let (windowed_pairs, windowed_context) = match window {
        None => (pairs(p, n), p + n),
        Some(w) => {
            let w = u64::from(w);
            // Queries whose view is not yet full see all before them; the rest see `w` keys each.
            let growing = w.saturating_sub(p).min(n);
            (pairs(p, growing) + (n - growing) * w, p.min(w) + n)
        }
    };
    shape.prefill_windowed_pairs += windowed_pairs;
    shape.prefill_windowed_context += windowed_context;
}

/// (query, key) pairs of `n` new tokens after `p` others under the causal mask.
const fn pairs(p: u64, n: u64) -> u64 {
    n * p + n * (n + 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pairs_agree_with_a_loop_over_queries(done in 0u32..300, tokens in 1u32..300, window in proptest::option::of(1u32..200)) {
            let mut shape = BatchShape::default();
            add_chunk(&mut shape, done, tokens, done + tokens, window);
            let views = (done..done + tokens).map(|q| u64::from(q + 1));
            prop_assert_eq!(shape.prefill_pairs, views.clone().sum::<u64>());
            let cap = u64::from(window.unwrap_or(u32::MAX));
            prop_assert_eq!(shape.prefill_windowed_pairs, views.map(|v| v.min(cap)).sum::<u64>());
            prop_assert_eq!(shape.prefill_completions, 1);
        }
    }
}
