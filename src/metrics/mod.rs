//! What is recorded, and the one place where each metric is defined.
//!
//! Owns: definitions, histograms, the summary. Must not know: how the cluster reached its state, money, files, colours.

mod attainment;
mod bins;
mod buckets;
mod definition;
mod parameters;
mod provenance;
mod record;
mod recorder;
mod row;
mod summarize;
mod summary;
mod values;

pub use attainment::ShareInterval;
pub use definition::{Definition, definition, definitions};
pub use parameters::{ClassParameters, PoolParameters, RecorderParameters};
pub use provenance::{CONFIDENCE, Headline};
pub use recorder::{NoRows, Recorder, RequestSink};
pub use row::{RequestRow, Verdict, gap_std_ns, stages, tpot_ns};
pub use summarize::{PoolUse, RunFacts};
pub use summary::*;
pub use values::EXACT_LIMIT;
