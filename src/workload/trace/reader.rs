//! Records from a trace, one at a time. Owns the rules that hold for every format: order, torn and overlong lines, what is skipped.

use std::io;

use super::super::WorkloadError;
use super::field::{LineProblem, shown, shown_line};
use super::format::{LineFormat, TraceFormat, TraceRecord};
use super::lines::{Line, Lines, MAX_LINE};
use super::parameters::ReadOptions;
use super::skipped::{SkipReason, SkippedLines};
use super::source::{Meter, TraceSource};

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
    last_ns: u64,
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
            Err(error) => {
                let problem = damage(error).map_err(|source| WorkloadError::Io { file: file.clone(), source })?;
                return Err(bad_start(&file, problem.text, &[]));
            }
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
                    // Nothing can be read beyond a damaged place.
                    self.ended = true;
                    damage(error).map_err(|source| WorkloadError::Io { file: self.file.clone(), source })?
                }
            };
            if !self.skip_bad_lines {
                self.ended = true;
                let mut text = shown_line(self.lines.text());
                // Of a line too long or damaged only a part has been read; a short one may be in the message already.
                if matches!(problem.reason, SkipReason::TooLong | SkipReason::Compressed) || problem.text.contains(&text) {
                    text.clear();
                }
                return Err(WorkloadError::BadLine { file: self.file.clone(), line: self.lines.number(), problem: problem.text, text });
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
            let text = format!("time: found an arrival {back} s before the one above, expected times in order");
            return Err(LineProblem::new(SkipReason::OutOfOrder, text));
        }
        self.last_ns = record.at_ns;
        Ok(Outcome::Record(record))
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

/// Whether a failed read is the fault of the compressed data (a bad line) or of the system.
fn damage(error: io::Error) -> Result<LineProblem, io::Error> {
    let what = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the compressed data end in the middle of this line, expected a whole gzip file",
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            "the compressed data are damaged at this line, expected a whole gzip file"
        }
        _ => return Err(error),
    };
    Ok(LineProblem::new(SkipReason::Compressed, what))
}

fn too_long() -> String {
    format!("found a line of more than {} MiB, expected one request", MAX_LINE >> 20)
}

fn unknown_format(start: &[u8]) -> String {
    let names = TraceFormat::ALL.map(TraceFormat::name).join(", ");
    format!("header: found `{}`, expected the first line of one of the formats {names}", shown(start))
}
