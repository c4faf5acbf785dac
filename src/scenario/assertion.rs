//! Conditions on the results: `latency.ttft_ms.p99 < 2000`.
//!
//! Owns: their syntax and evaluation. Must not know: the source of results.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::metrics::metric::{NoMetric, Reading, Shape};
use crate::metrics::{AssertionResult, Summary};

/// Comparison of the value with the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
}

/// A condition on one number of `summary.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    /// The condition as written.
    pub text: String,
    /// Path of the number, such as `pools.decode.utilization` or `latency.ttft_ms.p99`.
    pub path: String,
    /// The comparison.
    pub op: Op,
    /// The limit, in the unit of the number.
    pub limit: f64,
}

/// Why a text is not a condition. User error.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AssertionError {
    /// No comparison.
    #[error("`{0}` has no comparison, expected one such as `latency.ttft_ms.p99 < 2000`")]
    NoComparison(String),
    /// Left side empty or not a path.
    #[error("`{0}` is not the path of a number in summary.json, expected one such as `latency.ttft_ms.p99`")]
    BadPath(String),
    /// Right side not a number.
    #[error("`{0}` is not a number, expected one such as `2000`, `20k`, `1.5M` or `95 %`")]
    BadNumber(String),
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
        })
    }
}

impl FromStr for Assertion {
    type Err = AssertionError;

    fn from_str(text: &str) -> Result<Self, AssertionError> {
        // Two-character operators first: `<=` also contains `<`.
        let ops =
            [("<=", Op::LessOrEqual), (">=", Op::GreaterOrEqual), ("==", Op::Equal), ("<", Op::Less), (">", Op::Greater), ("=", Op::Equal)];
        let parts = ops.iter().find_map(|(sign, op)| text.split_once(sign).map(|(l, r)| (l.trim(), *op, r.trim())));
        let Some((path, op, number)) = parts else { return Err(AssertionError::NoComparison(text.trim().into())) };
        if path.is_empty() || path.contains(char::is_whitespace) {
            return Err(AssertionError::BadPath(path.into()));
        }
        let limit = number_of(number).ok_or_else(|| AssertionError::BadNumber(number.into()))?;
        Ok(Self { text: text.trim().into(), path: path.into(), op, limit })
    }
}

fn number_of(text: &str) -> Option<f64> {
    let (digits, factor) = [("%", 0.01), ("k", 1e3), ("M", 1e6), ("G", 1e9)]
        .into_iter()
        .find_map(|(suffix, factor)| text.strip_suffix(suffix).map(|d| (d.trim_end(), factor)))
        .unwrap_or((text, 1.0));
    let plain = digits.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) && !digits.contains(char::is_whitespace);
    let value: f64 = digits.parse().ok().filter(|_| plain)?;
    Some(value * factor).filter(|v| v.is_finite())
}

impl Assertion {
    /// Resolves the path against the summaries of one shape.
    ///
    /// # Errors
    /// A path that such summaries lack.
    pub fn reading(&self, shape: &Shape) -> Result<Reading, NoMetric> {
        Reading::find(&self.path, shape)
    }

    /// Checks the condition on a summary. A condition on a number without a value does not hold.
    pub fn evaluate(&self, summary: &Summary) -> AssertionResult {
        let value = self.reading(&Shape::of(summary)).ok().and_then(|reading| reading.of(summary));
        AssertionResult { text: self.text.clone(), holds: value.is_some_and(|value| self.is_met_by(value)), value }
    }

    /// Whether the condition holds for a number.
    pub fn is_met_by(&self, value: f64) -> bool {
        match self.op {
            Op::Less => value < self.limit,
            Op::LessOrEqual => value <= self.limit,
            Op::Greater => value > self.limit,
            Op::GreaterOrEqual => value >= self.limit,
            // The limit is written in decimal: equal up to the last few bits.
            Op::Equal => (value - self.limit).abs() <= 1e-9 * self.limit.abs(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_condition_is_a_path_a_comparison_and_a_number() {
        let of = |text: &str| text.parse::<Assertion>().map(|a| (a.path, a.op, a.limit)).unwrap();
        assert_eq!(of("latency.ttft_ms.p99 < 1.5k"), ("latency.ttft_ms.p99".to_owned(), Op::Less, 1500.0));
        assert_eq!(of(" goodput.slo_attainment >=97 %"), ("goodput.slo_attainment".to_owned(), Op::GreaterOrEqual, 0.97));
        assert_eq!(of("tokens.output == 2M"), ("tokens.output".to_owned(), Op::Equal, 2e6));
        assert_eq!(of("pools[0].utilization<=0.8"), ("pools[0].utilization".to_owned(), Op::LessOrEqual, 0.8));
    }

    #[test]
    fn a_condition_holds_on_one_side_of_its_limit() {
        let met = |text: &str, value| text.parse::<Assertion>().unwrap().is_met_by(value);
        assert!(met("a < 2", 1.9) && !met("a < 2", 2.0) && met("a <= 2", 2.0));
        assert!(met("a > 97 %", 0.98) && !met("a > 97 %", 0.97) && met("a >= 97 %", 0.97));
        assert!(met("a == 0.3", 0.1 + 0.2) && !met("a == 0.3", 0.300_001));
        assert!(!met("a == 1", f64::NAN));
    }

    #[test]
    fn invalid_conditions_are_refused() {
        assert!(matches!("p99".parse::<Assertion>(), Err(AssertionError::NoComparison(_))));
        assert!(matches!("< 5".parse::<Assertion>(), Err(AssertionError::BadPath(_))));
        for number in ["", "fast", "nan", "inf", "1e999", "5 ms", "1 2"] {
            assert!(matches!(format!("a.b < {number}").parse::<Assertion>(), Err(AssertionError::BadNumber(_))), "{number}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            if let Ok(assertion) = text.parse::<Assertion>() {
                let _ = assertion.reading(&Shape::default());
            }
        }
    }
}
