//! Variants of a scenario compared with a baseline: every number of each, the difference, and its certainty.
//!
//! Owns: the pairing of runs, and the source of intervals: the spread over seeds if requests are random, resampled requests if a single trace is
//! given. Must not know: how numbers are formatted.

mod finding;
mod picture;
mod requests;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use finding::{Certainty, Difference, Side};
pub use picture::Picture;

use super::Outcome;
use super::statistics::{Estimate, of_replications};
use crate::metrics::WarningCode;
use crate::metrics::metric::{MetricInfo, Reading, Shape};
use requests::Resampling;

/// Seed of the resampling, independent of those of the runs.
const RESAMPLING_SEED: u64 = 0x7061_6972;

/// One variant and its runs.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Name among the variants.
    pub name: String,
    /// Names and conditions of its summaries.
    pub shape: Shape,
    /// True if its requests are random, so that another seed gives others.
    pub draws: bool,
    /// One run per seed, in the order of the seeds.
    pub runs: Vec<Arc<Outcome>>,
}

/// Source of intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The spread over runs with different seeds: Student's t.
    Seeds,
    /// One run each: requests resampled in blocks that keep correlated requests together.
    Requests,
}

/// A comparison of variants.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Names, the baseline first.
    pub variants: Vec<String>,
    /// Seeds of the runs of each variant.
    pub seeds: Vec<u64>,
    /// Source of intervals.
    pub method: Method,
    /// All numbers that the baseline has, in the order of `summary.json`.
    pub metrics: Vec<MetricComparison>,
    /// Caveats about differences.
    pub cautions: Vec<Caution>,
    /// Chart data by variant.
    pub pictures: Vec<Picture>,
}

/// A caveat about a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caution {
    /// The variant concerned.
    pub variant: String,
    /// A sentence.
    pub message: String,
}

/// One number of all variants.
#[derive(Debug, Clone)]
pub struct MetricComparison {
    /// Its path in `summary.json`.
    pub path: String,
    /// Its metadata.
    pub info: &'static MetricInfo,
    /// By variant; `None` if a variant has no such number.
    pub of: Vec<Option<VariantNumber>>,
}

impl MetricComparison {
    /// Difference of a variant, by its index, from the baseline.
    pub fn difference(&self, variant: usize) -> Option<&Difference> {
        self.of.get(variant)?.as_ref()?.difference.as_ref()
    }
}

/// One number of one variant.
#[derive(Debug, Clone)]
pub struct VariantNumber {
    /// By run; `None` without a value.
    pub runs: Vec<Option<f64>>,
    /// Mean of the runs; for one run its value.
    pub estimate: Option<Estimate>,
    /// Difference from the baseline; `None` for the baseline itself, or without values.
    pub difference: Option<Difference>,
}

impl Comparison {
    /// Compares variants, the first of which is the baseline; each has one run per seed.
    pub fn new(variants: &[Variant], seeds: Vec<u64>) -> Self {
        let method = if seeds.len() > 1 { Method::Seeds } else { Method::Requests };
        let mut metrics = Vec::new();
        if let Some((baseline, others)) = variants.split_first() {
            let mut resampling: Vec<Resampling<'_>> = match method {
                Method::Seeds => Vec::new(),
                Method::Requests => others.iter().filter_map(|variant| Resampling::new(baseline, variant)).collect(),
            };
            let row = |(path, reading): (String, Reading)| {
                let mut first = number(baseline, &path)?;
                let info = reading.info();
                let mut beside = Vec::new();
                for (place, variant) in others.iter().enumerate() {
                    let mut other = number(variant, &path);
                    match (&mut other, resampling.get_mut(place)) {
                        (Some(other), Some(resampling)) => resampling.compare(&path, info, &mut first, other),
                        (Some(other), None) => other.difference = over_seeds(&first, other, info),
                        (None, _) => {}
                    }
                    beside.push(other);
                }
                Some(MetricComparison { path, info, of: std::iter::once(Some(first)).chain(beside).collect() })
            };
            metrics.extend(Reading::all(&baseline.shape).into_iter().filter_map(row));
        }
        let names = variants.iter().map(|variant| variant.name.clone()).collect();
        let pictures = variants.iter().map(|variant| Picture::new(&variant.runs, &variant.shape.classes)).collect();
        Self { variants: names, seeds, method, metrics, cautions: cautions(variants), pictures }
    }

    /// The comparison of the number at a path.
    pub fn metric(&self, path: &str) -> Option<&MetricComparison> {
        self.metrics.iter().find(|metric| metric.path == path)
    }
}

