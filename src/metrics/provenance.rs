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

/// Levels of confidence, weakest first.
pub const CONFIDENCE: [&str; 6] = ["assumed", "estimate", "press", "official", "measured", "given"];

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
    pub fn is_soft(&self) -> bool {
        matches!(self.confidence.as_str(), "assumed" | "estimate")
    }

    /// Position in [`CONFIDENCE`]; words not in it come before all.
    pub fn strength(&self) -> usize {
        CONFIDENCE.iter().position(|word| *word == self.confidence).map_or(0, |i| i + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(figure: &str, confidence: &str) -> ProvenanceEntry {
        let text = String::new;
        ProvenanceEntry { profile: text(), figure: figure.into(), value: text(), confidence: confidence.into(), source: text(), note: None }
    }

    #[test]
    fn a_figure_bears_on_the_headline_it_moves_first() {
        let of = |figure: &str| entry(figure, "assumed").bears_on().name();
        assert_eq!(["power.tdp", "pue", "price.rent", "hosting", "carbon"].map(of), ["energy", "energy", "cost", "cost", "carbon"]);
        assert_eq!(["efficiency.gemm_memory.fp8", "memory.bandwidth", "latency", "power_of_two"].map(of), ["latency"; 4]);
    }

    #[test]
    fn the_weakest_come_first() {
        let mut words: Vec<&str> = CONFIDENCE.iter().rev().copied().collect();
        words.sort_by_key(|word| entry("pue", word).strength());
        assert_eq!(words, CONFIDENCE);
        assert!(entry("pue", "estimate").is_soft() && !entry("pue", "press").is_soft());
        assert_eq!(entry("pue", "hearsay").strength(), 0);
    }
}
