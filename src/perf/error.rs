//! Errors in building a performance model. All are user errors; none can occur once a model is built.

use thiserror::Error;

use crate::units::{Bytes, Dtype};

/// Why a performance model cannot be built: user error.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PerfError {
    /// A dimension of the parallelism is zero or too large.
    #[error("`{key}`: found {found}, expected 1 to {most}")]
    ParallelismRange {
        /// The dimension.
        key: &'static str,
        /// The value given.
        found: u32,
        /// Greatest permitted value.
        most: u32,
    },
    /// A count that must be divided evenly is not.
    #[error("`{key}: {found}` does not divide the {count} {what} of `{model}`, expected {}", one_of(divisors))]
    NotDivisible {
        /// The dimension.
        key: &'static str,
        /// The value given.
        found: u32,
        /// The items counted.
        what: &'static str,
        /// Their number.
        count: u32,
        /// The model.
        model: String,
        /// Valid values; those that do not fit the hardware may be left out.
        divisors: Vec<u32>,
    },
    /// KV heads can be neither split nor replicated evenly.
    #[error("`tp: {tp}` neither divides nor is a multiple of the {kv_heads} key-value heads of `{model}`")]
    KvHeads {
        /// Tensor parallelism.
        tp: u32,
        /// Key-value heads.
        kv_heads: u32,
        /// The model.
        model: String,
    },
    /// Expert parallelism of a dense model.
    #[error("`{model}` has no experts: found `ep: {ep}`, `dp: {dp}`, expected 1 and 1; give the pool more instances instead of `dp`")]
    NoExperts {
        /// Expert parallelism.
        ep: u32,
        /// Data parallelism.
        dp: u32,
        /// The model.
        model: String,
    },
    /// Experts must be split over all chips or none.
    #[error("`ep: {ep}` with `tp: {tp}` and `dp: {dp}`, expected `ep: {chips}` (tp · dp), or `ep: 1` with `dp: 1`")]
    ExpertSpread {
        /// Expert parallelism.
        ep: u32,
        /// Tensor parallelism.
        tp: u32,
        /// Data parallelism.
        dp: u32,
        /// Chips of the instance.
        chips: u32,
    },
    /// A feature that does not exist yet.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// The chip has no measured efficiency, so a roofline would only be a bound.
    #[error("chip `{chip}` has no `efficiency`, which the roofline needs; give it one or choose another performance model")]
    NoEfficiency {
        /// The chip.
        chip: String,
    },
    /// The chip profile lacks a figure for a number format.
    #[error("chip `{chip}` has no `{table}` for {wanted} or a format that can stand in for it")]
    MissingFigure {
        /// The chip.
        chip: String,
        /// The table of the profile.
        table: &'static str,
        /// The format.
        wanted: &'static str,
    },
    /// A figure that would make times zero, infinite or negative.
    #[error("`{what}` is {found}, expected {expected}")]
    BadFigure {
        /// The figure.
        what: String,
        /// Its value.
        found: f64,
        /// The valid range.
        expected: &'static str,
    },
    /// Coefficients with which no iteration would take time.
    #[error("all coefficients are 0, so iterations would take no time; give at least one of them")]
    NoTime,
    /// Weights and activations leave no room for a KV cache.
    #[error(
        "`{model}` ({weights} weights) does not fit on {chips} × `{chip}`: needs {needed}, has {available}, short by {short_by}; \
         raise `tp` (now {tp}), choose a smaller weight format or a chip with more memory"
    )]
    DoesNotFit {
        /// The model.
        model: String,
        /// The format of its weights.
        weights: &'static str,
        /// The chip.
        chip: String,
        /// Chips of the instance.
        chips: u32,
        /// Tensor parallelism.
        tp: u32,
        /// Memory for weights, activations and one block per sequence on the instance.
        needed: Bytes,
        /// Memory that the engine may use on the instance.
        available: Bytes,
        /// The difference.
        short_by: Bytes,
    },
}

fn one_of(numbers: &[u32]) -> String {
    let words: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    if let [only] = words.as_slice() { only.clone() } else { format!("one of {}", words.join(", ")) }
}

impl PerfError {
    /// Drops suggestions that need more than `chips`.
    #[must_use]
    pub fn within(mut self, chips: u32) -> Self {
        if let Self::NotDivisible { divisors, .. } = &mut self {
            divisors.retain(|&divisor| divisor <= chips);
        }
        self
    }

    pub(crate) fn missing(chip: &str, table: &'static str, wanted: Dtype) -> Self {
        Self::MissingFigure { chip: chip.to_owned(), table, wanted: wanted.name() }
    }

    pub(crate) fn bad(what: impl Into<String>, found: f64, expected: &'static str) -> Self {
        Self::BadFigure { what: what.into(), found, expected }
    }
}
