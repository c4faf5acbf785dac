//! The only code that changes simulated state: requests, instances, handoffs and the event loop.
//!
//! Owns: the lifecycle of a request and the order of everything that happens. Must not know: metrics, money, files, YAML.
//! It tells an [`Observer`] what happens and nothing else.
//!
//! ```text
//!            ┌────────────── prefill ──────────────┐      ┌──────────── decode ────────────┐
//! arrival ─► queue ─► chunked prefill ─► first token ─► reserve ─► transfer ─► join batch ─► last token
//! ```
//!
//! Start reading at `run.rs` (the loop), then `engine.rs` (an iteration), `batch.rs` (who is in it), `reserve.rs` and
//! `handoff.rs`.

mod arrival;
mod audit;
mod batch;
mod deadline;
mod decode_set;
mod departure;
mod engine;
mod event;
mod handoff;
mod instance;
mod list;
mod observe;
mod request;
mod reserve;
mod run;
mod spec;
mod state;

pub use audit::Violation;
pub use event::{InstanceId, PoolId};
pub use observe::{Both, IterationRecord, Observer, Outcome, RequestRecord, Silent};
pub use run::RunError;
pub use spec::{ClassSpec, ClusterSpec, EngineSpec, ModelId, NetworkSpec, Overlap, PoolSpec, Role, RouterSpec, SpecError};
pub use state::Cluster;
