//! Prefill → decode: reserve, transfer, activate, release.
//!
//! * **Reserve** (`reserve.rs`): memory on a decode instance is taken before a byte moves: after prefill (`after-prefill`), or before it
//!   starts (`layer-wise`). A request that finds none keeps its blocks where it is, which is how a full decode pool slows prefill down.
//!   An instance that has sent a running sequence back to its queue takes nothing new, and every reservation leaves one free block
//!   per running sequence, so that handoffs do not evict what they are meant to join.
//! * **Transfer** (`state/transit.rs`): bytes move through the sender's and the receiver's port (and the fabric) at their fair share, but no
//!   faster than the chips of one data-parallel group take them, and once for each copy that the receiver keeps (latent attention: one per
//!   chip). Layer-wise, the KV of a chunk is offered when its first layer is done, but for the share of the last layer, which follows at the
//!   chunk's end. For a lone transfer this is exact: with `T` the chunk's time, `t` the transfer's and `L` layers it ends at
//!   `max(T + t/L, T/L + t)`.
//! * **Activate** (`state/transit.rs`): set-up and latency after the last byte, the sequence may join the decode batch.
//! * **First token** (`FirstToken`): it leaves when the prompt is computed, or with the KV when that has arrived (`seeded`), or the decode side
//!   computes the prompt's last token again in its first iteration and the first token leaves at its end (`recomputed`).
//! * **Release**: the sender's blocks are freed at that moment.

mod reserve;

pub(crate) use reserve::Handoffs;
