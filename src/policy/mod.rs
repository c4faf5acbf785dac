//! All policies, as pure functions from views to decisions.
//!
//! Owns: a folder of policies for each decision, and their registers. Must not know: how the cluster executes a decision, the true output length of a request, or anything that a real control plane could not see.

pub mod admission;
pub mod batching;
pub mod control;
pub mod disaggregation;
pub mod eviction;
pub mod preemption;
pub mod queue;
mod register;
pub mod router;
mod view;

pub use crate::workload::{Outcome, Refusal};
pub use admission::{Admission, Admit, admissions};
pub use batching::{BatchView, Batching, Budget, batchings};
pub use control::{Controller, Fault, FaultSchedule, FleetView, Life, Order, Role, controllers};
pub use disaggregation::{Decider, Path, deciders};
pub use eviction::{Eviction, Released, evictions};
pub use preemption::{Preempt, Preemption, RunningView, preemptions};
pub use queue::{QueueOrder, Rank, Ranked, Ticket, queues};
pub use register::{Configured, Described, Entry, PolicyError, Register};
pub use router::{Router, routers};
pub use view::{Candidates, Limits, Pick, RequestView, Served, Signal};

/// The policies that a scenario can name, by family.
#[derive(Debug, Clone)]
pub struct Policies {
    /// Whether a request is let in.
    pub admissions: Register<dyn Admission>,
    /// Which instance a request goes to.
    pub routers: Register<dyn Router>,
    /// Whether the prompt of a request is computed apart from its output.
    pub deciders: Register<dyn Decider>,
    /// Which waiting request of an instance starts next.
    pub queues: Register<dyn QueueOrder>,
    /// Which running sequence gives its memory back when KV blocks run out.
    pub preemptions: Register<dyn Preemption>,
    /// How much prompt work an iteration takes on.
    pub batchings: Register<dyn Batching>,
    /// Which cached prefix is evicted first when KV blocks run out.
    pub evictions: Register<dyn Eviction>,
    /// When instances are started, drained and given other roles.
    pub controllers: Register<dyn Controller>,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            admissions: admissions(),
            routers: routers(),
            deciders: deciders(),
            queues: queues(),
            preemptions: preemptions(),
            batchings: batchings(),
            evictions: evictions(),
            controllers: controllers(),
        }
    }
}

impl Policies {
    /// All policies, with the key of their family under `policies` in a scenario.
    pub fn described(&self) -> Vec<(&'static str, Described)> {
        fn family<P: ?Sized + 'static>(key: &'static str, register: &Register<P>) -> impl Iterator<Item = (&'static str, Described)> {
            register.entries().map(move |entry| (key, entry.described()))
        }
        family("router", &self.routers)
            .chain(family("admission", &self.admissions))
            .chain(family("disaggregation", &self.deciders))
            .chain(family("queue", &self.queues))
            .chain(family("preemption", &self.preemptions))
            .chain(family("batching", &self.batchings))
            .chain(family("eviction", &self.evictions))
            .chain(family("control", &self.controllers))
            .collect()
    }
}
