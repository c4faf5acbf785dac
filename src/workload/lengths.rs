//! How long prompts and outputs are. Owns the distributions and their sampling; must not know when requests arrive.

use super::error::{ParameterProblem, Problems};
use crate::sim::Stream;

/// The longest prompt or output that is believed, tokens (2²⁴). Beyond it a number is taken for a mistake.
pub const MAX_TOKENS: u32 = 1 << 24;

/// z such that a standard normal deviate is below it with probability 0.9.
const Z_P90: f64 = 1.281_551_565_544_600_4;
/// A lognormal whose clip keeps less than this share of it is refused as a mistake.
const LEAST_KEPT: f64 = 0.01;

/// A distribution of lengths. All lengths are whole tokens from 1 to [`MAX_TOKENS`].
#[derive(Debug, Clone, PartialEq)]
pub enum LengthDistribution {
    /// Always the same.
    Fixed {
        /// Tokens.
        tokens: u32,
    },
    /// Every whole number from `min` to `max`, both included, equally likely.
    Uniform {
        /// Shortest, tokens.
        min: u32,
        /// Longest, tokens.
        max: u32,
    },
    /// Lognormal, rounded to the nearest token. A draw outside `min..=max` is drawn again, so nothing piles up at the ends; the mean
    /// then differs from the one asked for by what was cut off.
    Lognormal {
        /// Its parameters before the clip.
        shape: LognormalShape,
        /// Shortest, tokens.
        min: u32,
        /// Longest, tokens.
        max: u32,
    },
    /// Measured lengths with weights.
    Values(Vec<WeightedLength>),
    /// A histogram: a bin is drawn by weight, a length equally likely within it.
    Histogram(Vec<LengthBin>),
}

/// A lognormal by the statistics people publish. All in tokens, above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LognormalShape {
    /// Mean and standard deviation.
    MeanStd {
        /// Mean, tokens.
        mean: f64,
        /// Standard deviation, tokens.
        std: f64,
    },
    /// Mean and median, the mean being the larger.
    MeanMedian {
        /// Mean, tokens.
        mean: f64,
        /// Median, tokens.
        median: f64,
    },
    /// Median and 90th percentile.
    MedianP90 {
        /// Median, tokens.
        median: f64,
        /// 90th percentile, tokens, at least the median.
        p90: f64,
    },
}

/// One measured length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightedLength {
    /// Tokens.
    pub tokens: u32,
    /// Relative weight, 0 or more; weights need not add up to 1.
    pub weight: f64,
}

/// One bin of a histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LengthBin {
    /// Shortest, tokens.
    pub min: u32,
    /// Longest, tokens, included.
    pub max: u32,
    /// Relative weight, 0 or more; weights need not add up to 1.
    pub weight: f64,
}

impl LognormalShape {
    /// μ and σ of the logarithm. From mean m and standard deviation s: σ² = ln(1 + s²/m²), μ = ln m − σ²/2.
    fn parameters(self) -> (f64, f64) {
        match self {
            Self::MeanStd { mean, std } => {
                let variance = libm::log1p((std / mean) * (std / mean));
                (libm::log(mean) - variance / 2.0, variance.sqrt())
            }
            Self::MeanMedian { mean, median } => (libm::log(median), (2.0 * libm::log(mean / median)).sqrt()),
            Self::MedianP90 { median, p90 } => (libm::log(median), libm::log(p90 / median) / Z_P90),
        }
    }

    fn validate(self) -> Vec<ParameterProblem> {
        let mut problems = Problems::default();
        let length = |x: f64| x > 0.0 && x <= f64::from(MAX_TOKENS);
        let range = "tokens, above 0 and at most 16777216";
        match self {
            Self::MeanStd { mean, std } => {
                problems.require(length(mean), "mean", mean, range);
                problems.require((0.0..=f64::from(MAX_TOKENS)).contains(&std), "std", std, "tokens, from 0 to 16777216");
            }
            Self::MeanMedian { mean, median } => {
                problems.require(length(mean), "mean", mean, range);
                problems.require(length(median) && median <= mean, "median", median, "tokens, above 0 and at most the mean");
            }
            Self::MedianP90 { median, p90 } => {
                problems.require(length(median), "median", median, range);
                problems.require(length(p90) && p90 >= median, "p90", p90, "tokens, at least the median and at most 16777216");
            }
        }
        problems.into_vec()
    }

