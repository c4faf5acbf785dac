//! The usable lines of a trace. Owns the rules for every format: the first line, torn and overlong lines, skipping. Must not know the content of a
//! line.

use std::io;

use super::super::WorkloadError;
use super::field::{LineProblem, shown, shown_line};
use super::format::TraceFormat;
use super::lines::{Line, Lines, MAX_LINE};
use super::skipped::{SkipReason, SkippedLines};
use super::source::{Meter, TraceSource};
use crate::units::grouped;

/// Result of reading a line.
#[derive(Debug)]
pub(super) enum Usable<T> {
    /// Its content.
    Read(T),
    /// It was skipped.
    Skipped(SkipReason),
}

/// Reads the lines of a trace. Memory: one line.
#[derive(Debug)]
pub(super) struct UsableLines {
    file: String,
    lines: Lines,
    meter: Meter,
    skip_bad_lines: bool,
    skipped: SkippedLines,
    /// The first line, already read but not yet used.
    first: Option<Line>,
    ended: bool,
}

impl UsableLines {
    /// Opens a trace and reads its first line. `formats`: the expected formats, for messages.
    ///
    /// # Errors
    /// The file is unreadable, empty, or has a first line that is too long.
    pub(super) fn open(source: &TraceSource, skip_bad_lines: bool, formats: &[TraceFormat]) -> Result<Self, WorkloadError> {
        let file = source.name();
        let (text, meter) = source.open()?;
        let mut lines = Lines::new(text, MAX_LINE);
        let first = match lines.read() {
            Ok(line) => line,
            Err(error) => return Err(damage(error, &file, 0)),
        };
        match first {
            Line::End => return Err(bad_start(&file, "the file is empty, expected a trace".to_owned(), formats)),
            Line::TooLong => return Err(bad_start(&file, too_long(), &[])),
            Line::Whole | Line::Torn => {}
        }
        Ok(Self { file, lines, meter, skip_bad_lines, skipped: SkippedLines::default(), first: Some(first), ended: false })
    }

    /// The last line read, without a byte order mark.
    pub(super) fn text(&self) -> &[u8] {
        let text = self.lines.text();
        if self.lines.number() == 1 { text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text) } else { text }
    }

    /// Marks the first line as a header: it is not read again.
    pub(super) const fn pass_header(&mut self) {
        self.first = None;
    }

    /// The next line that is not blank, parsed by `read`; `None` at the end. `can_be_torn_unseen`: a truncated line can look complete, so the last
    /// one needs its line end.
    ///
    /// # Errors
    /// An invalid line, unless such lines are skipped; or a read error. No line follows an error.
    pub(super) fn next<T>(
        &mut self,
        can_be_torn_unseen: bool,
        mut read: impl FnMut(&[u8], u64) -> Result<T, LineProblem>,
    ) -> Result<Option<Usable<T>>, WorkloadError> {
        while !self.ended {
            let line = match self.first.take().map_or_else(|| self.lines.read(), Ok) {
                Ok(line) => line,
                Err(error) => {
                    self.ended = true;
                    return Err(damage(error, &self.file, self.lines.number() - 1));
                }
            };
            let problem = match line {
                Line::End => break,
                Line::TooLong => LineProblem::new(SkipReason::TooLong, too_long()),
                _ if self.lines.text().trim_ascii().is_empty() => continue,
                Line::Whole | Line::Torn => match (read(self.text(), self.lines.number()), line) {
                    (Ok(_), Line::Torn) if can_be_torn_unseen => self.torn(),
                    (Ok(value), _) => return Ok(Some(Usable::Read(value))),
                    (Err(problem), Line::Torn) => problem.of_torn_line(),
                    (Err(problem), _) => problem,
                },
            };
            return self.refuse(problem).map(|reason| Some(Usable::Skipped(reason)));
        }
        self.ended = true;
        Ok(None)
    }

    fn torn(&self) -> LineProblem {
        let text = format!(
            "found the last line `{}` without a line end, so its last number may be truncated; expected one (add it if the line is complete)",
            shown(self.lines.text())
        );
        LineProblem::new(SkipReason::Torn, text)
    }

    /// Skips a line, or rejects the trace.
    fn refuse(&mut self, problem: LineProblem) -> Result<SkipReason, WorkloadError> {
        if self.skip_bad_lines {
            self.skipped.note(self.lines.number(), problem.reason, problem.text);
            return Ok(problem.reason);
        }
        self.ended = true;
        let mut text = shown_line(self.lines.text());
        // Only part of an overlong line has been read; a short one may already be in the message.
        if problem.reason == SkipReason::TooLong || problem.text.contains(&text) {
            text.clear();
        }
        Err(WorkloadError::BadLine { file: self.file.clone(), line: self.lines.number(), problem: problem.text, text })
    }

    /// Stops reading: no line follows an error.
    pub(super) const fn end(&mut self) {
        self.ended = true;
    }

    /// The name of the trace in messages.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Share of the file read, 0 to 1; `None` if its size is unknown.
    pub(super) fn share_read(&self) -> Option<f64> {
        self.meter.share()
    }

    /// Lines skipped so far.
    pub(super) const fn skipped(&self) -> &SkippedLines {
        &self.skipped
    }
}

pub(super) fn bad_start(file: &str, problem: String, formats: &[TraceFormat]) -> WorkloadError {
    WorkloadError::BadStart { file: file.to_owned(), problem, formats: formats.to_vec() }
}

/// Error for a failed read: damaged compressed data, or an I/O error. `lines` were read before it.
fn damage(error: io::Error, file: &str, lines: u64) -> WorkloadError {
    let what = match error.kind() {
        io::ErrorKind::UnexpectedEof => "end",
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => "are damaged",
        _ => return WorkloadError::Io { file: file.to_owned(), source: error },
    };
    let place = if lines == 0 { "before the end of line 1".to_owned() } else { format!("after line {}", grouped(&lines.to_string())) };
    let problem = format!("the compressed data {what} {place}; the rest is missing");
    WorkloadError::Damaged { file: file.to_owned(), problem, remedy: "download the file again: a complete gzip file is needed" }
}

fn too_long() -> String {
    format!("found a line of more than {} MiB, expected one request", MAX_LINE >> 20)
}

pub(super) fn unknown_format(start: &[u8]) -> String {
    let names = TraceFormat::ALL.map(TraceFormat::name).join(", ");
    format!("header: found `{}`, expected the first line of one of the formats {names}", shown(start))
}
