//! What policies may read of the state, which changes no result, and when they want to look again.

use super::loads::Side;
use super::reports::Report;
use super::request::Request;
use super::world::World;
use crate::cluster::event::Event;
use crate::cluster::ids::{InstanceId, ModelId, Slot};
use crate::cluster::observe::Observer;
use crate::cluster::spec::{ClassSpec, Reporting};
use crate::kv::{Blocks, Holders};
use crate::policy::{Pick, RequestView, Signal};
use crate::sim::{SimDuration, SimTime};
use crate::workload::ClassId;

impl Request {
    /// What policies may know of a request at `now`, whose workload is `class` and whose blocks are `blocks`.
    pub(super) fn view<'a>(&self, now: SimTime, blocks: &'a Blocks, class: &ClassSpec) -> RequestView<'a> {
        let Self { ask, progress, timeline, .. } = self;
        RequestView {
            now,
            request: ask.id,
            class: ask.class,
            limits: class.limits,
            turn: ask.turn,
            arrived: timeline.arrived,
            prompt_tokens: progress.target,
            blocks,
            block_tokens: class.prefix_tokens,
        }
    }
}

impl<O: Observer> World<O> {
    /// A signal of an instance, for a request. A run takes memory and evicts as it proceeds, so its iterations until now are completed first
    /// where the instance itself is asked, which changes nothing else.
    pub(crate) fn read(&mut self, id: InstanceId, slot: Slot, signal: Signal) -> f64 {
        match signal {
            Signal::PrefixHit => self.cached(id, slot).into(),
            _ => self.read_alone(id, signal).unwrap_or_default(),
        }
    }

    /// Prompt tokens of a request that the prefix cache of an instance has, whose iterations until now are completed first.
    pub(crate) fn cached(&mut self, id: InstanceId, slot: Slot) -> u32 {
        self.catch_up(id);
        self.hit(id, slot)
    }

    /// Where cached prompt tokens of a request may be found, the fewest first: the most tokens, and the instances of a list of a model that
    /// may have them, beside others.
    pub(crate) fn cached_at_most(&mut self, model: ModelId, side: Side, slot: Slot) -> Vec<(u32, Holders)> {
        let request = &self.requests[slot];
        let block_tokens = self.classes[request.ask.class].prefix_tokens;
        let most = request.target().checked_div(block_tokens).unwrap_or_default();
        let mut places = self.fleet.prefixes(model, side).holders(&request.ask.blocks, most);
        for (blocks, _) in &mut places {
            *blocks *= block_tokens;
        }
        debug_assert!((0..self.fleet.places(model, side)).all(|i| {
            let id = self.fleet.place(model, side, i).id;
            let most = places.iter().rev().find(|(_, holders)| holders.contains(&id.0)).map_or(0, |&(tokens, _)| tokens);
            self.hit(id, slot) <= most
        }));
        places
    }

    /// Prompt tokens of a request that the prefix cache of an instance has as of its last iteration that is booked.
    fn hit(&self, id: InstanceId, slot: Slot) -> u32 {
        let (kv, request) = (&self.fleet.instances[id].kv, &self.requests[slot]);
        kv.group_tokens(kv.lookup(&request.ask.blocks, kv.whole_groups(request.target())))
    }

    /// A signal of an instance that does not depend on a request; `None` for others.
    pub(crate) fn read_alone(&mut self, id: InstanceId, signal: Signal) -> Option<f64> {
        let known = match signal {
            Signal::KvBlocks => Some(self.fleet.instances[id].engine.kv_blocks),
            _ => self.fleet.loads[id].read(signal),
        };
        known.or_else(|| read_reported(self, id, signal)).map(|read| read as f64)
    }

    /// What a router may know of a request, whose prompt it is asked for; `blocks` are those of the request.
    pub(crate) fn view<'a>(&self, slot: Slot, blocks: &'a Blocks) -> RequestView<'a> {
        let request = &self.requests[slot];
        request.view(self.now(), blocks, &self.classes[request.ask.class])
    }

    /// The model that requests of a workload ask for.
    pub(crate) fn model_of_class(&self, class: ClassId) -> ModelId {
        self.classes[class].model
    }
}

/// Identities of the blocks of a request.
pub(crate) fn blocks_of<O: Observer>(world: &World<O>, slot: Slot) -> Blocks {
    world.requests[slot].ask.blocks.clone()
}

/// An arriving request is routed again at this time, or at the next instant if it has passed.
pub(crate) fn route_again<O: Observer>(world: &mut World<O>, slot: Slot, at: SimTime) {
    let epoch = world.requests[slot].progress.epoch;
    let at = at.max(world.now() + SimDuration::from_ns(1));
    world.calendar.schedule_at(at, Event::Retry { slot, epoch });
}

