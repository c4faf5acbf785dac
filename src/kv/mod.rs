//! KV memory of one instance: paged blocks, and a prefix cache over block identities; and an index over the caches of many.
//!
//! Owns: leases of blocks, and the choice of cached prefixes to evict. Must not know: requests, time, the network.

mod blocks;
mod index;
mod lru;
mod prefix;
mod store;

pub use blocks::{Blocks, Piece};
pub use index::{Holders, SharedIndex};
pub use prefix::{Freed, Ranks};
pub use store::{KvError, KvStore, Lease, Residue};

#[cfg(test)]
mod tests;