    /// The share of the distribution that rounds into `min..=max`.
    fn kept(self, min: u32, max: u32) -> f64 {
        let (mu, sigma) = self.parameters();
        let below = |x: f64| 0.5 * libm::erfc((mu - libm::log(x)) / (sigma * std::f64::consts::SQRT_2));
        if sigma > 0.0 {
            return below(f64::from(max) + 0.5) - below(f64::from(min) - 0.5);
        }
        let only = libm::exp(mu).round();
        if (f64::from(min)..=f64::from(max)).contains(&only) { 1.0 } else { 0.0 }
    }
}

impl LengthDistribution {
    /// All problems of these parameters; empty if they can be used.
    pub fn validate(&self) -> Vec<ParameterProblem> {
        let mut problems = Problems::default();
        match self {
            Self::Fixed { tokens } => require_tokens(&mut problems, "tokens", *tokens),
            Self::Uniform { min, max } => require_range(&mut problems, "", *min, *max),
            Self::Lognormal { shape, min, max } => {
                let (mut range, of_shape) = (Problems::default(), shape.validate());
                require_range(&mut range, "", *min, *max);
                let range = range.into_vec();
                if range.is_empty() && of_shape.is_empty() {
                    let kept = shape.kept(*min, *max);
                    let found = format_args!("{min}..={max}, which keeps {:.3} % of the lognormal", kept * 100.0).to_string();
                    problems.require(kept >= LEAST_KEPT, "min", found, "a range that keeps at least 1 % of it");
                }
                problems.within("", range);
                problems.within("", of_shape);
            }
            Self::Values(values) => {
                for (i, value) in values.iter().enumerate() {
                    require_tokens(&mut problems, &format!("values[{i}].tokens"), value.tokens);
                }
                require_weights(&mut problems, "values", values.iter().map(|value| value.weight));
            }
            Self::Histogram(bins) => {
                for (i, bin) in bins.iter().enumerate() {
                    require_range(&mut problems, &format!("bins[{i}]."), bin.min, bin.max);
                }
                require_weights(&mut problems, "bins", bins.iter().map(|bin| bin.weight));
            }
        }
        problems.into_vec()
    }
}

fn require_tokens(problems: &mut Problems, field: &str, tokens: u32) {
    problems.require((1..=MAX_TOKENS).contains(&tokens), field, tokens, "tokens from 1 to 16777216");
}

fn require_range(problems: &mut Problems, prefix: &str, min: u32, max: u32) {
    require_tokens(problems, &format!("{prefix}min"), min);
    require_tokens(problems, &format!("{prefix}max"), max);
    problems.require(min <= max, &format!("{prefix}min"), min, &format!("at most max, which is {max}"));
}

fn require_weights(problems: &mut Problems, list: &str, weights: impl Iterator<Item = f64>) {
    let mut total = 0.0;
    for (i, weight) in weights.enumerate() {
        problems.require(weight.is_finite() && weight >= 0.0, &format!("{list}[{i}].weight"), weight, "a number, 0 or more");
        total += weight;
    }
    // A NaN weight has been reported above already.
    problems.require(total.is_nan() || (total > 0.0 && total.is_finite()), list, format_args!("total weight {total}"), "a total above 0");
}

/// Draws lengths from a valid distribution.
#[derive(Debug)]
pub(super) enum LengthSampler {
    /// Always the same.
    Fixed(u32),
    /// Uniform, both ends included.
    Uniform(u32, u32),
    /// Lognormal, drawn again outside the range.
    Lognormal { mu: f64, sigma: f64, min: u32, max: u32 },
    /// Bins with their cumulative weight; values are bins of one length.
    Bins(Vec<(f64, u32, u32)>),
}

impl LengthSampler {
    /// `distribution` must be valid.
    pub(super) fn new(distribution: &LengthDistribution) -> Self {
        match distribution {
            LengthDistribution::Fixed { tokens } => Self::Fixed(*tokens),
            LengthDistribution::Uniform { min, max } => Self::Uniform(*min, *max),
            LengthDistribution::Lognormal { shape, min, max } => {
                let (mu, sigma) = shape.parameters();
                Self::Lognormal { mu, sigma, min: *min, max: *max }
            }
            LengthDistribution::Values(values) => Self::bins(values.iter().map(|value| (value.weight, value.tokens, value.tokens))),
            LengthDistribution::Histogram(bins) => Self::bins(bins.iter().map(|bin| (bin.weight, bin.min, bin.max))),
        }
    }

