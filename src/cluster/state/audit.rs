//! The invariants, checked after every event in debug builds and with `--audit`.
//!
//! | | invariant |
//! |---|---|
//! | 1 | requests: arrived = completed + rejected + timed out + failed + in flight |
//! | 2 | lifecycle: each request is in the queue, batch, list or transfer of its stage, and the number of requests in each agrees |
//! | 3 | time: the clock never goes back, no iteration has zero length |
//! | 4 | blocks: held by sequences + reserved + cached + free = all; no block is held twice; residues belong to waiting requests |
//! | 5 | causality: arrived ≤ prefill ≤ prefilled ≤ delivered ≤ decode ≤ last token; prefill ≤ first ≤ second ≤ last; reserved ≤ sent |
//! | 6 | the sums of a decode batch are those of its sequences |
//! | 7 | work conservation: an idle instance has nothing it can run or start; the first request waiting for decode memory cannot have it |
//! | 8 | no oracle: policies get views, which have no output length (by construction) |
//! | 9 | network: no port above its capacity, every transfer has a sender and a receiver |
//! | 10 | liveness: when nothing is scheduled any more, no request is in flight (checked at the end of the run) |
//! | 11 | energy: every nanosecond of every instance is booked once, busy or idle (checked by `tests/conservation.rs`) |
//! | 12 | instances billed = instances provisioned (checked by `tests/conservation.rs`) |
//! | 13 | fleet: an instance that is down or starting is empty; a route has each instance of its model once, by role |
//! | 14 | stations: queue and busy workers match the stages of the requests; a request waits only while every worker is busy |
//!
//! After each event: the clock, the timestamps of requests that left, the ports whose load changed last, and one instance in rotation (2,
//! 3, 4, 6 and the batch of 7). At the end, and once per as many events as there are instances and requests: everything. So an audited
//! event costs the same in a large cluster as in a small one; a sum that is broken once stays broken until it is checked.

use thiserror::Error;

use super::instance::Instance;
use super::offers;
use super::request::Stage;
use super::transit;
use super::world::World;
use crate::cluster::ids::{InstanceId, Slot};
use crate::cluster::observe::Observer;
use crate::policy::{Life, Role};
use crate::sim::{Arena, Id, SimTime};

/// A broken invariant: an internal error, please report it. The run cannot be resumed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("invariant {number} broken: {what}")]
pub struct Violation {
    /// Number of the invariant in the table of `cluster/state/audit.rs`.
    pub number: u8,
    /// Description of the violation.
    pub what: String,
}

fn ensure(number: u8, holds: bool, what: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { number, what: what() }) }
}

/// Checks the invariants of a run, and keeps the position of the rotation.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Audit {
    /// The instance checked last.
    instance: Option<InstanceId>,
    /// Events since the last full audit.
    events: usize,
}

impl Audit {
    /// Checks that the clock does not go back.
    pub(crate) fn clock<O: Observer>(world: &World<O>, next: SimTime) -> Result<(), Violation> {
        ensure(3, next >= world.now(), || format!("the clock goes back from {} to {next}", world.now()))
    }

    /// Checks after an event.
    pub(crate) fn event<O: Observer>(&mut self, world: &mut World<O>) -> Result<(), Violation> {
        self.events += 1;
        if let Some(what) = world.disorder() {
            return Err(Violation { number: 5, what: what.clone() });
        }
        let next = self.instance.and_then(|last| InstanceId::from_index(last.index() + 1));
        let next = next.filter(|&next| world.fleet.instances.get(next).is_some());
        self.instance = next.or_else(|| world.fleet.instances.ids().next());
        if let Some(id) = self.instance {
            audit_instance(world, id, None)?;
        }
        ensure(9, world.wire.fabric().is_last_change_within_capacity(), || "a port carries more than its capacity".into())
    }

    /// Checks after the agenda of an instant has been worked off: everything, at intervals.
    pub(crate) fn instant<O: Observer>(&mut self, world: &mut World<O>) -> Result<(), Violation> {
        if self.events < world.fleet.instances.len() + world.requests.places() {
            return Ok(());
        }
        self.events = 0;
        audit_everything(world)
    }

