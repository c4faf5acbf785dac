//! The result of one run: the content of `summary.json`. Every value that has no meaning in a run is `None` and prints as `null`.

use serde::Serialize;

use super::latency::{Jitter, Latency, Lifecycle, SloLimits};

/// Version of the layout of [`Summary`]; raised when a field changes meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything that one run reports. Metrics cover the measured requests: those that arrived after the warm-up.
#[derive(Debug, Clone, Serialize)]
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
    /// Events handled, iterations included whether stepped or fast-forwarded.
    pub events: u64,
    /// Requests by outcome.
    pub requests: RequestCounts,
    /// Tokens served.
    pub tokens: TokenCounts,
    /// Rates over the measured time.
    pub throughput: Throughput,
    /// Latency distributions.
    pub latency: Latency,
    /// How uneven the token stream is.
    pub jitter: Jitter,
    /// What met its SLO; `None` where no workload has one.
    pub goodput: Option<Goodput>,
    /// Where the time of completed requests went, mean milliseconds each.
    pub lifecycle: Lifecycle,
    /// Energy.
    pub energy: Energy,
    /// Money.
    pub cost: Cost,
    /// One entry a pool.
    pub pools: Vec<PoolSummary>,
    /// One entry a workload.
    pub classes: Vec<ClassSummary>,
    /// KV transfers.
    pub network: NetworkSummary,
    /// Origin of every figure the result depends on.
    pub provenance: Vec<ProvenanceEntry>,
    /// What a reader must know before trusting the numbers.
    pub warnings: Vec<Warning>,
}

/// Requests by outcome. `arrived` = the sum of the others.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct RequestCounts {
    /// Arrived in the measured time.
    pub arrived: u64,
    /// Got their last token.
    pub completed: u64,
    /// Could never be served or were refused.
    pub rejected: u64,
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

/// Tokens served in the measured time: a prompt counts when its first token leaves, an output token when it leaves.
#[derive(Debug, Clone, Copy, Default, Serialize)]
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

/// Rates over the measured time.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Throughput {
    /// Arrivals per second of the time in which requests arrived; 0 if they all came at once.
    pub offered_requests_per_s: f64,
    /// Completions per second.
    pub requests_per_s: f64,
    /// Output tokens per second.
    pub output_tokens_per_s: f64,
    /// Prompt and output tokens per second.
    pub total_tokens_per_s: f64,
    /// Output tokens per second and chip.
    pub output_tokens_per_s_per_chip: f64,
}

/// What met all its SLOs.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Goodput {
    /// Good requests per second.
    pub requests_per_s: f64,
    /// Output tokens of good requests per second.
    pub output_tokens_per_s: f64,
    /// Good requests / judged requests; `None` if none was judged.
    pub slo_attainment: Option<f64>,
}

/// Joules by what they were spent on; at the IT boundary (chips and node overheads).
#[derive(Debug, Clone, Copy, Default, Serialize)]
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
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct AtBoundary {
    /// Chips alone.
    pub chip: Option<f64>,
    /// Chips, hosts, fans, NICs, supplies.
    pub it: Option<f64>,
    /// IT times PUE.
    pub facility: Option<f64>,
}

/// Energy over the measured time.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Energy {
    /// Chips, joules.
    pub chip_j: f64,
    /// IT equipment, joules.
    pub it_j: f64,
    /// Facility, joules.
    pub facility_j: f64,
    /// IT joules by phase.
    pub by_phase: EnergyByPhase,
    /// Output tokens per joule (= tokens per second per watt).
    pub output_tokens_per_j: AtBoundary,
    /// Prompt and output tokens per joule.
    pub total_tokens_per_j: AtBoundary,
    /// Mean facility power, W.
    pub mean_power_w: f64,
    /// Highest facility power of any timeline interval, W.
    pub peak_power_w: f64,
    /// Output tokens per second and facility megawatt.
    pub output_tokens_per_s_per_mw: Option<f64>,
    /// Grams of CO2 equivalent.
    pub carbon_g: f64,
}

