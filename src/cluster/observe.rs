//! Observations of a cluster. Must not know: the metrics computed from them.

use super::ids::{FrontendId, InstanceId, ModelId, PoolId};
use super::segment::RunSegment;
use crate::policy::Life;
use crate::power::{Energy, Phase};
use crate::sim::{SimDuration, SimTime};
use crate::workload::{ClassId, Outcome, Turn};

/// A request that has left the system, or is still in it at the end of the run.
#[derive(Debug, Clone, Copy)]
pub struct RequestRecord {
    /// Number in order of arrival, from 0.
    pub id: u64,
    /// Its workload.
    pub class: ClassId,
    /// Its place in a session, if it has one.
    pub turn: Option<Turn>,
    /// How it ended.
    pub outcome: Outcome,
    /// Cut short at the context limit.
    pub truncated: bool,
    /// Prompt tokens.
    pub prompt_tokens: u32,
    /// Prompt tokens found in a prefix cache.
    pub cached_tokens: u32,
    /// Tokens generated.
    pub output_tokens: u32,
    /// Preemptions: KV lost for lack of memory.
    pub preemptions: u32,
    /// Failed attempts: an instance failed, or none accepted the request.
    pub failures: u32,
    /// Tokens computed again after a preemption or a failure.
    pub recomputed_tokens: u64,
    /// Instance that computed its prompt.
    pub prefill_instance: Option<InstanceId>,
    /// Instance that decoded it, if not the same.
    pub decode_instance: Option<InstanceId>,
    /// Arrival at the gateway.
    pub arrived: SimTime,
    /// When it left the frontend for the router: its arrival if it passes no frontend, its end if it never left one.
    pub admitted: SimTime,
    /// Start of the first iteration of its prompt; of the last attempt if instances failed before its first token.
    pub prefill_start: Option<SimTime>,
    /// When its prompt was first computed. The first token leaves then, unless it leaves from the decode side.
    pub prefill_end: Option<SimTime>,
    /// First token.
    pub first_token: Option<SimTime>,
    /// Second token.
    pub second_token: Option<SimTime>,
    /// Time lost to failures: before the first token, from the start of a lost prompt until the request is queued again; after it, from a
    /// failure until the next token.
    pub recovery: [SimDuration; 2],
    /// First token after the last failure that followed the first token.
    pub resumed: Option<SimTime>,
    /// When memory on the decode side was reserved. All handoff times are those of the last handoff.
    pub reserved: Option<SimTime>,
    /// How long the request was blocked at the head of its prefill queue because no decode instance had memory for it. Only with
    /// `layer-wise` overlap, where memory is reserved before prefill; with `after-prefill` the wait for memory is the time from the first
    /// token to `reserved`.
    pub memory_wait: SimDuration,
    /// First byte of KV on the wire.
    pub transfer_start: Option<SimTime>,
    /// KV complete on the decode side.
    pub delivered: Option<SimTime>,
    /// Start of the first decode iteration after its handoff.
    pub decode_start: Option<SimTime>,
    /// Last token, or the time of rejection, timeout, failure or the end of the run.
    pub done: SimTime,
    /// Gaps between its tokens.
    pub gap_count: u64,
    /// Sum of these gaps, ns.
    pub gap_sum_ns: u64,
    /// Sum of the squares of these gaps, ns².
    pub gap_squares_ns2: u128,
    /// Its share of the IT energy of iterations that computed its prompt on its prefill instance, J.
    pub prefill_energy_j: f64,
    /// Its share of the IT energy of iterations that generated its tokens or recomputed its prompt on the decode instance, J.
    pub decode_energy_j: f64,
    /// Its share of the prefill time, instance-seconds.
    pub prefill_s: f64,
    /// Its share of the decode time, instance-seconds.
    pub decode_s: f64,
}

