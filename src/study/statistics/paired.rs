//! Two runs of one trace, request by request, and single runs.

use super::interval::Interval;
use super::resample::resampled;
use super::series::{Evidence, whole};
use super::side::{Side, Units};
use crate::sim::{Purpose, Streams};

/// Minimum number of independent blocks for an interval.
pub const LEAST_BLOCKS: f64 = 20.0;

/// Statistic of a run's values. The share of requests that meet a limit is the mean of ones and zeros.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// The arithmetic mean.
    Mean,
    /// The nearest-rank quantile of a fraction: the smallest value such that at least this fraction of all values does not exceed it.
    Quantile(f64),
}

/// A statistic of two runs on the same trace, and the certainty of their difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resampled {
    /// Value of the first run; `NaN` without values.
    pub a: f64,
    /// Value of the second run; `NaN` without values.
    pub b: f64,
    /// `b − a`; `NaN` if both are infinite.
    pub difference: f64,
    /// 95 % interval of the difference. An end may be infinite: for a quantile whose tail has too few values, or includes unfinished requests. `None`
    /// if the trace is insufficient: too few blocks, a mean that is not finite, or no finite end.
    pub interval: Option<Interval>,
    /// Mean length of the blocks drawn, in requests; `NaN` if none are drawn.
    pub block_length: f64,
    /// Number of independent blocks of this length with information on the statistic: all; for a quantile those with a value above it, or those with
    /// a value at or below it if these are fewer. The interval needs [`LEAST_BLOCKS`].
    pub blocks: f64,
}

/// A statistic of one run, and its certainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OfRun {
    /// The statistic; `NaN` without values.
    pub value: f64,
    /// Its 95 % interval, as in [`Resampled`].
    pub interval: Option<Interval>,
    /// As in [`Resampled`].
    pub block_length: f64,
    /// As in [`Resampled`].
    pub blocks: f64,
}

/// Compares two runs on one trace: values of the same requests in order of arrival, `INFINITY` for unfinished requests, `NaN` for requests without a
/// value. One result per statistic, in their order; `None` if the runs differ in their number of requests.
///
/// Runs that agree in every request have a difference of 0 and the interval 0 to 0, for any length of the trace. Equal arguments give equal results,
/// and the result of a statistic does not depend on the others. The time is linear in the number of requests, except for sorting.
pub fn of_pairs(a: &[f64], b: &[f64], statistics: &[Statistic], seed: u64) -> Option<Vec<Resampled>> {
    if a.len() != b.len() {
        return None;
    }
    let units = Units::of(a.len());
    let equal = a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan());
    let sides = [(-1.0, Side::new(a, units, seed)), (1.0, Side::new(b, units, seed))];
    let of = |statistic: &Statistic| {
        let [a, b] = [&sides[0], &sides[1]].map(|(_, side)| value(side, *statistic));
        let judged = judge(&sides, units, *statistic, seed);
        let result = Resampled { a, b, difference: b - a, interval: judged.interval, block_length: judged.length, blocks: judged.blocks };
        if equal && result.difference.is_finite() {
            let interval = Some(Interval { low: 0.0, high: 0.0 });
            return Resampled { interval, block_length: 1.0, blocks: sides[0].1.count(), ..result };
        }
        result
    };
    Some(statistics.iter().map(of).collect())
}

/// Intervals of a single run: of its values in order of arrival, in the form taken by [`of_pairs`].
pub fn of_run(values: &[f64], statistics: &[Statistic], seed: u64) -> Vec<OfRun> {
    let units = Units::of(values.len());
    let side = [(1.0, Side::new(values, units, seed))];
    let of = |statistic: &Statistic| {
        let judged = judge(&side, units, *statistic, seed);
        OfRun { value: value(&side[0].1, *statistic), interval: judged.interval, block_length: judged.length, blocks: judged.blocks }
    };
    statistics.iter().map(of).collect()
}

fn value(side: &Side, statistic: Statistic) -> f64 {
    match statistic {
        Statistic::Mean => side.mean,
        Statistic::Quantile(fraction) => side.quantile(fraction),
    }
}

/// Interval of a signed sum of statistics, one per run.
struct Judged {
    interval: Option<Interval>,
    length: f64,
    blocks: f64,
}

/// Inconclusive.
const SILENT: Judged = Judged { interval: None, length: f64::NAN, blocks: 0.0 };

fn judge(sides: &[(f64, Side)], units: Units, statistic: Statistic, seed: u64) -> Judged {
    match statistic {
        Statistic::Mean => judge_mean(sides, units, seed),
        Statistic::Quantile(fraction) => judge_quantile(sides, units, fraction, seed),
    }
}

fn judge_mean(sides: &[(f64, Side)], units: Units, seed: u64) -> Judged {
    let value: f64 = sides.iter().map(|(sign, side)| sign * side.mean).sum();
    if !value.is_finite() {
        return SILENT;
    }
    let influence = added(units, sides.iter().map(|(sign, side)| (*sign, side.influence_on_mean())));
    let evidence = Evidence::of(influence, &[]);
    let draw = |weights: &[u32]| value + sides.iter().map(|(sign, side)| sign * side.resampled_excess(weights)).sum::<f64>();
    conclude(evidence, evidence.blocks, true, units, seed, draw)
}

fn judge_quantile(sides: &[(f64, Side)], units: Units, fraction: f64, seed: u64) -> Judged {
    let places: Option<Vec<_>> = sides.iter().map(|(sign, side)| Some((*sign, side, side.place(fraction)?))).collect();
    let Some(places) = places else { return SILENT };
    let parts: Vec<Vec<f64>> = places.iter().map(|(_, side, place)| side.influence_on_share(place)).collect();
    // If a density cannot be estimated, the shares get equal weights.
    let spreads: Vec<f64> = sides.iter().map(|(_, side)| side.spread_around(fraction)).collect();
    let told = spreads.iter().all(|spread| spread.is_finite()) && spreads.iter().any(|spread| *spread > 0.0);
    let weighed = places.iter().zip(&spreads).zip(&parts).map(|(((sign, ..), spread), part)| {
        let factor = if told { sign * spread } else { *sign };
        (factor, part.clone())
    });
    let evidence = Evidence::of(added(units, weighed), &parts);
    let holding = places.iter().map(|(.., place)| place.blocks(whole(evidence.length)));
    let blocks = holding.fold(evidence.blocks, f64::min);
    let draw = |weights: &[u32]| places.iter().map(|(sign, side, place)| sign * side.moved(place, weights)).sum();
    conclude(evidence, blocks, false, units, seed, draw)
}

/// Sum of series, each times its factor.
fn added(units: Units, series: impl Iterator<Item = (f64, Vec<f64>)>) -> Vec<f64> {
    let mut sum = vec![0.0; units.count];
    for (factor, values) in series {
        sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += factor * value);
    }
    sum
}

fn conclude(evidence: Evidence, blocks: f64, accelerated: bool, units: Units, seed: u64, draw: impl FnMut(&[u32]) -> f64) -> Judged {
    let interval = if blocks < LEAST_BLOCKS {
        None
    } else {
        let mut stream = Streams::new(seed).stream(Purpose::Resampling, 0);
        evidence.levels(accelerated).interval(resampled(units.count, evidence.length, &mut stream, draw))
    };
    Judged { interval, length: evidence.length * units.size as f64, blocks }
}
