//! Lengths of prompts and outputs. Owns the distributions and their sampling; must not know arrival times.

use super::error::{ParameterProblem, Problems};
use crate::sim::Stream;

/// Maximum prompt or output length, tokens (2²⁴). Anything longer is treated as an error.
pub const MAX_TOKENS: u32 = 1 << 24;

/// A lognormal whose truncation keeps less than this share of it is rejected.
const LEAST_KEPT: f64 = 0.01;

/// A distribution of lengths. All lengths are whole tokens from 1 to [`MAX_TOKENS`].
#[derive(Debug, Clone, PartialEq)]
pub enum LengthDistribution {
    /// Constant.
    Fixed {
        /// Tokens.
        tokens: u32,
    },
    /// Every integer from `min` to `max`, both included, equally likely.
    Uniform {
        /// Shortest, tokens.
        min: u32,
        /// Longest, tokens.
        max: u32,
    },
    /// Lognormal, rounded to the nearest token. Draws outside `min..=max` are repeated, so there is no mass at the ends; the mean then differs from
    /// the parameter because of the truncation.
    Lognormal {
        /// Mean before truncation, tokens, at least the median.
        mean: f64,
        /// Median before truncation, tokens, above 0.
        median: f64,
        /// Shortest, tokens.
        min: u32,
        /// Longest, tokens.
        max: u32,
    },
    /// Measured lengths, tokens, each equally likely; at least one.
    Values(Vec<u32>),
}

/// μ and σ of the logarithm, from the mean exp(μ + σ²/2) and the median exp(μ).
fn lognormal_parameters(mean: f64, median: f64) -> (f64, f64) {
    (libm::log(median), (2.0 * libm::log(mean / median)).sqrt())
}

/// The share of a lognormal that rounds into `min..=max`.
fn kept(mean: f64, median: f64, min: u32, max: u32) -> f64 {
    let (mu, sigma) = lognormal_parameters(mean, median);
    let below = |x: f64| 0.5 * libm::erfc((mu - libm::log(x)) / (sigma * std::f64::consts::SQRT_2));
    if sigma > 0.0 {
        return below(f64::from(max) + 0.5) - below(f64::from(min) - 0.5);
    }
    let only = libm::exp(mu).round();
    if (f64::from(min)..=f64::from(max)).contains(&only) { 1.0 } else { 0.0 }
}

impl LengthDistribution {
    /// All problems of these parameters; empty if valid.
    pub fn validate(&self) -> Vec<ParameterProblem> {
        let mut problems = Problems::default();
        match self {
            Self::Fixed { tokens } => require_tokens(&mut problems, "tokens", *tokens),
            Self::Uniform { min, max } => {
                let mut range = Problems::default();
                require_range(&mut range, *min, *max);
                problems.within("uniform", range.into_vec());
            }
            Self::Lognormal { mean, median, min, max } => {
                let (mut range, mut shape) = (Problems::default(), Problems::default());
                require_range(&mut range, *min, *max);
                let length = |x: f64| x > 0.0 && x <= f64::from(MAX_TOKENS);
                shape.require(length(*mean), "mean", mean, "tokens, above 0 and at most 16,777,216");
                shape.require(length(*median) && median <= mean, "median", median, "tokens, above 0 and at most the mean");
                let (range, shape) = (range.into_vec(), shape.into_vec());
                if range.is_empty() && shape.is_empty() {
                    let kept = kept(*mean, *median, *min, *max);
                    let expected = format!("a range that keeps at least 1 % of the draws (this one keeps {:.3} %)", kept * 100.0);
                    problems.require(kept >= LEAST_KEPT, "lognormal", format_args!("min: {min}, max: {max}"), &expected);
                }
                problems.within("lognormal", range);
                problems.within("lognormal", shape);
            }
            Self::Values(values) => {
                problems.require(!values.is_empty(), "values", "none", "at least one length");
                for (i, &tokens) in values.iter().enumerate() {
                    require_tokens(&mut problems, &format!("values[{i}]"), tokens);
                }
            }
        }
        problems.into_vec()
    }

    /// Minimum possible length, tokens. For valid parameters.
    pub fn shortest(&self) -> u32 {
        match self {
            Self::Fixed { tokens } => *tokens,
            Self::Uniform { min, .. } | Self::Lognormal { min, .. } => *min,
            Self::Values(values) => values.iter().copied().min().unwrap_or(1),
        }
    }
}

fn require_tokens(problems: &mut Problems, field: &str, tokens: u32) {
    problems.require((1..=MAX_TOKENS).contains(&tokens), field, tokens, "tokens from 1 to 16,777,216");
}

fn require_range(problems: &mut Problems, min: u32, max: u32) {
    require_tokens(problems, "min", min);
    require_tokens(problems, "max", max);
    problems.require(min <= max, "min", min, &format!("at most max, which is {max}"));
}

/// Draws lengths from a valid distribution.
#[derive(Debug)]
pub(super) enum LengthSampler {
    /// Constant.
    Fixed(u32),
    /// Uniform, both ends included.
    Uniform(u32, u32),
    /// Lognormal; draws outside the range are repeated.
    Lognormal { mu: f64, sigma: f64, min: u32, max: u32 },
    /// One of these, equally likely.
    Values(Vec<u32>),
}

impl LengthSampler {
    /// `distribution` must be valid.
    pub(super) fn new(distribution: &LengthDistribution) -> Self {
        match distribution {
            LengthDistribution::Fixed { tokens } => Self::Fixed(*tokens),
            LengthDistribution::Uniform { min, max } => Self::Uniform(*min, *max),
            LengthDistribution::Lognormal { mean, median, min, max } => {
                let (mu, sigma) = lognormal_parameters(*mean, *median);
                Self::Lognormal { mu, sigma, min: *min, max: *max }
            }
            LengthDistribution::Values(values) => Self::Values(values.clone()),
        }
    }

