//! The transformer served: from its architecture to parameters, FLOPs, bytes and KV footprint per token.
//!
//! Owns: what a model needs, the catalogue of shipped models, the reading of Hugging Face configurations.
//! Must not know: the hardware it runs on, or how long anything takes.

mod architecture;
pub mod catalogue;
mod count;
mod error;
pub mod hugging_face;
mod profile;
mod served;
#[cfg(test)]
mod tests;
mod validate;

pub use architecture::{Architecture, Attention, AttentionBias, Experts, Precision, SlidingWindow};
pub use count::{Parameters, UNQUANTIZED};
pub use error::ModelError;
pub use profile::{ModelProfile, Published};
pub use served::Model;
