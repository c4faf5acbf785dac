//! The figures behind a performance model.

use std::collections::BTreeSet;

use crate::units::Confidence;

/// The figures behind the durations of one instance: those actually read, not all those of a profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Basis {
    /// Figures of the chip, by their path in its profile: `efficiency.gemm_memory.fp8`.
    pub chip: BTreeSet<String>,
    /// Figures of the link between the chips of the instance, likewise.
    pub scale_up: BTreeSet<String>,
    /// Figures of the performance model itself.
    pub own: Vec<OwnFigure>,
}

/// A figure that is in no profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFigure {
    /// Name: `expert tile`.
    pub name: &'static str,
    /// Value with its unit.
    pub value: String,
    /// Confidence in it.
    pub confidence: Confidence,
    /// Source, with a date.
    pub source: &'static str,
}
