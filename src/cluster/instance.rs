//! One instance: its queues, its batch, its KV memory and the iteration in flight.

use super::decode_set::DecodeSet;
use super::event::{PoolId, Slot};
use super::list::List;
use super::request::{Request, Requests, Snapshot};
use super::spec::{EngineSpec, PoolSpec};
use crate::kv::{KvError, KvStore};
use crate::network::PortId;
use crate::perf::{DecodeRun, IterationCost};
use crate::sim::{Generation, SimTime};

/// Part of a prompt that an iteration computes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    pub(super) slot: Slot,
    pub(super) tokens: u32,
}

/// A run of decode iterations of one unchanged batch, and how many of them are done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) start: SimTime,
    pub(super) cost: DecodeRun,
    pub(super) done: u64,
}

/// The iteration in flight.
#[derive(Debug, Clone, Copy)]
pub(super) struct InFlight {
    pub(super) start: SimTime,
    pub(super) end: SimTime,
    /// Known in advance for a batch with prefill in it; a decode iteration takes it from the run.
    pub(super) cost: Option<IterationCost>,
}

/// What routers ask of an instance. Kept apart from the rest, side by side: some look at those of all instances.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Load {
    /// Requests assigned to it and not yet done there.
    pub(super) in_flight: u64,
    /// What these add up to in tokens to go.
    pub(super) pending_tokens: u64,
}

impl Load {
    /// Takes on a request that has `pending` tokens to go.
    pub(super) fn assign(&mut self, request: &mut Request, pending: u64) {
        self.in_flight += 1;
        self.pending_tokens += pending;
        request.progress.pending = pending;
    }

    /// Notes prompt tokens of a request as computed or found in the cache; the one token that every request counts for stays.
    pub(super) fn computed(&mut self, request: &mut Request, tokens: u32) {
        let done = u64::from(tokens).min(request.progress.pending.saturating_sub(1));
        request.progress.pending -= done;
        self.pending_tokens -= done;
    }

    /// A request that lost its KV has `tokens` more to go.
    pub(super) fn add_pending(&mut self, request: &mut Request, tokens: u32) {
        request.progress.pending += u64::from(tokens);
        self.pending_tokens += u64::from(tokens);
    }

    /// A request has left.
    pub(super) fn unassign(&mut self, request: &mut Request) {
        self.in_flight -= 1;
        self.pending_tokens -= request.progress.pending;
        request.progress.pending = 0;
    }
}

/// Where an instance stands.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) pool: PoolId,
    pub(super) engine: EngineSpec,
    pub(super) kv: KvStore,
    /// Requests whose prompt is to be computed, first come first served; preempted ones in front.
    pub(super) waiting: List,
    /// Of these, how many lost their KV and come back.
    pub(super) returning: u32,
    /// The last of these has just been admitted: the instance takes handoffs again.
    pub(super) returned: bool,
    /// The queue may move at the next boundary although nothing happens until then, so the batch must be formed anew there. Either this
    /// iteration preempted, and so admitted nothing; or the first in the queue found too little memory although part of its prompt is
    /// cached: should the decode batch evict that part, the request may fit, for holding what is cached costs memory too.
    pub(super) look_again: bool,
    /// Requests whose KV has arrived by handoff.
    pub(super) resident: List,
    /// Running sequences whose prompt is not done, in order of admission.
    pub(super) prefilling: Vec<Slot>,
    pub(super) decode: DecodeSet,
    /// Members of `decode` that have not yet been through an iteration there.
    pub(super) fresh: Vec<Slot>,
    /// The sequences of both kinds, in order of admission.
    pub(super) admitted: List,
    pub(super) chunks: Vec<Chunk>,
    /// Requests to drop at the next boundary.
    pub(super) aborted: Vec<Slot>,
    pub(super) current: Option<InFlight>,
    pub(super) run: Option<Run>,
    /// Iterations, the one in flight included, until the scheduled event.
    pub(super) planned: u64,
    pub(super) generation: Generation,
    /// Sums over the life of the instance; requests keep the difference between joining and leaving.
    pub(super) totals: Snapshot,
    /// Since when the gauges have their present values.
    pub(super) gauges_since: SimTime,
    pub(super) idle_since: SimTime,
    /// Between forming a batch and its end, decode members hold the block of the token being computed.
    pub(super) ahead: bool,
    /// Transfers to or from this instance.
    pub(super) transfers: u32,
    /// Reserved handoffs that have not arrived.
    pub(super) incoming: u32,
    /// Blocks of their own that these hold.
    pub(super) incoming_blocks: u64,
    pub(super) egress: PortId,
    pub(super) ingress: PortId,
}

