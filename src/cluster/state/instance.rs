//! One instance: its queues, its batch, its KV memory and the iteration in flight.

use super::decode_set::DecodeSet;
use super::flight::Flight;
use super::list::List;
use super::request::Request;
use super::requests::Requests;
use super::snapshot::Snapshot;
use crate::cluster::ids::{PoolId, Slot};
use crate::cluster::segment::{KvBlocks, Members, Prefix};
use crate::cluster::spec::{EngineSpec, PoolSpec};
use crate::kv::{KvError, KvStore};
use crate::network::PortId;
use crate::perf::BatchShape;
use crate::sim::{Generation, SimTime};

/// Part of a prompt that an iteration computes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunk {
    pub(crate) slot: Slot,
    pub(crate) tokens: u32,
}

/// Requests that wait on an instance.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Requests whose prompt is to be computed, first come first served; preempted ones in front.
    pub(super) waiting: List,
    /// Of these, how many lost their KV and come back.
    pub(super) returning: u32,
    /// The last of these has just been admitted: the instance takes handoffs again.
    pub(super) returned: bool,
    /// Requests whose KV has arrived by handoff.
    pub(super) resident: List,
}

/// What an instance computes together.
#[derive(Debug)]
pub(super) struct Batch {
    /// Running sequences whose prompt is not done, in order of admission.
    pub(super) prefilling: Vec<Slot>,
    pub(super) decode: DecodeSet,
    /// Members of `decode` that have not yet been through an iteration there.
    pub(super) fresh: Vec<Slot>,
    /// Of those that have, members whose first token that was, until the next.
    pub(super) second: Vec<Slot>,
    /// The sequences of both kinds, in order of admission.
    pub(super) admitted: List,
    pub(super) chunks: Vec<Chunk>,
    /// Blocks that the decode batch takes between iteration 0 and 1, 2, … of its run, over one turn of the block size.
    pub(super) taken: Vec<u32>,
    /// Sums over all of these.
    pub(super) turn: Prefix,
    /// Scratch of the books.
    pub(super) members: Vec<Members>,
    /// Requests that leave at the next boundary.
    pub(super) leaving: Vec<Slot>,
    /// Between forming a batch and its end, decode members hold the block of the token being computed.
    pub(super) ahead: bool,
    /// The queue may move at the next boundary although nothing happens until then, so the batch must be formed anew there. Either this
    /// iteration preempted, and so admitted nothing; or the first in the queue found too little memory although part of it is cached:
    /// should the decode batch evict that part, the request may fit, for holding what is cached costs memory too.
    pub(super) look_again: bool,
}

/// Handoffs to and from an instance.
#[derive(Debug)]
pub(super) struct Traffic {
    /// Transfers to or from this instance.
    pub(super) transfers: u32,
    /// Reserved handoffs that have not arrived.
    pub(super) incoming: u32,
    /// Blocks of their own that these hold.
    pub(super) incoming_blocks: u64,
    /// Blocks that have been reserved, and when, that the gauges do not show yet, in order.
    pub(super) unreported: Vec<(SimTime, u64)>,
    pub(super) egress: PortId,
    pub(super) ingress: PortId,
}

/// Where an instance stands.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(super) pool: PoolId,
    pub(super) engine: EngineSpec,
    pub(super) window: Option<u32>,
    pub(super) kv: KvStore,
    pub(super) queue: Queue,
    pub(super) batch: Batch,
    pub(super) flight: Flight,
    pub(super) traffic: Traffic,
    /// Sums over the life of the instance; requests keep the difference between joining and leaving.
    pub(super) totals: Snapshot,
    /// Since when the gauges have their present values.
    pub(super) gauges_since: SimTime,
    pub(super) idle_since: SimTime,
}

impl Batch {
    /// What the decode batch takes from the start of its run on.
    pub(super) fn blocks_of_run(&self) -> KvBlocks<'_> {
        KvBlocks::of_run(self.decode.count(), &self.taken, self.turn)
    }
}

