//! The routers of one side of the cluster, a router a model, and what they hear.

use super::ids::ModelId;
use super::observe::Observer;
use super::state::{Side, World};
use crate::policy::Router;
use crate::sim::Arena;

/// Routers by model.
#[derive(Debug)]
pub(super) struct Routers {
    side: Side,
    of: Arena<ModelId, Box<dyn Router>>,
}

impl Routers {
    /// Routers of a side, made for each model of a cluster. If one of them listens, the cluster keeps what it is to hear.
    pub(super) fn new<O: Observer>(side: Side, world: &mut World<O>, mut make: impl FnMut(&World<O>, ModelId) -> Box<dyn Router>) -> Self {
        let of = Arena::mirror(world.fleet.routes(), |model, _| make(world, model));
        // Where nothing is handed off, a decode router never decides: what it is to hear would only pile up.
        let decides = |model| side == Side::Entry || world.fleet.route(model).is_split();
        if of.iter().any(|(model, router)| router.listens() && decides(model)) {
            world.hearing.listen(side);
        }
        Self { side, of }
    }

    /// The router of a model, once it has heard what became of requests since it last decided.
    pub(super) fn informed<O: Observer>(&mut self, world: &mut World<O>, model: ModelId) -> &mut dyn Router {
        for heard in world.hearing.take(self.side) {
            let router = &mut self.of[world.model_of_class(heard.class())];
            match heard.outcome {
                _ if !router.listens() => {}
                None => router.first_token(&heard.served),
                Some(outcome) => router.ended(&heard.served, outcome),
            }
        }
        &mut *self.of[model]
    }
}
