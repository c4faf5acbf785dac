//! Warnings for the reader: each states the problem, its extent, and its consequence.

use crate::cluster::Role;
use crate::metrics::{Headline, RunResult, Summary, Timeline, Warning, WarningCode};
use crate::scenario::Scenario;
use crate::units::{grouped, percent};

/// Factor by which requests in the system must grow over the second half of the arrivals to count as overload …
const OVERLOAD_GROWTH: f64 = 1.5;
/// … and by at least this many.
const OVERLOAD_REQUESTS: f64 = 20.0;
/// Share of the time in which the decode side blocks requests above which a warning is given.
const HELD_UP: f64 = 0.01;
/// Share of timed-out requests above which a cluster with a bottleneck is overloaded.
const GIVEN_UP: f64 = 0.1;
/// Minimum ratio of the requests in the system in the first tenth of the measured time to those in the rest.
const SETTLED: f64 = 0.7;
/// Below this many completed requests a 99th percentile is one or two requests.
const FEW: u64 = 200;

/// Remarks from reading the workloads, each with the name of its workload.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Skipped lines.
    pub(super) skipped: Vec<(String, String)>,
    /// Remarks on ambiguities of a trace.
    pub(super) remarks: Vec<(String, String)>,
}

/// All warnings, most severe first.
pub(super) fn find(result: &RunResult, scenario: &Scenario, reading: &Reading) -> Vec<Warning> {
    let summary = &result.summary;
    let mut warnings = Vec::new();
    let mut warn = |code: WarningCode, message: Option<String>| warnings.extend(message.map(|message| Warning { code, message }));
    warn(WarningCode::Overload, overload(result));
    warn(WarningCode::NeverServed, never_served(summary));
    warn(WarningCode::Refused, refused(summary));
    warn(WarningCode::TimedOut, timed_out(summary));
    warn(WarningCode::Outages, outages(summary));
    warn(WarningCode::Unfinished, unfinished(summary));
    warn(WarningCode::KvSaturation, kv_saturation(summary));
    warn(WarningCode::BatchLimit, batch_limit(summary));
    warn(WarningCode::LinkReach, scenario.caution.clone());
    warn(WarningCode::Truncated, truncated(summary));
    warn(WarningCode::WarmUpNotSettled, not_settled(result, scenario));
    for (class, lines) in &reading.skipped {
        warn(WarningCode::SkippedLines, Some(format!("`{class}`: {lines}")));
    }
    for (class, remark) in &reading.remarks {
        warn(WarningCode::TraceRemarks, Some(format!("`{class}`: {remark}")));
    }
    warn(WarningCode::FewRequests, few(summary));
    warn(WarningCode::AssumedFigures, assumed(summary));
    warnings
}

