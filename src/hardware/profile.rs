//! Profiles of chips, nodes, links and sites. The YAML files under `hardware-profiles/` have exactly these fields.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::figure::{Figure, Sources};
use crate::units::{
    Bytes, BytesPerSecond, Dtype, Duration, FlopsPerSecond, GramsPerKwh, Ratio, Usd, UsdPerHour, UsdPerKwMonth, UsdPerKwh, Watts,
};

/// Type of chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChipKind {
    /// A graphics processor with HBM or GDDR.
    Gpu,
    /// A deterministic, compiler-scheduled processor with weights in SRAM.
    Lpu,
    /// A chip with the model hard-wired in its masks.
    Hardwired,
    /// The neural processing unit of a phone or laptop.
    Npu,
    /// A general-purpose processor.
    Cpu,
}

/// One accelerator or CPU package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chip {
    /// Name in kebab-case, equal to the file name.
    pub name: String,
    /// One-line description for `list`.
    pub description: String,
    /// Type of chip.
    pub kind: ChipKind,
    /// Manufacturer.
    pub vendor: String,
    /// Date of first shipment, `YYYY` or `YYYY-MM`.
    pub launched: String,
    /// Memory that holds weights and KV cache.
    pub memory: Memory,
    /// Dense peak rates of matrix arithmetic per number format. Absent format: not supported in hardware.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub compute: BTreeMap<Dtype, Figure<FlopsPerSecond>>,
    /// Power as a function of activity.
    pub power: ChipPower,
    /// Fractions of the peaks reached by kernels. Absent: no measured roofline (`kind: lpu`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub efficiency: Option<Efficiency>,
    /// Measured all-reduce times inside the scale-up domain. Absent: ring formula from the link.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all_reduce: Vec<AllReduceRow>,
    /// Source of the `all_reduce` table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_reduce_source: Option<String>,
    /// Measured token exchange between expert-parallel ranks. Absent: a latency and the link's bandwidth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_to_all: Option<AllToAll>,
    /// Purchase and rental prices.
    pub price: ChipPrice,
    /// Sources of the figures.
    pub sources: Sources,
}

/// The memory of a chip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Technology, such as `HBM3`.
    pub technology: String,
    /// Capacity visible to an engine.
    pub capacity: Figure<Bytes>,
    /// Peak bandwidth.
    pub bandwidth: Figure<BytesPerSecond>,
}

/// `P = idle` when idle; when busy `floor + (tdp − floor) · min(1, u_c/u_c* + w_m·u_m)` with `u_c` the fraction of peak compute and `u_m` the
/// fraction of peak memory bandwidth in use, capped at `tdp`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChipPower {
    /// Board power limit.
    pub tdp: Figure<Watts>,
    /// Power with a model loaded and no work.
    pub idle: Figure<Watts>,
    /// Power at the onset of any activity, as a fraction of `tdp`.
    pub busy_floor: Figure<Ratio>,
    /// `u_c*`: fraction of peak compute at which compute alone drives the chip to `tdp`.
    pub compute_saturation: Figure<Ratio>,
    /// `w_m`: share of the rise caused by full memory bandwidth alone; above 1 if memory traffic alone reaches `tdp` before its peak.
    pub memory_weight: Figure<Ratio>,
}

/// Efficiency of kernels. A matrix product takes `start + (c^p + m^p)^(1/p)` with `c` its arithmetic at `gemm_compute` of the peak, `m` its traffic
/// at `gemm_memory` of the bandwidth and `p` its `gemm_corner`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Efficiency {
    /// Fraction of peak compute (MFU) of matrix products with many rows, by number format. For formats that the chip only unpacks (weight-only
    /// kernels): fraction of the 16-bit peak.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub gemm_compute: BTreeMap<Dtype, Figure<Ratio>>,
    /// Fraction of peak bandwidth (MBU) of matrix products with few rows, by number format of the weights.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub gemm_memory: BTreeMap<Dtype, Figure<Ratio>>,
    /// Fixed time of a matrix product besides arithmetic and traffic: start, tail, and for 8 and 4 bits the quantization of its input.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub gemm_start: BTreeMap<Dtype, Figure<Duration>>,
    /// `p`: sharpness of the transition between the two roofs of a matrix product: 2, 3 or 4.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub gemm_corner: BTreeMap<Dtype, Figure<Ratio>>,
    /// Fraction of the bf16 peak reached by causal prefill attention at long prompts, by number format of the KV cache.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub prefill_attention: BTreeMap<Dtype, Figure<Ratio>>,
    /// Fraction of peak bandwidth of decode attention reading the KV cache, by number format of the cache.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub decode_attention: BTreeMap<Dtype, Figure<Ratio>>,
    /// Fraction of the bf16 peak of compute-bound decode attention: latent attention with many heads on one chip.
    pub decode_attention_compute: Figure<Ratio>,
    /// Time of decode attention independent of the batch, by number format of the KV cache.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub decode_attention_start: BTreeMap<Dtype, Figure<Duration>>,
    /// Time of decode attention per sequence and key-value head on the chip, by number format of the KV cache.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub decode_attention_head: BTreeMap<Dtype, Figure<Duration>>,
    /// Fraction of peak compute of the grouped product over routed experts, tile padding counted as work, by number format of the weights and inner
    /// width of an expert on one chip; linear between widths, constant outside.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub expert_compute: BTreeMap<Dtype, BTreeMap<u32, Figure<Ratio>>>,
    /// Fraction of peak bandwidth of the grouped product with few rows, by number format of the weights.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub expert_memory: BTreeMap<Dtype, Figure<Ratio>>,
    /// Fixed time of the grouped product besides arithmetic and traffic, sorting of the rows by expert included.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub expert_start: BTreeMap<Dtype, Figure<Duration>>,
    /// Host time per iteration not overlapped with the chip: scheduling, launch, sampling.
    pub iteration_overhead: Figure<Duration>,
}

