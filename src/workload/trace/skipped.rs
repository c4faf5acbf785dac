//! Statistics of skipped lines. Owns reasons and counts; must not know how lines are read.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::units::grouped;

/// Maximum number of examples.
const EXAMPLES: usize = 5;

/// Why a line was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SkipReason {
    /// More or fewer columns than the header, or text that is not a JSON object.
    Structure,
    /// A field is missing or invalid.
    Field,
    /// No prompt or no output tokens; in BurstGPT a failed request.
    ZeroTokens,
    /// More tokens than plausible.
    TooManyTokens,
    /// Earlier than the previous line.
    OutOfOrder,
    /// The last line has no line end, so its last number may be truncated.
    Torn,
    /// Longer than the maximum length.
    TooLong,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Structure => "broken structure",
            Self::Field => "unusable field",
            Self::ZeroTokens => "zero tokens",
            Self::TooManyTokens => "too many tokens",
            Self::OutOfOrder => "out of order",
            Self::Torn => "torn last line",
            Self::TooLong => "line too long",
        })
    }
}

/// One skipped line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkippedLine {
    /// Line number, from 1.
    pub line: u64,
    /// Field, found and expected values.
    pub problem: String,
}

/// Skipped lines of a trace, counted by reason, with the first few as examples.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SkippedLines {
    /// Total number.
    pub total: u64,
    /// Number by reason.
    pub by_reason: BTreeMap<SkipReason, u64>,
    /// The first five.
    pub examples: Vec<SkippedLine>,
}

impl SkippedLines {
    /// True if no line was skipped.
    pub const fn is_empty(&self) -> bool {
        self.total == 0
    }

    pub(super) fn note(&mut self, line: u64, reason: SkipReason, problem: String) {
        self.total += 1;
        *self.by_reason.entry(reason).or_insert(0) += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(SkippedLine { line, problem });
        }
    }
}

impl fmt::Display for SkippedLines {
    /// For example `3 lines skipped: 2 zero tokens, 1 out of order`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} skipped", grouped(&self.total.to_string()), if self.total == 1 { "line" } else { "lines" })?;
        for (i, (reason, count)) in self.by_reason.iter().enumerate() {
            write!(f, "{} {} {reason}", if i == 0 { ":" } else { "," }, grouped(&count.to_string()))?;
        }
        Ok(())
    }
}
