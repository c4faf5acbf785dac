//! All policies, as pure functions from views to decisions.
//!
//! Owns: admission, routers, queue orders and controllers. Must not know: how the cluster executes a decision, the true output length of a request, or anything that a real control plane could not see.

pub mod admission;
pub mod control;
pub mod queue;
mod register;
pub mod router;
mod view;

pub use crate::workload::{Outcome, Refusal};
pub use admission::{Admission, Admit, admissions};
pub use control::{Controller, Fault, FaultSchedule, FleetView, Life, Order, Role};
pub use queue::{QueueOrder, Rank, Ranked, Ticket, queues};
pub use register::{Configured, Described, Entry, PolicyError, Register};
pub use router::{Router, routers};
pub use view::{Candidates, Pick, RequestView, Served, Signal};

/// The policies that a scenario can name, by family.
#[derive(Debug, Clone)]
pub struct Policies {
    /// Whether a request is let in.
    pub admissions: Register<dyn Admission>,
    /// Which instance a request goes to.
    pub routers: Register<dyn Router>,
    /// Which waiting request of an instance starts next.
    pub queues: Register<dyn QueueOrder>,
}

impl Default for Policies {
    fn default() -> Self {
        Self { admissions: admissions(), routers: routers(), queues: queues() }
    }
}

impl Policies {
    /// All policies, with the key of their family under `policies` in a scenario.
    pub fn described(&self) -> Vec<(&'static str, Described)> {
        let admissions = self.admissions.entries().map(|entry| ("admission", entry.described()));
        let routers = self.routers.entries().map(|entry| ("router", entry.described()));
        let queues = self.queues.entries().map(|entry| ("queue", entry.described()));
        routers.chain(admissions).chain(queues).collect()
    }
}
