//! The only code that changes simulated state: requests, instances, handoffs and the event loop.
//!
//! Owns: the lifecycle of a request and the order of events. Must not know: metrics, money, files, YAML. Everything that happens is
//! reported to an [`Observer`] and nowhere else.
//!
//! ```text
//!            ┌────────────── prefill ──────────────┐      ┌──────────── decode ────────────┐
//! arrival ─► [frontend ─►] queue ─► chunked prefill ─► first token ─► reserve ─► transfer ─► join batch ─► last token
//! ```
//!
//! Two storeys: *stores* (`state/`: requests, queues, batches, leases, the clock) and *processes* (`process/`: the decisions). A store
//! names no process, and a process no other process: their effects on each other go through the agenda of the instant.
//!
//! Start reading at `run.rs` (the loop), then `process/engine` (an iteration) and `process/handoff`; `state/moves.rs` has the moves.

mod candidates;
mod deciders;
mod error;
mod event;
mod ids;
mod observe;
mod process;
mod routers;
mod run;
mod segment;
mod spec;
mod state;

pub use crate::policy::{Life, Role};
pub use crate::workload::Outcome;
pub use error::RunError;
pub use ids::{FrontendId, InstanceId, ModelId, PoolId};
pub use observe::{Both, Observation, Observer, RequestRecord, Silent};
pub use run::{Cluster, Work};
pub(crate) use segment::KvBlocks;
pub use segment::{Members, RunSegment};
pub use spec::{
    ClassSpec, ClusterSpec, EngineSpec, FirstToken, FrontendSpec, NetworkSpec, Overlap, PoolSpec, Reporting, Retry, RouterSpec,
    SchedulerSpec, SpecError,
};
pub use state::Violation;
