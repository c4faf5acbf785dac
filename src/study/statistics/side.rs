//! The values of one run: their order, and the contributions of units of consecutive requests to a statistic.

use super::resample::{weighted_count, weighted_sum};
use crate::sim::{Purpose, Streams};

/// Maximum number of units of a resample: above it requests are drawn in groups of neighbours, so that the time is bounded.
const MOST_UNITS: usize = 65_536;

/// Requests in order of arrival, split into groups of equal size; the last may be smaller.
#[derive(Debug, Clone, Copy)]
pub(super) struct Units {
    /// Requests per unit.
    pub(super) size: usize,
    pub(super) count: usize,
}

impl Units {
    pub(super) fn of(requests: usize) -> Self {
        let size = requests.div_ceil(MOST_UNITS).max(1);
        Self { size, count: requests.div_ceil(size) }
    }
}

/// Values of one run.
#[derive(Debug)]
pub(super) struct Side {
    /// Number of values of each unit.
    present: Vec<u32>,
    /// Mean of all values; not finite if one of them is not, or if there are none.
    pub(super) mean: f64,
    /// Sum over the values of each unit of their excess over the mean.
    excess: Vec<f64>,
    /// The values, ascending.
    sorted: Vec<f64>,
    /// The unit of each sorted value.
    unit: Vec<usize>,
}

/// A quantile of one run.
#[derive(Debug)]
pub(super) struct Place {
    rank: usize,
    /// Number of values of each unit at or below this rank.
    below: Vec<u32>,
    /// Number of values above.
    above: Vec<u32>,
}

impl Side {
    /// `NaN` means no value. Ties are ordered at random, from the seed and their position in the trace: ordered by position, the values above a
    /// quantile with many ties would be the last ones of the trace.
    pub(super) fn new(values: &[f64], units: Units, seed: u64) -> Self {
        let streams = Streams::new(seed);
        let numbered = values.iter().enumerate().zip(0..).filter(|((_, value), _)| !value.is_nan());
        let mut order: Vec<(f64, u64, usize)> =
            numbered.map(|((at, value), id)| (*value, streams.number(Purpose::Resampling, id), at / units.size)).collect();
        let mean = order.iter().map(|(value, ..)| value).sum::<f64>() / order.len() as f64;
        let (mut present, mut excess) = (vec![0; units.count], vec![0.0; units.count]);
        for &(value, _, unit) in &order {
            present[unit] += 1;
            excess[unit] += value - mean;
        }
        order.sort_unstable_by(|(a, first, _), (b, second, _)| a.total_cmp(b).then(first.cmp(second)));
        let (sorted, unit) = order.into_iter().map(|(value, _, unit)| (value, unit)).unzip();
        Self { present, mean, excess, sorted, unit }
    }

    /// Number of values.
    pub(super) fn count(&self) -> f64 {
        self.sorted.len() as f64
    }

    /// The nearest-rank quantile: the smallest value such that at least the given fraction of all values does not exceed it; `NaN` without values.
    pub(super) fn quantile(&self, fraction: f64) -> f64 {
        self.sorted.get(self.rank(fraction)).copied().unwrap_or(f64::NAN)
    }

    /// Contribution of each unit to the error of the mean.
    pub(super) fn influence_on_mean(&self) -> Vec<f64> {
        self.excess.iter().map(|excess| excess / self.count()).collect()
    }

    /// Excess of the mean of a resample over the mean of all values.
    pub(super) fn resampled_excess(&self, weights: &[u32]) -> f64 {
        weighted_sum(weights, &self.excess) / weighted_count(weights, &self.present) as f64
    }

    /// Position of a quantile. `None` without values.
    pub(super) fn place(&self, fraction: f64) -> Option<Place> {
        let rank = self.rank(fraction);
        if self.sorted.is_empty() {
            return None;
        }
        let (mut below, mut above) = (vec![0; self.present.len()], self.present.clone());
        for &unit in self.unit.iter().take(rank + 1) {
            below[unit] += 1;
            above[unit] -= 1;
        }
        Some(Place { rank, below, above })
    }

    /// ⌈fraction · n⌉ − 1.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of a length")]
    fn rank(&self, fraction: f64) -> usize {
        ((fraction * self.count()).ceil() as usize).clamp(1, self.sorted.len().max(1)) - 1
    }

    /// Spread of the values around a quantile: the value halfway to the nearer end of the distribution, minus the one as far on the other side.
    /// Proportional to the inverse density there, accurately enough to weigh two quantiles against each other.
    pub(super) fn spread_around(&self, fraction: f64) -> f64 {
        let half = fraction.min(1.0 - fraction) / 2.0;
        self.quantile(fraction + half) - self.quantile(fraction - half)
    }

