//! Sessions: several calls that share a growing context, each of which waits for answers to earlier ones.
//!
//! Owns: the order of the calls of a session, and when sessions start. Must not know: what makes an answer slow.
//!
//! A session is a [`Script`]: its calls with what each waits for, its lengths and the identities of its text. Where scripts come from is a
//! [`SessionSource`]: generated ([`SyntheticSessions`]) or read from a trace. [`SessionWorkload`] plays them: a call arrives once all answers
//! that it waits for are there and its delay (think time, tool time) has passed. A call that is rejected, times out or fails counts as
//! answered, so that no session is lost; its answer is then in no cache.

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

/// Bits of a block identity for the block within its session; what is above numbers the session.
pub(super) const BLOCK_BITS: u32 = 24;
/// Sessions that have identities of their own, of one workload.
pub(super) const MOST_SESSIONS: u64 = 1 << 23;

/// Identities of the blocks of session `session` start here. The lower half of a workload's identities is left to text that sessions have in
/// common.
pub(super) const fn own_blocks(session: u64) -> u64 {
    (MOST_SESSIONS + session) << BLOCK_BITS
}

#[cfg(test)]
mod tests;
