//! A row of a table, and what a table can be asked.

use super::super::summary::Distribution;
use super::Given;

/// Which of two values a user would rather have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The smaller.
    Less,
    /// The larger.
    More,
    /// It depends: the number describes, it does not judge.
    Neither,
}

impl Better {
    /// In a word, for files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Less => "less",
            Self::More => "more",
            Self::Neither => "neither",
        }
    }

    /// In words; empty where there is nothing to say.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Less => "less is better",
            Self::More => "more is better",
            Self::Neither => "",
        }
    }
}

/// How a metric is read from the part of a summary that it belongs to.
#[derive(Debug)]
pub enum Read<T: 'static> {
    /// A whole number; `None` where it has no meaning in the run.
    Count(fn(&T) -> Option<u64>),
    /// A number; `None` where it has no meaning in the run.
    Number(fn(&T) -> Option<f64>),
    /// A distribution, each of whose statistics is a number.
    Distribution(fn(&T) -> Option<Distribution>),
}

/// What a row says, whatever part of a summary it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricInfo {
    /// Its place in that part: `energy.it_j`.
    pub id: &'static str,
    /// Unit; empty for a ratio.
    pub unit: &'static str,
    /// Which of two values is better.
    pub better: Better,
    /// The [`Definition`](super::super::Definition) it belongs to, by id.
    pub about: &'static str,
    /// One line.
    pub text: &'static str,
    /// What a scenario must have for it to have a value; without it, `summary.json` has no such field.
    pub given: Option<Given>,
}

/// Rows in groups, in the order of `summary.json`.
pub type Table<T> = &'static [&'static [Metric<T>]];

/// A row: a metric of a run, a pool, a class.
#[derive(Debug)]
pub struct Metric<T: 'static> {
    /// What it says.
    pub info: MetricInfo,
    /// How it is read.
    pub read: Read<T>,
}

impl<T> Metric<T> {
    const fn new(id: &'static str, unit: &'static str, better: Better, about: &'static str, text: &'static str, read: Read<T>) -> Self {
        Self { info: MetricInfo { id, unit, better, about, text, given: None }, read }
    }

    /// A row of a whole number that may have no value.
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

    /// A row of a number that may have no value.
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

    /// A row of a distribution.
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

    /// The same, of scenarios alone that have what it needs.
    pub(super) const fn given(mut self, given: Given) -> Self {
        self.info.given = Some(given);
        self
    }
}
