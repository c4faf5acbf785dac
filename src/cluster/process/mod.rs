//! What makes a cluster move: arrivals, timeouts, handoffs, engines, controllers.
//!
//! Owns: decisions, and the policies that make them. Must not know: each other. What a process causes for another is a state that the other
//! finds, and a wake on the agenda.

pub(crate) mod arrive;
pub(crate) mod control;
pub(crate) mod engine;
pub(crate) mod handoff;
pub(crate) mod timeout;