/// The number at a path in all runs of a variant; `None` if the variant has no such number.
fn number(variant: &Variant, path: &str) -> Option<VariantNumber> {
    // Some numbers exist only in runs with certain events, such as the metrics of a fleet with failures.
    variant.runs.iter().find(|run| run.numbers.contains_key(path))?;
    let runs: Vec<Option<f64>> = variant.runs.iter().map(|run| run.number(path)).collect();
    let values: Option<Vec<f64>> = runs.iter().copied().collect();
    Some(VariantNumber { estimate: values.and_then(|values| of_replications(&values)), runs, difference: None })
}

/// The mean difference over runs with the same seed.
fn over_seeds(baseline: &VariantNumber, variant: &VariantNumber, info: &MetricInfo) -> Option<Difference> {
    let pairs = || baseline.runs.iter().zip(&variant.runs);
    let differences: Vec<f64> = pairs().filter_map(|(a, b)| Some((*b)? - (*a)?)).collect();
    let missing = pairs().count() - differences.len();
    let (a, b) = match (baseline.estimate, variant.estimate) {
        (Some(a), Some(b)) => (a.value, b.value),
        _ if missing < baseline.runs.len() => (f64::NAN, f64::NAN),
        _ => return None,
    };
    let mean = of_replications(&differences)?;
    let certainty = match mean.interval {
        _ if missing > 0 => Certainty::NoValue(missing),
        Some(interval) => Certainty::Interval(interval),
        None => Certainty::OneRun,
    };
    Some(Difference::new(a, b, mean.value, info.better, certainty))
}

/// Caveats about a comparison: warnings of runs, unfinished requests.
fn cautions(variants: &[Variant]) -> Vec<Caution> {
    let mut all = Vec::new();
    for variant in variants {
        let mut codes: Vec<&str> = variant.runs.iter().flat_map(|run| &run.warnings).map(|(code, _)| code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        for code in codes.into_iter().filter(|code| DISTORTING.iter().any(|distorting| distorting.name() == *code)) {
            let mut messages = variant.runs.iter().filter_map(|run| run.warnings.iter().find(|(known, _)| known == code));
            let Some((_, message)) = messages.next() else { continue };
            let count = 1 + messages.count();
            let runs = if variant.runs.len() > 1 {
                format!(" (this or similar in {count} of {} runs)", variant.runs.len())
            } else {
                String::new()
            };
            all.push(Caution { variant: variant.name.clone(), message: format!("{message}{runs}") });
        }
    }
    let completed = |variant: &Variant| -> f64 { variant.runs.iter().filter_map(|run| run.number("requests.completed")).sum() };
    let arrived = |variant: &Variant| -> f64 { variant.runs.iter().filter_map(|run| run.number("requests.arrived")).sum() };
    for variant in variants {
        if variant.runs.iter().any(|run| run.number("requests.arrived") == Some(0.0)) {
            let message = "no request arrived after the warm-up in a run, so there is nothing to compare".to_owned();
            all.push(Caution { variant: variant.name.clone(), message });
        }
        let lost = arrived(variant) - completed(variant);
        if lost > 0.0 && variant.runs.iter().all(|run| run.requests.is_empty()) {
            let message = format!("{lost:.0} of {:.0} requests did not complete, and latencies exclude them", arrived(variant));
            all.push(Caution { variant: variant.name.clone(), message });
        }
    }
    all
}

/// Warnings of a run that make a comparison doubtful.
const DISTORTING: [WarningCode; 5] =
    [WarningCode::Overload, WarningCode::NeverServed, WarningCode::TimedOut, WarningCode::Unfinished, WarningCode::WarmUpNotSettled];
