//! Sessions with one turn per line, as in the Mooncake lines replayed by Dynamo and `AIPerf`: `session_id` identifies the session, whose turns are in
//! file order, and `delay` (ms) is the time from the previous answer to the turn. Owns the grouping.
//!
//! A later turn without a delay arrives at its `timestamp`, or after the answer if that is later; without either, with the answer. With both, the
//! delay applies. A line without `session_id` is a session of its own.

use indexmap::IndexMap;

use super::super::field::{LineProblem, nearest_ns};
use super::super::mooncake::{self, BLOCK_TOKENS, Line};
use super::super::skipped::{SkipReason, SkippedLines};
use super::super::usable::UsableLines;
use super::notes::SessionNotes;
use super::trace::{SessionOptions, Turns, period};
use super::with_answer;
use crate::kv::Blocks;
use crate::sim::SimDuration;
use crate::workload::session::own_blocks;
use crate::workload::{Script, Step, WorkloadError};

/// A turn as read, with its line number.
#[derive(Debug)]
struct Turn {
    line: u64,
    /// Relative to the origin of the file.
    at: Option<SimDuration>,
    delay: Option<SimDuration>,
    prompt_tokens: u32,
    output_tokens: u32,
    blocks: Blocks,
}

/// Sessions, fully read.
#[derive(Debug)]
pub(super) struct Grouped {
    scripts: Vec<Script>,
    next: usize,
    /// Number of replays before this one.
    replays: u64,
    period: SimDuration,
    has_blocks: bool,
    skipped: SkippedLines,
    notes: SessionNotes,
}

/// True if a line is a turn of a session.
pub(in super::super) fn is_turn(line: &[u8]) -> bool {
    mooncake::parse(line).is_ok_and(|line| line.session_id.is_some() || line.delay.is_some())
}

impl Grouped {
    pub(super) fn read(mut lines: UsableLines, options: SessionOptions) -> Result<Self, WorkloadError> {
        let mut notes = SessionNotes::default();
        let mut sessions: IndexMap<String, Vec<Turn>> = IndexMap::new();
        let mut read = |text: &[u8], number: u64| {
            let line = mooncake::parse(text)?;
            let name = match &line.session_id {
                Some(id) if id.name().is_empty() => {
                    return Err(LineProblem::new(SkipReason::Field, "session_id: found an empty string, expected a name or a number"));
                }
                Some(id) => id.name(),
                None => format!("\0{number}"),
            };
            // If the first turns of a session were skipped, the first remaining one does not wait.
            let begun = sessions.contains_key(&name);
            let turns = sessions.entry(name).or_default();
            let turn = turn(line, number, turns, begun, &mut notes)?;
            turns.push(turn);
            Ok(())
        };
        while lines.next(false, &mut read)?.is_some() {}
        let mut sessions: Vec<Vec<Turn>> = sessions.into_values().filter(|turns| !turns.is_empty()).collect();
        let stamped = |turns: &Vec<Turn>| turns.first().and_then(|turn| turn.at);
        let origin = sessions.iter().filter_map(stamped).min();
        if let (Some(_), Some(turns)) = (origin, sessions.iter().find(|turns| stamped(turns).is_none())) {
            let problem = format!(
                "line {}: found the first turn of a session without a `timestamp`, expected one, as in other sessions",
                turns.first().map_or(0, |turn| turn.line)
            );
            return Err(WorkloadError::Trace { file: lines.file().to_owned(), problem });
        }
        // Stable: sessions with the same start keep the order of the file.
        sessions.sort_by_key(stamped);
        let has_blocks = sessions.iter().flatten().any(|turn| !turn.blocks.is_empty());
        let scripts: Vec<Script> =
            (0..).zip(sessions).map(|(session, turns)| script(session, turns, origin, options, &mut notes)).collect();
        let period = period(scripts.iter().filter_map(|script| script.start));
        Ok(Self { scripts, next: 0, replays: 0, period, has_blocks, skipped: lines.skipped().clone(), notes })
    }

    pub(super) fn next(&mut self) -> Option<Script> {
        let mut script = self.scripts.get(self.next)?.clone();
        self.next += 1;
        // A repeated session has the same text.
        script.session += self.replays * self.scripts.len() as u64;
        script.start =
            script.start.map(|start| SimDuration::from_ns(start.ns().saturating_add(self.replays.saturating_mul(self.period.ns()))));
        Some(script)
    }

    pub(super) fn rewind(&mut self) {
        (self.next, self.replays) = (0, self.replays + 1);
    }

    pub(super) fn share(&self) -> f64 {
        self.next as f64 / self.scripts.len().max(1) as f64
    }

    pub(super) fn block_tokens(&self) -> Option<u32> {
        self.has_blocks.then_some(BLOCK_TOKENS)
    }

    pub(super) const fn skipped(&self) -> &SkippedLines {
        &self.skipped
    }

