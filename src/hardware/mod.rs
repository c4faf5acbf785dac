//! Chips, nodes, links and sites, each figure with source, date and confidence; the catalogue of built-in and user profiles.
//!
//! Owns: descriptions of hardware. Must not know: workloads and models, files and folders (profiles are passed as text).

mod catalogue;
mod figure;
mod kind;
mod profile;
mod validate;
mod walk;

pub use catalogue::{Catalogue, CatalogueError, Listing, Origin};
pub use figure::{Confidence, Figure, Source, Sources};
pub use kind::{Kind, Profile};
pub use profile::{
    AllReduceRow, AllToAll, Chip, ChipKind, ChipPower, ChipPrice, Efficiency, Exchange, Link, Memory, Node, NodeOverhead, Site,
};
pub use validate::ProfileProblem;
pub use walk::{FigureEntry, figures};
