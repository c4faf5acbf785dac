//! The answer: one sentence that says whether the cluster holds its SLO, what a joule and a dollar give, and what binds.
//!
//! Owns: the wording that terminal and page share. Must not know: colours, markup, width.

use super::number::{count, duration_ms, gauge, limit_ms, number, or_none, percent, usd};
use super::text::shortened;
use crate::metrics::{ClassSummary, Headline, PoolSummary, Summary};

/// Share of arrived requests of a class that must meet every limit for the SLO to hold. It goes with the p99 that the limits are read against.
pub const ATTAINMENT_TARGET: f64 = 0.99;

/// Characters of a name that a sentence takes.
const NAME: usize = 32;

/// Metrics that can have a limit.
const METRICS: [&str; 3] = ["TTFT", "TPOT", "E2E"];

/// Share of KV memory in use on average from which a pool is full.
const KV_FULL: f64 = 0.9;
/// Requests waiting for each instance of a pool on average from which it is a bottleneck.
const QUEUE_LONG: f64 = 0.5;

/// How the run ended, from the reader's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every class with limits keeps them at its 99th percentile.
    Held,
    /// At least one class does not.
    Missed,
    /// No class has limits.
    NoSlo,
    /// More arrived than was served; latencies depend on how long one looks.
    Overloaded,
    /// Not one request got its last token.
    NothingCompleted,
}

impl Verdict {
    /// A kebab-case name, for style sheets.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Missed => "missed",
            Self::NoSlo => "no-slo",
            Self::Overloaded => "overloaded",
            Self::NothingCompleted => "nothing-completed",
        }
    }
}

/// The answer in parts: terminal and page set the headline apart.
#[derive(Debug, Clone)]
pub struct Answer {
    /// How it ended.
    pub verdict: Verdict,
    /// The first words: `Holds the SLO`.
    pub headline: String,
    /// What follows, one clause each, most important first.
    pub clauses: Vec<String>,
}

impl Answer {
    /// All but the headline: clauses joined by semicolons, without final stop.
    pub fn details(&self) -> String {
        self.clauses.join("; ")
    }

    /// The whole sentence.
    pub fn sentence(&self) -> String {
        format!("{}: {}.", self.headline, self.details())
    }
}

/// One limit of one class against what was seen.
#[derive(Debug, Clone)]
pub struct Check {
    /// Name of the class.
    pub class: String,
    /// `TTFT`, `TPOT` or `E2E`.
    pub metric: &'static str,
    /// The limit, ms.
    pub limit_ms: f64,
    /// The 99th percentile, ms; `None` if no request of the class has a value.
    pub p99_ms: Option<f64>,
}

impl Check {
    /// p99 / limit; above one the limit is missed.
    pub fn ratio(&self) -> Option<f64> {
        self.p99_ms.map(|p99| p99 / self.limit_ms)
    }

    fn clause(&self, several: bool) -> Option<String> {
        let class = if several { format!(" ({})", shortened(&self.class, NAME)) } else { String::new() };
        let against = if self.missed() { "exceeds" } else { "of" };
        Some(format!("p99 {} {} {against} {}{class}", self.metric, duration_ms(self.p99_ms?), limit_ms(self.limit_ms)))
    }

    /// True if the 99th percentile is above the limit.
    pub fn missed(&self) -> bool {
        self.ratio().is_some_and(|ratio| ratio > 1.0)
    }
}

/// All limits of all classes in the order of the scenario.
pub fn checks(classes: &[ClassSummary]) -> Vec<Check> {
    let mut out = Vec::new();
    for class in classes {
        let (slo, seen) = (class.slo, class.latency);
        for (metric, limit, distribution) in
            [("TTFT", slo.ttft_ms, seen.ttft_ms), ("TPOT", slo.tpot_ms, seen.tpot_ms), ("E2E", slo.e2e_ms, seen.e2e_ms)]
        {
            if let Some(limit_ms) = limit {
                out.push(Check { class: class.name.clone(), metric, limit_ms, p99_ms: distribution.map(|d| d.p99) });
            }
        }
    }
    out
}

