//! Which figures a performance model rests on.

use std::collections::BTreeSet;

use crate::units::Confidence;

/// The figures behind the durations of one instance: those that were read, not those that a profile has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Basis {
    /// Of the chip, by their path in its profile: `efficiency.gemm_memory.fp8`.
    pub chip: BTreeSet<String>,
    /// Of the link between the chips of the instance, likewise.
    pub scale_up: BTreeSet<String>,
    /// Of the performance model itself.
    pub own: Vec<OwnFigure>,
}

/// A figure that no profile holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFigure {
    /// What it is: `expert tile`.
    pub name: &'static str,
    /// With its unit.
    pub value: String,
    /// How far it can be trusted.
    pub confidence: Confidence,
    /// Where it comes from, with a date.
    pub source: &'static str,
}
