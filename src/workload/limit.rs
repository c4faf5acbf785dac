//! A workload that is cut off after a number of requests or at a time.

use super::{ClassId, RequestSpec, SkippedLines, Workload, WorkloadError};
use crate::sim::{SimDuration, SimTime};

/// The first requests of another workload.
#[derive(Debug)]
pub struct LimitedWorkload<W> {
    inner: W,
    left: Option<u64>,
    until: SimTime,
    over: bool,
}

impl<W: Workload> LimitedWorkload<W> {
    /// At most `requests` requests, and none that arrives later than `duration`. `None`: no such limit.
    pub fn new(inner: W, requests: Option<u64>, duration: Option<SimDuration>) -> Self {
        Self { inner, left: requests, until: duration.map_or(SimTime::NEVER, |span| SimTime::ZERO + span), over: false }
    }

    fn limit_reached(&mut self) -> Result<bool, WorkloadError> {
        if self.left == Some(0) || self.inner.peek()?.is_some_and(|at| at > self.until) {
            self.over = true;
        }
        Ok(self.over)
    }
}

impl<W: Workload> Workload for LimitedWorkload<W> {
    fn peek(&mut self) -> Result<Option<SimTime>, WorkloadError> {
        if self.over || self.limit_reached()? { Ok(None) } else { self.inner.peek() }
    }

    fn next(&mut self) -> Result<Option<(SimTime, RequestSpec)>, WorkloadError> {
        if self.over || self.limit_reached()? {
            return Ok(None);
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        self.inner.next()
    }

    fn request_done(&mut self, class: ClassId, at: SimTime) {
        self.inner.request_done(class, at);
    }

    fn is_exhausted(&self) -> bool {
        self.over || self.left == Some(0) || self.inner.is_exhausted()
    }

    fn prefix_block_tokens(&self, class: ClassId) -> Option<u32> {
        self.inner.prefix_block_tokens(class)
    }

    fn skipped(&self) -> Vec<(ClassId, &SkippedLines)> {
        self.inner.skipped()
    }
}
