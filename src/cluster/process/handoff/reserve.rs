//! Reservations: which request gets memory on the decode side, and which retries when some is freed.
//!
//! Two kinds of request wait for decode memory: with `after-prefill`, finished prompts, in one queue per model; with `layer-wise`, the
//! first request of each prefill instance, instances first come, first served. Whenever a decode instance may have room again, the head
//! of each queue retries; when the head leaves its queue, the next one retries.

use std::cell::RefCell;

use crate::cluster::event::Wake;
use crate::cluster::ids::{InstanceId, ModelId, Slot};
use crate::cluster::observe::Observer;
use crate::cluster::routers::Routers;
use crate::cluster::spec::ClusterSpec;
use crate::cluster::state::{Side, World, transit, views};
use crate::policy::router::{first_in_order, scan};
use crate::policy::{Candidates, Pick, RequestView, Signal};
use crate::sim::{Purpose, Streams};

/// The routers of handoffs.
#[derive(Debug)]
pub(crate) struct Handoffs {
    routers: Routers,
}

/// Decode instances, as a router sees them. Only the ones that it queries are brought up to date.
struct Receivers<'a, O> {
    world: RefCell<&'a mut World<O>>,
    model: ModelId,
    slot: Slot,
}

impl<O: Observer> Candidates for Receivers<'_, O> {
    fn len(&self) -> usize {
        self.world.borrow().fleet.route(self.model).decode().len()
    }
    fn eligible(&self, i: usize) -> bool {
        let mut world = self.world.borrow_mut();
        let id = world.fleet.route(self.model).decode()[i];
        transit::could_receive(*world, id, self.slot)
    }
    fn instance(&self, i: usize) -> u32 {
        self.world.borrow().fleet.route(self.model).decode()[i].0
    }
    fn read(&self, i: usize, signal: Signal) -> f64 {
        let mut world = self.world.borrow_mut();
        let id = world.fleet.route(self.model).decode()[i];
        world.read(id, self.slot, signal)
    }
    fn least(&self, signal: Signal) -> Option<usize> {
        match signal {
            Signal::InFlight | Signal::PendingTokens => {
                first_in_order(self, signal, |refused| self.world.borrow_mut().fleet.least(self.model, Side::Decode, signal, refused))
            }
            _ => scan(self, signal),
        }
    }
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
        // Blocked prefill instances, first come, first served. The first that still finds no room ends the round; otherwise short prompts
        // would keep taking the memory that a long one needs. A busy instance is skipped until its next boundary.
        while let Some(&id) = world.fleet.route(model).blocked().front() {
            if world.fleet.instance(id).is_free() {
                world.wake(id);
                return;
            }
            world.fleet.route_mut(model).pass_over_blocked();
        }
    }

    /// True if a request may start its prefill: always, except that a layer-wise handoff first needs a reservation on the decode side.
    /// Blocked instances get theirs first come, first served.
    pub(crate) fn may_start<O: Observer>(&mut self, world: &mut World<O>, id: InstanceId, slot: Slot) -> bool {
        if !transit::needs_room(world, id, slot) {
            return true;
        }
        let model = world.model_of(slot);
        let is_next = world.fleet.route(model).blocked().front().is_none_or(|&first| first == id);
        let reserved = is_next && self.reserve(world, slot);
        if reserved {
            transit::end_refusal(world, slot);
            if world.fleet.route_mut(model).unblock(id) {
                world.agenda.post(Wake::Memory(model));
            }
        } else {
            world.fleet.route_mut(model).block(id);
            transit::note_refusal(world, slot);
        }
        reserved
    }

    /// Reserves memory for a request on the decode instance that the router chooses.
    fn reserve<O: Observer>(&mut self, world: &mut World<O>, slot: Slot) -> bool {
        let model = world.model_of(slot);
        let router = self.routers.informed(world, model);
        let blocks = views::blocks_of(world, slot);
        let view = RequestView { prompt_tokens: world.requests[slot].prompt(), ..world.view(slot, &blocks) };
        let pick = router.route(&view, &Receivers { world: RefCell::new(world), model, slot });
        views::note_handoff(world, slot, pick);
        let Pick::To(chosen) = pick else { return false };
        let id = world.fleet.route(model).decode()[chosen];
        if router.listens() {
            router.assigned(&view, id.0);
        }
        let reserved = transit::reserve(world, id, slot);
        debug_assert!(reserved, "the router chose an eligible instance");
        reserved
    }
}
