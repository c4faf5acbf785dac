//! Runs of scenarios: one for now; replications, comparisons and sweeps come here.
//!
//! Owns: joining cluster, metrics and cost into one result, and the warnings a reader needs. Must not know: files, the terminal.

mod money;
mod simulate;
pub mod statistics;
mod threads;
mod warnings;

pub use simulate::{Options, Progress, StudyError, simulate};
pub use threads::Threads;