    pub(super) const fn notes(&self) -> SessionNotes {
        self.notes
    }
}

fn milliseconds(name: &str, ms: f64) -> Result<SimDuration, LineProblem> {
    nearest_ns(ms * 1e6).and_then(|ns| u64::try_from(ns).ok()).map(SimDuration::from_ns).ok_or_else(|| {
        LineProblem::new(SkipReason::Field, format!("{name}: found `{ms}`, expected milliseconds, 0 or more and below 9.2e12"))
    })
}

/// Converts a line to the next turn of a session.
fn turn(line: Line, number: u64, before: &[Turn], begun: bool, notes: &mut SessionNotes) -> Result<Turn, LineProblem> {
    let at = line.timestamp.map(|ms| milliseconds("timestamp", ms)).transpose()?;
    let delay = line.delay.map(|ms| milliseconds("delay", ms)).transpose()?;
    match before.last() {
        None if !begun && delay.is_some_and(|delay| delay > SimDuration::ZERO) => {
            let text = "delay: found on the first turn of a session, expected only on later ones: it counts from the previous answer";
            return Err(LineProblem::new(SkipReason::Field, text));
        }
        Some(last) if at.zip(last.at).is_some_and(|(at, last)| at < last) => {
            let text = format!("timestamp: found a turn earlier than that of line {}, expected the turns of a session in order", last.line);
            return Err(LineProblem::new(SkipReason::OutOfOrder, text));
        }
        Some(_) => notes.unused_times += u64::from(at.is_some() && delay.is_some()),
        None => {}
    }
    let (prompt_tokens, output_tokens, blocks) = line.lengths()?;
    Ok(Turn { line: number, at, delay, prompt_tokens, output_tokens, blocks })
}

fn script(session: u64, turns: Vec<Turn>, origin: Option<SimDuration>, options: SessionOptions, notes: &mut SessionNotes) -> Script {
    let start = turns.first().and_then(|turn| turn.at).zip(origin).map(|(at, origin)| at - origin);
    let since = turns.first().and_then(|turn| turn.at).unwrap_or(SimDuration::ZERO);
    let texts = match options.turns {
        Turns::Full => full(&turns, options, notes),
        Turns::Delta => delta(&turns, own_blocks(session), options),
    };
    let steps = turns.into_iter().zip(texts).enumerate().map(|(index, (turn, (prompt_tokens, blocks)))| Step {
        after: index.checked_sub(1).and_then(|before| u32::try_from(before).ok()).into_iter().collect(),
        delay: turn.delay.filter(|_| index > 0).unwrap_or(SimDuration::ZERO),
        not_before: turn.at.filter(|_| turn.delay.is_none()).map_or(SimDuration::ZERO, |at| at - since),
        prompt_tokens,
        output_tokens: turn.output_tokens,
        blocks,
    });
    Script { session, start, steps: steps.collect() }
}

/// Prompts as recorded, with the blocks of their answers.
fn full(turns: &[Turn], options: SessionOptions, notes: &mut SessionNotes) -> Vec<(u32, Blocks)> {
    let repeats =
        |one: &Turn, next: &Turn| next.prompt_tokens >= one.prompt_tokens && (one.blocks.is_empty() || one.blocks.common(&next.blocks) > 0);
    notes.turns_not_repeating += turns.windows(2).filter(|pair| !repeats(&pair[0], &pair[1])).count() as u64;
    let texts = turns.iter().enumerate().map(|(index, turn)| {
        let next = turns.get(index + 1).filter(|_| options.cache_answers).map(|next| &next.blocks);
        (turn.prompt_tokens, with_answer(&turn.blocks, next, turn.prompt_tokens, turn.output_tokens, BLOCK_TOKENS))
    });
    texts.collect()
}

/// Prompts with their history prepended. The identities of the first prompt are those of the trace; after it, answers shift the text relative to the
/// blocks of the trace, so the session uses its own identities.
fn delta(turns: &[Turn], own: u64, options: SessionOptions) -> Vec<(u32, Blocks)> {
    let first = turns.first().map(|turn| turn.blocks.clone()).unwrap_or_default();
    let known = |tokens: u32| {
        let (count, given) = (tokens / BLOCK_TOKENS, first.len());
        let pieces = first.pieces(0..given.min(count)).map(|piece| (piece.first, piece.count));
        Blocks::of_runs(pieces.chain([(own + u64::from(given), count.saturating_sub(given))]))
    };
    let mut context = 0u32;
    let mut texts = Vec::with_capacity(turns.len());
    for turn in turns {
        let prompt = context.saturating_add(turn.prompt_tokens);
        context = prompt.saturating_add(turn.output_tokens);
        let told = if options.cache_answers && texts.len() + 1 < turns.len() { context - 1 } else { prompt };
        texts.push((prompt, known(told)));
    }
    texts
}
