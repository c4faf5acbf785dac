//! Sessions of a coding agent as in the `KernelBook` replay: one session per line, each turn with the length of its whole context.
//!
//! The lines have no identities. A prompt is assumed to be the previous prompt, its answer, and new text; if the context shrinks, the part recorded
//! as cached is kept and the rest is new. Sessions share nothing.

use serde::Deserialize;

use super::super::field::{LineProblem, from_json, nearest_ns, tokens};
use super::super::skipped::SkipReason;
use super::notes::SessionNotes;
use super::{SessionFormat, SessionOptions, with_answer};
use crate::kv::Blocks;
use crate::sim::SimDuration;
use crate::workload::session::{BLOCK_BITS, own_blocks};
use crate::workload::{Script, Step};

/// Tokens per block of the identities, as in common engines.
const BLOCK_TOKENS: u32 = 16;

#[derive(Debug, Deserialize)]
struct Line {
    turns: Vec<Turn>,
}

#[derive(Debug, Deserialize)]
struct Turn {
    #[serde(rename = "turn")]
    number: u64,
    delay_before_s: f64,
    input_tokens: u64,
    #[serde(default)]
    cached_input_tokens: u64,
    output_tokens: u64,
}

/// Reader of such sessions.
#[derive(Debug)]
pub(super) struct KernelBook {
    options: SessionOptions,
}

impl KernelBook {
    pub(super) const fn new(options: SessionOptions) -> Self {
        Self { options }
    }
}

impl SessionFormat for KernelBook {
    fn script(&mut self, line: &[u8], number: u64) -> Result<Script, LineProblem> {
        let Line { mut turns } = from_json(line, "an object with `session` and `turns`")?;
        turns.sort_by_key(|turn| turn.number);
        let refused = |text: String| Err(LineProblem::new(SkipReason::Field, text));
        if turns.is_empty() {
            return refused("turns: found none, expected at least one".to_owned());
        }
        if let Some(pair) = turns.windows(2).find(|pair| pair[0].number == pair[1].number) {
            return refused(format!("turns: found the turn {} twice, expected each once", pair[0].number));
        }
        let mut text = Text { own: own_blocks(number), blocks: Blocks::default(), fresh: 0 };
        let mut prompts: Vec<(Blocks, [u32; 2])> = Vec::with_capacity(turns.len());
        for (index, turn) in turns.iter().enumerate() {
            let lengths = |name: &str, number: u64| tokens(&format!("turns[{index}].{name}"), number.to_string().as_bytes());
            let (input, output) = (lengths("input_tokens", turn.input_tokens)?, lengths("output_tokens", turn.output_tokens)?);
            let kept = match prompts.last() {
                Some((_, [before, _])) if *before > input => turn.cached_input_tokens.min(input.into()) / u64::from(BLOCK_TOKENS),
                _ => u64::from(u32::MAX),
            };
            prompts.push((text.prompt(kept, input / BLOCK_TOKENS), [input, output]));
        }
        if text.fresh > 1 << BLOCK_BITS {
            return refused("turns: found more text than a session has identities for, 2^24 blocks".to_owned());
        }
        let mut steps = Vec::with_capacity(turns.len());
        for (index, (turn, (prompt, [input, output]))) in turns.iter().zip(&prompts).enumerate() {
            let delay = nearest_ns(turn.delay_before_s * 1e9).and_then(|ns| u64::try_from(ns).ok());
            let Some(delay) = delay else {
                return refused(format!(
                    "turns[{index}].delay_before_s: found {}, expected seconds, 0 or more and below 9.2e9",
                    turn.delay_before_s
                ));
            };
            let next = prompts.get(index + 1).filter(|_| self.options.cache_answers).map(|(blocks, _)| blocks);
            steps.push(Step {
                after: index.checked_sub(1).and_then(|before| u32::try_from(before).ok()).into_iter().collect(),
                not_before: SimDuration::ZERO,
                delay: SimDuration::from_ns(delay),
                prompt_tokens: *input,
                output_tokens: *output,
                blocks: with_answer(prompt, next, *input, *output, BLOCK_TOKENS),
            });
        }
        Ok(Script { session: number, start: None, steps })
    }

    fn block_tokens(&self) -> Option<u32> {
        Some(BLOCK_TOKENS)
    }

    fn notes(&self) -> SessionNotes {
        SessionNotes::default()
    }
}

/// The growing text of a session.
struct Text {
    own: u64,
    blocks: Blocks,
    /// The next unused identity.
    fresh: u64,
}

impl Text {
    /// The next prompt, of `count` blocks: the first `kept` blocks of the previous one, and new ones.
    fn prompt(&mut self, kept: u64, count: u32) -> Blocks {
        let kept = u32::try_from(kept).unwrap_or(count).min(count).min(self.blocks.len());
        let pieces = self.blocks.pieces(0..kept).map(|piece| (piece.first, piece.count));
        let blocks = Blocks::of_runs(pieces.chain([(self.own + self.fresh, count - kept)]));
        self.fresh += u64::from(count - kept);
        self.blocks = blocks.clone();
        blocks
    }
}
