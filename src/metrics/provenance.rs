//! What a figure of a profile bears on, and how far it is to be believed.

use super::summary::ProvenanceEntry;

/// A headline that rests on figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Headline {
    /// How long things take, and so what is served.
    Latency,
    /// Joules.
    Energy,
    /// Dollars.
    Cost,
    /// Grams of CO2 equivalent.
    Carbon,
}

impl Headline {
    /// In the order of the report.
    pub const ALL: [Self; 4] = [Self::Latency, Self::Energy, Self::Cost, Self::Carbon];

    /// As a sentence names it.
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
    /// The headline that this figure moves first. Everything that is neither energy nor money nor carbon sets how long a step takes.
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

    /// True if nobody measured or published this figure.
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
    fn a_figure_bears_on_the_headline_it_moves_first() {
        let of = |figure: &str| entry(figure, Confidence::Assumed).bears_on().name();
        assert_eq!(["power.tdp", "pue", "price.rent", "hosting", "carbon"].map(of), ["energy", "energy", "cost", "cost", "carbon"]);
        assert_eq!(["efficiency.gemm_memory.fp8", "memory.bandwidth", "latency", "power_of_two"].map(of), ["latency"; 4]);
    }

    #[test]
    fn what_nobody_measured_or_published_is_soft() {
        assert!(entry("pue", Confidence::Estimate).is_soft() && !entry("pue", Confidence::Press).is_soft());
        assert!(Confidence::WEAKEST_FIRST.is_sorted_by_key(|confidence| confidence.strength()));
    }
}
