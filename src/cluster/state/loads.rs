//! Load signals of all instances, and the order of the instances in one list of a route.
//!
//! An order is kept from the first query of a router. A change of load only marks the instance as stale; its place is updated at the next
//! query. Frequent changes between two queries, and lists that are never queried, therefore cost next to nothing. Instances that are not
//! eligible for any request are in no order: an instance that is down has no load, and would be refused first for every request.

use std::ops::Index;

use super::load::Load;
use crate::cluster::ids::{InstanceId, ModelId};
use crate::policy::Signal;
use crate::sim::{Arena, Tournament};

/// A list of instances of one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Instances that accept arriving requests.
    Entry,
    /// Instances that receive handoffs.
    Decode,
}

/// The instances of a list, ordered by a signal.
#[derive(Debug)]
struct Order {
    signal: Signal,
    tournament: Tournament,
    /// Instances whose load has changed since the last query.
    stale: Vec<InstanceId>,
}

/// Place of an instance in an order.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// Number of the order.
    order: Option<u32>,
    position: u32,
    stale: bool,
}

/// Load signals of the instances.
#[derive(Debug)]
pub(crate) struct Loads {
    of: Arena<InstanceId, Load>,
    /// Instances that are not eligible for any request.
    hidden: Arena<InstanceId, bool>,
    /// Empty until the first order is built.
    places: Arena<InstanceId, Place>,
    /// Two for each model; `None` if never queried.
    orders: Vec<Option<Order>>,
    /// Places looked at in orders that are void, and to make one.
    work: u64,
}

impl Loads {
    /// No load on any instance.
    pub(super) fn new<T>(instances: &Arena<InstanceId, T>) -> Self {
        let (of, hidden) = (Arena::mirror(instances, |_, _| Load::default()), Arena::mirror(instances, |_, _| false));
        Self { of, hidden, places: Arena::default(), orders: Vec::new(), work: 0 }
    }

    /// The load of an instance, for a change.
    #[inline]
    pub(super) fn change(&mut self, id: InstanceId) -> &mut Load {
        if !self.places.is_empty() {
            self.note(id);
        }
        &mut self.of[id]
    }

    /// Takes an instance out of the orders, or puts it back in.
    pub(super) fn hide(&mut self, id: InstanceId, hidden: bool) {
        if std::mem::replace(&mut self.hidden[id], hidden) != hidden && !self.places.is_empty() {
            self.note(id);
        }
    }

    fn note(&mut self, id: InstanceId) {
        let place = &mut self.places[id];
        if !place.stale
            && let Some(order) = place.order.and_then(|number| self.orders[number as usize].as_mut())
        {
            place.stale = true;
            order.stale.push(id);
        }
    }

    /// Position of the least loaded instance of a list; ties go to the first.
    pub(super) fn least(
        &mut self,
        model: ModelId,
        side: Side,
        signal: Signal,
        members: impl Iterator<Item = InstanceId> + Clone,
    ) -> Option<usize> {
        let number = number(model, side);
        if self.order(number).is_none_or(|order| order.signal != signal) {
            self.forget(model, side);
            self.put_in_order(number, signal, members.clone());
        }
        let Self { of, hidden, places, orders, .. } = self;
        let order = orders.get_mut(number as usize)?.as_mut()?;
        let read = |id: InstanceId| if hidden[id] { Tournament::NONE } else { read(&of[id], signal) };
        for id in order.stale.drain(..) {
            let place = &mut places[id];
            place.stale = false;
            order.tournament.set(place.position as usize, read(id));
        }
        let least = order.tournament.smallest();
        debug_assert_eq!(least, members.enumerate().filter(|&(_, id)| !hidden[id]).min_by_key(|&(_, id)| read(id)).map(|(i, _)| i));
        least
    }

    /// Position of the least loaded instance of a list, except `refused` and those refused since the last call of `least`.
    pub(super) fn least_without(&mut self, model: ModelId, side: Side, refused: InstanceId) -> Option<usize> {
        self.note(refused);
        let order = self.orders.get_mut(number(model, side) as usize)?.as_mut()?;
        order.tournament.set(self.places[refused].position as usize, Tournament::NONE);
        order.tournament.smallest()
    }

    /// Drops the order of a list whose members change.
    pub(super) fn forget(&mut self, model: ModelId, side: Side) {
        let number = number(model, side);
        if let Some(order) = self.orders.get_mut(number as usize).and_then(Option::take) {
            self.work += order.tournament.work();
            for place in self.places.values_mut().filter(|place| place.order == Some(number)) {
                *place = Place::default();
            }
        }
    }

    /// Places in orders looked at or changed so far.
    pub(in crate::cluster) fn work(&self) -> u64 {
        self.work + self.orders.iter().flatten().map(|order| order.tournament.work()).sum::<u64>()
    }

    fn order(&self, number: u32) -> Option<&Order> {
        self.orders.get(number as usize)?.as_ref()
    }

