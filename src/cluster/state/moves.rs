//! The moves of a request on one instance: queue, batch, decode batch. Each leaves all counts consistent.
//!
//! ```text
//! arrive ─► enqueue ─► start ─► (chunk by chunk) ─► decode here        (by handoff) ─► join
//!              ▲          │                              │                              │
//!              └──────────┴────────────────────── preempt ──────────────────────────────┘
//! ```

use super::instance::{Chunk, FirstChunk};
use super::release;
use super::request::Stage;
use super::snapshot::Snapshot;
use super::timeouts;
use super::world::World;
use crate::cluster::ids::{InstanceId, Slot};
use crate::cluster::observe::{Observation, Observer};
use crate::sim::TooMany;
use crate::workload::RequestSpec;

/// Queues a request at an instance. Output beyond `context` is cut.
pub(crate) fn enqueue<O: Observer>(world: &mut World<O>, slot: Slot, id: InstanceId, context: u32) {
    // Behind other requests it changes nothing until they have moved.
    if world.fleet.instances[id].queue.is_ordered() {
        world.catch_up(id);
    } else if world.fleet.instances[id].queue.waiting().is_empty() {
        world.touch(id);
    }
    let now = world.now();
    let World { fleet, requests, classes, .. } = world;
    let request = &mut requests[slot];
    request.cut(context);
    request.progress.instance = id;
    request.progress.prefill_instance = id;
    request.progress.stage = Stage::Waiting;
    if request.timeline.first_token.is_none()
        && let Some(since) = request.timeline.failed_at.take()
    {
        request.timeline.recovery[0] += now.since(since);
    }
    fleet.loads.change(id).assign(request);
    let class = &classes[request.ask.class];
    let queue = &mut fleet.instances[id].queue;
    queue.push(requests, slot, now, class, false);
    if queue.is_ordered() && queue.first() == Some(slot) {
        world.touch(id);
    }
    world.change_queue(world.fleet.instances[id].pool, 1);
    world.wake(id);
}

/// Starts the first queued request, with its first chunk in the coming iteration. False, and nothing changed, if there is too little
/// memory.
pub(crate) fn start<O: Observer>(world: &mut World<O>, id: InstanceId, slot: Slot, first: FirstChunk) -> bool {
    let now = world.now();
    let World { fleet, requests, observer, .. } = world;
    let (instance, request) = (&mut fleet.instances[id], &mut requests[slot]);
    if !instance.kv.fits(&request.ask.blocks, first.hit, first.must_fit) {
        return false;
    }
    request.discard_residue(&mut instance.kv);
    let Some(lease) = instance.kv.lease(&request.ask.blocks, first.hit, first.need) else { return false };
    request.progress.held = lease;
    request.progress.computed = first.cached;
    if request.timeline.prefill_start.is_none() {
        request.timeline.prefill_start = Some(now);
        request.progress.cached = first.cached;
        if !request.ask.blocks.is_empty() && instance.engine.prefix_caching {
            let (hit, tokens) = (u64::from(first.cached), u64::from(request.ask.prompt));
            observer.on(now, &Observation::PrefixLookup { pool: instance.pool, hit, tokens });
        }
    }
    if std::mem::take(&mut request.progress.returning) {
        instance.queue.returning -= 1;
        instance.queue.returned = instance.queue.returning == 0;
    }
    fleet.loads.change(id).computed(request, first.cached);
    request.progress.stage = Stage::Prefilling;
    instance.batch.chunks.push(Chunk { slot, tokens: first.tokens });
    instance.queue.remove(requests, slot, true);
    instance.batch.prefilling.push(slot);
    instance.batch.admitted.push_back(requests, slot);
    world.change_queue(world.fleet.instances[id].pool, -1);
    true
}

/// The first delivered request joins the decode batch; the block of its next token is part of its reservation.
pub(crate) fn join<O: Observer>(world: &mut World<O>, id: InstanceId, slot: Slot) {
    let World { fleet, requests, .. } = world;
    let instance = &mut fleet.instances[id];
    instance.queue.resident.remove(requests, slot);
    instance.batch.admitted.push_back(requests, slot);
    let request = &mut requests[slot];
    request.progress.stage = Stage::Decoding;
    instance.join_decode(request, slot);
    world.change_queue(world.fleet.instances[id].pool, -1);
}

