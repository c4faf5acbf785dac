//! The mean of independent replications.

use super::interval::Interval;
use crate::metrics::student_t;

/// A mean and its certainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub value: f64,
    /// Its 95 % interval; `None` for a single value, or if the mean or the spread is not finite.
    pub interval: Option<Interval>,
}

/// Mean of independent values, one per seed, with Student's t interval `mean ± t(n − 1) · s / √n` (Law, *Simulation Modeling and Analysis*, chapter
/// 9). `None` without values.
///
/// Two configurations run on the same seeds are compared by their differences seed by seed: common effects of the seeds cancel.
pub fn of_replications(values: &[f64]) -> Option<Estimate> {
    if values.is_empty() {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    let half = student_t(n - 1.0) * (squares / (n - 1.0) / n).sqrt();
    let interval = (values.len() > 1 && half.is_finite()).then_some(Interval { low: mean - half, high: mean + half });
    Some(Estimate { value: mean, interval })
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn three_values_agree_with_arithmetic_by_hand() {
        // 1, 2 and 6: mean 3, s² = (4 + 1 + 9) / 2 = 7, t(2) = 4.3027.
        let estimate = of_replications(&[1.0, 2.0, 6.0]).unwrap();
        let interval = estimate.interval.unwrap();
        assert_relative_eq!(estimate.value, 3.0);
        assert_relative_eq!(interval.high - 3.0, 4.302_653 * (7.0_f64 / 3.0).sqrt(), max_relative = 1e-12);
        assert_relative_eq!(3.0 - interval.low, interval.high - 3.0, max_relative = 1e-12);
        assert!(interval.contains_zero());
    }

    #[test]
    fn no_value_has_no_mean_and_one_value_no_interval() {
        assert_eq!(of_replications(&[]), None);
        assert_eq!(of_replications(&[4.0]), Some(Estimate { value: 4.0, interval: None }));
        assert_eq!(of_replications(&[4.0; 5]).unwrap().interval, Some(Interval { low: 4.0, high: 4.0 }));
    }

    #[test]
    fn non_finite_values_have_no_interval() {
        let infinite = of_replications(&[1.0, f64::INFINITY]).unwrap();
        assert!(infinite.value.is_infinite() && infinite.interval.is_none());
        let undefined = of_replications(&[1.0, f64::NAN]).unwrap();
        assert!(undefined.value.is_nan() && undefined.interval.is_none());
    }
}
