//! Differences between single runs, from the requests served by both: pairs in order of arrival, resampled in blocks.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::outcome::Requests;
use super::super::statistics::{Estimate, Resampled, Statistic, of_pairs};
use super::{Certainty, Difference, RESAMPLING_SEED, Variant, VariantNumber};
use crate::metrics::metric::MetricInfo;

/// A quantity with at most one value per request, and its statistics in a summary.
struct Column {
    path: &'static str,
    of: fn(&Requests) -> &Vec<f64>,
    statistics: &'static [(&'static str, Statistic)],
}

const LATENCY: &[(&str, Statistic)] = &[
    (".mean", Statistic::Mean),
    (".p50", Statistic::Quantile(0.5)),
    (".p90", Statistic::Quantile(0.9)),
    (".p95", Statistic::Quantile(0.95)),
    (".p99", Statistic::Quantile(0.99)),
];

static COLUMNS: [Column; 6] = [
    Column { path: "latency.ttft_ms", of: |r| &r.ttft, statistics: LATENCY },
    Column { path: "latency.ttst_ms", of: |r| &r.ttst, statistics: LATENCY },
    Column { path: "latency.tpot_ms", of: |r| &r.tpot, statistics: LATENCY },
    Column { path: "latency.e2e_ms", of: |r| &r.e2e, statistics: LATENCY },
    Column { path: "goodput.slo_attainment", of: |r| &r.met, statistics: &[("", Statistic::Mean)] },
    Column { path: "slo_attainment", of: |r| &r.met, statistics: &[("", Statistic::Mean)] },
];

/// Pairs of requests of a variant and the baseline.
pub(super) struct Resampling<'v> {
    baseline: &'v Variant,
    variant: &'v Variant,
    /// The requests of both runs, if they are the same.
    same: Option<[Cow<'v, Requests>; 2]>,
    /// True if all numbers of both runs are equal: the variants have done the same.
    equal: bool,
    /// The resampled statistics of the requested columns, by path.
    known: BTreeMap<String, Resampled>,
}

impl<'v> Resampling<'v> {
    /// Pairs of the first run of each.
    pub(super) fn new(baseline: &'v Variant, variant: &'v Variant) -> Option<Self> {
        let [a, b] = [baseline.runs.first()?, variant.runs.first()?];
        let (same, equal) = (a.requests.paired(&b.requests), a.numbers == b.numbers);
        Some(Self { baseline, variant, same, equal, known: BTreeMap::new() })
    }

    /// Computes the difference of the variant from the baseline. Sets both values to those over all requests that arrived, with unfinished ones as
    /// the worst.
    pub(super) fn compare(&mut self, path: &str, info: &MetricInfo, a: &mut VariantNumber, b: &mut VariantNumber) {
        if self.ensure(path).is_some() {
            let Some(&found) = self.known.get(path) else { return };
            if found.a.is_nan() || found.b.is_nan() {
                return;
            }
            let certainty = match found.interval {
                Some(interval) => Certainty::Interval(interval),
                None if found.difference.is_finite() => Certainty::FewBlocks(found.blocks),
                None => Certainty::Unfinished,
            };
            a.estimate = Some(Estimate { value: found.a, interval: None });
            b.estimate = Some(Estimate { value: found.b, interval: None });
            b.difference = Some(Difference::new(found.a, found.b, found.difference, info.better, certainty));
            return;
        }
        let certainty = match self.column_of(path) {
            Some(_) => Certainty::OtherRequests,
            None if !self.equal && (self.baseline.draws || self.variant.draws) => Certainty::OneRun,
            None => Certainty::Exact,
        };
        if let (Some(a), Some(estimate)) = (a.estimate, b.estimate) {
            b.difference = Some(Difference::new(a.value, estimate.value, estimate.value - a.value, info.better, certainty));
        }
    }

    /// Resamples the column of a path, if it is a quantity of single requests and not yet resampled.
    fn ensure(&mut self, path: &str) -> Option<()> {
        if self.known.contains_key(path) {
            return Some(());
        }
        let (column, class, inner) = self.column_of(path)?;
        let [of_baseline, of_variant] = self.same.as_ref()?;
        // Results for all requests also apply to the only class.
        let lonely = class.is_some() && [self.baseline, self.variant].iter().all(|variant| variant.shape.classes.len() == 1);
        let of_all = if inner == "slo_attainment" { "goodput.slo_attainment" } else { inner };
        if let Some(&found) = self.known.get(of_all).filter(|_| lonely) {
            self.known.insert(path.to_owned(), found);
            return Some(());
        }
        let before = &path[..path.len() - inner.len()];
        let statistics: Vec<Statistic> = column.statistics.iter().map(|(_, statistic)| *statistic).collect();
        let found = of_pairs(&values(of_baseline, column, class), &values(of_variant, column, class), &statistics, RESAMPLING_SEED)?;
        self.known.extend(column.statistics.iter().map(|(name, _)| format!("{before}{}{name}", column.path)).zip(found));
        Some(())
    }

    /// The column of a path, its class, and the path within the class.
    fn column_of<'p>(&self, path: &'p str) -> Option<(&'static Column, Option<u16>, &'p str)> {
        let (class, inner) = self.class_of(path);
        let fits =
            |column: &&Column| inner.strip_prefix(column.path).is_some_and(|end| column.statistics.iter().any(|(name, _)| *name == end));
        COLUMNS.iter().find(fits).map(|column| (column, class, inner))
    }

    /// The class of a path, and the path within it.
    fn class_of<'p>(&self, path: &'p str) -> (Option<u16>, &'p str) {
        let Some(rest) = path.strip_prefix("classes.") else { return (None, path) };
        let named = (0..)
            .zip(&self.baseline.shape.classes)
            .find_map(|(place, name)| Some((place, rest.strip_prefix(name.as_str())?.strip_prefix('.')?)));
        named.map_or((None, path), |(place, inner)| (Some(place), inner))
    }
}

/// The values of a column, for one class or all.
fn values(requests: &Requests, column: &Column, class: Option<u16>) -> Vec<f64> {
    let all = (column.of)(requests);
    match class {
        None => all.clone(),
        Some(class) => all.iter().zip(&requests.class).filter(|(_, of)| **of == class).map(|(value, _)| *value).collect(),
    }
}
