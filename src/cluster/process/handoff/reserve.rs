//! Reservations: which request gets memory on the decode side, and which retries when some is freed.
//!
//! Two kinds of request wait for decode memory: with `after-prefill`, finished prompts, in one queue per model; with `layer-wise`, the
//! first request of each prefill instance, instances first come, first served. Whenever a decode instance may have room again, the head
//! of each queue retries; when the head leaves its queue, the next one retries.

use std::cell::RefCell;

use crate::cluster::candidates::Receivers;
use crate::cluster::event::Wake;
use crate::cluster::ids::{InstanceId, ModelId, Slot};
use crate::cluster::observe::Observer;
use crate::cluster::routers::Routers;
use crate::cluster::spec::ClusterSpec;
use crate::cluster::state::{Side, World, offers, transit, views};
use crate::policy::{Pick, RequestView};
use crate::sim::{Purpose, Streams};

/// The routers of handoffs.
#[derive(Debug)]
pub(crate) struct Handoffs {
    routers: Routers,
}

impl Handoffs {
    pub(crate) fn new<O: Observer>(spec: &ClusterSpec, world: &mut World<O>) -> Self {
        let streams = Streams::new(spec.seed);
        let make = |_: &World<O>, model: ModelId| spec.routers.decode.build(streams.stream(Purpose::Routing, 2 * u32::from(model.0) + 1));
        Self { routers: Routers::new(Side::Decode, world, make) }
    }

    /// Decode memory of a model may have been freed: the waiting requests retry their reservations.
    pub(crate) fn retry<O: Observer>(&mut self, world: &mut World<O>, model: ModelId) {
        while let Some(slot) = world.fleet.route(model).handoffs().first() {
            if !self.reserve(world, slot) {
                break;
            }
            transit::send_held(world, slot);
        }
        if world.fleet.route(model).has_bound() {
            for i in 0..world.fleet.route(model).decode().len() {
                let id = world.fleet.route(model).decode()[i];
                while let Some(slot) = world.fleet.instance(id).first_bound() {
                    if !self.reserve(world, slot) {
                        break;
                    }
                    transit::send_held(world, slot);
                }
            }
        }
        // Blocked prefill instances, first come, first served. The first that still finds no room ends the round; otherwise short prompts
        // would keep taking the memory that a long one needs. A busy instance is skipped until its next boundary, and one whose first
        // request is bound for an instance holds up no other.
        let mut position = 0;
        while let Some(&id) = world.fleet.route(model).blocked().get(position) {
            if !world.fleet.instance(id).is_free() {
                world.fleet.route_mut(model).pass_over_blocked(position);
                continue;
            }
            world.wake(id);
            if !is_first_bound(world, id) {
                return;
            }
            position += 1;
        }
    }

    /// True if a request may start its prefill: always, except that a layer-wise handoff first needs a reservation on the decode side.
    /// Blocked instances get theirs first come, first served.
    pub(crate) fn may_start<O: Observer>(&mut self, world: &mut World<O>, id: InstanceId, slot: Slot) -> bool {
        let model = world.model_of(slot);
        if !transit::needs_room(world, id, slot) {
            if world.requests[slot].is_kept() {
                end_block(world, model, id, slot);
            }
            return true;
        }
        let blocked = world.fleet.route(model).blocked();
        let mut before = blocked.iter().take_while(|&&other| other != id);
        let is_next = is_first_bound(world, id) || before.all(|&other| is_first_bound(world, other));
        let reserved = is_next && self.reserve(world, slot);
        if reserved {
            end_block(world, model, id, slot);
        } else {
            world.fleet.route_mut(model).block(id);
            transit::note_refusal(world, slot);
        }
        reserved
    }

    /// Reserves memory for a request on the decode instance that the router chooses.
    fn reserve<O: Observer>(&mut self, world: &mut World<O>, slot: Slot) -> bool {
        let model = world.model_of(slot);
        if let Some(to) = offers::bound_for(world, slot) {
            return transit::could_receive(world, to, slot) && transit::reserve(world, to, slot);
        }
        let router = self.routers.informed(world, model);
        let blocks = views::blocks_of(world, slot);
        let view = RequestView { prompt_tokens: world.requests[slot].prompt(), ..world.view(slot, &blocks) };
        let pick = match router.route(&view, &Receivers { world: &RefCell::new(world), model, slot, now: true }) {
            Pick::Pair { prefill, .. } => Pick::To(prefill),
            pick => pick,
        };
        views::note_handoff(world, slot, pick);
        let Pick::To(chosen) = pick else { return false };
        let Some(&id) = world.fleet.route(model).decode().get(chosen) else { return false };
        if router.listens() {
            router.assigned(&view, id.0);
        }
        let reserved = transit::reserve(world, id, slot);
        debug_assert!(reserved, "the router chose an eligible instance");
        reserved
    }
}

/// The first request of an instance waits for memory no longer.
fn end_block<O: Observer>(world: &mut World<O>, model: ModelId, id: InstanceId, slot: Slot) {
    transit::end_refusal(world, slot);
    if world.fleet.route_mut(model).unblock(id) {
        world.agenda.post(Wake::Memory(model));
    }
}

/// True if the first request in the queue of an instance is bound for a decode instance.
fn is_first_bound<O: Observer>(world: &World<O>, id: InstanceId) -> bool {
    world.fleet.instance(id).first_waiting().is_some_and(|slot| world.requests[slot].is_bound())
}
