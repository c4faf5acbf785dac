//! A request comes in: routing to the queue of an instance, or rejection.

use crate::cluster::ids::{InstanceId, ModelId};
use crate::cluster::observe::{Observer, Outcome};
use crate::cluster::spec::{ClusterSpec, RouterSpec};
use crate::cluster::state::{Entry, Load, World, leave, moves};
use crate::policy::{Candidates, RequestView, Router};
use crate::sim::{Arena, Purpose, Streams, TooMany};
use crate::workload::RequestSpec;

/// The routers of arrivals.
#[derive(Debug)]
pub(crate) struct Arrivals {
    routers: Arena<ModelId, Box<dyn Router>>,
}

/// Entry instances as a router sees them.
struct Entries<'a> {
    loads: &'a Arena<InstanceId, Load>,
    all: &'a [Entry],
    prompt: u32,
}

impl Candidates for Entries<'_> {
    fn len(&self) -> usize {
        self.all.len()
    }
    fn eligible(&self, i: usize) -> bool {
        self.prompt < self.all[i].context
    }
    fn in_flight(&self, i: usize) -> u64 {
        self.loads[self.all[i].id].in_flight()
    }
    fn pending_tokens(&self, i: usize) -> u64 {
        self.loads[self.all[i].id].pending_tokens()
    }
    fn least_in_flight(&self) -> Option<usize> {
        Load::least(self.loads, self.all.iter().map(|entry| entry.id), Load::in_flight)
    }
    fn least_pending_tokens(&self) -> Option<usize> {
        Load::least(self.loads, self.all.iter().map(|entry| entry.id), Load::pending_tokens)
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

    /// A request arrives now.
    ///
    /// # Errors
    /// [`TooMany`] requests inside to be numbered.
    pub(crate) fn arrive<O: Observer>(&mut self, world: &mut World<O>, spec: RequestSpec) -> Result<(), TooMany> {
        let view = RequestView { class: spec.class, prompt_tokens: spec.prompt_tokens };
        let slot = moves::arrive(world, spec)?;
        let model = world.model_of(slot);
        let route = world.fleet.route(model);
        if route.entry().is_empty() {
            leave::leave(world, slot, Outcome::RejectedNoInstance);
            return Ok(());
        }
        let candidates = Entries { loads: world.fleet.loads(), all: route.entry(), prompt: view.prompt_tokens };
        match self.routers[model].route(&view, &candidates) {
            Some(chosen) => {
                let Entry { id, output_context, .. } = route.entry()[chosen];
                moves::enqueue(world, slot, id, output_context);
            }
            None => leave::leave(world, slot, Outcome::RejectedPromptTooLong),
        }
        Ok(())
    }
}
