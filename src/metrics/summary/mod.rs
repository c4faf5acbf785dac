//! The result of one run: the content of `summary.json`. Values undefined in a run are `None` and print as `null`.

mod parts;
mod series;
mod warning;

pub use parts::{
    ClassSummary, FleetSummary, FrontendSummary, HandoffSummary, NetworkSummary, PoolOutages, PoolSummary, SessionSummary, SloLimits,
};
pub use series::{Cdf, Distributions, PoolTimeline, RunResult, Timeline};
pub use warning::{Warning, WarningCode};

use serde::{Deserialize, Serialize};

use crate::units::Confidence;

/// Version of the layout of [`Summary`]; raised when a field changes meaning or is removed.
pub const SCHEMA_VERSION: u32 = 1;

/// The report of one run. Metrics cover the measured requests: those that arrived after the warm-up.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Layout version of this file.
    pub schema_version: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// Seed of all random streams.
    pub seed: u64,
    /// Hash of everything that determines the result, hexadecimal.
    pub input_hash: String,
    /// Simulated seconds from 0 to the last event.
    pub simulated_s: f64,
    /// Measured seconds: from the end of the warm-up.
    pub measured_s: f64,
    /// Seconds from the end of the warm-up to the last arrival; the rest of the run drains the cluster.
    pub arriving_s: f64,
    /// The part excluded from metrics.
    pub warmup: Warmup,
    /// Events handled, iterations included whether stepped or fast-forwarded.
    pub events: u64,
    /// Requests by outcome.
    pub requests: RequestCounts,
    /// Tokens served.
    pub tokens: TokenCounts,
    /// Mean lengths of requests.
    pub lengths: Lengths,
    /// Rates over the measured time, of all requests regardless of arrival; `None` if nothing was measured.
    pub throughput: Throughput,
    /// Latency distributions.
    pub latency: Latency,
    /// Variability of the token stream.
    pub jitter: Jitter,
    /// Goodput; `None` if no workload has an SLO.
    pub goodput: Option<Goodput>,
    /// Mean milliseconds of completed requests by stage; `None` if none completed.
    pub lifecycle: Option<Lifecycle>,
    /// Energy.
    pub energy: Energy,
    /// Money.
    pub cost: Cost,
    /// One entry per pool.
    pub pools: Vec<PoolSummary>,
    /// One entry per workload.
    pub classes: Vec<ClassSummary>,
    /// One entry per frontend; left out without frontends.
    pub frontends: Vec<FrontendSummary>,
    /// Outages of instances; left out without outages.
    pub fleet: Option<FleetSummary>,
    /// Waits for decode memory.
    pub handoff: HandoffSummary,
    /// KV transfers.
    pub network: NetworkSummary,
    /// Calls of sessions; left out without sessions.
    pub sessions: Option<SessionSummary>,
    /// Origin of every figure the result depends on.
    pub provenance: Vec<ProvenanceEntry>,
    /// The conditions of the scenario, in its order.
    pub assertions: Vec<AssertionResult>,
    /// Caveats for the reader.
    pub warnings: Vec<Warning>,
}

/// The start of a run, excluded from metrics.
#[derive(Debug, Clone, Copy, Default)]
pub struct Warmup {
    /// Its length, s; the run may have ended before.
    pub s: f64,
    /// Requests that arrived during it.
    pub requests: u64,
}

/// Result of one condition of the scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AssertionResult {
    /// The condition as written.
    pub text: String,
    /// True if it holds.
    pub holds: bool,
    /// The number checked; `None` if the run has no value, in which case the condition does not hold.
    pub value: Option<f64>,
}

/// Requests by outcome. `arrived` = the sum of the others.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestCounts {
    /// Arrived in the measured time.
    pub arrived: u64,
    /// Received their last token.
    pub completed: u64,
    /// Could never be served, or rejected by a policy.
    pub rejected: u64,
    /// Those of the rejected requests that a policy rejected.
    pub refused: u64,
    /// Client timeouts.
    pub timed_out: u64,
    /// Failed.
    pub failed: u64,
    /// In flight when the run ended.
    pub in_flight: u64,
    /// Completed, but truncated at the context limit.
    pub truncated: u64,
    /// Number of times a running request lost its KV and was recomputed.
    pub preemptions: u64,
}