    fn put_in_order(&mut self, number: u32, signal: Signal, members: impl Iterator<Item = InstanceId> + Clone) {
        if self.places.is_empty() {
            self.places = Arena::mirror(&self.of, |_, _| Place::default());
        }
        for (id, position) in members.clone().zip(0..) {
            self.places[id] = Place { order: Some(number), position, stale: false };
            self.work += 1;
        }
        let read = |id: InstanceId| if self.hidden[id] { Tournament::NONE } else { read(&self.of[id], signal) };
        let tournament = Tournament::new(members.map(read));
        let index = number as usize;
        self.orders.resize_with(self.orders.len().max(index + 1), || None);
        self.orders[index] = Some(Order { signal, tournament, stale: Vec::new() });
    }
}

impl Index<InstanceId> for Loads {
    type Output = Load;
    #[inline]
    fn index(&self, id: InstanceId) -> &Load {
        &self.of[id]
    }
}

/// Number of the order of a list.
fn number(model: ModelId, side: Side) -> u32 {
    2 * u32::from(model.0) + u32::from(side == Side::Decode)
}

/// A signal that orders are kept by: one of the router's own count.
fn read(load: &Load, signal: Signal) -> u64 {
    debug_assert!(load.read(signal).is_some(), "an order by a signal that is not counted");
    load.read(signal).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::request::Request;
    use super::*;
    use crate::sim::SimTime;
    use crate::workload::{ClassId, RequestSpec};

    const INSTANCES: u32 = 12;
    const MODEL: ModelId = ModelId(1);

    #[derive(Debug, Clone)]
    enum Step {
        /// A request of so many tokens is expected at an instance, or the last expected one is cancelled.
        Change(u32, Option<u32>),
        /// An instance moves to the other side.
        Move(u32),
        /// An instance becomes ineligible for all requests, or eligible again.
        Hide(u32, bool),
        /// So many of the least loaded instances are refused.
        Ask(bool, bool, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..INSTANCES, prop::option::weighted(0.6, 1_u32..4)).prop_map(|(id, tokens)| Step::Change(id, tokens)),
            1 => (0..INSTANCES).prop_map(Step::Move),
            2 => (0..INSTANCES, any::<bool>()).prop_map(|(id, hidden)| Step::Hide(id, hidden)),
            3 => (any::<bool>(), prop::bool::weighted(0.8), 0_usize..5).prop_map(|(entry, few, refused)| Step::Ask(entry, few, refused)),
        ]
    }

    fn request(prompt: u32) -> Request {
        let spec = RequestSpec::new(ClassId(0), prompt, 1);
        Request::new(0, SimTime::ZERO, spec)
    }

    proptest! {
        #[test]
        fn the_least_loaded_agrees_with_a_sort(entry in prop::collection::vec(any::<bool>(), INSTANCES as usize), steps in prop::collection::vec(step(), 1..80)) {
            let mut is_entry = Arena::<InstanceId, bool>::from_items("instances", entry).unwrap();
            let mut here = Arena::mirror(&is_entry, |_, _| Vec::new());
            let mut is_hidden = Arena::mirror(&is_entry, |_, _| false);
            let mut loads = Loads::new(&is_entry);
            for step in steps {
                match step {
                    Step::Change(id, Some(tokens)) => {
                        here[InstanceId(id)].push(tokens);
                        loads.change(InstanceId(id)).expect(&request(tokens));
                    }
                    Step::Change(id, None) => {
                        if let Some(tokens) = here[InstanceId(id)].pop() {
                            loads.change(InstanceId(id)).expect_no_more(&request(tokens));
                        }
                    }
                    Step::Move(id) => {
                        is_entry[InstanceId(id)] ^= true;
                        loads.forget(MODEL, Side::Entry);
                        loads.forget(MODEL, Side::Decode);
                    }
                    Step::Hide(id, hidden) => {
                        is_hidden[InstanceId(id)] = hidden;
                        loads.hide(InstanceId(id), hidden);
                    }
                    Step::Ask(entry, few, refused) => {
                        let (side, signal) = (
                            if entry { Side::Entry } else { Side::Decode },
                            if few { Signal::InFlight } else { Signal::PendingTokens },
                        );
                        let members: Vec<InstanceId> = is_entry.ids().filter(|&id| is_entry[id] == entry).collect();
                        let load = |id: InstanceId| {
                            let count = here[id].len() as u64;
                            if few { count } else { count + here[id].iter().map(|&tokens| u64::from(tokens)).sum::<u64>() }
                        };
                        let mut expected: Vec<usize> = (0..members.len()).filter(|&position| !is_hidden[members[position]]).collect();
                        expected.sort_by_key(|&position| load(members[position]));
                        let mut found = loads.least(MODEL, side, signal, members.iter().copied());
                        for step in 0..=refused {
                            prop_assert_eq!(found, expected.get(step).copied());
                            let Some(position) = found else { break };
                            found = loads.least_without(MODEL, side, members[position]);
                        }
                    }
                }
            }
        }
    }
}
