//! The lifecycle of an instance: failure, drain, shutdown, start, service.

use super::failure;
use super::offers;
use super::world::World;
use crate::cluster::event::Event;
use crate::cluster::ids::InstanceId;
use crate::cluster::observe::{Observation, Observer};
use crate::policy::{Life, Role};
use crate::sim::{SimDuration, SimTime};

/// An instance fails, whatever its state.
pub(crate) fn fail<O: Observer>(world: &mut World<O>, id: InstanceId) {
    if world.fleet.members[id].life == Life::Down {
        return;
    }
    let last_boundary = world.cut_off(id);
    change_life(world, id, Life::Down);
    offers::unbind(world, id);
    failure::lose_all(world, id, last_boundary);
    if world.fleet.members[id].role == Role::Decode {
        failure::lose_those_without_receiver(world, world.fleet.pool_of(id).spec.model);
    }
}

/// Drains an active instance: it accepts no new requests and, once the present ones are finished, goes down or changes its role.
pub(crate) fn drain<O: Observer>(world: &mut World<O>, id: InstanceId, next_role: Option<Role>) {
    let member = &mut world.fleet.members[id];
    if member.life != Life::Active {
        return;
    }
    member.next_role = next_role;
    change_life(world, id, Life::Draining);
    offers::unbind(world, id);
    if world.fleet.members[id].role == Role::Decode {
        failure::lose_those_without_receiver(world, world.fleet.pool_of(id).spec.model);
    }
    // The instance may have nothing to finish.
    world.wake(id);
}

/// True if a draining instance has finished all its requests.
pub(crate) fn has_drained<O: Observer>(world: &World<O>, id: InstanceId) -> bool {
    let instance = &world.fleet.instances[id];
    // The transfer of a request that timed out is not part of the load, so transfers and blocks are checked too.
    let quiet = instance.is_idle() && instance.traffic.transfers == 0 && instance.kv.used() == 0;
    world.fleet.members[id].life == Life::Draining && world.fleet.loads[id].in_flight() == 0 && quiet
}

/// Ends a drain: the instance goes down or changes its role.
pub(crate) fn end_drain<O: Observer>(world: &mut World<O>, id: InstanceId) {
    if let Some(role) = world.fleet.members[id].next_role.take() {
        world.fleet.members[id].role = role;
        world.fleet.assign_roles(world.fleet.pool_of(id).spec.model);
        return activate(world, id);
    }
    change_life(world, id, Life::Down);
    world.fleet.instances[id].kv.clear();
}

/// Powers on an instance that is down; it accepts requests after `takes`.
pub(crate) fn start<O: Observer>(world: &mut World<O>, id: InstanceId, takes: SimDuration) {
    if world.fleet.members[id].life != Life::Down {
        return;
    }
    if takes == SimDuration::ZERO {
        return activate(world, id);
    }
    change_life(world, id, Life::Starting);
    let generation = world.fleet.members[id].generation.bump();
    world.calendar.schedule(takes, Event::Started { instance: id, generation });
}

/// An instance accepts requests from now on.
pub(crate) fn activate<O: Observer>(world: &mut World<O>, id: InstanceId) {
    change_life(world, id, Life::Active);
    world.memory_freed(id);
}

fn change_life<O: Observer>(world: &mut World<O>, id: InstanceId, life: Life) {
    let now = world.now();
    world.settle(id);
    world.settle_idle(id);
    let World { fleet, observer, life_changes, health_check, calendar, .. } = world;
    let member = &mut fleet.members[id];
    fleet.absent -= u32::from(member.life != Life::Active);
    fleet.absent += u32::from(life != Life::Active);
    member.life = life;
    observer.on(now, &Observation::Life { pool: fleet.instances[id].pool, instance: id, life });
    life_changes.push((id, life));
    if health_check.period.is_none() {
        member.listed = life == Life::Active;
    }
    fleet.loads.hide(id, member.is_hidden());
    let Some(period) = health_check.period else { return };
    if !std::mem::replace(&mut health_check.scheduled, true) {
        calendar.schedule_at(next_multiple(now, period), Event::HealthCheck);
    }
}

/// The first multiple of `period` (> 0) after `now`.
fn next_multiple(now: SimTime, period: SimDuration) -> SimTime {
    SimTime::from_ns((now.ns() / period.ns() + 1).saturating_mul(period.ns()))
}

/// Updates the routers' list of active instances.
pub(crate) fn check_health<O: Observer>(world: &mut World<O>) {
    let World { fleet, health_check, .. } = world;
    health_check.scheduled = false;
    for id in fleet.members.ids() {
        let member = &mut fleet.members[id];
        member.listed = member.life == Life::Active;
        fleet.loads.hide(id, member.is_hidden());
    }
}
