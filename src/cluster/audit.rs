//! The invariants, checked after every event in debug builds and with `--audit`.
//!
//! | | invariant |
//! |---|---|
//! | 1 | requests: arrived = completed + rejected + timed out + inside |
//! | 2 | lifecycle: a request is in the queue, batch or transfer that its stage says |
//! | 3 | time: the clock never goes back, no iteration has zero length |
//! | 4 | blocks: held by sequences + reserved + cached + free = all; nothing is held twice |
//! | 5 | causality: arrival ≤ prefill start ≤ first token ≤ KV delivered ≤ decode start ≤ last token, reserved ≤ delivered |
//! | 6 | the sums of a decode batch are those of its sequences |
//! | 7 | work conservation: an idle instance has nothing it could run |
//! | 8 | no oracle: policies get views, which have no output length (by construction) |
//! | 9 | network: no port above its capacity, every transfer has a sender and a receiver |
//! | 10 | liveness: when nothing is scheduled any more, no request is left inside |
//! | 11 | energy: every nanosecond of every instance is booked once, busy or idle (checked by `tests/conservation.rs`) |
//! | 12 | instances billed = instances provisioned (checked by `tests/conservation.rs`) |
//!
//! One instance is audited in full after each event, in rotation, and all of them every 1024 events: broken sums stay broken.

use thiserror::Error;

use super::event::{InstanceId, Slot};
use super::instance::Instance;
use super::observe::Observer;
use super::request::{Request, Stage};
use super::state::Cluster;

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

impl<O: Observer> Cluster<O> {
    /// Checks the invariants in the middle of a run.
    pub(super) fn audit(&self) -> Result<(), Violation> {
        if let Some(violation) = &self.violation {
            return Err(violation.clone());
        }
        let count = self.instances.len() as u64;
        if self.events.is_multiple_of(1024) {
            for index in 0..self.instances.len() {
                self.audit_instance(index)?;
            }
            self.audit_requests()?;
        } else if let Ok(index) = usize::try_from(self.events % count) {
            self.audit_instance(index)?;
        }
        ensure(9, self.fabric.within_capacity(), || "a port carries more than its capacity".into())
    }

    /// Checks the invariants when nothing is scheduled any more.
    pub(super) fn audit_end(&self, exhausted: bool) -> Result<(), Violation> {
        ensure(10, self.in_flight() == 0 && exhausted, || {
            let stuck: Vec<String> = self.requests.iter().take(5).map(|(_, r)| format!("request {} {:?}", r.id, r.stage)).collect();
            format!(
                "nothing is scheduled, but {} requests are inside ({}) and the workload is {}",
                self.in_flight(),
                stuck.join(", "),
                if exhausted { "exhausted" } else { "waiting" }
            )
        })?;
        for index in 0..self.instances.len() {
            self.audit_instance(index)?;
            let kv = &self.instances[index].kv;
            ensure(4, kv.used() == 0, || format!("instance {index} still holds {} blocks of nobody", kv.used()))?;
        }
        self.audit_requests()
    }

    fn audit_requests(&self) -> Result<(), Violation> {
        let inside = self.requests.iter().filter(|(_, request)| !request.reported).count() as u64;
        ensure(1, inside == self.in_flight(), || format!("{inside} requests are inside, {} should be", self.in_flight()))?;
        let transfers = self.requests.iter().filter(|(_, request)| request.transfer.is_some()).count();
        ensure(9, transfers == self.fabric.in_flight(), || {
            format!("{transfers} requests are on the wire, the network has {}", self.fabric.in_flight())
        })?;
        let ends: u32 = self.instances.iter().map(|instance| instance.transfers).sum();
        ensure(9, ends as usize == 2 * transfers, || format!("{transfers} transfers have {ends} ends"))
    }

    fn audit_instance(&self, index: usize) -> Result<(), Violation> {
        let instance = &self.instances[index];
        let id = InstanceId(u32::try_from(index).unwrap_or(u32::MAX));
        if let Some(current) = instance.current {
            ensure(3, current.end > current.start, || format!("instance {index} has an iteration of no length at {}", current.start))?;
        }
        let mut blocks = instance.incoming_blocks;
        let (mut decoding, mut context, mut prefilling) = (0u32, 0u64, 0usize);
        for slot in instance.admitted.iter(&self.requests) {
            let request = &self.requests[slot];
            ensure(2, request.instance == id, || format!("request {} runs on instance {index}, not on its own", request.id))?;
            if instance.prefilling.contains(&slot) {
                prefilling += 1;
                blocks += request.held.private;
            } else {
                decoding += 1;
                let stored = stored(instance, request);
                context += stored;
                blocks += instance.kv.blocks(stored + u64::from(instance.ahead))
                    - instance.kv.blocks(instance.kv.group_tokens(request.held.groups));
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
        blocks += instance.resident.iter(&self.requests).map(|slot| self.requests[slot].held.private).sum::<u64>();
        blocks += self.left_behind(id);
        ensure(4, blocks == instance.kv.private(), || {
            format!("instance {index} has {} blocks taken, its requests hold {blocks}", instance.kv.private())
        })?;
        ensure(4, instance.kv.used() <= instance.kv.total(), || format!("instance {index} uses more blocks than it has"))?;
        self.audit_queues(index)
    }

    /// Blocks of prompts that are done here and wait to be handed on.
    fn left_behind(&self, id: InstanceId) -> u64 {
        if !self.pools[self.instances[id.at()].pool.at()].hands_on {
            return 0;
        }
        let waits = |request: &Request| {
            request.instance == id
                && (matches!(request.stage, Stage::Reserving | Stage::Transferring)
                    || (request.stage == Stage::Done && request.generated > 0))
        };
        self.requests.iter().filter(|(_, request)| waits(request)).map(|(_, request)| request.held.private).sum()
    }

    fn audit_queues(&self, index: usize) -> Result<(), Violation> {
        let instance = &self.instances[index];
        let is_in = |slot: Slot, stage: Stage| self.requests[slot].stage == stage;
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
    u64::from(request.joined_context) + (instance.decode.step - request.joined.step)
}

/// Checks the order of a request's timestamps when it leaves.
pub(super) fn causality(request: &Request) -> Result<(), Violation> {
    let times = [Some(request.arrived), request.prefill_start, request.first_token, request.delivered, request.decode_start];
    // A request preempted before its first decode iteration gets its second token from the recomputation.
    let tokens = [request.prefill_start, request.first_token, request.second_token];
    let ordered = times.iter().flatten().is_sorted() && tokens.iter().flatten().is_sorted();
    ensure(5, ordered && request.reserved_at.is_none_or(|at| request.delivered.is_none_or(|delivered| at <= delivered)), || {
        format!("request {} has timestamps out of order: {times:?}", request.id)
    })
}
