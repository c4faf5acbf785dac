//! Arrivals: routes a request to the queue of an instance, or rejects it.

use std::cell::RefCell;

use crate::cluster::ids::{ModelId, Slot};
use crate::cluster::observe::Observer;
use crate::cluster::routers::{FEW, Receivers, Routers, most_cached};
use crate::cluster::spec::{ClusterSpec, RouterSpec};
use crate::cluster::state::{Entry, Side, World, failure, leave, moves, offers, transit, views};
use crate::policy::router::{first_in_order, scan, sorted};
use crate::policy::{Admission, Admit, Candidates, Decider, Path, Pick, Signal};
use crate::sim::{Arena, Purpose, Streams};
use crate::workload::Outcome;

/// Policies on arriving requests.
#[derive(Debug)]
pub(crate) struct Arrivals {
    routers: Routers,
    /// `None`: every request is let in.
    admission: Arena<ModelId, Option<Box<dyn Admission>>>,
    /// `None`: every request is split.
    deciders: Arena<ModelId, Option<Box<dyn Decider>>>,
}

/// Instances of a side where a request may begin, as policies see them.
struct Places<'a, 'w, O> {
    world: &'a RefCell<&'w mut World<O>>,
    model: ModelId,
    side: Side,
    slot: Slot,
    tokens: u32,
    receivers: Receivers<'a, 'w, O>,
    /// True if, as far as the routers know, a decode instance can receive the prompt after a handoff.
    has_receiver: bool,
}

impl<'a, 'w, O: Observer> Places<'a, 'w, O> {
    fn new(world: &'a RefCell<&'w mut World<O>>, model: ModelId, side: Side, slot: Slot, tokens: u32) -> Self {
        let has_receiver = world.borrow().fleet.is_whole() || world.borrow().fleet.lists_receiver(model);
        let receivers = Receivers { world, model, slot, now: false };
        Self { world, model, side, slot, tokens, receivers, has_receiver }
    }

    fn place(&self, i: usize) -> Entry {
        self.world.borrow().fleet.place(self.model, self.side, i)
    }
}

impl<O: Observer> Candidates for Places<'_, '_, O> {
    fn len(&self) -> usize {
        self.world.borrow().fleet.places(self.model, self.side)
    }
    fn instance(&self, i: usize) -> u32 {
        self.place(i).id.0
    }
    fn eligible(&self, i: usize) -> bool {
        let fleet = &self.world.borrow().fleet;
        let place = fleet.place(self.model, self.side, i);
        place.fits(self.tokens) && fleet.member(place.id).is_listed() && (self.has_receiver || !fleet.hands_on(place.id))
    }
    fn read(&self, i: usize, signal: Signal) -> f64 {
        let mut world = self.world.borrow_mut();
        let id = world.fleet.place(self.model, self.side, i).id;
        world.read(id, self.slot, signal)
    }
    fn receivers(&self) -> Option<&dyn Candidates> {
        (self.side == Side::Entry && !self.receivers.is_empty()).then_some(&self.receivers as &dyn Candidates)
    }
    fn least(&self, signal: Signal) -> Option<usize> {
        match signal {
            Signal::InFlight | Signal::PendingTokens => {
                first_in_order(self, signal, |refused| self.world.borrow_mut().fleet.least(self.model, self.side, signal, refused))
            }
            _ => scan(self, signal),
        }
    }
    fn greatest(&self, signal: Signal) -> Box<dyn Iterator<Item = (usize, f64)> + '_> {
        match signal {
            Signal::PrefixHit if self.len() > FEW => Box::new(most_cached(self.world, self.model, self.side, self.slot)),
            _ => Box::new(sorted(self, signal)),
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
        let deciders = Arena::mirror(world.fleet.routes(), |model, _| {
            let decider = spec.disaggregation.build(streams.stream(Purpose::Disaggregation, model.0.into()));
            Some(decider).filter(|policy| !policy.always_splits())
        });
        Self { routers, admission, deciders }
    }

    /// Asks about a request that has not been let in, if there is anything to ask; false if it waits or has been refused.
    fn let_in<O: Observer>(&mut self, world: &mut World<O>, slot: Slot, model: ModelId) -> bool {
        let Some(admission) = self.admission[model].as_mut().filter(|_| !views::is_let_in(world, slot)) else { return true };
        let blocks = views::blocks_of(world, slot);
        let view = world.view(slot, &blocks);
        match admission.admit(&view, &Places::new(&RefCell::new(world), model, Side::Entry, slot, view.prompt_tokens)) {
            Admit::Now => return views::let_in(world, slot),
            Admit::NotBefore(at) => views::route_again(world, slot, at),
            Admit::Refuse(refusal) => leave::leave(world, slot, Outcome::Refused(refusal)),
        }
        false
    }

    /// The side on which a request begins.
    #[cold]
    fn decided_side<O: Observer>(&mut self, world: &mut World<O>, slot: Slot, model: ModelId) -> Side {
        let Some(decider) = self.deciders[model].as_mut() else { return Side::Entry };
        let route = world.fleet.route(model);
        if !route.is_split() || route.decode().is_empty() {
            return Side::Entry;
        }
        let blocks = views::blocks_of(world, slot);
        let view = world.view(slot, &blocks);
        let world = RefCell::new(world);
        let of = |side| Places::new(&world, model, side, slot, view.prompt_tokens);
        match decider.path(&view, &of(Side::Entry), &of(Side::Decode)) {
            Path::Split => Side::Entry,
            Path::Decode => Side::Decode,
        }
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
        let side = if self.deciders[model].is_some() { self.decided_side(world, slot, model) } else { Side::Entry };
        let router = self.routers.informed(world, model);
        let blocks = views::blocks_of(world, slot);
        let view = world.view(slot, &blocks);
        let pick = router.route(&view, &Places::new(&RefCell::new(world), model, side, slot, view.prompt_tokens));
        match pick {
            Pick::To(chosen) | Pick::Pair { prefill: chosen, .. } if chosen >= world.fleet.places(model, side) => {
                failure::fail_attempt(world, slot);
            }
            Pick::To(chosen) | Pick::Pair { prefill: chosen, .. } => {
                let Entry { id, output_context, .. } = world.fleet.place(model, side, chosen);
                let has_receiver = world.has_receiver(slot) || !transit::needs_room(world, id, slot);
                if world.fleet.member(id).serves() && has_receiver {
                    if router.listens() {
                        router.assigned(&view, id.0);
                    }
                    if let Pick::Pair { decode, .. } = pick {
                        offers::bind(world, slot, id, decode);
                    }
                    moves::enqueue(world, slot, id, output_context);
                } else {
                    failure::fail_attempt(world, slot);
                }
            }
            Pick::Wait { until } => views::route_again(world, slot, until),
            Pick::Refuse(refusal) => leave::leave(world, slot, Outcome::Refused(refusal)),
            Pick::NoneEligible => {
                let mut places = (0..world.fleet.places(model, side)).map(|i| world.fleet.place(model, side, i));
                if places.any(|place| place.fits(view.prompt_tokens)) {
                    failure::fail_attempt(world, slot);
                } else {
                    leave::leave(world, slot, Outcome::RejectedPromptTooLong);
                }
            }
        }
    }
}