/// The answer of a run.
pub fn answer(summary: &Summary) -> Answer {
    let checks = checks(&summary.classes);
    let verdict = verdict(summary, &checks);
    let mut clauses = Vec::new();
    let headline = match verdict {
        Verdict::Held => "Holds the SLO".to_owned(),
        Verdict::Missed => format!("Misses the SLO{}", missed_metrics(&checks)),
        Verdict::NoSlo => "No SLO set".to_owned(),
        Verdict::Overloaded => "Overloaded".to_owned(),
        Verdict::NothingCompleted => "Nothing completed".to_owned(),
    };
    match verdict {
        Verdict::NothingCompleted => clauses.extend(fates(summary)),
        Verdict::Overloaded => {
            let rates = &summary.throughput;
            let (served, offered) = (or_none(rates.served_requests_per_s, number), or_none(rates.offered_requests_per_s, number));
            clauses.push(format!("{served} of {offered} offered requests per second served"));
            clauses.extend(limits(summary, &checks));
        }
        Verdict::Missed | Verdict::Held => clauses.extend(limits(summary, &checks)),
        Verdict::NoSlo => clauses.extend(latencies(summary)),
    }
    // Where the share that met every limit is short, it says why itself.
    let refused = refused(summary);
    if verdict != Verdict::NothingCompleted && short_attainment(summary).is_none() && !refused.is_empty() {
        clauses.push(format!("of {} requests {}", count(summary.requests.arrived), refused.join(", ")));
    }
    if let Some(tokens) = summary.energy.output_tokens_per_j.facility {
        clauses.push(format!("{} output tokens per joule at the facility", number(tokens)));
    }
    if let Some(dollars) = summary.cost.usd_per_m_output_tokens {
        clauses.push(format!("{} per million output tokens", usd(dollars)));
    }
    if verdict != Verdict::NothingCompleted {
        clauses.extend(binding(&summary.pools));
    }
    Answer { verdict, headline, clauses }
}

/// ` on TTFT and TPOT`; empty if all percentiles hold and the share of requests alone is short.
fn missed_metrics(checks: &[Check]) -> String {
    let missed: Vec<&str> = METRICS.into_iter().filter(|metric| checks.iter().any(|c| c.metric == *metric && c.missed())).collect();
    match missed.split_last() {
        None => String::new(),
        Some((only, [])) => format!(" on {only}"),
        Some((last, others)) => format!(" on {} and {last}", others.join(", ")),
    }
}

fn verdict(summary: &Summary, checks: &[Check]) -> Verdict {
    let short = summary.classes.iter().any(|class| class.slo_attainment.is_some_and(|share| share < ATTAINMENT_TARGET));
    if summary.requests.completed == 0 {
        Verdict::NothingCompleted
    } else if summary.warnings.iter().any(|warning| warning.code == "overload") {
        Verdict::Overloaded
    } else if checks.is_empty() {
        Verdict::NoSlo
    } else if short || checks.iter().any(Check::missed) {
        Verdict::Missed
    } else {
        Verdict::Held
    }
}

/// What became of the requests when none completed.
fn fates(summary: &Summary) -> Vec<String> {
    let r = summary.requests;
    if r.arrived == 0 {
        return vec!["no request arrived in the measured time".to_owned()];
    }
    let requests = if r.arrived == 1 { "request" } else { "requests" };
    vec![std::iter::once(format!("{} {requests} arrived", count(r.arrived))).chain(unserved(summary)).collect::<Vec<_>>().join(", ")]
}

/// Requests that were turned away or gave up, by reason: what the latencies leave out.
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

/// The share of requests that met every limit, if that is less than wanted.
fn short_attainment(summary: &Summary) -> Option<f64> {
    summary.goodput.and_then(|goodput| goodput.slo_attainment).filter(|&share| share < ATTAINMENT_TARGET)
}

/// The worst check of each metric, missed ones first; and the share that met everything if that is short of its target. That share comes
/// first where no percentile is missed, because then it is the reason.
fn limits(summary: &Summary, checks: &[Check]) -> Vec<String> {
    let several = summary.classes.len() > 1;
    let mut worst: Vec<&Check> = Vec::new();
    for metric in METRICS {
        let of_metric = checks.iter().filter(|check| check.metric == metric && check.p99_ms.is_some());
        worst.extend(of_metric.max_by(|a, b| a.ratio().unwrap_or_default().total_cmp(&b.ratio().unwrap_or_default())));
    }
    worst.sort_by_key(|check| !check.missed());
    let mut out = Vec::new();
    let clauses: Vec<String> = worst.iter().filter_map(|check| check.clause(several)).collect();
    if !clauses.is_empty() {
        out.push(clauses.join(", "));
    }
    if let Some(attainment) = short_attainment(summary) {
        let refused = refused(summary);
        let why = if refused.is_empty() { String::new() } else { format!(" ({})", refused.join(", ")) };
        let wanted = percent(ATTAINMENT_TARGET).replace(".0", "");
        let place = if worst.iter().any(|check| check.missed()) { out.len() } else { 0 };
        out.insert(place, format!("{} of requests met every limit, {wanted} wanted{why}", percent(attainment)));
    }
    out
}

