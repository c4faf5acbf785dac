//! The `cluster` section: the machines.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Handoff, Network, constant};
use crate::perf::Parallelism;
use crate::units::{Bytes, Count, Duration, GramsPerKwh, Ratio, UsdPerHour, UsdPerKwMonth, UsdPerKwh, Watts};

/// The machines: their site, the pools of instances on them, the network between them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Site of the nodes: price of energy, PUE, carbon, hosting.
    #[serde(default)]
    pub site: SiteChoice,
    /// Pools of equal instances. Prefill pools hand their requests to decode pools; mixed pools do both.
    #[schemars(length(min = 1, max = 65_535))]
    pub pools: Vec<Pool>,
    /// The network between instances.
    #[serde(default)]
    pub network: Network,
    /// Handoff of requests from prefill to decode.
    #[serde(default)]
    pub handoff: Handoff,
}

/// A site profile and its overrides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteChoice {
    /// Name of a site profile; `tokenmill list sites` shows them.
    #[serde(default = "default_site")]
    pub profile: String,
    /// Price of energy instead of the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub electricity: Option<UsdPerKwh>,
    /// Facility energy per IT energy instead of the profile's, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-least" = 1, "x-most" = 10))]
    pub pue: Option<Ratio>,
    /// Emissions instead of the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carbon: Option<GramsPerKwh>,
    /// Hosting price instead of the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosting: Option<UsdPerKwMonth>,
}

impl Default for SiteChoice {
    fn default() -> Self {
        Self { profile: default_site(), electricity: None, pue: None, carbon: None, hosting: None }
    }
}

/// Instances of one role, hardware and model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Name in reports and in `--set cluster.pools.NAME.instances=…`.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Role of the instances.
    pub role: Role,
    /// The model they serve, one of `models`. Absent: the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Name of a node profile; `tokenmill list nodes` shows them. Required, except for frontends, which run on the hosts of other pools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub node: Option<String>,
    /// Number of instances.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub instances: u32,
    /// Chips of one instance and how the model is split over them.
    #[serde(default)]
    pub parallelism: Parallelism,
    /// Step time model.
    #[serde(default)]
    pub perf: PerfChoice,
    /// Engine settings, under vLLM's names.
    #[serde(default)]
    pub engine: Engine,
    /// Pricing of the nodes: bought or rented.
    #[serde(default)]
    pub pricing: Pricing,
    /// Frontends only: workers and service times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub station: Option<Station>,
}

/// Workers with one queue. A service takes `per_request + per_prompt_token · prompt tokens + per_output_token · output tokens`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Station {
    /// Requests that one instance serves concurrently.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub workers: u32,
    /// Time per request: HTTP, dispatch.
    #[serde(default = "zero_time")]
    pub per_request: Duration,
    /// Time per prompt token: tokenisation.
    #[serde(default = "zero_time")]
    pub per_prompt_token: Duration,
    /// Time per output token: detokenisation, streaming.
    #[serde(default = "zero_time")]
    pub per_output_token: Duration,
}

/// Role of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(extend("x-aliases" = {"colocated": "mixed", "both": "mixed", "agg": "mixed", "gateway": "frontend"}))]
pub enum Role {
    /// Computes prompts and hands off the KV cache.
    Prefill,
    /// Takes over after the first token and generates the rest.
    Decode,
    /// Computes prompts and generates output.
    Mixed,
    /// Accepts requests before routing: tokenisation, HTTP, dispatch. Requests go to its instances round-robin. It runs on the hosts of the
    /// other pools and adds no power or cost.
    Frontend,
}

/// Step time model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum PerfChoice {
    /// From the chip's peaks and measured efficiencies, operator by operator.
    Roofline(Roofline),
    /// Affine in the work of a step, with given coefficients.
    Affine(Affine),
}

impl Default for PerfChoice {
    fn default() -> Self {
        Self::Roofline(Roofline::default())
    }
}

/// Overrides of the chip's efficiencies. Absent: as in the chip profile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Roofline {
    /// Fraction of peak compute of large matrix products.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0, "x-most" = 1))]
    pub gemm_compute: Option<Ratio>,
    /// Fraction of peak bandwidth of matrix products with few rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0, "x-most" = 1))]
    pub gemm_memory: Option<Ratio>,
    /// Host time per iteration that does not overlap with the chip's work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-most" = 10))]
    pub iteration_overhead: Option<Duration>,
}