impl Traffic {
    /// Blocks held that the gauges do not show yet.
    pub(super) fn unreported_blocks(&self) -> u64 {
        self.unreported.iter().map(|&(_, blocks)| blocks).sum()
    }
}

impl Instance {
    /// An idle instance.
    ///
    /// # Errors
    /// [`KvError`] if its block sizes do not fit together.
    pub(super) fn new(pool: PoolId, spec: &PoolSpec, group_tokens: u32, ports: (PortId, PortId)) -> Result<Self, KvError> {
        let engine = spec.engine;
        let group_tokens = engine.prefix_caching.then_some(group_tokens);
        Ok(Self {
            pool,
            engine,
            window: spec.window,
            kv: KvStore::new(engine.kv_blocks, engine.block_size, group_tokens)?,
            queue: Queue::default(),
            batch: Batch {
                prefilling: Vec::new(),
                decode: DecodeSet::new(engine.block_size, spec.window),
                fresh: Vec::new(),
                second: Vec::new(),
                admitted: List::default(),
                chunks: Vec::new(),
                taken: Vec::new(),
                turn: Prefix::default(),
                members: Vec::new(),
                leaving: Vec::new(),
                ahead: false,
                look_again: false,
            },
            flight: Flight::default(),
            traffic: Traffic { transfers: 0, incoming: 0, incoming_blocks: 0, unreported: Vec::new(), egress: ports.0, ingress: ports.1 },
            totals: Snapshot::default(),
            gauges_since: SimTime::ZERO,
            idle_since: SimTime::ZERO,
        })
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
    pub(crate) const fn first_waiting(&self) -> Option<Slot> {
        self.queue.waiting.first()
    }
    /// The next request that arrived by handoff.
    pub(crate) const fn first_resident(&self) -> Option<Slot> {
        self.queue.resident.first()
    }
    /// The running sequence admitted last.
    pub(crate) const fn last_admitted(&self) -> Option<Slot> {
        self.batch.admitted.last()
    }
    /// The prompt that is partly computed. There is at most one when a batch is formed, and it was admitted last: what is not computed whole
    /// takes all that is left of the budget, so that nothing is admitted after it until it is done.
    pub(crate) fn partly_computed(&self) -> Option<Slot> {
        let slot = self.batch.prefilling.first().copied();
        debug_assert!(self.batch.prefilling.len() <= 1 && (slot.is_none() || slot == self.batch.admitted.last()));
        slot
    }
    /// True between two iterations and without any: a batch can be formed now.
    pub(crate) const fn is_free(&self) -> bool {
        self.flight.current.is_none() || self.flight.at_boundary
    }
    /// True if nothing is computed and nothing was until this instant.
    pub(crate) const fn is_idle(&self) -> bool {
        self.flight.current.is_none()
    }
    /// True if nothing is computed, and there is nothing to compute.
    pub(crate) fn rests(&self) -> bool {
        self.is_idle() && self.queue.waiting.is_empty() && self.queue.resident.is_empty() && self.running() == 0
    }
    /// True of the event that was scheduled last.
    pub(crate) fn is_current(&self, generation: Generation) -> bool {
        self.flight.generation == generation
    }
    /// Sequences in the batch.
    pub(crate) fn running(&self) -> u64 {
        u64::from(self.batch.decode.count()) + self.batch.prefilling.len() as u64
    }
    /// Sequences it has taken on: running, arrived and on their way here.
    pub(crate) fn committed(&self) -> u64 {
        self.running() + self.queue.resident.len() + u64::from(self.traffic.incoming)
    }
    /// True if the batch has room for one more sequence.
    pub(crate) fn has_seat(&self) -> bool {
        self.running() < u64::from(self.engine.max_num_seqs)
    }
    /// True if requests that lost their KV are still to be computed again.
    pub(crate) const fn is_catching_up_on_preempted(&self) -> bool {
        self.queue.returning > 0
    }
    /// True if the batch of the coming iteration is that of the last, and only decodes.
    pub(crate) fn run_goes_on(&self) -> bool {
        self.flight.goes_on()
    }
    /// True once after the last of the requests that lost their KV has been admitted: the instance takes handoffs again.
    pub(crate) fn take_returned(&mut self) -> bool {
        std::mem::take(&mut self.queue.returned)
    }
    /// Takes the chunks of the iteration that has ended; to be given back for their room.
    pub(crate) fn take_chunks(&mut self) -> Vec<Chunk> {
        std::mem::take(&mut self.batch.chunks)
    }
    /// Gives an emptied list of chunks back.
    pub(crate) fn recycle_chunks(&mut self, mut chunks: Vec<Chunk>) {
        chunks.clear();
        self.batch.chunks = chunks;
    }
    /// The next sequence of the decode batch that has generated its last token.
    pub(crate) fn pop_finished(&mut self, requests: &Requests) -> Option<Slot> {
        self.batch.decode.pop_finished(|slot, epoch| requests.is_current(slot, epoch))
    }
    /// Notes whether the queue may move at the next boundary although nothing happens until then.
    pub(crate) fn set_look_again(&mut self, look_again: bool) {
        self.batch.look_again = look_again;
    }

    /// Takes the blocks that the generating sequences need for the coming iteration; false if there are too few.
    pub(crate) fn grow_decode(&mut self) -> bool {
        let grown = self.kv.grow_pooled(self.batch.decode.blocks_needed());
        self.batch.ahead |= grown;
        grown
    }

    /// Adds the next `tokens` of a running prompt to the coming iteration; false if there are too few blocks for them.
    pub(crate) fn add_chunk(&mut self, request: &mut Request, slot: Slot, tokens: u32) -> bool {
        let computed = u64::from(request.progress.computed);
        let need = self.kv.blocks(computed + u64::from(tokens)) - self.kv.blocks(computed);
        let grown = self.kv.grow(&mut request.progress.held, need);
        if grown {
            self.batch.chunks.push(Chunk { slot, tokens });
        }
        grown
    }

    /// The decode part of the coming iteration. From here to its end its members hold the block of the token being computed.
    pub(crate) fn close_batch(&mut self) -> BatchShape {
        self.batch.ahead = true;
        self.batch.decode.shape()
    }

    /// What the first request in the queue would compute first with `budget` tokens.
    pub(crate) fn first_chunk(&self, request: &Request, budget: u32) -> FirstChunk {
        let (target, prompt) = (request.progress.target, request.ask.prompt);
        // At least one token must be computed, for its logits; that of a preempted request may lie behind its prompt.
        let hit = self.kv.lookup(&request.ask.prefix, self.kv.whole_groups((target - 1).min(prompt)));
        let left = request.progress.residue.as_ref().map_or(0, |residue| self.kv.found_again(residue, hit));
        let cached = self.kv.found_tokens(hit, left);
        debug_assert!(cached < target, "a residue has more than was computed");
        let to_go = target - cached;
        let tokens = to_go.min(budget);
        let need = self.kv.own_blocks(u64::from(cached) + u64::from(tokens), hit);
        let must_fit = if self.engine.reserve_full_isl { self.kv.own_blocks(u64::from(target), hit) } else { need };
        let whole = self.engine.chunked_prefill || tokens == to_go || budget == self.engine.max_num_batched_tokens;
        // Blocks of a residue are free memory: a sequence that must fit whole needs as many with them as without.
        let may_shrink = hit > 0 || (left > 0 && !self.engine.reserve_full_isl);
        FirstChunk { hit, cached, tokens, need, must_fit, whole, may_shrink }
    }

    /// True if the first request in the queue could start with the whole budget.
    pub(crate) fn could_start(&self, request: &Request) -> bool {
        let first = self.first_chunk(request, self.engine.max_num_batched_tokens);
        first.whole && self.kv.fits(&request.ask.prefix, first.hit, first.must_fit)
    }

    /// Leading groups of a sequence that are here already, and the blocks that a handoff must find for the rest and `next` more tokens.
    pub(super) fn handoff_need(&self, request: &Request, next: u32) -> (u32, u64) {
        let target = request.progress.target;
        let hit = self.kv.lookup(&request.ask.prefix, self.kv.whole_groups(request.ask.prompt.min(target - 1)));
        (hit, self.kv.own_blocks(u64::from(target) + u64::from(next), hit))
    }

    /// The blocks that it must find at most: where nothing is here already.
    pub(super) fn handoff_need_at_most(&self, request: &Request, next: u32) -> u64 {
        self.kv.own_blocks(u64::from(request.progress.target) + u64::from(next), 0)
    }

    /// Nothing is here any more, and nothing will be found again.
    pub(super) fn forget_all(&mut self) {
        self.batch.ahead = false;
        self.batch.look_again = false;
        self.queue.returned = false;
        self.kv.clear();
        debug_assert!(self.kv.used() == 0 && self.running() == 0, "a failed instance holds something");
    }

    /// True if a handoff finds `need` blocks, and none of them has to be evicted, however far the plan has come: it goes on as it is.
    pub(super) fn has_room_beside_plan(&self, need: u64) -> bool {
        let Some(grown) = self.flight.planned_iterations().map(|[now, last]| {
            let kv = self.batch.blocks_of_run();
            kv.taken(last) - kv.taken(now)
        }) else {
            return false;
        };
        self.kv.taken() + grown + need <= self.kv.total()
    }

    /// Adds a running sequence to the decode batch, with what it has computed stored.
    pub(super) fn join_decode(&mut self, request: &mut Request, slot: Slot) {
        let progress = &mut request.progress;
        progress.joined_context = progress.computed;
        progress.joined = Snapshot { step: self.batch.decode.step(), ..self.totals };
        self.batch.decode.join(slot, progress.epoch, request.ask.class, progress.computed, request.ask.output - progress.generated);
        self.batch.fresh.push(slot);
        self.flight.run = None;
    }

    /// Takes a sequence out of the decode batch and books to it what it took part in.
    pub(super) fn leave_decode(&mut self, requests: &mut Requests, slot: Slot) {
        let request = &mut requests[slot];
        let stored = self.stored(request);
        self.batch.decode.leave(request.ask.class, stored);
        self.batch.fresh.retain(|&other| other != slot);
        self.batch.second.retain(|&other| other != slot);
        request.book_decode(self.batch.decode.step(), &self.totals);
        request.progress.epoch = request.progress.epoch.wrapping_add(1);
        // Blocks taken one by one while it ran; groups shared through the prefix cache are not among them.
        let own = self.kv.own_blocks(u64::from(stored) + u64::from(self.batch.ahead), request.progress.held.groups());
        self.kv.settle(&mut request.progress.held, own);
        request.progress.computed = stored;
        self.batch.admitted.remove(requests, slot);
        self.flight.run = None;
    }

    /// Takes a sequence out of the batch, whether its prompt is done or not.
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

    /// Members of the decode batch whose clients have left since the iteration began: they hold their memory until its end, and their
    /// token is not counted.
    pub(super) fn gone_from_decode(&self) -> impl Iterator<Item = Slot> {
        self.batch.leaving.iter().copied().filter(|slot| !self.batch.prefilling.contains(slot))
    }
}

/// What a request would compute first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FirstChunk {
    /// Leading groups of its prompt that are cached, and its tokens that are, those that it left behind included.
    pub(crate) hit: u32,
    pub(crate) cached: u32,
    pub(crate) tokens: u32,
    /// Blocks of its own that it needs, and those that must be free.
    pub(crate) need: u64,
    pub(crate) must_fit: u64,
    /// True if the tokens are as many as they must be.
    pub(crate) whole: bool,
    /// True if it may need less memory once others have evicted what is cached.
    pub(crate) may_shrink: bool,
}
