//! Latency in the summary: distributions, jitter, stages of life, limits.

use serde::Serialize;

/// A distribution. Percentiles are nearest-rank.
#[derive(Debug, Clone, Copy, Serialize)]
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
#[derive(Debug, Clone, Copy, Default, Serialize)]
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
#[derive(Debug, Clone, Copy, Default, Serialize)]
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
#[derive(Debug, Clone, Copy, Serialize)]
pub struct MeanAndP99 {
    /// Mean.
    pub mean: f64,
    /// 99th percentile.
    pub p99: f64,
}

/// Mean milliseconds of a completed request in each stage of its life; they sum to mean E2E.
#[derive(Debug, Clone, Copy, Default, Serialize)]
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
}

/// Latency limits in milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct SloLimits {
    /// Time to first token.
    pub ttft_ms: Option<f64>,
    /// Time per output token.
    pub tpot_ms: Option<f64>,
    /// End to end.
    pub e2e_ms: Option<f64>,
}

impl SloLimits {
    /// True if there is any limit.
    pub const fn any(&self) -> bool {
        self.ttft_ms.is_some() || self.tpot_ms.is_some() || self.e2e_ms.is_some()
    }
}
