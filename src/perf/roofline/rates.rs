//! Rates from a chip profile: the cost of a FLOP and of a byte, by number format.
//!
//! A format missing from the chip's tables is replaced by the nearest one that they have, and every such stand-in is noted for the report.

use std::collections::{BTreeMap, BTreeSet};

use super::operator::Corner;
use super::options::{RooflineOptions, fraction};
use crate::hardware::{Chip, Efficiency};
use crate::perf::PerfError;
use crate::units::{Dtype, Figure, Ratio};

const NS_PER_S: f64 = 1e9;

/// Rates of one kind of kernel on one chip. Nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate {
    /// Time beside arithmetic and traffic.
    pub start_ns: f64,
    /// How the two roofs meet.
    pub corner: Corner,
    /// Per FLOP at the rate that kernels reach.
    pub flop_ns: f64,
    /// Per FLOP at the dense peak.
    pub ideal_flop_ns: f64,
    /// Per byte at the rate that kernels reach.
    pub byte_ns: f64,
    /// Bytes of one weight.
    pub weight_bytes: f64,
    /// Bytes of one element of the input.
    pub input_bytes: f64,
}

/// Rates of attention over a KV cache of one format.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct AttentionRates {
    pub prefill: Rate,
    pub decode: Rate,
    /// Start of decode attention per sequence and key-value head on the chip.
    pub head_ns: f64,
}

/// The rates of one chip for one model.
#[derive(Debug)]
pub(super) struct Rates<'a> {
    chip: &'a Chip,
    efficiency: &'a Efficiency,
    attention_start_ns: f64,
    /// Nanoseconds per byte at peak bandwidth.
    pub ideal_byte_ns: f64,
    pub elementwise_latency_ns: f64,
    pub elementwise_byte_ns: f64,
    /// Stand-ins for missing figures.
    pub notes: Vec<String>,
    /// Figures of the chip that were read, by their path in its profile.
    pub read: BTreeSet<String>,
}

impl<'a> Rates<'a> {
    pub(super) fn new(chip: &'a Chip, options: &RooflineOptions) -> Result<Self, PerfError> {
        let efficiency = chip.efficiency.as_ref().ok_or_else(|| PerfError::NoEfficiency { chip: chip.name.clone() })?;
        let bandwidth = chip.memory.bandwidth.value.get();
        if bandwidth <= 0.0 {
            return Err(PerfError::bad(format!("memory.bandwidth of `{}`", chip.name), bandwidth, "more than 0 bytes per second"));
        }
        let ideal_byte_ns = NS_PER_S / bandwidth;
        Ok(Self {
            chip,
            efficiency,
            attention_start_ns: options.attention_start_s * NS_PER_S,
            ideal_byte_ns,
            elementwise_latency_ns: options.elementwise_latency_s * NS_PER_S,
            elementwise_byte_ns: ideal_byte_ns / options.elementwise_bandwidth,
            notes: Vec::new(),
            read: BTreeSet::from(["memory.bandwidth".to_owned()]),
        })
    }

    /// Host time of one iteration, nanoseconds.
    pub(super) fn overhead_ns(&mut self, options: &RooflineOptions) -> f64 {
        let seconds = options.iteration_overhead_s.unwrap_or_else(|| {
            self.read.insert("efficiency.iteration_overhead".into());
            self.efficiency.iteration_overhead.value.get()
        });
        seconds * NS_PER_S
    }

    /// Matrix products with weights of format `weights`. Computed at that format's peak if the chip has one; otherwise the weights are
    /// expanded on the fly and computed in 16 bits (weight-only quantization), which saves memory traffic but no arithmetic.
    pub(super) fn gemm(&mut self, weights: Dtype) -> Result<Rate, PerfError> {
        let format = self.gemm_format(weights)?;
        let native = format == weights;
        let efficiency = self.efficiency;
        let reached = self.ratio("efficiency.gemm_compute", &efficiency.gemm_compute, &[weights, format], weights)?.1;
        let wanted = stand_ins(weights);
        let (memory, bandwidth) = self.ratio("efficiency.gemm_memory", &efficiency.gemm_memory, wanted, weights)?;
        let start = self.first("efficiency.gemm_start", &efficiency.gemm_start, wanted, weights)?.1.get();
        let corner = self.corner(wanted, weights)?;
        if !native {
            self.note(format!("{} weights are computed in {}", weights.name(), format.name()));
        }
        self.note_stand_in("gemm_memory", weights, memory);
        let ideal_flop_ns = self.ideal_flop_ns(format)?;
        Ok(Rate {
            start_ns: start * NS_PER_S,
            corner,
            flop_ns: ideal_flop_ns / reached,
            ideal_flop_ns,
            byte_ns: self.ideal_byte_ns / bandwidth,
            weight_bytes: weights.bytes(),
            input_bytes: format.bytes(),
        })
    }

