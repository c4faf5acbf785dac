//! Batching: how much prompt work an iteration takes on, beside the sequences that generate or without them. One file per policy; [`batchings`] is the
//! register.
//!
//! # Adding a policy
//! 1. Write `NAME.rs` with a struct that implements [`Batching`], its rule and its source in the docs, its `entry`, and a test.
//! 2. Add a line to [`batchings`].

mod vllm_v1;

use std::fmt::Debug;

use super::register::Register;

/// An instance that is about to form a batch. Every generating sequence takes part with one token, unless the policy has them sit out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchView {
    /// Iterations of the instance so far.
    pub iteration: u64,
    /// Generating sequences.
    pub generating: u32,
    /// Tokens that are left to compute of a prompt that has begun; 0 if there is none.
    pub begun: u32,
    /// Requests whose prompt waits.
    pub waiting: u64,
    /// Sequences whose KV has arrived and that have not joined.
    pub arrived: u64,
    /// Engine limit: tokens of an iteration.
    pub max_tokens: u32,
    /// Engine limit: sequences of an iteration.
    pub max_sequences: u32,
}

/// What an iteration may take on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Prompt tokens; the engine's limit holds all the same. A prompt that has begun gets at least one.
    pub prompt_tokens: u32,
    /// Prompts that may begin.
    pub new_prompts: u32,
    /// Sequences of the batch; the engine's limit holds all the same, and sequences inside stay.
    pub sequences: u32,
    /// True if generating sequences take part. Otherwise prompts are computed alone, if any fits, and arrived sequences join later.
    pub generates: bool,
    /// Iterations, this one included, for which the answer stays the same if only the number of the iteration changes; at least 1.
    /// Iterations that only generate are passed over up to here.
    pub holds: u64,
}

impl Budget {
    /// All that the engine's limits allow, until something else changes.
    pub const fn full(view: &BatchView) -> Self {
        let (tokens, sequences) = (view.max_tokens, view.max_sequences);
        Self { prompt_tokens: tokens, new_prompts: sequences, sequences, generates: true, holds: u64::MAX }
    }
}

/// Decides on the prompt work of each iteration. Deterministic, except for draws from its own random stream.
pub trait Batching: Debug + Send {
    /// The budget of the coming iteration, for an instance that generates and has prompt work or arrived sequences: without generating
    /// sequences, all that fits is taken. The answer must not depend on how often it was asked.
    fn budget(&mut self, view: &BatchView) -> Budget;

    /// True if it is always [`Budget::full`]: it is then not asked.
    fn is_full(&self) -> bool {
        false
    }
}

/// All batching policies: one line each, in the order in which they are listed.
pub fn batchings() -> Register<dyn Batching> {
    Register::new(vec![vllm_v1::entry()])
}
