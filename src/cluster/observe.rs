//! What the cluster tells the outside. It does not know who listens, or what is computed from it.

use super::ids::{InstanceId, ModelId, PoolId};
use crate::power::{Energy, Phase};
use crate::sim::{SimDuration, SimTime};
use crate::workload::ClassId;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Got its last token.
    Completed,
    /// Its prompt leaves no room for an output token in the context of any instance.
    RejectedPromptTooLong,
    /// No pool serves its model.
    RejectedNoInstance,
    /// Its client gave up.
    TimedOut,
    /// Still inside when the run ended.
    InFlight,
}

impl Outcome {
    /// Number of outcomes.
    pub const COUNT: usize = 5;
    /// All of them, in the order of their index.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Completed, Self::RejectedPromptTooLong, Self::RejectedNoInstance, Self::TimedOut, Self::InFlight];

    /// Position in tables of counts.
    pub const fn index(self) -> usize {
        self as usize
    }
    /// Outcome column of `requests.csv`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::RejectedPromptTooLong | Self::RejectedNoInstance => "rejected",
            Self::TimedOut => "timed_out",
            Self::InFlight => "in_flight",
        }
    }
    /// Reason column of `requests.csv`; empty for completed requests.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Completed => "",
            Self::RejectedPromptTooLong => "prompt_exceeds_context",
            Self::RejectedNoInstance => "no_instance_for_model",
            Self::TimedOut => "client_timeout",
            Self::InFlight => "run_ended",
        }
    }
}

/// One iteration of one instance; or the part of one that the end of the run cuts off, of which no token has left.
#[derive(Debug, Clone, Copy)]
pub struct IterationRecord {
    /// Whose.
    pub pool: PoolId,
    /// Whose.
    pub instance: InstanceId,
    /// Begin.
    pub start: SimTime,
    /// End.
    pub end: SimTime,
    /// Prompt tokens computed.
    pub prefill_tokens: u64,
    /// Sequences that generated a token.
    pub decode_sequences: u32,
    /// Tokens that left: those of the decode sequences and first tokens, but for clients who have left before the end.
    pub tokens_out: u64,
    /// Fraction of the duration that prefill caused.
    pub prefill_share: f64,
    /// Time at peak compute, ns.
    pub compute_ns: f64,
    /// Time at peak memory bandwidth, ns.
    pub memory_ns: f64,
    /// What it drew.
    pub energy: Energy,
}

/// A request that has left the system, or is inside at the end.
#[derive(Debug, Clone, Copy)]
pub struct RequestRecord {
    /// Number by arrival, from 0.
    pub id: u64,
    /// Its workload.
    pub class: ClassId,
    /// How it ended.
    pub outcome: Outcome,
    /// Cut short at the context limit.
    pub truncated: bool,
    /// Prompt tokens.
    pub prompt_tokens: u32,
    /// Of these, found in a prefix cache.
    pub cached_tokens: u32,
    /// Tokens generated.
    pub output_tokens: u32,
    /// Times it lost its KV.
    pub preemptions: u32,
    /// Tokens computed again because of that.
    pub recomputed_tokens: u64,
    /// Where its prompt was computed.
    pub prefill_instance: Option<InstanceId>,
    /// Where it was decoded, if elsewhere.
    pub decode_instance: Option<InstanceId>,
    /// Arrival at the gateway.
    pub arrived: SimTime,
    /// Start of its first iteration.
    pub prefill_start: Option<SimTime>,
    /// First token.
    pub first_token: Option<SimTime>,
    /// Second token.
    pub second_token: Option<SimTime>,
    /// Memory on the decode side was reserved.
    pub reserved: Option<SimTime>,
    /// How long it stood first in the queue of its prefill instance and was refused, because no decode instance had memory for it. Only
    /// with `layer-wise` overlap, where memory is reserved before the prompt is computed; with `after-prefill` the wait for memory is the
    /// time from the first token to `reserved`.
    pub memory_wait: SimDuration,
    /// First byte of KV on the wire.
    pub transfer_start: Option<SimTime>,
    /// KV complete on the decode side.
    pub delivered: Option<SimTime>,
    /// Start of its first decode iteration after the handoff.
    pub decode_start: Option<SimTime>,
    /// Last token, or the moment it was refused, gave up or the run ended.
    pub done: SimTime,
    /// Gaps between its tokens.
    pub gap_count: u64,
    /// Their sum, ns.
    pub gap_sum_ns: u64,
    /// Sum of their squares, ns².
    pub gap_squares_ns2: u128,
    /// Its share of the IT energy of the iterations that computed its prompt where it was computed first, J.
    pub prefill_energy_j: f64,
    /// The same of those that generated its tokens, and of those that computed its prompt again on the decode instance, J.
    pub decode_energy_j: f64,
    /// Its share of the time of the former, instance-seconds.
    pub prefill_s: f64,
    /// Its share of the time of the latter, instance-seconds.
    pub decode_s: f64,
}

