//! Invariants of intervals, and their coverage.

mod coverage;
mod laws;

use crate::sim::{Purpose, Stream, Streams};

#[path = "../../../../examples/coverage/queue.rs"]
mod queue;
