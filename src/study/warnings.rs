//! What a reader must know before trusting the numbers: each warning says what, how much, and what follows from it.

use crate::config::Scenario;
use crate::metrics::{RunResult, Summary, Timeline, Warning};

/// Requests inside must grow by this factor over the second half of the arrivals to count as overload …
const OVERLOAD_GROWTH: f64 = 1.5;
/// … and by at least this many.
const OVERLOAD_REQUESTS: f64 = 20.0;
/// The first tenth of the measured time must hold at least this share of the requests of the rest.
const SETTLED: f64 = 0.7;
/// Below this many completed requests a 99th percentile is one or two requests.
const FEW: u64 = 200;

/// All warnings, gravest first.
pub(super) fn find(result: &RunResult, scenario: &Scenario, skipped: &[(String, String)]) -> Vec<Warning> {
    let summary = &result.summary;
    let mut warnings = Vec::new();
    let mut warn = |code: &str, message: Option<String>| warnings.extend(message.map(|message| Warning { code: code.into(), message }));
    warn("overload", overload(result));
    warn("never-served", never_served(summary));
    warn("timed-out", timed_out(summary));
    warn("unfinished", unfinished(summary));
    warn("kv-saturation", kv_saturation(summary));
    warn("truncated", truncated(summary));
    warn("warm-up-not-settled", not_settled(result, scenario));
    for (class, lines) in skipped {
        warn("skipped-lines", Some(format!("`{class}`: {lines}")));
    }
    warn("few-requests", few(summary));
    warn("assumed-figures", assumed(summary));
    warnings
}

/// Requests waiting or running in the whole cluster, per interval.
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

fn overload(result: &RunResult) -> Option<String> {
    let levels = inside(&result.timeline);
    let last = arriving(&result.timeline);
    if last < 8 {
        return None;
    }
    let middle = mean(&levels[last / 2 - last / 8..last / 2]);
    let end = mean(&levels[last - last / 8..last]);
    let grew = end > OVERLOAD_GROWTH * middle && end - middle > OVERLOAD_REQUESTS;
    let arrived: f64 = result.timeline.arrivals_per_s[..last].iter().sum();
    let completed: f64 = result.timeline.completions_per_s[..last].iter().sum();
    grew.then(|| {
        format!(
            "overload: requests inside grew from {middle:.0} to {end:.0} over the second half of the arrivals, {:.0} % of the offered rate was served meanwhile; latencies depend on how long the run is",
            100.0 * completed / arrived
        )
    })
}

fn never_served(summary: &Summary) -> Option<String> {
    let rejected = summary.requests.rejected;
    (rejected > 0).then(|| {
        let share = 100.0 * rejected as f64 / summary.requests.arrived as f64;
        format!("{rejected} requests ({share:.2} %) could never be served: their prompt leaves no room for an output token in the context or KV memory of any instance; latencies are of the others")
    })
}

fn timed_out(summary: &Summary) -> Option<String> {
    let gone = summary.requests.timed_out;
    (gone > 0).then(|| {
        let share = 100.0 * gone as f64 / summary.requests.arrived as f64;
        format!("{gone} requests ({share:.2} %) timed out; E2E and TPOT are of the others")
    })
}

fn unfinished(summary: &Summary) -> Option<String> {
    let inside = summary.requests.in_flight;
    (inside > 0).then(|| format!("{inside} requests were still inside when the run ended; E2E and TPOT are of the others"))
}

fn kv_saturation(summary: &Summary) -> Option<String> {
    let full: Vec<&str> = summary.pools.iter().filter(|pool| pool.kv_utilization_peak > 0.99).map(|pool| pool.name.as_str()).collect();
    let preemptions: u64 = summary.pools.iter().map(|pool| pool.preemptions).sum();
    if full.is_empty() && preemptions == 0 {
        return None;
    }
    let pools = if full.is_empty() { String::new() } else { format!(" in `{}`", full.join("`, `")) };
    Some(format!(
        "KV memory was full{pools}: {preemptions} preemptions, {} tokens computed again; batches are bound by memory",
        summary.tokens.recomputed
    ))
}

fn truncated(summary: &Summary) -> Option<String> {
    let cut = summary.requests.truncated;
    (cut > 0).then(|| format!("{cut} requests were cut short at the context limit (`max_model_len`)"))
}

fn not_settled(result: &RunResult, scenario: &Scenario) -> Option<String> {
    let warmup = scenario.recorder.warmup.as_secs_f64();
    let timeline = &result.timeline;
    let first = timeline.at_s.iter().position(|&at| at >= warmup)?;
    let last = arriving(timeline);
    let levels = inside(timeline).get(first..last)?.to_vec();
    if levels.len() < 20 || overload(result).is_some() {
        return None;
    }
    let (start, rest) = (mean(&levels[..levels.len() / 10]), mean(&levels[levels.len() / 10..]));
    (start < SETTLED * rest).then(|| {
        format!("the warm-up has not settled: the first tenth of the measured time held {start:.1} requests on average, the rest {rest:.1}; a longer `run.warmup` leaves that out")
    })
}

fn few(summary: &Summary) -> Option<String> {
    let completed = summary.requests.completed;
    (completed < FEW).then(|| {
        format!("only {completed} requests completed in the measured time: a 99th percentile rests on {} of them", completed.div_ceil(100))
    })
}

/// Figures on which each headline rests, if they are not better than estimates.
fn assumed(summary: &Summary) -> Option<String> {
    let weak = |confidence: &str| confidence == "estimate" || confidence == "assumed";
    let all = summary.provenance.len();
    let unsure = summary.provenance.iter().filter(|entry| weak(&entry.confidence)).count();
    let rests_on = |wanted: &[&str]| {
        let named =
            summary.provenance.iter().filter(|entry| weak(&entry.confidence) && wanted.iter().any(|figure| entry.figure == *figure));
        named.map(|entry| format!("{} of {}", entry.figure, entry.profile)).collect::<Vec<_>>().join(", ")
    };
    let headlines = [
        ("cost", rests_on(&["price", "rent", "price.rent", "life", "hosting", "electricity"])),
        (
            "energy",
            rests_on(&[
                "power.tdp",
                "power.busy_floor",
                "power.compute_saturation",
                "power.memory_weight",
                "overhead.fixed",
                "overhead.proportional",
                "pue",
            ]),
        ),
        (
            "latency",
            rests_on(&[
                "efficiency.iteration_overhead",
                "efficiency.prefill_end_to_end",
                "efficiency.decode_end_to_end",
                "efficiency.prefill_end_to_end_moe",
                "memory.bandwidth",
            ]),
        ),
    ];
    let rests: Vec<String> =
        headlines.iter().filter(|(_, figures)| !figures.is_empty()).map(|(what, figures)| format!("{what} on {figures}")).collect();
    (!rests.is_empty()).then(|| format!("{unsure} of {all} figures are estimates or assumed; rest on such: {}", rests.join("; ")))
}