/// An iteration takes `base + per_prompt_token · prompt tokens + per_sequence · decoding sequences + per_context_token · their context`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Affine {
    /// Time per iteration.
    #[serde(default = "zero_time")]
    pub base: Duration,
    /// Time per prompt token computed in it.
    #[serde(default = "zero_time")]
    pub per_prompt_token: Duration,
    /// Time per decoding sequence.
    #[serde(default = "zero_time")]
    pub per_sequence: Duration,
    /// Time per context token of those sequences.
    #[serde(default = "zero_time")]
    pub per_context_token: Duration,
    /// KV cache per token, for memory and for the transfers that its instances receive. Absent: that of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kv_bytes_per_token: Option<Bytes>,
    /// Power of a chip while it computes. Absent: its TDP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy_power: Option<Watts>,
}

/// Engine settings, under vLLM's names.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Most sequences in one iteration. Absent: as vLLM, 1024 on chips with 70 GiB or more other than the A100, else 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_num_seqs: Option<u32>,
    /// Most tokens computed in one iteration. Absent: as vLLM, 8192 on chips with 70 GiB or more other than the A100, else 2048.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0, "x-most" = 1e9))]
    pub max_num_batched_tokens: Option<Count>,
    /// Tokens in one block of the KV cache.
    #[serde(default = "block_size")]
    #[schemars(range(min = 1, max = 65_536))]
    pub block_size: u32,
    /// Share of the chip's memory that weights, activations and KV cache may use.
    #[serde(default = "gpu_memory_utilization")]
    #[schemars(extend("x-above" = 0, "x-most" = 1))]
    pub gpu_memory_utilization: Ratio,
    /// Keep the KV of finished requests and reuse it for prompts with the same prefix, and that of a preempted request for its restart.
    #[serde(default = "yes")]
    pub enable_prefix_caching: bool,
    /// Split long prompts over several iterations.
    #[serde(default = "yes")]
    pub enable_chunked_prefill: bool,
    /// Start a waiting or preempted request only if its whole sequence so far fits into free KV memory, not just its first chunk, which lets
    /// long prompts preempt themselves and, without a prefix cache, start over each time. vLLM's default since it has the setting.
    #[serde(default = "yes")]
    pub scheduler_reserve_full_isl: bool,
    /// Longest prompt plus output, tokens. Absent: that of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0, "x-most" = 1e9))]
    pub max_model_len: Option<Count>,
    /// Blocks of the KV cache of one instance. Absent: as many as fit beside weights and activations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0, "x-most" = 1e15))]
    pub num_gpu_blocks_override: Option<Count>,
}

impl Engine {
    /// vLLM's (`max_num_batched_tokens`, `max_num_seqs`) for an API server on a chip with `memory`, unless the scenario sets them.
    ///
    /// Source: `vllm/engine/arg_utils.py` of vllm-project/vllm, `get_batch_defaults`, 2025-2026.
    pub fn vllm_defaults(memory: Bytes, chip: &str) -> (u32, u32) {
        const LARGE: f64 = 70.0 * 1_073_741_824.0;
        if memory.get() >= LARGE && !chip.contains("a100") { (8192, 1024) } else { (2048, 256) }
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            max_num_seqs: None,
            max_num_batched_tokens: None,
            block_size: block_size(),
            gpu_memory_utilization: gpu_memory_utilization(),
            enable_prefix_caching: true,
            enable_chunked_prefill: true,
            scheduler_reserve_full_isl: true,
            max_model_len: None,
            num_gpu_blocks_override: None,
        }
    }
}

/// Pricing of the nodes: bought or rented.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Pricing {
    /// Bought new: price over life, energy and hosting.
    #[default]
    Own,
    /// Rented at the profile's price, energy and hosting included.
    Rent,
    /// Rented at a price per chip and hour, energy and hosting included.
    RentAt(UsdPerHour),
}

fn default_site() -> String {
    "us-hyperscale-2026".into()
}

fn zero_time() -> Duration {
    constant(Duration::new(0.0))
}

fn gpu_memory_utilization() -> Ratio {
    constant(Ratio::new(0.9))
}

const fn block_size() -> u32 {
    16
}

const fn one() -> u32 {
    1
}

const fn yes() -> bool {
    true
}
