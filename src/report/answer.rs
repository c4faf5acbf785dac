//! The answer: one sentence that says whether the cluster holds its SLO, what a joule and a dollar give, and what binds.
//!
//! Owns: the wording that terminal and page share. Must not know: colours, markup, width.

use super::number::{count, duration_ms, limit_ms, number, percent, usd};
use super::text::shortened;
use crate::metrics::{ClassSummary, PoolSummary, Summary};

/// Share of arrived requests of a class that must meet every limit for the SLO to hold. It goes with the p99 that the limits are read against.
pub const ATTAINMENT_TARGET: f64 = 0.99;

/// Characters of a name that a sentence takes.
const NAME: usize = 32;

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
        Some(format!("p99 {} {} of {}{class}", self.metric, duration_ms(self.p99_ms?), limit_ms(self.limit_ms)))
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
        Verdict::Held => "Holds the SLO",
        Verdict::Missed => "Misses the SLO",
        Verdict::NoSlo => "No SLO set",
        Verdict::Overloaded => "Overloaded",
        Verdict::NothingCompleted => "Nothing completed",
    };
    match verdict {
        Verdict::NothingCompleted => clauses.extend(fates(summary)),
        Verdict::Overloaded => {
            let served = number(summary.throughput.requests_per_s);
            clauses.push(format!("{served} of {} requests per second served", number(summary.throughput.offered_requests_per_s)));
            clauses.extend(limits(summary, &checks, true));
        }
        Verdict::Missed => clauses.extend(limits(summary, &checks, true)),
        Verdict::Held => clauses.extend(limits(summary, &checks, false)),
        Verdict::NoSlo => clauses.extend(latencies(summary)),
    }
    if verdict != Verdict::NothingCompleted {
        clauses.extend(unserved(summary));
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
    Answer { verdict, headline: headline.to_owned(), clauses }
}

fn verdict(summary: &Summary, checks: &[Check]) -> Verdict {
    let short = summary.classes.iter().any(|class| class.slo_attainment.is_some_and(|share| share < ATTAINMENT_TARGET));
    if summary.requests.completed == 0 {
        Verdict::NothingCompleted
    } else if summary.warnings.iter().any(|warning| warning.code == "overload") {
        Verdict::Overloaded
    } else if checks.is_empty() {
        Verdict::NoSlo
    } else if short || checks.iter().any(|check| check.ratio().is_some_and(|ratio| ratio > 1.0)) {
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
    let fates =
        list(&[("rejected", r.rejected), ("timed out", r.timed_out), ("failed", r.failed), ("still in flight at the end", r.in_flight)]);
    let requests = if r.arrived == 1 { "request" } else { "requests" };
    vec![std::iter::once(format!("{} {requests} arrived", count(r.arrived))).chain(fates).collect::<Vec<_>>().join(", ")]
}

/// Counts that are not zero, each with its name.
fn list(counts: &[(&str, u64)]) -> Vec<String> {
    counts.iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{} {name}", count(*n))).collect()
}

/// What the latencies leave out.
fn unserved(summary: &Summary) -> Option<String> {
    let r = summary.requests;
    let fates = list(&[("rejected", r.rejected), ("timed out", r.timed_out), ("failed", r.failed)]);
    (!fates.is_empty()).then(|| format!("of {} requests {}", count(r.arrived), fates.join(", ")))
}

/// The worst check of each metric, missed ones first if `missed_first`; then the share that met everything if that is short of its target.
fn limits(summary: &Summary, checks: &[Check], missed_first: bool) -> Vec<String> {
    let several = summary.classes.len() > 1;
    let mut worst: Vec<&Check> = Vec::new();
    for metric in ["TTFT", "TPOT", "E2E"] {
        let of_metric = checks.iter().filter(|check| check.metric == metric && check.p99_ms.is_some());
        worst.extend(of_metric.max_by(|a, b| a.ratio().unwrap_or_default().total_cmp(&b.ratio().unwrap_or_default())));
    }
    if missed_first {
        worst.sort_by(|a, b| b.ratio().unwrap_or_default().total_cmp(&a.ratio().unwrap_or_default()));
    }
    let mut out = Vec::new();
    let clauses: Vec<String> = worst.iter().filter_map(|check| check.clause(several)).collect();
    if !clauses.is_empty() {
        out.push(clauses.join(", "));
    }
    if let Some(attainment) = summary.goodput.and_then(|goodput| goodput.slo_attainment)
        && attainment < ATTAINMENT_TARGET
    {
        out.push(format!("{} of requests met every limit, {} wanted", percent(attainment), percent(ATTAINMENT_TARGET).replace(".0", "")));
    }
    out
}

fn latencies(summary: &Summary) -> Vec<String> {
    let p99 = |name: &str, d: Option<crate::metrics::Distribution>| d.map(|d| format!("p99 {name} {}", duration_ms(d.p99)));
    let parts: Vec<String> = [p99("TTFT", summary.latency.ttft_ms), p99("TPOT", summary.latency.tpot_ms)].into_iter().flatten().collect();
    if parts.is_empty() { Vec::new() } else { vec![parts.join(", ")] }
}

/// What binds: the pool nearest to the end of its time or of its KV memory.
fn binding(pools: &[PoolSummary]) -> Option<String> {
    let pressure = |pool: &PoolSummary| pool.utilization.max(pool.kv_utilization_mean);
    let pool = pools.iter().max_by(|a, b| pressure(a).total_cmp(&pressure(b)))?;
    if pool.kv_utilization_mean >= pool.utilization {
        return Some(format!(
            "the tightest pool is {}: {} of its KV memory in use on average",
            pool.name,
            percent(pool.kv_utilization_mean)
        ));
    }
    let bound = match (pool.mfu, pool.mbu) {
        (Some(mfu), Some(mbu)) if mbu >= mfu => format!(", mostly on memory bandwidth ({} of peak)", percent(mbu)),
        (Some(mfu), _) => format!(", mostly on arithmetic ({} of peak)", percent(mfu)),
        (None, Some(mbu)) => format!(", {} of memory bandwidth", percent(mbu)),
        (None, None) => String::new(),
    };
    Some(format!("the busiest pool is {}: computing {} of the time{bound}", shortened(&pool.name, NAME), percent(pool.utilization)))
}

/// How much of the result rests on figures that nobody measured or published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trust {
    /// Figures that the result depends on.
    pub figures: usize,
    /// Of them assumed.
    pub assumed: usize,
    /// Of them estimated.
    pub estimated: usize,
}

