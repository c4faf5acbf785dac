//! The verdict on a run: whether it met its limits, and whether the data suffice to tell.
//!
//! Owns: when a percentile is met, missed or uncertain. Must not know: the wording.

use super::attainment::ShareInterval;
use super::summary::{ClassSummary, Summary, WarningCode};

/// Share of arrived requests of a class that must meet every limit for the SLO to be met. It corresponds to the p99 checked against the limits.
pub const ATTAINMENT_TARGET: f64 = 0.99;

/// A latency metric with a possible limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SloMetric {
    /// Time to first token.
    Ttft,
    /// Time per output token.
    Tpot,
    /// End to end.
    E2e,
}

impl SloMetric {
    /// All metrics, in the order of tables.
    pub const ALL: [Self; 3] = [Self::Ttft, Self::Tpot, Self::E2e];

    /// Name in text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ttft => "TTFT",
            Self::Tpot => "TPOT",
            Self::E2e => "E2E",
        }
    }
}

/// One limit of one class, and the observed percentile.
#[derive(Debug, Clone)]
pub struct Check {
    /// Name of the class.
    pub class: String,
    /// The limited metric.
    pub metric: SloMetric,
    /// The limit, ms.
    pub limit_ms: f64,
    /// The 99th percentile, ms; `None` if no request of the class has a value.
    pub p99_ms: Option<f64>,
    /// True if the true percentile may be on the other side of the limit.
    unsure: bool,
}

/// Position of a percentile relative to its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// At or below the limit.
    Met,
    /// Above the limit.
    Missed,
    /// Uncertain: the requests are too few, or the percentile too near the limit.
    Unsure,
}

impl Standing {
    /// One word, also used in style sheets.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Unsure => "unsure",
        }
    }
}

impl Check {
    /// p99 / limit; above one the limit is missed, unless uncertain.
    pub fn ratio(&self) -> Option<f64> {
        self.p99_ms.map(|p99| p99 / self.limit_ms)
    }

    /// True if the 99th percentile is above the limit, and not uncertain.
    pub fn missed(&self) -> bool {
        self.standing() == Standing::Missed
    }

    /// The position relative to the limit.
    pub fn standing(&self) -> Standing {
        match self.ratio() {
            Some(_) if self.unsure => Standing::Unsure,
            Some(ratio) if ratio > 1.0 => Standing::Missed,
            _ => Standing::Met,
        }
    }
}

/// All limits of all classes in the order of the scenario.
pub fn checks(classes: &[ClassSummary]) -> Vec<Check> {
    classes.iter().flat_map(checks_of).collect()
}

/// All limits of one class.
pub fn checks_of(class: &ClassSummary) -> Vec<Check> {
    let (slo, seen) = (class.slo, class.latency);
    let limits = [
        (SloMetric::Ttft, slo.ttft_ms, seen.ttft_ms),
        (SloMetric::Tpot, slo.tpot_ms, seen.tpot_ms),
        (SloMetric::E2e, slo.e2e_ms, seen.e2e_ms),
    ];
    let mut checks: Vec<Check> = limits
        .into_iter()
        .filter_map(|(metric, limit, seen)| {
            Some(Check { class: class.name.clone(), metric, limit_ms: limit?, p99_ms: seen.map(|d| d.p99), unsure: false })
        })
        .collect();
    if class.slo_attainment_95.is_none_or(|interval| !interval.is_undecided()) {
        return checks;
    }
    // Attainment below the target is consistent with percentiles above their limits. With attainment on target, a percentile above its limit is
    // certain, as it covers fewer requests, such as those with two tokens; one below is uncertain only for the tightest limit, and only if no request
    // was lost.
    let short = class.slo_attainment.is_some_and(|share| share < ATTAINMENT_TARGET);
    let refused = class.requests.rejected + class.requests.timed_out + class.requests.failed;
    let tightest = checks.iter().filter_map(Check::ratio).fold(0.0, f64::max);
    for check in &mut checks {
        let ratio = check.ratio().unwrap_or_default();
        check.unsure = if ratio > 1.0 { short } else { !short && refused == 0 && ratio > 0.0 && ratio >= tightest };
    }
    checks
}

/// The outcome of a run for the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every class with limits meets them at its 99th percentile.
    Held,
    /// At least one class does not.
    Missed,
    /// The requests are too few, or the result too near the limit, to tell.
    TooClose,
    /// No class has limits.
    NoSlo,
    /// More requests arrived than were served; latencies depend on the length of the run.
    Overloaded,
    /// No request completed.
    NothingCompleted,
    /// No request arrived after the warm-up.
    NothingMeasured,
}

impl Verdict {
    /// A kebab-case name, for style sheets.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Missed => "missed",
            Self::TooClose => "too-close",
            Self::NoSlo => "no-slo",
            Self::Overloaded => "overloaded",
            Self::NothingCompleted => "nothing-completed",
            Self::NothingMeasured => "nothing-measured",
        }
    }
}

impl ShareInterval {
    /// True if the target attainment is inside the interval: the run is too short, or the result too near the limit, to tell.
    pub fn is_undecided(&self) -> bool {
        self.low < ATTAINMENT_TARGET && self.high >= ATTAINMENT_TARGET
    }
}

/// The verdict on a run; `checks`: its limits, from [`checks`].
pub fn verdict(summary: &Summary, checks: &[Check]) -> Verdict {
    if summary.requests.arrived == 0 {
        return Verdict::NothingMeasured;
    }
    if summary.requests.completed == 0 {
        return Verdict::NothingCompleted;
    }
    if summary.warnings.iter().any(|warning| warning.code == WarningCode::Overload) {
        return Verdict::Overloaded;
    }
    if checks.is_empty() {
        return Verdict::NoSlo;
    }
    // A class has missed its SLO if its attainment is certainly below the target, or if a percentile is missed.
    let lost = |class: &ClassSummary| {
        let short = class.slo_attainment.is_some_and(|share| share < ATTAINMENT_TARGET);
        let misses = checks.iter().any(|check| check.class == class.name && check.missed());
        match class.slo_attainment_95 {
            Some(interval) if interval.is_undecided() => misses,
            _ => short || misses,
        }
    };
    if summary.classes.iter().any(lost) {
        Verdict::Missed
    } else if summary
        .classes
        .iter()
        .filter(|class| class.slo.any())
        .any(|class| class.slo_attainment_95.is_some_and(|interval| interval.is_undecided()))
    {
        Verdict::TooClose
    } else {
        Verdict::Held
    }
}
