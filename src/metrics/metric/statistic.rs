//! The statistics of a distribution.

use super::super::summary::Distribution;

/// One statistic of a [`Distribution`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// Arithmetic mean.
    Mean,
    /// Standard deviation of the population.
    Std,
    /// Smallest.
    Min,
    /// Median.
    P50,
    /// 90th percentile.
    P90,
    /// 95th percentile.
    P95,
    /// 99th percentile.
    P99,
    /// Largest.
    Max,
    /// Number of values.
    Count,
}

impl Statistic {
    /// All statistics, in the order of `summary.json`.
    pub const ALL: [Self; 9] = [Self::Mean, Self::Std, Self::Min, Self::P50, Self::P90, Self::P95, Self::P99, Self::Max, Self::Count];

    /// Its name in `summary.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Std => "std",
            Self::Min => "min",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Max => "max",
            Self::Count => "count",
        }
    }

    /// Name in a sentence.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Std => "standard deviation",
            Self::Min => "least",
            Self::P50 => "median",
            Self::P90 => "90th percentile",
            Self::P95 => "95th percentile",
            Self::P99 => "99th percentile",
            Self::Max => "most",
            Self::Count => "number of values",
        }
    }

    /// Its value.
    pub fn of(self, distribution: &Distribution) -> f64 {
        match self {
            Self::Mean => distribution.mean,
            Self::Std => distribution.std,
            Self::Min => distribution.min,
            Self::P50 => distribution.p50,
            Self::P90 => distribution.p90,
            Self::P95 => distribution.p95,
            Self::P99 => distribution.p99,
            Self::Max => distribution.max,
            Self::Count => distribution.count as f64,
        }
    }
}
