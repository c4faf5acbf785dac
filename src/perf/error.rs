//! Why a performance model cannot be built. All are the user's to mend; none arises once a model is built.

use thiserror::Error;

use crate::units::{Bytes, Dtype};

/// Why a performance model cannot be built.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PerfError {
    /// A dimension of the parallelism is zero or absurd.
    #[error("`{key}`: found {found}, expected 1 to {most}")]
    ParallelismRange {
        /// Which dimension.
        key: &'static str,
        /// What was given.
        found: u32,
        /// Greatest permitted value.
        most: u32,
    },
    /// A count that must be divided evenly is not.
    #[error("`{key}: {found}` does not divide the {count} {what} of `{model}`, expected {}", one_of(divisors))]
    NotDivisible {
        /// Which dimension.
        key: &'static str,
        /// What was given.
        found: u32,
        /// What is counted.
        what: &'static str,
        /// How many there are.
        count: u32,
        /// The model.
        model: String,
        /// What would do; what does not fit the hardware may be left out.
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
        /// Which table of the profile.
        table: &'static str,
        /// Which format.
        wanted: &'static str,
    },
    /// A figure that would make times zero, infinite or negative.
    #[error("`{what}` is {found}, expected {expected}")]
    BadFigure {
        /// Which figure.
        what: String,
        /// Its value.
        found: f64,
        /// What would do.
        expected: &'static str,
    },
    /// Coefficients by which no iteration would take time.
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
        /// What weights, activations and one block per sequence take on the instance.
        needed: Bytes,
        /// What the engine may use on the instance.
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
    /// The same, offering nothing that needs more than `chips`.
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
