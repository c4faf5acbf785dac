//! A figure of a data sheet or a model card, with its provenance.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Confidence in a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Reduced from a public set of measurements.
    Measured,
    /// From the vendor's own documents or a transcription of them.
    Official,
    /// From press, analysts or the community.
    Press,
    /// Derived or estimated; the note says how.
    Estimate,
    /// General knowledge without a located source.
    Assumed,
    /// Stated by the user of the scenario, about their own hardware or prices.
    Given,
}

impl Confidence {
    /// All levels, weakest first.
    pub const WEAKEST_FIRST: [Self; 6] = [Self::Assumed, Self::Estimate, Self::Press, Self::Official, Self::Measured, Self::Given];

    /// The word used in YAML.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Official => "official",
            Self::Press => "press",
            Self::Estimate => "estimate",
            Self::Assumed => "assumed",
            Self::Given => "given",
        }
    }

    /// Position among all levels, weakest first.
    pub fn strength(self) -> usize {
        Self::WEAKEST_FIRST.iter().position(|&other| other == self).unwrap_or_default()
    }

    /// True if the value was neither measured nor published.
    pub const fn is_soft(self) -> bool {
        matches!(self, Self::Assumed | Self::Estimate)
    }
}

/// One value with its provenance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Figure<T> {
    /// The value, with its unit.
    pub value: T,
    /// Key of an entry of the profile's `sources`.
    pub source: String,
    /// Confidence in it.
    pub confidence: Confidence,
    /// Caveats: basis of an estimate, conflict between sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Source of figures: one entry per document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Title, repository and path, or publication.
    pub title: String,
    /// Address, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Date of publication or access, `YYYY-MM` or `YYYY-MM-DD`.
    pub date: String,
}

/// The sources of one profile by key.
pub type Sources = BTreeMap<String, Source>;
