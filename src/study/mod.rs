//! Runs of scenarios: single, batched, and compared as variants.
//!
//! Owns: combining cluster, metrics and cost into one result, and the warnings for the reader. Must not know: files, the terminal.

pub mod compare;
mod money;
mod outcome;
mod runner;
mod simulate;
mod simulation;
pub mod statistics;
mod threads;
mod warnings;

pub use outcome::{Balance, Outcome, Requests};
pub use runner::{CellError, Forgetful, RunnerOptions, Step, Store, run_cells};
pub use simulate::{Options, Progress, StudyError, simulate};
pub use simulation::{Simulation, SimulationError};
pub use threads::Threads;
