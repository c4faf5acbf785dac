//! The runs of several variants on one time axis.

use super::super::super::number::{gauge, number, share, si};
use super::super::axis::round_count;
use super::super::palette::Colour;
use super::super::{Chart, PlotError, Section};
use super::bins::whole_bins;
use super::{ID, Line, Multiples, Panel, greatest, kv_top, top};
use crate::metrics::{PoolTimeline, Timeline};

/// Data of a run for the chart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VariantTimeline<'a> {
    /// Name of the variant.
    pub(crate) name: &'a str,
    /// Its gauges.
    pub(crate) timeline: &'a Timeline,
    /// Length of the run, s.
    pub(crate) end_s: f64,
}

const OVERLAID: &str = "The runs over time";

/// The chart of all variants.
pub(crate) fn overlaid(variants: &[VariantTimeline<'_>]) -> Result<Chart, PlotError> {
    let interval = variants.iter().map(|variant| variant.timeline.interval_s).fold(0.0, f64::max);
    let longest = variants.iter().map(|variant| variant.end_s).fold(0.0, f64::max);
    let timelines: Vec<(Timeline, Vec<f64>)> =
        variants.iter().map(|variant| whole_bins(&coarsened(variant.timeline, interval), variant.end_s)).collect();
    let Some((axis, widths)) = timelines.iter().max_by_key(|(timeline, _)| timeline.at_s.len()) else {
        return Ok(Chart::absent(ID, Section::Timelines, OVERLAID, "There is no run."));
    };
    if axis.at_s.len() < 2 || interval <= 0.0 {
        let why = "The runs are shorter than two intervals of the timeline, so there is nothing to draw over time.";
        return Ok(Chart::absent(ID, Section::Timelines, OVERLAID, why));
    }
    let half_s: Vec<f64> = widths.iter().map(|width| width / 2.0).collect();
    let at_s = axis.at_s.iter().zip(&half_s).map(|(at, half)| at + half).collect();
    let lines = |of: fn(&Timeline) -> Vec<f64>| -> Vec<Line> {
        let named = variants.iter().zip(&timelines).enumerate();
        named
            .map(|(i, (variant, (timeline, _)))| Line {
                series: 2 + i,
                name: variant.name.to_owned(),
                colour: Colour::of_class(i),
                values: of(timeline),
            })
            .collect()
    };
    let multiples = Multiples { title: OVERLAID, at_s, half_s, end_s: longest, warmup_s: 0.0, panels: panels(lines) };
    multiples.chart()
}

fn panels(lines: impl Fn(fn(&Timeline) -> Vec<f64>) -> Vec<Line>) -> Vec<Panel> {
    let sum = |title: &str, of: fn(&Timeline) -> Vec<f64>| {
        let lines = lines(of);
        let top = round_count(greatest(lines.iter().map(|line| &line.values)));
        Panel { title: title.to_owned(), write: gauge, unit: "", top, counted: true, smooth: 0, lines }
    };
    let completions = lines(|timeline| timeline.completions_per_s.clone());
    let power = lines(|timeline| summed(timeline, |pool| &pool.power_w));
    let kv = lines(|timeline| {
        let pools = timeline.pools.len().max(1) as f64;
        summed(timeline, |pool| &pool.kv_utilization).into_iter().map(|sum| sum / pools).collect()
    });
    let rate_top = top(completions.iter().map(|line| &line.values));
    let power_top = top(power.iter().map(|line| &line.values));
    let memory_top = kv_top(top(kv.iter().map(|line| &line.values)));
    vec![
        Panel {
            title: "Completions, requests/s".to_owned(),
            write: number,
            unit: "/s",
            top: rate_top,
            counted: false,
            smooth: 8,
            lines: completions,
        },
        sum("Queues of all pools, requests waiting", |timeline| summed(timeline, |pool| &pool.queue)),
        sum("Running sequences, all pools", |timeline| summed(timeline, |pool| &pool.running)),
        Panel {
            title: "KV memory in use, mean of pools".to_owned(),
            write: share,
            unit: "%",
            top: memory_top,
            counted: false,
            smooth: 0,
            lines: kv,
        },
        Panel {
            title: "IT power, all pools".to_owned(),
            write: |v| si(v, "W"),
            unit: "W",
            top: power_top,
            counted: false,
            smooth: 4,
            lines: power,
        },
    ]
}

fn summed(timeline: &Timeline, of: fn(&PoolTimeline) -> &[f64]) -> Vec<f64> {
    super::summed(&timeline.pools.iter().map(of).collect::<Vec<_>>())
}

/// A timeline in longer intervals, multiples of its own: means of the original values, the last interval truncated.
fn coarsened(timeline: &Timeline, interval_s: f64) -> Timeline {
    let factor = (interval_s / timeline.interval_s).round();
    if !(factor.is_finite() && factor >= 2.0) {
        return timeline.clone();
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a ratio of two lengths of intervals, above one")]
    let size = factor as usize;
    let mean =
        |column: &Vec<f64>| -> Vec<f64> { column.chunks(size).map(|chunk| chunk.iter().sum::<f64>() / chunk.len() as f64).collect() };
    let most = |column: &Vec<f64>| -> Vec<f64> { column.chunks(size).map(|chunk| chunk.iter().copied().fold(0.0, f64::max)).collect() };
    Timeline {
        interval_s,
        at_s: timeline.at_s.iter().copied().step_by(size).collect(),
        arrivals_per_s: mean(&timeline.arrivals_per_s),
        completions_per_s: mean(&timeline.completions_per_s),
        lost_per_s: mean(&timeline.lost_per_s),
        output_tokens_per_s: mean(&timeline.output_tokens_per_s),
        pools: timeline
            .pools
            .iter()
            .map(|pool| PoolTimeline {
                name: pool.name.clone(),
                queue: mean(&pool.queue),
                queue_most: most(&pool.queue_most),
                running: mean(&pool.running),
                kv_utilization: mean(&pool.kv_utilization),
                power_w: mean(&pool.power_w),
                instances: mean(&pool.instances),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finer_timeline_is_coarsened() {
        let fine = Timeline {
            interval_s: 1.0,
            at_s: vec![0.0, 1.0, 2.0, 3.0, 4.0],
            completions_per_s: vec![1.0, 3.0, 5.0, 7.0, 9.0],
            ..Timeline::default()
        };
        let coarse = coarsened(&fine, 2.0);
        assert_eq!((coarse.at_s, coarse.completions_per_s), (vec![0.0, 2.0, 4.0], vec![2.0, 6.0, 9.0]));
        assert_eq!(coarsened(&fine, 1.0), fine);
    }
}