/// Counts assumed and estimated figures.
pub fn trust(summary: &Summary) -> Trust {
    let of = |confidence: &str| summary.provenance.iter().filter(|entry| entry.confidence == confidence).count();
    Trust { figures: summary.provenance.len(), assumed: of("assumed"), estimated: of("estimate") }
}

impl Trust {
    /// One sentence; `None` if there is no figure at all.
    pub fn sentence(self) -> Option<String> {
        if self.figures == 0 {
            return None;
        }
        let soft = self.assumed + self.estimated;
        if soft == 0 {
            return Some(format!("All {} figures behind this result are measured or published.", self.figures));
        }
        let share = percent(soft as f64 / self.figures as f64);
        Some(format!(
            "{soft} of the {} figures behind this result ({share}) are not measured or published: {} assumed, {} estimated.",
            self.figures, self.assumed, self.estimated
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn a_held_slo_is_said_with_its_numbers() {
        let answer = answer(&fixture::two_pools().summary);
        assert_eq!(answer.verdict, Verdict::Held);
        assert_eq!(
            answer.sentence(),
            "Holds the SLO: p99 TTFT 1.41 s of 2 s (azure-chat), p99 TPOT 33.3 ms of 50 ms (azure-chat); 0.0270 output tokens per joule at \
             the facility; $23.70 per million output tokens; the busiest pool is decode: computing 96.8 % of the time, mostly on memory \
             bandwidth (62.4 % of peak)."
        );
    }

    #[test]
    fn a_missed_slo_names_the_worst_limit_first_and_the_share() {
        let sentence = answer(&fixture::missed().summary).sentence();
        assert!(sentence.starts_with("Misses the SLO: p99 TTFT 2.96 s of 2 s, p99 TPOT"), "{sentence}");
        assert!(sentence.contains("93.1 % of requests met every limit, 99 % wanted"), "{sentence}");
        assert!(sentence.contains("mostly on arithmetic (51.2 % of peak)"), "{sentence}");
    }

    #[test]
    fn refused_requests_miss_the_slo_although_the_percentiles_hold() {
        let mut summary = fixture::two_pools().summary;
        summary.classes[0].slo_attainment = Some(0.97);
        assert_eq!(answer(&summary).verdict, Verdict::Missed);
    }

    #[test]
    fn requests_that_the_latencies_leave_out_are_counted_in_the_sentence() {
        let mut summary = fixture::no_slo().summary;
        summary.requests = crate::metrics::RequestCounts { arrived: 1200, completed: 1195, rejected: 3, timed_out: 2, ..summary.requests };
        let sentence = answer(&summary).sentence();
        assert!(sentence.contains("; of 1,200 requests 3 rejected, 2 timed out; "), "{sentence}");
    }

    #[test]
    fn without_slo_overloaded_and_empty_have_their_own_words() {
        assert!(answer(&fixture::no_slo().summary).sentence().starts_with("No SLO set: p99 TTFT 1.41 s, p99 TPOT"));
        assert!(
            answer(&fixture::overloaded().summary).sentence().starts_with("Overloaded: 4.71 of 9.44 requests per second served; p99 TTFT")
        );
        assert_eq!(answer(&fixture::nothing_completed().summary).sentence(), "Nothing completed: 12 requests arrived, 12 rejected.");
    }

    #[test]
    fn full_kv_memory_binds_before_busy_chips() {
        let mut summary = fixture::two_pools().summary;
        summary.pools[0].kv_utilization_mean = 0.99;
        assert!(answer(&summary).sentence().ends_with("the tightest pool is prefill: 99.0 % of its KV memory in use on average."));
    }

    #[test]
    fn soft_figures_are_counted() {
        let trust = trust(&fixture::two_pools().summary);
        assert_eq!(trust, Trust { figures: 10, assumed: 2, estimated: 2 });
        assert!(trust.sentence().unwrap().starts_with("4 of the 10 figures behind this result (40.0 %)"));
    }

    #[test]
    fn no_fixture_yields_an_empty_answer() {
        for (name, result) in fixture::all() {
            let sentence = answer(&result.summary).sentence();
            assert!(!sentence.contains(": ;") && !sentence.contains(": .") && !sentence.contains("NaN"), "{name}: {sentence}");
        }
    }
}
