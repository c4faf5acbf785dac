//! Provenance of the figures used by a run: those read from profiles, and those that the scenario overrides.
//!
//! A profile has more figures than a run reads (number formats that no model uses, prices of a chip whose node is bought); they
//! must not dilute the share of assumed figures.

use std::collections::BTreeSet;

use super::super::file::{Affine, NetworkOverrides, PerfChoice, Pool, Pricing, Profiles, Roofline, SiteChoice};
use super::names::PoolHardware;
use crate::cluster::PoolSpec;
use crate::hardware::{Chip, Kind, Link, Profile, Site, figures};
use crate::metrics::ProvenanceEntry;
use crate::model::ModelProfile;
use crate::perf::OwnFigure;
use crate::units::Confidence;

/// Figures used by a run, gathered while it is built.
#[derive(Debug, Default)]
pub(super) struct Basis {
    /// Kind and name of a profile, and the path of a figure or group of figures in it.
    read: BTreeSet<(Kind, String, String)>,
    /// In order of use.
    given: Vec<ProvenanceEntry>,
    own: Vec<OwnFigure>,
}

impl Basis {
    fn read<P: Profile>(&mut self, profile: &P, paths: impl IntoIterator<Item = impl Into<String>>) {
        self.read.extend(paths.into_iter().map(|path| (P::KIND, profile.name().to_owned(), path.into())));
    }

    /// Reads a figure of `profile` unless the scenario gives a value instead, at `place`.
    fn read_unless<P: Profile, T: ToString>(&mut self, profile: &P, figure: &str, given: Option<T>, place: &str) {
        match given {
            None => self.read(profile, [figure]),
            Some(value) => {
                let entry = ProvenanceEntry {
                    profile: format!("scenario {place}"),
                    figure: figure.to_owned(),
                    value: value.to_string(),
                    confidence: Confidence::Given,
                    source: "given in the scenario".into(),
                    note: None,
                };
                if !self.given.contains(&entry) {
                    self.given.push(entry);
                }
            }
        }
    }

    /// Figures that a pool reads from its chip, its node and the link between its chips.
    pub(super) fn pool(&mut self, pool: &Pool, hardware: &PoolHardware, spec: &PoolSpec) {
        let place = format!("pool {}", pool.name);
        let (chip, node) = (&hardware.chip, &hardware.node);
        let perf = spec.perf.basis();
        let changes = match pool.perf {
            PerfChoice::Roofline(changes) => changes,
            PerfChoice::Affine(_) => Roofline::default(),
        };
        let replaceable = [
            ("efficiency.gemm_compute", changes.gemm_compute),
            ("efficiency.gemm_memory", changes.gemm_memory),
            ("efficiency.expert_compute", changes.gemm_compute),
            ("efficiency.expert_memory", changes.gemm_memory),
        ];
        for (table, given) in replaceable {
            let formats: Vec<_> = perf.chip.iter().filter(|path| path.starts_with(table)).collect();
            match given {
                Some(_) if !formats.is_empty() => self.read_unless(chip, table, given, &place),
                _ => self.read(chip, formats),
            }
        }
        if changes.iteration_overhead.is_some() {
            self.read_unless(chip, "efficiency.iteration_overhead", changes.iteration_overhead, &place);
        }
        self.read(chip, perf.chip.iter().filter(|path| !replaceable.iter().any(|(table, _)| path.starts_with(table))));
        self.read(&hardware.scale_up, &perf.scale_up);
        self.own.extend(perf.own.into_iter().filter(|figure| !self.own.contains(figure)).collect::<Vec<_>>());
        self.read(chip, ["memory.capacity"]);
        match pool.perf {
            PerfChoice::Affine(Affine { busy_power, .. }) => {
                self.read(chip, ["power.idle"]);
                self.read_unless(chip, "power.tdp", busy_power, &place);
            }
            PerfChoice::Roofline(_) => self.read(chip, ["power"]),
        }
        self.read(node, ["overhead"]);
        match pool.pricing {
            Pricing::Own => self.read(node, ["price", "life"]),
            Pricing::RentAt(price) => self.read_unless(node, "rent", Some(price), &place),
            Pricing::Rent if node.rent.is_some() => self.read(node, ["rent"]),
            Pricing::Rent => self.read(chip, ["price.rent"]),
        }
    }