    fn bins(bins: impl Iterator<Item = (f64, u32, u32)>) -> Self {
        let mut total = 0.0;
        let cumulate = |(weight, min, max): (f64, u32, u32)| {
            total += weight;
            (total, min, max)
        };
        // A bin without weight is never drawn: left out, it cannot be hit by a rounding error either.
        Self::Bins(bins.filter(|bin| bin.0 > 0.0).map(cumulate).collect())
    }

    pub(super) fn draw(&self, stream: &mut Stream) -> u32 {
        match self {
            Self::Fixed(tokens) => *tokens,
            Self::Uniform(min, max) => uniform(*min, *max, stream),
            Self::Lognormal { mu, sigma, min, max } => loop {
                // Validation has made sure that at least one draw in a hundred is kept.
                let tokens = stream.lognormal(*mu, *sigma).round();
                if tokens >= f64::from(*min) && tokens <= f64::from(*max) {
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two u32")]
                    break tokens as u32;
                }
            },
            Self::Bins(bins) => {
                let total = bins.last().map_or(0.0, |bin| bin.0);
                let at = stream.uniform() * total;
                let index = bins.partition_point(|bin| bin.0 <= at);
                // `at` may round up to the total: that is the last bin. Bins are never empty: their total weight is above 0.
                bins.get(index).or(bins.last()).map_or(1, |&(_, min, max)| uniform(min, max, stream))
            }
        }
    }
}

