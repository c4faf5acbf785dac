//! Preemption: which running sequence gives its memory back when KV blocks run out. One file per policy; [`preemptions`] is the register.
//!
//! # Adding a policy
//! 1. Write `NAME.rs` with a struct that implements [`Preemption`], its rule and its source in the docs, its `entry`, and a test.
//! 2. Add a line to [`preemptions`].

mod last_admitted;

use std::fmt::Debug;

use super::register::Register;
use super::view::RequestView;

/// The running sequences of an instance, by position `0..len` in order of admission.
pub trait RunningView {
    /// Number of sequences.
    fn len(&self) -> usize;
    /// True if there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The request of sequence `i`.
    fn request(&self, i: usize) -> RequestView<'_>;
    /// Output tokens of sequence `i` so far.
    fn output_tokens(&self, i: usize) -> u32;
    /// Tokens of sequence `i` whose KV is stored: what a preemption throws away, but for what a prefix cache keeps.
    fn stored_tokens(&self, i: usize) -> u32;
}

/// What becomes of a running sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preempt {
    /// The sequence at this position returns to the queue and recomputes what it does not find cached then.
    Recompute(usize),
}

/// Chooses a running sequence to preempt, as often as memory is short. Deterministic, except for draws from its own random stream.
pub trait Preemption: Debug + Send {
    /// The sequence to preempt of several, at least one. A position beyond the last counts as the last.
    fn victim(&mut self, running: &dyn RunningView) -> Preempt;

    /// True if it is always the sequence admitted last: it is then not asked.
    fn takes_last(&self) -> bool {
        false
    }
}

/// All preemption policies: one line each, in the order in which they are listed.
pub fn preemptions() -> Register<dyn Preemption> {
    Register::new(vec![last_admitted::entry()])
}
