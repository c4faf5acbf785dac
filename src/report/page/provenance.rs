//! Provenance of figures and step times: those neither measured nor published separately, weakest first.
//!
//! Owns: groups and their order. Must not know: markup.

use serde::Serialize;

use super::super::number::count;
use crate::metrics::{PoolSummary, ProvenanceEntry};

/// One figure.
#[derive(Debug, Serialize)]
struct Row<'a> {
    profile: &'a str,
    figure: &'a str,
    value: String,
    confidence: &'static str,
    soft: bool,
    bears_on: &'static str,
    source: &'a str,
    note: Option<&'a str>,
}

/// Figures under one heading.
#[derive(Debug, Serialize)]
pub(super) struct Group<'a> {
    id: &'static str,
    title: String,
    rows: Vec<Row<'a>>,
}

/// Soft figures, then the others; empty groups are left out.
pub(super) fn groups(entries: &[ProvenanceEntry]) -> Vec<Group<'_>> {
    let group = |id, soft: bool, what: &str| {
        let mut rows: Vec<&ProvenanceEntry> = entries.iter().filter(|entry| entry.is_soft() == soft).collect();
        rows.sort_by_key(|entry| (entry.confidence.strength(), entry.bears_on()));
        let figures = if rows.len() == 1 { "figure" } else { "figures" };
        Group { id, title: format!("{} {what} {figures}", count(rows.len() as u64)), rows: rows.into_iter().map(row).collect() }
    };
    let groups = [group("provenance-soft", true, "assumed or estimated"), group("provenance-firm", false, "published, measured or given")];
    groups.into_iter().filter(|group| !group.rows.is_empty()).collect()
}

fn row(entry: &ProvenanceEntry) -> Row<'_> {
    Row {
        profile: &entry.profile,
        figure: &entry.figure,
        // YAML uses `us`, which can be typed on any keyboard.
        value: entry.value.strip_suffix(" us").map_or_else(|| entry.value.clone(), |number| format!("{number} µs")),
        confidence: entry.confidence.name(),
        soft: entry.is_soft(),
        bears_on: entry.bears_on().name(),
        source: &entry.source,
        note: entry.note.as_deref(),
    }
}

/// Performance model of each pool; pools with the same model share an entry.
pub(super) fn step_models(pools: &[PoolSummary]) -> Vec<(String, &str)> {
    let mut out: Vec<(String, &str)> = Vec::new();
    for pool in pools {
        match out.iter_mut().find(|(_, perf)| *perf == pool.perf) {
            Some((names, _)) => *names = format!("{names}, {}", pool.name),
            None => out.push((pool.name.clone(), &pool.perf)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::*;

    #[test]
    fn the_weakest_figures_come_first_and_none_is_lost() {
        let summary = fixture::two_pools().summary;
        let groups = groups(&summary.provenance);
        let words: Vec<Vec<&str>> = groups.iter().map(|group| group.rows.iter().map(|row| row.confidence).collect()).collect();
        assert_eq!(words[0], ["assumed", "assumed", "estimate", "estimate"]);
        assert_eq!(words[1], ["press", "official", "official", "official", "official", "measured"]);
        assert_eq!(groups[0].title, "4 assumed or estimated figures");
    }

    #[test]
    fn pools_with_the_same_performance_model_share_a_line() {
        let pools = fixture::two_pools().summary.pools;
        assert_eq!(step_models(&pools), [("prefill, decode".to_owned(), "roofline")]);
    }
}
