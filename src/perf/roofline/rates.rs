//! Reading a chip profile: what a FLOP and a byte cost there, by number format.
//!
//! A format that the chip's tables lack is served by the nearest one that they have, and every such stand-in is noted for the report.

use std::collections::{BTreeMap, BTreeSet};

use super::options::{RooflineOptions, fraction};
use crate::hardware::{Chip, Efficiency};
use crate::perf::PerfError;
use crate::units::{Dtype, Figure, Ratio};

const NS_PER_S: f64 = 1e9;

/// What matrix products with weights of one format cost on one chip. Nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate {
    /// Per FLOP at what kernels reach.
    pub flop_ns: f64,
    /// Per FLOP at the dense peak.
    pub ideal_flop_ns: f64,
    /// Per byte at what kernels reach.
    pub byte_ns: f64,
    /// Bytes of one weight.
    pub weight_bytes: f64,
    /// Bytes of one element of the input.
    pub input_bytes: f64,
}

/// The rates of one chip for one model.
#[derive(Debug)]
pub(super) struct Rates<'a> {
    chip: &'a Chip,
    efficiency: &'a Efficiency,
    prefill_end_to_end: f64,
    decode_end_to_end: f64,
    /// Nanoseconds per byte at peak bandwidth.
    pub ideal_byte_ns: f64,
    /// Nanoseconds on top of a kernel's roofline, and its least duration.
    pub ramp_ns: f64,
    pub floor_ns: f64,
    pub elementwise_latency_ns: f64,
    pub elementwise_byte_ns: f64,
    /// Which figures stood in for missing ones.
    pub notes: Vec<String>,
    /// Figures of the chip that were read, by their path in its profile.
    pub read: BTreeSet<String>,
}

