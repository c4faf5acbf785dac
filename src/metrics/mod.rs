//! Recording of a run, and the single definition of each metric.
//!
//! Owns: definitions, histograms, the summary, the verdict. Must not know: why the cluster reached its state, money, files, colours.

mod aside;
mod attainment;
mod bins;
mod buckets;
mod definition;
mod frontends;
pub mod metric;
mod outages;
mod parameters;
mod provenance;
mod record;
mod recorder;
mod relay;
mod row;
mod sample;
mod sessions;
mod steps;
mod student;
mod summarize;
mod summary;
mod threaded;
mod values;
mod verdict;

pub use attainment::ShareInterval;
pub use definition::{Definition, Explanation, definitions, explain};
pub use parameters::{ClassParameters, FrontendParameters, PoolParameters, RecorderParameters};
pub use provenance::Headline;
pub use recorder::{NoRows, Recorder, RequestSink};
pub use relay::Relay;
pub use row::{LimitsMet, RequestRow, gap_std_ns, stages, tpot_ns};
pub use sample::{RowChoice, Sampled};
pub use student::student_t;
pub use summarize::{PoolUse, RunFacts};
pub use summary::*;
pub use threaded::Threaded;
pub use values::EXACT_LIMIT;
pub use verdict::{ATTAINMENT_TARGET, Check, SloMetric, Standing, Verdict, checks, checks_of, verdict};