/// Mean lengths of measured requests, tokens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lengths {
    /// Mean over all prompts; `None` if no request arrived.
    pub prompt_mean: Option<f64>,
    /// Mean over the outputs of completed requests; `None` if none completed.
    pub output_mean: Option<f64>,
}

/// Tokens served in the measured time: a prompt counts when its first token leaves, an output token when it leaves.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokenCounts {
    /// Prompt tokens, cached ones included.
    pub prompt: u64,
    /// Output tokens.
    pub output: u64,
    /// Prompt tokens found in a prefix cache.
    pub cached_prompt: u64,
    /// Prompt and output tokens recomputed after preemption.
    pub recomputed: u64,
}

/// Rates over the measured time, of all requests regardless of arrival; `None` if nothing was measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Throughput {
    /// Gaps between arrivals per second, from the first arrival after the warm-up to the last; `None` if that time is zero. The time after the last
    /// arrival is excluded, or the rate would fall with the time needed to drain the cluster.
    pub offered_requests_per_s: Option<f64>,
    /// Completions per second over the same time.
    pub served_requests_per_s: Option<f64>,
    /// Completions per second.
    pub requests_per_s: Option<f64>,
    /// Output tokens per second.
    pub output_tokens_per_s: Option<f64>,
    /// Prompt and output tokens per second.
    pub total_tokens_per_s: Option<f64>,
    /// Output tokens per second and chip.
    pub output_tokens_per_s_per_chip: Option<f64>,
}

/// A distribution. Percentiles are nearest-rank.
#[derive(Debug, Clone, Copy)]
pub struct Distribution {
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation of the population.
    pub std: f64,
    /// Smallest.
    pub min: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Largest.
    pub max: f64,
    /// Number of values.
    pub count: u64,
}

/// Latency distributions, milliseconds; `None` without values.
#[derive(Debug, Clone, Copy, Default)]
pub struct Latency {
    /// Time to first token.
    pub ttft_ms: Option<Distribution>,
    /// Time to second token.
    pub ttst_ms: Option<Distribution>,
    /// Time per output token, per request.
    pub tpot_ms: Option<Distribution>,
    /// Gaps between tokens, all requests pooled.
    pub itl_ms: Option<Distribution>,
    /// End to end.
    pub e2e_ms: Option<Distribution>,
}

/// Variability of the token stream. Over the pooled gaps, except for the last entry.
#[derive(Debug, Clone, Copy, Default)]
pub struct Jitter {
    /// Standard deviation of the gaps.
    pub itl_std_ms: Option<f64>,
    /// Coefficient of variation of the gaps.
    pub itl_cov: Option<f64>,
    /// p99 minus median gap.
    pub itl_p99_minus_p50_ms: Option<f64>,
    /// p99 over median gap.
    pub itl_p99_over_p50: Option<f64>,
    /// Longest gap.
    pub longest_stall_ms: Option<f64>,
    /// Standard deviation of the gaps of one request, over requests with at least two gaps.
    pub request_itl_std_ms: Option<MeanAndP99>,
}

/// Mean and 99th percentile over requests.
#[derive(Debug, Clone, Copy)]
pub struct MeanAndP99 {
    /// Mean.
    pub mean: f64,
    /// 99th percentile.
    pub p99: f64,
}

/// Requests that met all their limits.
#[derive(Debug, Clone, Copy)]
pub struct Goodput {
    /// Good requests per second.
    pub requests_per_s: Option<f64>,
    /// Output tokens of good requests per second.
    pub output_tokens_per_s: Option<f64>,
    /// Good requests / judged requests; `None` if none was judged.
    pub slo_attainment: Option<f64>,
}

