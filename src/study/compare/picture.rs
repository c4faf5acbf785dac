//! Chart data of a variant's runs.

use super::super::{Balance, Outcome};
use crate::metrics::{Cdf, Distributions, Timeline};

/// Maximum number of points of a distribution over several classes.
const POINTS: usize = 500;

/// Chart data of one variant.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    /// Latencies of all classes together, each a list of at most one entry: the mean over the runs of each quantile.
    pub distributions: Distributions,
    /// Gauges of the first run.
    pub timeline: Timeline,
    /// Length of the first run, s.
    pub simulated_s: f64,
    /// Work per instance in the first run.
    pub balance: Vec<Balance>,
}

impl Picture {
    /// Chart data of a variant's runs, with the names of its classes.
    pub(super) fn new(runs: &[impl AsRef<Outcome>], classes: &[String]) -> Self {
        let Some(first) = runs.first().map(AsRef::as_ref) else { return Self::default() };
        let over_runs = |metric: &str, of: fn(&Distributions) -> &Vec<Cdf>| -> Vec<Cdf> {
            let pooled = runs.iter().filter_map(|run| pooled(of(&run.as_ref().distributions), &counts(run.as_ref(), metric, classes)));
            mean_of_quantiles(&pooled.collect::<Vec<_>>()).into_iter().collect()
        };
        Self {
            distributions: Distributions {
                ttft_ms: over_runs("ttft_ms", |d| &d.ttft_ms),
                itl_ms: over_runs("itl_ms", |d| &d.itl_ms),
                tpot_ms: over_runs("tpot_ms", |d| &d.tpot_ms),
                e2e_ms: over_runs("e2e_ms", |d| &d.e2e_ms),
            },
            timeline: first.timeline.clone(),
            simulated_s: first.number("simulated_s").unwrap_or_default(),
            balance: first.balance.clone(),
        }
    }
}

/// Number of values by class.
fn counts(run: &Outcome, metric: &str, classes: &[String]) -> Vec<(String, f64)> {
    let count = |class: &String| Some((class.clone(), run.number(&format!("classes.{class}.latency.{metric}.count"))?));
    classes.iter().filter_map(count).collect()
}

/// The distribution of all classes together; `None` without values.
fn pooled(classes: &[Cdf], counts: &[(String, f64)]) -> Option<Cdf> {
    let weight = |cdf: &Cdf| counts.iter().find(|(name, _)| *name == cdf.label).map_or(0.0, |(_, count)| *count);
    let all: f64 = classes.iter().map(weight).sum();
    if let [only] = classes {
        return Some(only.clone());
    }
    if all <= 0.0 {
        return None;
    }
    // Each step of a class, and its contribution to the whole.
    let mut steps: Vec<(f64, f64)> = Vec::new();
    for cdf in classes {
        let mut before = 0.0;
        for (&value, &fraction) in cdf.value.iter().zip(&cdf.fraction) {
            steps.push((value, (fraction - before) * weight(cdf) / all));
            before = fraction;
        }
    }
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut out, mut sum) = (Cdf::default(), 0.0);
    for (value, step) in steps {
        sum += step;
        out.value.push(value);
        out.fraction.push(sum.min(1.0));
    }
    Some(out)
}

/// The mean over runs of the value at each fraction.
fn mean_of_quantiles(runs: &[Cdf]) -> Option<Cdf> {
    if let [only] = runs {
        return Some(only.clone());
    }
    runs.first()?;
    let points = u32::try_from(POINTS).unwrap_or(1);
    let mut out = Cdf::default();
    for i in 0..=points {
        // Finer towards the tail, like the curves themselves.
        let x = f64::from(i) / f64::from(points);
        let fraction = if x <= 0.5 { 1.8 * x } else { 0.9 + 0.2 * (x - 0.5) }.min(1.0);
        let sum: f64 = runs.iter().map(|cdf| value_at(cdf, fraction)).sum();
        out.value.push(sum / runs.len() as f64);
        out.fraction.push(fraction);
    }
    Some(out)
}

/// The smallest value such that at least this fraction does not exceed it.
fn value_at(cdf: &Cdf, fraction: f64) -> f64 {
    let place = cdf.fraction.partition_point(|known| *known < fraction - 1e-12);
    cdf.value.get(place).or(cdf.value.last()).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cdf(label: &str, value: &[f64], fraction: &[f64]) -> Cdf {
        Cdf { label: label.to_owned(), value: value.to_vec(), fraction: fraction.to_vec() }
    }

    #[test]
    fn classes_are_pooled_by_their_number_of_values() {
        let classes = [cdf("a", &[1.0, 3.0], &[0.5, 1.0]), cdf("b", &[2.0], &[1.0])];
        let counts = [("a".to_owned(), 30.0), ("b".to_owned(), 10.0)];
        let all = pooled(&classes, &counts).unwrap();
        assert_eq!(all.value, [1.0, 2.0, 3.0]);
        for (found, right) in all.fraction.iter().zip([0.375, 0.625, 1.0]) {
            approx::assert_relative_eq!(*found, right, max_relative = 1e-12);
        }
        assert_eq!(pooled(&classes, &[]), None);
    }

    #[test]
    fn quantiles_of_runs_are_averaged() {
        let runs = [cdf("", &[1.0, 2.0], &[0.5, 1.0]), cdf("", &[3.0, 8.0], &[0.5, 1.0])];
        let mean = mean_of_quantiles(&runs).unwrap();
        approx::assert_relative_eq!(value_at(&mean, 0.4), 2.0);
        approx::assert_relative_eq!(value_at(&mean, 0.95), 5.0);
        assert_eq!(mean_of_quantiles(&[]), None);
    }
}