    /// Contribution of each unit to the error of the share above a quantile.
    pub(super) fn influence_on_share(&self, place: &Place) -> Vec<f64> {
        let share = (self.count() - place.rank as f64 - 1.0) / self.count();
        place
            .above
            .iter()
            .zip(&self.present)
            .map(|(above, present)| (f64::from(*above) - share * f64::from(*present)) / self.count())
            .collect()
    }

    /// The quantile shifted by the error of a resample: the excess of its share at or below the quantile is subtracted from the rank. Infinite beyond
    /// the last value and below the first; NaN if the resample has no value.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank of a length")]
    pub(super) fn moved(&self, place: &Place, weights: &[u32]) -> f64 {
        let below = weighted_count(weights, &place.below) as f64;
        let expected = place.rank as f64 + 1.0;
        let rank = (2.0 * expected - below * self.count() / weighted_count(weights, &self.present) as f64).ceil() - 1.0;
        if rank.is_nan() {
            f64::NAN
        } else if rank < 0.0 {
            f64::NEG_INFINITY
        } else {
            self.sorted.get(rank as usize).copied().unwrap_or(f64::INFINITY)
        }
    }
}

impl Place {
    /// Number of blocks of `units` units with a value above the quantile, or with one at or below it, whichever is smaller.
    pub(super) fn blocks(&self, units: usize) -> f64 {
        let holding = |counts: &[u32]| counts.chunks(units.max(1)).filter(|block| block.iter().any(|count| *count > 0)).count();
        holding(&self.above).min(holding(&self.below)) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Units 5 and 1, 3 alone, 2 and 4, 9: mean 4.
    fn side() -> Side {
        Side::new(&[5.0, 1.0, f64::NAN, 3.0, 2.0, 4.0, 9.0], Units { size: 2, count: 4 }, 1)
    }

    #[test]
    fn with_many_requests_units_are_groups_of_neighbours() {
        let of = |requests| (Units::of(requests).size, Units::of(requests).count);
        assert_eq!([0, 1, 65_536, 65_537, 1_000_000].map(of), [(1, 0), (1, 1), (1, 65_536), (2, 32_769), (16, 62_500)]);
    }

    #[test]
    fn a_resampled_mean_is_the_mean_of_the_units_drawn() {
        let side = side();
        approx::assert_relative_eq!(side.mean, 4.0);
        approx::assert_relative_eq!(side.resampled_excess(&[1, 1, 1, 1]), 0.0);
        // 5, 1, 2 and 4, twice: 3.
        approx::assert_relative_eq!(side.resampled_excess(&[2, 0, 2, 0]), -1.0);
        assert!(side.resampled_excess(&[0; 4]).is_nan());
    }

    #[test]
    fn a_quantile_shifts_by_the_error_of_its_rank() {
        let side = side();
        let moved = |fraction, weights: [u32; 4]| side.moved(&side.place(fraction).unwrap(), &weights);
        let expected = [
            // Half of all, and of those drawn, are 3 or less.
            (0.5, [1, 1, 1, 1], 3.0),
            (0.5, [2, 0, 2, 0], 3.0),
            // None of those drawn: three ranks up. All of them: three down, where there is none.
            (0.5, [0, 0, 0, 4], 9.0),
            (0.5, [0, 4, 0, 0], f64::NEG_INFINITY),
            // Five of six are 5 or less, and none of those drawn: five ranks up, where there is none.
            (0.7, [0, 0, 0, 4], f64::INFINITY),
        ];
        for (fraction, weights, value) in expected {
            assert_eq!(moved(fraction, weights).to_bits(), f64::to_bits(value), "{fraction} {weights:?}");
        }
        assert!(moved(0.5, [0; 4]).is_nan());
    }

    #[test]
    fn blocks_count_for_a_quantile_if_they_have_values_on_both_sides() {
        let side = side();
        let blocks = |fraction, units| side.place(fraction).unwrap().blocks(units);
        approx::assert_relative_eq!(blocks(0.5, 1), 3.0);
        approx::assert_relative_eq!(blocks(0.7, 1), 1.0);
        approx::assert_relative_eq!(blocks(0.5, 2), 2.0);
        approx::assert_relative_eq!(blocks(1.0, 1), 0.0);
        assert!(Side::new(&[f64::NAN], Units::of(1), 0).place(0.5).is_none());
    }
}
