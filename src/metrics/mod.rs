//! What is recorded, and the one place where each metric is defined.
//!
//! Owns: definitions, histograms, the summary. Must not know: how the cluster reached its state, money, files, colours.

mod bins;
mod definition;
mod latency;
mod recorder;
mod row;
mod series;
mod summarize;
mod summary;
mod values;

pub use definition::{Definition, definition, definitions};
pub use latency::{Distribution, Jitter, Latency, Lifecycle, MeanAndP99, SloLimits};
pub use recorder::{ClassParameters, NoRows, PoolParameters, Recorder, RecorderParameters, RequestSink};
pub use row::{RequestRow, Verdict, gap_std_ns, stages, tpot_ns};
pub use series::{Cdf, Distributions, PoolTimeline, RunResult, Timeline};
pub use summarize::{PoolUse, RunFacts};
pub use summary::*;
pub use values::EXACT_LIMIT;
