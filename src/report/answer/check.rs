//! Limits against percentiles: met, missed, or too near to tell.
//!
//! Owns: when a percentile is too uncertain to say. Must not know: the verdict on a whole run.

use super::super::number::{duration_ms, limit_ms};
use super::super::text::shortened;
use super::{ATTAINMENT_TARGET, NAME, straddles};
use crate::metrics::ClassSummary;

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
    /// The true percentile may as well lie on the other side of the limit.
    unsure: bool,
}

/// What a percentile says about its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Standing {
    /// Not above it.
    Met,
    /// Above it.
    Missed,
    /// On either side of it: the requests are too few, or too near, to tell.
    Unsure,
}

impl Standing {
    /// In a word, and for style sheets.
    pub(in crate::report) const fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Unsure => "unsure",
        }
    }
}

impl Check {
    /// p99 / limit; above one the limit is missed, unless that is too close to call.
    pub fn ratio(&self) -> Option<f64> {
        self.p99_ms.map(|p99| p99 / self.limit_ms)
    }

    /// True if the 99th percentile is above the limit, and not too near to tell.
    pub fn missed(&self) -> bool {
        self.standing() == Standing::Missed
    }

    pub(in crate::report) fn standing(&self) -> Standing {
        match self.ratio() {
            Some(_) if self.unsure => Standing::Unsure,
            Some(ratio) if ratio > 1.0 => Standing::Missed,
            _ => Standing::Met,
        }
    }

    /// The word between percentile and limit.
    pub(in crate::report) fn against(&self) -> &'static str {
        match self.standing() {
            Standing::Met => "of",
            Standing::Missed => "exceeds",
            Standing::Unsure => "against",
        }
    }

    pub(super) fn clause(&self, several: bool) -> Option<String> {
        let class = if several { format!(" ({})", shortened(&self.class, NAME)) } else { String::new() };
        Some(format!("p99 {} {} {} {}{class}", self.metric, duration_ms(self.p99_ms?), self.against(), limit_ms(self.limit_ms)))
    }
}

/// All limits of all classes in the order of the scenario.
pub fn checks(classes: &[ClassSummary]) -> Vec<Check> {
    classes.iter().flat_map(of_class).collect()
}

pub(super) fn of_class(class: &ClassSummary) -> Vec<Check> {
    let (slo, seen) = (class.slo, class.latency);
    let limits = [("TTFT", slo.ttft_ms, seen.ttft_ms), ("TPOT", slo.tpot_ms, seen.tpot_ms), ("E2E", slo.e2e_ms, seen.e2e_ms)];
    let mut checks: Vec<Check> = limits
        .into_iter()
        .filter_map(|(metric, limit, seen)| {
            Some(Check { class: class.name.clone(), metric, limit_ms: limit?, p99_ms: seen.map(|d| d.p99), unsure: false })
        })
        .collect();
    if class.slo_attainment_95.is_none_or(|interval| !straddles(&interval)) {
        return checks;
    }
    // A share that is short goes with percentiles above their limits. One that is not leaves no doubt where a percentile is above, because
    // it is over fewer requests, such as those with two tokens; and none but about the tightest where it is below, if nothing was refused.
    let short = class.slo_attainment.is_some_and(|share| share < ATTAINMENT_TARGET);
    let refused = class.requests.rejected + class.requests.timed_out + class.requests.failed;
    let tightest = checks.iter().filter_map(Check::ratio).fold(0.0, f64::max);
    for check in &mut checks {
        let ratio = check.ratio().unwrap_or_default();
        check.unsure = if ratio > 1.0 { short } else { !short && refused == 0 && ratio > 0.0 && ratio >= tightest };
    }
    checks
}
