//! The transformer served: from its architecture to parameters, FLOPs, bytes and KV footprint per token.
//!
//! Owns: what a model needs. Must not know: the hardware it runs on, or how long anything takes.

mod architecture;

pub use architecture::{Architecture, Attention, Experts, Precision, SlidingWindow};
