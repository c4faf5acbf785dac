//! `vllm-v1`: generating sequences first, then as many prompt tokens as the token budget has left.
//!
//! Rule: one pass over the running sequences, then over the queue, until tokens, sequences or blocks run out
//! (`vllm/v1/core/sched/scheduler.py`, `schedule`, 2026-08).

use super::super::register::Entry;
use super::{BatchView, Batching, Budget};

/// Its line in the register.
pub(super) fn entry() -> Entry<dyn Batching> {
    let about = "Generating sequences first, then as many prompt tokens as fit into the token budget.";
    Entry::<dyn Batching>::plain("vllm-v1", about, |_| Box::new(VllmV1))
}

#[derive(Debug)]
struct VllmV1;

impl Batching for VllmV1 {
    fn budget(&mut self, view: &BatchView) -> Budget {
        Budget::full(view)
    }
    fn is_full(&self) -> bool {
        true
    }
}
