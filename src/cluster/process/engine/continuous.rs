//! Continuous batching, after vLLM v1: four phases per iteration.
//!
//! 1. **Form batch** (`batch.rs`): running sequences first, then arrived KV, then new prompts.
//! 2. **Execute**: the performance model gives the duration; the end is scheduled.
//! 3. **Complete**: tokens leave, sequences finish, prompts are handed off.
//! 4. **Schedule next**: a wake. The next batch is formed when the instant has no events left, or the instance becomes idle.
//!
//! An undisturbed decode batch *runs ahead*: one event covers many iterations. Any change from outside first completes the iterations
//! that lie before the present place in the order of events (`World::catch_up`), and takes effect at the next boundary. Stepping and
//! running ahead use the same accounting, so they agree to the byte.

use super::batch;
use crate::cluster::ids::{InstanceId, Slot};
use crate::cluster::observe::Observer;
use crate::cluster::state::{World, failure, leave, moves, transit};
use crate::workload::Outcome;

/// Phases 1, 2 and 4 for an instance that can form a batch now. `may_start` decides whether a prompt may start.
pub(crate) fn form<O: Observer>(world: &mut World<O>, id: InstanceId, may_start: &mut dyn FnMut(&mut World<O>, InstanceId, Slot) -> bool) {
    if !world.fleet.instance(id).is_free() || world.fleet.instance(id).rests() {
        return;
    }
    let shape = batch::form(world, id, may_start);
    if shape.is_empty() {
        return world.stop(id);
    }
    if shape.prefill_tokens > 0 {
        let cost = world.fleet.cost(id, &shape);
        world.begin_single(id, cost);
    } else {
        world.start_run_unless_one_goes_on(id);
        world.begin_decode(id);
    }
    if world.layer_wise() && world.fleet.hands_on(id) {
        transit::send_cached_of_chunks(world, id);
    }
    if world.fleet.instance_mut(id).take_returned() {
        world.memory_freed(id);
    }
}

/// Phase 3, at the end of the last planned iteration.
pub(crate) fn finish<O: Observer>(world: &mut World<O>, id: InstanceId) {
    world.complete_plan(id);
    while let Some(slot) = world.fleet.instance_mut(id).pop_finished(&world.requests) {
        leave::leave(world, slot, Outcome::Completed);
    }
    let chunks = world.fleet.instance_mut(id).take_chunks();
    for &chunk in &chunks {
        let token = moves::chunk_computed(world, id, chunk);
        transit::send_rest_of_chunk(world, chunk.slot);
        if token {
            prompt_done(world, id, chunk.slot);
        }
    }
    world.fleet.instance_mut(id).recycle_chunks(chunks);
}

/// A prompt is done and its token has left: the request joins the decode batch, waits for its handoff, or is complete.
fn prompt_done<O: Observer>(world: &mut World<O>, id: InstanceId, slot: Slot) {
    if world.requests[slot].is_finished() {
        leave::leave(world, slot, Outcome::Completed);
    } else if world.hands_on(id, slot) {
        transit::hold(world, id, slot);
        failure::lose_without_receiver(world, slot);
    } else {
        moves::decode_here(world, id, slot);
    }
}