/// Requests in the system, waiting or running, per interval.
fn inside(timeline: &Timeline) -> Vec<f64> {
    (0..timeline.at_s.len()).map(|i| timeline.pools.iter().map(|pool| pool.queue[i] + pool.running[i]).sum()).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Intervals up to the last arrival.
fn arriving(timeline: &Timeline) -> usize {
    timeline.arrivals_per_s.iter().rposition(|&rate| rate > 0.0).map_or(0, |last| last + 1)
}

/// The queue grows without bound, or would without timeouts.
fn overload(result: &RunResult) -> Option<String> {
    let summary = &result.summary;
    let served = summary.throughput.served_requests_per_s.zip(summary.throughput.offered_requests_per_s);
    let served = served
        .map_or_else(String::new, |(served, offered)| format!("{served:.2} of {offered:.2} requests/s were served while they arrived: "));
    if let Some((middle, end)) = growth(&result.timeline) {
        let (middle, end) = (grouped(&format!("{middle:.0}")), grouped(&format!("{end:.0}")));
        return Some(format!(
            "{served}requests in the system grew from {middle} to {end} over the second half, so latencies grow with the length of the run"
        ));
    }
    held_up_and_gone(summary).then(|| {
        let who = requests_of(summary.requests.timed_out, summary);
        format!("{served}{who} timed out while others were ahead of them, so the latencies of the rest look better than the service is")
    })
}

/// Outages of instances, and their effect.
fn outages(summary: &Summary) -> Option<String> {
    let fleet = summary.fleet.as_ref()?;
    let pools = fleet.pools.iter().filter(|pool| pool.availability < 1.0);
    let pools: Vec<String> = pools.map(|pool| format!("`{}` served {} of the time", pool.name, percent(pool.availability))).collect();
    let what = match (fleet.outages, pools.is_empty()) {
        (0, true) => return None,
        (0, false) => format!("instances were off as the measured time began: {}", pools.join(", ")),
        (n, true) => format!("instances went down {} and came back at once", times(n)),
        (n, false) => format!("instances went down {}: {}", times(n), pools.join(", ")),
    };
    let hit = if fleet.hit_requests == 0 {
        "no request was affected".to_owned()
    } else {
        let recovery = fleet.recovery_ms_mean.map_or_else(String::new, |ms| format!(", recovery took {} on average", duration(ms)));
        let failed = if summary.requests.failed == 0 { "none".to_owned() } else { grouped(&summary.requests.failed.to_string()) };
        format!("failures affected {}{recovery}; {failed} failed", requests_of(fleet.hit_requests, summary))
    };
    Some(format!("{what}; {hit}"))
}

/// Formats milliseconds in a unit of suitable size.
fn duration(ms: f64) -> String {
    if ms < 1e3 { format!("{ms:.0} ms") } else { format!("{:.1} s", ms * 1e-3) }
}

fn times(n: u64) -> String {
    match n {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => format!("{} times", grouped(&n.to_string())),
    }
}

/// Many requests time out, and there is a bottleneck.
fn held_up_and_gone(summary: &Summary) -> bool {
    let many = summary.requests.timed_out > 0 && summary.requests.timed_out as f64 >= GIVEN_UP * summary.requests.arrived as f64;
    many && (summary.network.is_full()
        || summary.handoff.is_blocked()
        || summary.pools.iter().any(|pool| pool.is_full() || pool.is_queued_for()))
}

/// Mean number of requests in the system in the middle of the arrivals and at their end, if it kept growing.
fn growth(timeline: &Timeline) -> Option<(f64, f64)> {
    let levels = inside(timeline);
    let last = arriving(timeline);
    if last < 8 {
        return None;
    }
    let middle = mean(&levels[last / 2 - last / 8..last / 2]);
    let end = mean(&levels[last - last / 8..last]);
    (end > OVERLOAD_GROWTH * middle && end - middle > OVERLOAD_REQUESTS).then_some((middle, end))
}

/// `2,471 requests (52.8 %)`.
fn requests_of(n: u64, summary: &Summary) -> String {
    format!("{} ({})", requests(n), percent(n as f64 / summary.requests.arrived as f64))
}

fn requests(n: u64) -> String {
    if n == 1 { "1 request".to_owned() } else { format!("{} requests", grouped(&n.to_string())) }
}

fn never_served(summary: &Summary) -> Option<String> {
    let rejected = summary.requests.rejected - summary.requests.refused;
    (rejected > 0).then(|| {
        let who = requests_of(rejected, summary);
        let others = if rejected < summary.requests.arrived { "; latencies cover only the others" } else { "" };
        format!("{who} could never be served: the prompt is too long for the context or KV memory of every instance{others}")
    })
}

fn refused(summary: &Summary) -> Option<String> {
    let refused = summary.requests.refused;
    let others = if refused < summary.requests.arrived { "; latencies cover only the others" } else { "" };
    (refused > 0).then(|| format!("{} refused by a policy{others}", requests_of(refused, summary)))
}

fn timed_out(summary: &Summary) -> Option<String> {
    let gone = summary.requests.timed_out;
    (gone > 0 && !held_up_and_gone(summary))
        .then(|| format!("{} timed out; E2E and TPOT cover only the others", requests_of(gone, summary)))
}

fn unfinished(summary: &Summary) -> Option<String> {
    let inside = summary.requests.in_flight;
    (inside > 0).then(|| format!("{} still in flight when the run ended; E2E and TPOT cover only the others", requests_of(inside, summary)))
}

fn kv_saturation(summary: &Summary) -> Option<String> {
    let blocked = summary.handoff.blocked_share;
    let held_up = blocked >= HELD_UP && batch_limit(summary).is_none();
    let full: Vec<&str> = summary.pools.iter().filter(|pool| pool.kv_utilization_peak > 0.99).map(|pool| pool.name.as_str()).collect();
    let preemptions: u64 = summary.pools.iter().map(|pool| pool.preemptions).sum();
    if full.is_empty() && preemptions == 0 {
        return held_up.then(|| format!("requests waited {} of the time for KV memory on the decode side", percent(blocked)));
    }
    let pools = if full.is_empty() { String::new() } else { format!(" of `{}`", full.join("`, `")) };
    let what = match preemptions {
        0 if held_up => format!("requests waited {} of the time for it", percent(blocked)),
        0 => "requests waited for it".to_owned(),
        n => {
            let (times, tokens) = (grouped(&n.to_string()), grouped(&summary.tokens.recomputed.to_string()));
            format!("{times} preemption{}, {tokens} tokens recomputed", if n == 1 { "" } else { "s" })
        }
    };
    Some(format!("KV memory{pools} was full at times: {what}"))
}

/// Handoffs wait for a place in a batch although memory is available.
fn batch_limit(summary: &Summary) -> Option<String> {
    let blocked = summary.handoff.blocked_share;
    let pool = summary.pools.iter().find(|pool| pool.role == Role::Decode && pool.is_batch_full()).filter(|_| blocked >= HELD_UP)?;
    Some(format!(
        "requests waited {} of the time for a place in the batch of `{}`, which runs at most {} sequences (`max_num_seqs`)",
        percent(blocked),
        pool.name,
        pool.max_num_seqs
    ))
}

fn truncated(summary: &Summary) -> Option<String> {
    let cut = summary.requests.truncated;
    (cut > 0).then(|| format!("{} truncated at the context limit (`max_model_len`)", requests_of(cut, summary)))
}

/// The first tenth has fewer requests than any other tenth and clearly fewer than all of them: a start-up transient, not a lull.
fn not_settled(result: &RunResult, scenario: &Scenario) -> Option<String> {
    let warmup = scenario.recorder.warmup.as_secs_f64();
    let timeline = &result.timeline;
    let first = timeline.at_s.iter().position(|&at| at >= warmup)?;
    let levels = inside(timeline).get(first..arriving(timeline))?.to_vec();
    if levels.len() < 20 || result.summary.requests.completed < FEW || growth(timeline).is_some() {
        return None;
    }
    let tenths: Vec<f64> = levels.chunks(levels.len().div_ceil(10)).map(mean).collect();
    let (start, rest) = (mean(&levels[..levels.len() / 10]), mean(&levels[levels.len() / 10..]));
    let lowest = tenths.iter().skip(1).all(|&tenth| start < tenth);
    (lowest && start < SETTLED * rest).then(|| {
        format!("the warm-up is too short: {start:.1} requests in the system in the first tenth of the measured time, {rest:.1} in the rest; a longer `run.warmup` excludes that")
    })
}

fn few(summary: &Summary) -> Option<String> {
    let completed = summary.requests.completed;
    (1..FEW).contains(&completed).then(|| {
        let rests_on = completed.div_ceil(100);
        format!("only {} completed in the measured time: a 99th percentile depends on {rests_on} of them", requests(completed))
    })
}

/// Headlines that depend on figures neither measured nor published.
fn assumed(summary: &Summary) -> Option<String> {
    if summary.measured_s <= 0.0 {
        return None;
    }
    let soft = || summary.provenance.iter().filter(|entry| entry.is_soft());
    let named: Vec<&str> =
        Headline::ALL.iter().filter(|headline| soft().any(|entry| entry.bears_on() == **headline)).map(|h| h.name()).collect();
    let (last, others) = named.split_last()?;
    let list = if others.is_empty() { (*last).to_owned() } else { format!("{} and {last}", others.join(", ")) };
    let rest = if others.is_empty() { "rests" } else { "rest" };
    Some(format!("{list} {rest} in part on {} estimated or assumed figures (of {})", soft().count(), summary.provenance.len()))
}
