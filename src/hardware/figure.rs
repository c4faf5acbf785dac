//! Provenance of figures, as [`crate::units`] defines it: hardware and model profiles share it.

pub use crate::units::{Confidence, Figure, Source, Sources};
