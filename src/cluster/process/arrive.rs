//! Arrivals: routes a request to the queue of an instance, or rejects it.

use std::cell::RefCell;

use crate::cluster::candidates::Places;
use crate::cluster::deciders::Deciders;
use crate::cluster::ids::{ModelId, Slot};
use crate::cluster::observe::Observer;
use crate::cluster::routers::Routers;
use crate::cluster::spec::{ClusterSpec, RouterSpec};
use crate::cluster::state::{Entry, Side, World, failure, leave, moves, offers, transit, views};
use crate::policy::{Admission, Admit, Pick};
use crate::sim::{Arena, Purpose, Streams};
use crate::workload::Outcome;

/// Policies on arriving requests.
#[derive(Debug)]
pub(crate) struct Arrivals {
    routers: Routers,
    /// `None`: every request is let in.
    admission: Arena<ModelId, Option<Box<dyn Admission>>>,
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
        match admission.admit(&view, &Places::new(&RefCell::new(world), model, Side::Entry, slot, view.prompt_tokens)) {
            Admit::Now => return views::let_in(world, slot),
            Admit::NotBefore(at) => views::route_again(world, slot, at),
            Admit::Refuse(refusal) => leave::leave(world, slot, Outcome::Refused(refusal)),
        }
        false
    }

    /// Routers that have requests wait hear what has happened, and route those that they name.
    #[cold]
    pub(crate) fn recall<O: Observer>(&mut self, world: &mut World<O>, deciders: &mut Deciders) {
        for model in world.fleet.routes().ids() {
            let router = self.routers.informed(world, model);
            let most = world.hearing.waiters();
            let numbers: Vec<u64> = std::iter::from_fn(|| router.ready()).take(most).collect();
            for slot in views::recall(world, model, &numbers) {
                self.route(world, slot, deciders);
            }
        }
    }

    /// Routes a request to the queue of an instance, or as the router decides otherwise. The request is rejected if no instance could ever
    /// take it. The attempt fails if no listed instance can take it now, or if the chosen one does not serve or has no receiver for its
    /// handoff.
    pub(crate) fn route<O: Observer>(&mut self, world: &mut World<O>, slot: Slot, deciders: &mut Deciders) {
        views::wait_no_longer(world, slot);
        let model = world.model_of(slot);
        if world.fleet.route(model).entry().is_empty() {
            return leave::leave(world, slot, Outcome::RejectedNoInstance);
        }
        if !self.let_in(world, slot, model) {
            return;
        }
        let side = deciders.side(world, slot, model);
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
            Pick::Wait { until } => views::wait(world, slot, until),
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
