//! What policies see, and what they hear. Must not know: how a view is kept.

use crate::kv::Blocks;
use crate::sim::{SimDuration, SimTime};
use crate::workload::{ClassId, Refusal, Turn};

/// Limits of a workload on the latency of a request, as its `slo` has them; `None` where it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Longest time to first token.
    pub ttft: Option<SimDuration>,
    /// Longest time per output token.
    pub tpot: Option<SimDuration>,
    /// Longest end-to-end latency.
    pub e2e: Option<SimDuration>,
}

/// What a control plane knows of a request. Not its output length.
#[derive(Debug, Clone, Copy)]
pub struct RequestView<'a> {
    /// Present time.
    pub now: SimTime,
    /// Its number in the order of arrival, from 0.
    pub request: u64,
    /// Its workload.
    pub class: ClassId,
    /// Limits of its workload.
    pub limits: Limits,
    /// Its place in a session, if it has one.
    pub turn: Option<Turn>,
    /// When it arrived.
    pub arrived: SimTime,
    /// Tokens to be computed before its next one: its prompt and, after a failure, the output so far.
    pub prompt_tokens: u32,
    /// Identities of the full blocks of its prompt; empty if nothing is known of its text.
    pub blocks: &'a Blocks,
    /// Tokens per block; 0 if nothing is known of any text.
    pub block_tokens: u32,
}

impl<'a> RequestView<'a> {
    /// The first request of a run, at time 0, with identities that are those of blocks of 16 tokens: for tests of policies.
    pub const fn first(prompt_tokens: u32, blocks: &'a Blocks) -> Self {
        let (now, class, limits) = (SimTime::ZERO, ClassId(0), Limits { ttft: None, tpot: None, e2e: None });
        Self { now, request: 0, class, limits, turn: None, arrived: now, prompt_tokens, blocks, block_tokens: 16 }
    }
}

/// A number that a control plane can read of an instance. The first two are the router's own count: what it has assigned and not seen end.
/// The others are what the instance itself knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// Requests assigned and not yet done there: waiting, running, arriving by handoff.
    InFlight,
    /// Pending tokens of these: prompt tokens + 1 each, less the prompt tokens computed there so far. A request that lost its KV counts prompt
    /// and output so far again until they are recomputed.
    PendingTokens,
    /// Sequences in its batch, prefilling or decoding.
    Running,
    /// Requests in its queue, prompts to be started and sequences that have arrived by handoff.
    Waiting,
    /// KV blocks that no sequence holds, cached ones among them.
    FreeBlocks,
    /// KV blocks in all, free or not; the same for the whole run.
    KvBlocks,
    /// Prompt tokens of the request that its prefix cache has.
    PrefixHit,
}

impl Signal {
    /// All signals.
    pub const ALL: [Self; 7] =
        [Self::InFlight, Self::PendingTokens, Self::Running, Self::Waiting, Self::FreeBlocks, Self::KvBlocks, Self::PrefixHit];
}

/// The instances a router chooses from, by position `0..len`. Signals are computed when read, so that a policy pays only for those it uses;
/// reading changes no result.
pub trait Candidates {
    /// Number of candidates, eligible or not.
    fn len(&self) -> usize;
    /// True if there are no candidates.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Number of the instance at a position, the same for the whole run: `assigned`, `first_token` and `ended` name it.
    fn instance(&self, i: usize) -> u32;
    /// Number of the pool of candidate `i`, in the order of the scenario's pools, frontends left out: pools differ in hardware, or in context.
    fn pool(&self, i: usize) -> u32;
    /// True if candidate `i` could take the request now.
    fn eligible(&self, i: usize) -> bool;
    /// A signal of candidate `i`, 0 or more.
    fn read(&self, i: usize, signal: Signal) -> f64;
    /// The decode instances that KV of the request may be handed off to, for a router that chooses both at once; eligible are those whose
    /// context is long enough. `None` where nothing is handed off.
    fn receivers(&self) -> Option<&dyn Candidates> {
        None
    }
    /// The eligible candidate with the smallest signal; ties go to the first. A view that keeps candidates in order need not scan all of
    /// them.
    fn least(&self, signal: Signal) -> Option<usize> {
        super::router::scan(self, signal)
    }
    /// The candidates, eligible or not, whose signal is not 0, and their signals: the greatest first; ties in order of position. A view with
    /// an index reads only those that are taken from it, and those that might come before them.
    fn greatest(&self, signal: Signal) -> Box<dyn Iterator<Item = (usize, f64)> + '_> {
        Box::new(super::router::sorted(self, signal))
    }
}

/// A router's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// To the candidate at this position, which is eligible. Beyond the last position an arriving request has made an attempt in vain.
    To(usize),
    /// To the candidate at position `prefill`, which is eligible, and its KV to the receiver at position `decode` of
    /// [`Candidates::receivers`]: it waits for memory there, whatever others have, and no router is asked at its handoff. If that instance does
    /// not serve, or its context is too short, the router of decode chooses another. Where candidates have no receivers, the same as [`Pick::To`] `prefill`.
    Pair {
        /// Position of the instance that computes its prompt.
        prefill: usize,
        /// Position of the instance that generates its output.
        decode: usize,
    },
    /// Not yet: the router is asked again at this time, or at the next instant if it has passed. Until then the request waits before the
    /// instances. An arriving one may be named earlier ([`Router::ready`](super::Router::ready)); between decode instances the router is also asked
    /// whenever memory may have been freed.
    Wait {
        /// When it is asked again; [`SimTime::NEVER`]: at no time of itself.
        until: SimTime,
    },
    /// The request is refused and leaves.
    Refuse(Refusal),
    /// No candidate is eligible. An arriving request has made an attempt in vain; one between decode instances stays until memory is freed.
    NoneEligible,
}

impl From<Option<usize>> for Pick {
    /// A position, or none eligible.
    fn from(position: Option<usize>) -> Self {
        position.map_or(Self::NoneEligible, Self::To)
    }
}

/// A request that has produced its first token or has left, as a router hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// When.
    pub at: SimTime,
    /// Its number in the order of arrival, from 0.
    pub request: u64,
    /// Its workload.
    pub class: ClassId,
    /// Its place in a session, if it has one.
    pub turn: Option<Turn>,
    /// Prompt length, tokens.
    pub prompt_tokens: u32,
    /// Output tokens so far.
    pub output_tokens: u32,
    /// Number of the instance that computed its prompt; `None` if none began.
    pub prefill: Option<u32>,
    /// Number of the instance that received its KV; `None` without a handoff.
    pub decode: Option<u32>,
}
