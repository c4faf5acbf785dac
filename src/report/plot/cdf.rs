//! Latency as empirical distribution functions on a logarithmic axis: one line a class, limits as labelled lines, percentiles marked.
//!
//! Owns: the look of a distribution. Must not know: how latencies were taken.

use serde_json::json;

use super::super::number::{duration_ms, limit_ms};
use super::super::text::shortened;
use super::axis::{Scale, Tick, log_durations};
use super::canvas::{BODY, Canvas, Drawing, Layer, TICK, TITLE};
use super::palette::Colour;
use super::{Chart, PlotError, Section};
use crate::metrics::{Cdf, ClassSummary, Distribution, Latency, RunResult, SloLimits};

const WIDTH: u32 = 400;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 378.0;
const HEIGHT: f64 = 220.0;
const ROW: f64 = 22.0;
/// Where the rows of classes begin.
const KEY_TOP: f64 = 44.0;
/// Most lines in one chart; the classes beyond are in the tables.
const MOST_LINES: usize = 6;
const MARKS: [(f64, &str); 3] = [(0.50, "p50"), (0.90, "p90"), (0.99, "p99")];

/// Which latency: its id, names, and where its numbers are.
struct Kind {
    id: &'static str,
    title: &'static str,
    short: &'static str,
    /// What is counted on the other axis.
    of: &'static str,
    latency: fn(&Latency) -> Option<Distribution>,
    limit: fn(&SloLimits) -> Option<f64>,
}

const KINDS: [Kind; 4] = [
    Kind { id: "ttft", title: "Time to first token", short: "TTFT", of: "requests", latency: |l| l.ttft_ms, limit: |s| s.ttft_ms },
    Kind { id: "itl", title: "Gap between tokens", short: "ITL", of: "gaps", latency: |l| l.itl_ms, limit: |_| None },
    Kind { id: "tpot", title: "Time per output token", short: "TPOT", of: "requests", latency: |l| l.tpot_ms, limit: |s| s.tpot_ms },
    Kind { id: "e2e", title: "End to end", short: "E2E", of: "requests", latency: |l| l.e2e_ms, limit: |s| s.e2e_ms },
];

/// A line before it is drawn.
struct Line {
    name: String,
    colour: Colour,
    points: Vec<(f64, f64)>,
    marks: [f64; 3],
    limit_ms: Option<f64>,
}

impl Line {
    /// Smallest value that at least this share is below of.
    fn value_at(points: &[(f64, f64)], share: f64) -> f64 {
        points.iter().find(|(_, fraction)| *fraction >= share - 1e-12).or(points.last()).map_or(0.0, |(value, _)| *value)
    }

