//! The handoff of a request from a prefill to a decode instance, and the transfer of its KV.
//!
//! ```text
//! hold ─► reserve ─► send ─► deliver ─► activate         reserve ─► (prefill; send layer by layer) ─► hold ─► deliver ─► activate
//! ```

use super::instance::Chunk;
use super::load::Load;
use super::moves;
use super::offers;
use super::release;
use super::request::Stage;
use super::world::World;
use crate::cluster::event::{Event, Wake};
use crate::cluster::ids::{InstanceId, Slot};
use crate::cluster::observe::{Observation, Observer};
use crate::cluster::spec::FirstToken;
use crate::kv::Lease;
use crate::policy::Life;
use crate::sim::SimDuration;

/// A finished prompt leaves the batch. It waits for memory on the decode side, unless that is already reserved.
pub(crate) fn hold<O: Observer>(world: &mut World<O>, id: InstanceId, slot: Slot) {
    world.fleet.instances[id].batch.admitted.remove(&mut world.requests, slot);
    world.requests[slot].handoff.held_back = true;
    if world.requests[slot].is_reserved() {
        world.requests[slot].progress.stage = Stage::Transferring;
        return deliver_if_sent(world, slot);
    }
    offer(world, slot);
}

/// Offers a finished prompt: it waits for memory on the decode side, after a receiver failure only once the sender timeout has expired.
pub(crate) fn offer<O: Observer>(world: &mut World<O>, slot: Slot) {
    let (not_before, epoch) = (world.requests[slot].handoff.not_before, world.requests[slot].progress.epoch);
    if not_before > world.now() {
        world.requests[slot].progress.stage = Stage::Stalled;
        return world.calendar.schedule_at(not_before, Event::SenderTimeout { slot, epoch });
    }
    world.requests[slot].progress.stage = Stage::Reserving;
    if world.layer_wise() {
        // Requests with a reservation may wait for the very blocks that this prompt holds, so the offer is limited in time.
        world.calendar.schedule(world.failure_timeout, Event::SenderTimeout { slot, epoch });
    }
    offers::push(world, slot);
}

/// True if a decode instance can accept a handoff now: it is active; its context has room for the prompt, the first token and, if that
/// leaves from the prefill side, one more; it has no preempted requests to recompute; and the reservation leaves one free block per running
/// sequence, so that the handoff does not evict the batch it is about to join.
pub(crate) fn could_receive<O: Observer>(world: &mut World<O>, id: InstanceId, slot: Slot) -> bool {
    let (instance, request) = (&world.fleet.instances[id], &world.requests[slot]);
    let holds =
        world.fleet.members[id].serves() && instance.engine.max_model_len >= request.progress.target.saturating_add(world.tokens_to_come());
    let has_seat = instance.committed() < u64::from(instance.engine.max_num_seqs);
    if !holds || instance.is_catching_up_on_preempted() || !has_seat {
        return false;
    }
    let next = world.next_token();
    if instance.has_room_beside_plan(instance.handoff_need_at_most(request, next) + instance.running()) {
        return true;
    }
    // A run takes memory as it proceeds, and changes nothing else that matters here.
    world.catch_up(id);
    let (instance, request) = (&world.fleet.instances[id], &world.requests[slot]);
    let (hit, need) = instance.handoff_need(request, next);
    instance.kv.fits(&request.ask.blocks, hit, need + instance.running())
}

/// True if a decode instance is listed and its context has room for a request, whatever memory is free.
pub(crate) fn is_receiver<O: Observer>(world: &World<O>, id: InstanceId, slot: Slot) -> bool {
    let tokens = world.requests[slot].progress.target.saturating_add(world.tokens_to_come());
    world.fleet.members[id].is_listed() && world.fleet.instances[id].engine.max_model_len >= tokens
}

/// True if a request needs a reservation on the decode side before its prefill may start here.
pub(crate) fn needs_room<O: Observer>(world: &World<O>, id: InstanceId, slot: Slot) -> bool {
    if !world.layer_wise() || !world.hands_on(id, slot) || world.requests[slot].is_reserved() {
        return false;
    }
    // If no decode instance could add a token after the first, the request ends with its first token, on the prefill side.
    let longest = world.fleet.route(world.model_of(slot)).longest_decode;
    longest.is_some_and(|longest| longest >= world.requests[slot].progress.target.saturating_add(world.tokens_to_come()))
}

