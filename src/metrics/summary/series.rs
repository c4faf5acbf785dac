//! The result over time and as distributions, and the complete result.

use serde::{Deserialize, Serialize};

use super::Summary;

/// The gauges of one pool over time; all vectors have the length of [`Timeline::at_s`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PoolTimeline {
    /// Name of the pool.
    pub name: String,
    /// Requests waiting, time-weighted mean over the interval.
    pub queue: Vec<f64>,
    /// Peak of waiting requests in the interval.
    pub queue_most: Vec<f64>,
    /// Running sequences in the whole pool.
    pub running: Vec<f64>,
    /// Share of KV blocks in use.
    pub kv_utilization: Vec<f64>,
    /// IT power of the pool, W.
    pub power_w: Vec<f64>,
    /// Number of instances.
    pub instances: Vec<f64>,
}

/// Gauges over time in equal intervals from the start of the run, warm-up included: the content of `timeline.csv`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// Length of an interval, s.
    pub interval_s: f64,
    /// Start of each interval, s.
    pub at_s: Vec<f64>,
    /// Arrivals per second.
    pub arrivals_per_s: Vec<f64>,
    /// Completions per second.
    pub completions_per_s: Vec<f64>,
    /// Rejections and time-outs per second.
    pub lost_per_s: Vec<f64>,
    /// Output tokens per second.
    pub output_tokens_per_s: Vec<f64>,
    /// One entry per pool.
    pub pools: Vec<PoolTimeline>,
}

/// An empirical distribution for plotting: `fraction[i]` of the values are at most `value[i]`; at most 500 points, ascending.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cdf {
    /// Label, for example the class.
    pub label: String,
    /// Values.
    pub value: Vec<f64>,
    /// Cumulative fractions, 0 to 1.
    pub fraction: Vec<f64>,
}

/// Distributions for the report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Distributions {
    /// TTFT in ms, one entry per class.
    pub ttft_ms: Vec<Cdf>,
    /// Pooled gaps in ms, one entry per class.
    pub itl_ms: Vec<Cdf>,
    /// TPOT in ms, one entry per class.
    pub tpot_ms: Vec<Cdf>,
    /// E2E in ms, one entry per class.
    pub e2e_ms: Vec<Cdf>,
}

/// The complete result of a run, for the report layer.
#[derive(Debug, Clone)]
pub struct RunResult {
    /// `summary.json`.
    pub summary: Summary,
    /// `timeline.csv`.
    pub timeline: Timeline,
    /// Distributions for the charts.
    pub distributions: Distributions,
}
