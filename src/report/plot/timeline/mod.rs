//! The run over time: small multiples under one time axis.
//!
//! Owns: the choice of gauges and pools. Must not know: pixels, which are in `draw`.

mod bins;
mod draw;
mod overlaid;

pub(super) use overlaid::{VariantTimeline, overlaid};

use serde_json::{Value, json};

use super::super::number::{gauge, number, percent, share, si, trimmed};
use super::axis::{round_count, round_up, time_unit};
use super::cdf::short;
use super::decimate::buckets;
use super::palette::{Colour, pool_colours};
use super::{Chart, PlotError, Section};
use crate::cluster::Role;
use crate::metrics::{PoolTimeline, RunResult, Timeline};
use bins::whole_bins;

const ID: &str = "timeline";
const TITLE: &str = "The run over time";
/// Maximum number of pools with their own line; with more, the five with the highest energy use and the sum of the rest.
const MOST_POOLS: usize = 6;
/// Key of the line of requests that did not complete; keys of pools start at 2.
const LOST: usize = 99;
/// Values per line for the pointer.
const MOST_VALUES: usize = 400;

/// A line of a panel.
struct Line {
    /// Its key: the same for a pool in all panels.
    series: usize,
    name: String,
    colour: Colour,
    values: Vec<f64>,
}

/// One of the small multiples.
struct Panel {
    title: String,
    write: fn(f64) -> String,
    /// Unit used by the script: `/s`, empty, `%` or `W`.
    unit: &'static str,
    /// Upper end of the axis; the lower one is zero.
    top: f64,
    /// True for counts: labels are whole numbers.
    counted: bool,
    /// Pixels per mean, drawn with the range around it; 0 draws every point.
    smooth: usize,
    lines: Vec<Line>,
}

/// All panels over their common axis.
struct Multiples {
    title: &'static str,
    /// Middle of each interval, s.
    at_s: Vec<f64>,
    /// Half of each interval, s.
    half_s: Vec<f64>,
    end_s: f64,
    /// Length of the warm-up, s; zero if there is none.
    warmup_s: f64,
    panels: Vec<Panel>,
}

/// A pool, or the sum of the rest, as shown.
struct Shown {
    name: String,
    colour: Colour,
    gauges: PoolTimeline,
}

/// The chart of all gauges.
pub(super) fn chart(result: &RunResult) -> Result<Chart, PlotError> {
    let (timeline, widths) = whole_bins(&result.timeline, result.summary.simulated_s);
    if timeline.at_s.len() < 2 || timeline.interval_s <= 0.0 {
        let why = "The run is shorter than two intervals of the timeline, so there is nothing to draw over time.";
        return Ok(Chart::absent(ID, Section::Timelines, TITLE, why));
    }
    Multiples::new(result, &timeline, &widths).chart()
}

/// The pools with a line, in the order of the scenario; the rest last.
fn shown(result: &RunResult, timeline: &Timeline) -> Vec<Shown> {
    let pools = &result.summary.pools;
    let timelines = &timeline.pools;
    let mut order: Vec<usize> = (0..timelines.len()).collect();
    let energy = |i: &usize| pools.get(*i).map_or(0.0, |pool| pool.energy_j);
    order.sort_by(|a, b| energy(b).total_cmp(&energy(a)));
    let own = if timelines.len() > MOST_POOLS { MOST_POOLS - 1 } else { timelines.len() };
    let mut own_line: Vec<usize> = order.iter().copied().take(own).collect();
    own_line.sort_unstable();
    let roles: Vec<Option<Role>> = own_line.iter().map(|&i| pools.get(i).map(|pool| pool.role)).collect();
    let mut out: Vec<Shown> = own_line
        .iter()
        .zip(pool_colours(&roles))
        .map(|(&i, colour)| Shown { name: timelines[i].name.clone(), colour, gauges: timelines[i].clone() })
        .collect();
    let rest: Vec<&PoolTimeline> = order.iter().skip(own).map(|&i| &timelines[i]).collect();
    if !rest.is_empty() {
        let sum = |of: fn(&PoolTimeline) -> &[f64]| summed(&rest.iter().map(|pool| of(pool)).collect::<Vec<_>>());
        let kv = sum(|p| &p.kv_utilization).iter().map(|v| v / rest.len() as f64).collect();
        out.push(Shown {
            name: format!("{} others", rest.len()),
            colour: Colour::Idle,
            gauges: PoolTimeline {
                name: String::new(),
                queue: sum(|p| &p.queue),
                queue_most: sum(|p| &p.queue_most),
                running: sum(|p| &p.running),
                kv_utilization: kv,
                power_w: sum(|p| &p.power_w),
                instances: Vec::new(),
            },
        });
    }
    out
}

