//! Calls of sessions: their number, and the latency of first and of later calls.

use super::summary::SessionSummary;
use super::values::Values;
use crate::cluster::RequestRecord;

/// The record of sessions. Empty without sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    started: u64,
    calls: u64,
    first_ttft: Values,
    later_ttft: Values,
}

impl Sessions {
    /// Records a measured request, if it is a call of a session.
    pub(super) fn ended(&mut self, record: &RequestRecord) {
        let Some(turn) = record.turn else { return };
        let first = turn.number == 0;
        self.calls += 1;
        self.started += u64::from(first);
        if let Some(token) = record.first_token {
            let ttft = if first { &mut self.first_ttft } else { &mut self.later_ttft };
            ttft.record(token.since(record.arrived).ns());
        }
    }

    /// Its part of the summary; `None` without calls of sessions.
    pub(super) fn summary(&mut self) -> Option<SessionSummary> {
        self.first_ttft.sort();
        self.later_ttft.sort();
        (self.calls > 0).then(|| SessionSummary {
            started: self.started,
            calls: self.calls,
            first_ttft_ms: self.first_ttft.distribution_ms(),
            later_ttft_ms: self.later_ttft.distribution_ms(),
        })
    }
}
