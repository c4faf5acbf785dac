//! Requests as passed from a workload to the cluster.

use super::{SkippedLines, WorkloadError};
use crate::kv::Blocks;
use crate::sim::{SimTime, impl_id};

/// Index of a workload of the scenario; its requests share one SLO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub u16);

impl_id!(ClassId(u16));

/// Position of a request in a session: several calls that share a growing context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Turn {
    /// Number of the session in its workload, from 0.
    pub session: u64,
    /// Number of the call in its session, from 0.
    pub number: u32,
}

/// A request on arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSpec {
    /// Opaque to the cluster; returned to the workload when the request ends ([`Ended::tag`]).
    pub tag: u64,
    /// Its workload.
    pub class: ClassId,
    /// Its position in a session, if any.
    pub turn: Option<Turn>,
    /// Prompt length, tokens, at least 1.
    pub prompt_tokens: u32,
    /// Output length, tokens, at least 1. Hidden from policies.
    pub output_tokens: u32,
    /// Identities of the leading full blocks of prompt and answer: equal ids mean equal text from the start of the prompt to the end of that block.
    /// Blocks that end within the prompt can be found in a prefix cache when the request starts; later ones are published when it completes, so that
    /// a later prompt that repeats the answer finds them. Empty if unknown. [`Workload::block_tokens`] gives the tokens per block. Ids of different
    /// workloads do not collide: see [`ClassId::block_id`].
    pub blocks: Blocks,
}

impl RequestSpec {
    /// A request of known lengths, outside any session, without block identities.
    pub fn new(class: ClassId, prompt_tokens: u32, output_tokens: u32) -> Self {
        Self { tag: 0, class, turn: None, prompt_tokens, output_tokens, blocks: Blocks::default() }
    }

    /// The request with block identities.
    #[must_use]
    pub fn with_blocks(self, blocks: Blocks) -> Self {
        Self { blocks, ..self }
    }
}

/// Why a policy rejects a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// More requests or tokens per time than allowed.
    RateLimit,
    /// Too many requests are waiting.
    QueueFull,
    /// Its latency limits could not be met.
    Slo,
    /// Shed in favour of more important requests.
    Shed,
    /// A reason specific to the policy.
    Policy,
}

impl Refusal {
    /// Name in the `reason` column of `requests.csv`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit",
            Self::QueueFull => "queue_full",
            Self::Slo => "slo",
            Self::Shed => "shed",
            Self::Policy => "policy",
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its last token has left.
    Completed,
    /// Its prompt leaves no room for an output token in the context of any instance.
    RejectedPromptTooLong,
    /// No pool serves its model.
    RejectedNoInstance,
    /// Rejected by a policy.
    Refused(Refusal),
    /// Client timeout.
    TimedOut,
    /// More failed attempts than the retry limit: instances failed, or none accepted it.
    Failed,
    /// Still in the system when the run ended.
    InFlight,
}

impl Outcome {
    /// Name in the outcome column of `requests.csv`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::RejectedPromptTooLong | Self::RejectedNoInstance | Self::Refused(_) => "rejected",
            Self::TimedOut => "timed_out",
            Self::Failed => "failed",
            Self::InFlight => "in_flight",
        }
    }
    /// Name in the reason column of `requests.csv`; empty for completed requests.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Completed => "",
            Self::RejectedPromptTooLong => "prompt_exceeds_context",
            Self::RejectedNoInstance => "no_instance_for_model",
            Self::Refused(refusal) => refusal.name(),
            Self::TimedOut => "client_timeout",
            Self::Failed => "instance_failed",
            Self::InFlight => "run_ended",
        }
    }
}

/// A request that has left the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The tag set by the workload.
    pub tag: u64,
    /// Its workload.
    pub class: ClassId,
    /// Its position in a session, if any.
    pub turn: Option<Turn>,
    /// When it left: the answer is complete, or the client knows that there will be none.
    pub at: SimTime,
    /// How it ended; never [`Outcome::InFlight`].
    pub outcome: Outcome,
    /// Output tokens delivered.
    pub output_tokens: u32,
}