fn summed(columns: &[&[f64]]) -> Vec<f64> {
    let n = columns.iter().map(|column| column.len()).max().unwrap_or(0);
    (0..n).map(|i| columns.iter().filter_map(|column| column.get(i)).sum()).collect()
}

impl Multiples {
    fn new(result: &RunResult, timeline: &Timeline, widths: &[f64]) -> Self {
        let half_s: Vec<f64> = widths.iter().map(|width| width / 2.0).collect();
        let at_s: Vec<f64> = timeline.at_s.iter().zip(&half_s).map(|(at, half)| at + half).collect();
        let end_s = timeline.at_s.last().zip(widths.last()).map_or(0.0, |(at, width)| at + width);
        let warmup_s = (result.summary.simulated_s - result.summary.measured_s).clamp(0.0, end_s);
        let shown = shown(result, timeline);
        let total = summed(&timeline.pools.iter().map(|pool| pool.power_w.as_slice()).collect::<Vec<_>>());
        let mut power = panel("IT power", |v| si(v, "W"), "W", &shown, |p| &p.power_w);
        power.smooth = 4;
        if timeline.pools.len() > 1 {
            power.top = top([&total].into_iter());
            power.lines.push(Line { series: 2 + shown.len(), name: "all pools".to_owned(), colour: Colour::Ink, values: total });
        }
        let mut kv = panel("KV memory in use", share, "%", &shown, |p| &p.kv_utilization);
        kv.top = kv_top(kv.top);
        kv.title = if kv.top < 1.0 { format!("KV memory in use (axis ends at {})", limit(kv.top)) } else { kv.title };
        let panels = vec![
            flow(timeline),
            counts("Queue, most requests waiting at once", &shown, |p| &p.queue_most),
            counts("Running sequences, all instances of a pool", &shown, |p| &p.running),
            kv,
            power,
        ];
        Self { title: TITLE, at_s, half_s, end_s, warmup_s, panels }
    }

    fn chart(&self) -> Result<Chart, PlotError> {
        let drawings = self.variants().iter().map(|variant| self.draw(variant)).collect::<Result<Vec<_>, _>>()?;
        Ok(Chart {
            id: ID,
            section: Section::Timelines,
            title: self.title.to_owned(),
            description: self.description(),
            drawings,
            data: Some(self.data()),
        })
    }

    /// Text alternative: the highest mean of each panel.
    fn description(&self) -> String {
        let parts: Vec<String> = self
            .panels
            .iter()
            .map(|panel| {
                let peaks: Vec<String> = panel
                    .lines
                    .iter()
                    .map(|line| {
                        let peak = line.values.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
                        format!("{} up to {}", line.name, (panel.write)(peak))
                    })
                    .collect();
                format!("{}: {}", panel.title, peaks.join(", "))
            })
            .collect();
        format!("Five panels under one axis of simulated time. {}.", parts.join(". "))
    }

    fn data(&self) -> Value {
        let frames: Vec<Value> = self
            .variants()
            .iter()
            .map(|variant| {
                let places: Vec<[f64; 2]> = (0..self.panels.len()).map(|i| self.place(variant, i).into()).collect();
                json!({"left": variant.left, "right": variant.right, "panels": places})
            })
            .collect();
        let at: Vec<f64> = buckets(&self.at_s, &self.at_s, MOST_VALUES).iter().map(|b| short(b.at)).collect();
        let panels: Vec<Value> = self
            .panels
            .iter()
            .map(|panel| {
                let series: Vec<Value> = panel
                    .lines
                    .iter()
                    .map(|line| {
                        let finite: Vec<f64> = line.values.iter().map(|v| if v.is_finite() { *v } else { 0.0 }).collect();
                        let y: Vec<f64> = buckets(&self.at_s, &finite, MOST_VALUES).iter().map(|b| short(b.mean)).collect();
                        json!({"key": line.series, "name": line.name, "colour": line.colour.name(), "y": y})
                    })
                    .collect();
                json!({"title": panel.title, "unit": panel.unit, "top": panel.top, "series": series})
            })
            .collect();
        let (unit, seconds) = time_unit(self.end_s);
        json!({"kind": "time", "unit": [unit, seconds], "x": [0.0, self.end_s], "at": at, "frames": frames, "panels": panels})
    }
}

