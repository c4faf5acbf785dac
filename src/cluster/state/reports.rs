//! What instances report of themselves, where routers see that late: a reading of all instances at times, seen after a delay.

use std::collections::VecDeque;

use super::instance::Instance;
use crate::cluster::ids::InstanceId;
use crate::cluster::spec::Reporting;
use crate::policy::Signal;
use crate::sim::{Arena, SimTime};

/// What one instance has reported.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report {
    running: u64,
    waiting: u64,
    free_blocks: u64,
}

impl Report {
    pub(super) fn of(instance: &Instance) -> Self {
        let queue = &instance.queue;
        Self { running: instance.running(), waiting: queue.waiting().len() + queue.resident.len(), free_blocks: instance.kv.free() }
    }

    pub(super) const fn read(&self, signal: Signal) -> Option<u64> {
        match signal {
            Signal::Running => Some(self.running),
            Signal::Waiting => Some(self.waiting),
            Signal::FreeBlocks => Some(self.free_blocks),
            _ => None,
        }
    }
}

/// Readings of all instances, the oldest first.
#[derive(Debug)]
pub(super) struct Reports {
    pub(super) spec: Option<Reporting>,
    /// When each is seen, and what it says. The first has been seen.
    readings: VecDeque<(SimTime, Arena<InstanceId, Report>)>,
}

impl Reports {
    pub(super) fn new(spec: Option<Reporting>, instances: &Arena<InstanceId, Instance>) -> Self {
        let first = Arena::mirror(instances, |_, instance| Report::of(instance));
        Self { spec, readings: spec.map(|_| (SimTime::ZERO, first)).into_iter().collect() }
    }

    /// A signal as routers see it at `now`; `None` if they see it as it is.
    pub(super) fn read(&mut self, now: SimTime, id: InstanceId, signal: Signal) -> Option<u64> {
        while self.readings.get(1).is_some_and(|&(seen, _)| seen <= now) {
            self.readings.pop_front();
        }
        self.readings.front()?.1[id].read(signal)
    }

    /// All instances report; it is seen at `seen`.
    pub(super) fn push(&mut self, seen: SimTime, instances: &Arena<InstanceId, Instance>) {
        self.readings.push_back((seen, Arena::mirror(instances, |_, instance| Report::of(instance))));
    }
}
