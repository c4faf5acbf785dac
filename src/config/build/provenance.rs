//! Where the figures of a scenario come from: every figure of every profile in use.

use super::super::scenario::Profiles;
use crate::hardware::{Profile, figures};
use crate::metrics::ProvenanceEntry;
use crate::model::ModelProfile;

/// All figures, in the order chips, nodes, links, sites, models and of their names.
pub(super) fn collect(profiles: &Profiles) -> Vec<ProvenanceEntry> {
    let mut entries = Vec::new();
    profiles.chips.values().for_each(|profile| add(&mut entries, profile));
    profiles.nodes.values().for_each(|profile| add(&mut entries, profile));
    profiles.links.values().for_each(|profile| add(&mut entries, profile));
    profiles.sites.values().for_each(|profile| add(&mut entries, profile));
    profiles.models.values().for_each(|profile| add_model(&mut entries, profile));
    entries
}

fn add<P: Profile>(entries: &mut Vec<ProvenanceEntry>, profile: &P) {
    for figure in figures(profile) {
        let source = match (figure.title, figure.date) {
            (Some(title), Some(date)) => format!("{title} ({date})"),
            _ => figure.source,
        };
        entries.push(ProvenanceEntry {
            profile: format!("{} {}", P::KIND.name(), profile.name()),
            figure: figure.path,
            value: figure.value,
            confidence: word(figure.confidence),
            source,
            note: figure.note,
        });
    }
}

/// A model's shape is one fact: its published configuration.
fn add_model(entries: &mut Vec<ProvenanceEntry>, profile: &ModelProfile) {
    let sources: Vec<String> = profile.sources.values().map(|source| format!("{} ({})", source.title, source.date)).collect();
    entries.push(ProvenanceEntry {
        profile: format!("model {}", profile.name),
        figure: "architecture".into(),
        value: format!("{:.2} B parameters", profile.architecture.parameters().total() as f64 / 1e9),
        confidence: profile.published.as_ref().map_or_else(|| "official".into(), |published| word(published.total.confidence)),
        source: sources.join("; "),
        note: None,
    });
}

/// The word used in YAML.
fn word(confidence: crate::units::Confidence) -> String {
    serde_json::to_value(confidence).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
