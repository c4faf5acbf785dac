//! Provenance of figures, as defined in [`crate::units`] and shared by hardware and model profiles.

pub use crate::units::{Confidence, Figure, Source, Sources};
