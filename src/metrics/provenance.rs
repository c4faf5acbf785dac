//! Provenance: the headlines affected by a figure, and its reliability.

use super::summary::ProvenanceEntry;

/// A headline result that depends on figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Headline {
    /// Durations, and the throughput that follows from them.
    Latency,
    /// Joules.
    Energy,
    /// Dollars.
    Cost,
    /// Grams of CO2 equivalent.
    Carbon,
}

impl Headline {
    /// All headlines, in the order of the report.
    pub const ALL: [Self; 4] = [Self::Latency, Self::Energy, Self::Cost, Self::Carbon];

    /// Name in a sentence.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Energy => "energy",
            Self::Cost => "cost",
            Self::Carbon => "carbon",
        }
    }
}

const ENERGY: [&str; 3] = ["power", "overhead", "pue"];
const COST: [&str; 7] = ["price", "rent", "life", "residual", "hosting", "electricity", "maintenance"];

impl ProvenanceEntry {
    /// The headline most directly affected by this figure. Any figure other than energy, money or carbon affects the duration of a step.
    pub fn bears_on(&self) -> Headline {
        let family = self.figure.split('.').next().unwrap_or_default();
        if ENERGY.contains(&family) {
            Headline::Energy
        } else if COST.contains(&family) {
            Headline::Cost
        } else if family == "carbon" {
            Headline::Carbon
        } else {
            Headline::Latency
        }
    }

    /// True if this figure was neither measured nor published.
    pub const fn is_soft(&self) -> bool {
        self.confidence.is_soft()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Confidence;

    fn entry(figure: &str, confidence: Confidence) -> ProvenanceEntry {
        let text = String::new;
        ProvenanceEntry { profile: text(), figure: figure.into(), value: text(), confidence, source: text(), note: None }
    }

    #[test]
    fn figures_bear_on_the_headline_they_affect_most() {
        let of = |figure: &str| entry(figure, Confidence::Assumed).bears_on().name();
        assert_eq!(["power.tdp", "pue", "price.rent", "hosting", "carbon"].map(of), ["energy", "energy", "cost", "cost", "carbon"]);
        assert_eq!(["efficiency.gemm_memory.fp8", "memory.bandwidth", "latency", "power_of_two"].map(of), ["latency"; 4]);
    }

    #[test]
    fn figures_neither_measured_nor_published_are_soft() {
        assert!(entry("pue", Confidence::Estimate).is_soft() && !entry("pue", Confidence::Press).is_soft());
        assert!(Confidence::WEAKEST_FIRST.is_sorted_by_key(|confidence| confidence.strength()));
    }
}
