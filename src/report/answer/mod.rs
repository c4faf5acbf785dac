//! The answer: one sentence on whether the cluster meets its SLO, the output per joule and per dollar, and the bottleneck.
//!
//! Owns: the wording shared by terminal and page. Must not know: colours, markup, width.

mod binding;
mod check;

pub(super) use binding::binding_pool;
pub(super) use check::against;

use self::binding::{bottleneck, loads};
use super::number::{count, duration_ms, duration_s, number, percent, usd};
use super::text::shortened;
use crate::metrics::{ATTAINMENT_TARGET, Check, ClassSummary, SloMetric, Standing, Summary, Verdict, checks, checks_of, verdict};

/// Maximum characters of a name in a sentence.
const NAME: usize = 32;

/// A gap at least this many times the 99th percentile of all gaps, and at least a second long, gets its own clause.
const STALL: (f64, f64) = (10.0, 1000.0);

/// The answer in parts: terminal and page highlight the headline.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Verdict on the run.
    pub verdict: Verdict,
    /// The first words: `Holds the SLO`.
    pub headline: String,
    /// The rest, one clause each, most important first.
    pub clauses: Vec<String>,
}

impl Answer {
    /// Everything after the headline: clauses joined by semicolons, without final stop.
    pub fn details(&self) -> String {
        self.clauses.join("; ")
    }

    /// The complete sentence.
    pub fn sentence(&self) -> String {
        format!("{}: {}.", self.headline, self.details())
    }
}

/// The answer of a run.
pub fn answer(summary: &Summary) -> Answer {
    let checks = checks(&summary.classes);
    let verdict = verdict(summary, &checks);
    let headline = match verdict {
        Verdict::Held => "Holds the SLO".to_owned(),
        Verdict::Missed => format!("Misses the SLO{}", missed_metrics(&checks)),
        Verdict::TooClose if requests_judged(summary) < ENOUGH => "Too few requests to judge".to_owned(),
        Verdict::TooClose => "Too close to call".to_owned(),
        Verdict::NoSlo => "No SLO set".to_owned(),
        Verdict::Overloaded => "Overloaded".to_owned(),
        Verdict::NothingCompleted => "Nothing completed".to_owned(),
        Verdict::NothingMeasured => "Nothing measured".to_owned(),
    };
    let clauses = match verdict {
        Verdict::NothingMeasured => vec![unmeasured(summary)],
        Verdict::NothingCompleted => fates(summary).into_iter().chain(bottleneck(summary)).collect(),
        _ => clauses(summary, verdict, &checks),
    };
    Answer { verdict, headline, clauses }
}

/// Clauses after the headline of a run in which at least one request completed.
fn clauses(summary: &Summary, verdict: Verdict, checks: &[Check]) -> Vec<String> {
    let mut clauses = Vec::new();
    match verdict {
        Verdict::Overloaded => clauses.extend(served(summary)),
        Verdict::TooClose => clauses.extend(undecided(summary)),
        _ => {}
    }
    match verdict {
        Verdict::NoSlo => clauses.extend(latencies(summary)),
        _ => clauses.extend(limits(summary, checks, verdict)),
    }
    // If the attainment is below target, its clause gives the reasons.
    let refused = refused(summary);
    if (short_attainment(summary).is_none() || verdict == Verdict::TooClose) && !refused.is_empty() {
        clauses.push(format!("of {} requests {}", count(summary.requests.arrived), refused.join(", ")));
    }
    let stall = summary.jitter.longest_stall_ms.zip(summary.latency.itl_ms);
    if let Some((longest, _)) = stall.filter(|(longest, itl)| *longest >= STALL.1.max(STALL.0 * itl.p99)) {
        clauses.push(format!("the longest gap between tokens is {}", duration_ms(longest)));
    }
    if let Some(tokens) = summary.energy.output_tokens_per_j.facility {
        clauses.push(format!("{} output tokens per joule at the facility", number(tokens)));
    }
    if let Some(dollars) = summary.cost.usd_per_m_output_tokens {
        clauses.push(format!("{} per million output tokens", usd(dollars)));
    }
    clauses.extend(bottleneck(summary).or_else(|| loads(&summary.pools)));
    clauses
}

/// `3,846 requests arrived in 3.22 min, done after 4.53 min`; the latter only if the drain took considerable time.
pub(super) fn arrived(summary: &Summary, requests: &str) -> String {
    let (n, arriving, measured) = (count(summary.requests.arrived), summary.arriving_s, summary.measured_s);
    let space = if requests.is_empty() { "" } else { " " };
    if summary.requests.arrived == 0 {
        let none = if requests.is_empty() { "none" } else { "no" };
        return format!("{none}{space}{requests} arrived{}", if summary.warmup.requests > 0 { " after the warm-up" } else { "" });
    }
    if arriving >= 0.95 * measured {
        return format!("{n}{space}{requests} arrived in {}", duration_s(measured));
    }
    format!("{n}{space}{requests} arrived in {}, done after {}", duration_s(arriving), duration_s(measured))
}

/// Requests of all classes with limits.
fn requests_judged(summary: &Summary) -> u64 {
    judged(&summary.classes.iter().filter(|class| class.slo.any()).collect::<Vec<_>>())
}

/// Requests judged in these classes.
pub(super) fn judged(classes: &[&ClassSummary]) -> u64 {
    classes.iter().map(|class| class.requests.arrived).sum()
}

/// Number of requests without a miss that show that 99 % meet a limit (rule of three).
pub(super) const ENOUGH: u64 = 300;

