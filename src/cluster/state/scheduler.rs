//! What the policies of an instance's scheduler decide: whom to preempt, and how much prompt work an iteration takes on.

use super::instance::Instance;
use super::queue::Queue;
use super::request::Stage;
use super::requests::Requests;
use super::world::World;
use crate::cluster::ids::{InstanceId, Slot};
use crate::cluster::observe::Observer;
use crate::cluster::spec::{ClassSpec, ClusterSpec, SchedulerSpec};
use crate::policy::{BatchView, Batching, Budget, Preempt, Preemption, RequestView, RunningView};
use crate::sim::{Arena, Purpose, SimTime, Streams};
use crate::workload::ClassId;

/// The policies of one instance; `None`: the engine's own rule, which needs no asking.
#[derive(Debug, Default)]
pub(super) struct Rules {
    preemption: Option<Box<dyn Preemption>>,
    batching: Option<Box<dyn Batching>>,
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

/// The running sequences of an instance, as a policy sees them.
struct Sequences<'a> {
    now: SimTime,
    instance: &'a Instance,
    requests: &'a Requests,
    classes: &'a Arena<ClassId, ClassSpec>,
    slots: Vec<Slot>,
}

impl RunningView for Sequences<'_> {
    fn len(&self) -> usize {
        self.slots.len()
    }
    fn request(&self, i: usize) -> RequestView<'_> {
        let request = &self.requests[self.slots[i]];
        request.view(self.now, &request.ask.blocks, self.classes[request.ask.class].prefix_tokens)
    }
    fn output_tokens(&self, i: usize) -> u32 {
        let request = &self.requests[self.slots[i]];
        // The first iteration is booked at once, the others when it leaves the batch.
        let later =
            if request.progress.stage == Stage::Decoding { request.iterations(self.instance.decode().step()).saturating_sub(1) } else { 0 };
        request.progress.generated + later
    }
    fn stored_tokens(&self, i: usize) -> u32 {
        let request = &self.requests[self.slots[i]];
        if request.progress.stage == Stage::Decoding { self.instance.stored(request) } else { request.computed() }
    }
}

/// The running sequence to preempt, if there is one.
pub(crate) fn victim<O: Observer>(world: &mut World<O>, id: InstanceId) -> Option<Slot> {
    let now = world.now();
    let World { fleet, requests, classes, .. } = world;
    let instance = &mut fleet.instances[id];
    let last = instance.last_admitted();
    let Some(mut policy) = instance.rules.preemption.take() else { return last };
    let slots: Vec<Slot> = instance.batch.admitted.iter(requests).collect();
    let chosen = last.map(|last| {
        let view = Sequences { now, instance, requests, classes, slots };
        let Preempt::Recompute(i) = policy.victim(&view);
        view.slots.get(i).copied().unwrap_or(last)
    });
    instance.rules.preemption = Some(policy);
    chosen
}

/// What the coming iteration of an instance may take on; `None`: all that the engine's limits allow.
pub(crate) fn budget<O: Observer>(world: &mut World<O>, id: InstanceId) -> Option<Budget> {
    let World { fleet, requests, .. } = world;
    let instance = &mut fleet.instances[id];
    instance.batch.holds = u64::MAX;
    instance.rules.batching.as_ref()?;
    let begun = instance.partly_computed().map_or(0, |slot| requests[slot].target() - requests[slot].computed());
    let view = BatchView {
        iteration: instance.iterations,
        generating: instance.decode().count(),
        begun,
        waiting: instance.queue.waiting().len(),
        arrived: instance.queue.resident.len(),
        max_tokens: instance.engine.max_num_batched_tokens,
        max_sequences: instance.engine.max_num_seqs,
    };
    let has_work = view.begun > 0 || view.waiting > 0 || view.arrived > 0;
    let budget = instance.rules.batching.as_mut().filter(|_| view.generating > 0 && has_work)?.budget(&view);
    instance.batch.holds = budget.holds.max(1);
    Some(Budget { prompt_tokens: budget.prompt_tokens.max(u32::from(begun > 0)), ..budget })
}
