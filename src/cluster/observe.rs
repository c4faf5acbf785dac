//! Observations of a cluster. Must not know: what is computed from them.

use super::ids::{FrontendId, InstanceId, ModelId, PoolId};
use super::segment::RunSegment;
use crate::policy::Life;
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
    /// Instances failed under it, or none took it, more often than it is sent again.
    Failed,
    /// Still inside when the run ended.
    InFlight,
}

impl Outcome {
    /// Number of outcomes.
    pub const COUNT: usize = 6;
    /// All of them, in the order of their index.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Completed, Self::RejectedPromptTooLong, Self::RejectedNoInstance, Self::TimedOut, Self::Failed, Self::InFlight];

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
            Self::Failed => "failed",
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
            Self::Failed => "instance_failed",
            Self::InFlight => "run_ended",
        }
    }
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
    /// Times it lost its KV for want of memory.
    pub preemptions: u32,
    /// Times an instance failed under it, or none took it.
    pub failures: u32,
    /// Tokens computed again because of either.
    pub recomputed_tokens: u64,
    /// Where its prompt was computed.
    pub prefill_instance: Option<InstanceId>,
    /// Where it was decoded, if elsewhere.
    pub decode_instance: Option<InstanceId>,
    /// Arrival at the gateway.
    pub arrived: SimTime,
    /// When it left the frontend for the router; its arrival where it passes none, its end where it never did.
    pub admitted: SimTime,
    /// Start of the first iteration of its prompt; of the last attempt, where instances have failed before its first token.
    pub prefill_start: Option<SimTime>,
    /// Its prompt was computed for the first time: its first token leaves then, unless it leaves from the decode side.
    pub prefill_end: Option<SimTime>,
    /// First token.
    pub first_token: Option<SimTime>,
    /// Second token.
    pub second_token: Option<SimTime>,
    /// Time that failures cost before its first token, from the start of a prompt that was lost to the next queue, and after it, from a failure
    /// to the next token.
    pub recovery: [SimDuration; 2],
    /// The next token after the last failure that came after the first token.
    pub resumed: Option<SimTime>,
    /// Memory on the decode side was reserved. Like all times of the handoff, that of the last one.
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

/// What happens in a cluster. Spans end at the time that the observation comes with.
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
        /// Of these, found in a prefix cache.
        cached: u32,
    },
    /// A token leaves that no iteration counts: it has come with the KV of its request.
    Token,
    /// Iterations end. The gaps between tokens that they make are part of it, but for those that are observations of their own.
    Run(&'a RunSegment<'a>),
    /// A gap between two tokens of one request ends that is longer than an iteration: it waited, or its KV moved, in between.
    Gap {
        /// Its workload.
        class: ClassId,
        /// Its length.
        ns: u64,
    },
    /// An instance has had nothing to compute.
    Idle {
        /// Its pool.
        pool: PoolId,
        /// Since when.
        from: SimTime,
        /// Idle or transfer.
        phase: Phase,
        /// What it drew.
        energy: Energy,
    },
    /// On one instance, so many sequences ran and so many blocks were held all the time. For iterations that end, that is part of [`RunSegment`].
    Gauge {
        /// Its pool.
        pool: PoolId,
        /// Whose.
        instance: InstanceId,
        /// Since when.
        from: SimTime,
        /// Sequences.
        running: u64,
        /// Blocks.
        kv_blocks: u64,
    },
    /// While iterations ran that end now, so many blocks of an instance were held besides those of their segment: they have been reserved
    /// for a handoff.
    Reserved {
        /// The pool of the instance.
        pool: PoolId,
        /// Since when.
        from: SimTime,
        /// Blocks.
        kv_blocks: u64,
    },
    /// In the whole pool, so many requests waited all the time: for their prompt to be computed, or on a decode instance that has their KV,
    /// for a place in the batch.
    Queue {
        /// The pool.
        pool: PoolId,
        /// Since when.
        from: SimTime,
        /// Requests.
        waiting: u64,
    },
    /// So many requests of a model that has decode instances waited for memory there all the time. With `after-prefill` their prompts are
    /// done and they are in no queue. With `layer-wise` they are the first in the queues of prefill instances, and counted there too.
    HandoffQueue {
        /// The model.
        model: ModelId,
        /// Since when.
        from: SimTime,
        /// Requests.
        waiting: u64,
    },
    /// All KV of a request that will be sent has been delivered, or its client has left and it is not needed.
    Transfer {
        /// First byte on the wire.
        from: SimTime,
        /// Moved, at least 0.
        bytes: f64,
    },
    /// In all stations of a frontend together, so many requests waited and so many workers were busy all the time.
    Frontend {
        /// Which.
        frontend: FrontendId,
        /// Since when.
        from: SimTime,
        /// Requests.
        waiting: u64,
        /// Workers.
        busy: u64,
    },
    /// An instance has been off.
    Down {
        /// Its pool.
        pool: PoolId,
        /// Since when.
        from: SimTime,
    },
    /// An instance has another life.
    Life {
        /// Its pool.
        pool: PoolId,
        /// Which.
        instance: InstanceId,
        /// Its life from now on.
        life: Life,
    },
    /// A running request lost its KV.
    Preempted {
        /// Where.
        pool: PoolId,
    },
    /// A prompt was looked up in a prefix cache.
    PrefixLookup {
        /// Where.
        pool: PoolId,
        /// Tokens that were there.
        hit: u64,
        /// Tokens of the prompt.
        tokens: u64,
    },
    /// A request has left the system, or the run has ended with it inside.
    Ended(&'a RequestRecord),
}

/// Hears what happens. Times never go back for one instance, queue or request; among them they may, by less than a run of iterations that
/// nothing disturbs.
pub trait Observer {
    /// Something has happened, at `at`.
    fn on(&mut self, at: SimTime, what: &Observation<'_>);

    /// True if observations are lost: the run should end.
    fn failed(&self) -> bool {
        false
    }
}

/// Two observers.
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

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn on(&mut self, _: SimTime, _: &Observation<'_>) {}
}

impl RequestRecord {
    /// Time that failures cost.
    pub fn recovery(&self) -> SimDuration {
        self.recovery[0] + self.recovery[1]
    }

    /// Its share of the IT energy of all iterations it took part in, J.
    pub fn energy_j(&self) -> f64 {
        self.prefill_energy_j + self.decode_energy_j
    }
}
