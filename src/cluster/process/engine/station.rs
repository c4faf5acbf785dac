//! A station: one queue, a fixed number of workers, and a service time that is known when service begins.
//!
//! Arriving requests go to the stations of their model round-robin, as behind a load balancer, are served first come, first served, and
//! continue to the router. A retry does not pass the frontend again: the frontend still has the request.

use crate::cluster::ids::{ModelId, Slot};
use crate::cluster::observe::Observer;
use crate::cluster::state::{World, frontend};
use crate::sim::Arena;

/// The next station in the rotation, by model.
#[derive(Debug)]
pub(crate) struct Turns(Arena<ModelId, usize>);

impl Turns {
    pub(crate) fn new<O: Observer>(world: &World<O>) -> Self {
        Self(Arena::mirror(world.fleet.routes(), |_, _| 0))
    }

    /// Sends an arriving request to a station. False if its model has no frontend.
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

/// A worker finishes a request and takes the next. True if the finished request continues to the router.
pub(crate) fn finish<O: Observer>(world: &mut World<O>, slot: Slot) -> bool {
    let Some((id, stays)) = frontend::end_service(world, slot) else { return false };
    frontend::serve(world, id);
    stays
}
