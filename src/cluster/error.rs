//! Why a run ends early.

use thiserror::Error;

use super::state::Violation;
use crate::network::NetworkError;
use crate::sim::{Livelock, SimTime, TooMany};
use crate::workload::WorkloadError;

/// Latest time that a run may reach: later than any arrival, and early enough that no sum of times or of their squares overflows.
pub(super) const LATEST: SimTime = SimTime::from_ns(u64::MAX / 2);
/// The same limit in years, for messages, rounded down.
const MAX_YEARS: u32 = 292;

/// Why a run ended early. All observations until then have been reported.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The workload has no valid next request: user error.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The clock overflows: user error, since no cluster runs that long.
    #[error(
        "simulated time passes {} years, more than it can hold; look for a rate, bandwidth or step time that is out of scale",
        MAX_YEARS
    )]
    BeyondTime,
    /// More requests in flight than can be numbered: user error.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// A router has requests wait for good: an error of the policy.
    #[error(
        "the router has requests wait for good ({waiting} of them, the first is number {first}): nothing is to come at which it is asked about them, and it does not name them by `ready`"
    )]
    Forgotten {
        /// Requests that wait.
        waiting: usize,
        /// The lowest of their numbers.
        first: u64,
    },
    /// The simulation makes no progress: our error.
    #[error(transparent)]
    Livelock(#[from] Livelock),
    /// The network got an invalid request: our error.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// An invariant is broken: our error.
    #[error(transparent)]
    Violation(#[from] Violation),
}