impl Ended {
    /// The end of a request at `at`, with its whole output if it is complete and with none otherwise.
    pub fn of(request: &RequestSpec, at: SimTime, outcome: Outcome) -> Self {
        let output_tokens = if outcome == Outcome::Completed { request.output_tokens } else { 0 };
        Self { tag: request.tag, class: request.class, turn: request.turn, at, outcome, output_tokens }
    }
}

impl ClassId {
    /// The scenario-wide identity of the block that this workload calls `id`. Workloads do not share text, so equal small ids in two traces must not
    /// be a cache hit; ids below 2⁴⁸ never collide, and 64-bit hashes collide as rarely as before.
    pub const fn block_id(self, id: u64) -> u64 {
        id.wrapping_add((self.0 as u64) << 48)
    }
}

/// Requests in order of arrival, generated on demand.
///
/// Times never decrease. A closed loop has no request to offer until one in the system ends, so `peek` may return `None` now and `Some` after
/// [`ended`](Self::ended); [`is_exhausted`](Self::is_exhausted) tells the two apart. After an error the workload offers no more requests.
pub trait Workload: std::fmt::Debug + Send {
    /// Arrival of the next request, if known now.
    ///
    /// # Errors
    /// A broken line of a trace.
    fn peek(&mut self) -> Result<Option<SimTime>, WorkloadError>;

    /// Takes the next request.
    ///
    /// # Errors
    /// A broken line of a trace.
    fn next(&mut self) -> Result<Option<(SimTime, RequestSpec)>, WorkloadError>;

    /// Reports that one of its requests has left the system. Returns true if the results of `peek` and `is_exhausted` may have changed.
    fn ended(&mut self, _end: &Ended) -> bool {
        false
    }

    /// True if there will be no more requests.
    fn is_exhausted(&self) -> bool;

    /// Progress: the share of its requests already handed out, 0 to 1, estimated if not known exactly; `None` if unknown, as for a workload without
    /// an end.
    fn handed_out(&self) -> Option<f64> {
        None
    }

    /// Tokens per block of the identities of `class`, at least 1; `None` if its requests have no identities.
    fn block_tokens(&self, _class: ClassId) -> Option<u32> {
        None
    }

    /// True if requests of `class` are calls of sessions.
    fn has_sessions(&self, _class: ClassId) -> bool {
        false
    }

    /// Remarks from reading its requests, by workload, as sentences.
    fn remarks(&self) -> Vec<(ClassId, String)> {
        Vec::new()
    }

    /// Trace lines skipped so far, by workload. Empty without traces.
    fn skipped(&self) -> Vec<(ClassId, &SkippedLines)> {
        Vec::new()
    }
}

impl<W: Workload + ?Sized> Workload for Box<W> {
    fn peek(&mut self) -> Result<Option<SimTime>, super::WorkloadError> {
        (**self).peek()
    }
    fn next(&mut self) -> Result<Option<(SimTime, RequestSpec)>, super::WorkloadError> {
        (**self).next()
    }
    fn ended(&mut self, end: &Ended) -> bool {
        (**self).ended(end)
    }
    fn is_exhausted(&self) -> bool {
        (**self).is_exhausted()
    }
    fn handed_out(&self) -> Option<f64> {
        (**self).handed_out()
    }
    fn block_tokens(&self, class: ClassId) -> Option<u32> {
        (**self).block_tokens(class)
    }
    fn has_sessions(&self, class: ClassId) -> bool {
        (**self).has_sessions(class)
    }
    fn remarks(&self) -> Vec<(ClassId, String)> {
        (**self).remarks()
    }
    fn skipped(&self) -> Vec<(ClassId, &super::SkippedLines)> {
        (**self).skipped()
    }
}
