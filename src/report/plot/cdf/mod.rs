//! Latency as empirical distribution functions on a logarithmic axis: one line per class, limits as labelled lines, percentiles marked.
//!
//! Owns: the content of a distribution chart. Must not know: the measurement of latencies; pixels, which are in `draw` and `flags`.

mod draw;
mod flags;

use std::collections::BTreeSet;

use serde_json::json;

use super::super::number::{duration_ms, limit_ms, percent};
use super::palette::Colour;
use super::{Chart, PlotError, Section};
use crate::metrics::{Cdf, ClassSummary, Distribution, Distributions, Latency, RunResult, SloLimits};
use draw::{FORMS, Frame};

/// Maximum number of lines in one chart; the other classes are in the tables.
const MOST_LINES: usize = 6;
const MARKS: [(f64, &str); 3] = [(0.50, "p50"), (0.90, "p90"), (0.99, "p99")];

/// A latency: its id, names, and accessors.
struct Kind {
    id: &'static str,
    title: &'static str,
    short: &'static str,
    /// True if requests have at most one value each; false for gaps.
    of_requests: bool,
    latency: fn(&Latency) -> Option<Distribution>,
    limit: fn(&SloLimits) -> Option<f64>,
}

const KINDS: [Kind; 4] = [
    Kind { id: "ttft", title: "Time to first token", short: "TTFT", of_requests: true, latency: |l| l.ttft_ms, limit: |s| s.ttft_ms },
    Kind { id: "itl", title: "Gap between tokens", short: "ITL", of_requests: false, latency: |l| l.itl_ms, limit: |_| None },
    Kind { id: "tpot", title: "Time per output token", short: "TPOT", of_requests: true, latency: |l| l.tpot_ms, limit: |s| s.tpot_ms },
    Kind { id: "e2e", title: "End to end", short: "E2E", of_requests: true, latency: |l| l.e2e_ms, limit: |s| s.e2e_ms },
];

/// Data of a line.
struct Line {
    name: String,
    colour: Colour,
    points: Vec<(f64, f64)>,
    marks: [f64; 3],
    limit_ms: Option<f64>,
    /// Number of values, as far as known.
    count: u64,
}

impl Line {
    /// Smallest value such that at least this share is at or below it.
    fn value_at(points: &[(f64, f64)], share: f64) -> f64 {
        points.iter().find(|(_, fraction)| *fraction >= share - 1e-12).or(points.last()).map_or(0.0, |(value, _)| *value)
    }

    fn new(kind: &Kind, cdf: &Cdf, index: usize, classes: &[ClassSummary]) -> Option<Self> {
        let pairs = cdf.value.iter().copied().zip(cdf.fraction.iter().copied());
        let points: Vec<(f64, f64)> = pairs.filter(|(v, f)| v.is_finite() && f.is_finite()).collect();
        points.last().filter(|(v, _)| *v > 0.0)?;
        let place = classes.iter().position(|class| class.name == cdf.label);
        let class = place.and_then(|place| classes.get(place));
        // The summary has the exact percentiles, the curve at most 500 points.
        let exact = class.and_then(|class| (kind.latency)(&class.latency));
        let marks = match exact {
            Some(d) => [d.p50, d.p90, d.p99],
            None => MARKS.map(|(share, _)| Self::value_at(&points, share)),
        };
        let limit_ms = class.and_then(|class| (kind.limit)(&class.slo)).filter(|limit| limit.is_finite() && *limit > 0.0);
        Some(Self {
            name: cdf.label.clone(),
            // A class keeps its colour if another has no distribution.
            colour: Colour::of_class(place.filter(|_| classes.len() <= MOST_LINES).unwrap_or(index)),
            points,
            marks,
            limit_ms,
            count: exact.map_or(0, |d| d.count),
        })
    }

    fn percentiles(&self) -> Vec<String> {
        MARKS.iter().zip(self.marks).map(|((_, name), value)| format!("{name} {}", duration_ms(value))).collect()
    }
}

