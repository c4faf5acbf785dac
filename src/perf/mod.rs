//! The duration of an iteration, and the work behind it.
//!
//! Owns: the [`PerfModel`] trait and its implementations. Must not know: requests, queues, time of day, policies.

mod affine;
mod basis;
mod batch;
mod error;
#[cfg(test)]
mod fixtures;
mod lone;
mod memory;
mod parallelism;
mod roofline;

pub use affine::{Activity, Affine, AffineParameters};
pub use basis::{Basis, OwnFigure};
pub use batch::{BatchShape, DecodeRun, IterationCost, Line, RunLines};
pub use error::PerfError;
pub(crate) use lone::LonePrompts;
pub use memory::{DEFAULT_BLOCK_SIZE, DEFAULT_GPU_MEMORY_UTILIZATION, KvCapacity, MemoryParameters, kv_capacity};
pub use parallelism::Parallelism;
pub use roofline::{AllReduce, Bound, OperatorCost, Roofline, RooflineOptions, RooflineParameters, ScaleUp, expected_distinct_experts};

use std::fmt::Debug;

/// A performance model of one instance: a model on some chips.
///
/// Implementations are pure: equal batches cost equal amounts. `duration_ns` is at least 1 for a batch that is not empty,
/// because an iteration of zero length would stop the clock.
pub trait PerfModel: Debug + Send + Sync {
    /// The cost of one iteration.
    fn iteration(&self, batch: &BatchShape) -> IterationCost;

    /// The costs of a run of decode iterations that starts with `batch` (without prefill). From one iteration to the next the context grows
    /// by one token per sequence, the windowed context by `windowed_growth` tokens.
    ///
    /// The first iteration of the run must cost the same as [`iteration`](Self::iteration) of `batch`.
    fn decode_run(&self, batch: &BatchShape, windowed_growth: u32) -> DecodeRun {
        let _ = windowed_growth;
        DecodeRun { first: self.iteration(batch), step: IterationCost::default(), iterations: 1 }
    }

    /// The source of the numbers, for the report: one line.
    fn provenance(&self) -> String;

    /// The figures behind the durations, for the report. No hardware figures if the coefficients were given.
    fn basis(&self) -> Basis {
        Basis::default()
    }
}
