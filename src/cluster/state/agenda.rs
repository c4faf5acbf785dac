//! What must look again at this instant, each once, in one order, instead of handlers that call each other.
//!
//! The agenda is worked off when no event of the instant is left. A round takes wakes in their order; what is posted for a place that the
//! round has passed waits for the next round.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::cluster::event::{Wake, again_key};
use crate::cluster::ids::{InstanceId, ModelId};
use crate::sim::{Arena, EventKey, SimTime};

/// The wakes of the present instant.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    /// Still to come in this round.
    round: BinaryHeap<Reverse<Wake>>,
    /// Posted for a place that the round has passed.
    later: Vec<Wake>,
    /// Where the round stands; `None` before its first wake.
    position: Option<Wake>,
    /// False in the first round of an instant.
    again: bool,
    /// Posted and not yet taken.
    models: Arena<ModelId, bool>,
    instances: Arena<InstanceId, bool>,
    network: bool,
}

impl Agenda {
    pub(super) fn new(models: Arena<ModelId, bool>, instances: Arena<InstanceId, bool>) -> Self {
        Self { models, instances, ..Self::default() }
    }

    fn posted(&mut self, wake: Wake) -> &mut bool {
        match wake {
            Wake::Memory(model) => &mut self.models[model],
            Wake::Instance(instance) => &mut self.instances[instance],
            Wake::Network => &mut self.network,
        }
    }

    /// Posts a wake for this instant, unless it is posted already.
    pub(crate) fn post(&mut self, wake: Wake) {
        if std::mem::replace(self.posted(wake), true) {
            return;
        }
        if self.position.is_some_and(|position| wake <= position) {
            self.later.push(wake);
        } else {
            self.round.push(Reverse(wake));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.round.is_empty() && self.later.is_empty()
    }

    /// The next wake of the instant and its place in the order; `None`, and ready for another instant, when there is none.
    pub(crate) fn next(&mut self, now: SimTime) -> Option<(Wake, EventKey)> {
        if self.round.is_empty() {
            self.again = !self.later.is_empty();
            self.position = None;
            self.round.extend(self.later.drain(..).map(Reverse));
        }
        let Reverse(wake) = self.round.pop()?;
        *self.posted(wake) = false;
        self.position = Some(wake);
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
    fn each_is_woken_once_memory_first_and_what_is_passed_waits_for_the_next_round() {
        let (instance, memory) = (|id| Wake::Instance(InstanceId(id)), |id| Wake::Memory(ModelId(id)));
        let mut agenda = agenda();
        for wake in [instance(3), instance(1), memory(1), instance(3)] {
            agenda.post(wake);
        }
        let now = SimTime::from_ns(7);
        let take = |agenda: &mut Agenda| agenda.next(now);
        assert_eq!(take(&mut agenda), Some((memory(1), memory(1).key(now))));
        assert_eq!(take(&mut agenda), Some((instance(1), instance(1).key(now))));
        // Ahead of the position: this round. Behind it, or at it: the next.
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