/// The prompts that the coming end of an iteration completes and that would then wait for memory on the decode side.
pub(crate) fn to_hand_off<O: Observer>(world: &World<O>, id: InstanceId) -> Vec<Slot> {
    let waits = |chunk: &&Chunk| {
        let request = &world.requests[chunk.slot];
        request.completes(chunk.tokens) && !request.is_reserved() && world.hands_on(id, chunk.slot)
    };
    world.fleet.instances[id].batch.chunks.iter().filter(waits).map(|chunk| chunk.slot).collect()
}

/// A prefill instance keeps a request: it generates the output, too, as far as its own context reaches.
pub(crate) fn keep<O: Observer>(world: &mut World<O>, id: InstanceId, slot: Slot) {
    let request = &mut world.requests[slot];
    request.handoff.kept = true;
    request.progress.bound_for = None;
    request.cut(world.fleet.instances[id].engine.max_model_len);
}

/// Reserves memory for a request on a decode instance; false, and nothing changed, if there is too little.
pub(crate) fn reserve<O: Observer>(world: &mut World<O>, id: InstanceId, slot: Slot) -> bool {
    let (now, next) = (world.now(), world.next_token());
    let instance = &world.fleet.instances[id];
    let beside_plan = instance.has_room_beside_plan(instance.handoff_need_at_most(&world.requests[slot], next));
    if beside_plan {
        world.expire(id);
    } else {
        world.catch_up(id);
    }
    let World { fleet, requests, .. } = world;
    let (instance, request) = (&mut fleet.instances[id], &mut requests[slot]);
    let (hit, need) = instance.handoff_need(request, next);
    let used = instance.kv.used();
    let Some(lease) = instance.kv.lease(&request.ask.blocks, hit, need) else { return false };
    request.handoff.reserved = lease;
    request.timeline.reserved_at = Some(now);
    request.progress.decode_instance = Some(id);
    request.handoff.way = None;
    request.cut(instance.engine.max_model_len);
    request.handoff.decode_hit = instance.kv.group_tokens(hit);
    request.handoff.offered = request.handoff.decode_hit;
    instance.traffic.incoming += 1;
    instance.traffic.incoming_blocks += need;
    let taken = instance.kv.used() - used;
    instance.traffic.unreported.push((now, taken));
    fleet.loads.change(id).expect(request);
    if !beside_plan {
        world.shorten(id);
    }
    true
}

/// A request is refused decode memory before its prefill.
pub(crate) fn note_refusal<O: Observer>(world: &mut World<O>, slot: Slot) {
    if world.requests[slot].timeline.refused_at.is_none() {
        world.requests[slot].timeline.refused_at = Some(world.now());
        world.change_handoff_queue(world.model_of(slot), 1);
    }
}

/// Ends a refusal, if there was one: the request has its reservation, or leaves.
pub(crate) fn end_refusal<O: Observer>(world: &mut World<O>, slot: Slot) {
    let now = world.now();
    let timeline = &mut world.requests[slot].timeline;
    if let Some(since) = timeline.refused_at.take() {
        // After the first token, the wait is due to a failure.
        if timeline.first_token.is_none() {
            timeline.memory_wait = now.since(since);
        }
        world.change_handoff_queue(world.model_of(slot), -1);
    }
}

/// The first waiting prompt has its reservation on the decode side: all of its KV is sent.
pub(crate) fn send_held<O: Observer>(world: &mut World<O>, slot: Slot) {
    offers::remove(world, slot);
    let request = &mut world.requests[slot];
    request.progress.stage = Stage::Transferring;
    request.handoff.offered = request.progress.target;
    let bytes = wire_bytes(world, slot, world.requests[slot].handoff.decode_hit, world.requests[slot].progress.target);
    send(world, slot, bytes);
}

