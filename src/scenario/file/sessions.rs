//! The `sessions` of a workload: generated ones, and how those of a trace are played.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::workload::{Lengths, SharedPrefix};
use crate::sim::SimDuration;
use crate::units::{Count, Ratio};
use crate::workload::{ArrivalProcess, DelayDistribution, DiurnalEnvelope, Turns};

/// Generated sessions: a user's messages and the answers to them, over a context that grows. The next call comes after the answer. Exactly
/// one of `at_once` and `arrivals`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one" = ["at_once", "arrivals"], "x-aliases" = {"isl": "message_tokens", "osl": "output_tokens"}))]
pub struct Sessions {
    /// So many sessions at a time: all start at once, and another whenever one is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub at_once: Option<u32>,
    /// When sessions start, whether or not earlier ones are over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<ArrivalProcess>,
    /// A daily rise and fall that multiplies the rate of `arrivals`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diurnal: Option<DiurnalEnvelope>,
    /// How many sessions there are. Absent: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0, "x-most" = 8_388_608))]
    pub sessions: Option<Count>,
    /// Messages of a session.
    pub messages: Lengths,
    /// Text that every prompt of a session begins with, in front of the messages; sessions of one group have the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<SharedPrefix>,
    /// Length of a message, tokens. The prompt of a call is all of the session before it and the message.
    pub message_tokens: Lengths,
    /// Length of an answer (OSL), tokens.
    pub output_tokens: Lengths,
    /// Time from an answer to the next message.
    pub think_time: DelayDistribution,
    /// Tools that answers call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Tools>,
    /// A session ends before a call whose prompt and answer together would be longer, tokens. Absent: contexts grow without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0, "x-most" = 16_777_216))]
    pub max_context: Option<Count>,
}

/// Answers may call a tool; the next call then brings its result instead of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tools {
    /// Probability that an answer calls a tool, 0 to 0.999: a message has 1 / (1 − p) calls in the mean.
    #[schemars(extend("x-most" = 0.999))]
    pub probability: Ratio,
    /// Length of a result, tokens.
    pub result_tokens: Lengths,
    /// Time from the answer to the call with the result.
    pub time: DelayDistribution,
}

/// How the sessions of a trace are played. Without `at_once` and `arrivals` they start when the trace says, and all at once if it says
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TraceSessions {
    /// So many sessions at a time: another starts whenever one is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub at_once: Option<u32>,
    /// When sessions start, whatever the trace says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<ArrivalProcess>,
    /// Longer times between an answer and the next call are cut to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_delay: Option<SimDuration>,
    /// What a line with a turn holds.
    #[serde(default)]
    pub turns: Turns,
    /// Play sub-agents, too.
    #[serde(default = "yes")]
    pub sub_agents: bool,
    /// A complete answer stays in the prefix cache, as far as the next prompt repeats it. The trace does not say which text is the answer, so
    /// this is an upper bound.
    #[serde(default = "yes")]
    pub cache_answers: bool,
}

const fn yes() -> bool {
    true
}