/// The four distributions.
pub(super) fn charts(result: &RunResult) -> Result<Vec<Chart>, PlotError> {
    let d = &result.distributions;
    KINDS
        .iter()
        .zip([&d.ttft_ms, &d.itl_ms, &d.tpot_ms, &d.e2e_ms])
        .map(|(kind, cdfs)| chart(kind, cdfs, &result.summary.classes))
        .collect()
}

/// The four distributions of several variants, with one line per variant under its name; `marks` gives the exact percentiles (50th, 90th and 99th) by
/// the name of a latency in `summary.json` and the name of the variant.
pub(super) fn overlaid(distributions: &Distributions, marks: impl Fn(&str, &str) -> Option<[f64; 3]>) -> Result<Vec<Chart>, PlotError> {
    let Distributions { ttft_ms, itl_ms, tpot_ms, e2e_ms } = distributions;
    let of = |(kind, cdfs): (&Kind, &Vec<Cdf>)| {
        let mut lines = lines(kind, cdfs, &[]);
        for line in &mut lines {
            line.marks = marks(&format!("{}_ms", kind.id), &line.name).unwrap_or(line.marks);
        }
        drawn(kind, &lines, cdfs.len().saturating_sub(MOST_LINES), None)
    };
    KINDS.iter().zip([ttft_ms, itl_ms, tpot_ms, e2e_ms]).map(of).collect()
}

fn lines(kind: &Kind, cdfs: &[Cdf], classes: &[ClassSummary]) -> Vec<Line> {
    cdfs.iter().take(MOST_LINES).enumerate().filter_map(|(i, cdf)| Line::new(kind, cdf, i, classes)).collect()
}

fn chart(kind: &Kind, cdfs: &[Cdf], classes: &[ClassSummary]) -> Result<Chart, PlotError> {
    let part = if kind.of_requests { drawn_part(kind, cdfs, classes) } else { None };
    drawn(kind, &lines(kind, cdfs, classes), cdfs.len().saturating_sub(MOST_LINES), part)
}

/// The chart of some lines, with `more` left out; `part` of the requests are on them.
fn drawn(kind: &Kind, lines: &[Line], more: usize, part: Option<f64>) -> Result<Chart, PlotError> {
    let title = format!("{} ({})", kind.title, kind.short);
    if lines.is_empty() {
        let why = format!("No completed request has any {}, so there is no distribution to draw.", kind.short);
        return Ok(Chart::absent(kind.id, Section::Distributions, &title, &why));
    }
    let words: Vec<String> = lines
        .iter()
        .map(|line| {
            let limit = line.limit_ms.map_or_else(String::new, |limit| format!(", limit {}", limit_ms(limit)));
            format!("{}: {}{limit}", line.name, line.percentiles().join(", "))
        })
        .collect();
    let frames: Vec<Frame<'_>> = FORMS.iter().map(|form| Frame::new(form, lines, more)).collect();
    let series: Vec<serde_json::Value> = lines
        .iter()
        .map(|line| {
            let (x, y): (Vec<f64>, Vec<f64>) = line.points.iter().map(|&(v, f)| (short(v), short(f))).unzip();
            json!({"name": line.name, "colour": line.colour.name(), "x": x, "y": y})
        })
        .collect();
    let places: Vec<_> = frames.iter().map(Frame::place).collect();
    let data = json!({
        "kind": "cdf", "of": kind.of(),
        "x": frames.first().map(|frame| [frame.domain.0, frame.domain.1]),
        "steps": frames.first().map(|frame| frame.y.steps),
        "frames": places,
        "panels": [{"series": series}],
    });
    let drawings = frames.iter().map(|frame| frame.draw(kind, &title, part)).collect::<Result<_, _>>()?;
    let of = part.map_or_else(|| kind.of().to_owned(), |part| format!("the {} of requests that have one", over(part)));
    Ok(Chart {
        id: kind.id,
        section: Section::Distributions,
        description: format!("Share of {of} at or below each {}, logarithmic axis. {}.", kind.short, words.join("; ")),
        drawings,
        title,
        data: Some(data),
    })
}

