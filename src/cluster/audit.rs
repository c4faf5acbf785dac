//! The invariants, checked after every event in debug builds and with `--audit`.
//!
//! | | invariant |
//! |---|---|
//! | 1 | requests: arrived = completed + rejected + timed out + inside |
//! | 2 | lifecycle: a request is in the queue, batch, row or transfer that its stage says, and every place holds as many as say so |
//! | 3 | time: the clock never goes back, no iteration has zero length |
//! | 4 | blocks: held by sequences + reserved + cached + free = all; nothing is held twice |
//! | 5 | causality: arrival ≤ prefill start ≤ first token ≤ KV delivered ≤ decode start ≤ last token; reserved ≤ transfer start ≤ delivered |
//! | 6 | the sums of a decode batch are those of its sequences |
//! | 7 | work conservation: an idle instance has nothing it could run, and the first in its queue could not start; the first of those who wait for decode memory could not have it |
//! | 8 | no oracle: policies get views, which have no output length (by construction) |
//! | 9 | network: no port above its capacity, every transfer has a sender and a receiver |
//! | 10 | liveness: when nothing is scheduled any more, no request is left inside (checked at the end of the run) |
//! | 11 | energy: every nanosecond of every instance is booked once, busy or idle (checked by `tests/conservation.rs`) |
//! | 12 | instances billed = instances provisioned (checked by `tests/conservation.rs`) |
//!
//! After each event: the clock, the timestamps of whoever left, the ports whose load changed last, and one instance in rotation (2, 3, 4, 6
//! and the batch of 7). Everything at the end, and after as many events as there are instances and requests, so that an audited event
//! costs the same in a large cluster as in a small one: broken sums stay broken.

use thiserror::Error;

use super::batch::could_start;
use super::event::{InstanceId, Slot};
use super::instance::Instance;
use super::observe::Observer;
use super::request::{Request, Stage};
use super::state::Cluster;
use crate::sim::{Arena, Id, SimTime};

/// A broken invariant: our error, please report it. The run cannot be resumed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("invariant {number} broken: {what}")]
pub struct Violation {
    /// Its number in the table of `cluster/audit.rs`.
    pub number: u8,
    /// What was found.
    pub what: String,
}

fn ensure(number: u8, holds: bool, what: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { number, what: what() }) }
}

/// Where the audit stands in its rounds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rounds {
    /// The instance that is next.
    instance: Option<InstanceId>,
    /// Events since everything was audited.
    events: usize,
}

impl<O: Observer> Cluster<O> {
    /// Checks that the clock does not go back.
    pub(super) fn audit_clock(&self, next: SimTime) -> Result<(), Violation> {
        ensure(3, next >= self.now, || format!("the clock goes back from {} to {next}", self.now))
    }

    /// Checks the invariants in the middle of a run.
    pub(super) fn audit(&mut self) -> Result<(), Violation> {
        if let Some(violation) = &self.violation {
            return Err(violation.clone());
        }
        self.rounds.events += 1;
        if self.rounds.events >= self.instances.len() + self.requests.places() {
            self.rounds.events = 0;
            return self.audit_everything();
        }
        let next = self.rounds.instance.and_then(|last| InstanceId::from_index(last.index() + 1));
        let next = next.filter(|&next| self.instances.get(next).is_some());
        self.rounds.instance = next.or_else(|| self.instances.ids().next());
        if let Some(id) = self.rounds.instance {
            self.audit_instance(id, None)?;
        }
        ensure(9, self.fabric.is_last_change_within_capacity(), || "a port carries more than its capacity".into())
    }

    /// Checks the invariants when nothing is scheduled any more.
    pub(super) fn audit_end(&mut self, exhausted: bool) -> Result<(), Violation> {
        ensure(10, self.in_flight() == 0 && exhausted, || {
            let stuck: Vec<String> =
                self.requests.iter().take(5).map(|(_, r)| format!("request {} {:?}", r.ask.id, r.progress.stage)).collect();
            format!(
                "nothing is scheduled, but {} requests are inside ({}) and the workload is {}",
                self.in_flight(),
                stuck.join(", "),
                if exhausted { "exhausted" } else { "waiting" }
            )
        })?;
        for (id, instance) in self.instances.iter() {
            let used = instance.kv.used();
            ensure(4, used == 0, || format!("instance {} still holds {used} blocks of nobody", id.0))?;
        }
        self.audit_everything()
    }

