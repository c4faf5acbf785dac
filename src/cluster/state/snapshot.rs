//! The cumulative sums of an instance at one moment.

/// Cumulative sums of an instance; each request keeps those at the time it joined the decode batch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Snapshot {
    pub(super) step: u64,
    pub(super) gap_sum: u64,
    pub(super) gap_squares: u128,
    pub(super) energy_j: f64,
    pub(super) time_s: f64,
}
