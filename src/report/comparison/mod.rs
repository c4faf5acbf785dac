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

use super::text::capital;
use crate::study::compare::{Comparison, MetricComparison};

/// The headline numbers: median and tail latency, SLO, throughput, energy, cost.
const HEADLINES: [&str; 12] = [
    "latency.ttft_ms.p50",
    "latency.ttft_ms.p99",
    "latency.tpot_ms.p50",
    "latency.tpot_ms.p99",
    "latency.itl_ms.p99",
    "latency.e2e_ms.p50",
    "latency.e2e_ms.p99",
    "goodput.slo_attainment",
    "throughput.output_tokens_per_s",
    "energy.output_tokens_per_j.facility",
    "cost.usd_per_m_output_tokens",
    "requests.completed",
];

/// The numbers to show: the requested ones, each by path or prefix; the headlines if none are requested.
fn shown<'c>(comparison: &'c Comparison, asked: &[String]) -> Vec<&'c MetricComparison> {
    let has_value = |metric: &&MetricComparison| metric.of.iter().flatten().any(|number| number.runs.iter().any(Option::is_some));
    if asked.is_empty() {
        return HEADLINES.iter().filter_map(|path| comparison.metric(path)).filter(has_value).collect();
    }
    let fits = |path: &str| {
        asked.iter().any(|asked| path.strip_prefix(asked.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    };
    comparison.metrics.iter().filter(|metric| fits(&metric.path)).filter(has_value).collect()
}

/// The title of a number: the label and statistic of a headline, the path of any other.
fn title(metric: &MetricComparison) -> String {
    if !HEADLINES.contains(&metric.path.as_str()) {
        return metric.path.clone();
    }
    let statistic = metric.path.strip_prefix(metric.info.id).unwrap_or_default();
    format!("{}{}", capital(metric.info.label), statistic.replace('.', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::metric::{Reading, Shape};

    #[test]
    fn what_is_shown_first_is_in_the_table_of_metrics() {
        let shape = Shape { slo: true, ..Shape::default() };
        for path in HEADLINES.into_iter().chain(matrix::COLUMNS.map(|(path, _)| path)) {
            assert!(Reading::find(path, &shape).is_ok(), "{path}");
        }
    }
}
