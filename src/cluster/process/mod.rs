//! The processes of a cluster: arrivals, timeouts, handoffs, engines, controllers.
//!
//! Owns: decisions, and the policies that make them. Must not know: each other. One process affects another through the state it leaves
//! and a wake on the agenda.

pub(crate) mod arrive;
pub(crate) mod control;
pub(crate) mod engine;
pub(crate) mod handoff;
pub(crate) mod timeout;