/// Money over the measured time.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Cost {
    /// Everything, $.
    pub total_usd: f64,
    /// $ per hour of the whole cluster.
    pub usd_per_hour: f64,
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
#[derive(Debug, Clone, Copy, Default, Serialize)]
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

/// One pool over the measured time.
#[derive(Debug, Clone, Serialize)]
pub struct PoolSummary {
    /// Name in the scenario.
    pub name: String,
    /// `prefill`, `decode` or `mixed`.
    pub role: String,
    /// Node profile.
    pub hardware: String,
    /// Served model.
    pub model: String,
    /// Instances.
    pub instances: u32,
    /// Chips of all instances.
    pub chips: u32,
    /// Fraction of instance time spent computing.
    pub utilization: f64,
    /// Fraction of peak arithmetic while computing.
    pub mfu: Option<f64>,
    /// Fraction of peak memory bandwidth while computing.
    pub mbu: Option<f64>,
    /// Iterations.
    pub iterations: u64,
    /// Mean duration of an iteration, ms.
    pub iteration_ms_mean: Option<f64>,
    /// Time-weighted mean of running sequences per instance, idle time included.
    pub batch_mean: f64,
    /// KV blocks in use / all, time-weighted. Blocks of a prefix cache that nobody uses count as free.
    pub kv_utilization_mean: f64,
    /// Highest share of KV blocks in use on any instance.
    pub kv_utilization_peak: f64,
    /// KV capacity of one instance, tokens.
    pub kv_capacity_tokens: u64,
    /// Time-weighted mean of requests waiting in the whole pool.
    pub queue_mean: f64,
    /// Longest queue of the pool.
    pub queue_peak: u64,
    /// Prompt tokens served from the prefix cache / prompt tokens looked up.
    pub prefix_hit_rate: Option<f64>,
    /// Preemptions.
    pub preemptions: u64,
    /// IT joules.
    pub energy_j: f64,
    /// Mean IT power, W.
    pub mean_power_w: f64,
    /// IT joules by phase.
    pub energy_by_phase: EnergyByPhase,
    /// $ of the pool.
    pub cost_usd: f64,
    /// What a step is modelled by.
    pub perf: String,
}

/// One workload over the measured time.
#[derive(Debug, Clone, Serialize)]
pub struct ClassSummary {
    /// Name in the scenario.
    pub name: String,
    /// Requests by outcome.
    pub requests: RequestCounts,
    /// Latency limits; `None` where the class has none.
    pub slo: SloLimits,
    /// Requests that met all limits / arrived; `None` without limits.
    pub slo_attainment: Option<f64>,
    /// Share meeting the TTFT limit alone.
    pub ttft_attainment: Option<f64>,
    /// Share meeting the TPOT limit alone.
    pub tpot_attainment: Option<f64>,
    /// Latency of this class.
    pub latency: Latency,
}

/// KV transfers over the measured time.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct NetworkSummary {
    /// Transfers finished.
    pub transfers: u64,
    /// Bytes moved.
    pub bytes: f64,
    /// Mean time from first byte offered to last byte delivered, ms.
    pub transfer_ms_mean: Option<f64>,
    /// 99th percentile of the same, ms.
    pub transfer_ms_p99: Option<f64>,
    /// Busiest port: bytes carried / (bandwidth · measured time).
    pub peak_port_utilization: Option<f64>,
}

/// One figure that the result depends on.
#[derive(Debug, Clone, Serialize)]
pub struct ProvenanceEntry {
    /// What it belongs to: `chip h100-sxm`, `site us-hyperscale-2026`.
    pub profile: String,
    /// Which figure: `power.tdp`.
    pub figure: String,
    /// Its value with unit.
    pub value: String,
    /// `measured`, `official`, `press`, `estimate` or `assumed`.
    pub confidence: String,
    /// Title and date of the source.
    pub source: String,
    /// Remark of the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What a reader must know before trusting the numbers.
#[derive(Debug, Clone, Serialize)]
pub struct Warning {
    /// Stable name in kebab-case, such as `overload`.
    pub code: String,
    /// One sentence with the numbers.
    pub message: String,
}