/// The share of the requests of the charted classes that are on a curve, if not all: those that never got this far, or are too short to have such a
/// latency, are not on the axis.
fn drawn_part(kind: &Kind, cdfs: &[Cdf], classes: &[ClassSummary]) -> Option<f64> {
    // A class without values has no distribution, and all its requests are missing.
    let beyond: BTreeSet<&str> = cdfs.iter().skip(MOST_LINES).map(|cdf| cdf.label.as_str()).collect();
    let shown = classes.iter().filter(|class| !beyond.contains(class.name.as_str()));
    let (had, arrived) = shown.fold((0u64, 0u64), |(had, arrived), class| {
        let count = (kind.latency)(&class.latency).map_or(0, |d| d.count);
        (had.saturating_add(count), arrived.saturating_add(class.requests.arrived))
    });
    (had < arrived).then(|| had as f64 / arrived as f64)
}

/// A share in running text: `47.7 %`, `over 99.9 %`.
fn over(share: f64) -> String {
    percent(share).replace("> ", "over ").replace("< ", "less than ")
}

impl Kind {
    /// The counted items.
    const fn of(&self) -> &'static str {
        if self.of_requests { "requests" } else { "gaps" }
    }
}

/// Four significant digits: enough for a pointer, and the page stays small.
pub(super) fn short(v: f64) -> f64 {
    format!("{v:.3e}").parse().unwrap_or(v)
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::*;

    #[test]
    fn percentiles_come_from_the_summary_if_the_class_is_known() {
        let result = fixture::two_pools();
        let line = Line::new(&KINDS[0], &result.distributions.ttft_ms[0], 0, &result.summary.classes).unwrap();
        approx::assert_relative_eq!(line.marks[2], result.summary.classes[0].latency.ttft_ms.unwrap().p99);
        let unknown = Line::new(&KINDS[0], &result.distributions.ttft_ms[0], 0, &[]).unwrap();
        approx::assert_relative_eq!(unknown.marks[0], line.marks[0], max_relative = 0.02);
    }

    fn described(result: &RunResult, id: &str) -> String {
        let all = charts(result).unwrap();
        all.into_iter().find(|chart| chart.id == id).unwrap().description
    }

    #[test]
    fn the_description_states_the_share_of_requests_on_the_curve() {
        let mut result = fixture::two_pools();
        for class in &mut result.summary.classes {
            class.requests.arrived = class.latency.ttft_ms.unwrap().count;
        }
        for id in ["ttft", "tpot", "e2e"] {
            assert!(described(&result, id).starts_with("Share of requests at or below"), "{}", described(&result, id));
        }
        // 9,457 values for 9,557 requests: 98.95 %.
        result.summary.classes[0].requests.arrived += 100;
        for id in ["ttft", "tpot", "e2e"] {
            let start = "Share of the 99.0 % of requests that have one at or below";
            assert!(described(&result, id).starts_with(start), "{}", described(&result, id));
        }
        assert!(described(&result, "itl").starts_with("Share of gaps at or below"), "{}", described(&result, "itl"));
        result.summary.classes[0].requests.arrived -= 99;
        assert!(described(&result, "tpot").starts_with("Share of the over 99.9 % of requests"), "{}", described(&result, "tpot"));
    }

    #[test]
    fn a_class_without_values_counts_as_requests_not_on_a_curve() {
        let mut result = fixture::two_pools();
        let class = &mut result.summary.classes[0];
        class.latency.ttft_ms = None;
        result.distributions.ttft_ms.remove(0);
        // 1,259 values for 8,214 + 1,261 requests: 13.29 %.
        assert!(described(&result, "ttft").starts_with("Share of the 13.3 % of requests that have one"), "{}", described(&result, "ttft"));
        let colour = |id: &str, line: usize| {
            let chart = charts(&result).unwrap().into_iter().find(|chart| chart.id == id).unwrap();
            chart.data.unwrap()["panels"][0]["series"][line]["colour"].clone()
        };
        assert_eq!(colour("ttft", 0), colour("e2e", 1), "a colour stands for one class");
    }
}
