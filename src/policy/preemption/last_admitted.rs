//! `last-admitted`: the sequence that started last is recomputed, as vLLM v1 does under its order `fcfs`.
//!
//! Rule: the last of the running list (`vllm/v1/core/sched/scheduler.py`, `self.running.pop()`, 2026-08). BLIS calls it `fcfs`.

use super::super::register::Entry;
use super::{Preempt, Preemption, RunningView};

/// Its line in the register.
pub(super) fn entry() -> Entry<dyn Preemption> {
    Entry::<dyn Preemption>::plain("last-admitted", "The sequence that started last, recomputed later.", |_| Box::new(LastAdmitted))
        .also(&["fcfs"])
}

#[derive(Debug)]
struct LastAdmitted;

impl Preemption for LastAdmitted {
    fn victim(&mut self, running: &dyn RunningView) -> Preempt {
        Preempt::Recompute(running.len().saturating_sub(1))
    }
    fn takes_last(&self) -> bool {
        true
    }
}