fn uniform(min: u32, max: u32, stream: &mut Stream) -> u32 {
    if min == max {
        return min;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below max − min + 1, which is at most 2²⁴")]
    let above = stream.below(u64::from(max - min) + 1) as u32;
    min + above
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Purpose, Streams};

    const ALL: (u32, u32) = (1, MAX_TOKENS);

    fn draws(distribution: &LengthDistribution, n: usize) -> Vec<u32> {
        assert_eq!(distribution.validate(), []);
        let sampler = LengthSampler::new(distribution);
        let mut stream = Streams::new(7).stream(Purpose::Lengths, 0);
        (0..n).map(|_| sampler.draw(&mut stream)).collect()
    }

    fn moments(lengths: &[u32]) -> (f64, f64) {
        let n = lengths.len() as f64;
        let mean = lengths.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        (mean, (lengths.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n).sqrt())
    }

    fn lognormal(shape: LognormalShape, (min, max): (u32, u32)) -> LengthDistribution {
        LengthDistribution::Lognormal { shape, min, max }
    }

    #[test]
    fn fixed_and_uniform_keep_their_range_with_both_ends() {
        assert!(draws(&LengthDistribution::Fixed { tokens: 9 }, 10).iter().all(|&x| x == 9));
        let lengths = draws(&LengthDistribution::Uniform { min: 3, max: 6 }, 8000);
        for tokens in 3..=6 {
            // Binomial: 2000 ± 5 · √(8000 · 0.25 · 0.75) = 2000 ± 194.
            assert!(lengths.iter().filter(|&&x| x == tokens).count().abs_diff(2000) < 194);
        }
        assert!(lengths.iter().all(|x| (3..=6).contains(x)));
    }

    #[test]
    fn a_lognormal_has_the_statistics_it_was_given() {
        let (mean, std) = moments(&draws(&lognormal(LognormalShape::MeanStd { mean: 1000.0, std: 500.0 }, ALL), 200_000));
        approx::assert_relative_eq!(mean, 1000.0, max_relative = 0.006);
        approx::assert_relative_eq!(std, 500.0, max_relative = 0.03);
        let mut lengths = draws(&lognormal(LognormalShape::MeanMedian { mean: 1155.0, median: 1020.0 }, ALL), 200_000);
        approx::assert_relative_eq!(moments(&lengths).0, 1155.0, max_relative = 0.006);
        lengths.sort_unstable();
        approx::assert_relative_eq!(f64::from(lengths[100_000]), 1020.0, max_relative = 0.01);
        let mut lengths = draws(&lognormal(LognormalShape::MedianP90 { median: 129.0, p90: 500.0 }, ALL), 200_000);
        lengths.sort_unstable();
        approx::assert_relative_eq!(f64::from(lengths[100_000]), 129.0, max_relative = 0.02);
        approx::assert_relative_eq!(f64::from(lengths[180_000]), 500.0, max_relative = 0.02);
    }

    #[test]
    fn the_clip_of_a_lognormal_piles_nothing_up_at_its_ends() {
        let lengths = draws(&lognormal(LognormalShape::MeanStd { mean: 100.0, std: 80.0 }, (50, 150)), 20_000);
        assert!(lengths.iter().all(|x| (50..=150).contains(x)));
        // A clamp would put about 30 % of all draws at 50; the density there is below 2 % a token.
        assert!(lengths.iter().filter(|&&x| x == 50).count() < 400);
    }

    #[test]
    fn a_lognormal_without_spread_is_a_constant() {
        assert!(draws(&lognormal(LognormalShape::MeanStd { mean: 100.0, std: 0.0 }, ALL), 10).iter().all(|&x| x == 100));
        assert!(draws(&lognormal(LognormalShape::MeanMedian { mean: 64.0, median: 64.0 }, ALL), 10).iter().all(|&x| x == 64));
    }

    #[test]
    fn a_clip_that_keeps_almost_nothing_is_refused_instead_of_drawn_for_ever() {
        let problems = lognormal(LognormalShape::MeanStd { mean: 100.0, std: 10.0 }, (5000, 6000)).validate();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(lognormal(LognormalShape::MeanStd { mean: 100.0, std: 0.0 }, (101, 200)).validate().len(), 1);
    }

    #[test]
    fn empirical_lengths_come_by_weight_and_never_without_one() {
        let value = |tokens, weight| WeightedLength { tokens, weight };
        let lengths = draws(&LengthDistribution::Values(vec![value(1, 0.0), value(10, 3.0), value(20, 1.0), value(99, 0.0)]), 8000);
        let tens = lengths.iter().filter(|&&x| x == 10).count();
        assert!(tens.abs_diff(6000) < 194 && lengths.iter().all(|x| [10, 20].contains(x)));
        let bin = |min, max, weight| LengthBin { min, max, weight };
        let lengths = draws(&LengthDistribution::Histogram(vec![bin(1, 4, 1.0), bin(100, 199, 1.0)]), 8000);
        // Half at (1 + 4)/2, half at (100 + 199)/2: mean 76; its standard error is 0.9.
        approx::assert_relative_eq!(moments(&lengths).0, 76.0, epsilon = 4.5);
        assert!(lengths.iter().all(|x| (1..=4).contains(x) || (100..=199).contains(x)));
    }

    #[test]
    fn all_problems_of_a_distribution_are_named_at_once() {
        let fields = |distribution: &LengthDistribution| distribution.validate().into_iter().map(|p| p.field).collect::<Vec<_>>();
        assert_eq!(fields(&LengthDistribution::Fixed { tokens: 0 }), ["tokens"]);
        assert_eq!(fields(&LengthDistribution::Uniform { min: 0, max: u32::MAX }), ["min", "max"]);
        assert_eq!(fields(&LengthDistribution::Uniform { min: 5, max: 4 }), ["min"]);
        assert_eq!(fields(&lognormal(LognormalShape::MeanStd { mean: f64::NAN, std: -1.0 }, (0, 9))), ["min", "mean", "std"]);
        assert_eq!(fields(&lognormal(LognormalShape::MeanMedian { mean: 5.0, median: 6.0 }, ALL)), ["median"]);
        assert_eq!(fields(&lognormal(LognormalShape::MedianP90 { median: 1e300, p90: 6.0 }, ALL)), ["median", "p90"]);
        assert_eq!(fields(&LengthDistribution::Values(vec![])), ["values"]);
        let bins = vec![LengthBin { min: 2, max: 1, weight: f64::NAN }, LengthBin { min: 1, max: 1, weight: -1.0 }];
        assert_eq!(fields(&LengthDistribution::Histogram(bins)), ["bins[0].min", "bins[0].weight", "bins[1].weight"]);
    }
}
