//! One instance: its queues, batch, KV memory and the iteration in flight.

use super::decode_set::DecodeSet;
use super::flight::Flight;
use super::list::List;
use super::queue::Queue;
use super::request::Request;
use super::requests::Requests;
use super::rules::Rules;
use super::snapshot::Snapshot;
use crate::cluster::ids::{PoolId, Slot};
use crate::cluster::segment::{KvBlocks, Members};
use crate::cluster::spec::{EngineSpec, PoolSpec};
use crate::kv::{KvError, KvStore};
use crate::network::PortId;
use crate::perf::BatchShape;
use crate::sim::SimTime;

/// The part of a prompt computed by one iteration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunk {
    pub(crate) slot: Slot,
    pub(crate) tokens: u32,
}

/// The running sequences of an instance.
#[derive(Debug)]
pub(super) struct Batch {
    /// Running sequences whose prompt is not done, in order of admission.
    pub(super) prefilling: Vec<Slot>,
    pub(super) decode: DecodeSet,
    /// Members of `decode` that have not completed an iteration there.
    pub(super) fresh: Vec<Slot>,
    /// Members of `decode` whose first token was their last one so far; their next token is the second.
    pub(super) second: Vec<Slot>,
    /// Prefilling and decoding sequences, in order of admission.
    pub(super) admitted: List,
    pub(super) chunks: Vec<Chunk>,
    /// Blocks that the decode batch takes from the start of its run, over one turn of the block size.
    pub(super) turn: Vec<u32>,
    /// Scratch space of the ledger.
    pub(super) members: Vec<Members>,
    /// Requests that timed out during the iteration and leave at the next boundary.
    pub(super) leaving: Vec<Slot>,
    /// True from batch formation to the end of the iteration: decode members hold the block of the token being computed.
    pub(super) ahead: bool,
    /// True from batch formation to the end of an iteration that the decode members sit out.
    pub(super) without_decode: bool,
    /// The batch must be formed anew at the next boundary, even if nothing happens until then, because the queue may move. Either this
    /// iteration preempted and therefore admitted nothing; or the first queued request found too little memory although part of its prompt
    /// is cached. Holding cached blocks costs memory too, so the request may fit once the decode batch has evicted them.
    pub(super) look_again: bool,
    /// Iterations until a batching policy may decide otherwise.
    pub(super) holds: u64,
}

/// Current handoffs to and from an instance.
#[derive(Debug)]
pub(super) struct Traffic {
    /// Transfers in progress, to or from this instance.
    pub(super) transfers: u32,
    /// Handoffs reserved on this instance that have not arrived.
    pub(super) incoming: u32,
    /// Unshared blocks held by these reservations.
    pub(super) incoming_blocks: u64,
    /// Finished prompts that the router has bound for this instance and that wait for its memory, first come, first served.
    pub(super) bound: List,
    /// Reservations, in order of time, whose blocks the gauges do not include yet.
    pub(super) unreported: Vec<(SimTime, u64)>,
    pub(super) egress: PortId,
    pub(super) ingress: PortId,
}

/// The state of one instance.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(super) pool: PoolId,
    pub(super) engine: EngineSpec,
    pub(super) window: Option<u32>,
    pub(super) kv: KvStore,
    pub(super) queue: Queue,
    pub(super) rules: Rules,
    pub(super) batch: Batch,
    /// Iterations completed so far.
    pub(super) iterations: u64,
    pub(super) flight: Flight,
    pub(super) traffic: Traffic,
    /// Cumulative sums of the instance; a request is charged the difference between joining and leaving.
    pub(super) totals: Snapshot,
    /// Start of the span over which the gauges are constant.
    pub(super) gauges_since: SimTime,
    pub(super) idle_since: SimTime,
}

impl Batch {
    /// Blocks that the decode batch takes from the start of its run.
    pub(super) fn blocks_of_run(&self) -> KvBlocks<'_> {
        KvBlocks::of_run(self.decode.count(), &self.turn)
    }
}

impl Traffic {
    /// Held blocks that the gauges do not include yet.
    pub(super) fn unreported_blocks(&self) -> u64 {
        self.unreported.iter().map(|&(_, blocks)| blocks).sum()
    }
}

