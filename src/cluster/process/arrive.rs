//! Arrivals: routes a request to the queue of an instance, or rejects it.

use std::cell::RefCell;

use crate::cluster::ids::{ModelId, Slot};
use crate::cluster::observe::Observer;
use crate::cluster::spec::{ClusterSpec, RouterSpec};
use crate::cluster::state::{Entry, Load, Side, World, failure, leave, moves, transit};
use crate::policy::router::first_in_order;
use crate::policy::{Candidates, RequestView, Router, Signal};
use crate::sim::{Arena, Purpose, Streams};
use crate::workload::Outcome;

/// The routers of arriving requests.
#[derive(Debug)]
pub(crate) struct Arrivals {
    routers: Arena<ModelId, Box<dyn Router>>,
}

/// Entry instances, as a router sees them.
struct Entries<'a, O> {
    world: RefCell<&'a mut World<O>>,
    model: ModelId,
    slot: Slot,
    tokens: u32,
    /// True if, as far as the routers know, a decode instance can receive the prompt after a handoff.
    has_receiver: bool,
}

impl<O> Entries<'_, O> {
    fn load(&self, i: usize) -> Load {
        let fleet = &self.world.borrow().fleet;
        fleet.loads()[fleet.route(self.model).entry()[i].id]
    }
}

impl<O: Observer> Candidates for Entries<'_, O> {
    fn len(&self) -> usize {
        self.world.borrow().fleet.route(self.model).entry().len()
    }
    fn eligible(&self, i: usize) -> bool {
        let fleet = &self.world.borrow().fleet;
        let entry = &fleet.route(self.model).entry()[i];
        entry.fits(self.tokens) && fleet.member(entry.id).is_listed() && (self.has_receiver || !fleet.hands_on(entry.id))
    }
    fn in_flight(&self, i: usize) -> u64 {
        self.load(i).in_flight()
    }
    fn pending_tokens(&self, i: usize) -> u64 {
        self.load(i).pending_tokens()
    }
    fn prefix_hit(&self, i: usize) -> u32 {
        let mut world = self.world.borrow_mut();
        let id = world.fleet.route(self.model).entry()[i].id;
        world.prefix_hit(id, self.slot)
    }
    fn least(&self, signal: Signal) -> Option<usize> {
        first_in_order(self, signal, |refused| self.world.borrow_mut().fleet.least(self.model, Side::Entry, signal, refused))
    }
}

impl Arrivals {
    pub(crate) fn new<O: Observer>(spec: &ClusterSpec, world: &World<O>) -> Self {
        let streams = Streams::new(spec.seed);
        let RouterSpec { prefill, mixed, .. } = &spec.routers;
        let routers = Arena::mirror(world.fleet.routes(), |model, route| {
            let kind = if route.is_split() { prefill } else { mixed };
            kind.build(streams.stream(Purpose::Routing, 2 * u32::from(model.0)))
        });
        Self { routers }
    }

    /// Routes a request to the queue of an instance. The request is rejected if no instance could ever take it. The attempt fails if no
    /// listed instance can take it now, or if the chosen one does not serve or has no receiver for its handoff.
    pub(crate) fn route<O: Observer>(&mut self, world: &mut World<O>, slot: Slot) {
        let (model, request) = (world.model_of(slot), &world.requests[slot]);
        let view = RequestView { class: request.class(), prompt_tokens: request.target() };
        if world.fleet.route(model).entry().is_empty() {
            return leave::leave(world, slot, Outcome::RejectedNoInstance);
        }
        let has_receiver = world.fleet.is_whole() || world.fleet.lists_receiver(model);
        let candidates = Entries { world: RefCell::new(world), model, slot, tokens: view.prompt_tokens, has_receiver };
        let chosen = self.routers[model].route(&view, &candidates);
        let entries = world.fleet.route(model).entry();
        match chosen {
            Some(chosen) => {
                let Entry { id, output_context, .. } = entries[chosen];
                let has_receiver = world.has_receiver(slot) || !transit::needs_room(world, id, slot);
                if world.fleet.member(id).serves() && has_receiver {
                    moves::enqueue(world, slot, id, output_context);
                } else {
                    failure::fail_attempt(world, slot);
                }
            }
            None if entries.iter().any(|entry| entry.fits(view.prompt_tokens)) => failure::fail_attempt(world, slot),
            None => leave::leave(world, slot, Outcome::RejectedPromptTooLong),
        }
    }
}
