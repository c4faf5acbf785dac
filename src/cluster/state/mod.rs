//! The stores of a cluster: its present state, and the moves that keep it consistent.
//!
//! Owns: requests, queues, batches, leases, the clock, the agenda, the ledger. Must not know: the reasons for moves. Policies, engines and
//! handoffs are processes; a store names none of them, and only stores write the fields of stores.

mod agenda;
mod audit;
mod calendar;
mod deadlines;
mod decode_set;
pub(crate) mod failure;
mod fleet;
mod flight;
pub(crate) mod frontend;
mod hearing;
mod instance;
pub(crate) mod leave;
mod ledger;
pub(crate) mod life;
mod list;
mod load;
mod loads;
mod member;
pub(crate) mod moves;
pub(crate) mod offers;
mod queue;
mod record;
mod release;
mod reports;
mod request;
mod requests;
mod rules;
pub(crate) mod scheduler;
mod snapshot;
mod station;
pub(crate) mod timeouts;
pub(crate) mod transit;
pub(crate) mod views;
mod wire;
mod world;

pub(crate) use audit::Audit;
pub use audit::Violation;
pub(crate) use fleet::Entry;
pub(crate) use instance::Instance;
pub(crate) use loads::Side;
pub(crate) use world::World;
