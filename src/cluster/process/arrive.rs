//! Arrivals: routes a request to the queue of an instance, or rejects it.

use std::cell::RefCell;

use crate::cluster::ids::{ModelId, Slot};
use crate::cluster::observe::Observer;
use crate::cluster::routers::Routers;
use crate::cluster::spec::{ClusterSpec, RouterSpec};
use crate::cluster::state::{Entry, Side, World, failure, leave, moves, transit, views};
use crate::policy::router::{first_in_order, scan};
use crate::policy::{Admission, Admit, Candidates, Pick, Signal};
use crate::sim::{Arena, Purpose, Streams};
use crate::workload::Outcome;

/// Who decides about arriving requests.
#[derive(Debug)]
pub(crate) struct Arrivals {
    routers: Routers,
    /// `None`: every request is let in.
    admission: Arena<ModelId, Option<Box<dyn Admission>>>,
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

impl<O: Observer> Candidates for Entries<'_, O> {
    fn len(&self) -> usize {
        self.world.borrow().fleet.route(self.model).entry().len()
    }
    fn instance(&self, i: usize) -> u32 {
        self.world.borrow().fleet.route(self.model).entry()[i].id.0
    }
    fn eligible(&self, i: usize) -> bool {
        let fleet = &self.world.borrow().fleet;
        let entry = &fleet.route(self.model).entry()[i];
        entry.fits(self.tokens) && fleet.member(entry.id).is_listed() && (self.has_receiver || !fleet.hands_on(entry.id))
    }
    fn read(&self, i: usize, signal: Signal) -> f64 {
        let mut world = self.world.borrow_mut();
        let id = world.fleet.route(self.model).entry()[i].id;
        world.read(id, self.slot, signal)
    }
    fn least(&self, signal: Signal) -> Option<usize> {
        match signal {
            Signal::InFlight | Signal::PendingTokens => {
                first_in_order(self, signal, |refused| self.world.borrow_mut().fleet.least(self.model, Side::Entry, signal, refused))
            }
            _ => scan(self, signal),
        }
    }
}

impl Arrivals {
    pub(crate) fn new<O: Observer>(spec: &ClusterSpec, world: &mut World<O>) -> Self {
        let streams = Streams::new(spec.seed);
        let RouterSpec { prefill, mixed, .. } = &spec.routers;
        let routers = Routers::new(Side::Entry, world, |world, model| {
            let kind = if world.fleet.route(model).is_split() { prefill } else { mixed };
            kind.build(streams.stream(Purpose::Routing, 2 * u32::from(model.0)))
        });
        let admission = Arena::mirror(world.fleet.routes(), |model, _| {
            Some(spec.admission.build(streams.stream(Purpose::Admission, model.0.into()))).filter(|policy| !policy.admits_all())
        });
        Self { routers, admission }
    }

    /// Asks about a request that has not been let in, if there is anything to ask; false if it waits or has been refused.
    fn let_in<O: Observer>(&mut self, world: &mut World<O>, slot: Slot, model: ModelId) -> bool {
        let Some(admission) = self.admission[model].as_mut().filter(|_| !views::is_let_in(world, slot)) else { return true };
        let blocks = views::blocks_of(world, slot);
        let view = world.view(slot, &blocks);
        let has_receiver = world.fleet.is_whole() || world.fleet.lists_receiver(model);
        let candidates = Entries { world: RefCell::new(world), model, slot, tokens: view.prompt_tokens, has_receiver };
        match admission.admit(&view, &candidates) {
            Admit::Now => return views::let_in(world, slot),
            Admit::NotBefore(at) => views::route_again(world, slot, at),
            Admit::Refuse(refusal) => leave::leave(world, slot, Outcome::Refused(refusal)),
        }
        false
    }

    /// Routes a request to the queue of an instance, or as the router decides otherwise. The request is rejected if no instance could ever
    /// take it. The attempt fails if no listed instance can take it now, or if the chosen one does not serve or has no receiver for its
    /// handoff.
    pub(crate) fn route<O: Observer>(&mut self, world: &mut World<O>, slot: Slot) {
        let model = world.model_of(slot);
        if world.fleet.route(model).entry().is_empty() {
            return leave::leave(world, slot, Outcome::RejectedNoInstance);
        }
        if !self.let_in(world, slot, model) {
            return;
        }
        let router = self.routers.informed(world, model);
        let blocks = views::blocks_of(world, slot);
        let view = world.view(slot, &blocks);
        let has_receiver = world.fleet.is_whole() || world.fleet.lists_receiver(model);
        let candidates = Entries { world: RefCell::new(world), model, slot, tokens: view.prompt_tokens, has_receiver };
        let pick = router.route(&view, &candidates);
        let entries = world.fleet.route(model).entry();
        match pick {
            Pick::To(chosen) => {
                let Entry { id, output_context, .. } = entries[chosen];
                let has_receiver = world.has_receiver(slot) || !transit::needs_room(world, id, slot);
                if world.fleet.member(id).serves() && has_receiver {
                    if router.listens() {
                        router.assigned(&view, id.0);
                    }
                    moves::enqueue(world, slot, id, output_context);
                } else {
                    failure::fail_attempt(world, slot);
                }
            }
            Pick::Wait { until } => views::route_again(world, slot, until),
            Pick::Refuse(refusal) => leave::leave(world, slot, Outcome::Refused(refusal)),
            Pick::NoneEligible if entries.iter().any(|entry| entry.fits(view.prompt_tokens)) => failure::fail_attempt(world, slot),
            Pick::NoneEligible => leave::leave(world, slot, Outcome::RejectedPromptTooLong),
        }
    }
}