/// The generating sequences sit out the coming iteration: their next gap begins with their last token, so their first iteration afterwards is
/// booked like that of a sequence which has just joined.
pub(crate) fn sit_out<O: Observer>(world: &mut World<O>, id: InstanceId) {
    let now = world.now();
    let World { fleet, requests, .. } = world;
    let instance = &mut fleet.instances[id];
    let step = instance.batch.decode.step();
    let slots: Vec<Slot> = instance.batch.admitted.iter(requests).collect();
    for slot in slots {
        let request = &mut requests[slot];
        if request.progress.stage == Stage::Decoding && request.iterations(step) > 0 {
            request.timeline.last_token = now;
            request.book_decode(step, &instance.totals);
            request.progress.joined_context = instance.stored(request);
            request.progress.joined = Snapshot { step, ..instance.totals };
            instance.batch.fresh.push(slot);
        }
    }
    instance.batch.second.clear();
    instance.batch.without_decode = true;
}

/// Preempts a running sequence: it returns to the front of the queue and recomputes whatever it does not find cached then.
pub(crate) fn preempt<O: Observer>(world: &mut World<O>, id: InstanceId, slot: Slot) {
    let now = world.now();
    let World { fleet, requests, .. } = world;
    let instance = &mut fleet.instances[id];
    if requests[slot].progress.stage == Stage::Decoding && requests[slot].iterations(instance.batch.decode.step()) > 0 {
        requests[slot].timeline.last_token = now;
    }
    instance.leave_batch(requests, slot);
    let request = &mut requests[slot];
    let progress = &mut request.progress;
    progress.lost = progress.lost.max(progress.computed);
    progress.preemptions += 1;
    progress.returning = true;
    // Until cached blocks are found again, all lost tokens are pending, in addition to those not yet computed.
    let to_come = if progress.stage == Stage::Prefilling { progress.target - progress.computed } else { 0 };
    progress.stage = Stage::Waiting;
    progress.target = request.ask.prompt + progress.generated;
    let more = progress.target - to_come;
    release::retire(world, slot);
    let World { fleet, requests, observer, classes, .. } = world;
    let class = &classes[requests[slot].ask.class];
    fleet.loads.change(id).add_pending(&mut requests[slot], more);
    let instance = &mut fleet.instances[id];
    instance.queue.push(requests, slot, now, class, true);
    instance.queue.returning += 1;
    observer.on(now, &Observation::Preempted { pool: instance.pool });
    world.change_queue(world.fleet.instances[id].pool, 1);
}

/// Books a computed chunk. True if it completes the prompt of a request that has not timed out: its token leaves now, unless it leaves from
/// the decode side.
pub(crate) fn chunk_computed<O: Observer>(world: &mut World<O>, id: InstanceId, chunk: Chunk) -> bool {
    let now = world.now();
    let keeps_token = world.keeps_token(id) && world.hands_on(id, chunk.slot);
    let World { fleet, requests, observer, hearing, .. } = world;
    let (instance, request) = (&mut fleet.instances[id], &mut requests[chunk.slot]);
    let computed = request.progress.computed + chunk.tokens;
    request.usage.recomputed += u64::from(request.progress.lost.min(computed).saturating_sub(request.progress.computed));
    request.progress.computed = computed;
    fleet.loads.change(id).computed(request, chunk.tokens);
    let shared = instance.kv.publish(&request.ask.blocks, computed.min(request.ask.prompt), &mut request.progress.held);
    let done = computed >= request.progress.target && !request.is_done();
    if done {
        request.timeline.prefill_end.get_or_insert(now);
        if !keeps_token {
            let is_first = request.timeline.first_token.is_none();
            request.send_token(observer, now);
            if is_first && hearing.listens() {
                hearing.first_token(request);
            }
        }
        instance.batch.prefilling.retain(|&other| other != chunk.slot);
    }
    if shared {
        // Requests with the same prefix need less memory now.
        world.memory_freed(id);
    }
    done
}

/// A finished prompt joins the decode batch of the same instance.
pub(crate) fn decode_here<O: Observer>(world: &mut World<O>, id: InstanceId, slot: Slot) {
    let request = &mut world.requests[slot];
    request.progress.stage = Stage::Decoding;
    world.fleet.instances[id].join_decode(request, slot);
}

/// Releases the memory and the load of a request on its instance.
pub(super) fn give_back<O: Observer>(world: &mut World<O>, slot: Slot) {
    release::give_back(world, slot);
    let World { fleet, requests, .. } = world;
    let request = &mut requests[slot];
    fleet.loads.change(request.progress.instance).unassign(request);
}

/// Adds an arriving request.
///
/// # Errors
/// [`TooMany`] requests in flight to number.
pub(crate) fn arrive<O: Observer>(world: &mut World<O>, spec: RequestSpec) -> Result<Slot, TooMany> {
    let now = world.now();
    world.observer.on(now, &Observation::Arrived { class: spec.class });
    let slot = world.requests.insert(now, spec)?;
    timeouts::note_deadline(world, slot);
    Ok(slot)
}
