//! Values derived from the record of one request.

use super::summary::SloLimits;
use super::values::std_ns;
use crate::cluster::{Outcome, RequestRecord};
use crate::sim::SimDuration;

/// Whether a request met its limits. `None`: no such limit, or undecided when the run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LimitsMet {
    /// Time to first token.
    pub ttft: Option<bool>,
    /// Time per output token; a request of one token meets every limit.
    pub tpot: Option<bool>,
    /// All limits of its class.
    pub all: Option<bool>,
}

impl LimitsMet {
    /// Judges a request. One that was rejected, timed out or failed has missed; one in flight at the end of the run has missed only limits it can no
    /// longer meet, and is undecided otherwise.
    pub fn of(record: &RequestRecord, slo: &SloLimits) -> Self {
        let ended = record.outcome == Outcome::Completed;
        let open = record.outcome == Outcome::InFlight;
        let judge = |limit_ms: Option<f64>, value_ns: Option<u64>, at_least_ns: Option<u64>| -> Option<bool> {
            let limit = limit_ms? * 1e6;
            match value_ns {
                Some(ns) if ended || open => Some(ns as f64 <= limit),
                _ if open => at_least_ns.and_then(|ns| (ns as f64 > limit).then_some(false)),
                _ => Some(false),
            }
        };
        let age = record.done.since(record.arrived).ns();
        let ttft = judge(slo.ttft_ms, record.first_token.map(|at| at.since(record.arrived).ns()), Some(age));
        let tpot = judge(slo.tpot_ms, ended.then(|| tpot_ns(record).unwrap_or(u64::MIN)), None);
        let e2e = judge(slo.e2e_ms, ended.then_some(age), Some(age));
        let limits = [(slo.ttft_ms, ttft), (slo.tpot_ms, tpot), (slo.e2e_ms, e2e)];
        let all = together(limits.iter().filter(|(limit, _)| limit.is_some()).map(|&(_, verdict)| verdict));
        Self { ttft, tpot, all }
    }
}

/// The combined verdict on several limits: one miss decides it, one undecided limit leaves it open, and without limits there is none.
fn together(mut verdicts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let first = verdicts.next()?;
    verdicts.fold(first, |all, verdict| match (all, verdict) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (None, _) | (_, None) => None,
        (Some(true), Some(true)) => Some(true),
    })
}

/// One line of `requests.csv`.
#[derive(Debug, Clone, Copy)]
pub struct RequestRow {
    /// The record reported by the cluster.
    pub record: RequestRecord,
    /// Whether it met its limits.
    pub limits: LimitsMet,
    /// True if it arrived after the warm-up and is therefore measured.
    pub measured: bool,
}

/// (last token − first token) / (output tokens − 1), ns, rounded down; `None` below two tokens.
pub fn tpot_ns(record: &RequestRecord) -> Option<u64> {
    let first = record.first_token?;
    record.done.since(first).ns().checked_div(u64::from(record.output_tokens).checked_sub(1)?)
}

/// Population standard deviation of a request's own gaps, ns; `None` below two gaps.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not above the longest gap")]
pub fn gap_std_ns(record: &RequestRecord) -> Option<u64> {
    (record.gap_count >= 2).then(|| std_ns(record.gap_count, u128::from(record.gap_sum_ns), record.gap_squares_ns2).round() as u64)
}

/// Times of a completed request in: queue, prefill, wait for decode memory, transfer, decode queue, decode, recovery from failures, frontend. They
/// sum to its E2E latency.
pub fn stages(record: &RequestRecord) -> [SimDuration; 8] {
    let end = record.done;
    let prefill_start = record.prefill_start.unwrap_or(end);
    let prefill_end = record.prefill_end.unwrap_or(end);
    // After a failure, the handoff follows the token that ends the recovery.
    let handed_on = record.resumed.map_or(prefill_end, |resumed| resumed.max(prefill_end));
    // A handoff that never happens, or ends before the prompt does (impossible), takes no time.
    let (reserved, delivered, joined) = match (record.reserved, record.delivered, record.decode_start) {
        (Some(reserved), Some(delivered), Some(joined)) => (reserved.max(handed_on), delivered.max(handed_on), joined.max(handed_on)),
        _ => (handed_on, handed_on, handed_on),
    };
    // With layer-wise overlap memory is reserved before the prompt is computed.
    let queued = prefill_start.since(record.admitted) - record.recovery[0];
    let refused = record.memory_wait.min(queued);
    [
        queued - refused,
        prefill_end.since(prefill_start),
        refused + reserved.since(handed_on),
        delivered.since(reserved),
        joined.since(delivered),
        // Before a failure and after the recovery.
        handed_on.since(prefill_end) - record.recovery[1] + end.since(joined),
        record.recovery(),
        record.admitted.since(record.arrived),
    ]
}

#[cfg(test)]
mod tests {
    use super::together;

    #[test]
    fn one_miss_decides_the_verdict_and_one_undecided_limit_leaves_it_open() {
        let (met, missed, open) = (Some(true), Some(false), None);
        assert_eq!(together([].into_iter()), None);
        assert_eq!(together([met, met, met].into_iter()), met);
        for verdicts in [[open, met, missed], [missed, open, met], [met, missed, open]] {
            assert_eq!(together(verdicts.into_iter()), missed);
        }
        assert_eq!(together([met, open, met].into_iter()), open);
    }
}
