//! Validation of profiles beyond their types: ranges, existing sources, matching names. Reports all problems, not only the first.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::Catalogue;
use super::figure::{Figure, Source};
use super::kind::sealed::Rules;
use super::kind::{Kind, Profile};
use super::profile::{AllToAll, Chip, ChipKind, Efficiency, Link, Node, Site};
use super::walk::figures;
use crate::units::{Dtype, Ratio};

/// One problem of a profile. User error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileProblem {
    /// Path of the value: `power.idle`.
    pub path: String,
    /// Found and expected values, lower case, no final stop.
    pub message: String,
}

/// Collects the problems of one profile.
#[derive(Debug)]
pub struct Checks<'a> {
    problems: Vec<ProfileProblem>,
    catalogue: &'a Catalogue,
}

/// All problems of `profile`, which came from a file with the stem `stem`; references are looked up in `catalogue`.
pub(super) fn validate<P: Profile>(profile: &P, stem: &str, catalogue: &Catalogue) -> Vec<ProfileProblem> {
    let mut checks = Checks { problems: Vec::new(), catalogue };
    if profile.name() != stem {
        checks.note("name", format!("found `{}`, expected `{stem}`, the name of the file", profile.name()));
    }
    checks.require(!profile.description().trim().is_empty(), "description", || "found nothing, expected one line for `list`".into());
    checks.sources(profile);
    profile.rules(&mut checks);
    checks.problems
}

impl Checks<'_> {
    fn note(&mut self, path: &str, message: String) {
        self.problems.push(ProfileProblem { path: path.to_owned(), message });
    }

    fn require(&mut self, holds: bool, path: &str, message: impl FnOnce() -> String) {
        if !holds {
            self.note(path, message());
        }
    }

    fn positive(&mut self, path: &str, value: f64) {
        self.require(value > 0.0, path, || format!("found {value}, expected more than zero"));
    }

    /// A fraction: above 0, at most 1.
    fn fraction(&mut self, path: &str, figure: &Figure<Ratio>) {
        let value = figure.value.get();
        self.require(value > 0.0 && value <= 1.0, path, || format!("found {value}, expected more than 0 and at most 1"));
    }

    fn exists(&mut self, path: &str, kind: Kind, name: &str) {
        if !self.catalogue.contains(kind, name) {
            let hint = self.catalogue.nearest(kind, name).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            self.note(path, format!("found `{name}`, which is not a known {kind}{hint}"));
        }
    }

    /// Every referenced source exists, every source is dated and referenced, and no document is listed twice.
    fn sources<P: Profile>(&mut self, profile: &P) {
        let sources = profile.sources();
        let known = || sources.keys().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
        for figure in figures(profile) {
            if figure.title.is_none() {
                self.note(
                    &format!("{}.source", figure.path),
                    format!("found `{}`, expected a key of `sources`: {}", figure.source, known()),
                );
            }
        }
        let mut documents: BTreeSet<(&str, Option<&str>, &str)> = BTreeSet::new();
        for (key, Source { title, url, date }) in sources {
            let path = format!("sources.{key}");
            self.require(!title.trim().is_empty(), &path, || "found no title, expected the document's name".into());
            self.require(is_date(date), &format!("{path}.date"), || format!("found `{date}`, expected `YYYY-MM` or `YYYY-MM-DD`"));
            self.require(documents.insert((title, url.as_deref(), date)), &path, || {
                format!("found `{title}` a second time, expected one entry per document")
            });
        }
    }
}

fn is_date(text: &str) -> bool {
    let number = |part: Option<&str>, digits: usize, most: u32| {
        part.is_some_and(|p| p.len() == digits && p.parse::<u32>().is_ok_and(|n| (1..=most).contains(&n)))
    };
    let mut parts = text.split('-');
    let month = number(parts.next(), 4, 9999) && number(parts.next(), 2, 12);
    let rest: Vec<_> = parts.collect();
    month && (rest.is_empty() || (rest.len() == 1 && number(rest.first().copied(), 2, 31)))
}