    /// The grouped product over routed experts of inner width `width` on one chip.
    pub(super) fn experts(&mut self, weights: Dtype, width: f64) -> Result<Rate, PerfError> {
        let plain = self.gemm_format(weights)?;
        let efficiency = self.efficiency;
        let wanted = stand_ins(weights);
        let candidates: &[Dtype] = if plain == weights { wanted } else { &[weights, plain] };
        let name = "efficiency.expert_compute";
        let found = candidates.iter().find_map(|d| efficiency.expert_compute.get(d).map(|table| (*d, table)));
        let (format, table) = found.ok_or_else(|| PerfError::missing(&self.chip.name, name, weights))?;
        let path = format!("{name}.{}", format.name());
        let (reached, widths) = between_widths(table, width).ok_or_else(|| PerfError::missing(&self.chip.name, name, weights))?;
        fraction(format!("{path} of `{}`", self.chip.name), reached)?;
        self.read.extend(widths.map(|width| format!("{path}.{width}")));
        let (memory, bandwidth) = self.ratio("efficiency.expert_memory", &efficiency.expert_memory, wanted, weights)?;
        let start = self.first("efficiency.expert_start", &efficiency.expert_start, wanted, weights)?.1.get();
        if plain != weights {
            self.note(format!("{} weights are computed in {}", weights.name(), plain.name()));
        }
        self.note_stand_in("expert_memory", weights, memory);
        let ideal_flop_ns = self.ideal_flop_ns(plain)?;
        Ok(Rate {
            start_ns: start * NS_PER_S,
            corner: Corner::Two,
            flop_ns: ideal_flop_ns / reached,
            ideal_flop_ns,
            byte_ns: self.ideal_byte_ns / bandwidth,
            weight_bytes: weights.bytes(),
            input_bytes: plain.bytes(),
        })
    }

    /// The format in which products with such weights are computed.
    fn gemm_format(&self, weights: Dtype) -> Result<Dtype, PerfError> {
        let native = !weights.is_weight_only() && self.chip.compute.contains_key(&weights);
        if native { Ok(weights) } else { self.sixteen_bits(weights) }
    }

    fn corner(&mut self, candidates: &[Dtype], wanted: Dtype) -> Result<Corner, PerfError> {
        let efficiency = self.efficiency;
        let (format, p) = self.first("efficiency.gemm_corner", &efficiency.gemm_corner, candidates, wanted)?;
        let what = || format!("efficiency.gemm_corner.{} of `{}`", format.name(), self.chip.name);
        Corner::from_exponent(p.get()).ok_or_else(|| PerfError::bad(what(), p.get(), "2, 3 or 4"))
    }

    /// Attention over a KV cache of format `kv`: arithmetic is rated against the 16-bit peak, reading against bandwidth. In decode the
    /// roofs meet sharply: the time is linear in the context, as measured, and a run of iterations is a sum of such lines.
    pub(super) fn attention(&mut self, kv: Dtype) -> Result<AttentionRates, PerfError> {
        let format = self.sixteen_bits(kv)?;
        let (wanted, efficiency) = (stand_ins(kv), self.efficiency);
        let prefill = self.ratio("efficiency.prefill_attention", &efficiency.prefill_attention, wanted, kv)?;
        let decode = self.ratio("efficiency.decode_attention", &efficiency.decode_attention, wanted, kv)?;
        let start = self.first("efficiency.decode_attention_start", &efficiency.decode_attention_start, wanted, kv)?.1.get();
        let head = self.first("efficiency.decode_attention_head", &efficiency.decode_attention_head, wanted, kv)?.1.get();
        let compute = efficiency.decode_attention_compute.value.get();
        fraction(format!("efficiency.decode_attention_compute of `{}`", self.chip.name), compute)?;
        self.read.insert("efficiency.decode_attention_compute".into());
        self.note_stand_in("prefill_attention", kv, prefill.0);
        self.note_stand_in("decode_attention", kv, decode.0);
        let ideal_flop_ns = self.ideal_flop_ns(format)?;
        let prefill = Rate {
            start_ns: self.attention_start_ns,
            corner: Corner::Sharp,
            flop_ns: ideal_flop_ns / prefill.1,
            ideal_flop_ns,
            byte_ns: self.ideal_byte_ns / decode.1,
            weight_bytes: kv.bytes(),
            input_bytes: format.bytes(),
        };
        let decode = Rate { start_ns: start * NS_PER_S, flop_ns: ideal_flop_ns / compute, ..prefill };
        Ok(AttentionRates { prefill, decode, head_ns: head * NS_PER_S })
    }

    /// The first of `candidates` in `table`; the error names `wanted`.
    fn first<T: Copy>(
        &mut self,
        name: &'static str,
        table: &BTreeMap<Dtype, Figure<T>>,
        candidates: &[Dtype],
        wanted: Dtype,
    ) -> Result<(Dtype, T), PerfError> {
        let found = candidates.iter().find_map(|d| table.get(d).map(|figure| (*d, figure.value)));
        let (format, value) = found.ok_or_else(|| PerfError::missing(&self.chip.name, name, wanted))?;
        self.read.insert(format!("{name}.{}", format.name()));
        Ok((format, value))
    }