/// Somebody who listens. All methods do nothing unless overridden.
pub trait Observer {
    /// A request arrives.
    fn arrived(&mut self, _at: SimTime, _class: ClassId) {}
    /// An iteration ends.
    fn iteration(&mut self, _record: &IterationRecord) {}
    /// `n` gaps of `gap_ns` between tokens end at `at`.
    fn gaps(&mut self, _at: SimTime, _class: ClassId, _gap_ns: u64, _n: u64) {}
    /// The first token of a prompt leaves.
    fn first_token(&mut self, _at: SimTime, _class: ClassId, _prompt: u32, _cached: u32) {}
    /// An instance had nothing to compute; `phase` is idle or transfer.
    fn idle(&mut self, _pool: PoolId, _from: SimTime, _to: SimTime, _phase: Phase, _energy: Energy) {}
    /// On one instance, `running` sequences ran and `kv_blocks` blocks were held all the time from `from` to `to`.
    fn gauges(&mut self, _pool: PoolId, _instance: InstanceId, _from: SimTime, _to: SimTime, _running: u64, _kv_blocks: u64) {}
    /// In the whole pool, `waiting` requests waited all the time from `from` to `to`: for their prompt to be computed, or on a decode
    /// instance that has their KV, for a place in the batch.
    fn queue(&mut self, _pool: PoolId, _from: SimTime, _to: SimTime, _waiting: u64) {}
    /// `waiting` requests of a model that has decode instances waited for memory there all the time from `from` to `to`. With `after-prefill`
    /// their prompts are done and they are in no queue. With `layer-wise` they are the first in the queues of prefill instances, and
    /// counted there too.
    fn handoff_queue(&mut self, _model: ModelId, _from: SimTime, _to: SimTime, _waiting: u64) {}
    /// All KV of a request that will be sent has been delivered, or its client has left and nobody needs it.
    fn transfer(&mut self, _from: SimTime, _to: SimTime, _bytes: f64) {}
    /// A running request lost its KV.
    fn preempted(&mut self, _at: SimTime, _pool: PoolId) {}
    /// A prompt was looked up in a prefix cache: `hit` of `tokens` were there.
    fn prefix_lookup(&mut self, _at: SimTime, _pool: PoolId, _hit: u64, _tokens: u64) {}
    /// A request has left the system, or the run has ended with it inside.
    fn done(&mut self, _record: &RequestRecord) {}
}

/// Two listeners.
#[derive(Debug)]
pub struct Both<A, B>(pub A, pub B);

impl<A: Observer, B: Observer> Observer for Both<A, B> {
    fn arrived(&mut self, at: SimTime, class: ClassId) {
        self.0.arrived(at, class);
        self.1.arrived(at, class);
    }
    fn iteration(&mut self, record: &IterationRecord) {
        self.0.iteration(record);
        self.1.iteration(record);
    }
    fn gaps(&mut self, at: SimTime, class: ClassId, gap_ns: u64, n: u64) {
        self.0.gaps(at, class, gap_ns, n);
        self.1.gaps(at, class, gap_ns, n);
    }
    fn first_token(&mut self, at: SimTime, class: ClassId, prompt: u32, cached: u32) {
        self.0.first_token(at, class, prompt, cached);
        self.1.first_token(at, class, prompt, cached);
    }
    fn idle(&mut self, pool: PoolId, from: SimTime, to: SimTime, phase: Phase, energy: Energy) {
        self.0.idle(pool, from, to, phase, energy);
        self.1.idle(pool, from, to, phase, energy);
    }
    fn gauges(&mut self, pool: PoolId, instance: InstanceId, from: SimTime, to: SimTime, running: u64, kv_blocks: u64) {
        self.0.gauges(pool, instance, from, to, running, kv_blocks);
        self.1.gauges(pool, instance, from, to, running, kv_blocks);
    }
    fn queue(&mut self, pool: PoolId, from: SimTime, to: SimTime, waiting: u64) {
        self.0.queue(pool, from, to, waiting);
        self.1.queue(pool, from, to, waiting);
    }
    fn handoff_queue(&mut self, model: ModelId, from: SimTime, to: SimTime, waiting: u64) {
        self.0.handoff_queue(model, from, to, waiting);
        self.1.handoff_queue(model, from, to, waiting);
    }
    fn transfer(&mut self, from: SimTime, to: SimTime, bytes: f64) {
        self.0.transfer(from, to, bytes);
        self.1.transfer(from, to, bytes);
    }
    fn preempted(&mut self, at: SimTime, pool: PoolId) {
        self.0.preempted(at, pool);
        self.1.preempted(at, pool);
    }
    fn prefix_lookup(&mut self, at: SimTime, pool: PoolId, hit: u64, tokens: u64) {
        self.0.prefix_lookup(at, pool, hit, tokens);
        self.1.prefix_lookup(at, pool, hit, tokens);
    }
    fn done(&mut self, record: &RequestRecord) {
        self.0.done(record);
        self.1.done(record);
    }
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

impl RequestRecord {
    /// Its share of the IT energy of all iterations it took part in, J.
    pub fn energy_j(&self) -> f64 {
        self.prefill_energy_j + self.decode_energy_j
    }
}