impl Instance {
    /// An idle instance.
    ///
    /// # Errors
    /// [`KvError`] if the block sizes are inconsistent.
    pub(super) fn new(
        pool: PoolId,
        spec: &PoolSpec,
        group_tokens: u32,
        ports: (PortId, PortId),
        (queue, rules): (Queue, Rules),
    ) -> Result<Self, KvError> {
        let engine = spec.engine;
        let group_tokens = engine.prefix_caching.then_some(group_tokens);
        Ok(Self {
            pool,
            engine,
            window: spec.window,
            kv: KvStore::new(engine.kv_blocks, engine.block_size, group_tokens)?,
            queue,
            rules,
            iterations: 0,
            batch: Batch {
                prefilling: Vec::new(),
                decode: DecodeSet::new(engine.block_size, spec.window),
                fresh: Vec::new(),
                second: Vec::new(),
                admitted: List::default(),
                chunks: Vec::new(),
                turn: Vec::new(),
                members: Vec::new(),
                leaving: Vec::new(),
                ahead: false,
                without_decode: false,
                look_again: false,
                holds: u64::MAX,
            },
            flight: Flight::default(),
            traffic: Traffic {
                transfers: 0,
                incoming: 0,
                incoming_blocks: 0,
                bound: List::default(),
                unreported: Vec::new(),
                egress: ports.0,
                ingress: ports.1,
            },
            totals: Snapshot::default(),
            gauges_since: SimTime::ZERO,
            idle_since: SimTime::ZERO,
        })
    }

    pub(crate) const fn pool(&self) -> PoolId {
        self.pool
    }
    pub(crate) const fn engine(&self) -> &EngineSpec {
        &self.engine
    }
    pub(crate) const fn window(&self) -> Option<u32> {
        self.window
    }
    pub(crate) const fn decode(&self) -> &DecodeSet {
        &self.batch.decode
    }
    /// The next request whose prompt is to be computed.
    pub(crate) fn first_waiting(&self) -> Option<Slot> {
        self.queue.first()
    }
    /// The next request that arrived by handoff.
    pub(crate) const fn first_resident(&self) -> Option<Slot> {
        self.queue.resident.first()
    }
    /// The next finished prompt that is bound for this instance.
    pub(crate) const fn first_bound(&self) -> Option<Slot> {
        self.traffic.bound.first()
    }
    /// The running sequence admitted last.
    pub(crate) const fn last_admitted(&self) -> Option<Slot> {
        self.batch.admitted.last()
    }
    /// The partly computed prompt. When a batch is formed there is at most one: an incomplete chunk uses up the prompt tokens of its iteration,
    /// so no further prompt starts until it is done.
    pub(crate) fn partly_computed(&self) -> Option<Slot> {
        debug_assert!(self.batch.prefilling.len() <= 1);
        self.batch.prefilling.first().copied()
    }
    /// True if a batch can be formed now: at a boundary between iterations, or when idle.
    pub(crate) const fn is_free(&self) -> bool {
        self.flight.current.is_none() || self.flight.at_boundary
    }
    /// True if no iteration is in flight or has ended at this instant.
    pub(crate) const fn is_idle(&self) -> bool {
        self.flight.current.is_none()
    }
    /// True if the instance is idle and has no requests to compute.
    pub(crate) fn rests(&self) -> bool {
        self.is_idle() && self.queue.waiting().is_empty() && self.queue.resident.is_empty() && self.running() == 0
    }
    /// Sequences in the batch.
    pub(crate) fn running(&self) -> u64 {
        u64::from(self.batch.decode.count()) + self.batch.prefilling.len() as u64
    }
    /// Sequences committed to this instance: running, delivered and reserved.
    pub(crate) fn committed(&self) -> u64 {
        self.running() + self.queue.resident.len() + u64::from(self.traffic.incoming)
    }
    /// True if the batch has room for one more of at most `most` sequences.
    pub(crate) fn has_seat(&self, most: u32) -> bool {
        self.running() < u64::from(self.engine.max_num_seqs.min(most))
    }
    /// True if preempted requests are still waiting to be recomputed.
    pub(crate) const fn is_catching_up_on_preempted(&self) -> bool {
        self.queue.returning > 0
    }
    /// True if the run continues: the coming batch is the same as the last one, and only decodes.
    pub(crate) fn run_goes_on(&self) -> bool {
        self.flight.goes_on()
    }
    /// True once after the last preempted request has been admitted: the instance accepts handoffs again.
    pub(crate) fn take_returned(&mut self) -> bool {
        std::mem::take(&mut self.queue.returned)
    }
    /// Takes the chunks of the iteration that has ended; `recycle_chunks` reuses the buffer.
    pub(crate) fn take_chunks(&mut self) -> Vec<Chunk> {
        std::mem::take(&mut self.batch.chunks)
    }
    /// Takes the buffer of `take_chunks` back for reuse.
    pub(crate) fn recycle_chunks(&mut self, mut chunks: Vec<Chunk>) {
        chunks.clear();
        self.batch.chunks = chunks;
    }
    /// The next sequence of the decode batch that has generated its last token.
    pub(crate) fn pop_finished(&mut self, requests: &Requests) -> Option<Slot> {
        self.batch.decode.pop_finished(|slot, epoch| requests.is_current(slot, epoch))
    }
    /// Records whether the batch must be formed anew at the next boundary because the queue may move.
    pub(crate) fn set_look_again(&mut self, look_again: bool) {
        self.batch.look_again = look_again || self.queue.may_change();
    }

