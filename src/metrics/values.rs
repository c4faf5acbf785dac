//! Collections of durations: exact while small, a histogram when large, so that memory stays bounded.

use std::borrow::Cow;

use super::buckets::Buckets;
use super::steps::Steps;
use super::summary::Distribution;

/// Maximum number of values stored individually before a collection becomes a histogram.
pub const EXACT_LIMIT: usize = 262_144;

/// Nanosecond values of one metric.
#[derive(Debug, Clone, Default)]
pub(super) struct Values {
    /// True for a histogram from the first value on.
    coarse: bool,
    exact: Vec<u64>,
    spread: Option<Buckets>,
    count: u64,
    sum: u128,
    squares: u128,
    min: u64,
    max: u64,
}

impl Values {
    /// A collection that is a histogram from its first value on, and takes no memory before it: for the gaps between tokens.
    pub(super) fn histogram() -> Self {
        Self { coarse: true, ..Self::default() }
    }

    pub(super) fn record(&mut self, ns: u64) {
        self.record_n(ns, 1);
    }

    pub(super) fn record_n(&mut self, ns: u64, n: u64) {
        if n == 0 {
            return;
        }
        // Below 4 s the square fits into 64 bits and cannot overflow.
        let squares = match u32::try_from(ns) {
            Ok(ns) => u128::from(u64::from(ns) * u64::from(ns)) * u128::from(n),
            Err(_) => (u128::from(ns) * u128::from(ns)).saturating_mul(n.into()),
        };
        self.note(ns, ns, n, u128::from(ns) * u128::from(n), squares);
        self.put(ns, n);
    }

    /// Adds values to all statistics except the distribution.
    fn note(&mut self, least: u64, most: u64, count: u64, sum: u128, squares: u128) {
        self.min = if self.count == 0 { least } else { self.min.min(least) };
        self.max = self.max.max(most);
        self.count += count;
        self.sum += sum;
        self.squares = self.squares.saturating_add(squares);
    }

    /// Adds values to their distribution.
    fn put(&mut self, ns: u64, n: u64) {
        if self.spread.is_none() && (self.coarse || self.exact.len() as u64 + n > EXACT_LIMIT as u64) {
            self.spill();
        }
        match &mut self.spread {
            Some(spread) => spread.record(ns, n),
            None => self.exact.extend((0..n).map(|_| ns)),
        }
    }

    /// Records every step `members` times. Converts the collection to a histogram if necessary, as steps give values by bucket.
    pub(super) fn record_steps(&mut self, steps: &Steps, members: u64) {
        let &Steps { least, most, count, sum_ns, squares, ref runs } = steps;
        if count == 0 || members == 0 {
            return;
        }
        let of_all = u128::from(members);
        self.note(least, most, members * count, sum_ns * of_all, squares.saturating_mul(of_all));
        if self.spread.is_none() {
            self.spill();
        }
        let Some(spread) = &mut self.spread else { return };
        for &(value, n) in runs {
            spread.record(value, members * n);
        }
    }

    fn spill(&mut self) {
        let mut spread = Buckets::default();
        for ns in std::mem::take(&mut self.exact) {
            spread.record(ns, 1);
        }
        self.spread = Some(spread);
    }

    /// Sorts the values stored individually, so that repeated lookups need not sort them.
    pub(super) fn sort(&mut self) {
        self.exact.sort_unstable();
    }

