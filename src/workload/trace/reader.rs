//! Records from a trace, one at a time. Owns the rules that hold for every format: order, torn and overlong lines, what is skipped.

use std::io;

use super::super::WorkloadError;
use super::field::{LineProblem, shown, shown_line};
use super::format::{LineFormat, TraceFormat, TraceRecord};
use super::lines::{Line, Lines, MAX_LINE};
use super::parameters::ReadOptions;
use super::skipped::{SkipReason, SkippedLines};
use super::source::{Meter, TraceSource};
use crate::units::grouped;

/// So many requests in a row that come before one above them are not what is wrong: that one is, or the trace is in another order.
const DISORDER: u64 = 100;

/// Reads the records of a trace in order. Memory: one line.
#[derive(Debug)]
pub struct TraceReader {
    file: String,
    lines: Lines,
    meter: Meter,
    format: TraceFormat,
    line_format: Box<dyn LineFormat>,
    skip_bad_lines: bool,
    skipped: SkippedLines,
    /// The first line has been read and holds a record.
    first: Option<Line>,
    /// Time of the last record, and its line.
    last_ns: u64,
    last_line: u64,
    /// Lines since then that were left out because they come before it.
    before_last: u64,
    ended: bool,
}

/// What came of trying to read a line.
enum Outcome {
    Record(TraceRecord),
    Nothing,
    End,
}

impl TraceReader {
    /// Opens a trace and reads its header.
    ///
    /// # Errors
    /// The file cannot be read, is empty, or does not start as its format does.
    pub fn open(source: &TraceSource, options: ReadOptions) -> Result<Self, WorkloadError> {
        let file = source.name();
        let (text, meter) = source.open()?;
        let mut lines = Lines::new(text, MAX_LINE);
        let first = match lines.read() {
            Ok(line) => line,
            Err(error) => return Err(damage(error, &file, 0)),
        };
        match first {
            Line::End => {
                let problem = "the file is empty, expected a trace".to_owned();
                return Err(bad_start(&file, problem, options.format.as_ref().map_or(&TraceFormat::ALL, std::slice::from_ref)));
            }
            Line::TooLong => return Err(bad_start(&file, too_long(), &[])),
            Line::Whole | Line::Torn => {}
        }
        let start = lines.text().strip_prefix(b"\xef\xbb\xbf").unwrap_or(lines.text());
        let format = options
            .format
            .or_else(|| TraceFormat::detect(start))
            .ok_or_else(|| bad_start(&file, unknown_format(start), &TraceFormat::ALL))?;
        let mut line_format = format.reader();
        let is_header = line_format.header(start).map_err(|problem| {
            let hint = TraceFormat::detect(start)
                .filter(|other| *other != format)
                .map(|other| format!("; it looks like the format `{other}`"))
                .unwrap_or_default();
            bad_start(&file, format!("{}{hint}", problem.text), &[])
        })?;
        Ok(Self {
            file,
            lines,
            meter,
            format,
            line_format,
            skip_bad_lines: options.skip_bad_lines,
            skipped: SkippedLines::default(),
            first: (!is_header).then_some(first),
            last_ns: 0,
            last_line: 0,
            before_last: 0,
            ended: false,
        })
    }

    /// The next record; times never decrease.
    ///
    /// # Errors
    /// A line that cannot be used, unless such lines are skipped; or the file cannot be read on. Nothing comes after an error.
    pub fn next_record(&mut self) -> Result<Option<TraceRecord>, WorkloadError> {
        while !self.ended {
            let problem = match self.try_line() {
                Ok(Ok(Outcome::Record(record))) => return Ok(Some(record)),
                Ok(Ok(Outcome::Nothing)) => continue,
                Ok(Ok(Outcome::End)) => break,
                Ok(Err(problem)) => problem,
                Err(error) => {
                    self.ended = true;
                    return Err(damage(error, &self.file, self.lines.number() - 1));
                }
            };
            if !self.skip_bad_lines {
                self.ended = true;
                let mut text = shown_line(self.lines.text());
                // Of a line too long only a part has been read; a short one may be in the message already.
                if problem.reason == SkipReason::TooLong || problem.text.contains(&text) {
                    text.clear();
                }
                return Err(WorkloadError::BadLine { file: self.file.clone(), line: self.lines.number(), problem: problem.text, text });
            }
            if problem.reason == SkipReason::OutOfOrder {
                self.before_last += 1;
                if self.before_last == DISORDER {
                    self.ended = true;
                    return Err(self.disorder());
                }
            }
            self.skipped.note(self.lines.number(), problem.reason, problem.text);
        }
        self.ended = true;
        Ok(None)
    }

