//! What intervals obey whatever the values, and how often they hold the truth.

mod coverage;
mod laws;

use crate::sim::{Purpose, Stream, Streams};

#[path = "../../../../examples/coverage/queue.rs"]
mod queue;
