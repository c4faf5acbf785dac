//! KV memory of one instance: paged blocks, and a prefix cache over block identities.
//!
//! Owns: leases of blocks and which cached prefixes may be evicted. Must not know: requests, time, the network.

mod prefix;
mod store;

pub use store::{KvError, KvStore, Lease, Residue};

#[cfg(test)]
mod tests;
