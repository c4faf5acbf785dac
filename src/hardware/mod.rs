//! Chips, nodes, links and sites, each figure with source, date and confidence; the catalogue of shipped and user profiles.
//!
//! Owns: what hardware *is*. Must not know: what runs on it.

mod figure;
mod profile;

pub use figure::{Confidence, Figure, Source, Sources};
pub use profile::{AllReduceRow, Chip, ChipKind, ChipPower, ChipPrice, Efficiency, Link, Memory, Node, NodeOverhead, Site};
