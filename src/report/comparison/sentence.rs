//! The conclusion of a comparison, one sentence per variant.

use super::super::number::signed_percent;
use super::super::text::glue;
use super::write::signed;
use super::{shown, title};
use crate::study::compare::{Certainty, Comparison, Difference, Method, MetricComparison, Side};

/// The title: the variants compared, or, for two, the conclusion.
#[cfg(feature = "report")]
pub(super) fn headline(comparison: &Comparison) -> String {
    match &comparison.variants[..] {
        [] => String::new(),
        [baseline, variant] => {
            let differences = differences(comparison, 1);
            let sure = |side: Side| named(&differences, side).is_some();
            let verdict = match (sure(Side::Better), sure(Side::Worse)) {
                (true, false) => "is better than",
                (false, true) => "is worse than",
                (true, true) => "trades against",
                (false, false) if differences.iter().all(|(_, difference)| difference.is_sure()) => "is as good as",
                (false, false) => "cannot be told apart from",
            };
            format!("{variant} {verdict} {baseline}")
        }
        [baseline, others @ ..] => format!("{} variants compared with {baseline}", others.len()),
    }
}

/// Basis of the intervals.
pub(super) fn basis(comparison: &Comparison) -> String {
    match comparison.method {
        Method::Seeds => format!(
            "{} seeds, the same for every variant; differences are between runs with the same seed, with 95 % intervals.",
            comparison.seeds.len()
        ),
        Method::Requests => "One run each. Latencies and shares cover the same requests, with unfinished ones as the worst; 95 % intervals come from resampling them in blocks."
            .to_owned(),
    }
}

/// The headline numbers, with the differences of one variant.
fn differences(comparison: &Comparison, place: usize) -> Vec<(&MetricComparison, &Difference)> {
    let of = |metric| Some((metric, MetricComparison::difference(metric, place)?));
    shown(comparison, &[]).into_iter().filter_map(of).collect()
}

/// For each variant except the baseline: where it is better, where worse, and how many numbers are uncertain.
pub(super) fn sentences(comparison: &Comparison) -> Vec<String> {
    let Some((baseline, others)) = comparison.variants.split_first() else { return Vec::new() };
    let of = |(place, name): (usize, &String)| {
        let differences = differences(comparison, place + 1);
        let (better, worse) = (named(&differences, Side::Better), named(&differences, Side::Worse));
        let unsure = differences.iter().filter(|(_, difference)| !difference.is_sure()).count();
        let small = differences.iter().filter(|(_, difference)| difference.is_sure() && is_small(difference)).count();
        let mut parts: Vec<String> =
            better.map(|list| format!("better in {list}")).into_iter().chain(worse.map(|list| format!("worse in {list}"))).collect();
        match (small, unsure) {
            (0, 0) => {}
            (0, _) if parts.is_empty() => parts.push("cannot be told apart".to_owned()),
            (_, 0) if differences.iter().all(|(_, difference)| difference.side == Side::Same) => parts.push("equal".to_owned()),
            (_, 0) if parts.is_empty() => parts.push("equal, or less than 1 % apart".to_owned()),
            (_, 0) => parts.push(format!("{small} of {} equal, or less than 1 % apart", differences.len())),
            (0, _) => parts.push(format!("{unsure} of {} cannot be told apart", differences.len())),
            (_, _) => parts.push(format!("{small} of {} equal, or less than 1 % apart, {unsure} cannot be told apart", differences.len())),
        }
        glue(&format!("{name} against {baseline}: {}.", parts.join("; ")))
    };
    others.iter().enumerate().map(of).collect()
}

/// Differences below one percent, too small to mention even if certain.
fn is_small(difference: &Difference) -> bool {
    const WORTH: f64 = 0.01;
    difference.side == Side::Same || difference.relative.is_some_and(|share| share.abs() < WORTH)
}

/// The certain differences on one side, largest first; `None` if there are none.
fn named(differences: &[(&MetricComparison, &Difference)], side: Side) -> Option<String> {
    let mut on_it: Vec<_> = differences.iter().filter(|(_, d)| d.is_sure() && d.side == side && !is_small(d)).collect();
    on_it.sort_by(|(_, a), (_, b)| size(b).total_cmp(&size(a)));
    let names: Vec<String> = on_it.iter().map(|(metric, difference)| with_size(metric, difference)).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn size(difference: &Difference) -> f64 {
    difference.relative.map_or(f64::INFINITY, f64::abs)
}

fn with_size(metric: &MetricComparison, difference: &Difference) -> String {
    let size = match difference.relative {
        _ if metric.info.unit == "share" => Some(signed(metric.info, difference.value)),
        share => share.map(signed_percent),
    };
    // A total of one trace says nothing about other traces.
    let scope = (difference.certainty == Certainty::Exact).then(|| "for this trace".to_owned());
    let notes: Vec<String> = size.into_iter().chain(scope).collect();
    if notes.is_empty() { title(metric) } else { format!("{} ({})", title(metric), notes.join(" ")) }
}
