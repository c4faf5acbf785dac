//! The result of one run: the content of `summary.json`. Every value that has no meaning in a run is `None` and prints as `null`.

mod parts;
mod series;
mod warning;

pub use parts::{ClassSummary, FleetSummary, FrontendSummary, HandoffSummary, NetworkSummary, PoolOutages, PoolSummary, SloLimits};
pub use series::{Cdf, Distributions, PoolTimeline, RunResult, Timeline};
pub use warning::{Warning, WarningCode};

use serde::{Deserialize, Serialize};

use crate::units::Confidence;

/// Version of the layout of [`Summary`]; raised when a field changes meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything that one run reports. Metrics cover the measured requests: those that arrived after the warm-up.
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
    /// Simulated seconds from the first instant to the last event.
    pub simulated_s: f64,
    /// Seconds of it that count: from the end of the warm-up.
    pub measured_s: f64,
    /// Seconds from the end of the warm-up to the last arrival; what follows is the time to finish.
    pub arriving_s: f64,
    /// What is left out.
    pub warmup: Warmup,
    /// Events handled, iterations included whether stepped or fast-forwarded.
    pub events: u64,
    /// Requests by outcome.
    pub requests: RequestCounts,
    /// Tokens served.
    pub tokens: TokenCounts,
    /// How long requests are.
    pub lengths: Lengths,
    /// Rates over the measured time, of all requests whenever they arrived; `None` if nothing was measured.
    pub throughput: Throughput,
    /// Latency distributions.
    pub latency: Latency,
    /// How uneven the token stream is.
    pub jitter: Jitter,
    /// What met its SLO; `None` where no workload has one.
    pub goodput: Option<Goodput>,
    /// Where the time of completed requests went, mean milliseconds each; `None` if none completed.
    pub lifecycle: Option<Lifecycle>,
    /// Energy.
    pub energy: Energy,
    /// Money.
    pub cost: Cost,
    /// One entry a pool.
    pub pools: Vec<PoolSummary>,
    /// One entry a workload.
    pub classes: Vec<ClassSummary>,
    /// One entry a frontend; left out where there is none.
    pub frontends: Vec<FrontendSummary>,
    /// Instances that did not serve all the time; left out where all did.
    pub fleet: Option<FleetSummary>,
    /// Waiting for decode memory.
    pub handoff: HandoffSummary,
    /// KV transfers.
    pub network: NetworkSummary,
    /// Origin of every figure the result depends on.
    pub provenance: Vec<ProvenanceEntry>,
    /// The conditions of the scenario, in its order.
    pub assertions: Vec<AssertionResult>,
    /// What a reader must know before trusting the numbers.
    pub warnings: Vec<Warning>,
}

/// The start of a run, which metrics leave out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Warmup {
    /// Its length, s; the run may have ended before.
    pub s: f64,
    /// Requests that arrived in it.
    pub requests: u64,
}

/// What became of one condition of the scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AssertionResult {
    /// The condition as written.
    pub text: String,
    /// Whether it holds.
    pub holds: bool,
    /// The number it was checked against; `None` if the run has none, and then it does not hold.
    pub value: Option<f64>,
}

/// Requests by outcome. `arrived` = the sum of the others.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestCounts {
    /// Arrived in the measured time.
    pub arrived: u64,
    /// Got their last token.
    pub completed: u64,
    /// Could never be served or were refused.
    pub rejected: u64,
    /// Of these, those that a policy refused.
    pub refused: u64,
    /// Gave up.
    pub timed_out: u64,
    /// Lost.
    pub failed: u64,
    /// Still inside when the run ended.
    pub in_flight: u64,
    /// Completed, but cut short at the context limit.
    pub truncated: u64,
    /// Times a running request lost its KV and was computed again.
    pub preemptions: u64,
}