    /// As [`Self::first`], for a fraction.
    fn ratio(
        &mut self,
        name: &'static str,
        table: &BTreeMap<Dtype, Figure<Ratio>>,
        candidates: &[Dtype],
        wanted: Dtype,
    ) -> Result<(Dtype, f64), PerfError> {
        let (format, value) = self.first(name, table, candidates, wanted)?;
        fraction(format!("{name}.{} of `{}`", format.name(), self.chip.name), value.get())?;
        Ok((format, value.get()))
    }

    fn sixteen_bits(&self, for_format: Dtype) -> Result<Dtype, PerfError> {
        let known = [Dtype::Bf16, Dtype::Fp16].into_iter().find(|d| self.chip.compute.contains_key(d));
        known.filter(|_| for_format != Dtype::Fp32).ok_or_else(|| PerfError::missing(&self.chip.name, "compute", for_format))
    }

    fn ideal_flop_ns(&mut self, format: Dtype) -> Result<f64, PerfError> {
        self.read.insert(format!("compute.{}", format.name()));
        let peak = self.chip.compute.get(&format).ok_or_else(|| PerfError::missing(&self.chip.name, "compute", format))?.value.get();
        if peak > 0.0 {
            Ok(NS_PER_S / peak)
        } else {
            Err(PerfError::bad(format!("compute.{} of `{}`", format.name(), self.chip.name), peak, "more than 0 FLOP/s"))
        }
    }

    fn note_stand_in(&mut self, table: &str, wanted: Dtype, used: Dtype) {
        if wanted != used {
            self.note(format!("{table} of {} stands in for {}", used.name(), wanted.name()));
        }
    }

    fn note(&mut self, text: String) {
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }
}

/// The value of `table` at `width`, interpolated linearly and constant outside, and the entries used.
fn between_widths(table: &BTreeMap<u32, Figure<Ratio>>, width: f64) -> Option<(f64, impl Iterator<Item = u32> + use<>)> {
    let value = |(&at, figure): (&u32, &Figure<Ratio>)| (at, figure.value.get());
    let below = table.iter().map(value).rfind(|&(at, _)| f64::from(at) <= width);
    let above = table.iter().map(value).find(|&(at, _)| f64::from(at) >= width);
    let (low, high) = (below.or(above)?, above.or(below)?);
    let reached = if low.0 == high.0 { low.1 } else { low.1 + (high.1 - low.1) * (width - f64::from(low.0)) / f64::from(high.0 - low.0) };
    Some((reached, [low.0, high.0].into_iter()))
}

/// A format and its stand-ins for efficiency, nearest first.
const fn stand_ins(format: Dtype) -> &'static [Dtype] {
    match format {
        Dtype::Fp32 => &[Dtype::Fp32],
        Dtype::Fp16 => &[Dtype::Fp16, Dtype::Bf16],
        Dtype::Bf16 => &[Dtype::Bf16, Dtype::Fp16],
        Dtype::Fp8 => &[Dtype::Fp8, Dtype::Int8, Dtype::Bf16],
        Dtype::Int8 => &[Dtype::Int8, Dtype::Fp8, Dtype::Bf16],
        Dtype::Fp4 => &[Dtype::Fp4, Dtype::Mxfp4, Dtype::Fp8, Dtype::Bf16],
        Dtype::Mxfp4 => &[Dtype::Mxfp4, Dtype::Fp4, Dtype::Fp8, Dtype::Bf16],
        // Assumed, and noted as a stand-in: kernels that expand weights reach the bandwidth of those in 16 bits. Marlin nearly does up to some 32 rows
        // (Frantar et al., 2024, arXiv:2408.11743).
        Dtype::Int4 => &[Dtype::Int4, Dtype::Bf16, Dtype::Fp16],
        Dtype::Int4G64 => &[Dtype::Int4G64, Dtype::Int4, Dtype::Bf16, Dtype::Fp16],
        Dtype::Int4G32 => &[Dtype::Int4G32, Dtype::Int4, Dtype::Bf16, Dtype::Fp16],
        Dtype::W8a16 => &[Dtype::W8a16, Dtype::Bf16, Dtype::Fp16],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Confidence;

    #[test]
    fn expert_widths_are_exact_interpolated_linearly_and_constant_outside() {
        let figure =
            |text: &str| Figure { value: text.parse().unwrap(), source: "test".into(), confidence: Confidence::Assumed, note: None };
        let table = BTreeMap::from([(256, figure("0.2")), (768, figure("0.4")), (2048, figure("0.5"))]);
        for (width, expected, read) in [
            (96.0, 0.2, [256, 256]),
            (256.0, 0.2, [256, 256]),
            (512.0, 0.3, [256, 768]),
            (1408.0, 0.45, [768, 2048]),
            (4096.0, 0.5, [2048, 2048]),
        ] {
            let (value, widths) = between_widths(&table, width).unwrap();
            approx::assert_relative_eq!(value, expected, max_relative = 1e-12);
            assert_eq!(widths.collect::<Vec<_>>(), read);
        }
        assert!(between_widths(&BTreeMap::new(), 1.0).is_none());
    }
}
