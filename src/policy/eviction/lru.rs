//! `lru`: the block used least recently goes first, of one sequence its last block, as in vLLM v1.
//!
//! Rule: freed blocks join the end of one queue, the last block of a sequence first, and the head of the queue is taken
//! (`vllm/v1/core/block_pool.py`, `FreeKVCacheBlockQueue`, 2026-08).

use super::super::register::Entry;
use super::{Eviction, Released};

/// Its line in the register.
pub(super) fn entry() -> Entry<dyn Eviction> {
    Entry::<dyn Eviction>::plain("lru", "The block used least recently, of one sequence its last block first.", |_| Box::new(Lru))
}

#[derive(Debug)]
struct Lru;

impl Eviction for Lru {
    fn rank(&mut self, _: &Released<'_>) -> u64 {
        0
    }
    fn is_lru(&self) -> bool {
        true
    }
}
