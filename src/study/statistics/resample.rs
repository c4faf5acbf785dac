//! Resamples of a series as weights: the number of times each unit is drawn.

use crate::sim::Stream;

/// Number of resamples of a statistic.
const DRAWS: usize = 1000;

/// Draws resamples of `count` units by the stationary bootstrap and computes a statistic of each from the weights of its units.
pub(super) fn resampled(count: usize, length: f64, stream: &mut Stream, mut statistic: impl FnMut(&[u32]) -> f64) -> Vec<f64> {
    let mut weights = Weights { steps: vec![0; count + 1], weights: vec![0; count] };
    (0..DRAWS)
        .map(|_| {
            weights.draw(length, stream);
            statistic(&weights.weights)
        })
        .collect()
}

/// Weights of one resample.
#[derive(Debug)]
struct Weights {
    /// Difference of a unit's weight from that of the previous unit.
    steps: Vec<i32>,
    weights: Vec<u32>,
}

impl Weights {
    /// Blocks start anywhere with equal probability, have geometric lengths of this mean, wrap around from the end of the series to its start, and
    /// are drawn until they have as many units as the series (Politis and Romano 1994).
    fn draw(&mut self, length: f64, stream: &mut Stream) {
        let count = self.weights.len();
        self.steps.fill(0);
        // A block continues with probability 1 − 1/length: an exponential with this rate, rounded down, gives the number of further units.
        let rate = -libm::log1p(-1.0 / length.max(1.0));
        let mut left = count;
        while left > 0 {
            let start = usize::try_from(stream.below(count as u64)).unwrap_or(0);
            let units = further(stream.exponential() / rate, left - 1) + 1;
            self.add(start, units);
            left -= units;
        }
        let mut weight = 0;
        for (place, step) in self.weights.iter_mut().zip(&self.steps) {
            weight += step;
            *place = weight.unsigned_abs();
        }
    }

    /// Adds a block of at most the length of the series.
    fn add(&mut self, start: usize, units: usize) {
        let count = self.weights.len();
        self.steps[start] += 1;
        let end = start + units;
        if end > count {
            self.steps[0] += 1;
            self.steps[end - count] -= 1;
        } else {
            self.steps[end] -= 1;
        }
    }
}

/// Rounds a length down, to at most `most`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a length")]
fn further(drawn: f64, most: usize) -> usize {
    drawn.min(most as f64) as usize
}

/// Weighted sum of integers.
pub(super) fn weighted_count(weights: &[u32], counts: &[u32]) -> u64 {
    weights.iter().zip(counts).map(|(weight, count)| u64::from(*weight) * u64::from(*count)).sum()
}

/// Weighted sum of numbers.
pub(super) fn weighted_sum(weights: &[u32], values: &[f64]) -> f64 {
    weights.iter().zip(values).map(|(weight, value)| f64::from(*weight) * value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Purpose, Streams};

    fn stream() -> Stream {
        Streams::new(5).stream(Purpose::Resampling, 0)
    }

    #[test]
    fn a_resample_has_as_many_units_as_the_series() {
        for (count, length) in [(0, 1.0), (1, 1.0), (2, 2.0), (1000, 1.0), (1000, 7.5), (1000, 1000.0)] {
            for total in resampled(count, length, &mut stream(), |weights| weights.iter().sum::<u32>().into()) {
                approx::assert_relative_eq!(total, count as f64);
            }
        }
    }

    #[test]
    fn blocks_have_the_mean_length_and_start_anywhere() {
        // Borders of blocks are neighbours, wrap-around included, of unequal weight; in a long series few blocks touch.
        let count = 100_000;
        let borders = resampled(count, 500.0, &mut stream(), |weights| {
            let next = weights.iter().cycle().skip(1);
            weights.iter().zip(next).map(|(a, b)| f64::from(a.abs_diff(*b))).sum()
        });
        let mean = borders.iter().sum::<f64>() / borders.len() as f64 / 2.0;
        approx::assert_relative_eq!(mean, 200.0, max_relative = 0.02);
        // The first unit has weight 1 on average, like any other.
        let first = resampled(50, 5.0, &mut stream(), |weights| weights[0].into());
        approx::assert_abs_diff_eq!(first.iter().sum::<f64>() / first.len() as f64, 1.0, epsilon = 0.1);
    }

    #[test]
    fn the_variance_of_a_mean_matches_the_stationary_bootstrap() {
        // Politis and Romano: Σ over lags of (1 − |k|/n)(1 − 1/b)^|k| R̂(k), circular. Here ±1 in runs of four, twelve values, b = 3.
        let values: Vec<f64> = (0..12).map(|i| if i / 4 % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let mean = values.iter().sum::<f64>() / 12.0;
        let covariance = |lag: usize| (0..12).map(|i| (values[i] - mean) * (values[(i + lag) % 12] - mean)).sum::<f64>() / 12.0;
        let kept = 1.0 - 1.0 / 3.0_f64;
        let mut expected = covariance(0);
        for lag in 1..12_u8 {
            let kept = kept.powi(lag.into());
            expected += 2.0 * (1.0 - f64::from(lag) / 12.0) * kept * covariance(lag.into());
        }
        let mut stream = stream();
        let draws: Vec<f64> = (0..20).flat_map(|_| resampled(12, 3.0, &mut stream, |w| weighted_sum(w, &values) / 12.0)).collect();
        let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        approx::assert_relative_eq!(variance, expected / 12.0, max_relative = 0.04);
    }
}