impl<'a> Rates<'a> {
    /// `experts`: the model is a mixture of experts, for which engines reach less of the kernels' rate in prefill.
    pub(super) fn new(chip: &'a Chip, experts: bool, options: &RooflineOptions) -> Result<Self, PerfError> {
        let efficiency = chip.efficiency.as_ref().ok_or_else(|| PerfError::NoEfficiency { chip: chip.name.clone() })?;
        let bandwidth = chip.memory.bandwidth.value.get();
        if bandwidth <= 0.0 {
            return Err(PerfError::bad(format!("memory.bandwidth of `{}`", chip.name), bandwidth, "more than 0 bytes per second"));
        }
        let (prefill, name) = if experts {
            (&efficiency.prefill_end_to_end_moe, "prefill_end_to_end_moe")
        } else {
            (&efficiency.prefill_end_to_end, "prefill_end_to_end")
        };
        let (prefill_end_to_end, decode_end_to_end) = (prefill.value.get(), efficiency.decode_end_to_end.value.get());
        fraction(format!("{name} of `{}`", chip.name), prefill_end_to_end)?;
        fraction(format!("decode_end_to_end of `{}`", chip.name), decode_end_to_end)?;
        let ideal_byte_ns = NS_PER_S / bandwidth;
        Ok(Self {
            chip,
            efficiency,
            prefill_end_to_end,
            decode_end_to_end,
            ideal_byte_ns,
            ramp_ns: options.kernel_ramp_s * NS_PER_S,
            floor_ns: efficiency.kernel_floor.value.get() * NS_PER_S,
            elementwise_latency_ns: options.elementwise_latency_s * NS_PER_S,
            elementwise_byte_ns: ideal_byte_ns / options.elementwise_bandwidth,
            notes: Vec::new(),
            read: ["memory.bandwidth".to_owned()]
                .into_iter()
                .chain([name, "decode_end_to_end", "kernel_floor"].map(|name| format!("efficiency.{name}")))
                .collect(),
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

    /// Matrix products with weights of format `weights`. Computed at that format's peak where the chip has one; else the weights are
    /// expanded on the fly and computed in 16 bits (weight-only quantization), which saves memory traffic and no arithmetic.
    pub(super) fn gemm(&mut self, weights: Dtype) -> Result<Rate, PerfError> {
        let native = self.chip.compute.contains_key(&weights);
        let format = if native { weights } else { self.sixteen_bits(weights)? };
        let reached = self.ratio("efficiency.gemm_compute", &self.efficiency.gemm_compute, &[format], weights)?.1;
        let wanted = stand_ins(weights);
        let (memory, bandwidth) = self.ratio("efficiency.gemm_memory", &self.efficiency.gemm_memory, wanted, weights)?;
        if !native {
            self.note(format!("{} weights are computed in {}", weights.name(), format.name()));
        }
        self.note_stand_in("gemm_memory", weights, memory);
        let ideal_flop_ns = self.ideal_flop_ns(format)?;
        Ok(Rate {
            flop_ns: ideal_flop_ns / (reached * self.prefill_end_to_end),
            ideal_flop_ns,
            byte_ns: self.ideal_byte_ns / (bandwidth * self.decode_end_to_end),
            weight_bytes: weights.bytes(),
            input_bytes: format.bytes(),
        })
    }

    /// Attention over a KV cache of format `kv`: its arithmetic is rated against the 16-bit peak, its reading against bandwidth.
    pub(super) fn attention(&mut self, kv: Dtype) -> Result<Rate, PerfError> {
        let format = self.sixteen_bits(kv)?;
        let wanted = stand_ins(kv);
        let prefill = self.ratio("efficiency.prefill_attention", &self.efficiency.prefill_attention, wanted, kv)?;
        let decode = self.ratio("efficiency.decode_attention", &self.efficiency.decode_attention, wanted, kv)?;
        self.note_stand_in("prefill_attention", kv, prefill.0);
        self.note_stand_in("decode_attention", kv, decode.0);
        let ideal_flop_ns = self.ideal_flop_ns(format)?;
        Ok(Rate {
            flop_ns: ideal_flop_ns / (prefill.1 * self.prefill_end_to_end),
            ideal_flop_ns,
            byte_ns: self.ideal_byte_ns / (decode.1 * self.decode_end_to_end),
            weight_bytes: kv.bytes(),
            input_bytes: format.bytes(),
        })
    }

    /// The first of `candidates` that `table` has. `wanted` is named where there is none.
    fn ratio(
        &mut self,
        name: &'static str,
        table: &BTreeMap<Dtype, Figure<Ratio>>,
        candidates: &[Dtype],
        wanted: Dtype,
    ) -> Result<(Dtype, f64), PerfError> {
        let found = candidates.iter().find_map(|d| table.get(d).map(|figure| (*d, figure.value.get())));
        let (format, value) = found.ok_or_else(|| PerfError::missing(&self.chip.name, name, wanted))?;
        let path = format!("{name}.{}", format.name());
        fraction(format!("{path} of `{}`", self.chip.name), value)?;
        self.read.insert(path);
        Ok((format, value))
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

/// A format and what may stand in for its efficiency, nearest first.
const fn stand_ins(format: Dtype) -> &'static [Dtype] {
    match format {
        Dtype::Fp32 => &[Dtype::Fp32],
        Dtype::Fp16 => &[Dtype::Fp16, Dtype::Bf16],
        Dtype::Bf16 => &[Dtype::Bf16, Dtype::Fp16],
        Dtype::Fp8 => &[Dtype::Fp8, Dtype::Int8, Dtype::Bf16],
        Dtype::Int8 => &[Dtype::Int8, Dtype::Fp8, Dtype::Bf16],
        Dtype::Fp4 => &[Dtype::Fp4, Dtype::Mxfp4, Dtype::Fp8, Dtype::Bf16],
        Dtype::Mxfp4 => &[Dtype::Mxfp4, Dtype::Fp4, Dtype::Fp8, Dtype::Bf16],
    }
}
