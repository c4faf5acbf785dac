//! All policies, as pure functions from views to decisions.
//!
//! Owns: routers and controllers (later admission, queue order, scaling, power). Must not know: how the cluster executes a decision, the
//! true output length of a request, or anything that a real control plane could not see.

pub mod control;
mod register;
pub mod router;
mod view;

pub use crate::workload::{Outcome, Refusal};
pub use control::{Controller, Fault, FaultSchedule, FleetView, Life, Order, Role};
pub use register::{Configured, Entry, PolicyError, Register};
pub use router::{Router, routers};
pub use view::{Candidates, Pick, RequestView, Served, Signal};

/// The policies that a scenario can name, by family.
#[derive(Debug, Clone)]
pub struct Policies {
    /// Which instance a request goes to.
    pub routers: Register<dyn Router>,
}

impl Default for Policies {
    fn default() -> Self {
        Self { routers: routers() }
    }
}