    fn audit_everything(&mut self) -> Result<(), Violation> {
        let left_behind = self.audit_requests()?;
        for (id, &blocks) in left_behind.iter() {
            self.audit_instance(id, Some(blocks))?;
        }
        self.audit_waiting()?;
        ensure(9, self.fabric.within_capacity(), || "a port carries more than its capacity".into())
    }

    /// One look at every request. Returns the blocks of prompts that are done and wait to be handed on, by instance.
    fn audit_requests(&self) -> Result<Arena<InstanceId, u64>, Violation> {
        let (mut inside, mut transfers) = (0u64, 0usize);
        let (mut waiting, mut running, mut reserving, mut arrived, mut refused) = (0u64, 0u64, 0u64, 0u64, 0u64);
        let mut left_behind = Arena::mirror(&self.instances, |_| 0);
        for (_, request) in self.requests.iter() {
            inside += u64::from(!request.progress.reported);
            transfers += usize::from(request.handoff.transfer.is_some());
            refused += u64::from(request.timeline.refused_at.is_some());
            match request.progress.stage {
                Stage::Waiting => waiting += 1,
                Stage::Prefilling | Stage::Decoding => running += 1,
                Stage::Reserving => reserving += 1,
                Stage::Resident => arrived += 1,
                Stage::Transferring | Stage::Done => {}
            }
            let handed_on = matches!(request.progress.stage, Stage::Reserving | Stage::Transferring)
                || (request.is_done() && request.progress.generated > 0);
            if handed_on && self.instances.get(request.progress.instance).is_some_and(|instance| self.pools[instance.pool].hands_on) {
                left_behind[request.progress.instance] += request.progress.held.own();
            }
        }
        ensure(1, inside == self.in_flight(), || format!("{inside} requests are inside, {} should be", self.in_flight()))?;
        let sum = |of: &dyn Fn(&Instance) -> u64| self.instances.values().map(of).sum::<u64>();
        let handoffs: u64 = self.routes.values().map(|route| route.handoffs.len()).sum();
        let short_of_memory: u64 = self.routes.values().map(|route| route.short_of_memory).sum();
        let aborted = sum(&|instance| instance.aborted.len() as u64);
        for (what, found, expected) in [
            ("wait", waiting, sum(&|instance| instance.waiting.len())),
            ("run", running + aborted, sum(&|instance| instance.admitted.len())),
            ("wait to be handed on", reserving, handoffs),
            ("wait for decode memory", reserving + refused, short_of_memory),
            ("have arrived", arrived, sum(&|instance| instance.resident.len())),
        ] {
            ensure(2, found == expected, || format!("{found} requests {what}, the rows of those have {expected}"))?;
        }
        ensure(9, transfers == self.fabric.in_flight(), || {
            format!("{transfers} requests are on the wire, the network has {}", self.fabric.in_flight())
        })?;
        let ends: u32 = self.instances.values().map(|instance| instance.transfers).sum();
        ensure(9, ends as usize == 2 * transfers, || format!("{transfers} transfers have {ends} ends"))?;
        Ok(left_behind)
    }

    /// Whoever is first in a row waits for a reason.
    fn audit_waiting(&mut self) -> Result<(), Violation> {
        for id in self.instances.ids() {
            let instance = &self.instances[id];
            let Some(slot) = instance.waiting.first().filter(|_| instance.current.is_none()) else { continue };
            let fits = could_start(instance, &self.requests[slot], instance.engine.max_num_batched_tokens);
            let needs_room = self.needs_room(id, slot);
            let in_line = self.routes[self.model_of(slot)].blocked.contains(&id);
            let waits = if needs_room { in_line } else { !fits };
            ensure(7, waits, || format!("instance {} is idle at {}, the first in its queue could start", id.0, self.now))?;
        }
        for model in self.routes.ids() {
            let next = self.routes[model].blocked.front().map(|&id| self.instances[id].waiting.first());
            ensure(7, next != Some(None), || "an instance without requests waits for decode memory".into())?;
            for slot in [next.flatten(), self.routes[model].handoffs.first()].into_iter().flatten() {
                let has_room = self.has_room(slot);
                ensure(7, !has_room, || format!("request {} waits for decode memory that is there", self.requests[slot].ask.id))?;
            }
        }
        Ok(())
    }