/// Activates a delivered request: the sender's blocks are released and the sequence may join the decode batch. A token that came with the
/// KV leaves now; true if that was its last.
pub(crate) fn activate<O: Observer>(world: &mut World<O>, slot: Slot) -> bool {
    let now = world.now();
    let sender = world.requests[slot].progress.instance;
    let Some(receiver) = world.requests[slot].progress.decode_instance else { return false };
    world.settle(sender);
    report_transfer(world, slot);
    moves::give_back(world, slot);
    world.requests[slot].timeline.delivered = Some(now);
    world.wake(sender);
    if world.requests[slot].is_done() {
        cancel_reservation(world, slot);
        world.requests.remove(slot);
        return false;
    }
    world.touch(receiver);
    // Its memory was taken with the reservation; only sharing through the prefix cache can change the gauges.
    if world.fleet.instances[receiver].engine.prefix_caching && !world.requests[slot].ask.blocks.is_empty() {
        world.settle(receiver);
    }
    let World { fleet, requests, observer, hearing, first_token, .. } = world;
    let (instance, request) = (&mut fleet.instances[receiver], &mut requests[slot]);
    request.handoff.held_back = false;
    request.progress.held = std::mem::take(&mut request.handoff.reserved);
    let taken = request.progress.held.own();
    Load::arrive(request);
    request.progress.instance = receiver;
    request.progress.stage = Stage::Resident;
    // With `recomputed`, the last token of the prompt is computed again to generate the next.
    request.progress.computed = request.progress.target - u32::from(*first_token == FirstToken::Recomputed);
    if *first_token == FirstToken::Seeded {
        observer.on(now, &Observation::Token);
        let is_first = request.timeline.first_token.is_none();
        request.send_token(observer, now);
        if is_first && hearing.listens() {
            hearing.first_token(request);
        }
    }
    let finished = request.is_finished();
    let shared = instance.kv.publish(&request.ask.blocks, request.ask.prompt, &mut request.progress.held);
    instance.traffic.incoming -= 1;
    instance.traffic.incoming_blocks -= taken;
    instance.queue.resident.push_back(requests, slot);
    world.change_queue(world.fleet.instances[receiver].pool, 1);
    world.wake(receiver);
    if shared {
        world.memory_freed(receiver);
    }
    finished
}

/// Releases the reservation on the decode side of a request that will not be delivered.
pub(super) fn cancel_reservation<O: Observer>(world: &mut World<O>, slot: Slot) {
    let Some(id) = world.requests[slot].progress.decode_instance else { return };
    world.touch(id);
    world.settle(id);
    let World { fleet, requests, .. } = world;
    let (instance, request) = (&mut fleet.instances[id], &mut requests[slot]);
    let lease: Lease = std::mem::take(&mut request.handoff.reserved);
    instance.traffic.incoming_blocks -= lease.own();
    instance.traffic.incoming -= 1;
    fleet.loads.change(id).expect_no_more(request);
    release::release(world, id, slot, lease);
    world.wake(id);
    world.memory_freed(id);
}

/// Once the prompt is done and its last byte has left the wire, only set-up and latency remain. A request that timed out during a
/// layer-wise prefill holds memory on the decode side only, and is removed.
pub(super) fn deliver_if_sent<O: Observer>(world: &mut World<O>, slot: Slot) {
    let request = &world.requests[slot];
    if request.handoff.transfer.is_some() {
        return;
    }
    if request.is_done() && request.progress.held.is_empty() {
        report_transfer(world, slot);
        cancel_reservation(world, slot);
        world.requests.remove(slot);
    } else if request.handoff.held_back {
        let epoch = request.progress.epoch;
        let overhead = world.fleet.pool_of(request.progress.instance).spec.handoff_overhead;
        world.calendar.schedule(overhead, Event::Delivered { slot, epoch });
    }
}

/// Bytes on the wire for the KV of positions `from..to` of a sequence; 0 without a receiver.
pub(super) fn wire_bytes<O: Observer>(world: &World<O>, slot: Slot, from: u32, to: u32) -> f64 {
    let request = &world.requests[slot];
    let receiver = request.progress.decode_instance.map(|id| &world.fleet.pool_of(id).spec);
    receiver.map_or(0.0, |spec| spec.kv_bytes(from, to, request.progress.target))
}

/// Sends `bytes` of KV, if there are any and the request has a receiver.
pub(super) fn send<O: Observer>(world: &mut World<O>, slot: Slot, bytes: f64) {
    let request = &world.requests[slot];
    let (from, Some(to)) = (request.progress.instance, request.progress.decode_instance) else { return };
    if bytes <= 0.0 {
        return;
    }
    let now = world.now();
    let World { wire, fleet, requests, .. } = world;
    if wire.send(now, fleet, requests, slot, bytes) {
        change_transfers(world, from, 1);
        change_transfers(world, to, 1);
    }
    wire_changed(world);
}