    /// Figures that handoffs read from their link and from the node at one of its ends; the fixed cost of a transfer is that of the end that
    /// `sends`.
    pub(super) fn handoffs(&mut self, link: &Link, overrides: NetworkOverrides, hardware: &PoolHardware, sends: bool) {
        let place = "cluster.network.kv";
        self.read(&hardware.node, ["scale_out_per_chip"]);
        let NetworkOverrides { bandwidth, latency, efficiency } = overrides;
        self.read_unless(link, "bandwidth", bandwidth, place);
        if sends {
            self.read(link, ["setup"]);
            self.read_unless(link, "latency", latency, place);
        }
        self.read_unless(link, "efficiency", efficiency, place);
    }

    /// Figures read from the site; prices of energy and space only if nodes are `owned`.
    pub(super) fn site(&mut self, profile: &Site, choice: &SiteChoice, owned: bool) {
        let place = "cluster.site";
        self.read_unless(profile, "pue", choice.pue, place);
        self.read_unless(profile, "carbon", choice.carbon, place);
        if owned {
            self.read_unless(profile, "electricity", choice.electricity, place);
            self.read_unless(profile, "hosting", choice.hosting, place);
        }
    }

    /// All figures: those given by the scenario, then chips, nodes, links, sites and models by name, then the performance models' own figures.
    pub(super) fn collect(self, profiles: &Profiles) -> Vec<ProvenanceEntry> {
        let mut entries = self.given.clone();
        profiles.chips.values().for_each(|profile| {
            self.add(&mut entries, profile);
            self.add_all_reduce(&mut entries, profile);
        });
        profiles.nodes.values().for_each(|profile| self.add(&mut entries, profile));
        profiles.links.values().for_each(|profile| self.add(&mut entries, profile));
        profiles.sites.values().for_each(|profile| self.add(&mut entries, profile));
        profiles.models.values().for_each(|profile| add_model(&mut entries, profile));
        entries.extend(self.own.iter().map(|own| ProvenanceEntry {
            profile: "roofline".into(),
            figure: own.name.into(),
            value: own.value.clone(),
            confidence: own.confidence,
            source: own.source.into(),
            note: None,
        }));
        entries
    }

    fn is_read(&self, kind: Kind, name: &str, path: &str) -> bool {
        let inside = |group: &str| path.strip_prefix(group).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.read.iter().any(|(k, n, group)| *k == kind && n == name && inside(group))
    }

    fn add<P: Profile>(&self, entries: &mut Vec<ProvenanceEntry>, profile: &P) {
        for figure in figures(profile).into_iter().filter(|figure| self.is_read(P::KIND, profile.name(), &figure.path)) {
            let source = match (figure.title, figure.date) {
                (Some(title), Some(date)) => format!("{title} ({date})"),
                _ => figure.source,
            };
            entries.push(ProvenanceEntry {
                profile: format!("{} {}", P::KIND.name(), profile.name()),
                figure: figure.path,
                value: figure.value,
                confidence: figure.confidence,
                source,
                note: figure.note,
            });
        }
    }

    /// A table counts as one figure.
    fn add_all_reduce(&self, entries: &mut Vec<ProvenanceEntry>, chip: &Chip) {
        let source = chip.all_reduce_source.as_ref().and_then(|key| chip.sources.get(key));
        if let Some(source) = source.filter(|_| self.is_read(Kind::Chip, &chip.name, "all_reduce")) {
            entries.push(ProvenanceEntry {
                profile: format!("chip {}", chip.name),
                figure: "all_reduce".into(),
                value: format!("{} sizes", chip.all_reduce.len()),
                confidence: Confidence::Measured,
                source: format!("{} ({})", source.title, source.date),
                note: None,
            });
        }
    }
}

/// A model's architecture counts as one figure: its published configuration.
fn add_model(entries: &mut Vec<ProvenanceEntry>, profile: &ModelProfile) {
    let sources: Vec<String> = profile.sources.values().map(|source| format!("{} ({})", source.title, source.date)).collect();
    entries.push(ProvenanceEntry {
        profile: format!("model {}", profile.name),
        figure: "architecture".into(),
        value: format!("{:.2} B parameters", profile.architecture.parameters().total() as f64 / 1e9),
        confidence: profile.published.as_ref().map_or(Confidence::Official, |published| published.total.confidence),
        source: sources.join("; "),
        note: None,
    });
}