impl Instance {
    /// An idle instance.
    ///
    /// # Errors
    /// [`KvError`] if its block sizes do not fit together.
    pub(super) fn new(pool: PoolId, spec: &PoolSpec, group_tokens: u32, ports: (PortId, PortId)) -> Result<Self, KvError> {
        let engine = spec.engine;
        let group_tokens = if engine.prefix_caching { group_tokens } else { 0 };
        Ok(Self {
            pool,
            engine,
            kv: KvStore::new(engine.kv_blocks, engine.block_size, group_tokens)?,
            waiting: List::default(),
            returning: 0,
            returned: false,
            look_again: false,
            resident: List::default(),
            prefilling: Vec::new(),
            decode: DecodeSet::new(engine.block_size, spec.window),
            fresh: Vec::new(),
            admitted: List::default(),
            chunks: Vec::new(),
            aborted: Vec::new(),
            current: None,
            run: None,
            planned: 0,
            generation: Generation::default(),
            totals: Snapshot::default(),
            gauges_since: SimTime::ZERO,
            idle_since: SimTime::ZERO,
            ahead: false,
            transfers: 0,
            incoming: 0,
            incoming_blocks: 0,
            egress: ports.0,
            ingress: ports.1,
        })
    }

    /// Sequences in the batch.
    pub(super) fn running(&self) -> u64 {
        u64::from(self.decode.count) + self.prefilling.len() as u64
    }

    /// Sequences it has taken on: running, arrived and on their way here.
    pub(super) fn committed(&self) -> u64 {
        self.running() + self.resident.len() + u64::from(self.incoming)
    }

    /// Takes a sequence out of the decode batch and books to it what it took part in.
    pub(super) fn leave_decode(&mut self, requests: &mut Requests, slot: Slot) {
        let request = &mut requests[slot];
        let stored = request.progress.joined_context + u32::try_from(self.decode.step - request.progress.joined.step).unwrap_or(u32::MAX);
        self.decode.leave(request.ask.class, stored);
        self.fresh.retain(|&other| other != slot);
        request.progress.epoch = request.progress.epoch.wrapping_add(1);
        // The first iteration was booked by itself, for its gap began before it.
        let iterations = self.decode.step - request.progress.joined.step;
        if iterations > 0 {
            let later = iterations - 1;
            request.progress.generated += u32::try_from(later).unwrap_or(u32::MAX);
            request.usage.add_gaps(
                later,
                self.totals.gap_sum - request.progress.joined.gap_sum,
                self.totals.gap_squares - request.progress.joined.gap_squares,
            );
        }
        request.usage.decode_energy_j += self.totals.energy_j - request.progress.joined.energy_j;
        request.usage.decode_s += self.totals.time_s - request.progress.joined.time_s;
        // Blocks taken one by one while it ran; groups shared through the prefix cache are not among them.
        let own = self.kv.own_blocks(u64::from(stored) + u64::from(self.ahead), request.progress.held.groups());
        self.kv.settle(&mut request.progress.held, own);
        request.progress.computed = stored;
        self.admitted.remove(requests, slot);
        self.run = None;
    }
}
