//! Think and tool times. Owns the distributions and their sampling.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sim::{SimDuration, Stream};
use crate::units::{Duration, Plain};
use crate::workload::ParameterProblem;
use crate::workload::error::Problems;

/// Maximum mean or median, seconds: a year.
const LONGEST_S: f64 = 365.25 * 86_400.0;

/// The distribution of a time between an answer and the next call, in seconds. No draw is longer than ten years.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum DelayDistribution {
    /// Always the same.
    Fixed(
        #[serde(with = "Plain::<Duration>")]
        #[schemars(with = "Duration", extend("x-most" = 31_557_600))]
        f64,
    ),
    /// Exponential.
    Exponential {
        /// Mean.
        #[serde(with = "Plain::<Duration>")]
        #[schemars(with = "Duration", extend("x-above" = 0, "x-most" = 31_557_600))]
        mean: f64,
    },
    /// Lognormal: most times are short, a few very long.
    Lognormal {
        /// Half of the draws are below it.
        #[serde(with = "Plain::<Duration>")]
        #[schemars(with = "Duration", extend("x-above" = 0, "x-most" = 31_557_600))]
        median: f64,
        /// Mean; at least `median`.
        #[serde(with = "Plain::<Duration>")]
        #[schemars(with = "Duration", extend("x-above" = 0, "x-most" = 31_557_600))]
        mean: f64,
    },
}

impl DelayDistribution {
    /// All problems of these parameters; empty if valid.
    pub fn validate(&self) -> Vec<ParameterProblem> {
        let mut problems = Problems::default();
        let above_zero = |s: f64| s > 0.0 && s <= LONGEST_S;
        match *self {
            Self::Fixed(seconds) => {
                problems.require((0.0..=LONGEST_S).contains(&seconds), "fixed", seconds, "seconds, 0 or more and at most a year");
            }
            Self::Exponential { mean } => {
                problems.require(above_zero(mean), "exponential.mean", mean, "seconds, above 0 and at most a year");
            }
            Self::Lognormal { median, mean } => {
                problems.require(above_zero(median), "lognormal.median", median, "seconds, above 0 and at most a year");
                problems.require(
                    above_zero(mean) && mean >= median,
                    "lognormal.mean",
                    mean,
                    "seconds, at least the median and at most a year",
                );
            }
        }
        problems.into_vec()
    }

    /// A sample. For valid parameters.
    pub(super) fn draw(&self, stream: &mut Stream) -> SimDuration {
        let seconds = match *self {
            Self::Fixed(seconds) => seconds,
            Self::Exponential { mean } => mean * stream.exponential(),
            Self::Lognormal { median, mean } => stream.lognormal(libm::log(median), (2.0 * libm::log(mean / median)).sqrt()),
        };
        // The range is 292 years.
        SimDuration::from_secs_f64(seconds.min(10.0 * LONGEST_S)).unwrap_or(SimDuration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Purpose, Streams};

    #[test]
    fn draws_match_the_mean_and_the_median() {
        let mut stream = Streams::new(3).stream(Purpose::Delays, 0);
        let mut draws = |distribution: DelayDistribution| {
            let mut all: Vec<f64> = (0..100_000).map(|_| distribution.draw(&mut stream).as_secs_f64()).collect();
            all.sort_by(f64::total_cmp);
            (all.iter().sum::<f64>() / 1e5, all[50_000])
        };
        approx::assert_relative_eq!(draws(DelayDistribution::Fixed(1.5)).1, 1.5);
        let (mean, median) = draws(DelayDistribution::Exponential { mean: 8.0 });
        approx::assert_relative_eq!(mean, 8.0, max_relative = 0.02);
        approx::assert_relative_eq!(median, 8.0 * 2.0f64.ln(), max_relative = 0.02);
        let (mean, median) = draws(DelayDistribution::Lognormal { median: 10.0, mean: 20.0 });
        approx::assert_relative_eq!(mean, 20.0, max_relative = 0.03);
        approx::assert_relative_eq!(median, 10.0, max_relative = 0.02);
    }

    #[test]
    fn invalid_parameters_are_rejected() {
        for bad in [
            DelayDistribution::Fixed(f64::NAN),
            DelayDistribution::Fixed(-1.0),
            DelayDistribution::Exponential { mean: 0.0 },
            DelayDistribution::Lognormal { median: 5.0, mean: 4.0 },
            DelayDistribution::Lognormal { median: 5.0, mean: 1e300 },
        ] {
            assert_eq!(bad.validate().len(), 1, "{bad:?}");
        }
    }
}
