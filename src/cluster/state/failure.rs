//! Instance failures: what a request loses, and where it continues.
//!
//! | stage | its own instance fails | the receiver of its KV fails |
//! |---|---|---|
//! | waiting, being computed | starts over | the reservation is void; the prompt continues and is offered when done |
//! | prompt done, no receiver yet | starts over | |
//! | reserved, nothing sent | starts over; the receiver's memory is released | offered again at once, from the sender's blocks |
//! | on the wire | transfer aborted, receiver's memory released; starts over | transfer aborted; offered again after the sender timeout |
//! | arrived, decoding | starts over | |
//! | timed out | its remaining resources are released | its remaining resources are released, at once or with the batch |
//!
//! With layer-wise overlap, requests with a reservation may wait for the blocks of an offered prompt. An offer that no instance accepts
//! within the sender timeout therefore starts over too.
//!
//! Starting over means recomputing the prompt and all tokens already sent, on an instance that the router chooses after a back-off. The
//! first token keeps its time, and the time until the next token is one long gap. After too many attempts the request has failed.

use super::request::Stage;
use super::world::World;
use super::{leave, moves, transit};
use crate::cluster::event::{Event, Wake};
use crate::cluster::ids::{InstanceId, ModelId, Slot};
use crate::cluster::observe::Observer;
use crate::sim::SimTime;
use crate::workload::Outcome;

/// Drops everything held on an instance that has stopped computing. Its last iteration ended at `last_boundary`.
pub(super) fn lose_all<O: Observer>(world: &mut World<O>, id: InstanceId, last_boundary: SimTime) {
    let here = |world: &World<O>, slot: Slot| {
        let request = &world.requests[slot];
        request.progress.stage != Stage::Arrived && request.progress.instance == id
    };
    let on_the_way = |world: &World<O>, slot: Slot| world.requests[slot].is_expected_at(id);
    for slot in in_order(world, |world, slot| here(world, slot) || on_the_way(world, slot)) {
        if here(world, slot) {
            lose(world, slot, last_boundary);
        } else {
            lose_receiver(world, slot);
        }
    }
    let model = world.fleet.pool_of(id).spec.model;
    world.fleet.instances[id].forget_all();
    if world.fleet.routes[model].unblock(id) {
        world.agenda.post(Wake::Memory(model));
    }
}

/// An instance of a model stops accepting handoffs: requests without another receiver start over.
pub(super) fn lose_those_without_receiver<O: Observer>(world: &mut World<O>, model: ModelId) {
    let now = world.now();
    let waits = |world: &World<O>, slot: Slot| {
        let progress = &world.requests[slot].progress;
        world.model_of(slot) == model
            && match progress.stage {
                Stage::Reserving => true,
                Stage::Waiting => transit::needs_room(world, progress.instance, slot),
                _ => false,
            }
            && !world.has_receiver(slot)
    };
    for slot in in_order(world, waits) {
        lose(world, slot, now);
    }
}

/// A finished prompt starts over if no instance can receive it.
pub(crate) fn lose_without_receiver<O: Observer>(world: &mut World<O>, slot: Slot) {
    if world.requests[slot].progress.stage == Stage::Reserving && !world.has_receiver(slot) {
        lose(world, slot, world.now());
    }
}

/// The sender timeout of a handoff expires: after a receiver failure the KV is offered again; an unaccepted offer starts over.
pub(crate) fn end_wait_for_receiver<O: Observer>(world: &mut World<O>, slot: Slot) {
    if world.requests[slot].progress.stage == Stage::Reserving {
        return lose(world, slot, world.now());
    }
    transit::offer(world, slot);
    lose_without_receiver(world, slot);
}

/// The requests that satisfy a condition, in order of arrival.
fn in_order<O: Observer>(world: &World<O>, is_one: impl Fn(&World<O>, Slot) -> bool) -> Vec<Slot> {
    let mut slots: Vec<Slot> = world.requests.iter().map(|(slot, _)| slot).filter(|&slot| is_one(world, slot)).collect();
    slots.sort_unstable_by_key(|&slot| world.requests[slot].ask.id);
    slots
}

/// Removes a request from its instance with its KV; it starts over unless it has timed out.
fn lose<O: Observer>(world: &mut World<O>, slot: Slot, last_boundary: SimTime) {
    let (stage, id) = (world.requests[slot].progress.stage, world.requests[slot].progress.instance);
    world.settle(id);
    match stage {
        Stage::Waiting => leave::out_of_queue(world, id, slot),
        Stage::Decoding | Stage::Prefilling => {
            let decoded = stage == Stage::Decoding && world.requests[slot].iterations(world.fleet.instances[id].batch.decode.step()) > 0;
            if decoded {
                world.requests[slot].timeline.last_token = last_boundary;
            }
            leave::out_of_batch(world, id, slot);
        }
        Stage::Done if world.fleet.instances[id].batch.leaving.contains(&slot) => leave::out_of_batch(world, id, slot),
        Stage::Reserving => leave::out_of_handoffs(world, id, slot),
        Stage::Resident => leave::out_of_residents(world, id, slot),
        Stage::Arrived | Stage::AtFrontend | Stage::InFrontend | Stage::Transferring | Stage::Stalled | Stage::Done => {}
    }
    transit::abort(world, slot);
    if !world.requests[slot].handoff.reserved.is_empty() {
        transit::report_transfer(world, slot);
        transit::cancel_reservation(world, slot);
    }
    let request = &world.requests[slot];
    // A request that timed out while part of its prompt was on the wire has already released its memory here.
    if !(stage == Stage::Done && request.progress.held.is_empty()) {
        moves::give_back(world, slot);
    }
    world.wake(id);
    if world.requests[slot].progress.reported {
        return world.requests.remove(slot);
    }
    let now = world.now();
    world.requests[slot].start_over(now);
    fail_attempt(world, slot);
}

/// The receiver of a request's KV fails.
fn lose_receiver<O: Observer>(world: &mut World<O>, slot: Slot) {
    let sender = world.requests[slot].progress.instance;
    transit::abort(world, slot);
    transit::report_transfer(world, slot);
    transit::cancel_reservation(world, slot);
    let sent = world.requests[slot].timeline.transfer_start.is_some();
    let not_before = if sent { world.now() + world.failure_timeout } else { world.now() };
    let request = &mut world.requests[slot];
    request.void_handoff(not_before);
    match request.progress.stage {
        Stage::Transferring => transit::offer(world, slot),
        // It leaves with the batch it is still in.
        Stage::Done if world.fleet.instances[sender].batch.leaving.contains(&slot) => {}
        Stage::Done => {
            if !request.progress.held.is_empty() {
                world.settle(sender);
                moves::give_back(world, slot);
                world.wake(sender);
            }
            world.requests.remove(slot);
        }
        // The prompt continues and is offered when it is done; a waiting one needs a new reservation.
        _ => world.wake(sender),
    }
}

/// A failed attempt: no instance accepted the request, or its instance failed. It is retried after a back-off, until no retry is left.
pub(crate) fn fail_attempt<O: Observer>(world: &mut World<O>, slot: Slot) {
    let now = world.now();
    let request = &mut world.requests[slot];
    request.timeline.failed_at.get_or_insert(now);
    request.progress.failures += 1;
    let (failures, epoch) = (request.progress.failures, request.progress.epoch);
    if failures > world.retry.attempts {
        return leave::leave(world, slot, Outcome::Failed);
    }
    world.calendar.schedule(world.retry.back_off(failures), Event::Retry { slot, epoch });
}
