//! Instances as candidates of the policies that choose among them: those where a request may begin, and those that may receive its KV. Only the
//! ones that a policy asks about are brought up to date.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::ids::{InstanceId, ModelId, Slot};
use super::observe::Observer;
use super::state::{Entry, Side, World, transit};
use crate::kv::Holders;
use crate::policy::router::{first_in_order, scan, sorted};
use crate::policy::{Candidates, Signal};

/// To ask so many prefix caches costs no more than to keep an index over them: on the Mooncake trace the index is 8 % of a run with four prefill
/// instances, and a run with 256 takes 20 % less with it. Where invariants are checked, it is always used.
const FEW: usize = if cfg!(debug_assertions) { 1 } else { 128 };

/// Instances of a side where a request may begin, as policies see them.
pub(super) struct Places<'a, 'w, O> {
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
    pub(super) fn new(world: &'a RefCell<&'w mut World<O>>, model: ModelId, side: Side, slot: Slot, tokens: u32) -> Self {
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
    fn pool(&self, i: usize) -> u32 {
        self.world.borrow().fleet.instance(self.place(i).id).pool().0.into()
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

/// Decode instances of a model, as a router sees them for the handoff of a request.
pub(super) struct Receivers<'a, 'w, O> {
    pub(super) world: &'a RefCell<&'w mut World<O>>,
    pub(super) model: ModelId,
    pub(super) slot: Slot,
    /// True: eligible are those with room now. False, on arrival: those that are listed and whose context is long enough.
    pub(super) now: bool,
}

impl<O: Observer> Candidates for Receivers<'_, '_, O> {
    fn len(&self) -> usize {
        self.world.borrow().fleet.route(self.model).decode().len()
    }
    fn eligible(&self, i: usize) -> bool {
        let mut world = self.world.borrow_mut();
        let id = world.fleet.route(self.model).decode()[i];
        if self.now { transit::could_receive(*world, id, self.slot) } else { transit::is_receiver(*world, id, self.slot) }
    }
    fn instance(&self, i: usize) -> u32 {
        self.world.borrow().fleet.route(self.model).decode()[i].0
    }
    fn pool(&self, i: usize) -> u32 {
        let fleet = &self.world.borrow().fleet;
        fleet.instance(fleet.route(self.model).decode()[i]).pool().0.into()
    }
    fn read(&self, i: usize, signal: Signal) -> f64 {
        let mut world = self.world.borrow_mut();
        let id = world.fleet.route(self.model).decode()[i];
        world.read(id, self.slot, signal)
    }
    fn least(&self, signal: Signal) -> Option<usize> {
        match signal {
            Signal::InFlight | Signal::PendingTokens => {
                first_in_order(self, signal, |refused| self.world.borrow_mut().fleet.least(self.model, Side::Decode, signal, refused))
            }
            _ => scan(self, signal),
        }
    }
    fn greatest(&self, signal: Signal) -> Box<dyn Iterator<Item = (usize, f64)> + '_> {
        match signal {
            Signal::PrefixHit if self.len() > FEW => Box::new(most_cached(self.world, self.model, Side::Decode, self.slot)),
            _ => Box::new(sorted(self, signal)),
        }
    }
}

/// The instances of a list that have cached prompt tokens of a request, and their number: the most first; ties in order of position.
fn most_cached<'a, O: Observer>(
    world: &'a RefCell<&mut World<O>>,
    model: ModelId,
    side: Side,
    slot: Slot,
) -> impl Iterator<Item = (usize, f64)> + 'a {
    let places = world.borrow_mut().cached_at_most(model, side, slot);
    MostCached { world, model, side, slot, places, of_last: 0, seen: Vec::new(), fewer: BinaryHeap::new() }
}

/// See [`most_cached`]. The index says where there are how many tokens at most; only instances that may be next are brought up to date.
struct MostCached<'a, 'w, O> {
    world: &'a RefCell<&'w mut World<O>>,
    model: ModelId,
    side: Side,
    slot: Slot,
    /// Instances by the most tokens that they may have, the fewest first; they are in order of position.
    places: Vec<(u32, Holders)>,
    /// Instances of the last of them that have been looked at.
    of_last: usize,
    /// Instances that had more, at most.
    seen: Vec<Holders>,
    /// Instances that had fewer than the index says: exact tokens, and position.
    fewer: BinaryHeap<(u32, Reverse<usize>)>,
}

impl<O: Observer> Iterator for MostCached<'_, '_, O> {
    type Item = (usize, f64);

    fn next(&mut self) -> Option<(usize, f64)> {
        let mut world = self.world.borrow_mut();
        while let Some((tokens, holders)) = self.places.last() {
            let Some(&holder) = holders.get(self.of_last) else {
                self.seen.extend(self.places.pop().map(|(_, holders)| holders));
                self.of_last = 0;
                continue;
            };
            let is_new = self.seen.iter().all(|holders| holders.binary_search(&holder).is_err());
            let position = world.fleet.position(self.model, self.side, InstanceId(holder)).filter(|_| is_new);
            if let Some(position) = position {
                if self.fewer.peek().is_some_and(|&fewer| fewer > (*tokens, Reverse(position))) {
                    break;
                }
                let exact = world.cached(InstanceId(holder), self.slot);
                if exact == *tokens {
                    self.of_last += 1;
                    return Some((position, exact.into()));
                }
                if exact > 0 {
                    self.fewer.push((exact, Reverse(position)));
                }
            }
            self.of_last += 1;
        }
        self.fewer.pop().map(|(tokens, Reverse(position))| (position, tokens.into()))
    }
}