    /// Checks after the last event.
    pub(crate) fn end<O: Observer>(world: &mut World<O>, exhausted: bool) -> Result<(), Violation> {
        let inside = world.requests.in_flight();
        ensure(10, inside == 0 && exhausted, || {
            let stuck = world.requests.iter().take(5).map(|(_, r)| format!("request {} {:?}", r.ask.id, r.progress.stage));
            let stuck = stuck.collect::<Vec<_>>().join(", ");
            let state = if exhausted { "exhausted" } else { "waiting" };
            format!("nothing is scheduled, but {inside} requests are inside ({stuck}) and the workload is {state}")
        })?;
        for (id, instance) in world.fleet.instances.iter() {
            let used = instance.kv.used();
            ensure(4, used == 0, || format!("instance {} still holds {used} blocks after the last request", id.0))?;
        }
        audit_everything(world)
    }
}

fn audit_everything<O: Observer>(world: &mut World<O>) -> Result<(), Violation> {
    let left_behind = audit_requests(world)?;
    for (id, &blocks) in left_behind.iter() {
        audit_instance(world, id, Some(blocks))?;
    }
    audit_waiting(world)?;
    audit_fleet(world)?;
    audit_stations(world)?;
    ensure(9, world.wire.fabric().within_capacity(), || "a port carries more than its capacity".into())
}

/// Checks every request. Returns, by instance, the blocks of finished prompts that wait for their handoff.
fn audit_requests<O: Observer>(world: &World<O>) -> Result<Arena<InstanceId, u64>, Violation> {
    let (mut inside, mut transfers) = (0u64, 0usize);
    let (mut waiting, mut running, mut reserving, mut arrived, mut refused) = (0u64, 0u64, 0u64, 0u64, 0u64);
    let mut left_behind = Arena::mirror(&world.fleet.instances, |_, _| 0);
    for (_, request) in world.requests.iter() {
        inside += u64::from(!request.progress.reported);
        transfers += usize::from(request.handoff.transfer.is_some());
        refused += u64::from(request.timeline.refused_at.is_some());
        match request.progress.stage {
            Stage::Waiting => waiting += 1,
            Stage::Prefilling | Stage::Decoding => running += 1,
            Stage::Reserving => reserving += 1,
            Stage::Resident => arrived += 1,
            Stage::Arrived | Stage::AtFrontend | Stage::InFrontend | Stage::Transferring | Stage::Stalled | Stage::Done => {}
        }
        if request.handoff.held_back {
            left_behind[request.progress.instance] += request.progress.held.own();
        }
    }
    ensure(1, inside == world.requests.in_flight(), || format!("{inside} requests are inside, {} should be", world.requests.in_flight()))?;
    let sum = |of: &dyn Fn(&Instance) -> u64| world.fleet.instances.values().map(of).sum::<u64>();
    let bound = sum(&|instance| instance.traffic.bound.len());
    let handoffs: u64 = world.fleet.routes.values().map(|route| route.handoffs.len()).sum::<u64>() + bound;
    let counted: u64 = world.fleet.routes.values().map(|route| route.bound).sum();
    ensure(2, bound == counted, || format!("{bound} prompts are bound for an instance, {counted} are counted"))?;
    let short_of_memory: u64 = world.fleet.routes.values().map(|route| route.short_of_memory).sum();
    let aborted = sum(&|instance| instance.batch.leaving.len() as u64);
    for (what, found, expected) in [
        ("wait", waiting, sum(&|instance| instance.queue.waiting().len())),
        ("run", running + aborted, sum(&|instance| instance.batch.admitted.len())),
        ("wait to be handed on", reserving, handoffs),
        ("wait for decode memory", reserving + refused, short_of_memory),
        ("have arrived", arrived, sum(&|instance| instance.queue.resident.len())),
    ] {
        ensure(2, found == expected, || format!("{found} requests {what}, their lists have {expected}"))?;
    }
    ensure(9, transfers == world.wire.fabric().in_flight(), || {
        format!("{transfers} requests are on the wire, the network has {}", world.wire.fabric().in_flight())
    })?;
    let ends: u32 = world.fleet.instances.values().map(|instance| instance.traffic.transfers).sum();
    ensure(9, ends as usize == 2 * transfers, || format!("{transfers} transfers have {ends} ends"))?;
    Ok(left_behind)
}

