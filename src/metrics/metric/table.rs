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

/// What a metric reads; `None` if undefined in the run.
#[derive(Debug, Clone, Copy)]
pub enum MetricValue {
    /// A whole number.
    Count(Option<u64>),
    /// A number.
    Number(Option<f64>),
    /// A distribution.
    Distribution(Option<Distribution>),
}

impl MetricValue {
    /// True if it is defined.
    pub const fn is_some(&self) -> bool {
        matches!(self, Self::Count(Some(_)) | Self::Number(Some(_)) | Self::Distribution(Some(_)))
    }
}

/// Metadata of a row, independent of the part of a summary it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricInfo {
    /// Its path in that part: `energy.it_j`.
    pub id: &'static str,
    /// Heading of its row or column in a table of its group.
    pub label: &'static str,
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

/// Rows that are shown as one table.
#[derive(Debug)]
pub struct Group<T: 'static> {
    /// Name of the table in links, in kebab case. A run and its classes have groups in common, under the same ids.
    pub id: &'static str,
    /// Title of the table.
    pub title: &'static str,
    /// Columns, if rows with the same label share a line; empty otherwise.
    pub across: &'static [&'static str],
    /// All numbers, or all distributions.
    pub rows: &'static [Metric<T>],
}

impl<T> Group<T> {
    pub(super) const fn new(id: &'static str, title: &'static str, rows: &'static [Metric<T>]) -> Self {
        Self { id, title, across: &[], rows }
    }

    /// Puts rows with the same label in one line, under these columns.
    pub(super) const fn across(mut self, columns: &'static [&'static str]) -> Self {
        self.across = columns;
        self
    }
}

/// Rows in groups, in the order of `summary.json`.
pub type Table<T> = &'static [Group<T>];

/// The rows of all groups.
pub fn rows_of<T>(table: Table<T>) -> impl Iterator<Item = &'static Metric<T>> {
    table.iter().flat_map(|group| group.rows)
}

/// A row: a metric of a run, a pool, a class.
#[derive(Debug)]
pub struct Metric<T: 'static> {
    /// Its metadata.
    pub info: MetricInfo,
    /// How it is read.
    pub read: Read<T>,
}

impl<T> Metric<T> {
    const fn new(
        id: &'static str,
        label: &'static str,
        unit: &'static str,
        better: Better,
        about: &'static str,
        text: &'static str,
        read: Read<T>,
    ) -> Self {
        Self { info: MetricInfo { id, label, unit, better, about, text, given: None }, read }
    }

    /// A row with an optional whole number.
    pub(super) const fn count(
        id: &'static str,
        label: &'static str,
        unit: &'static str,
        better: Better,
        about: &'static str,
        text: &'static str,
        read: fn(&T) -> Option<u64>,
    ) -> Self {
        Self::new(id, label, unit, better, about, text, Read::Count(read))
    }

    /// A row with an optional number.
    pub(super) const fn number(
        id: &'static str,
        label: &'static str,
        unit: &'static str,
        better: Better,
        about: &'static str,
        text: &'static str,
        read: fn(&T) -> Option<f64>,
    ) -> Self {
        Self::new(id, label, unit, better, about, text, Read::Number(read))
    }

    /// A row with a distribution.
    pub(super) const fn distribution(
        id: &'static str,
        label: &'static str,
        unit: &'static str,
        better: Better,
        about: &'static str,
        text: &'static str,
        read: fn(&T) -> Option<Distribution>,
    ) -> Self {
        Self::new(id, label, unit, better, about, text, Read::Distribution(read))
    }

    /// Its value in `of`.
    pub fn of(&self, of: &T) -> MetricValue {
        match self.read {
            Read::Count(read) => MetricValue::Count(read(of)),
            Read::Number(read) => MetricValue::Number(read(of)),
            Read::Distribution(read) => MetricValue::Distribution(read(of)),
        }
    }

    /// Restricts the row to scenarios with the property it requires.
    pub(super) const fn given(mut self, given: Given) -> Self {
        self.info.given = Some(given);
        self
    }
}
