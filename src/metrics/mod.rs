//! What is recorded, and the one place where each metric is defined.
//!
//! Owns: definitions, histograms, the summary. Must not know: how the cluster reached its state, files, colours.

mod summary;

pub use summary::*;