/// What happens in a cluster. A span ends at the time passed along with the observation.
#[derive(Debug, Clone, Copy)]
pub enum Observation<'a> {
    /// A request arrives.
    Arrived {
        /// Its workload.
        class: ClassId,
    },
    /// The first token of a prompt leaves.
    FirstToken {
        /// Its workload.
        class: ClassId,
        /// Tokens of the prompt.
        prompt: u32,
        /// Prompt tokens found in a prefix cache.
        cached: u32,
    },
    /// A token arrives with the KV of its request and leaves; no iteration counts it.
    Token,
    /// Iterations end. Gaps between the tokens of these iterations are included, unless reported as [`Observation::Gap`].
    Run(&'a RunSegment<'a>),
    /// A gap between two tokens of one request ends that is longer than an iteration: the request waited, or its KV moved, in between.
    Gap {
        /// Its workload.
        class: ClassId,
        /// Its length.
        ns: u64,
    },
    /// An instance had nothing to compute.
    Idle {
        /// Its pool.
        pool: PoolId,
        /// Since when.
        from: SimTime,
        /// Idle or transfer.
        phase: Phase,
        /// Energy drawn.
        energy: &'a Energy,
    },
    /// Running sequences and held blocks of one instance, constant over the span. For iterations they are part of [`RunSegment`].
    Gauge {
        /// Its pool.
        pool: PoolId,
        /// The instance.
        instance: InstanceId,
        /// Since when.
        from: SimTime,
        /// Running sequences.
        running: u64,
        /// KV blocks held.
        kv_blocks: u64,
    },
    /// KV blocks reserved on an instance for a handoff while the iterations that end now ran; their segment does not include them.
    Reserved {
        /// The pool of the instance.
        pool: PoolId,
        /// Since when.
        from: SimTime,
        /// KV blocks.
        kv_blocks: u64,
    },
    /// Waiting requests of a pool, constant over the span: those whose prompt is still to be computed, and those whose KV has arrived on a
    /// decode instance and that wait for a place in the batch.
    Queue {
        /// The pool.
        pool: PoolId,
        /// Since when.
        from: SimTime,
        /// Requests.
        waiting: u64,
    },
    /// Requests that wait for decode memory of a model with decode instances, constant over the span. With `after-prefill` their prompts
    /// are done and they are in no queue. With `layer-wise` they are at the head of prefill queues, and counted there too.
    HandoffQueue {
        /// The model.
        model: ModelId,
        /// Since when.
        from: SimTime,
        /// Requests.
        waiting: u64,
    },
    /// The KV transfer of a request ends: delivered, or given up because the request timed out or an instance failed.
    Transfer {
        /// First byte on the wire.
        from: SimTime,
        /// Bytes moved, at least 0.
        bytes: f64,
    },
    /// Waiting requests and busy workers over all stations of a frontend, constant over the span.
    Frontend {
        /// The frontend.
        frontend: FrontendId,
        /// Since when.
        from: SimTime,
        /// Waiting requests.
        waiting: u64,
        /// Busy workers.
        busy: u64,
    },
    /// An instance was off.
    Down {
        /// Its pool.
        pool: PoolId,
        /// Since when.
        from: SimTime,
    },
    /// The lifecycle state of an instance changes.
    Life {
        /// Its pool.
        pool: PoolId,
        /// The instance.
        instance: InstanceId,
        /// The new state.
        life: Life,
    },
    /// A running request is preempted and loses its KV.
    Preempted {
        /// The pool of its instance.
        pool: PoolId,
    },
    /// A prompt was looked up in a prefix cache.
    PrefixLookup {
        /// The pool of the instance.
        pool: PoolId,
        /// Prompt tokens found.
        hit: u64,
        /// Prompt tokens looked up.
        tokens: u64,
    },
    /// A request has left the system, or the run has ended while it was in flight.
    Ended(&'a RequestRecord),
}

/// Receives the observations. Their times never go back for the same instance, queue or request. Across these they may, by less than one
/// undisturbed run of iterations.
pub trait Observer {
    /// Reports an observation made at `at`.
    fn on(&mut self, at: SimTime, what: &Observation<'_>);

    /// True if observations are being lost and the run should end.
    fn failed(&self) -> bool {
        false
    }
}

/// Forwards observations to two observers.
#[derive(Debug)]
pub struct Both<A, B>(pub A, pub B);

impl<A: Observer, B: Observer> Observer for Both<A, B> {
    fn on(&mut self, at: SimTime, what: &Observation<'_>) {
        self.0.on(at, what);
        self.1.on(at, what);
    }

    fn failed(&self) -> bool {
        self.0.failed() || self.1.failed()
    }
}

/// Ignores all observations.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn on(&mut self, _: SimTime, _: &Observation<'_>) {}
}

impl RequestRecord {
    /// Time lost to failures.
    pub fn recovery(&self) -> SimDuration {
        self.recovery[0] + self.recovery[1]
    }

    /// Its share of the IT energy of all iterations it took part in, J.
    pub fn energy_j(&self) -> f64 {
        self.prefill_energy_j + self.decode_energy_j
    }
}
