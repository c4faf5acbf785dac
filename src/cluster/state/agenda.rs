//! The wakes of the present instant, each once and in a fixed order, instead of handlers that call each other.
//!
//! The agenda is worked off when the instant has no events left. A round takes the wakes in order; a wake posted at or before the round's
//! position waits for the next round.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::cluster::event::{Wake, again_key};
use crate::cluster::ids::{InstanceId, ModelId};
use crate::sim::{Arena, EventKey, SimTime};

/// A wake as a number in the order of wakes, above 0, so that it costs one integer comparison instead of an enum's.
type Order = u64;

const HEARD: Order = 1;
const MODELS: Order = 1 << 32;
const INSTANCES: Order = 2 << 32;
const NETWORK: Order = 3 << 32;

#[expect(clippy::cast_possible_truncation, reason = "the numbers that `order` has put there")]
const fn wake(order: Order) -> Wake {
    match order {
        INSTANCES.. => Wake::Instance(InstanceId(order as u32)),
        HEARD => Wake::Heard,
        _ => Wake::Memory(ModelId(order as u16)),
    }
}

/// The wakes of the present instant.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    /// Wakes left in this round.
    round: BinaryHeap<Reverse<Order>>,
    /// Wakes posted at or before the round's position.
    later: Vec<Order>,
    /// Position of the round; 0 before its first wake.
    position: u64,
    /// False in the first round of an instant.
    again: bool,
    /// Pending wakes, to post each once. The network comes last in a round, so it needs no place in the heap.
    models: Arena<ModelId, bool>,
    instances: Arena<InstanceId, bool>,
    network: bool,
    heard: bool,
}

impl Agenda {
    pub(super) fn new(models: Arena<ModelId, bool>, instances: Arena<InstanceId, bool>) -> Self {
        Self { models, instances, ..Self::default() }
    }

    /// Posts a wake for this instant, unless it is posted already.
    #[inline]
    pub(crate) fn post(&mut self, wake: Wake) {
        let (posted, order) = match wake {
            Wake::Heard => (&mut self.heard, HEARD),
            Wake::Memory(model) => (&mut self.models[model], MODELS | Order::from(model.0)),
            Wake::Instance(instance) => (&mut self.instances[instance], INSTANCES | Order::from(instance.0)),
            Wake::Network => {
                self.network = true;
                return;
            }
        };
        if std::mem::replace(posted, true) {
            return;
        }
        if order <= self.position {
            self.later.push(order);
        } else {
            self.round.push(Reverse(order));
        }
    }

    /// True if wakes of this instant are being worked off.
    pub(super) const fn has_begun(&self) -> bool {
        self.position > 0
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.round.is_empty() && self.later.is_empty() && !self.network
    }

    /// The next wake of the instant and its position in the order; `None` if there is none, and the agenda is reset for the next instant.
    #[inline]
    pub(crate) fn next(&mut self, now: SimTime) -> Option<(Wake, EventKey)> {
        if self.is_empty() {
            (self.position, self.again) = (0, false);
            return None;
        }
        if self.round.is_empty() && (!self.network || self.position == NETWORK) {
            (self.position, self.again) = (0, true);
            self.round.extend(self.later.drain(..).map(Reverse));
        }
        let wake = match self.round.pop() {
            Some(Reverse(order)) => {
                self.position = order;
                wake(order)
            }
            None if self.network => {
                self.position = NETWORK;
                Wake::Network
            }
            None => return None,
        };
        match wake {
            Wake::Heard => self.heard = false,
            Wake::Memory(model) => self.models[model] = false,
            Wake::Instance(instance) => self.instances[instance] = false,
            Wake::Network => self.network = false,
        }
        Some((wake, if self.again { again_key(now) } else { wake.key(now) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agenda() -> Agenda {
        Agenda::new(Arena::from_items("models", [false; 2]).unwrap(), Arena::from_items("instances", [false; 4]).unwrap())
    }

    #[test]
    fn wakes_come_once_memory_first_and_late_ones_in_the_next_round() {
        let (instance, memory) = (|id| Wake::Instance(InstanceId(id)), |id| Wake::Memory(ModelId(id)));
        let mut agenda = agenda();
        for wake in [instance(3), instance(1), memory(1), instance(3)] {
            agenda.post(wake);
        }
        let now = SimTime::from_ns(7);
        let take = |agenda: &mut Agenda| agenda.next(now);
        assert_eq!(take(&mut agenda), Some((memory(1), memory(1).key(now))));
        assert_eq!(take(&mut agenda), Some((instance(1), instance(1).key(now))));
        // Ahead of the position: this round. At it or behind it: the next.
        for wake in [instance(2), memory(0), instance(1)] {
            agenda.post(wake);
        }
        assert_eq!(take(&mut agenda), Some((instance(2), instance(2).key(now))));
        assert_eq!(take(&mut agenda), Some((instance(3), instance(3).key(now))));
        assert_eq!(take(&mut agenda), Some((memory(0), again_key(now))));
        assert_eq!(take(&mut agenda), Some((instance(1), again_key(now))));
        assert_eq!(take(&mut agenda), None);
        assert!(agenda.is_empty());
        agenda.post(memory(0));
        assert_eq!(take(&mut agenda), Some((memory(0), memory(0).key(now))), "another instant begins with its first round");
    }
}
