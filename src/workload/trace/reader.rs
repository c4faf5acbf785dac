//! Records of a trace, one at a time. Owns their time order.

use super::super::WorkloadError;
use super::field::LineProblem;
use super::format::{LineFormat, TraceFormat, TraceRecord};
use super::parameters::ReadOptions;
use super::sessions;
use super::skipped::{SkipReason, SkippedLines};
use super::source::TraceSource;
use super::usable::{Usable, UsableLines, bad_start, unknown_format};
use crate::units::grouped;

/// Number of consecutive requests earlier than one above them that indicates an error in that one, or a trace in another order.
const DISORDER: u64 = 100;

/// Reads the records of a trace in order. Memory: one line.
#[derive(Debug)]
pub struct TraceReader {
    lines: UsableLines,
    format: TraceFormat,
    line_format: Box<dyn LineFormat>,
    order: Order,
}

/// The order of arrivals.
#[derive(Debug, Default)]
struct Order {
    /// Time of the last record, and its line.
    last_ns: u64,
    last_line: u64,
    /// Lines skipped since then because they are earlier.
    before_last: u64,
}

impl Order {
    fn check(&mut self, at_ns: u64, line: u64) -> Result<(), LineProblem> {
        if at_ns < self.last_ns {
            let back = (self.last_ns - at_ns) as f64 / 1e9;
            let text = format!(
                "time: found an arrival {} s before that of line {}, expected times in order: one of the two is wrong",
                grouped(&back.to_string()),
                self.last_line
            );
            return Err(LineProblem::new(SkipReason::OutOfOrder, text));
        }
        *self = Self { last_ns: at_ns, last_line: line, before_last: 0 };
        Ok(())
    }
}

impl TraceReader {
    /// Opens a trace and reads its header.
    ///
    /// # Errors
    /// The file is unreadable, empty, or does not begin like its format.
    pub fn open(source: &TraceSource, options: ReadOptions) -> Result<Self, WorkloadError> {
        let expected = options.format.as_ref().map_or(&TraceFormat::ALL[..], std::slice::from_ref);
        let mut lines = UsableLines::open(source, options.skip_bad_lines, expected)?;
        let format = options
            .format
            .or_else(|| TraceFormat::detect(lines.text()))
            .ok_or_else(|| bad_start(lines.file(), unknown_format(lines.text()), &TraceFormat::ALL))?;
        let Some(mut line_format) = format.reader().filter(|_| !is_session(format, lines.text())) else {
            let problem = "its lines are sessions, whose calls have no arrival times: each follows the previous answer".to_owned();
            return Err(WorkloadError::Trace { file: lines.file().to_owned(), problem });
        };
        let is_header = line_format.header(lines.text()).map_err(|problem| {
            let hint = TraceFormat::detect(lines.text())
                .filter(|other| *other != format)
                .map(|other| format!("; it looks like the format `{other}`"))
                .unwrap_or_default();
            bad_start(lines.file(), format!("{}{hint}", problem.text), &[])
        })?;
        if is_header {
            lines.pass_header();
        }
        Ok(Self { lines, format, line_format, order: Order::default() })
    }

    /// The next record; times never decrease.
    ///
    /// # Errors
    /// An invalid line, unless such lines are skipped; or a read error. No record follows an error.
    pub fn next_record(&mut self) -> Result<Option<TraceRecord>, WorkloadError> {
        loop {
            let Self { lines, line_format, order, .. } = self;
            let read = lines.next(line_format.can_be_torn_unseen(), |text, line| {
                let record = line_format.record(text)?;
                order.check(record.at_ns, line)?;
                Ok(record)
            })?;
            match read {
                None => return Ok(None),
                Some(Usable::Read(record)) => return Ok(Some(record)),
                Some(Usable::Skipped(SkipReason::OutOfOrder)) => {
                    order.before_last += 1;
                    if order.before_last == DISORDER {
                        lines.end();
                        return Err(self.disorder());
                    }
                }
                Some(Usable::Skipped(_)) => {}
            }
        }
    }

    fn disorder(&self) -> WorkloadError {
        let problem = format!(
            "{DISORDER} requests in a row arrive before line {}, which precedes them: its time is wrong, or the trace is not in order",
            self.order.last_line
        );
        WorkloadError::Damaged {
            file: self.lines.file().to_owned(),
            problem,
            remedy: "correct the time of that line, or sort the trace by time",
        }
    }

    /// The name of the trace in messages.
    pub fn file(&self) -> &str {
        self.lines.file()
    }

    /// Share of the file read, 0 to 1; `None` if its size is unknown.
    pub fn share_read(&self) -> Option<f64> {
        self.lines.share_read()
    }

    /// Its format.
    pub const fn format(&self) -> TraceFormat {
        self.format
    }

    /// Tokens per block of the prefix ids; `None` if the format or this file has none.
    pub fn block_tokens(&self) -> Option<u32> {
        self.line_format.block_tokens()
    }

    /// Lines skipped so far.
    pub const fn skipped(&self) -> &SkippedLines {
        self.lines.skipped()
    }
}

/// True if a line of this format belongs to a session.
fn is_session(format: TraceFormat, line: &[u8]) -> bool {
    format == TraceFormat::Mooncake && sessions::is_turn(line)
}

impl Iterator for TraceReader {
    type Item = Result<TraceRecord, WorkloadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().transpose()
    }
}