/// Checks that instances that are down or starting are empty, and that routes contain every instance.
fn audit_fleet<O: Observer>(world: &World<O>) -> Result<(), Violation> {
    let mut absent = 0;
    for (id, member) in world.fleet.members.iter() {
        absent += u32::from(!member.serves());
        if matches!(member.life(), Life::Down | Life::Starting) {
            let (instance, load) = (&world.fleet.instances[id], &world.fleet.loads[id]);
            let holds = instance.running() + instance.kv.used() + u64::from(instance.traffic.incoming + instance.traffic.transfers);
            let waits = instance.queue.waiting().len() + instance.queue.resident.len() + load.in_flight();
            ensure(13, holds + waits == 0 && instance.is_idle(), || format!("instance {} does not serve and holds something", id.0))?;
        }
    }
    ensure(13, absent == world.fleet.absent, || format!("{absent} instances do not serve, {} are counted", world.fleet.absent))?;
    let routed: usize = world.fleet.routes.values().map(|route| route.decode.len() + route.entry.len()).sum();
    for (model, route) in world.fleet.routes.iter() {
        let of_model = |id: InstanceId| world.fleet.pool_of(id).spec.model == model;
        let decode = route.decode.iter().all(|&id| of_model(id) && world.fleet.members[id].role() == Role::Decode);
        let entry = route.entry.iter().all(|entry| of_model(entry.id) && world.fleet.members[entry.id].role() != Role::Decode);
        let ordered = route.decode.is_sorted_by(|a, b| a < b) && route.entry.is_sorted_by(|a, b| a.id < b.id);
        ensure(13, decode && entry && ordered, || format!("model {} is routed to instances that do not serve it", model.0))?;
    }
    // A prefill instance whose model has no decode instance is on no route.
    let alone = world.fleet.members.iter().filter(|&(id, member)| {
        member.role() == Role::Prefill && world.fleet.routes[world.fleet.pool_of(id).spec.model].longest_decode.is_none()
    });
    let expected = world.fleet.members.len() - alone.count();
    ensure(13, routed == expected, || format!("{routed} instances are routed to, {expected} should be"))
}

/// Checks that the queue and busy workers of each station match its requests.
fn audit_stations<O: Observer>(world: &World<O>) -> Result<(), Violation> {
    let mut found = Arena::mirror(&world.frontends.stations, |_, _| (0u64, 0u32));
    for (_, request) in world.requests.iter() {
        let Some(station) = request.progress.station else { continue };
        if request.progress.stage == Stage::AtFrontend {
            found[station].0 += 1;
        } else {
            found[station].1 += 1;
        }
    }
    for (id, station) in world.frontends.stations.iter() {
        let (here, workers) = ((station.queue.len(), station.busy), world.frontends.pool_of(id).spec.workers);
        ensure(14, found[id] == here, || format!("station {} has {here:?} requests waiting and served, expected {:?}", id.0, found[id]))?;
        let conserving = station.busy == workers || (station.busy < workers && station.queue.is_empty());
        ensure(14, conserving, || format!("station {} serves {} of {workers} at once while requests wait", id.0, station.busy))?;
    }
    Ok(())
}

/// Checks that the first request of each queue has a reason to wait.
fn audit_waiting<O: Observer>(world: &mut World<O>) -> Result<(), Violation> {
    for id in world.fleet.instances.ids() {
        let instance = &world.fleet.instances[id];
        let Some(slot) = instance.queue.first().filter(|_| instance.flight.current.is_none()) else { continue };
        let fits = instance.could_start(&world.requests[slot]);
        let needs_room = transit::needs_room(world, id, slot);
        let in_line = world.fleet.routes[world.model_of(slot)].blocked.contains(&id);
        let waits = if needs_room { in_line } else { !fits };
        ensure(7, waits, || format!("instance {} is idle at {}, the first in its queue could start", id.0, world.now()))?;
    }
    for model in world.fleet.routes.ids() {
        let next = world.fleet.routes[model].blocked.front().map(|&id| world.fleet.instances[id].queue.first());
        ensure(7, next != Some(None), || "an instance without requests waits for decode memory".into())?;
        let bound = world.fleet.routes[model].decode.clone().into_iter().map(|id| world.fleet.instances[id].first_bound());
        let bound: Vec<Option<Slot>> = bound.collect();
        for slot in [next.flatten(), world.fleet.routes[model].handoffs.first()].into_iter().chain(bound).flatten() {
            let decode = offers::bound_for(world, slot).map_or_else(|| world.fleet.routes[model].decode.clone(), |to| vec![to]);
            let has_room = decode.into_iter().any(|id| transit::could_receive(world, id, slot));
            let is_held = world.requests[slot].progress.held_by.is_some();
            ensure(7, !has_room || is_held, || format!("request {} waits for decode memory that is there", world.requests[slot].ask.id))?;
        }
    }
    Ok(())
}