impl Rules for Chip {
    fn rules(&self, checks: &mut Checks<'_>) {
        checks.positive("memory.capacity", self.memory.capacity.value.get());
        checks.positive("memory.bandwidth", self.memory.bandwidth.value.get());
        checks.require(!self.compute.is_empty(), "compute", || "found no number format, expected at least one".into());
        for (dtype, peak) in &self.compute {
            checks.positive(&format!("compute.{}", dtype.name()), peak.value.get());
        }
        power_rules(self, checks);
        match (&self.efficiency, self.kind) {
            (Some(efficiency), _) => efficiency_rules(efficiency, checks),
            (None, ChipKind::Lpu | ChipKind::Hardwired) => {}
            (None, ChipKind::Gpu | ChipKind::Npu | ChipKind::Cpu) => {
                checks.note("efficiency", "found nothing, expected the fractions of peak that kernels reach".into());
            }
        }
        all_reduce_rules(self, checks);
        if let Some(all_to_all) = &self.all_to_all {
            all_to_all_rules(all_to_all, checks);
        }
        let price = &self.price;
        for (path, usd) in [("price.new", &price.new), ("price.used", &price.used)] {
            if let Some(figure) = usd {
                checks.positive(path, figure.value.get());
            }
        }
        if let Some(rent) = &price.rent {
            checks.positive("price.rent", rent.value.get());
        }
    }
}

fn power_rules(chip: &Chip, checks: &mut Checks<'_>) {
    let power = &chip.power;
    let (tdp, idle) = (power.tdp.value.get(), power.idle.value.get());
    checks.positive("power.tdp", tdp);
    checks.require(idle <= tdp, "power.idle", || format!("found {idle} W, expected at most tdp, {tdp} W"));
    checks.fraction("power.busy_floor", &power.busy_floor);
    let floor = power.busy_floor.value.get() * tdp;
    checks.require(floor >= idle, "power.busy_floor", || format!("found {floor} W with tdp {tdp} W, expected at least idle, {idle} W"));
    checks.fraction("power.compute_saturation", &power.compute_saturation);
    // Above 1 if memory traffic alone reaches tdp below the peak bandwidth.
    let weight = power.memory_weight.value.get();
    checks.require(weight <= 2.0, "power.memory_weight", || format!("found {weight}, expected 0 to 2"));
}

fn efficiency_rules(efficiency: &Efficiency, checks: &mut Checks<'_>) {
    let tables = [
        ("gemm_compute", &efficiency.gemm_compute),
        ("gemm_memory", &efficiency.gemm_memory),
        ("prefill_attention", &efficiency.prefill_attention),
        ("decode_attention", &efficiency.decode_attention),
        ("expert_memory", &efficiency.expert_memory),
    ];
    for (name, table) in tables {
        let path = format!("efficiency.{name}");
        has_bf16(&path, table, checks);
        for (dtype, figure) in table {
            checks.fraction(&format!("{path}.{}", dtype.name()), figure);
        }
    }
    let starts = [
        ("gemm_start", &efficiency.gemm_start),
        ("decode_attention_start", &efficiency.decode_attention_start),
        ("decode_attention_head", &efficiency.decode_attention_head),
        ("expert_start", &efficiency.expert_start),
    ];
    for (name, table) in starts {
        has_bf16(&format!("efficiency.{name}"), table, checks);
    }
    has_bf16("efficiency.gemm_corner", &efficiency.gemm_corner, checks);
    for (dtype, figure) in &efficiency.gemm_corner {
        let value = figure.value.get();
        let known = [2.0, 3.0, 4.0].iter().any(|p| (value - p).abs() < f64::EPSILON);
        checks.require(known, &format!("efficiency.gemm_corner.{}", dtype.name()), || format!("found {value}, expected 2, 3 or 4"));
    }
    has_bf16("efficiency.expert_compute", &efficiency.expert_compute, checks);
    for (dtype, widths) in &efficiency.expert_compute {
        let path = format!("efficiency.expert_compute.{}", dtype.name());
        checks.require(!widths.is_empty(), &path, || "found no width, expected at least one".into());
        for (width, figure) in widths {
            checks.fraction(&format!("{path}.{width}"), figure);
        }
    }
    checks.fraction("efficiency.decode_attention_compute", &efficiency.decode_attention_compute);
}

