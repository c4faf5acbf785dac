//! What a roofline is built from besides the model and the chip.

use crate::hardware::Link;
use crate::perf::{OwnFigure, PerfError};
use crate::units::{BytesPerSecond, Confidence, Dtype, Duration, Ratio};

/// The link that joins the chips of one instance, one direction of one chip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScaleUp {
    /// Line rate.
    pub bandwidth: BytesPerSecond,
    /// One-way latency of a small message.
    pub latency: Duration,
    /// Fraction of the line rate that bulk transfers reach, above 0 to 1.
    pub efficiency: Ratio,
}

impl From<&Link> for ScaleUp {
    fn from(link: &Link) -> Self {
        Self { bandwidth: link.bandwidth.value, latency: link.latency.value, efficiency: link.efficiency.value }
    }
}

impl ScaleUp {
    pub(super) fn validate(&self) -> Result<(), PerfError> {
        if self.bandwidth.get() <= 0.0 {
            return Err(PerfError::bad("scale-up bandwidth", self.bandwidth.get(), "more than 0 bytes per second"));
        }
        fraction("scale-up efficiency", self.efficiency.get())
    }
}

const KERNEL_TABLES: &str = "fitted to the bf16 GEMM tables of ai-dynamo/aiconfigurator @095f58a51c (2026-08-21)";
const MEMORY_OPERATION: &str = "ai-dynamo/aiconfigurator @095f58a51c, memory operations, unofficial by its own mark (2026-08-21)";
const ALL_TO_ALL: &str = "DeepEP low-latency kernels on 8 H100 with one token, tables of ai-dynamo/aiconfigurator @095f58a51c (2026-08-21)";
const NO_SOURCE: &str = "General knowledge, no source located (2026-11)";

/// Knobs of the roofline that no chip profile holds. The defaults are stated with their basis; calibration replaces them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RooflineOptions {
    /// Seconds that any matrix product or attention kernel takes on top of its roofline: start, tail and drain. Default 3 µs:
    /// the public bf16 GEMM tables of aiconfigurator (4 M to 4 G weights, 1 to 32 k rows) are described by `ramp + max(compute, memory)`
    /// with constant efficiencies to a median log error of −0.03 (H100) and −0.07 (H200) up to 64 rows, −0.08 and −0.15 from 96 to 768
    /// rows, and within 0.03 from 1,024; other chips fit worse (A100 −0.15, B200 −0.11 up to 64 rows). Without the ramp products of few
    /// rows come out 16 to 30 % too fast.
    pub kernel_ramp_s: f64,
    /// Fraction of peak bandwidth of norms, rotary embedding, activation functions and sampling. Default 0.8, aiconfigurator's
    /// factor for memory operations, unofficial by its own mark.
    pub elementwise_bandwidth: f64,
    /// Seconds that such a kernel takes on top. Default 3 µs, from the same place.
    pub elementwise_latency_s: f64,
    /// Rows of a tile of the grouped expert product at many rows. Each active expert wastes half a tile on average, which is why
    /// products of experts that see few rows reach a lower share of the peak. Default 128; below that many rows per expert the
    /// kernel's tile shrinks with the rows, down to 16.
    pub expert_tile: u32,
    /// Rows of the busiest expert rank relative to the mean. Default 1: perfectly balanced. Published: 1.1 to 1.5 without
    /// expert-parallel load balancing (an estimate).
    pub hot_rank: f64,
    /// Seconds that one dispatch or one combine takes on top of its bytes. Default 10 µs: `DeepEP` low-latency kernels on 8 H100 with
    /// one token take 10.3 and 11.2 µs.
    pub all_to_all_latency_s: f64,
    /// Format in which tokens travel to their experts. Default fp8, as in `DeepEP`.
    pub dispatch: Dtype,
    /// Format in which expert outputs travel back. Default bf16.
    pub combine: Dtype,
    /// Host seconds per iteration that the chip waits for. Absent: the chip profile's figure.
    pub iteration_overhead_s: Option<f64>,
}

impl Default for RooflineOptions {
    fn default() -> Self {
        Self {
            kernel_ramp_s: 3e-6,
            elementwise_bandwidth: 0.8,
            elementwise_latency_s: 3e-6,
            expert_tile: 128,
            hot_rank: 1.0,
            all_to_all_latency_s: 10e-6,
            dispatch: Dtype::Fp8,
            combine: Dtype::Bf16,
            iteration_overhead_s: None,
        }
    }
}

impl RooflineOptions {
    /// Those of them that durations rest on, with their sources.
    pub(super) fn figures(&self, experts: bool, ep: u32, dp: u32) -> Vec<OwnFigure> {
        let us = |seconds: f64| format!("{:.1} us", seconds * 1e6);
        let own = |name, value, confidence, source| OwnFigure { name, value, confidence, source };
        let mut figures = vec![
            own("kernel ramp", us(self.kernel_ramp_s), Confidence::Estimate, KERNEL_TABLES),
            own("elementwise bandwidth", format!("{}", self.elementwise_bandwidth), Confidence::Estimate, MEMORY_OPERATION),
            own("elementwise latency", us(self.elementwise_latency_s), Confidence::Estimate, MEMORY_OPERATION),
        ];
        if experts {
            figures.push(own("expert tile", format!("{} rows", self.expert_tile), Confidence::Assumed, NO_SOURCE));
        }
        if ep > 1 {
            figures.push(own(
                "hot rank",
                format!("{}", self.hot_rank),
                Confidence::Assumed,
                "perfectly balanced ranks; no source located (2026-11)",
            ));
        }
        if dp > 1 {
            figures.push(own("all-to-all latency", us(self.all_to_all_latency_s), Confidence::Measured, ALL_TO_ALL));
        }
        figures
    }

    pub(super) fn validate(&self) -> Result<(), PerfError> {
        let overhead = self.iteration_overhead_s.unwrap_or(0.0);
        let times = [
            ("kernel_ramp_s", self.kernel_ramp_s),
            ("elementwise_latency_s", self.elementwise_latency_s),
            ("all_to_all_latency_s", self.all_to_all_latency_s),
            ("iteration_overhead_s", overhead),
        ];
        for (what, value) in times {
            if !(0.0..=10.0).contains(&value) {
                return Err(PerfError::bad(what, value, "0 to 10 seconds"));
            }
        }
        if !(1.0..=100.0).contains(&self.hot_rank) {
            return Err(PerfError::bad("hot_rank", self.hot_rank, "1 to 100"));
        }
        if !(1..=4096).contains(&self.expert_tile) {
            return Err(PerfError::bad("expert_tile", f64::from(self.expert_tile), "1 to 4096 rows"));
        }
        fraction("elementwise_bandwidth", self.elementwise_bandwidth)
    }
}

/// An efficiency must be above 0 and at most 1.
pub(super) fn fraction(what: impl Into<String>, value: f64) -> Result<(), PerfError> {
    if value > 0.0 && value <= 1.0 { Ok(()) } else { Err(PerfError::bad(what, value, "above 0 and at most 1")) }
}