fn latencies(summary: &Summary) -> Vec<String> {
    let p99 = |name: &str, d: Option<crate::metrics::Distribution>| d.map(|d| format!("p99 {name} {}", duration_ms(d.p99)));
    let parts: Vec<String> = [p99("TTFT", summary.latency.ttft_ms), p99("TPOT", summary.latency.tpot_ms)].into_iter().flatten().collect();
    if parts.is_empty() { Vec::new() } else { vec![parts.join(", ")] }
}

/// What binds: a pool whose KV memory is full, else the pool that requests queue for; if there is neither, how far the pools are from it.
fn binding(pools: &[PoolSummary]) -> Option<String> {
    let full = pools.iter().filter(|pool| pool.kv_utilization_mean >= KV_FULL);
    if let Some(pool) = full.max_by(|a, b| a.kv_utilization_mean.total_cmp(&b.kv_utilization_mean)) {
        let used = percent(pool.kv_utilization_mean);
        return Some(format!("KV memory of {} is the bottleneck: {used} in use on average", shortened(&pool.name, NAME)));
    }
    let waiting = |pool: &PoolSummary| pool.queue_mean / f64::from(pool.instances.max(1));
    let long = pools.iter().filter(|pool| waiting(pool) >= QUEUE_LONG);
    if let Some(pool) = long.max_by(|a, b| waiting(a).total_cmp(&waiting(b))) {
        return Some(format!(
            "{} is the bottleneck: {} requests wait for it on average, it {}",
            shortened(&pool.name, NAME),
            gauge(pool.queue_mean),
            load(pool)
        ));
    }
    let mut tightest: Vec<&PoolSummary> = pools.iter().collect();
    if tightest.len() > 2 {
        tightest.sort_by(|a, b| b.utilization.total_cmp(&a.utilization));
    }
    let loads: Vec<String> = tightest.iter().take(2).map(|pool| format!("{} {}", shortened(&pool.name, NAME), load(pool))).collect();
    (!loads.is_empty()).then(|| format!("no pool is at its limit: {}", loads.join(", ")))
}

/// How loaded a pool is. Prefill is as loaded as it is busy; decode is busy with a single sequence already, so its batch tells more.
fn load(pool: &PoolSummary) -> String {
    let busy = percent(pool.utilization);
    match pool.batch_while_computing() {
        Some(batch) if pool.role != "prefill" => {
            let sequences = if batch > 1.0 { "sequences" } else { "sequence" };
            format!("computes {busy} of the time on {} {sequences}{}", gauge(batch), reached(pool))
        }
        _ => format!("computes {busy} of the time{}", reached(pool)),
    }
}

/// The peak that the work comes nearer to.
fn reached(pool: &PoolSummary) -> String {
    match (pool.mfu, pool.mbu) {
        (Some(mfu), Some(mbu)) if mbu < mfu => format!(" at {} of peak arithmetic", percent(mfu)),
        (_, Some(mbu)) => format!(" at {} of memory bandwidth", percent(mbu)),
        (Some(mfu), None) => format!(" at {} of peak arithmetic", percent(mfu)),
        (None, None) => String::new(),
    }
}

/// How much of the result rests on figures that nobody measured or published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Figures that the result depends on.
    pub figures: usize,
    /// Of them assumed.
    pub assumed: usize,
    /// Of them estimated.
    pub estimated: usize,
    /// The assumed and estimated ones by the headline that they move.
    pub bears_on: Vec<(Headline, usize)>,
}

/// Counts assumed and estimated figures.
pub fn trust(summary: &Summary) -> Trust {
    let of = |confidence: &str| summary.provenance.iter().filter(|entry| entry.confidence == confidence).count();
    let bearing = |headline| summary.provenance.iter().filter(|entry| entry.is_soft() && entry.bears_on() == headline).count();
    Trust {
        figures: summary.provenance.len(),
        assumed: of("assumed"),
        estimated: of("estimate"),
        bears_on: Headline::ALL.into_iter().map(|headline| (headline, bearing(headline))).filter(|(_, n)| *n > 0).collect(),
    }
}

impl Trust {
    /// One sentence; `None` if there is no figure at all.
    pub fn sentence(&self) -> Option<String> {
        if self.figures == 0 {
            return None;
        }
        let soft = self.assumed + self.estimated;
        if soft == 0 {
            return Some(format!("All {} figures behind this result are measured or published.", self.figures));
        }
        let share = percent(soft as f64 / self.figures as f64);
        let parts: Vec<String> = self.bears_on.iter().map(|(headline, n)| format!("{n} for {}", headline.name())).collect();
        Some(format!(
            "{soft} of the {} figures behind this result ({share}) are not measured or published, {} assumed and {} estimated: {}.",
            self.figures,
            self.assumed,
            self.estimated,
            parts.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests;