/// An iteration begins on a prefill instance with layer-wise overlap: KV cached there is sent at once, that of the chunks from the end of
/// their first layer.
pub(crate) fn send_cached_of_chunks<O: Observer>(world: &mut World<O>, id: InstanceId) {
    let layers = world.fleet.pool_of(id).spec.layers;
    let Some(current) = world.fleet.instances[id].flight.current else { return };
    let first_layer = SimDuration::from_ns(current.end.since(current.start).ns().div_ceil(u64::from(layers)));
    for index in 0..world.fleet.instances[id].batch.chunks.len() {
        let chunk = world.fleet.instances[id].batch.chunks[index];
        let request = &world.requests[chunk.slot];
        let (before, start) = (request.handoff.offered, request.handoff.offered.max(request.progress.computed));
        let end = start.max(request.progress.computed + chunk.tokens);
        let (cached, layer_bytes) = (wire_bytes(world, chunk.slot, before, start), wire_bytes(world, chunk.slot, start, end));
        let request = &mut world.requests[chunk.slot];
        (request.handoff.layer_bytes, request.handoff.offered) = (layer_bytes, end);
        let epoch = request.progress.epoch;
        send(world, chunk.slot, cached);
        if layers > 1 {
            world.calendar.schedule(first_layer, Event::LayerReady { slot: chunk.slot, epoch });
        }
    }
}

/// The first layer of a chunk is done: its KV is sent, except for the last layer's share.
pub(crate) fn send_layers_of_chunk<O: Observer>(world: &mut World<O>, slot: Slot) {
    let layers = f64::from(world.fleet.pool_of(world.requests[slot].progress.instance).spec.layers);
    let request = &mut world.requests[slot];
    if request.is_done() {
        return;
    }
    let last = request.handoff.layer_bytes / layers;
    let rest = request.handoff.layer_bytes - last;
    request.handoff.layer_bytes = last;
    send(world, slot, rest);
}

/// A chunk is computed: the rest of its KV is sent.
pub(crate) fn send_rest_of_chunk<O: Observer>(world: &mut World<O>, slot: Slot) {
    let rest = std::mem::take(&mut world.requests[slot].handoff.layer_bytes);
    if rest > 0.0 && !world.requests[slot].is_done() {
        send(world, slot, rest);
    }
}

/// A transfer ends with its last byte.
pub(crate) fn end_transfer<O: Observer>(world: &mut World<O>) {
    let now = world.now();
    if let Some(slot) = world.wire.pop_finished(now, &mut world.requests) {
        let (from, to) = (world.requests[slot].progress.instance, world.requests[slot].progress.decode_instance);
        change_transfers(world, from, -1);
        if let Some(to) = to {
            change_transfers(world, to, -1);
        }
        deliver_if_sent(world, slot);
    }
    wire_changed(world);
}

/// Aborts the transfer of a request whose sender or receiver has failed.
pub(super) fn abort<O: Observer>(world: &mut World<O>, slot: Slot) {
    if world.requests[slot].handoff.transfer.is_none() {
        return;
    }
    let now = world.now();
    world.wire.abort(now, &mut world.requests[slot]);
    let (from, to) = (world.requests[slot].progress.instance, world.requests[slot].progress.decode_instance);
    for end in [Some(from), to].into_iter().flatten() {
        change_transfers(world, end, -1);
    }
    wire_changed(world);
}

/// Takes note of the next end of a transfer. Where transfers share ports, bandwidth is shared at the end of the instant, once for all
/// changes; until then nothing is known but whether one has ended.
fn wire_changed<O: Observer>(world: &mut World<O>) {
    if world.wire.is_shared_out() {
        return share_wire(world);
    }
    world.agenda.post(Wake::Network);
    let now = world.now();
    world.calendar.set_transfer(world.wire.has_finished().then_some(now));
}

/// Shares the bandwidth among the current transfers: now the next end of one is known.
pub(crate) fn share_wire<O: Observer>(world: &mut World<O>) {
    let next = world.wire.share();
    world.calendar.set_transfer(next);
}

/// Changes the number of transfers of an instance.
fn change_transfers<O: Observer>(world: &mut World<O>, id: InstanceId, by: i32) {
    let before = world.fleet.instances[id].traffic.transfers;
    let after = before.saturating_add_signed(by);
    if (before == 0) != (after == 0) {
        world.settle_idle(id);
    }
    world.fleet.instances[id].traffic.transfers = after;
    if world.fleet.members[id].life() == Life::Draining {
        // This may have been the last transfer that kept the instance from going down.
        world.wake(id);
    }
}

/// Reports the bytes sent for a request whose transfer is over, even if it was in vain.
pub(super) fn report_transfer<O: Observer>(world: &mut World<O>, slot: Slot) {
    let request = &world.requests[slot];
    if let Some(start) = request.timeline.transfer_start {
        world.observer.on(world.calendar.now(), &Observation::Transfer { from: start, bytes: request.handoff.bytes });
    }
}
