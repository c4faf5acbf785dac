//! Phase 1 of an iteration: which sequences compute how many tokens. The order is that of vLLM v1:
//!
//! 1. Every generating sequence gets one token. While KV blocks are short, the sequence admitted last is evicted and returns to the front
//!    of the queue, to be recomputed (preemption by recompute). With a prefix cache it finds its leading full blocks again, of prompt and
//!    output, up to the first one that has been reused.
//! 2. The partly computed prompt gets the rest of the token budget, or is preempted if blocks run out.
//! 3. Sequences whose KV has arrived by handoff join.
//! 4. New prompts are admitted first come, first served, while budget, sequence slots and blocks last; cached prefixes are skipped. Blocks
//!    must be free for the whole sequence so far or, without `scheduler_reserve_full_isl`, for its first chunk.
//!
//! An iteration that preempted admits nothing (3 and 4), unless no running sequence is left.
//!
//! Policies may choose other sequences to preempt, another order of the queue, less prompt work for an iteration, and iterations of prompts
//! alone (`policies.preemption`, `queue`, `batching`).

use crate::cluster::ids::{InstanceId, Slot};
use crate::cluster::observe::Observer;
use crate::cluster::state::{Instance, World, leave, moves, scheduler};
use crate::perf::BatchShape;
use crate::policy::Budget;

/// A batch being formed.
struct Forming {
    /// Tokens that may still be added, and prompt tokens among them.
    budget: u32,
    prompt_tokens: u32,
    /// Prompts that may begin.
    new_prompts: u32,
    /// Sequences of the batch at most.
    sequences: u32,
    /// The prefill part so far.
    prefill: BatchShape,
    window: Option<u32>,
}

/// Forms the batch of the coming iteration and takes the blocks it needs.
pub(super) fn form<O: Observer>(
    world: &mut World<O>,
    id: InstanceId,
    may_start: &mut dyn FnMut(&mut World<O>, InstanceId, Slot) -> bool,
) -> BatchShape {
    world.settle(id);
    leave::let_leaving_go(world, id);
    let policy = scheduler::budget(world, id);
    let mut generates = policy.is_none_or(|policy| policy.generates);
    loop {
        let mut preempted = generates && grow_decode(world, id);
        let mut forming = Forming::new(world.fleet.instance(id), generates, policy);
        preempted |= continue_prompt(world, id, &mut forming);
        world.fleet.instance_mut(id).set_look_again(preempted);
        if !preempted || world.fleet.instance(id).running() == 0 {
            if generates {
                admit_resident(world, id, &mut forming);
            }
            admit_waiting(world, id, &mut forming, may_start);
        }
        if generates {
            let decode = world.fleet.instance_mut(id).close_batch();
            return BatchShape {
                decode_sequences: decode.decode_sequences,
                decode_context: decode.decode_context,
                decode_windowed_context: decode.decode_windowed_context,
                ..forming.prefill
            };
        }
        if !forming.prefill.is_empty() {
            moves::sit_out(world, id);
            return forming.prefill;
        }
        // No prompt fits: the sequences generate after all.
        generates = true;
    }
}

/// Takes the blocks that generating sequences need, preempting others while blocks are short; true if any were preempted.
fn grow_decode<O: Observer>(world: &mut World<O>, id: InstanceId) -> bool {
    let mut preempted = false;
    while !world.fleet.instance_mut(id).grow_decode() {
        let Some(victim) = scheduler::victim(world, id) else { break };
        moves::preempt(world, id, victim);
        preempted = true;
    }
    preempted
}

/// Gives the partly computed prompt its next chunk, preempting others or the prompt itself while blocks are short; true if any were
/// preempted. The budget is never zero here: every other running sequence takes one token, and there are fewer of these than `max_num_seqs`.
fn continue_prompt<O: Observer>(world: &mut World<O>, id: InstanceId, forming: &mut Forming) -> bool {
    let Some(slot) = world.fleet.instance(id).partly_computed() else { return false };
    let (computed, target) = (world.requests[slot].computed(), world.requests[slot].target());
    let tokens = (target - computed).min(forming.room());
    debug_assert!(tokens > 0, "the budget covers every running sequence");
    let mut preempted = false;
    while !world.fleet.instance_mut(id).add_chunk(&mut world.requests[slot], slot, tokens) {
        let victim = scheduler::victim(world, id).unwrap_or(slot);
        moves::preempt(world, id, victim);
        preempted = true;
        if victim == slot {
            return true;
        }
    }
    forming.add(computed, tokens, target);
    preempted
}

/// Sequences whose KV has arrived join the decode batch.
fn admit_resident<O: Observer>(world: &mut World<O>, id: InstanceId, forming: &mut Forming) {
    while let Some(slot) = world.fleet.instance(id).first_resident() {
        if forming.budget == 0 || !world.fleet.instance(id).has_seat(forming.sequences) {
            return;
        }
        forming.budget -= 1;
        moves::join(world, id, slot);
    }
}

/// Admits new and preempted requests.
fn admit_waiting<O: Observer>(
    world: &mut World<O>,
    id: InstanceId,
    forming: &mut Forming,
    may_start: &mut dyn FnMut(&mut World<O>, InstanceId, Slot) -> bool,
) {
    while let Some(slot) = world.fleet.instance(id).first_waiting() {
        let has_room = forming.room() > 0 && forming.new_prompts > 0 && world.fleet.instance(id).has_seat(forming.sequences);
        if !has_room || !may_start(world, id, slot) {
            return;
        }
        let first = world.fleet.instance(id).first_chunk(&world.requests[slot], forming.room());
        if !first.whole || !moves::start(world, id, slot, first) {
            world.fleet.instance_mut(id).set_look_again(first.may_shrink);
            return;
        }
        forming.new_prompts -= 1;
        forming.add(first.cached, first.tokens, world.requests[slot].target());
    }
}

impl Forming {
    /// A batch without prompts, in which the generating sequences take part or not.
    fn new(instance: &Instance, generates: bool, policy: Option<Budget>) -> Self {
        let generating = if generates { instance.decode().count() } else { 0 };
        let budget = instance.engine().max_num_batched_tokens.saturating_sub(generating);
        Self {
            budget,
            prompt_tokens: policy.map_or(budget, |policy| policy.prompt_tokens),
            new_prompts: policy.map_or(u32::MAX, |policy| policy.new_prompts),
            sequences: policy.map_or(u32::MAX, |policy| policy.sequences),
            prefill: BatchShape::default(),
            window: instance.window(),
        }
    }

    /// Adds a chunk of `tokens` new tokens after `done` computed ones, of `target` in all.
    fn add(&mut self, done: u32, tokens: u32, target: u32) {
        add_chunk(&mut self.prefill, done, tokens, target, self.window);
        self.budget -= tokens;
        self.prompt_tokens -= tokens;
    }

    /// Prompt tokens that may still be added.
    fn room(&self) -> u32 {
        self.budget.min(self.prompt_tokens)
    }
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
            // Queries whose window is not yet full see all tokens before them; the others see `w` keys each.
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
