//! Rows and tables of metrics.

use super::super::summary::Distribution;
use super::Given;

/// Direction of improvement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Smaller is better.
    Less,
    /// Larger is better.
    More,
    /// The number is descriptive, neither good nor bad.
    Neither,
}

impl Better {
    /// One word, for files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Less => "less",
            Self::More => "more",
            Self::Neither => "neither",
        }
    }

    /// In words; empty for `Neither`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Less => "less is better",
            Self::More => "more is better",
            Self::Neither => "",
        }
    }
}

/// Accessor of a metric in its part of a summary.
#[derive(Debug)]
pub enum Read<T: 'static> {
    /// A whole number; `None` if undefined in the run.
    Count(fn(&T) -> Option<u64>),
    /// A number; `None` if undefined in the run.
    Number(fn(&T) -> Option<f64>),
    /// A distribution; each of its statistics is a number.
    Distribution(fn(&T) -> Option<Distribution>),
}

/// Metadata of a row, independent of the part of a summary it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricInfo {
    /// Its path in that part: `energy.it_j`.
    pub id: &'static str,
    /// Unit; empty for a ratio.
    pub unit: &'static str,
    /// Direction of improvement.
    pub better: Better,
    /// The [`Definition`](super::super::Definition) it belongs to, by id.
    pub about: &'static str,
    /// One-line description.
    pub text: &'static str,
    /// Required property of the scenario; without it, `summary.json` has no such field.
    pub given: Option<Given>,
}

/// Rows in groups, in the order of `summary.json`.
pub type Table<T> = &'static [&'static [Metric<T>]];

/// A row: a metric of a run, a pool, a class.
#[derive(Debug)]
pub struct Metric<T: 'static> {
    /// Its metadata.
    pub info: MetricInfo,
    /// How it is read.
    pub read: Read<T>,
}

impl<T> Metric<T> {
    const fn new(id: &'static str, unit: &'static str, better: Better, about: &'static str, text: &'static str, read: Read<T>) -> Self {
        Self { info: MetricInfo { id, unit, better, about, text, given: None }, read }
    }

    /// A row with an optional whole number.
    pub(super) const fn count(
        id: &'static str,
        unit: &'static str,
        better: Better,
        about: &'static str,
        text: &'static str,
        read: fn(&T) -> Option<u64>,
    ) -> Self {
        Self::new(id, unit, better, about, text, Read::Count(read))
    }

    /// A row with an optional number.
    pub(super) const fn number(
        id: &'static str,
        unit: &'static str,
        better: Better,
        about: &'static str,
        text: &'static str,
        read: fn(&T) -> Option<f64>,
    ) -> Self {
        Self::new(id, unit, better, about, text, Read::Number(read))
    }

    /// A row with a distribution.
    pub(super) const fn distribution(
        id: &'static str,
        unit: &'static str,
        better: Better,
        about: &'static str,
        text: &'static str,
        read: fn(&T) -> Option<Distribution>,
    ) -> Self {
        Self::new(id, unit, better, about, text, Read::Distribution(read))
    }

    /// Restricts the row to scenarios with the property it requires.
    pub(super) const fn given(mut self, given: Given) -> Self {
        self.info.given = Some(given);
        self
    }
}