/// Upper end of the KV memory axis: 1, or a round fraction if so little is in use that lines would be close to zero.
fn kv_top(peak: f64) -> f64 {
    [0.01, 0.02, 0.05, 0.1, 0.2].into_iter().find(|&top| peak <= top).unwrap_or(1.0)
}

fn limit(fraction: f64) -> String {
    trimmed(&percent(fraction))
}

/// Arrivals against completions.
fn flow(timeline: &Timeline) -> Panel {
    let mut lines = vec![
        Line { series: 0, name: "arrivals".to_owned(), colour: Colour::Queue, values: timeline.arrivals_per_s.clone() },
        Line { series: 1, name: "completions".to_owned(), colour: Colour::Ink, values: timeline.completions_per_s.clone() },
    ];
    if timeline.lost_per_s.iter().any(|&rate| rate > 0.0) {
        let values = timeline.lost_per_s.clone();
        lines.push(Line { series: LOST, name: "rejected, timed out".to_owned(), colour: Colour::Reserve, values });
    }
    let top = top(lines.iter().map(|line| &line.values));
    // From two per second on, whole numbers suffice.
    let (top, counted) = if top < 2.0 { (top, false) } else { (round_count(top), true) };
    // Counts in a short interval scatter; the question is whether the two lines stay together.
    Panel { title: "Arrivals and completions, requests/s".to_owned(), write: number, unit: "/s", top, counted, smooth: 8, lines }
}

fn panel(title: &str, write: fn(f64) -> String, unit: &'static str, shown: &[Shown], of: fn(&PoolTimeline) -> &[f64]) -> Panel {
    let lines: Vec<Line> = shown
        .iter()
        .enumerate()
        .map(|(i, pool)| Line { series: 2 + i, name: pool.name.clone(), colour: pool.colour, values: of(&pool.gauges).to_vec() })
        .collect();
    let top = top(lines.iter().map(|line| &line.values));
    Panel { title: title.to_owned(), write, unit, top, counted: false, smooth: 0, lines }
}

/// A panel of counts.
fn counts(title: &str, shown: &[Shown], of: fn(&PoolTimeline) -> &[f64]) -> Panel {
    let mut panel = panel(title, gauge, "", shown, of);
    (panel.top, panel.counted) = (round_count(greatest(panel.lines.iter().map(|line| &line.values))), true);
    panel
}

fn greatest<'a>(columns: impl Iterator<Item = &'a Vec<f64>>) -> f64 {
    columns.flatten().copied().filter(|v| v.is_finite()).fold(0.0, f64::max)
}

fn top<'a>(columns: impl Iterator<Item = &'a Vec<f64>>) -> f64 {
    round_up(greatest(columns))
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::*;

    #[test]
    fn many_pools_become_five_and_the_rest_with_the_same_total_power() {
        let result = fixture::twelve_pools();
        let shown = shown(&result, &result.timeline);
        assert_eq!(shown.len(), 6);
        assert_eq!(shown[5].name, "7 others");
        for (i, pool) in shown.iter().enumerate() {
            assert!(shown[..i].iter().all(|other| other.colour != pool.colour), "{} has the colour of another pool", pool.name);
        }
        let all: f64 = result.timeline.pools.iter().map(|p| p.power_w[100]).sum();
        let drawn: f64 = shown.iter().map(|p| p.gauges.power_w[100]).sum();
        approx::assert_relative_eq!(all, drawn, max_relative = 1e-12);
    }

    pub(super) fn multiples(result: &RunResult) -> Multiples {
        let (timeline, widths) = whole_bins(&result.timeline, result.summary.simulated_s);
        Multiples::new(result, &timeline, &widths)
    }

    #[test]
    fn the_warm_up_and_the_end_come_from_the_run() {
        let multiples = multiples(&fixture::two_pools());
        approx::assert_relative_eq!(multiples.warmup_s, 60.0);
        approx::assert_relative_eq!(multiples.end_s, 1800.0);
    }

    #[test]
    fn values_for_the_pointer_are_few_and_aligned() {
        for (name, result) in fixture::all() {
            if result.timeline.at_s.len() < 2 {
                continue;
            }
            let data = multiples(&result).data();
            let n = data["at"].as_array().unwrap().len();
            assert!(n <= MOST_VALUES);
            for panel in data["panels"].as_array().unwrap() {
                for series in panel["series"].as_array().unwrap() {
                    assert_eq!(series["y"].as_array().unwrap().len(), n, "{name}");
                }
            }
        }
    }
}