    pub(super) fn draw(&self, stream: &mut Stream) -> u32 {
        match self {
            Self::Fixed(tokens) => *tokens,
            Self::Uniform(min, max) => uniform(*min, *max, stream),
            Self::Lognormal { mu, sigma, min, max } => loop {
                // Validation ensures that at least one draw in a hundred is kept.
                let tokens = stream.lognormal(*mu, *sigma).round();
                if tokens >= f64::from(*min) && tokens <= f64::from(*max) {
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two u32")]
                    break tokens as u32;
                }
            },
            Self::Values(values) => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number from 0 to the length of a list")]
                let index = (stream.uniform() * values.len() as f64) as usize;
                // The product may round up to the length: take the last value. There is at least one.
                values.get(index).or(values.last()).copied().unwrap_or(1)
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

    fn lognormal(mean: f64, median: f64, (min, max): (u32, u32)) -> LengthDistribution {
        LengthDistribution::Lognormal { mean, median, min, max }
    }

    #[test]
    fn fixed_and_uniform_cover_their_range_with_both_ends() {
        assert!(draws(&LengthDistribution::Fixed { tokens: 9 }, 10).iter().all(|&x| x == 9));
        let lengths = draws(&LengthDistribution::Uniform { min: 3, max: 6 }, 8000);
        for tokens in 3..=6 {
            // Binomial: 2000 ± 5 · √(8000 · 0.25 · 0.75) = 2000 ± 194.
            assert!(lengths.iter().filter(|&&x| x == tokens).count().abs_diff(2000) < 194);
        }
        assert!(lengths.iter().all(|x| (3..=6).contains(x)));
    }

    #[test]
    fn a_lognormal_matches_its_parameters() {
        let mut lengths = draws(&lognormal(1155.0, 1020.0, ALL), 200_000);
        approx::assert_relative_eq!(moments(&lengths).0, 1155.0, max_relative = 0.006);
        lengths.sort_unstable();
        approx::assert_relative_eq!(f64::from(lengths[100_000]), 1020.0, max_relative = 0.01);
        // σ² = 2 ln 1.25 = 0.4463; the standard deviation is mean · √(exp(σ²) − 1) = 1250 · 0.75.
        let (_, std) = moments(&draws(&lognormal(1250.0, 1000.0, ALL), 200_000));
        approx::assert_relative_eq!(std, 937.5, max_relative = 0.03);
    }

    #[test]
    fn truncation_of_a_lognormal_adds_no_mass_at_the_ends() {
        let lengths = draws(&lognormal(100.0, 78.0, (50, 150)), 20_000);
        assert!(lengths.iter().all(|x| (50..=150).contains(x)));
        // A clamp would put about 30 % of all draws at 50; the density there is below 2 % per token.
        assert!(lengths.iter().filter(|&&x| x == 50).count() < 400);
    }

    #[test]
    fn a_lognormal_without_spread_is_a_constant() {
        assert!(draws(&lognormal(64.0, 64.0, ALL), 10).iter().all(|&x| x == 64));
    }

    #[test]
    fn a_truncation_that_keeps_almost_nothing_is_rejected() {
        let problems = lognormal(100.0, 99.5, (5000, 6000)).validate();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(lognormal(100.0, 100.0, (101, 200)).validate().len(), 1);
    }

    #[test]
    fn empirical_lengths_are_equally_likely() {
        let lengths = draws(&LengthDistribution::Values(vec![10, 20, 10, 10]), 8000);
        let tens = lengths.iter().filter(|&&x| x == 10).count();
        // Binomial: 6000 ± 5 · √(8000 · 0.75 · 0.25) = 6000 ± 194.
        assert!(tens.abs_diff(6000) < 194 && lengths.iter().all(|x| [10, 20].contains(x)));
    }

    #[test]
    fn no_length_is_below_the_minimum() {
        let values = LengthDistribution::Values(vec![9, 4, 7]);
        for distribution in [LengthDistribution::Uniform { min: 3, max: 4 }, lognormal(100.0, 50.0, (49, 60)), values] {
            let lengths = draws(&distribution, 1000);
            assert_eq!(lengths.iter().copied().min(), Some(distribution.shortest()), "{distribution:?}");
        }
    }

    #[test]
    fn all_problems_of_a_distribution_are_reported_at_once() {
        let fields = |distribution: &LengthDistribution| distribution.validate().into_iter().map(|p| p.field).collect::<Vec<_>>();
        assert_eq!(fields(&LengthDistribution::Fixed { tokens: 0 }), ["tokens"]);
        assert_eq!(fields(&LengthDistribution::Uniform { min: 0, max: u32::MAX }), ["uniform.min", "uniform.max"]);
        assert_eq!(fields(&LengthDistribution::Uniform { min: 5, max: 4 }), ["uniform.min"]);
        assert_eq!(fields(&lognormal(f64::NAN, -1.0, (0, 9))), ["lognormal.min", "lognormal.mean", "lognormal.median"]);
        assert_eq!(fields(&lognormal(5.0, 6.0, ALL)), ["lognormal.median"]);
        assert_eq!(fields(&lognormal(1e300, 1e300, ALL)), ["lognormal.mean", "lognormal.median"]);
        assert_eq!(fields(&LengthDistribution::Values(vec![])), ["values"]);
        assert_eq!(fields(&LengthDistribution::Values(vec![1, 0])), ["values[1]"]);
    }
}
