//! The sums that an instance keeps over its life, as they are at one moment.

/// Cumulative sums of an instance; requests keep them as they were when they joined its decode batch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Snapshot {
    pub(super) step: u64,
    pub(super) gap_sum: u64,
    pub(super) gap_squares: u128,
    pub(super) energy_j: f64,
    pub(super) time_s: f64,
}
