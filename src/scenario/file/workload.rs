//! The `workload` section: streams of requests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::constant;
use super::sessions::{Sessions, TraceSessions};
use crate::policy::Limits;
use crate::sim::SimDuration;
use crate::units::{Count, Duration, Ratio};
use crate::workload::{ArrivalProcess, DiurnalEnvelope, TraceFormat, TraceWindow};

/// One workload: a stream of requests with one set of latency limits. Exactly one of `synthetic`, `closed_loop`,
/// `sessions` and `trace`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one" = ["synthetic", "closed_loop", "sessions", "trace"]))]
pub struct WorkloadEntry {
    /// Name in reports.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The model of its requests, one of `models`. Absent: the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Latency limits; goodput counts the requests that meet all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slo: Option<Slo>,
    /// Client timeout: a request that is not complete after this time is aborted and counted as timed out. Absent: no timeout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0))]
    pub timeout: Option<SimDuration>,
    /// Stop this workload after this many requests. Absent: only `run` limits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0))]
    pub requests: Option<Count>,
    /// Drawn from distributions: requests arrive whether or not earlier ones are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synthetic: Option<Synthetic>,
    /// A fixed number of clients, each of which waits for its answer before it sends the next request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_loop: Option<ClosedLoop>,
    /// Generated sessions: calls that share a growing context, each after the answer before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Sessions>,
    /// Replayed from a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
}

/// Latency limits of a request. A limit that is absent is always met.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slo {
    /// Longest time to first token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0))]
    pub ttft: Option<Duration>,
    /// Longest time per output token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0))]
    pub tpot: Option<Duration>,
    /// Longest end-to-end latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0))]
    pub e2e: Option<Duration>,
}

impl Slo {
    /// As policies read it.
    pub fn limits(&self) -> Limits {
        let Self { ttft, tpot, e2e } = *self;
        let [ttft, tpot, e2e] = [ttft, tpot, e2e].map(|limit| limit.map(SimDuration::from));
        Limits { ttft, tpot, e2e }
    }
}

/// An open-loop workload drawn from distributions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-aliases" = {"isl": "prompt_tokens", "osl": "output_tokens"}))]
pub struct Synthetic {
    /// When requests arrive.
    pub arrivals: ArrivalProcess,
    /// A daily rise and fall that multiplies the rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diurnal: Option<DiurnalEnvelope>,
    /// Prompt length of a request (ISL), tokens.
    pub prompt_tokens: Lengths,
    /// Output length of a request (OSL), tokens.
    pub output_tokens: Lengths,
    /// Text shared by prompts, which a prefix cache can keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_prefix: Option<SharedPrefix>,
}

/// The distribution of a length in tokens. Draws are rounded and at least 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Lengths {
    /// Constant length.
    Fixed(#[schemars(extend("x-above" = 0, "x-most" = 16_777_216))] Count),
    /// Uniform: every length from `min` to `max` is equally likely.
    Uniform {
        /// Smallest, tokens.
        #[schemars(extend("x-above" = 0, "x-most" = 16_777_216))]
        min: Count,
        /// Largest, tokens.
        #[schemars(extend("x-above" = 0, "x-most" = 16_777_216))]
        max: Count,
    },
    /// Lognormal. Give `mean` and `median`, or `median` and `sigma`.
    Lognormal {
        /// Median, tokens: half of the draws are below it.
        #[schemars(extend("x-above" = 0, "x-most" = 16_777_216))]
        median: Count,
        /// Mean, tokens; above `median`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("x-above" = 0, "x-most" = 16_777_216))]
        mean: Option<Count>,
        /// Standard deviation of the logarithm.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("x-most" = 10))]
        sigma: Option<Ratio>,
        /// Minimum, tokens. Draws below it are redrawn: no mass accumulates at the bound, and the mean shifts by the part cut off. Absent: 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("x-above" = 0, "x-most" = 16_777_216))]
        min: Option<Count>,
        /// Maximum, tokens. Draws above it are redrawn. Absent: 16,777,216.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("x-above" = 0, "x-most" = 16_777_216))]
        max: Option<Count>,
    },
    /// Each of the given lengths with equal probability, or those of a file with one length per line.
    Empirical {
        /// Lengths, tokens.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        values: Vec<Count>,
        /// Path of a text file with one length per line, relative to this file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
}

/// Prompts start with one of a few texts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SharedPrefix {
    /// Length of the common text, tokens; counted inside the prompt length.
    #[schemars(extend("x-above" = 0, "x-most" = 16_777_216))]
    pub tokens: Count,
    /// Number of different texts.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub groups: u32,
}

/// A fixed number of clients, each with one request in the system at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-aliases" = {"isl": "prompt_tokens", "osl": "output_tokens"}))]
pub struct ClosedLoop {
    /// Number of clients.
    #[schemars(range(min = 1))]
    pub concurrency: u32,
    /// Think time of a client between an answer and its next request.
    #[serde(default)]
    pub think_time: SimDuration,
    /// Prompt length of a request (ISL), tokens.
    pub prompt_tokens: Lengths,
    /// Output length of a request (OSL), tokens.
    pub output_tokens: Lengths,
    /// Text shared by prompts, which a prefix cache can keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_prefix: Option<SharedPrefix>,
}

/// Requests replayed from a file, plain or gzip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// Format of the file.
    pub format: TraceFormat,
    /// Path, relative to this file.
    #[schemars(length(min = 1))]
    pub path: String,
    /// Multiplies the arrival rate: 2 halves all gaps.
    #[serde(default = "all")]
    #[schemars(extend("x-least" = 1e-6, "x-most" = 1e6))]
    pub rate_scale: Ratio,
    /// Part of the trace to replay, in trace time. Absent: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<TraceWindow>,
    /// Number of times to replay it, end to end.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub repeat: u32,
    /// Skip and count lines that cannot be used instead of stopping at the first. Truncated or damaged compressed
    /// data, and 100 requests in a row that are earlier than one above them, are refused all the same.
    #[serde(default)]
    pub skip_bad_lines: bool,
    /// Replay of the sessions of a trace that has them. Absent: as recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<TraceSessions>,
}

fn all() -> Ratio {
    constant(Ratio::new(1.0))
}

const fn one() -> u32 {
    1
}
