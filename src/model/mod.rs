//! The transformer served: parameters, FLOPs, bytes and KV footprint per token, from its architecture.
//!
//! Owns: the requirements of a model, the catalogue of built-in models, the import of Hugging Face configurations.
//! Must not know: hardware, or durations.

mod architecture;
pub mod catalogue;
mod count;
mod error;
pub mod hugging_face;
mod precision;
mod profile;
mod served;
#[cfg(test)]
mod tests;
mod validate;

pub use architecture::{Architecture, Attention, AttentionBias, Experts, SlidingWindow};
pub use count::{Parameters, UNQUANTIZED};
pub use error::ModelError;
pub use precision::{Mix, Part, Precision};
pub use profile::{ModelProfile, Published};
pub use served::{Model, PartWeights};
