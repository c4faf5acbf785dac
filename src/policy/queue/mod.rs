//! Queue order: which waiting request of an instance starts next. One file per policy; [`queues`] is the register.
//!
//! # Adding a policy
//! 1. Write `NAME.rs` with a struct that implements [`QueueOrder`], its rule and its source in the docs, its `entry`, and a test. An order by
//!    a number that a request keeps while it waits is a [`Ranked`].
//! 2. Add a line to [`queues`].

mod fcfs;
mod ranked;

use std::fmt::Debug;

pub use ranked::{Rank, Ranked};

use super::register::Register;
use super::view::RequestView;
use crate::workload::ClassId;

/// Mark of a request in a queue, its own while it is in the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u32);

/// The order of one queue: the requests of an instance whose prompt is to be computed. The first one starts as soon as the batch and its memory
/// have room; until then all others wait behind it. Deterministic, except for draws from its own random stream.
pub trait QueueOrder: Debug + Send {
    /// A request joins the queue. `preempted`: it was running and has lost its place in the batch; its `prompt_tokens` include its output so far.
    fn push(&mut self, request: &RequestView<'_>, ticket: Ticket, preempted: bool);

    /// The request that starts next, which stays in the queue until [`QueueOrder::remove`]; `None`: none may start before the queue changes. A
    /// ticket that is not in the queue counts as that of the request that has waited longest.
    fn next(&mut self) -> Option<Ticket>;

    /// A request leaves the queue: it starts, or (`started` is false) has timed out or lost its instance.
    fn remove(&mut self, ticket: Ticket, started: bool);

    /// Tokens of a workload that the instance has computed since the last call: of prompts, recomputed ones included, and of outputs.
    fn served(&mut self, class: ClassId, prompt_tokens: u64, output_tokens: u64) {
        let _ = (class, prompt_tokens, output_tokens);
    }

    /// True if [`QueueOrder::served`] may change which request is next. It is then called after every iteration while requests wait, which
    /// takes the instance one event for each.
    fn changes_while_waiting(&self) -> bool {
        false
    }

    /// True if it is first come, first served with preempted requests in front: it is then not asked.
    fn is_fcfs(&self) -> bool {
        false
    }
}

/// All queue orders: one line each, in the order in which they are listed.
pub fn queues() -> Register<dyn QueueOrder> {
    Register::new(vec![fcfs::entry()])
}