    /// `left_behind`: blocks of prompts that are done here and wait to be handed on; `None`: not known, where there may be any.
    fn audit_instance(&self, id: InstanceId, left_behind: Option<u64>) -> Result<(), Violation> {
        let (instance, index) = (&self.instances[id], id.0);
        if let Some(current) = instance.current {
            ensure(3, current.end > current.start, || format!("instance {index} has an iteration of no length at {}", current.start))?;
        }
        let mut blocks = instance.incoming_blocks;
        let (mut decoding, mut context, mut prefilling) = (0u32, 0u64, 0usize);
        for slot in instance.admitted.iter(&self.requests) {
            let request = &self.requests[slot];
            ensure(2, request.progress.instance == id, || format!("request {} runs on instance {index}, not on its own", request.ask.id))?;
            if instance.prefilling.contains(&slot) {
                prefilling += 1;
                blocks += request.progress.held.own();
            } else {
                decoding += 1;
                let stored = stored(instance, request);
                context += stored;
                blocks += instance.kv.own_blocks(stored + u64::from(instance.ahead), request.progress.held.groups());
            }
        }
        ensure(6, decoding == instance.decode.count && context == instance.decode.context(), || {
            format!(
                "instance {index} counts {} sequences of {} tokens, has {decoding} of {context}",
                instance.decode.count,
                instance.decode.context()
            )
        })?;
        ensure(2, prefilling == instance.prefilling.len(), || format!("instance {index} has lost a prompt"))?;
        blocks += instance.resident.iter(&self.requests).map(|slot| self.requests[slot].progress.held.own()).sum::<u64>();
        blocks += left_behind.unwrap_or_default();
        let known = left_behind.is_some() || !self.pools[instance.pool].hands_on;
        ensure(4, blocks == instance.kv.private() || !known, || {
            format!("instance {index} has {} blocks taken, its requests hold {blocks}", instance.kv.private())
        })?;
        ensure(4, instance.kv.used() <= instance.kv.total(), || format!("instance {index} uses more blocks than it has"))?;
        self.audit_queues(id)
    }

    fn audit_queues(&self, id: InstanceId) -> Result<(), Violation> {
        let (instance, index) = (&self.instances[id], id.0);
        let is_in = |slot: Slot, stage: Stage| self.requests[slot].progress.stage == stage;
        ensure(2, instance.waiting.iter(&self.requests).all(|slot| is_in(slot, Stage::Waiting)), || {
            format!("instance {index} queues a request that does not wait")
        })?;
        ensure(2, instance.resident.iter(&self.requests).all(|slot| is_in(slot, Stage::Resident)), || {
            format!("instance {index} holds KV of a request that has not arrived")
        })?;
        ensure(7, instance.current.is_some() || (instance.resident.is_empty() && instance.running() == 0), || {
            format!("instance {index} is idle at {} with {} sequences to run", self.now, instance.running() + instance.resident.len())
        })
    }
}

fn stored(instance: &Instance, request: &Request) -> u64 {
    u64::from(request.progress.joined_context) + (instance.decode.step - request.progress.joined.step)
}

/// Checks the order of a request's timestamps when it leaves.
pub(super) fn causality(request: &Request) -> Result<(), Violation> {
    let decoded = request.timeline.decode_start.map(|_| request.timeline.last_token);
    let times = [
        Some(request.timeline.arrived),
        request.timeline.prefill_start,
        request.timeline.first_token,
        request.timeline.delivered,
        request.timeline.decode_start,
        decoded,
    ];
    // A request preempted before its first decode iteration gets its second token from the recomputation.
    let last = request.timeline.first_token.map(|_| request.timeline.last_token);
    let tokens = [request.timeline.prefill_start, request.timeline.first_token, request.timeline.second_token, last];
    let wire = [request.timeline.reserved_at, request.timeline.transfer_start, request.timeline.delivered];
    let ordered = [&times[..], &tokens, &wire].iter().all(|times| times.iter().flatten().is_sorted());
    ensure(5, ordered, || format!("request {} has timestamps out of order: {times:?}, {tokens:?}, {wire:?}", request.ask.id))
}