    /// Adds another collection.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.sum += other.sum;
        self.squares = self.squares.saturating_add(other.squares);
        if self.spread.is_none() && (other.spread.is_some() || self.exact.len() + other.exact.len() > EXACT_LIMIT) {
            self.spill();
        }
        match (&mut self.spread, &other.spread) {
            (Some(mine), Some(theirs)) => mine.merge(theirs),
            (Some(mine), None) => other.exact.iter().for_each(|&ns| mine.record(ns, 1)),
            (None, _) => self.exact.extend_from_slice(&other.exact),
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Mean, ns.
    pub(super) fn mean(&self) -> f64 {
        self.sum as f64 / self.count as f64
    }

    /// Population standard deviation, ns.
    pub(super) fn std(&self) -> f64 {
        std_ns(self.count, self.sum, self.squares)
    }

    /// The distribution in milliseconds; `None` without values.
    pub(super) fn distribution_ms(&self) -> Option<Distribution> {
        if self.count == 0 {
            return None;
        }
        let [p50, p90, p95, p99] = self.percentiles([0.5, 0.9, 0.95, 0.99]);
        let ms = |ns: f64| ns / 1e6;
        Some(Distribution {
            mean: ms(self.mean()),
            std: ms(self.std()),
            min: ms(self.min as f64),
            p50: ms(p50),
            p90: ms(p90),
            p95: ms(p95),
            p99: ms(p99),
            max: ms(self.max as f64),
            count: self.count,
        })
    }

    /// Nearest-rank percentiles in ns, by ascending fractions: the smallest value such that at least this fraction of all values does not exceed it.
    pub(super) fn percentiles<const N: usize>(&self, mut fractions: [f64; N]) -> [f64; N] {
        self.look_up(&mut fractions);
        fractions
    }

    /// Replaces ascending fractions by their percentiles, in one pass over the values.
    fn look_up(&self, fractions: &mut [f64]) {
        debug_assert!(fractions.is_sorted(), "{fractions:?}");
        if let Some(spread) = &self.spread {
            spread.look_up(self.count, fractions);
            for ns in fractions {
                // The upper edge of the bucket, capped at the maximum seen.
                *ns = ns.min(self.max as f64);
            }
            return;
        }
        let mut sorted = Cow::Borrowed(&self.exact);
        if !sorted.is_sorted() {
            sorted.to_mut().sort_unstable();
        }
        for place in fractions {
            *place = sorted.get(nearest_rank(sorted.len(), *place)).copied().map_or(f64::NAN, |ns| ns as f64);
        }
    }

    /// At most `points` + 1 points of the empirical distribution: (value in ms, fraction of values at or below it).
    pub(super) fn cdf_ms(&self, points: u32) -> (Vec<f64>, Vec<f64>) {
        if self.count == 0 {
            return (Vec::new(), Vec::new());
        }
        // Finer towards the tail, where SLOs are set: the last tenth gets half of the points.
        let fraction = |i: u32| {
            let x = f64::from(i) / f64::from(points.max(1));
            (if x <= 0.5 { 1.8 * x } else { 0.9 + 0.2 * (x - 0.5) }).min(1.0)
        };
        let fractions: Vec<f64> = (0..=points).map(fraction).collect();
        let mut values = fractions.clone();
        if let Some((first, others)) = values.split_first_mut() {
            *first = self.min as f64;
            self.look_up(others);
        }
        for ns in &mut values {
            *ns /= 1e6;
        }
        (values, fractions)
    }
}

/// Population standard deviation in ns from count, sum and sum of squares; exact integers as far as they fit. NaN if the squares have overflowed:
/// many values of years each.
pub(super) fn std_ns(count: u64, sum: u128, squares: u128) -> f64 {
    if squares == u128::MAX {
        return f64::NAN;
    }
    let n = u128::from(count);
    if let (Some(a), Some(b)) = (squares.checked_mul(n), sum.checked_mul(sum)) {
        ((a.saturating_sub(b)) as f64).sqrt() / count as f64
    } else {
        let mean = sum as f64 / count as f64;
        (squares as f64 / count as f64 - mean * mean).max(0.0).sqrt()
    }
}

/// Index of the nearest rank: ⌈fraction · n⌉ − 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of a length")]
fn nearest_rank(n: usize, fraction: f64) -> usize {
    ((fraction * n as f64).ceil() as usize).clamp(1, n.max(1)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::Line;
    use proptest::prelude::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        // The textbook case: of 15, 20, 35, 40, 50 the 30th percentile is 20, the 40th 20, the 50th 35, the 100th 50.
        let mut values = Values::default();
        for v in [35, 20, 15, 50, 40] {
            values.record(v);
        }
        assert_eq!(values.percentiles([0.05, 0.3, 0.4, 0.5, 1.0]).map(f64::to_bits), [15.0f64, 20.0, 20.0, 35.0, 50.0].map(f64::to_bits));
    }

    #[test]
    fn equal_values_have_zero_spread() {
        let mut values = Values::histogram();
        values.record_n(20_123_457, 1_000_000);
        assert_eq!(values.std().to_bits(), 0.0f64.to_bits());
        let d = values.distribution_ms().unwrap();
        assert_eq!((d.min, d.p50, d.p99, d.max), (20.123_457, 20.123_457, 20.123_457, 20.123_457));
    }

    #[test]
    fn a_histogram_takes_no_memory_before_its_first_value() {
        let mut values = Values::histogram();
        assert!(values.spread.is_none() && values.distribution_ms().is_none());
        values.record_n(5, 1 << 40);
        assert!(values.spread.is_some() && values.exact.is_empty());
    }

    #[test]
    fn many_values_become_a_histogram_accurate_to_a_tenth_of_a_percent() {
        let (mut all, mut low, mut high) = (Values::default(), Values::default(), Values::default());
        let n = EXACT_LIMIT as u64 + 1000;
        for i in 1..=n {
            all.record(i * 1000);
            if i % 2 == 0 { low.record(i * 1000) } else { high.record(i * 1000) }
        }
        assert!(all.spread.is_some() && low.spread.is_none());
        low.merge(&high);
        let (a, b) = (all.distribution_ms().unwrap(), low.distribution_ms().unwrap());
        approx::assert_relative_eq!(a.p50, n as f64 / 2.0 / 1000.0, max_relative = 1e-3);
        approx::assert_relative_eq!(a.mean, (n + 1) as f64 / 2.0 / 1000.0, max_relative = 1e-12);
        assert_eq!((a.p50, a.p99, a.count, a.std), (b.p50, b.p99, b.count, b.std));
    }

    #[test]
    fn the_cdf_rises_to_one() {
        let mut values = Values::default();
        for i in 0..1000 {
            values.record(i);
        }
        let (x, y) = values.cdf_ms(100);
        assert!(x.is_sorted() && y.is_sorted());
        assert_eq!((y.first(), y.last()), (Some(&0.0), Some(&1.0)));
        assert_eq!(x.last(), Some(&(999.0 / 1e6)));
    }

    /// Sum and sum of squares of the values on a line.
    fn sums(line: &Line, from: u64, to: u64) -> (u128, u128) {
        let values = (from..to).map(|n| u128::from(line.at(n)));
        values.fold((0, 0), |(sum, squares), value| (sum + value, squares.saturating_add(value * value)))
    }

    fn assert_steps_agree(line: Line, from: u64, length: u64, members: u64) {
        let to = from + length;
        let mut pair = [Values::histogram(), Values::histogram()];
        for values in &mut pair {
            values.record(1_000_000);
        }
        let [steps, naive] = &mut pair;
        let mut taken = Steps::default();
        taken.take(&Line { first: 7.0, step: 3.0 }, 0, 9, (1, 1));
        taken.take(&line, from, to, sums(&line, from, to));
        steps.record_steps(&taken, members);
        (from..to).for_each(|n| naive.record_n(line.at(n), members));
        let all = |v: &Values| (v.count, v.sum, v.squares, v.min, v.max, v.exact.clone());
        assert_eq!(all(steps), all(naive), "{line:?}");
        assert_eq!(steps.spread, naive.spread, "{line:?}");
    }

    #[test]
    fn steps_convert_a_collection_to_a_histogram() {
        let (mut values, mut steps) = (Values::default(), Steps::default());
        values.record(20);
        steps.take(&Line { first: 10.0, step: 1.5 }, 1, 4, (40, 538));
        values.record_steps(&steps, 0);
        assert!(values.spread.is_none());
        // 11.5, 13 and 14.5 ns, twice each, rounded: 12, 13 and 15.
        values.record_steps(&steps, 2);
        assert_eq!((values.count, values.sum, values.squares, values.min, values.max), (7, 100, 1476, 12, 20));
        assert_eq!(values.percentiles([0.2, 0.4, 0.8, 1.0]).map(f64::to_bits), [12.0f64, 13.0, 15.0, 20.0].map(f64::to_bits));
        steps.take(&Line::default(), 5, 5, (0, 0));
        values.record_steps(&steps, 1);
        assert_eq!(values.count, 7);
    }

    proptest! {
        #[test]
        fn steps_equal_values_recorded_one_by_one(
            first in prop_oneof![1.0f64..5000.0, 1e5f64..1e9, 1e9f64..1e19],
            step in prop_oneof![Just(0.0), 1e-9f64..1e-3, 1e-3f64..1e3, 1e3f64..1e7, 1e12f64..1e16],
            from in prop_oneof![Just(0u64), 0u64..1 << 24],
            length in 0u64..3000,
            members in 0u64..5000,
        ) {
            assert_steps_agree(Line { first, step }, from, length, members);
        }

        /// Far along a slowly rising line, many consecutive iterations have exactly the same value.
        #[test]
        fn steps_below_the_resolution_of_a_float_find_their_borders(bucket in 1u64 << 20..1 << 24, before in 0.0f64..1e-3, step in 1e-9f64..1e-5) {
            let first = (bucket << 13) as f64 - 0.5 - before;
            assert_steps_agree(Line { first, step }, 0, 20_000, 1);
        }
    }
}
