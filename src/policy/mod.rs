//! All policies, as pure functions from views to decisions.
//!
//! Owns: routers and controllers (later admission, queue order, scaling, power). Must not know: how the cluster executes a decision, the
//! true output length of a request, or anything that a real control plane could not see.

pub mod control;
pub mod router;

pub use control::{Controller, Fault, FaultSchedule, FleetView, Life, Order, Role};
pub use router::{Candidates, RequestView, Router, RouterKind, Signal};