/// Mean milliseconds of a completed request in each stage of its lifecycle; they sum to mean E2E.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lifecycle {
    /// Waiting for its first iteration.
    pub queue_ms: f64,
    /// From its first iteration to its first token.
    pub prefill_ms: f64,
    /// Waiting for memory on the decode side.
    pub reserve_ms: f64,
    /// KV transfer time not overlapped by prefill.
    pub transfer_ms: f64,
    /// Waiting to join a decode batch.
    pub decode_queue_ms: f64,
    /// Generating tokens.
    pub decode_ms: f64,
    /// Time lost to instance failures; left out without outages.
    pub recovery_ms: Option<f64>,
    /// In a frontend, waiting or in service; left out without frontends.
    pub frontend_ms: Option<f64>,
}

/// Joules by use.
#[derive(Debug, Clone, Copy, Default)]
pub struct EnergyByPhase {
    /// Computing prompts.
    pub prefill_j: f64,
    /// Generating tokens.
    pub decode_j: f64,
    /// Waiting for KV transfers without computation.
    pub transfer_j: f64,
    /// Idle.
    pub idle_j: f64,
    /// Start-up of instances.
    pub startup_j: f64,
}

/// A value at three boundaries.
#[derive(Debug, Clone, Copy, Default)]
pub struct AtBoundary {
    /// Chips only.
    pub chip: Option<f64>,
    /// Chips, hosts, fans, NICs, supplies.
    pub it: Option<f64>,
    /// IT times PUE.
    pub facility: Option<f64>,
}

/// Energy over the measured time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Energy {
    /// Chips, joules.
    pub chip_j: f64,
    /// IT equipment, joules.
    pub it_j: f64,
    /// Facility, joules.
    pub facility_j: f64,
    /// IT joules by phase.
    pub by_phase: EnergyByPhase,
    /// Chip joules by phase.
    pub chip_by_phase: EnergyByPhase,
    /// Output tokens per joule (= tokens per second per watt).
    pub output_tokens_per_j: AtBoundary,
    /// Prompt and output tokens per joule.
    pub total_tokens_per_j: AtBoundary,
    /// Mean facility power, W.
    pub mean_power_w: Option<f64>,
    /// Highest mean facility power of any timeline interval, W.
    pub peak_power_w: f64,
    /// Length of that interval, s; it grows with the length of the run, and the peak decreases.
    pub peak_power_window_s: f64,
    /// Output tokens per second and facility megawatt.
    pub output_tokens_per_s_per_mw: Option<f64>,
    /// Grams of CO2 equivalent.
    pub carbon_g: f64,
}

/// Money over the measured time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// Total, $.
    pub total_usd: f64,
    /// $ per hour of the whole cluster.
    pub usd_per_hour: Option<f64>,
    /// $ per million output tokens.
    pub usd_per_m_output_tokens: Option<f64>,
    /// $ per million prompt and output tokens.
    pub usd_per_m_total_tokens: Option<f64>,
    /// Cost of the prefill work per million prompt tokens.
    pub usd_per_m_prompt_tokens_by_phase: Option<f64>,
    /// Cost of the decode work per million output tokens.
    pub usd_per_m_output_tokens_by_phase: Option<f64>,
    /// Dollars by kind of cost.
    pub breakdown: CostBreakdown,
}

/// Dollars by kind of cost.
#[derive(Debug, Clone, Copy, Default)]
pub struct CostBreakdown {
    /// Depreciation of owned nodes, $.
    pub capital: f64,
    /// Facility energy, $. Zero for rented nodes, whose rent includes it.
    pub energy: f64,
    /// Building, cooling, staff, $. Zero for rented nodes.
    pub hosting: f64,
    /// Rent, $.
    pub rent: f64,
}

/// One figure that the result depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProvenanceEntry {
    /// Its profile: `chip h100-sxm`, `site us-hyperscale-2026`.
    pub profile: String,
    /// Its path: `power.tdp`.
    pub figure: String,
    /// Value with unit.
    pub value: String,
    /// `measured`, `official`, `press`, `estimate` or `assumed`.
    pub confidence: Confidence,
    /// Title and date of the source.
    pub source: String,
    /// Note of the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
