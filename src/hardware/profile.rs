//! What a chip, a node, a link and a site are. The YAML files under `hardware-profiles/` have exactly these fields.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::figure::{Figure, Sources};
use crate::units::{
    Bytes, BytesPerSecond, Dtype, Duration, FlopsPerSecond, GramsPerKwh, Ratio, Usd, UsdPerHour, UsdPerKwMonth, UsdPerKwh, Watts,
};

/// What sort of chip it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChipKind {
    /// A graphics processor with HBM or GDDR.
    Gpu,
    /// A deterministic, compiler-scheduled processor with weights in SRAM.
    Lpu,
    /// A chip with the model in its masks.
    Hardwired,
    /// A neural processor of a phone or laptop.
    Npu,
    /// A general processor.
    Cpu,
}

/// One accelerator or CPU package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chip {
    /// Name in kebab-case, equal to the file name.
    pub name: String,
    /// One line for `list`.
    pub description: String,
    /// What sort of chip it is.
    pub kind: ChipKind,
    /// Who makes it.
    pub vendor: String,
    /// When it first shipped, `YYYY` or `YYYY-MM`.
    pub launched: String,
    /// Memory that the model lives in.
    pub memory: Memory,
    /// Dense peak rates of matrix arithmetic per number format. Absent format = not supported in hardware.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub compute: BTreeMap<Dtype, Figure<FlopsPerSecond>>,
    /// Power as a function of activity.
    pub power: ChipPower,
    /// Fractions of the peaks that kernels reach. Absent: no measured roofline (`kind: lpu`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub efficiency: Option<Efficiency>,
    /// Measured all-reduce times inside the scale-up domain. Absent: ring formula from the link.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all_reduce: Vec<AllReduceRow>,
    /// Source of the `all_reduce` table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_reduce_source: Option<String>,
    /// Measured exchange of tokens between expert-parallel ranks. Absent: a latency and the link's bandwidth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_to_all: Option<AllToAll>,
    /// What it costs.
    pub price: ChipPrice,
    /// Documents the figures come from.
    pub sources: Sources,
}

/// The memory of a chip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Technology, such as `HBM3`.
    pub technology: String,
    /// Capacity that an engine can see.
    pub capacity: Figure<Bytes>,
    /// Peak bandwidth.
    pub bandwidth: Figure<BytesPerSecond>,
}

/// `P = idle` when idle; when busy `floor + (tdp − floor) · min(1, u_c/u_c* + w_m·u_m)` with `u_c` the fraction of peak compute and
/// `u_m` the fraction of peak memory bandwidth in use, clipped to `tdp`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChipPower {
    /// Board power limit.
    pub tdp: Figure<Watts>,
    /// Power with a model loaded and nothing to do.
    pub idle: Figure<Watts>,
    /// Power as soon as anything runs, as a fraction of `tdp`.
    pub busy_floor: Figure<Ratio>,
    /// `u_c*`: fraction of peak compute at which compute alone drives the chip to `tdp`.
    pub compute_saturation: Figure<Ratio>,
    /// `w_m`: share of the rise that full memory bandwidth alone causes; above 1 where memory traffic alone reaches `tdp` before its peak.
    pub memory_weight: Figure<Ratio>,
}

