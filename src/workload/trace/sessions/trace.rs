//! A trace of sessions, read once or repeatedly. Owns the numbers of its sessions, and their starts in later replays.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::parameters::ReadOptions;
use super::super::skipped::SkippedLines;
use super::super::source::TraceSource;
use super::super::usable::{Usable, UsableLines, bad_start, unknown_format};
use super::SessionFormat;
use super::grouped::{self, Grouped};
use super::kernelbook::KernelBook;
use super::kv_cache_tester::KvCacheTester;
use super::notes::SessionNotes;
use crate::sim::SimDuration;
use crate::workload::{Script, SessionSource, TraceFormat, WorkloadError};

/// What the turns of a session hold, where a line is a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Turns {
    /// The whole prompt.
    #[default]
    Full,
    /// New text only; the history of prompts and answers is prepended.
    Delta,
}

/// Options for reading sessions of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionOptions {
    /// Content of the turns.
    pub turns: Turns,
    /// Include sub-agents.
    pub sub_agents: bool,
    /// Keep complete answers in the prefix cache, as far as the next prompt repeats them.
    pub cache_answers: bool,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { turns: Turns::Full, sub_agents: true, cache_answers: true }
    }
}

/// Sessions being read.
#[derive(Debug)]
enum Reading {
    /// One session per line.
    Lines { lines: UsableLines, format: Box<dyn SessionFormat> },
    /// One turn per line: all lines have been read.
    Grouped(Grouped),
}

/// Sessions of a trace. Memory: one session, or, with one turn per line, all.
#[derive(Debug)]
pub struct SessionTrace {
    source: TraceSource,
    read: ReadOptions,
    options: SessionOptions,
    format: TraceFormat,
    reading: Reading,
    repeat: u32,
    replays_left: u32,
    /// Number of the next session.
    next: u64,
    /// Sessions per replay, known after the first.
    each: Option<u64>,
    /// Skipped lines and notes of the first replay; later ones would count the same again.
    first: Option<(SkippedLines, SessionNotes)>,
}

impl SessionTrace {
    /// Opens a trace of sessions; `None` if its lines are independent requests.
    ///
    /// # Errors
    /// The file is unreadable, empty, or does not begin like its format; with one turn per line, an invalid turn.
    pub fn open(source: &TraceSource, read: ReadOptions, options: SessionOptions, repeat: u32) -> Result<Option<Self>, WorkloadError> {
        let expected = read.format.as_ref().map_or(&TraceFormat::ALL[..], std::slice::from_ref);
        let lines = UsableLines::open(source, read.skip_bad_lines, expected)?;
        let format = read
            .format
            .or_else(|| TraceFormat::detect(lines.text()))
            .ok_or_else(|| bad_start(lines.file(), unknown_format(lines.text()), &TraceFormat::ALL))?;
        let reading = match format {
            TraceFormat::KvCacheTester => Reading::Lines { lines, format: Box::new(KvCacheTester::new(options)) },
            TraceFormat::KernelBook => Reading::Lines { lines, format: Box::new(KernelBook::new(options)) },
            TraceFormat::Mooncake if grouped::is_turn(lines.text()) => Reading::Grouped(Grouped::read(lines, options)?),
            _ => return Ok(None),
        };
        let replays_left = repeat.saturating_sub(1);
        let source = source.clone();
        Ok(Some(Self { source, read, options, format, reading, repeat, replays_left, next: 0, each: None, first: None }))
    }

    /// Its format.
    pub const fn format(&self) -> TraceFormat {
        self.format
    }

    /// The name of the trace in messages.
    pub fn file(&self) -> String {
        self.source.name()
    }

    /// Notes so far.
    pub fn notes(&self) -> SessionNotes {
        self.first.as_ref().map_or_else(|| self.reading.notes(), |(_, notes)| *notes)
    }

    /// Lines skipped so far, each counted once regardless of repeats.
    pub fn skipped_lines(&self) -> &SkippedLines {
        self.first.as_ref().map_or_else(|| self.reading.skipped(), |(skipped, _)| skipped)
    }

    /// Begins the next replay; false if there is none.
    fn rewind(&mut self) -> Result<bool, WorkloadError> {
        let each = *self.each.get_or_insert(self.next);
        // A replay without sessions would make no progress, however often it is repeated.
        if self.replays_left == 0 || each == 0 {
            return Ok(false);
        }
        self.replays_left -= 1;
        if self.first.is_none() {
            self.first = Some((self.reading.skipped().clone(), self.reading.notes()));
        }
        match &mut self.reading {
            Reading::Lines { lines, .. } => {
                let again = Self::open(&self.source, self.read, self.options, 1)?;
                match again.map(|again| again.reading) {
                    Some(Reading::Lines { lines: again, format }) => self.reading = Reading::Lines { lines: again, format },
                    _ => lines.end(),
                }
            }
            Reading::Grouped(grouped) => grouped.rewind(),
        }
        Ok(true)
    }
}

impl Reading {
    fn next(&mut self, number: u64) -> Result<Option<Script>, WorkloadError> {
        match self {
            Self::Grouped(grouped) => Ok(grouped.next()),
            Self::Lines { lines, format } => loop {
                // A JSON object without its closing brace is invalid, so a torn line never looks complete.
                match lines.next(false, |text, _| format.script(text, number))? {
                    None => return Ok(None),
                    Some(Usable::Read(script)) => return Ok(Some(script)),
                    Some(Usable::Skipped(_)) => {}
                }
            },
        }
    }

    fn notes(&self) -> SessionNotes {
        match self {
            Self::Lines { format, .. } => format.notes(),
            Self::Grouped(grouped) => grouped.notes(),
        }
    }

    const fn skipped(&self) -> &SkippedLines {
        match self {
            Self::Lines { lines, .. } => lines.skipped(),
            Self::Grouped(grouped) => grouped.skipped(),
        }
    }
}

impl SessionSource for SessionTrace {
    fn next_script(&mut self) -> Result<Option<Script>, WorkloadError> {
        loop {
            if let Some(script) = self.reading.next(self.next)? {
                self.next += 1;
                return Ok(Some(script));
            }
            if !self.rewind()? {
                return Ok(None);
            }
        }
    }

    fn handed_out(&self) -> Option<f64> {
        let replays = f64::from(self.repeat);
        let of_pass = match &self.reading {
            Reading::Lines { lines, .. } => lines.share_read(),
            Reading::Grouped(grouped) => Some(grouped.share()),
        };
        of_pass.map(|share| (replays - f64::from(self.replays_left) - 1.0 + share) / replays)
    }

    fn block_tokens(&self) -> Option<u32> {
        match &self.reading {
            Reading::Lines { format, .. } => format.block_tokens(),
            Reading::Grouped(grouped) => grouped.block_tokens(),
        }
    }

    fn remarks(&self) -> Vec<String> {
        self.notes().sentences()
    }

    fn skipped(&self) -> Option<&SkippedLines> {
        Some(self.skipped_lines())
    }
}

/// Offset from one replay to the next, later than all `starts` if there are several.
pub(super) fn period(starts: impl Iterator<Item = SimDuration>) -> SimDuration {
    let (mut last, mut gaps) = (SimDuration::ZERO, 0);
    for (index, start) in (0u64..).zip(starts) {
        (last, gaps) = (last.max(start), index);
    }
    SimDuration::from_ns(last.ns() + last.ns().checked_div(gaps).unwrap_or_default())
}
