//! The one exit, from any stage: resources of a request are released and its end is reported, once.
//!
//! Resources are released at once if the request only waits, at the end of the iteration if it runs, and at the end of its transfer if its
//! KV is on the wire. A wake is posted for the requests queued behind it.

use super::ledger::Ledger;
use super::request::{Request, Stage};
use super::world::World;
use super::{frontend, moves, offers, transit, views};
use crate::cluster::event::Wake;
use crate::cluster::ids::{InstanceId, Slot};
use crate::cluster::observe::{Observation, Observer};
use crate::policy::Pick;
use crate::workload::{Ended, Outcome};

/// A request leaves the cluster with the given outcome.
pub(crate) fn leave<O: Observer>(world: &mut World<O>, slot: Slot, outcome: Outcome) {
    let (stage, id) = (world.requests[slot].progress.stage, world.requests[slot].progress.instance);
    match stage {
        // Rejected, failed, or waiting for a retry.
        Stage::Arrived => {
            views::wait_no_longer(world, slot);
            report(world, slot, outcome);
            world.requests.remove(slot);
        }
        Stage::AtFrontend => {
            report(world, slot, outcome);
            frontend::out_of_station(world, slot);
            world.requests.remove(slot);
        }
        Stage::Waiting => {
            report(world, slot, outcome);
            out_of_queue(world, id, slot);
            forget(world, slot);
        }
        // Done: the request timed out during the iteration; its resources are released now.
        Stage::Prefilling | Stage::Decoding | Stage::Done => leave_batch(world, id, slot, outcome),
        Stage::Reserving => {
            report(world, slot, outcome);
            out_of_handoffs(world, id, slot);
            forget(world, slot);
        }
        Stage::Resident => {
            report(world, slot, outcome);
            out_of_residents(world, id, slot);
            forget(world, slot);
        }
        // Service continues to its end; blocks being transferred are released when the transfer ends.
        Stage::InFrontend | Stage::Transferring => report(world, slot, outcome),
        Stage::Stalled => {
            report(world, slot, outcome);
            world.settle(id);
            forget(world, slot);
            world.wake(id);
        }
    }
}

/// A request that a policy has refused leaves.
pub(crate) fn refuse<O: Observer>(world: &mut World<O>, slot: Slot) {
    if let Some(Pick::Refuse(refusal)) = world.requests[slot].progress.held_by {
        leave(world, slot, Outcome::Refused(refusal));
    }
}

/// Out of the queue of an instance. If it was first, the next may start at the next boundary, at once if the instance is idle.
pub(super) fn out_of_queue<O: Observer>(world: &mut World<O>, id: InstanceId, slot: Slot) {
    let first = world.fleet.instances[id].queue.first();
    let was_first = first == Some(slot);
    if was_first {
        world.touch(id);
    }
    if world.requests[slot].progress.residue.is_some() || world.fleet.instances[id].queue.is_ordered() {
        // A run evicts as it proceeds, and releasing the residue changes what it evicts from now on.
        world.catch_up(id);
    }
    let World { fleet, requests, .. } = world;
    let queue = &mut fleet.instances[id].queue;
    let came_back = requests[slot].progress.returning;
    queue.returning -= u32::from(came_back);
    let reopens = came_back && queue.returning == 0;
    queue.remove(requests, slot, false);
    let moved = queue.first() != first;
    world.change_queue(world.fleet.instances[id].pool, -1);
    transit::end_refusal(world, slot);
    if reopens {
        world.memory_freed(id);
    }
    if moved {
        world.touch(id);
        let model = world.model_of(slot);
        if world.fleet.routes[model].unblock(id) {
            world.agenda.post(Wake::Memory(model));
        }
        world.wake(id);
    }
}

/// Out of a batch: at once at a boundary, otherwise when the iteration ends.
fn leave_batch<O: Observer>(world: &mut World<O>, id: InstanceId, slot: Slot, outcome: Outcome) {
    world.catch_up(id);
    world.touch(id);
    if world.fleet.instances[id].is_free() {
        return leave_batch_now(world, id, slot, outcome);
    }
    let instance = &mut world.fleet.instances[id];
    if world.requests[slot].progress.stage == Stage::Decoding {
        world.requests[slot].book_decode(instance.batch.decode.step(), &instance.totals);
    }
    instance.batch.leaving.push(slot);
    report(world, slot, outcome);
}

fn leave_batch_now<O: Observer>(world: &mut World<O>, id: InstanceId, slot: Slot, outcome: Outcome) {
    out_of_batch(world, id, slot);
    if world.requests[slot].progress.stage == Stage::Decoding && outcome == Outcome::Completed {
        world.requests[slot].timeline.last_token = world.now();
        publish_answer(world, id, slot);
    }
    report(world, slot, outcome);
    forget(world, slot);
    world.memory_freed(id);
}

/// Publishes the full blocks of a complete answer: the next call of a session repeats it. The last token was never an input, so its KV is not
/// stored.
fn publish_answer<O: Observer>(world: &mut World<O>, id: InstanceId, slot: Slot) {
    let World { fleet, requests, .. } = world;
    let request = &mut requests[slot];
    let stored = request.progress.computed;
    fleet.instances[id].kv.publish(&request.ask.blocks, stored, &mut request.progress.held);
}

/// Out of the batch of an instance that is at a boundary or has failed.
pub(super) fn out_of_batch<O: Observer>(world: &mut World<O>, id: InstanceId, slot: Slot) {
    let World { fleet, requests, .. } = world;
    let instance = &mut fleet.instances[id];
    // A finished prompt is no longer in the list of prefilling ones; if its token was the last, it never joined the decode batch.
    let ends_with_prompt = requests[slot].progress.stage == Stage::Prefilling && !instance.batch.prefilling.contains(&slot);
    if ends_with_prompt {
        instance.batch.admitted.remove(requests, slot);
    } else {
        instance.leave_batch(requests, slot);
    }
    instance.batch.leaving.retain(|&other| other != slot);
}

