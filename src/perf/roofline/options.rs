//! Parameters of a roofline other than the model and the chip.

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

const MEMORY_OPERATION: &str = "ai-dynamo/aiconfigurator @095f58a51c, memory operations, unofficial by its own mark (2026-08-21)";
const ALL_TO_ALL: &str = "DeepEP low-latency kernels on 8 H100 with one token, tables of ai-dynamo/aiconfigurator @095f58a51c (2026-08-21)";
const NO_SOURCE: &str = "General knowledge, no source located (2026-11)";

/// Parameters of the roofline that no chip profile holds. The defaults are stated with their basis; calibration replaces them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RooflineOptions {
    /// Seconds that a prefill attention kernel takes on top of its roofline. Default 3 µs, as for a memory operation.
    pub attention_start_s: f64,
    /// Fraction of peak bandwidth of norms, rotary embedding, activation functions and sampling. Default 0.8, aiconfigurator's
    /// factor for memory operations, unofficial by its own mark.
    pub elementwise_bandwidth: f64,
    /// Seconds that such a kernel takes on top. Default 3 µs, from the same source.
    pub elementwise_latency_s: f64,
    /// Rows of a tile of the grouped expert product at many rows. Each active expert wastes half a tile on average, which is why
    /// products of experts that see few rows reach a lower share of the peak. Default 128; below that many rows per expert the
    /// kernel's tile shrinks with the rows, down to 16.
    pub expert_tile: u32,
    /// Lasting popularity of the busiest expert rank: its expected rows relative to the mean, before the effect of chance (which uniform
    /// routing has as well). Default 1: all experts equally popular. Published: 1.1 to 1.5 without expert-parallel load balancing (an
    /// estimate).
    pub hot_rank: f64,
    /// Seconds that one dispatch or one combine takes on top of its bytes if the chip profile has no `all_to_all`. Default 14 µs: `DeepEP`
    /// low-latency kernels on 8 H100 with one token of 7168 elements to 8 of 256 experts take 13.2 and 14.4 µs.
    pub all_to_all_latency_s: f64,
    /// Format in which tokens are sent to their experts. Default fp8, as in `DeepEP`.
    pub dispatch: Dtype,
    /// Format in which expert outputs are sent back. Default bf16.
    pub combine: Dtype,
    /// Host seconds per iteration during which the chip waits. Absent: the chip profile's figure.
    pub iteration_overhead_s: Option<f64>,
}

impl Default for RooflineOptions {
    fn default() -> Self {
        Self {
            attention_start_s: 3e-6,
            elementwise_bandwidth: 0.8,
            elementwise_latency_s: 3e-6,
            expert_tile: 128,
            hot_rank: 1.0,
            all_to_all_latency_s: 14e-6,
            dispatch: Dtype::Fp8,
            combine: Dtype::Bf16,
            iteration_overhead_s: None,
        }
    }
}

impl RooflineOptions {
    /// The options that the durations depend on, with their sources.
    pub(super) fn figures(&self, experts: bool, ep: u32, own_exchange: bool) -> Vec<OwnFigure> {
        let us = |seconds: f64| format!("{:.1} us", seconds * 1e6);
        let own = |name, value, confidence, source| OwnFigure { name, value, confidence, source };
        let mut figures = vec![
            own("prefill attention start", us(self.attention_start_s), Confidence::Estimate, MEMORY_OPERATION),
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
                "experts alike popular; no source located (2026-11)",
            ));
        }
        if own_exchange {
            figures.push(own("all-to-all latency", us(self.all_to_all_latency_s), Confidence::Measured, ALL_TO_ALL));
        }
        figures
    }

    pub(super) fn validate(&self) -> Result<(), PerfError> {
        let overhead = self.iteration_overhead_s.unwrap_or(0.0);
        let times = [
            ("attention_start_s", self.attention_start_s),
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

/// Checks an efficiency: above 0 and at most 1.
pub(super) fn fraction(what: impl Into<String>, value: f64) -> Result<(), PerfError> {
    if value > 0.0 && value <= 1.0 { Ok(()) } else { Err(PerfError::bad(what, value, "above 0 and at most 1")) }
}
