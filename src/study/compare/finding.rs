//! Interpretation of a difference, and its certainty.

use super::super::statistics::Interval;
use crate::metrics::metric::Better;

/// Relative differences below this are due to rounding.
const ROUNDING: f64 = 1e-9;

/// Position of a variant relative to the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Better.
    Better,
    /// Worse.
    Worse,
    /// Higher, for a metric without a better direction.
    Higher,
    /// Lower, for a metric without a better direction.
    Lower,
    /// Equal.
    Same,
}

impl Side {
    /// Position of `b` relative to `a`.
    pub(super) fn of(a: f64, b: f64, better: Better) -> Self {
        let rounding = ROUNDING * a.abs().max(b.abs());
        if a.total_cmp(&b).is_eq() || rounding.is_finite() && (b - a).abs() <= rounding {
            return Self::Same;
        }
        match (better, b > a) {
            (Better::Less, true) | (Better::More, false) => Self::Worse,
            (Better::Less, false) | (Better::More, true) => Self::Better,
            (Better::Neither, true) => Self::Higher,
            (Better::Neither, false) => Self::Lower,
        }
    }

    /// One word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Higher => "higher",
            Self::Lower => "lower",
            Self::Same => "equal",
        }
    }
}

/// Certainty of a difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Certainty {
    /// A 95 % confidence interval of the difference.
    Interval(Interval),
    /// Both totals are exact: the trace has no randomness, or the runs are equal in every number. Says nothing about other traces.
    Exact,
    /// The requests form too few independent blocks for an interval.
    FewBlocks(f64),
    /// One run each, with random requests.
    OneRun,
    /// Unfinished requests leave no number to compare.
    Unfinished,
    /// The variant serves other requests than the baseline, with one run each.
    OtherRequests,
    /// This many runs of the variant or the baseline have no value.
    NoValue(usize),
}

/// A variant compared with the baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Variant − baseline; not finite if it depends on unfinished requests.
    pub value: f64,
    /// Difference / baseline; `None` if the baseline is zero.
    pub relative: Option<f64>,
    /// The better side, according to the values alone.
    pub side: Side,
    /// Certainty of the difference.
    pub certainty: Certainty,
}

impl Certainty {
    /// A kebab-case name, for files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interval(_) => "interval",
            Self::Exact => "exact",
            Self::FewBlocks(_) => "few-blocks",
            Self::OneRun => "one-run",
            Self::Unfinished => "unfinished",
            Self::OtherRequests => "other-requests",
            Self::NoValue(_) => "no-value",
        }
    }
}

impl Difference {
    pub(super) fn new(a: f64, b: f64, value: f64, better: Better, certainty: Certainty) -> Self {
        let relative = (a.abs() > 0.0 && a.is_finite() && value.is_finite()).then(|| value / a.abs());
        let side = Side::of(a, a + value, better);
        let side = if value.is_finite() { side } else { Side::of(a, b, better) };
        Self { value, relative, side, certainty }
    }

    /// True if the difference is significant, or certainly zero.
    pub fn is_sure(&self) -> bool {
        match self.certainty {
            Certainty::Interval(interval) => self.side == Side::Same || !interval.contains_zero(),
            Certainty::Exact => true,
            Certainty::Unfinished => self.side != Side::Same,
            _ => false,
        }
    }

    /// The finding in a few words, without a reason.
    pub fn word(&self) -> String {
        match self.certainty {
            _ if self.value.is_nan() => "cannot tell".to_owned(),
            Certainty::Exact if self.side != Side::Same => format!("{}, this trace", self.side.name()),
            _ if self.is_sure() => self.side.name().to_owned(),
            Certainty::Interval(_) => "cannot be told apart".to_owned(),
            _ => "cannot tell".to_owned(),
        }
    }

    /// The finding with its reason.
    pub fn finding(&self) -> String {
        let side = self.side.name();
        match self.certainty {
            _ if self.value.is_nan() => "no number to compare".to_owned(),
            Certainty::Interval(_) if self.is_sure() => side.to_owned(),
            Certainty::Interval(_) => "cannot be told apart".to_owned(),
            Certainty::Exact if self.side == Side::Same => "equal".to_owned(),
            Certainty::Exact => format!("{side}, exact for this trace"),
            Certainty::FewBlocks(blocks) => format!("this trace cannot tell: {blocks:.0} independent blocks"),
            Certainty::OneRun => "one run is not enough to tell".to_owned(),
            Certainty::Unfinished => format!("{side}: requests never finished"),
            Certainty::OtherRequests => "one run of different requests is not enough to tell".to_owned(),
            Certainty::NoValue(1) => "one run has no value".to_owned(),
            Certainty::NoValue(runs) => format!("{runs} runs have no value"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_side_follows_from_the_better_direction() {
        assert_eq!(Side::of(2.0, 1.0, Better::Less), Side::Better);
        assert_eq!(Side::of(2.0, 1.0, Better::More), Side::Worse);
        assert_eq!(Side::of(2.0, 1.0, Better::Neither), Side::Lower);
        assert_eq!(Side::of(0.1 + 0.2, 0.3, Better::More), Side::Same);
        assert_eq!(Side::of(0.0, 0.0, Better::More), Side::Same);
        assert_eq!(Side::of(f64::INFINITY, f64::INFINITY, Better::Less), Side::Same);
        assert_eq!(Side::of(1.0, f64::INFINITY, Better::Less), Side::Worse);
    }

    #[test]
    fn an_interval_that_contains_zero_is_inconclusive() {
        let of = |low, high| {
            let difference = Difference::new(100.0, 99.0, -1.0, Better::Less, Certainty::Interval(Interval { low, high }));
            (difference.is_sure(), difference.finding())
        };
        assert_eq!(of(-2.0, 0.5), (false, "cannot be told apart".to_owned()));
        assert_eq!(of(-2.0, -0.5), (true, "better".to_owned()));
        let none = Difference::new(5.0, 5.0, 0.0, Better::Less, Certainty::Interval(Interval { low: 0.0, high: 0.0 }));
        assert_eq!((none.is_sure(), none.finding().as_str(), none.relative), (true, "equal", Some(0.0)));
        let few = Difference::new(5.0, 4.0, -1.0, Better::Less, Certainty::FewBlocks(12.3));
        assert_eq!((few.is_sure(), few.finding().as_str()), (false, "this trace cannot tell: 12 independent blocks"));
    }
}