    fn new(kind: &Kind, cdf: &Cdf, index: usize, classes: &[ClassSummary]) -> Option<Self> {
        let pairs = cdf.value.iter().copied().zip(cdf.fraction.iter().copied());
        let points: Vec<(f64, f64)> = pairs.filter(|(v, f)| v.is_finite() && f.is_finite()).collect();
        points.last().filter(|(v, _)| *v > 0.0)?;
        let class = classes.iter().find(|class| class.name == cdf.label);
        // The summary has the exact percentiles, the drawing at most 500 points.
        let exact = class.and_then(|class| (kind.latency)(&class.latency));
        let marks = match exact {
            Some(d) => [d.p50, d.p90, d.p99],
            None => MARKS.map(|(share, _)| Self::value_at(&points, share)),
        };
        let limit_ms = class.and_then(|class| (kind.limit)(&class.slo)).filter(|limit| limit.is_finite() && *limit > 0.0);
        Some(Self { name: cdf.label.clone(), colour: Colour::of_class(index), points, marks, limit_ms })
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

fn chart(kind: &Kind, cdfs: &[Cdf], classes: &[ClassSummary]) -> Result<Chart, PlotError> {
    let title = format!("{} ({})", kind.title, kind.short);
    let lines: Vec<Line> = cdfs.iter().take(MOST_LINES).enumerate().filter_map(|(i, cdf)| Line::new(kind, cdf, i, classes)).collect();
    if lines.is_empty() {
        let why = format!("No completed request has a {}, so there is no distribution to draw.", kind.short);
        return Ok(Chart::absent(kind.id, Section::Distributions, &title, &why));
    }
    let more = cdfs.len().saturating_sub(MOST_LINES);
    let words: Vec<String> = lines
        .iter()
        .map(|line| {
            let limit = line.limit_ms.map_or_else(String::new, |limit| format!(", limit {}", limit_ms(limit)));
            format!("{}: {}{limit}", line.name, line.percentiles().join(", "))
        })
        .collect();
    let frame = Frame::new(&lines, more);
    let series: Vec<serde_json::Value> = lines
        .iter()
        .map(|line| {
            let (x, y): (Vec<f64>, Vec<f64>) = line.points.iter().map(|&(v, f)| (short(v), short(f))).unzip();
            json!({"name": line.name, "colour": line.colour.name(), "x": x, "y": y})
        })
        .collect();
    let data = json!({
        "kind": "cdf", "of": kind.of,
        "x": [frame.domain.0, frame.domain.1],
        "frames": [{"left": LEFT, "right": RIGHT, "panels": [[frame.top, frame.bottom]]}],
        "panels": [{"series": series}],
    });
    Ok(Chart {
        id: kind.id,
        section: Section::Distributions,
        description: format!("Share of {} at or below each {}, logarithmic axis. {}.", kind.of, kind.short, words.join("; ")),
        drawings: vec![frame.draw(kind, &title, &lines)?],
        title,
        data: Some(data),
    })
}

/// Four significant digits: what a pointer shows needs no more, and the page stays small.
pub(super) fn short(v: f64) -> f64 {
    format!("{v:.3e}").parse().unwrap_or(v)
}

/// The plot inside its labels.
struct Frame {
    domain: (f64, f64),
    top: f64,
    bottom: f64,
    more: usize,
    x: Scale,
    y: Scale,
}

impl Frame {
    fn new(lines: &[Line], more: usize) -> Self {
        let values = lines.iter().flat_map(|line| line.points.iter().map(|(v, _)| *v).chain(line.limit_ms)).filter(|v| *v > 0.0);
        let (low, high) = values.fold((f64::INFINITY, 0.0f64), |(low, high), v| (low.min(v), high.max(v)));
        // At least half a decade, so that a single value has an axis too.
        let domain = if high / low < 3.0 { ((low * high).sqrt() / 2.0, (low * high).sqrt() * 2.0) } else { (low / 1.08, high * 1.08) };
        let top = KEY_TOP + ROW * (lines.len() + usize::from(more > 0)) as f64 + 36.0;
        let bottom = top + HEIGHT;
        Self { domain, top, bottom, more, x: Scale::log(domain, (LEFT, RIGHT)), y: Scale::linear((0.0, 1.0), (bottom, top)) }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred pixels")]
    fn draw(&self, kind: &Kind, title: &str, lines: &[Line]) -> Result<Drawing, PlotError> {
        let mut canvas = Canvas::new(WIDTH, (self.bottom + 46.0) as u32);
        canvas.group("", |layer| {
            layer.text((0.0, 12.0), title, TITLE);
            for (i, (_, name)) in MARKS.iter().enumerate() {
                layer.text((mark_at(i), 36.0), name, TICK.right());
            }
            self.axes(layer, kind);
        });
        canvas.group("class=\"limits\"", |layer| self.limits(layer, lines));
        for (i, line) in lines.iter().enumerate() {
            canvas.group(&format!("class=\"key\" data-series=\"{i}\""), |layer| key(layer, line, i));
            canvas.group(&format!("class=\"series\" data-series=\"{i}\""), |layer| self.line(layer, line));
        }
        if lines.len() > 1 {
            canvas.group("class=\"direct\"", |layer| self.names(layer, lines));
        }
        canvas.finish()
    }

    fn axes(&self, layer: &mut Layer<'_, '_>, kind: &Kind) {
        if self.more > 0 {
            let y = self.top - 36.0 - ROW / 2.0;
            layer.text((18.0, y), &format!("{} more in the table of classes", self.more), TICK);
        }
        for share in [0.0, 0.25, 0.5, 0.75, 0.9, 0.99] {
            let y = self.y.at(share);
            layer.line(&[(LEFT, y), (RIGHT, y)], if share > 0.0 { Colour::Grid } else { Colour::Axis }, 1.0);
            layer.text((LEFT - 6.0, y), &format!("{:.0} %", share * 100.0), TICK.right());
        }
        for (value, label) in self.ticks() {
            let x = self.x.at(value);
            layer.line(&[(x, self.top), (x, self.bottom + 4.0)], Colour::Grid, 1.0);
            layer.text((x, self.bottom + 14.0), &label, TICK.centre());
        }
        layer.text((LEFT, self.top - 14.0), &format!("share of {}", kind.of), TICK);
        layer.text((RIGHT, self.bottom + 34.0), &format!("{}, log scale", kind.short), TICK.right());
    }

    /// The densest labels of the axis that leave room between them.
    fn ticks(&self) -> Vec<Tick> {
        let apart = |ticks: &Vec<Tick>| {
            ticks.windows(2).all(|pair| {
                let room = self.x.at(pair[1].0) - self.x.at(pair[0].0);
                room > f64::midpoint(TICK.width(&pair[0].1), TICK.width(&pair[1].1)) + 6.0
            })
        };
        (1..=6).rev().map(|most| log_durations(self.domain.0, self.domain.1, most)).find(apart).unwrap_or_default()
    }

    /// Distinct limits as vertical lines with their labels on top, at most one a row of 90 pixels.
    fn limits(&self, layer: &mut Layer<'_, '_>, lines: &[Line]) {
        let mut limits: Vec<f64> = lines.iter().filter_map(|line| line.limit_ms).collect();
        limits.sort_by(f64::total_cmp);
        limits.dedup();
        let mut free = LEFT + 120.0;
        for limit in limits {
            let x = self.x.at(limit);
            layer.line(&[(x, self.top - 6.0), (x, self.bottom)], Colour::Slo, 1.5);
            let label = format!("SLO {}", limit_ms(limit));
            let width = BODY.width(&label);
            let start = (x - width / 2.0).clamp(LEFT, RIGHT - width);
            if start >= free {
                layer.text((start, self.top - 14.0), &label, BODY.bold());
                free = start + width + 8.0;
            } else {
                // No room above: beside the line, low, where curves rarely run.
                layer.text((x + 5.0, self.bottom - 12.0), &label, BODY.bold());
            }
        }
    }

    fn line(&self, layer: &mut Layer<'_, '_>, line: &Line) {
        let mut path = Vec::with_capacity(2 * line.points.len() + 1);
        let mut before = 0.0;
        for &(value, fraction) in &line.points {
            path.push((self.x.at(value), self.y.at(before)));
            path.push((self.x.at(value), self.y.at(fraction)));
            before = fraction;
        }
        path.push((RIGHT, self.y.at(before)));
        layer.line(&path, line.colour, 2.25);
        for ((share, _), value) in MARKS.iter().zip(line.marks) {
            layer.dot((self.x.at(value), self.y.at(*share)), 4.0, line.colour);
        }
    }

    /// Names beside their lines where no other line, no limit and no other name is in the way; the rows above carry them in any case.
    fn names(&self, layer: &mut Layer<'_, '_>, lines: &[Line]) {
        let mut taken: Vec<(f64, f64, f64)> = Vec::new();
        let right = [0.30, 0.38, 0.22, 0.46, 0.14, 0.58, 0.66].map(|share| (share, false));
        let left = [0.62, 0.70, 0.54, 0.78, 0.46].map(|share| (share, true));
        for (i, line) in lines.iter().enumerate() {
            let name = shortened(&line.name, 18);
            let width = TICK.width(&name) + 4.0;
            // The first line is likely the one furthest left: its left side is free.
            let sides = if i == 0 { left.iter().chain(&right) } else { right.iter().chain(&left) };
            for &(share, left) in sides {
                let beside = if left { share - 0.04 } else { share + 0.04 };
                let curve = self.x.at(Line::value_at(&line.points, beside));
                let (from, to) = if left { (curve - 8.0 - width, curve - 8.0) } else { (curve + 8.0, curve + 8.0 + width) };
                let y = self.y.at(share);
                let hits = |&(a, b, at): &(f64, f64, f64)| from < b && to > a && (at - y).abs() < 15.0;
                let free = from >= LEFT && to <= RIGHT && !taken.iter().any(hits) && !self.crossed(lines, i, share, (from, to));
                if free {
                    taken.push((from, to, y));
                    layer.text((from + 2.0, y), &name, TICK);
                    break;
                }
            }
        }
    }

    /// Whether another line or a limit runs through a name of the line at `index`.
    fn crossed(&self, lines: &[Line], index: usize, share: f64, (from, to): (f64, f64)) -> bool {
        let (from, to) = (from - 4.0, to + 4.0);
        let limit = lines.iter().filter_map(|line| line.limit_ms).any(|limit| (from..to).contains(&self.x.at(limit)));
        limit
            || lines.iter().enumerate().filter(|(i, _)| *i != index).any(|(_, other)| {
                let low = self.x.at(Line::value_at(&other.points, share - 0.04));
                let high = self.x.at(Line::value_at(&other.points, share + 0.04));
                low < to && high > from
            })
    }
}

/// Right edges of the three percentiles above the plot.
fn mark_at(index: usize) -> f64 {
    f64::from(WIDTH) - 4.0 - 78.0 * (MARKS.len() - 1 - index) as f64
}

/// The row of a class above the plot: its colour, name and percentiles.
fn key(layer: &mut Layer<'_, '_>, line: &Line, row: usize) {
    let y = KEY_TOP + ROW * (row as f64 + 0.5);
    layer.rect((0.0, y - 6.0), (12.0, y + 6.0), line.colour, 1.0);
    layer.text((18.0, y), &shortened(&line.name, 18), BODY);
    for (i, value) in line.marks.iter().enumerate() {
        layer.text((mark_at(i), y), &duration_ms(*value), BODY.right());
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::*;

    #[test]
    fn percentiles_come_from_the_summary_where_the_class_is_known() {
        let result = fixture::two_pools();
        let line = Line::new(&KINDS[0], &result.distributions.ttft_ms[0], 0, &result.summary.classes).unwrap();
        approx::assert_relative_eq!(line.marks[2], result.summary.classes[0].latency.ttft_ms.unwrap().p99);
        let unknown = Line::new(&KINDS[0], &result.distributions.ttft_ms[0], 0, &[]).unwrap();
        approx::assert_relative_eq!(unknown.marks[0], line.marks[0], max_relative = 0.02);
    }

    #[test]
    fn limits_of_all_classes_and_values_lie_inside_the_axis() {
        for (name, result) in fixture::all() {
            for (kind, cdfs) in KINDS.iter().zip([&result.distributions.ttft_ms, &result.distributions.itl_ms]) {
                let lines: Vec<Line> =
                    cdfs.iter().enumerate().filter_map(|(i, c)| Line::new(kind, c, i, &result.summary.classes)).collect();
                if lines.is_empty() {
                    continue;
                }
                let frame = Frame::new(&lines, 0);
                assert!(frame.domain.0 > 0.0 && frame.domain.1 > frame.domain.0, "{name}");
                for limit in lines.iter().filter_map(|line| line.limit_ms) {
                    assert!(limit > frame.domain.0 && limit < frame.domain.1, "{name}");
                }
            }
        }
    }
}
