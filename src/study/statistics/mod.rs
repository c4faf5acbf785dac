//! Certainty of a difference between two runs: 95 % intervals from replications, or from single runs on the same trace.
//!
//! Owns: the interval of a mean of replications, the stationary bootstrap of paired requests and the rule for when a trace is too short.
//! Must not know: what the numbers measure, files, the terminal.
//!
//! # Replications
//! Runs with different seeds are independent: their mean has Student's t interval ([`of_replications`]). For two configurations that share their
//! seeds the values are the differences seed by seed.
//!
//! # One trace
//! Without seeds the requests of a trace are the sample, and neighbours are correlated. The stationary bootstrap (Politis and Romano, *The stationary
//! bootstrap*, JASA 89, 1994) draws blocks of consecutive pairs with geometric lengths; the mean length follows from the autocorrelation
//! (`dependence.rs`). A mean is recomputed for each resample. A quantile is shifted by the resampled error of its rank: the share of a resample at or
//! below the sample quantile, minus its expectation (the representation of Bahadur, *A note on quantiles in large samples*, Annals of Mathematical
//! Statistics 37, 1966), so that the ends are order statistics, as in Woodruff (*Confidence intervals for medians and other position measures*, JASA
//! 47, 1952), and are infinite if the tail has too few values.
//!
//! Plain percentile intervals have too low a coverage with few blocks, so their levels are widened (`interval.rs`): by Student's t with the degrees
//! of freedom of the block sums, by the known bias of the bootstrap's variance, and for a mean by its acceleration.
//!
//! `examples/coverage` measures the coverage of the intervals: 92 to 96 %, for single-server queues with Poisson and with bursty arrivals. An
//! interval applies to traffic like that of the trace: a trace without bursts says nothing about bursts, not even that they occur. If many traces
//! have fewer than [`LEAST_BLOCKS`], those with enough are the ones whose bursts happen to be small, and their intervals have a lower coverage.

mod dependence;
mod interval;
mod paired;
mod replications;
mod resample;
mod series;
mod side;

#[cfg(test)]
mod tests;

pub use interval::Interval;
pub use paired::{LEAST_BLOCKS, OfRun, Resampled, Statistic, of_pairs, of_run};
pub use replications::{Estimate, of_replications};
