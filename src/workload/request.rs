//! What a workload hands to the cluster.

use super::{SkippedLines, WorkloadError};
use crate::sim::{SimTime, impl_id};

/// Index of a workload of the scenario; its requests share one SLO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub u16);

impl_id!(ClassId(u16));

/// One request as it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSpec {
    /// Which workload it belongs to.
    pub class: ClassId,
    /// Prompt length, tokens, at least 1.
    pub prompt_tokens: u32,
    /// Output length, tokens, at least 1. Policies never see it.
    pub output_tokens: u32,
    /// Identities of the prompt's leading blocks: equal ids mean equal text from the start of the prompt to the end of that block.
    /// Empty if the workload has no known prefixes. Only *full* blocks are listed; how many tokens a block has is
    /// [`Workload::prefix_block_tokens`]. Ids of different workloads do not collide: see [`ClassId::prefix_id`].
    pub prefix: Box<[u64]>,
}

impl ClassId {
    /// The scenario-wide identity of a block that this workload calls `id`. Workloads do not share text, so the same small id in two
    /// traces must not be a cache hit; ids below 2⁴⁸ never collide, hashes of 64 bits collide as rarely as before.
    pub const fn prefix_id(self, id: u64) -> u64 {
        id.wrapping_add((self.0 as u64) << 48)
    }
}

/// Requests in order of arrival, produced on demand.
///
/// Times never decrease. A closed loop has nothing to offer until one of its requests is done, so `peek` may be `None` now and
/// `Some` after [`request_done`](Self::request_done); [`is_exhausted`](Self::is_exhausted) tells the two apart. After an error the
/// workload offers nothing more.
pub trait Workload: std::fmt::Debug + Send {
    /// When the next request arrives, if that is known now.
    ///
    /// # Errors
    /// A broken line of a trace.
    fn peek(&mut self) -> Result<Option<SimTime>, WorkloadError>;

    /// Takes the next request.
    ///
    /// # Errors
    /// A broken line of a trace.
    fn next(&mut self) -> Result<Option<(SimTime, RequestSpec)>, WorkloadError>;

    /// Tells the workload that a request of `class` has left the system (completed, rejected, timed out or failed) at `at`.
    fn request_done(&mut self, class: ClassId, at: SimTime);

    /// True if no request will ever come again.
    fn is_exhausted(&self) -> bool;

    /// The part of all its requests that it has handed out, 0 to 1, for progress: an estimate where it is not known exactly; `None` if
    /// there is no telling, as of a workload without an end.
    fn handed_out(&self) -> Option<f64> {
        None
    }

    /// Tokens per block of the prefix ids of `class`, at least 1; `None` if its requests have no known prefixes.
    fn prefix_block_tokens(&self, _class: ClassId) -> Option<u32> {
        None
    }

    /// Trace lines left out so far, by workload. Empty where no trace is read.
    fn skipped(&self) -> Vec<(ClassId, &SkippedLines)> {
        Vec::new()
    }
}

impl<W: Workload + ?Sized> Workload for Box<W> {
    fn peek(&mut self) -> Result<Option<SimTime>, super::WorkloadError> {
        (**self).peek()
    }
    fn next(&mut self) -> Result<Option<(SimTime, RequestSpec)>, super::WorkloadError> {
        (**self).next()
    }
    fn request_done(&mut self, class: ClassId, at: SimTime) {
        (**self).request_done(class, at);
    }
    fn is_exhausted(&self) -> bool {
        (**self).is_exhausted()
    }
    fn handed_out(&self) -> Option<f64> {
        (**self).handed_out()
    }
    fn prefix_block_tokens(&self, class: ClassId) -> Option<u32> {
        (**self).prefix_block_tokens(class)
    }
    fn skipped(&self) -> Vec<(ClassId, &super::SkippedLines)> {
        (**self).skipped()
    }
}
