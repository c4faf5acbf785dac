//! The policies of each instance's scheduler, and how they are made.

use super::queue::Queue;
use crate::cluster::spec::{ClusterSpec, SchedulerSpec};
use crate::policy::{Batching, Preemption};
use crate::sim::{Purpose, Streams};

/// The policies of one instance; `None`: the engine's own rule, which needs no asking.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) preemption: Option<Box<dyn Preemption>>,
    pub(super) batching: Option<Box<dyn Batching>>,
}

/// Makes the policies of one instance after the other.
pub(super) struct Schedulers<'a> {
    spec: &'a SchedulerSpec,
    streams: Streams,
    next: u32,
    /// Whether queue order, preemption and batching are asked.
    asked: [bool; 3],
}

impl<'a> Schedulers<'a> {
    pub(super) fn new(spec: &'a ClusterSpec) -> Self {
        let (streams, spec) = (Streams::new(spec.seed), &spec.scheduler);
        let stream = |purpose| streams.stream(purpose, 0);
        let asked = [
            !spec.queue.build(stream(Purpose::Queue)).is_fcfs(),
            !spec.preemption.build(stream(Purpose::Preemption)).takes_last(),
            !spec.batching.build(stream(Purpose::Batching)).is_full(),
        ];
        Self { spec, streams, next: 0, asked }
    }

    /// Queue and rules of the next instance.
    pub(super) fn make(&mut self) -> (Queue, Rules) {
        let (number, [queue, preemption, batching]) = (self.next, self.asked);
        self.next += 1;
        let stream = |purpose| self.streams.stream(purpose, number);
        (
            if queue { Queue::new(self.spec.queue.build(stream(Purpose::Queue))) } else { Queue::default() },
            Rules {
                preemption: preemption.then(|| self.spec.preemption.build(stream(Purpose::Preemption))),
                batching: batching.then(|| self.spec.batching.build(stream(Purpose::Batching))),
            },
        )
    }
}
