//! Intervals from resampled values.

/// Ends of a 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end; −∞ if the values do not bound it.
    pub low: f64,
    /// Upper end; ∞ if the values do not bound it.
    pub high: f64,
}

impl Interval {
    /// True if a difference with this interval may be zero.
    pub fn contains_zero(&self) -> bool {
        self.low <= 0.0 && self.high >= 0.0
    }
}

/// Distance of a percentile interval's levels from the median, in standard normal units, and the acceleration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Levels {
    /// 1.96, widened for few blocks.
    pub(super) deviates: f64,
    /// A sixth of the skewness of the statistic; 0 for none.
    pub(super) acceleration: f64,
}

impl Levels {
    /// Standard normal deviates of both ends. With acceleration `a` and bias `a`, as for a mean, the deviate `z` becomes `a + (a + z) / (1 − a·(a +
    /// z))` (Efron, *Better bootstrap confidence intervals*, JASA 82, 1987). The denominator stays above a tenth.
    fn ends(self) -> [f64; 2] {
        [-self.deviates, self.deviates].map(|deviate| {
            let shifted = self.acceleration + deviate;
            self.acceleration + shifted / (1.0 - self.acceleration * shifted).max(0.1)
        })
    }

    /// The interval between the resampled values at these levels; `None` if neither end is bounded. NaN (a difference of two infinities) may be
    /// anything, so it counts against both ends.
    pub(super) fn interval(self, mut values: Vec<f64>) -> Option<Interval> {
        let [low, high] = self.ends();
        let most = values.len().checked_sub(1)?;
        let (from_below, from_above) = (rank(low, most), rank(-high, most));
        let undefined = values.iter().filter(|value| value.is_nan()).count();
        values.retain(|value| !value.is_nan());
        values.sort_unstable_by(f64::total_cmp);
        let low = from_below.checked_sub(undefined).and_then(|place| values.get(place)).copied().unwrap_or(f64::NEG_INFINITY);
        let high = values.get(most - from_above).copied().unwrap_or(f64::INFINITY);
        (low > f64::NEG_INFINITY || high < f64::INFINITY).then_some(Interval { low, high })
    }
}

/// Index among `most` + 1 sorted values at the normal probability of `deviate`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of a length")]
fn rank(deviate: f64, most: usize) -> usize {
    let probability = 0.5 * libm::erfc(-deviate / std::f64::consts::SQRT_2);
    ((probability * (most as f64 + 1.0)).floor() as usize).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(deviates: f64) -> Levels {
        Levels { deviates, acceleration: 0.0 }
    }

    #[test]
    fn a_thousand_values_drop_25_at_each_end() {
        let values: Vec<f64> = (0..1000).rev().map(f64::from).collect();
        assert_eq!(levels(1.96).interval(values.clone()), Some(Interval { low: 24.0, high: 975.0 }));
        // Φ(−2.5) = 0.0062.
        assert_eq!(levels(2.5).interval(values.clone()), Some(Interval { low: 6.0, high: 993.0 }));
        assert_eq!(levels(9.0).interval(values), Some(Interval { low: 0.0, high: 999.0 }));
        assert_eq!(levels(1.96).interval(Vec::new()), None);
    }

    #[test]
    fn acceleration_shifts_both_ends_towards_the_longer_tail() {
        // By hand: a = 0.05, z = ±1.96 become 0.05 + 2.01 / (1 − 0.1005) = 2.285 and 0.05 − 1.91 / (1 + 0.0955) = −1.694.
        let [low, high] = Levels { deviates: 1.96, acceleration: 0.05 }.ends();
        approx::assert_abs_diff_eq!(high, 2.2846, epsilon = 1e-4);
        approx::assert_abs_diff_eq!(low, -1.6935, epsilon = 1e-4);
        let [mirrored, _] = Levels { deviates: 1.96, acceleration: -0.05 }.ends();
        assert_eq!(mirrored.to_bits(), (-high).to_bits());
    }

    #[test]
    fn nan_counts_against_both_ends() {
        let mut values: Vec<f64> = (0..1000).map(f64::from).collect();
        values[..20].fill(f64::NAN);
        // The 25th from below is the fifth of the numbers, and likewise from above.
        assert_eq!(levels(1.96).interval(values.clone()), Some(Interval { low: 24.0, high: 995.0 }));
        values[..30].fill(f64::NAN);
        assert_eq!(levels(1.96).interval(values), None);
    }
}
