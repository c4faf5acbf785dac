//! The policies of each instance's scheduler, and how they are made.

use super::queue::Queue;
use crate::cluster::spec::{ClusterSpec, SchedulerSpec};
use crate::policy::{Batching, Eviction, Preemption};
use crate::sim::{Purpose, SimTime, Streams};

/// The policies of one instance; `None`: the engine's own rule, which needs no asking.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) preemption: Option<Box<dyn Preemption>>,
    pub(super) batching: Option<Box<dyn Batching>>,
    pub(super) eviction: Option<Box<dyn Eviction>>,
}

impl Rules {
    /// Rank below which cached blocks have expired; `None` where none ever do.
    pub(super) fn floor(&self, now: SimTime) -> Option<u64> {
        self.eviction.as_ref().map(|policy| policy.floor(now))
    }
}

/// Makes the policies of one instance after the other.
pub(super) struct Schedulers<'a> {
    spec: &'a SchedulerSpec,
    streams: Streams,
    next: u32,
    /// Whether queue order, preemption, batching and eviction are asked.
    asked: [bool; 4],
}

impl<'a> Schedulers<'a> {
    pub(super) fn new(spec: &'a ClusterSpec) -> Self {
        let (streams, spec) = (Streams::new(spec.seed), &spec.scheduler);
        let stream = |purpose| streams.stream(purpose, 0);
        let asked = [
            !spec.queue.build(stream(Purpose::Queue)).is_fcfs(),
            !spec.preemption.build(stream(Purpose::Preemption)).takes_last(),
            !spec.batching.build(stream(Purpose::Batching)).is_full(),
            !spec.eviction.build(stream(Purpose::Eviction)).is_lru(),
        ];
        Self { spec, streams, next: 0, asked }
    }

    /// Queue and rules of the next instance.
    pub(super) fn make(&mut self) -> (Queue, Rules) {
        let (number, [queue, preemption, batching, eviction]) = (self.next, self.asked);
        self.next += 1;
        let stream = |purpose| self.streams.stream(purpose, number);
        (
            if queue { Queue::new(self.spec.queue.build(stream(Purpose::Queue))) } else { Queue::default() },
            Rules {
                preemption: preemption.then(|| self.spec.preemption.build(stream(Purpose::Preemption))),
                batching: batching.then(|| self.spec.batching.build(stream(Purpose::Batching))),
                eviction: eviction.then(|| self.spec.eviction.build(stream(Purpose::Eviction))),
            },
        )
    }
}
