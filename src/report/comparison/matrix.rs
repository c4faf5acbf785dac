//! Many variants in the terminal: one line each, with as many numbers as fit.

use super::super::text::{clean, shortened};
use super::write::value;
use crate::study::compare::{Certainty, Comparison, Difference, MetricComparison, Side};

/// Maximum width of a variant's name.
const NAME: usize = 34;
/// The columns; those at the end are dropped first.
pub(super) const COLUMNS: [(&str, &str); 9] = [
    ("latency.ttft_ms.p99", "TTFT p99 ms"),
    ("latency.tpot_ms.p99", "TPOT p99 ms"),
    ("goodput.slo_attainment", "SLO"),
    ("energy.output_tokens_per_j.facility", "tokens/J"),
    ("cost.usd_per_m_output_tokens", "$/M out"),
    ("latency.e2e_ms.p99", "E2E p99 ms"),
    ("throughput.output_tokens_per_s", "tokens/s"),
    ("latency.ttft_ms.p50", "TTFT p50 ms"),
    ("latency.itl_ms.p99", "ITL p99 ms"),
];
/// Legend of the marks.
pub(super) const LEGEND: &str =
    "Marks: + better, - worse, < lower, > higher, = equal, ~ cannot be told apart, ? cannot tell; all relative to the first line.";

/// The lines, the first of which has the titles; none wider than `width` except for names.
pub(super) fn lines(comparison: &Comparison, width: usize) -> Vec<String> {
    let names: Vec<String> = comparison.variants.iter().map(|name| shortened(&clean(name), NAME)).collect();
    let first = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let mut lines: Vec<String> = std::iter::once("").chain(names.iter().map(String::as_str)).map(|name| format!("{name:first$}")).collect();
    for (metric, title) in COLUMNS.iter().filter_map(|(path, title)| Some((comparison.metric(path)?, title))) {
        let cells: Vec<String> = std::iter::once(format!("{title}  ")).chain((0..names.len()).map(|place| cell(metric, place))).collect();
        let column = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or_default();
        if lines[0].chars().count() + 2 + column > width {
            break;
        }
        for (line, cell) in lines.iter_mut().zip(&cells) {
            *line = format!("{line}  {cell:>column$}");
        }
    }
    lines
}

/// The value and its mark.
fn cell(metric: &MetricComparison, place: usize) -> String {
    let number = metric.of.get(place).and_then(Option::as_ref);
    let shown = number.and_then(|number| number.estimate).map_or_else(|| "–".to_owned(), |estimate| value(metric.info, estimate.value));
    format!("{shown} {}", metric.difference(place).map_or(' ', mark))
}

fn mark(difference: &Difference) -> char {
    if !difference.is_sure() {
        return if matches!(difference.certainty, Certainty::Interval(_)) { '~' } else { '?' };
    }
    match difference.side {
        Side::Better => '+',
        Side::Worse => '-',
        Side::Higher => '>',
        Side::Lower => '<',
        Side::Same => '=',
    }
}