    /// Takes the blocks that the generating sequences need for the coming iteration; false if there are too few.
    pub(crate) fn grow_decode(&mut self) -> bool {
        let grown = self.kv.grow_pooled(self.batch.decode.blocks_needed());
        self.batch.ahead |= grown;
        grown
    }

    /// Adds the next `tokens` of a running prompt to the coming iteration; false if there are too few blocks.
    pub(crate) fn add_chunk(&mut self, request: &mut Request, slot: Slot, tokens: u32) -> bool {
        let computed = u64::from(request.progress.computed);
        let need = self.kv.blocks(computed + u64::from(tokens)) - self.kv.blocks(computed);
        let grown = self.kv.grow(&mut request.progress.held, need);
        if grown {
            self.batch.chunks.push(Chunk { slot, tokens });
        }
        grown
    }

    /// The decode part of the coming batch. Until the iteration ends, its members hold the block of the token being computed.
    pub(crate) fn close_batch(&mut self) -> BatchShape {
        self.batch.ahead = true;
        self.batch.decode.shape()
    }

    /// First chunk of the first queued request, given a budget of `budget` tokens.
    pub(crate) fn first_chunk(&self, request: &Request, budget: u32) -> FirstChunk {
        let (target, prompt) = (request.progress.target, request.ask.prompt);
        // At least one token must be computed, for its logits; the last token of a preempted request may lie behind its prompt.
        let hit = self.kv.lookup(&request.ask.blocks, self.kv.whole_groups((target - 1).min(prompt)));
        let left = request.progress.residue.as_ref().map_or(0, |residue| self.kv.found_again(residue, hit));
        let cached = self.kv.found_tokens(hit, left);
        debug_assert!(cached < target, "a residue exceeds the computed tokens");
        let to_go = target - cached;
        let tokens = to_go.min(budget);
        let need = self.kv.own_blocks(u64::from(cached) + u64::from(tokens), hit);
        let must_fit = if self.engine.reserve_full_isl { self.kv.own_blocks(u64::from(target), hit) } else { need };
        let whole = self.engine.chunked_prefill || tokens == to_go || budget == self.engine.max_num_batched_tokens;
        // Blocks of a residue count as free memory, so finding them does not reduce what a sequence that must fit whole needs.
        let may_shrink = hit > 0 || (left > 0 && !self.engine.reserve_full_isl);
        FirstChunk { hit, cached, tokens, need, must_fit, whole, may_shrink }
    }

    /// True if the first queued request could start with the whole token budget.
    pub(crate) fn could_start(&self, request: &Request) -> bool {
        let first = self.first_chunk(request, self.engine.max_num_batched_tokens);
        first.whole && self.kv.fits(&request.ask.blocks, first.hit, first.must_fit)
    }

    /// Leading groups of a sequence that are cached here, and the blocks that a handoff needs for the rest and `next` more tokens.
    pub(super) fn handoff_need(&self, request: &Request, next: u32) -> (u32, u64) {
        let target = request.progress.target;
        let hit = self.kv.lookup(&request.ask.blocks, self.kv.whole_groups(request.ask.prompt.min(target - 1)));
        (hit, self.kv.own_blocks(u64::from(target) + u64::from(next), hit))
    }