/// Releases requests that timed out during the iteration that has just ended.
pub(crate) fn let_leaving_go<O: Observer>(world: &mut World<O>, id: InstanceId) {
    for slot in std::mem::take(&mut world.fleet.instances[id].batch.leaving) {
        leave_batch_now(world, id, slot, Outcome::TimedOut);
    }
}

/// Out of the requests waiting for decode memory: the next one may need less, and the sender's blocks are released.
pub(super) fn out_of_handoffs<O: Observer>(world: &mut World<O>, sender: InstanceId, slot: Slot) {
    let model = world.model_of(slot);
    let was_first = match world.requests[slot].progress.bound_for {
        Some(to) => world.fleet.instances[to].first_bound() == Some(slot),
        None => world.fleet.routes[model].handoffs.first() == Some(slot),
    };
    offers::remove(world, slot);
    world.settle(sender);
    if was_first {
        world.agenda.post(Wake::Memory(model));
    }
    world.wake(sender);
}

/// Out of the requests whose KV has arrived on an instance and that have not joined its batch.
pub(super) fn out_of_residents<O: Observer>(world: &mut World<O>, id: InstanceId, slot: Slot) {
    world.touch(id);
    world.settle(id);
    world.fleet.instances[id].queue.resident.remove(&mut world.requests, slot);
    world.change_queue(world.fleet.instances[id].pool, -1);
    world.memory_freed(id);
}

/// Releases a request's resources on both sides and removes it; during a transfer, the removal waits for its end.
fn forget<O: Observer>(world: &mut World<O>, slot: Slot) {
    moves::give_back(world, slot);
    world.requests[slot].progress.stage = Stage::Done;
    if world.requests[slot].handoff.transfer.is_some() {
        return;
    }
    if !world.requests[slot].handoff.reserved.is_empty() {
        transit::report_transfer(world, slot);
        transit::cancel_reservation(world, slot);
    }
    world.requests.remove(slot);
}

/// Reports the end of a request, once.
fn report<O: Observer>(world: &mut World<O>, slot: Slot, outcome: Outcome) {
    let now = world.now();
    let request = &mut world.requests[slot];
    if std::mem::replace(&mut request.progress.reported, true) {
        return;
    }
    let ended = if outcome == Outcome::Completed { request.timeline.last_token } else { now };
    if outcome != Outcome::Completed && request.progress.stage != Stage::Arrived {
        request.progress.stage = Stage::Done;
    }
    if world.audit && world.disorder.is_none() {
        world.disorder = disorder(request);
    }
    let record = request.record(outcome, ended, now);
    let end = Ended { tag: request.ask.tag, class: record.class, turn: record.turn, at: now, outcome, output_tokens: record.output_tokens };
    world.requests.count_end();
    world.departed.push(end);
    if world.hearing.listens() {
        world.hearing.ended(&world.requests[slot], now, outcome);
    }
    world.observer.on(now, &Observation::Ended(&record));
}

/// Reports every request that is still in flight at the end of the run.
pub(super) fn report_unfinished<O: Observer>(world: &mut World<O>) {
    let now = world.now();
    let inside: Vec<Slot> = world.requests.iter().filter(|(_, request)| !request.progress.reported).map(|(slot, _)| slot).collect();
    for slot in inside {
        let request = &mut world.requests[slot];
        if request.progress.stage == Stage::Decoding {
            let instance = &world.fleet.instances[request.progress.instance];
            request.book_decode(instance.batch.decode.step(), &instance.totals);
        }
        world.observer.on(now, &Observation::Ended(&request.record(Outcome::InFlight, now, now)));
    }
}

/// Ends the run: reports gauges and idle times up to now, and the requests still in flight.
pub(crate) fn close<O: Observer>(mut world: World<O>) -> O {
    let now = world.now();
    for id in world.fleet.instances.ids() {
        world.settle(id);
        world.settle_idle(id);
        let World { fleet, requests, observer, .. } = &mut world;
        let instance = &fleet.instances[id];
        Ledger { id, pool: &fleet.pools[instance.pool].spec, keeps_token: false, requests, observer }.book_cut_off(instance, now);
    }
    report_unfinished(&mut world);
    for id in world.fleet.pools.ids() {
        world.change_queue(id, 0);
    }
    for id in world.frontends.pools.ids() {
        frontend::settle(&mut world, id);
    }
    for model in world.fleet.routes.ids() {
        world.change_handoff_queue(model, 0);
    }
    world.observer
}

/// Describes timestamps of a request that are out of order; `None` if all are in order.
fn disorder(request: &Request) -> Option<String> {
    let timeline = &request.timeline;
    let decoded = timeline.decode_start.map(|_| timeline.last_token);
    let times = [Some(timeline.arrived), timeline.prefill_start, timeline.prefill_end, timeline.delivered, timeline.decode_start, decoded];
    // A request preempted before its first decode iteration gets its second token from the recomputation.
    let last = timeline.first_token.map(|_| timeline.last_token);
    let tokens = [timeline.prefill_start, timeline.first_token, timeline.second_token, last];
    let wire = [timeline.reserved_at, timeline.transfer_start, timeline.delivered];
    let ordered = [&times[..], &tokens, &wire].iter().all(|times| times.iter().flatten().is_sorted());
    (!ordered).then(|| format!("request {} has timestamps out of order: {times:?}, {tokens:?}, {wire:?}", request.ask.id))
}
