//! What the policies of an instance's scheduler decide: whom to preempt, and how much prompt work an iteration takes on.

use super::instance::Instance;
use super::request::Stage;
use super::requests::Requests;
use super::world::World;
use crate::cluster::ids::{InstanceId, Slot};
use crate::cluster::observe::Observer;
use crate::cluster::spec::ClassSpec;
use crate::policy::{BatchView, Budget, Preempt, RequestView, RunningView};
use crate::sim::{Arena, SimTime};
use crate::workload::ClassId;

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
        request.view(self.now, &request.ask.blocks, &self.classes[request.ask.class])
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
#[cold]
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
    let instance = &mut world.fleet.instances[id];
    instance.batch.holds = u64::MAX;
    if instance.rules.batching.is_some() { ask_for_budget(world, id) } else { None }
}

#[cold]
fn ask_for_budget<O: Observer>(world: &mut World<O>, id: InstanceId) -> Option<Budget> {
    let World { fleet, requests, .. } = world;
    let instance = &mut fleet.instances[id];
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