impl Efficiency {
    /// Replaces the compute efficiency of every matrix product, those of routed experts included.
    pub fn set_gemm_compute(&mut self, value: Ratio) {
        let experts = self.expert_compute.values_mut().flat_map(BTreeMap::values_mut);
        self.gemm_compute.values_mut().chain(experts).for_each(|figure| figure.value = value);
    }

    /// Replaces the memory efficiency of every matrix product, those of routed experts included.
    pub fn set_gemm_memory(&mut self, value: Ratio) {
        self.gemm_memory.values_mut().chain(self.expert_memory.values_mut()).for_each(|figure| figure.value = value);
    }
}

/// Measured token exchange between expert-parallel ranks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AllToAll {
    /// From the ranks of the tokens to those of their experts, one entry per kind of kernel; the fastest counts.
    pub dispatch: Vec<Exchange>,
    /// The way back.
    pub combine: Vec<Exchange>,
}

/// One kind of all-to-all kernel: `max(least, start + bytes / (efficiency · line rate))` with the bytes sent by one chip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// Fixed time besides the bytes.
    pub start: Figure<Duration>,
    /// Fraction of the scale-up link's line rate, one direction.
    pub efficiency: Figure<Ratio>,
    /// Minimum time.
    pub least: Figure<Duration>,
}

/// One row of a measured all-reduce table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AllReduceRow {
    /// Bytes reduced on each chip.
    pub size: Bytes,
    /// Time by number of chips.
    pub time: BTreeMap<u32, Duration>,
}

/// Purchase and rental prices of a chip.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChipPrice {
    /// New, per chip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Figure<Usd>>,
    /// Used, per chip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Figure<Usd>>,
    /// Rent per chip and hour, host included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rent: Option<Figure<UsdPerHour>>,
}

/// A server, rack or desktop machine: the unit of purchase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Name in kebab-case, equal to the file name.
    pub name: String,
    /// One-line description for `list`.
    pub description: String,
    /// Its chip.
    pub chip: String,
    /// Number of chips.
    pub chips: u32,
    /// The link between the chips of one scale-up domain.
    pub scale_up: String,
    /// Chips in one scale-up domain; tensor parallelism stays inside it.
    pub scale_up_chips: u32,
    /// The network port for KV transfers between instances.
    pub scale_out: String,
    /// Number of these ports per chip.
    pub scale_out_per_chip: Figure<Ratio>,
    /// IT power besides the chips: host, fans, NICs, switches, supply losses.
    pub overhead: NodeOverhead,
    /// Price of the whole node, new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Figure<Usd>>,
    /// Rent of the whole node per hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rent: Option<Figure<UsdPerHour>>,
    /// Depreciation period of the price.
    pub life: Figure<Duration>,
    /// Sources of the figures.
    pub sources: Sources,
}

/// IT power of a node besides its chips: `fixed + proportional · chip power`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeOverhead {
    /// Constant draw: host, NICs, switches, idle fans.
    pub fixed: Figure<Watts>,
    /// Watts per watt of chip power: fans under load, supply and conversion losses.
    pub proportional: Figure<Ratio>,
}

/// A kind of link: one direction of one port.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Name in kebab-case, equal to the file name.
    pub name: String,
    /// One-line description for `list`.
    pub description: String,
    /// Line rate per direction.
    pub bandwidth: Figure<BytesPerSecond>,
    /// One-way latency of a small message.
    pub latency: Figure<Duration>,
    /// Fraction of the line rate reached by bulk transfers.
    pub efficiency: Figure<Ratio>,
    /// Set-up time of one bulk transfer (descriptors, registration).
    pub setup: Figure<Duration>,
    /// Sources of the figures.
    pub sources: Sources,
}

/// Location of nodes: cost and emissions of power.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Name in kebab-case, equal to the file name.
    pub name: String,
    /// One-line description for `list`.
    pub description: String,
    /// Price per unit of delivered energy.
    pub electricity: Figure<UsdPerKwh>,
    /// Facility energy per IT energy, at least 1.
    pub pue: Figure<Ratio>,
    /// Emissions per unit of delivered energy.
    pub carbon: Figure<GramsPerKwh>,
    /// Building, cooling and staff per unit of provisioned IT power, electricity not included.
    pub hosting: Figure<UsdPerKwMonth>,
    /// Sources of the figures.
    pub sources: Sources,
}
