//! Workloads: arrivals, lengths, sessions, traces.
//!
//! Owns: the stream of requests. Must not know: the cluster, policies. Its draws depend only on the seed, so that policies are compared on the same
//! requests.
//!
//! Everything is generated on demand: neither a synthetic workload nor a trace is ever held in memory as a whole.

mod arrivals;
mod closed_loop;
mod envelope;
mod error;
mod inspect;
mod lengths;
mod limit;
mod merge;
mod request;
mod session;
mod shape;
mod standstill;
mod synthetic;
mod trace;

pub use arrivals::ArrivalProcess;
pub use closed_loop::{ClosedLoopParameters, ClosedLoopWorkload};
pub use envelope::DiurnalEnvelope;
pub use error::{ParameterProblem, WorkloadError};
pub use inspect::{DelayStatistics, LengthStatistics, SessionStatistics, TraceStatistics, inspect};
pub use lengths::{LengthDistribution, MAX_TOKENS};
pub use limit::LimitedWorkload;
pub use merge::MergedWorkload;
pub use request::{ClassId, Ended, Outcome, Refusal, RequestSpec, Turn, Workload};
pub use session::{
    DelayDistribution, Pace, Script, SessionSource, SessionStart, SessionWorkload, Step, SyntheticSessionParameters, SyntheticSessions,
    ToolParameters,
};
pub use shape::{RequestShape, SharedPrefix};
pub use synthetic::{SyntheticParameters, SyntheticWorkload};
pub use trace::{
    PlainWriter, ReadOptions, SessionNotes, SessionOptions, SessionReplay, SessionTrace, SkipReason, SkippedLine, SkippedLines,
    TraceFormat, TraceParameters, TraceReader, TraceRecord, TraceSource, TraceWindow, TraceWorkload, Transcript, Turns, generate, import,
    open_trace,
};
