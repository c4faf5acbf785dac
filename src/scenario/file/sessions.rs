//! The `sessions` of a workload: generated ones, and the replay of those of a trace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::workload::{Lengths, SharedPrefix};
use crate::sim::SimDuration;
use crate::units::{Count, Ratio};
use crate::workload::{ArrivalProcess, DelayDistribution, DiurnalEnvelope, Turns};

/// Generated sessions: a user's messages and the answers to them, over a growing context. The next call comes after the answer. Exactly one
/// of `at_once` and `arrivals`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one" = ["at_once", "arrivals"], "x-aliases" = {"isl": "message_tokens", "osl": "output_tokens"}))]
pub struct Sessions {
    /// Number of concurrent sessions: all start at once, and another whenever one ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub at_once: Option<u32>,
    /// When sessions start, whether or not earlier ones have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<ArrivalProcess>,
    /// A daily rise and fall that multiplies the rate of `arrivals`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diurnal: Option<DiurnalEnvelope>,
    /// Number of sessions. Absent: unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0, "x-most" = 8_388_608))]
    pub sessions: Option<Count>,
    /// Messages of a session.
    pub messages: Lengths,
    /// Text at the start of every prompt of a session, before the messages; the same for all sessions of a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<SharedPrefix>,
    /// Length of a message, tokens. The prompt of a call is the session so far plus the message.
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

/// Answers may call a tool; the next call then has its result instead of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tools {
    /// Probability that an answer calls a tool, 0 to 0.999: a message has 1 / (1 − p) calls on average.
    #[schemars(extend("x-most" = 0.999))]
    pub probability: Ratio,
    /// Length of a result, tokens.
    pub result_tokens: Lengths,
    /// Time from the answer to the call with the result.
    pub time: DelayDistribution,
}

/// Replay of the sessions of a trace. Without `at_once` and `arrivals` they start at the times in the trace, or all at once if it has
/// none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TraceSessions {
    /// Number of concurrent sessions: another starts whenever one ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub at_once: Option<u32>,
    /// When sessions start, instead of the times in the trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<ArrivalProcess>,
    /// Longest time between an answer and the next call; longer ones are cut to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_delay: Option<SimDuration>,
    /// Content of a line with a turn.
    #[serde(default)]
    pub turns: Turns,
    /// Replay sub-agents as well.
    #[serde(default = "yes")]
    pub sub_agents: bool,
    /// A complete answer stays in the prefix cache, as far as the next prompt repeats it. The trace does not identify the text of the answer,
    /// so this is an upper bound.
    #[serde(default = "yes")]
    pub cache_answers: bool,
}

const fn yes() -> bool {
    true
}
