//! Routing of a request to the queue of an instance, or rejection.

use crate::cluster::ids::{ModelId, Slot};
use crate::cluster::observe::{Observer, Outcome};
use crate::cluster::spec::{ClusterSpec, RouterSpec};
use crate::cluster::state::{Entry, Fleet, Load, World, failure, leave, moves, transit};
use crate::policy::{Candidates, RequestView, Router};
use crate::sim::{Arena, Purpose, Streams};

/// The routers of arrivals.
#[derive(Debug)]
pub(crate) struct Arrivals {
    routers: Arena<ModelId, Box<dyn Router>>,
}

/// Entry instances as a router sees them.
struct Entries<'a> {
    fleet: &'a Fleet,
    all: &'a [Entry],
    tokens: u32,
    /// A prompt that is handed on will find a receiver, as far as is known.
    has_receiver: bool,
}

impl Entries<'_> {
    /// True if the tokens fit the context of an instance.
    fn fits(&self, i: usize) -> bool {
        self.tokens < self.all[i].context
    }
}

impl Candidates for Entries<'_> {
    fn len(&self) -> usize {
        self.all.len()
    }
    fn eligible(&self, i: usize) -> bool {
        let id = self.all[i].id;
        self.fits(i) && self.fleet.member(id).is_listed() && (self.has_receiver || !self.fleet.hands_on(id))
    }
    fn in_flight(&self, i: usize) -> u64 {
        self.fleet.loads()[self.all[i].id].in_flight()
    }
    fn pending_tokens(&self, i: usize) -> u64 {
        self.fleet.loads()[self.all[i].id].pending_tokens()
    }
    fn least_in_flight(&self) -> Option<usize> {
        Load::least(self.fleet.loads(), self.all.iter().map(|entry| entry.id), Load::in_flight)
    }
    fn least_pending_tokens(&self) -> Option<usize> {
        Load::least(self.fleet.loads(), self.all.iter().map(|entry| entry.id), Load::pending_tokens)
    }
}

impl Arrivals {
    pub(crate) fn new<O: Observer>(spec: &ClusterSpec, world: &World<O>) -> Self {
        let streams = Streams::new(spec.seed);
        let RouterSpec { prefill, mixed, .. } = spec.routers;
        let routers = Arena::mirror(world.fleet.routes(), |model, route| {
            let kind = if route.is_split() { prefill } else { mixed };
            kind.build(streams.stream(Purpose::Routing, 2 * u32::from(model.0)))
        });
        Self { routers }
    }

    /// A request that is in no place goes to the queue of an instance. It is refused where none could ever take it; where none does now, or
    /// the one that is chosen turns out not to serve or to find no receiver, the attempt has failed.
    pub(crate) fn route<O: Observer>(&mut self, world: &mut World<O>, slot: Slot) {
        let (model, request) = (world.model_of(slot), &world.requests[slot]);
        let view = RequestView { class: request.class(), prompt_tokens: request.target() };
        let route = world.fleet.route(model);
        if route.entry().is_empty() {
            return leave::leave(world, slot, Outcome::RejectedNoInstance);
        }
        let has_receiver = world.fleet.is_whole() || world.fleet.lists_receiver(model);
        let candidates = Entries { fleet: &world.fleet, all: route.entry(), tokens: view.prompt_tokens, has_receiver };
        match self.routers[model].route(&view, &candidates) {
            Some(chosen) => {
                let Entry { id, output_context, .. } = route.entry()[chosen];
                let has_receiver = world.has_receiver(slot) || !transit::needs_room(world, id, slot);
                if world.fleet.member(id).serves() && has_receiver {
                    moves::enqueue(world, slot, id, output_context);
                } else {
                    failure::fail_attempt(world, slot);
                }
            }
            None if (0..candidates.len()).any(|i| candidates.fits(i)) => failure::fail_attempt(world, slot),
            None => leave::leave(world, slot, Outcome::RejectedPromptTooLong),
        }
    }
}
