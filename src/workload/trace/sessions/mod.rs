//! Traces of sessions, as scripts.
//!
//! Owns: formats with one session per line, and the grouping of lines into sessions. Must not know: arrival times in a run.
//!
//! An answer is part of the text of the session if the next prompt of the same chain of calls keeps all full blocks of this prompt: the call then
//! leaves the following blocks in a cache, up to the one with the last token but one of the answer. Traces do not record which blocks are the answer,
//! so this is an upper bound: it may include text that a client drops or rewrites, such as reasoning.

mod grouped;
mod kernelbook;
mod kv_cache_tester;
mod notes;
mod trace;

pub(super) use grouped::is_turn;
pub use notes::SessionNotes;
pub use trace::{SessionOptions, SessionTrace, Turns};

use super::field::LineProblem;
use crate::kv::Blocks;
use crate::workload::Script;

/// A format with one session per line.
pub(super) trait SessionFormat: std::fmt::Debug + Send {
    /// Reads a line as the session `number`.
    fn script(&mut self, line: &[u8], number: u64) -> Result<Script, LineProblem>;

    /// Tokens per block of the identities. Known after the first session.
    fn block_tokens(&self) -> Option<u32>;

    /// Notes so far.
    fn notes(&self) -> SessionNotes;
}

/// Blocks of a prompt of `prompt_tokens` and of its answer of `output_tokens`, given those of the next prompt of the chain.
fn with_answer(prompt: &Blocks, next: Option<&Blocks>, prompt_tokens: u32, output_tokens: u32, block_tokens: u32) -> Blocks {
    let stored = prompt_tokens.saturating_add(output_tokens - 1) / block_tokens;
    match next {
        Some(next) if prompt.common(next) == prompt.len() && prompt.len() == prompt_tokens / block_tokens => next.leading(stored),
        _ => prompt.clone(),
    }
}

#[cfg(test)]
mod tests;
