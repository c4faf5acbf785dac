//! A station: so many workers with one queue, and a time of service that is known as the service begins.
//!
//! Requests that have come go to the stations of their model in turn, as behind a load balancer, are served first come, first served, and go
//! on to the router. A request that is sent again after a failure does not pass once more: its frontend has it still.

use crate::cluster::ids::{ModelId, Slot};
use crate::cluster::observe::Observer;
use crate::cluster::state::{World, frontend};
use crate::sim::Arena;

/// Whose turn it is, by model.
#[derive(Debug)]
pub(crate) struct Turns(Arena<ModelId, usize>);

impl Turns {
    pub(crate) fn new<O: Observer>(world: &World<O>) -> Self {
        Self(Arena::mirror(world.fleet.routes(), |_, _| 0))
    }

    /// A request has come. False if no station is on its way.
    pub(crate) fn take<O: Observer>(&mut self, world: &mut World<O>, slot: Slot) -> bool {
        let model = world.model_of(slot);
        let stations = world.frontends.of(model);
        let turn = &mut self.0[model];
        let Some(&id) = stations.get(*turn).or_else(|| stations.first()) else { return false };
        *turn = if *turn + 1 < stations.len() { *turn + 1 } else { 0 };
        frontend::join(world, slot, id);
        frontend::serve(world, id);
        true
    }
}

/// A worker has served a request, and takes the next. True if the request goes on.
pub(crate) fn finish<O: Observer>(world: &mut World<O>, slot: Slot) -> bool {
    let Some((id, stays)) = frontend::end_service(world, slot) else { return false };
    frontend::serve(world, id);
    stays
}