fn has_bf16<T>(path: &str, table: &BTreeMap<Dtype, T>, checks: &mut Checks<'_>) {
    checks.require(table.contains_key(&Dtype::Bf16), path, || "found no `bf16`, expected at least that number format".into());
}

fn all_to_all_rules(all_to_all: &AllToAll, checks: &mut Checks<'_>) {
    for (name, kernels) in [("dispatch", &all_to_all.dispatch), ("combine", &all_to_all.combine)] {
        let path = format!("all_to_all.{name}");
        checks.require(!kernels.is_empty(), &path, || "found no kernel, expected at least one".into());
        for (index, kernel) in kernels.iter().enumerate() {
            checks.fraction(&format!("{path}[{index}].efficiency"), &kernel.efficiency);
        }
    }
}

fn all_reduce_rules(chip: &Chip, checks: &mut Checks<'_>) {
    match &chip.all_reduce_source {
        Some(key) => {
            checks.require(chip.sources.contains_key(key), "all_reduce_source", || format!("found `{key}`, expected a key of `sources`"));
        }
        None => checks.require(chip.all_reduce.is_empty(), "all_reduce_source", || {
            "found nothing, expected the source of the `all_reduce` table".into()
        }),
    }
    let mut before = 0.0;
    for (index, row) in chip.all_reduce.iter().enumerate() {
        let path = format!("all_reduce[{index}]");
        let size = row.size.get();
        checks.require(size > before, &format!("{path}.size"), || format!("found {}, expected sizes that grow from row to row", row.size));
        before = size;
        for (chips, time) in &row.time {
            checks.positive(&format!("{path}.time.{chips}"), time.get());
            checks.require(*chips >= 2, &format!("{path}.time"), || format!("found {chips} chips, expected 2 or more"));
        }
    }
}

impl Rules for Node {
    fn rules(&self, checks: &mut Checks<'_>) {
        checks.exists("chip", Kind::Chip, &self.chip);
        checks.exists("scale_up", Kind::Link, &self.scale_up);
        checks.exists("scale_out", Kind::Link, &self.scale_out);
        checks.require(self.chips >= 1, "chips", || "found 0, expected 1 or more".into());
        checks.require((1..=self.chips.max(1)).contains(&self.scale_up_chips), "scale_up_chips", || {
            format!("found {}, expected 1 to {} (chips)", self.scale_up_chips, self.chips)
        });
        checks.positive("scale_out_per_chip", self.scale_out_per_chip.value.get());
        let proportional = self.overhead.proportional.value.get();
        checks.require(proportional <= 1.0, "overhead.proportional", || format!("found {proportional}, expected 0 to 1 watt per watt"));
        checks.positive("life", self.life.value.get());
        if let Some(price) = &self.price {
            checks.positive("price", price.value.get());
        }
        if let Some(rent) = &self.rent {
            checks.positive("rent", rent.value.get());
        }
    }
}

impl Rules for Link {
    fn rules(&self, checks: &mut Checks<'_>) {
        checks.positive("bandwidth", self.bandwidth.value.get());
        checks.fraction("efficiency", &self.efficiency);
    }
}

impl Rules for Site {
    fn rules(&self, checks: &mut Checks<'_>) {
        let pue = self.pue.value.get();
        checks.require((1.0..=5.0).contains(&pue), "pue", || format!("found {pue}, expected 1 to 5"));
    }
}
