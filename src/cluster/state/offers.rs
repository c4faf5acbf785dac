//! Finished prompts that wait for memory on the decode side: for whichever instance has room, or for the one that the router has bound them
//! for on arrival.

use super::request::{Request, Stage};
use super::world::World;
use crate::cluster::event::Wake;
use crate::cluster::ids::{InstanceId, Slot};
use crate::cluster::observe::Observer;

/// A finished prompt waits from now on.
pub(super) fn push<O: Observer>(world: &mut World<O>, slot: Slot) {
    let model = world.model_of(slot);
    let bound_for = bound_for(world, slot);
    let World { fleet, requests, .. } = world;
    match bound_for {
        Some(to) => {
            fleet.instances[to].traffic.bound.push_back(requests, slot);
            fleet.routes[model].bound += 1;
        }
        None => fleet.routes[model].handoffs.push_back(requests, slot),
    }
    world.change_handoff_queue(model, 1);
    world.agenda.post(Wake::Memory(model));
}

/// Receiver that the router chose on arrival.
pub(crate) fn bound_for<O: Observer>(world: &World<O>, slot: Slot) -> Option<InstanceId> {
    world.requests[slot].progress.bound_for
}

/// Binds the KV of a request, if it is handed off from `prefill`, for the decode instance at a position of its model: it waits for memory
/// there. If that instance does not serve, or could never hold the request, it waits for whichever has room.
pub(crate) fn bind<O: Observer>(world: &mut World<O>, slot: Slot, prefill: InstanceId, position: usize) {
    let to = world.fleet.routes[world.model_of(slot)].decode.get(position).copied();
    let tokens = world.requests[slot].progress.target.saturating_add(world.tokens_to_come());
    let can_hold = |to: &InstanceId| world.fleet.members[*to].serves() && world.fleet.instances[*to].engine.max_model_len >= tokens;
    world.requests[slot].progress.bound_for = to.filter(can_hold).filter(|_| world.fleet.hands_on(prefill));
}

/// Removes a finished prompt from the list in which it waits for memory.
pub(super) fn remove<O: Observer>(world: &mut World<O>, slot: Slot) {
    let model = world.model_of(slot);
    let World { fleet, requests, .. } = world;
    match requests[slot].progress.bound_for {
        Some(to) => {
            fleet.instances[to].traffic.bound.remove(requests, slot);
            fleet.routes[model].bound -= 1;
        }
        None => fleet.routes[model].handoffs.remove(requests, slot),
    }
    world.change_handoff_queue(model, -1);
}

/// An instance stops serving: requests bound for it go to whichever has room.
pub(super) fn unbind<O: Observer>(world: &mut World<O>, id: InstanceId) {
    let model = world.fleet.pool_of(id).spec.model;
    let World { fleet, requests, .. } = world;
    while let Some(slot) = fleet.instances[id].traffic.bound.first() {
        fleet.instances[id].traffic.bound.remove(requests, slot);
        fleet.routes[model].bound -= 1;
        fleet.routes[model].handoffs.push_back(requests, slot);
    }
    let bound: Vec<Slot> = requests.iter().filter(|(_, request)| request.progress.bound_for == Some(id)).map(|(slot, _)| slot).collect();
    if !bound.is_empty() {
        world.agenda.post(Wake::Memory(model));
    }
    for slot in bound {
        world.requests[slot].progress.bound_for = None;
    }
}

impl Request {
    /// True if memory is reserved for it on an instance and its KV has not arrived.
    pub(super) fn is_expected_at(&self, id: InstanceId) -> bool {
        self.progress.decode_instance == Some(id) && !self.handoff.reserved.is_empty()
    }

    /// True if its prompt is done and it has no receiver.
    pub(crate) const fn is_on_offer(&self) -> bool {
        matches!(self.progress.stage, Stage::Stalled | Stage::Reserving)
    }

    /// True if the router has chosen the receiver of its KV.
    pub(crate) const fn is_bound(&self) -> bool {
        self.progress.bound_for.is_some()
    }
}