/// What kernels reach. A matrix product takes `start + (c^p + m^p)^(1/p)` with `c` its arithmetic at `gemm_compute` of the peak, `m` its
/// traffic at `gemm_memory` of the bandwidth and `p` its `gemm_corner`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Efficiency {
    /// Fraction of peak compute (MFU) of matrix products with many rows, by number format. For a format that the chip only unpacks
    /// (weight-only kernels) a fraction of the 16-bit peak.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub gemm_compute: BTreeMap<Dtype, Figure<Ratio>>,
    /// Fraction of peak bandwidth (MBU) of matrix products with few rows, by number format of the weights.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub gemm_memory: BTreeMap<Dtype, Figure<Ratio>>,
    /// Time of a matrix product beside arithmetic and traffic: start, tail, and for 8 and 4 bits the quantization of its input.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub gemm_start: BTreeMap<Dtype, Figure<Duration>>,
    /// `p`: how sharply the two roofs of a matrix product meet: 2, 3 or 4.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub gemm_corner: BTreeMap<Dtype, Figure<Ratio>>,
    /// Fraction of the bf16 peak that causal prefill attention reaches at long prompts, by number format of the KV cache.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub prefill_attention: BTreeMap<Dtype, Figure<Ratio>>,
    /// Fraction of peak bandwidth of decode attention reading the KV cache, by its number format.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub decode_attention: BTreeMap<Dtype, Figure<Ratio>>,
    /// Fraction of the bf16 peak of decode attention that is bound by arithmetic: latent attention with many heads on one chip.
    pub decode_attention_compute: Figure<Ratio>,
    /// Time of decode attention that does not depend on the batch, by number format of the KV cache.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub decode_attention_start: BTreeMap<Dtype, Figure<Duration>>,
    /// Time of decode attention per sequence and key-value head on the chip, by number format of the KV cache.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub decode_attention_head: BTreeMap<Dtype, Figure<Duration>>,
    /// Fraction of peak compute of the grouped product over routed experts, tile padding counted as work, by number format of the
    /// weights and inner width of an expert on one chip; linear between widths, constant outside.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub expert_compute: BTreeMap<Dtype, BTreeMap<u32, Figure<Ratio>>>,
    /// Fraction of peak bandwidth of that product with few rows, by number format of the weights.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub expert_memory: BTreeMap<Dtype, Figure<Ratio>>,
    /// Time of that product beside arithmetic and traffic, sorting of the rows by expert included.
    #[schemars(extend("propertyNames" = {"enum": Dtype::names()}))]
    pub expert_start: BTreeMap<Dtype, Figure<Duration>>,
    /// Host time per iteration that is not hidden behind the chip: scheduling, launch, sampling.
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

/// Measured exchange of tokens between expert-parallel ranks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AllToAll {
    /// From the tokens' ranks to their experts', one entry per kind of kernel; the fastest counts.
    pub dispatch: Vec<Exchange>,
    /// Back.
    pub combine: Vec<Exchange>,
}

/// One kind of all-to-all kernel: `max(least, start + bytes / (efficiency · line rate))` with the bytes that one chip sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// Time beside the bytes.
    pub start: Figure<Duration>,
    /// Fraction of the scale-up link's line rate, one direction.
    pub efficiency: Figure<Ratio>,
    /// Shortest time.
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

/// What a chip costs to buy or to rent.
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

/// What is bought and racked or stands on a desk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Name in kebab-case, equal to the file name.
    pub name: String,
    /// One line for `list`.
    pub description: String,
    /// The chip in it.
    pub chip: String,
    /// How many.
    pub chips: u32,
    /// The link between the chips of one scale-up domain.
    pub scale_up: String,
    /// Chips that one scale-up domain joins; tensor parallelism stays inside it.
    pub scale_up_chips: u32,
    /// The network port that carries KV between instances.
    pub scale_out: String,
    /// Ports of that kind per chip.
    pub scale_out_per_chip: Figure<Ratio>,
    /// IT power beside the chips: host, fans, NICs, switches, supply losses.
    pub overhead: NodeOverhead,
    /// What the whole node costs new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Figure<Usd>>,
    /// Rent of the whole node per hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rent: Option<Figure<UsdPerHour>>,
    /// Years over which the price is written off.
    pub life: Figure<Duration>,
    /// Documents the figures come from.
    pub sources: Sources,
}

/// IT power of a node beside its chips: `fixed + proportional · chip power`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeOverhead {
    /// Drawn always: host, NICs, switches, idle fans.
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
    /// One line for `list`.
    pub description: String,
    /// Line rate per direction.
    pub bandwidth: Figure<BytesPerSecond>,
    /// One-way latency of a small message.
    pub latency: Figure<Duration>,
    /// Fraction of the line rate that bulk transfers reach.
    pub efficiency: Figure<Ratio>,
    /// Set-up time of one bulk transfer (descriptors, registration).
    pub setup: Figure<Duration>,
    /// Documents the figures come from.
    pub sources: Sources,
}

/// Where nodes stand: what power costs and pollutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Name in kebab-case, equal to the file name.
    pub name: String,
    /// One line for `list`.
    pub description: String,
    /// Price of energy delivered.
    pub electricity: Figure<UsdPerKwh>,
    /// Facility energy per IT energy, at least 1.
    pub pue: Figure<Ratio>,
    /// Emissions per energy delivered.
    pub carbon: Figure<GramsPerKwh>,
    /// Building, cooling and staff per provisioned IT power, electricity not included.
    pub hosting: Figure<UsdPerKwMonth>,
    /// Documents the figures come from.
    pub sources: Sources,
}
