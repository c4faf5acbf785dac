//! The record of a request that leaves.

use super::request::{Request, Timeline};
use crate::cluster::observe::RequestRecord;
use crate::sim::{SimDuration, SimTime};
use crate::workload::Outcome;

impl Request {
    /// The record of a request that ended at `ended`, as seen at `now`.
    pub(super) fn record(&self, outcome: Outcome, ended: SimTime, now: SimTime) -> RequestRecord {
        let Self { ask, progress, timeline, usage, .. } = self;
        RequestRecord {
            id: ask.id,
            class: ask.class,
            turn: ask.turn,
            outcome,
            truncated: ask.truncated,
            prompt_tokens: ask.prompt,
            cached_tokens: progress.cached,
            output_tokens: progress.generated,
            preemptions: progress.preemptions,
            failures: progress.failures,
            recomputed_tokens: usage.recomputed,
            prefill_instance: timeline.prefill_start.map(|_| progress.prefill_instance),
            decode_instance: progress.decode_instance,
            arrived: timeline.arrived,
            admitted: if progress.station.is_some() { now } else { timeline.admitted },
            prefill_start: timeline.prefill_start,
            prefill_end: timeline.prefill_end,
            first_token: timeline.first_token,
            second_token: timeline.second_token,
            recovery: timeline.recovered(now),
            resumed: timeline.resumed,
            reserved: timeline.reserved_at,
            memory_wait: timeline.refused_at.map_or(timeline.memory_wait, |since| now.since(since)),
            transfer_start: timeline.transfer_start,
            delivered: timeline.delivered,
            decode_start: timeline.decode_start,
            done: ended,
            gap_count: usage.gap_count,
            gap_sum_ns: usage.gap_sum,
            gap_squares_ns2: usage.gap_squares,
            prefill_energy_j: usage.prefill_energy_j,
            decode_energy_j: usage.decode_energy_j,
            prefill_s: usage.prefill_s,
            decode_s: usage.decode_s,
        }
    }
}

impl Timeline {
    /// Time lost to failures so far, before and after the first token.
    fn recovered(&self, now: SimTime) -> [SimDuration; 2] {
        let mut recovery = self.recovery;
        if let Some(since) = self.failed_at {
            let part = &mut recovery[usize::from(self.first_token.is_some())];
            *part += now.since(since);
        }
        recovery
    }
}