/// A router has an arriving request wait until a time, or until it names it.
pub(crate) fn wait<O: Observer>(world: &mut World<O>, slot: Slot, until: SimTime) {
    let id = world.requests[slot].ask.id;
    world.hearing.waiting_mut().insert(id, slot);
    if until < SimTime::NEVER {
        route_again(world, slot, until);
    }
}

/// A request that a router has wait is routed, or leaves.
pub(crate) fn wait_no_longer<O: Observer>(world: &mut World<O>, slot: Slot) {
    if !world.hearing.waiting().is_empty() {
        let id = world.requests[slot].ask.id;
        world.hearing.waiting_mut().remove(&id);
    }
}

/// The requests of these numbers that routers of a model have wait. The times at which they would be routed again are void.
pub(crate) fn recall<O: Observer>(world: &mut World<O>, model: ModelId, numbers: &[u64]) -> Vec<Slot> {
    let mut recalled = Vec::new();
    for number in numbers {
        let Some(&slot) = world.hearing.waiting().get(number) else { continue };
        if world.model_of(slot) == model {
            world.hearing.waiting_mut().remove(number);
            let progress = &mut world.requests[slot].progress;
            progress.epoch = progress.epoch.wrapping_add(1);
            recalled.push(slot);
        }
    }
    recalled
}

/// The router of a handoff has decided. A request that it wants to wait is looked at again then, or at the next instant if that time has
/// passed; one that it refuses leaves at the next instant, for it may be in the middle of batch formation.
pub(crate) fn note_handoff<O: Observer>(world: &mut World<O>, slot: Slot, pick: Pick) {
    let (model, next) = (world.model_of(slot), world.now() + SimDuration::from_ns(1));
    let progress = &mut world.requests[slot].progress;
    progress.held_by = matches!(pick, Pick::Wait { .. } | Pick::Refuse(_)).then_some(pick);
    match pick {
        Pick::Wait { until } if until < SimTime::NEVER => world.calendar.schedule_at(until.max(next), Event::Look { model }),
        Pick::Refuse(_) => {
            let epoch = progress.epoch;
            world.calendar.schedule_at(next, Event::Refused { slot, epoch });
        }
        Pick::To(_) | Pick::Pair { .. } | Pick::NoneEligible | Pick::Wait { .. } => {}
    }
}

/// Requests that routers have wait, when nothing more happens: how many, and the lowest of their numbers; `None` if there are none.
pub(crate) fn forgotten<O: Observer>(world: &World<O>) -> Option<(usize, u64)> {
    let handoffs = world.requests.iter().map(|(_, request)| request);
    let handoffs = handoffs.filter(|request| matches!(request.progress.held_by, Some(Pick::Wait { .. }))).map(|request| request.ask.id);
    let waiting: Vec<u64> = world.hearing.waiting().keys().copied().chain(handoffs).collect();
    Some((waiting.len(), waiting.iter().copied().min()?))
}

/// Lets a request in; true if it was not before.
pub(crate) fn let_in<O: Observer>(world: &mut World<O>, slot: Slot) -> bool {
    !std::mem::replace(&mut world.requests[slot].progress.let_in, true)
}

/// True if a request has been let in.
pub(crate) fn is_let_in<O: Observer>(world: &World<O>, slot: Slot) -> bool {
    world.requests[slot].progress.let_in
}

/// A signal that an instance reports; `None` for others. Its iterations until now are completed first, which changes nothing else.
fn read_reported<O: Observer>(world: &mut World<O>, id: InstanceId, signal: Signal) -> Option<u64> {
    let now = world.now();
    if let Some(seen) = world.reports.read(now, id, signal) {
        return Some(seen);
    }
    world.catch_up(id);
    Report::of(&world.fleet.instances[id]).read(signal)
}

/// The first report is scheduled, if instances report at times.
pub(crate) fn schedule_reports<O: Observer>(world: &mut World<O>) {
    if world.reports.spec.is_some() {
        world.calendar.schedule_at(SimTime::ZERO, Event::Report);
    }
}

/// All instances report.
pub(crate) fn take_reports<O: Observer>(world: &mut World<O>) {
    let Some(Reporting { period, delay }) = world.reports.spec else { return };
    for id in world.fleet.instances.ids() {
        world.catch_up(id);
    }
    let seen = world.now() + delay;
    world.reports.push(seen, &world.fleet.instances);
    world.calendar.schedule(period, Event::Report);
}
