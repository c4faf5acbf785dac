//! Sessions: calls that share a growing context, each waiting for answers to earlier ones.
//!
//! Owns: the order of the calls of a session, and the starts of sessions. Must not know: the causes of latency.
//!
//! A session is a [`Script`]: its calls with their dependencies, lengths and text identities. Scripts come from a [`SessionSource`]: generated
//! ([`SyntheticSessions`]) or read from a trace. [`SessionWorkload`] plays them: a call arrives when all the answers it depends on are complete and
//! its delay (think time, tool time) has passed. A call that is rejected, times out or fails counts as answered, so that no session is lost; its
//! answer is then not cached.

mod delays;
mod live;
mod script;
mod start;
mod synthetic;
mod workload;

pub use delays::DelayDistribution;
pub use script::{Script, SessionSource, Step};
pub use start::SessionStart;
pub use synthetic::{SyntheticSessionParameters, SyntheticSessions, ToolParameters};
pub use workload::{Pace, SessionWorkload};

/// Low bits of a block identity, which number the block within its session; the bits above number the session.
pub(super) const BLOCK_BITS: u32 = 24;
/// Maximum number of sessions with distinct identities in one workload.
pub(super) const MOST_SESSIONS: u64 = 1 << 23;

/// First block identity of session `session`. The lower half of a workload's identities is reserved for text shared between sessions.
pub(super) const fn own_blocks(session: u64) -> u64 {
    (MOST_SESSIONS + session) << BLOCK_BITS
}

#[cfg(test)]
mod tests;
