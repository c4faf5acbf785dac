//! Eviction: which cached prefix goes first when KV blocks run out. One file per policy; [`evictions`] is the register.
//!
//! # Adding a policy
//! 1. Write `NAME.rs` with a struct that implements [`Eviction`], its rule and its source in the docs, its `entry`, and a test.
//! 2. Add a line to [`evictions`].

mod lru;

use std::fmt::Debug;

use super::register::Register;
use super::view::RequestView;
use crate::sim::SimTime;

/// Cached blocks that no sequence holds any longer.
#[derive(Debug, Clone, Copy)]
pub struct Released<'a> {
    /// The request that released them: its sequence has ended, has been handed off or preempted.
    pub request: RequestView<'a>,
    /// Tokens of its text before them.
    pub before: u32,
    /// Tokens that they cover. 0: what a preempted sequence leaves behind its whole blocks, which only that one can find again.
    pub tokens: u32,
    /// Times that they have been released like this, this time included: 1 for new ones.
    pub uses: u32,
    /// Their rank until they were last found; 0 for new ones.
    pub previous: u64,
}

/// Ranks the cached prefixes of an instance. Deterministic, except for draws from its own random stream.
pub trait Eviction: Debug + Send {
    /// The rank of blocks that have just been released, those at the end of a text before those at its beginning. The lowest rank is evicted
    /// first; within a rank, the block used least recently. A prefix is found up to its first missing block, so blocks that rank above some
    /// before them in their text may be kept in vain.
    fn rank(&mut self, released: &Released<'_>) -> u64;

    /// Blocks of a lower rank are gone at `now`, whether memory is short or not. Never falls with time.
    fn floor(&self, now: SimTime) -> u64 {
        let _ = now;
        0
    }

    /// True if all blocks always have the same rank: it is then not asked.
    fn is_lru(&self) -> bool {
        false
    }
}

/// All eviction policies: one line each, in the order in which they are listed.
pub fn evictions() -> Register<dyn Eviction> {
    Register::new(vec![lru::entry()])
}