/// Mean lengths of measured requests, tokens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lengths {
    /// Of all prompts; `None` if no request arrived.
    pub prompt_mean: Option<f64>,
    /// Of the outputs of completed requests; `None` if none completed.
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
    /// Prompt and output tokens computed twice because of preemption.
    pub recomputed: u64,
}

/// Rates over the measured time, of all requests whenever they arrived; `None` if nothing was measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Throughput {
    /// Gaps between arrivals per second from the first arrival after the warm-up to the last; `None` if that is no time. What follows the
    /// last arrival is left out, or the rate would fall with the time that the cluster takes to finish.
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

/// Latency distributions, milliseconds; `None` where there is no value at all.
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

/// How uneven the token stream is. Of the pooled gaps but for the last entry.
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

/// What met all its SLOs.
#[derive(Debug, Clone, Copy)]
pub struct Goodput {
    /// Good requests per second.
    pub requests_per_s: Option<f64>,
    /// Output tokens of good requests per second.
    pub output_tokens_per_s: Option<f64>,
    /// Good requests / judged requests; `None` if none was judged.
    pub slo_attainment: Option<f64>,
}

/// Mean milliseconds of a completed request in each stage of its life; they sum to mean E2E.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lifecycle {
    /// Waiting for its first iteration.
    pub queue_ms: f64,
    /// From its first iteration to its first token.
    pub prefill_ms: f64,
    /// Waiting for memory on the decode side.
    pub reserve_ms: f64,
    /// KV on the wire, as far as it is not hidden behind prefill.
    pub transfer_ms: f64,
    /// Waiting to join a decode batch.
    pub decode_queue_ms: f64,
    /// Generating.
    pub decode_ms: f64,
    /// Lost to failures of instances; left out where that is nothing.
    pub recovery_ms: Option<f64>,
    /// In a frontend, waiting or served; left out where there is none.
    pub frontend_ms: Option<f64>,
}

/// Joules by what they were spent on.
#[derive(Debug, Clone, Copy, Default)]
pub struct EnergyByPhase {
    /// Computing prompts.
    pub prefill_j: f64,
    /// Generating.
    pub decode_j: f64,
    /// Waiting with KV on the wire and nothing to compute.
    pub transfer_j: f64,
    /// Waiting with nothing to do.
    pub idle_j: f64,
    /// Starting instances.
    pub startup_j: f64,
}

/// A value at three boundaries.
#[derive(Debug, Clone, Copy, Default)]
pub struct AtBoundary {
    /// Chips alone.
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
    /// Those of the chips by phase.
    pub chip_by_phase: EnergyByPhase,
    /// Output tokens per joule (= tokens per second per watt).
    pub output_tokens_per_j: AtBoundary,
    /// Prompt and output tokens per joule.
    pub total_tokens_per_j: AtBoundary,
    /// Mean facility power, W.
    pub mean_power_w: Option<f64>,
    /// Highest mean facility power of any timeline interval, W.
    pub peak_power_w: f64,
    /// Length of that interval, s; it grows with the run, and the peak falls.
    pub peak_power_window_s: f64,
    /// Output tokens per second and facility megawatt.
    pub output_tokens_per_s_per_mw: Option<f64>,
    /// Grams of CO2 equivalent.
    pub carbon_g: f64,
}

/// Money over the measured time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// Everything, $.
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
    /// Where the dollars go.
    pub breakdown: CostBreakdown,
}

/// Where the dollars go.
#[derive(Debug, Clone, Copy, Default)]
pub struct CostBreakdown {
    /// Price over life of owned nodes, $.
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
    /// What it belongs to: `chip h100-sxm`, `site us-hyperscale-2026`.
    pub profile: String,
    /// Which figure: `power.tdp`.
    pub figure: String,
    /// Its value with unit.
    pub value: String,
    /// `measured`, `official`, `press`, `estimate` or `assumed`.
    pub confidence: Confidence,
    /// Title and date of the source.
    pub source: String,
    /// Remark of the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
