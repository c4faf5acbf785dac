//! Prefill → decode: reserve, transfer, activate, release.
//!
//! * **Reserve** (`reserve.rs`): memory on a decode instance is reserved before a byte moves, after prefill (`after-prefill`) or before it
//!   starts (`layer-wise`). A request without a reservation keeps its blocks on the prefill instance, so a full decode pool slows prefill
//!   down. An instance with preempted sequences in its queue accepts no handoff, and every reservation leaves one free block per running
//!   sequence, so that a handoff does not evict the batch it is about to join.
//! * **Transfer** (`state/transit.rs`): bytes move through the sender's and the receiver's port (and the fabric) at their fair share, but
//!   no faster than the chips of one data-parallel group accept them, and once for each copy that the receiver keeps (latent attention: one
//!   per chip). Layer-wise, the KV of a chunk is offered when its first layer is done, except for the last layer's share, which follows at
//!   the end of the chunk. For a lone transfer this is exact: with `T` the chunk's time, `t` the transfer's and `L` layers it ends at
//!   `max(T + t/L, T/L + t)`.
//! * **Activate** (`state/transit.rs`): once set-up and latency have passed after the last byte, the sequence may join the decode batch.
//! * **First token** (`FirstToken`): leaves when the prompt is computed (`immediate`), leaves when the KV has arrived (`seeded`), or is
//!   computed by the decode side, which recomputes the prompt's last token in its first iteration (`recomputed`).
//! * **Release**: the sender's blocks are freed on activation.

mod reserve;

pub(crate) use reserve::Handoffs;
