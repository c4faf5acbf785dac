//! Comparison of variants: in the terminal, as JSON.
//!
//! Owns: the order of the numbers and their format. Must not know: the method of comparison.

mod json;
mod lines;
mod matrix;
#[cfg(feature = "report")]
mod page;
mod sentence;
mod terminal;
mod write;

pub use json::comparison_json;
#[cfg(feature = "report")]
pub use page::{ComparisonPage, comparison_page};
pub use terminal::{ComparisonInput, comparison_terminal, seeds_terminal};

use crate::study::compare::{Comparison, MetricComparison};

/// The headline numbers and their titles: median and tail latency, SLO, throughput, energy, cost.
const HEADLINES: [(&str, &str); 12] = [
    ("latency.ttft_ms.p50", "TTFT p50"),
    ("latency.ttft_ms.p99", "TTFT p99"),
    ("latency.tpot_ms.p50", "TPOT p50"),
    ("latency.tpot_ms.p99", "TPOT p99"),
    ("latency.itl_ms.p99", "ITL p99"),
    ("latency.e2e_ms.p50", "E2E p50"),
    ("latency.e2e_ms.p99", "E2E p99"),
    ("goodput.slo_attainment", "SLO attainment"),
    ("throughput.output_tokens_per_s", "Output tokens per second"),
    ("energy.output_tokens_per_j.facility", "Output tokens per joule"),
    ("cost.usd_per_m_output_tokens", "Cost of output tokens"),
    ("requests.completed", "Completed"),
];

/// The numbers to show: the requested ones, each by path or prefix; the headlines if none are requested.
fn shown<'c>(comparison: &'c Comparison, asked: &[String]) -> Vec<&'c MetricComparison> {
    let has_value = |metric: &&MetricComparison| metric.of.iter().flatten().any(|number| number.runs.iter().any(Option::is_some));
    if asked.is_empty() {
        return HEADLINES.iter().filter_map(|(path, _)| comparison.metric(path)).filter(has_value).collect();
    }
    let fits = |path: &str| {
        asked.iter().any(|asked| path.strip_prefix(asked.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    };
    comparison.metrics.iter().filter(|metric| fits(&metric.path)).filter(has_value).collect()
}

/// The title of a number: its name, or its path without one.
fn title(metric: &MetricComparison) -> &str {
    HEADLINES.iter().find(|(path, _)| *path == metric.path).map_or(metric.path.as_str(), |(_, name)| name)
}
