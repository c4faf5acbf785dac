//! The deciders on disaggregation, a decider a model: where a request begins, and whether a prefill instance keeps it to the end.

use std::cell::RefCell;

use super::candidates::{Places, Receivers};
use super::ids::{InstanceId, ModelId, Slot};
use super::observe::Observer;
use super::spec::ClusterSpec;
use super::state::{Side, World, transit, views};
use crate::policy::{Decider, Path};
use crate::sim::{Arena, Purpose, Streams};

/// Deciders by model; `None` where every prompt is handed off, and nothing is asked.
#[derive(Debug)]
pub(super) struct Deciders {
    of: Arena<ModelId, Option<Box<dyn Decider>>>,
    /// True if one of them may have a prefill instance keep a request.
    may_keep: bool,
}

impl Deciders {
    pub(super) fn new<O: Observer>(spec: &ClusterSpec, world: &World<O>) -> Self {
        let streams = Streams::new(spec.seed);
        let of = Arena::mirror(world.fleet.routes(), |model, _| {
            let decider = spec.disaggregation.build(streams.stream(Purpose::Disaggregation, model.0.into()));
            Some(decider).filter(|decider| !decider.always_splits() || decider.may_keep())
        });
        let may_keep = of.iter().any(|(_, decider)| decider.as_ref().is_some_and(|decider| decider.may_keep()));
        Self { of, may_keep }
    }

    /// The side on which a request begins.
    #[inline]
    pub(super) fn side<O: Observer>(&mut self, world: &mut World<O>, slot: Slot, model: ModelId) -> Side {
        if self.of[model].is_some() { self.decided_side(world, slot, model) } else { Side::Entry }
    }

    #[cold]
    fn decided_side<O: Observer>(&mut self, world: &mut World<O>, slot: Slot, model: ModelId) -> Side {
        let Some(decider) = self.of[model].as_mut().filter(|decider| !decider.always_splits()) else { return Side::Entry };
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

    /// Asks whether an instance keeps a request that waits for a reservation, just before it may start there.
    #[inline]
    pub(super) fn before_prefill<O: Observer>(&mut self, world: &mut World<O>, id: InstanceId, slot: Slot) {
        if self.may_keep && transit::needs_room(world, id, slot) {
            self.keep(world, id, slot);
        }
    }

    /// Asks which of the prompts that an iteration completes stay on their instance, just before it is booked.
    #[inline]
    pub(super) fn after_prefill<O: Observer>(&mut self, world: &mut World<O>, id: InstanceId) {
        if self.may_keep {
            for slot in transit::to_hand_off(world, id) {
                self.keep(world, id, slot);
            }
        }
    }

    #[cold]
    fn keep<O: Observer>(&mut self, world: &mut World<O>, id: InstanceId, slot: Slot) {
        let model = world.model_of(slot);
        let Some(decider) = self.of[model].as_mut().filter(|decider| decider.may_keep()) else { return };
        let Some(at) = world.fleet.position(model, Side::Entry, id) else { return };
        let blocks = views::blocks_of(world, slot);
        let view = world.view(slot, &blocks);
        let shared = RefCell::new(&mut *world);
        let prefill = Places::new(&shared, model, Side::Entry, slot, view.prompt_tokens);
        let decode = Receivers { world: &shared, model, slot, now: true };
        if decider.keeps(&view, at, &prefill, &decode) {
            transit::keep(world, id, slot);
        }
    }
}