fn unmeasured(summary: &Summary) -> String {
    let (n, warmup) = (summary.warmup.requests, duration_s(summary.warmup.s));
    match n {
        0 => "no request arrived".to_owned(),
        _ => format!(
            "{} within the warm-up of {warmup}; shorten the warm-up, or let more requests arrive",
            if n == 1 { "the only request arrived".to_owned() } else { format!("all {} requests arrived", count(n)) }
        ),
    }
}

fn served(summary: &Summary) -> Option<String> {
    let (served, offered) = summary.throughput.served_requests_per_s.zip(summary.throughput.offered_requests_per_s)?;
    let gone = summary.requests.timed_out;
    let gone = if gone > 0 { format!(", {} timed out", percent(gone as f64 / summary.requests.arrived as f64)) } else { String::new() };
    Some(format!("{} of {} offered requests per second served{gone}", number(served), number(offered)))
}

/// The attainment of the least certain class, with its interval.
fn undecided(summary: &Summary) -> Option<String> {
    let (class, share, interval) = summary
        .classes
        .iter()
        .filter_map(|class| Some((class, class.slo_attainment?, class.slo_attainment_95?)))
        .filter(|(_, _, interval)| interval.is_undecided())
        .min_by(|a, b| a.2.low.total_cmp(&b.2.low))?;
    let of = if summary.classes.len() > 1 { format!(" of {}", shortened(&class.name, NAME)) } else { String::new() };
    let wanted = percent(ATTAINMENT_TARGET).replace(".0", "");
    let (low, high) = (percent(interval.low), percent(interval.high));
    let share = percent(share);
    let told = format!("{share} of requests{of} met every limit, {wanted} required (95 % interval {low} to {high})");
    let checks = checks_of(class);
    let unsure: Vec<&str> = checks.iter().filter(|check| check.standing() == Standing::Unsure).map(|check| check.metric.name()).collect();
    Some(match &unsure[..] {
        [] => told,
        [metric] => format!("{told}, so the p99 of {metric} may lie on either side of its limit"),
        several => format!("{told}, so the p99s of {} may lie on either side of their limits", joined(several)),
    })
}

/// ` on TTFT and TPOT`; empty if all percentiles are within their limits and only the attainment is below target.
fn missed_metrics(checks: &[Check]) -> String {
    let missed: Vec<&str> =
        SloMetric::ALL.into_iter().filter(|metric| checks.iter().any(|c| c.metric == *metric && c.missed())).map(SloMetric::name).collect();
    if missed.is_empty() { String::new() } else { format!(" on {}", joined(&missed)) }
}

/// `TTFT, TPOT and E2E`.
fn joined(words: &[&str]) -> String {
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// Outcomes of the requests if none completed.
fn fates(summary: &Summary) -> Vec<String> {
    let r = summary.requests;
    let requests = if r.arrived == 1 { "request" } else { "requests" };
    vec![std::iter::once(format!("{} {requests} arrived", count(r.arrived))).chain(unserved(summary)).collect::<Vec<_>>().join(", ")]
}

/// Rejected, timed-out and failed requests, by reason: those excluded from latencies.
fn refused(summary: &Summary) -> Vec<String> {
    let r = summary.requests;
    let fates = [("rejected", r.rejected), ("timed out", r.timed_out), ("failed", r.failed)];
    fates.iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{} {name}", count(*n))).collect()
}

/// Requests that did not complete, by reason.
fn unserved(summary: &Summary) -> Vec<String> {
    let open = summary.requests.in_flight;
    refused(summary).into_iter().chain((open > 0).then(|| format!("{} still in flight at the end", count(open)))).collect()
}

/// The attainment, if below target.
fn short_attainment(summary: &Summary) -> Option<f64> {
    summary.goodput.and_then(|goodput| goodput.slo_attainment).filter(|&share| share < ATTAINMENT_TARGET)
}

/// The worst check of each metric, missed ones first; and the attainment if below target. It comes first if no percentile is missed, as it is then
/// the reason for the verdict.
fn limits(summary: &Summary, checks: &[Check], verdict: Verdict) -> Vec<String> {
    let several = summary.classes.len() > 1;
    let mut worst: Vec<&Check> = Vec::new();
    for metric in SloMetric::ALL {
        let of_metric = checks.iter().filter(|check| check.metric == metric && check.p99_ms.is_some());
        let ratio = |check: &Check| check.ratio().unwrap_or_default();
        worst.extend(of_metric.max_by(|a, b| a.missed().cmp(&b.missed()).then(ratio(a).total_cmp(&ratio(b)))));
    }
    worst.sort_by_key(|check| check.standing() == Standing::Met);
    let mut out = Vec::new();
    let clauses: Vec<String> = worst.iter().filter_map(|check| check::clause(check, several)).collect();
    if !clauses.is_empty() {
        out.push(clauses.join(", "));
    }
    if let Some(attainment) = short_attainment(summary).filter(|_| verdict != Verdict::TooClose) {
        let refused = refused(summary);
        let why = if refused.is_empty() { String::new() } else { format!(" ({})", refused.join(", ")) };
        let wanted = percent(ATTAINMENT_TARGET).replace(".0", "");
        let place = if worst.iter().any(|check| check.missed()) { out.len() } else { 0 };
        out.insert(place, format!("{} of requests met every limit, {wanted} required{why}", percent(attainment)));
    }
    out
}

fn latencies(summary: &Summary) -> Vec<String> {
    let p99 = |name: &str, d: Option<crate::metrics::Distribution>| d.map(|d| format!("p99 {name} {}", duration_ms(d.p99)));
    let parts: Vec<String> = [p99("TTFT", summary.latency.ttft_ms), p99("TPOT", summary.latency.tpot_ms)].into_iter().flatten().collect();
    if parts.is_empty() { Vec::new() } else { vec![parts.join(", ")] }
}

#[cfg(test)]
mod tests;