    /// Upper bound of the blocks that a handoff needs: those if nothing is cached here.
    pub(super) fn handoff_need_at_most(&self, request: &Request, next: u32) -> u64 {
        self.kv.own_blocks(u64::from(request.progress.target) + u64::from(next), 0)
    }

    /// Clears the state of a failed instance, its cache included.
    pub(super) fn forget_all(&mut self) {
        self.batch.ahead = false;
        self.batch.without_decode = false;
        self.batch.look_again = false;
        self.queue.returned = false;
        self.kv.clear();
        debug_assert!(self.kv.used() == 0 && self.running() == 0, "a failed instance still holds memory or sequences");
    }

    /// True if `need` blocks are free without eviction however far the plan has advanced, so that the plan need not change.
    pub(super) fn has_room_beside_plan(&self, need: u64) -> bool {
        let Some(grown) = self.flight.planned_iterations().map(|[now, last]| {
            let kv = self.batch.blocks_of_run();
            kv.taken(last) - kv.taken(now)
        }) else {
            return false;
        };
        self.kv.taken() + grown + need <= self.kv.total()
    }

    /// Adds a running sequence to the decode batch; its computed tokens are stored.
    pub(super) fn join_decode(&mut self, request: &mut Request, slot: Slot) {
        let progress = &mut request.progress;
        progress.joined_context = progress.computed;
        progress.joined = Snapshot { step: self.batch.decode.step(), ..self.totals };
        self.batch.decode.join(slot, progress.epoch, request.ask.class, progress.computed, request.ask.output - progress.generated);
        self.batch.fresh.push(slot);
        self.flight.run = None;
    }

    /// Removes a sequence from the decode batch and charges it for its iterations.
    pub(super) fn leave_decode(&mut self, requests: &mut Requests, slot: Slot) {
        let request = &mut requests[slot];
        let stored = self.stored(request);
        self.batch.decode.leave(request.ask.class, stored);
        self.batch.fresh.retain(|&other| other != slot);
        self.batch.second.retain(|&other| other != slot);
        request.book_decode(self.batch.decode.step(), &self.totals);
        request.progress.epoch = request.progress.epoch.wrapping_add(1);
        // Blocks pooled while it ran; groups shared through the prefix cache are not among them.
        let own = self.kv.own_blocks(u64::from(stored) + u64::from(self.batch.ahead), request.progress.held.groups());
        self.kv.settle(&mut request.progress.held, own);
        request.progress.computed = stored;
        self.batch.admitted.remove(requests, slot);
        self.flight.run = None;
    }

    /// Removes a sequence from the batch, prefilling or decoding.
    pub(super) fn leave_batch(&mut self, requests: &mut Requests, slot: Slot) {
        if self.batch.prefilling.contains(&slot) {
            self.batch.prefilling.retain(|&other| other != slot);
            self.batch.admitted.remove(requests, slot);
        } else {
            self.leave_decode(requests, slot);
        }
    }

    /// KV tokens of a member of the decode batch.
    pub(super) fn stored(&self, request: &Request) -> u32 {
        request.progress.joined_context + request.iterations(self.batch.decode.step())
    }

    /// Members of the decode batch that timed out during the iteration: they hold memory until its end, and their token does not count.
    pub(super) fn gone_from_decode(&self) -> impl Iterator<Item = Slot> {
        self.batch.leaving.iter().copied().filter(|slot| !self.batch.prefilling.contains(slot))
    }
}

/// The first chunk of a request, before it starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FirstChunk {
    /// Leading groups of its prompt that are cached, and all its cached tokens, including those of its residue.
    pub(crate) hit: u32,
    pub(crate) cached: u32,
    pub(crate) tokens: u32,
    /// Unshared blocks that the chunk needs, and unshared blocks that must be free.
    pub(crate) need: u64,
    pub(crate) must_fit: u64,
    /// True if the chunk may start: it is allowed to be partial, or is as large as it must be.
    pub(crate) whole: bool,
    /// True if the request may need less memory after others have evicted cached blocks.
    pub(crate) may_shrink: bool,
}