    fn try_line(&mut self) -> io::Result<Result<Outcome, LineProblem>> {
        let line = match self.first.take() {
            Some(line) => line,
            None => self.lines.read()?,
        };
        Ok(match line {
            Line::End => Ok(Outcome::End),
            Line::TooLong => Err(LineProblem::new(SkipReason::TooLong, too_long())),
            _ if self.lines.text().trim_ascii().is_empty() => Ok(Outcome::Nothing),
            Line::Whole => self.record(),
            Line::Torn => self.record().map_err(LineProblem::of_torn_line).and_then(|outcome| {
                if !self.line_format.can_be_torn_unseen() {
                    return Ok(outcome);
                }
                let text = format!(
                    "found the last line `{}` without a line end, so its last number may be cut short; expected one (add it if the line is whole)",
                    shown(self.lines.text())
                );
                Err(LineProblem::new(SkipReason::Torn, text))
            }),
        })
    }

    fn record(&mut self) -> Result<Outcome, LineProblem> {
        let text = self.lines.text();
        let text = if self.lines.number() == 1 { text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text) } else { text };
        let record = self.line_format.record(text)?;
        if record.at_ns < self.last_ns {
            let back = (self.last_ns - record.at_ns) as f64 / 1e9;
            let text = format!(
                "time: found an arrival {} s before that of line {}, expected times in order: one of the two is wrong",
                grouped(&back.to_string()),
                self.last_line
            );
            return Err(LineProblem::new(SkipReason::OutOfOrder, text));
        }
        (self.last_ns, self.last_line, self.before_last) = (record.at_ns, self.lines.number(), 0);
        Ok(Outcome::Record(record))
    }

    fn disorder(&self) -> WorkloadError {
        let problem = format!(
            "{DISORDER} requests in a row arrive before line {}, which stands above them: its time is wrong, or the trace is not in order",
            self.last_line
        );
        WorkloadError::Damaged { file: self.file.clone(), problem, remedy: "mend the time of that line, or sort the trace by time" }
    }

    /// The trace's name, as in messages.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The part of the file that has been read, 0 to 1; `None` if its size is not known.
    pub fn share_read(&self) -> Option<f64> {
        self.meter.share()
    }

    /// The format it is read in.
    pub const fn format(&self) -> TraceFormat {
        self.format
    }

    /// Tokens per block of the prefix ids; `None` if the format or this file has none.
    pub fn block_tokens(&self) -> Option<u32> {
        self.line_format.block_tokens()
    }

    /// Lines left out so far.
    pub const fn skipped(&self) -> &SkippedLines {
        &self.skipped
    }
}

impl Iterator for TraceReader {
    type Item = Result<TraceRecord, WorkloadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().transpose()
    }
}

fn bad_start(file: &str, problem: String, formats: &[TraceFormat]) -> WorkloadError {
    WorkloadError::BadStart { file: file.to_owned(), problem, formats: formats.to_vec() }
}

/// Why nothing can be read on: the compressed data are at fault, or the system. Before it, `lines` were read.
fn damage(error: io::Error, file: &str, lines: u64) -> WorkloadError {
    let what = match error.kind() {
        io::ErrorKind::UnexpectedEof => "end",
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => "are damaged",
        _ => return WorkloadError::Io { file: file.to_owned(), source: error },
    };
    let place = if lines == 0 { "before the end of line 1".to_owned() } else { format!("after line {}", grouped(&lines.to_string())) };
    let problem = format!("the compressed data {what} {place}; all that follows is missing");
    WorkloadError::Damaged { file: file.to_owned(), problem, remedy: "fetch the file again: a whole gzip file is needed" }
}

fn too_long() -> String {
    format!("found a line of more than {} MiB, expected one request", MAX_LINE >> 20)
}

fn unknown_format(start: &[u8]) -> String {
    let names = TraceFormat::ALL.map(TraceFormat::name).join(", ");
    format!("header: found `{}`, expected the first line of one of the formats {names}", shown(start))
}
