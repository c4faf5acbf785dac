//! Reliability of a result: the figures behind it that were neither measured nor published.
//!
//! Owns: the count and its sentence. Must not know: the profiles.

use super::number::percent;
use crate::metrics::{Headline, Summary};
use crate::units::Confidence;

/// Share of a result's figures that were neither measured nor published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Figures that the result depends on.
    pub figures: usize,
    /// Number of assumed ones.
    pub assumed: usize,
    /// Number of estimated ones.
    pub estimated: usize,
    /// Assumed and estimated figures by the headline they affect.
    pub bears_on: Vec<(Headline, usize)>,
}

/// Counts assumed and estimated figures.
pub fn trust(summary: &Summary) -> Trust {
    let of = |confidence: Confidence| summary.provenance.iter().filter(|entry| entry.confidence == confidence).count();
    let bearing = |headline| summary.provenance.iter().filter(|entry| entry.is_soft() && entry.bears_on() == headline).count();
    Trust {
        figures: summary.provenance.len(),
        assumed: of(Confidence::Assumed),
        estimated: of(Confidence::Estimate),
        bears_on: Headline::ALL.into_iter().map(|headline| (headline, bearing(headline))).filter(|(_, n)| *n > 0).collect(),
    }
}

impl Trust {
    /// One sentence; `None` without figures.
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
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn soft_figures_are_counted_by_the_headline_they_affect() {
        let trust = trust(&fixture::two_pools().summary);
        assert_eq!((trust.figures, trust.assumed, trust.estimated), (10, 2, 2));
        assert_eq!(
            trust.sentence().unwrap(),
            "4 of the 10 figures behind this result (40.0 %) are not measured or published, 2 assumed and 2 estimated: 1 for latency, 2 for \
             energy, 1 for cost."
        );
    }
}