/// `left_behind`: blocks of finished prompts on this instance that wait for their handoff; `None` if not counted.
fn audit_instance<O: Observer>(world: &World<O>, id: InstanceId, left_behind: Option<u64>) -> Result<(), Violation> {
    let (instance, index) = (&world.fleet.instances[id], id.0);
    if let Some(current) = instance.flight.current {
        ensure(3, current.end > current.start, || format!("instance {index} has an iteration of no length at {}", current.start))?;
    }
    let mut blocks = instance.traffic.incoming_blocks;
    let (mut decoding, mut context, mut prefilling) = (0u32, 0u64, 0usize);
    for slot in instance.batch.admitted.iter(&world.requests) {
        let request = &world.requests[slot];
        ensure(2, request.progress.instance == id, || format!("request {} runs on instance {index}, not on its own", request.ask.id))?;
        if instance.batch.prefilling.contains(&slot) {
            prefilling += 1;
            blocks += request.progress.held.own();
        } else {
            decoding += 1;
            let stored = u64::from(instance.stored(request));
            context += stored;
            blocks += instance.kv.own_blocks(stored + u64::from(instance.batch.ahead), request.progress.held.groups());
        }
    }
    ensure(6, decoding == instance.batch.decode.count() && context == instance.batch.decode.context(), || {
        format!(
            "instance {index} counts {} sequences of {} tokens, has {decoding} of {context}",
            instance.batch.decode.count(),
            instance.batch.decode.context()
        )
    })?;
    ensure(2, prefilling == instance.batch.prefilling.len(), || format!("instance {index} has a prompt that is not admitted"))?;
    blocks += instance.queue.resident.iter(&world.requests).map(|slot| world.requests[slot].progress.held.own()).sum::<u64>();
    blocks += left_behind.unwrap_or_default();
    let known = left_behind.is_some() || !world.fleet.hands_on(id);
    ensure(4, blocks == instance.kv.private() || !known, || {
        format!("instance {index} has {} blocks taken, its requests hold {blocks}", instance.kv.private())
    })?;
    ensure(4, instance.kv.taken() <= instance.kv.total(), || format!("instance {index} uses more blocks than it has"))?;
    let left = |slot| world.requests[slot].progress.residue.as_ref().map_or(0, |residue| instance.kv.left_of(residue));
    let left: u64 = instance.queue.waiting().iter(&world.requests).map(left).sum();
    ensure(4, left == instance.kv.residues(), || {
        format!("instance {index} keeps {} blocks for waiting requests, whose residues have {left}", instance.kv.residues())
    })?;
    audit_queues(world, id)
}

fn audit_queues<O: Observer>(world: &World<O>, id: InstanceId) -> Result<(), Violation> {
    let (instance, index) = (&world.fleet.instances[id], id.0);
    let is_in = |slot: Slot, stage: Stage| world.requests[slot].progress.stage == stage;
    ensure(2, instance.queue.waiting().iter(&world.requests).all(|slot| is_in(slot, Stage::Waiting)), || {
        format!("instance {index} queues a request that does not wait")
    })?;
    ensure(2, instance.queue.resident.iter(&world.requests).all(|slot| is_in(slot, Stage::Resident)), || {
        format!("instance {index} holds KV of a request that has not arrived")
    })?;
    // An instance with a wake is not idle yet.
    let settled = world.agenda.is_empty();
    ensure(7, !settled || instance.flight.current.is_some() || (instance.queue.resident.is_empty() && instance.running() == 0), || {
        format!("instance {index} is idle at {} with {} sequences to run", world.now(), instance.running() + instance.queue.resident.len())
    })
}
