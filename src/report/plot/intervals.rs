//! Differences from a baseline: for each number a dot and its 95 % interval on one percent axis.
//!
//! Owns: the choice of differences on the axis, and its range. Must not know: the method of comparison.

use super::super::number::{percent, signed_percent, trimmed};
use super::super::text::shortened;
use super::axis::{Scale, round_up};
use super::canvas::{BODY, Canvas, Drawing, Layer, TICK, TITLE as TITLE_LOOK};
use super::palette::Colour;
use super::{Chart, PlotError, Section};
use crate::study::compare::{Certainty, Comparison, Difference, MetricComparison, Side};

const ID: &str = "differences";
/// Maximum number of variants with their own colour.
pub(super) const MOST: usize = 6;
/// Height of a line.
const ROW: f64 = 24.0;
/// Space between metrics.
const GAP: f64 = 12.0;
/// Maximum characters of a variant's name in the key, and of the baseline in the title.
const LONGEST: usize = 34;
const BASELINE: usize = 60;

/// A form of the chart.
struct Form {
    width: u32,
    left: f64,
    right: f64,
    ticks: f64,
    /// True if titles go above their lines and findings are left out.
    narrow: bool,
}

const FORMS: [Form; 2] = [
    Form { width: 1040, left: 230.0, right: 740.0, ticks: 6.0, narrow: false },
    Form { width: 350, left: 8.0, right: 342.0, ticks: 3.0, narrow: true },
];

/// Data of a dot; all values relative to the baseline.
struct Dot {
    /// Index of the variant.
    variant: usize,
    at: f64,
    interval: Option<(f64, f64)>,
    sure: bool,
    side: Side,
    finding: String,
    /// True if the finding extends beyond this trace.
    general: bool,
}

/// The dots of one metric.
struct Row<'c> {
    title: &'c str,
    dots: Vec<Dot>,
}

/// The chart of some numbers, each under its title.
pub(super) fn chart(comparison: &Comparison, metrics: &[(String, &MetricComparison)]) -> Result<Chart, PlotError> {
    let baseline = comparison.variants.first().map_or("", String::as_str);
    let name = format!("Difference from {}", shortened(baseline, BASELINE));
    let narrow_name = format!("Difference from {}", shortened(baseline, BASELINE / 3));
    let rows: Vec<Row<'_>> = metrics
        .iter()
        .map(|(title, metric)| {
            let of = metric
                .of
                .iter()
                .enumerate()
                .take(MOST)
                .filter_map(|(variant, number)| Some((variant, number.as_ref()?.difference.as_ref()?)));
            Row { title, dots: of.filter_map(|(variant, difference)| dot(variant, difference, metric)).collect() }
        })
        .filter(|row| !row.dots.is_empty())
        .collect();
    if rows.is_empty() {
        return Ok(Chart::absent(ID, Section::Shares, &name, "No number has a difference that could be drawn."));
    }
    let words: Vec<String> = rows
        .iter()
        .flat_map(|row| row.dots.iter().map(move |dot| (row, dot)))
        .map(|(row, dot)| format!("{}, {}: {} {}", row.title, comparison.variants[dot.variant], signed_percent(dot.at), dot.finding))
        .collect();
    let drawings = FORMS
        .iter()
        .map(|form| draw(form, if form.narrow { &narrow_name } else { &name }, &rows, &comparison.variants))
        .collect::<Result<_, _>>()?;
    let description = format!("Relative differences with 95 % intervals. {}.", words.join("; "));
    Ok(Chart { id: ID, section: Section::Shares, title: name, description, drawings, data: None })
}

fn dot(variant: usize, difference: &Difference, metric: &MetricComparison) -> Option<Dot> {
    let at = difference.relative?;
    let baseline = (difference.value / at).abs();
    let baseline = if baseline.is_finite() { baseline } else { metric.of.first()?.as_ref()?.estimate?.value.abs() };
    let interval = match difference.certainty {
        Certainty::Interval(interval) => {
            Some((interval.low / baseline, interval.high / baseline)).filter(|(low, high)| low.is_finite() && high.is_finite())
        }
        _ => None,
    };
    Some(Dot {
        variant,
        at,
        interval,
        sure: difference.is_sure(),
        side: difference.side,
        finding: difference.word(),
        general: difference.certainty != Certainty::Exact,
    })
}

/// The axis: from a tick at or below all dots to one at or above, including zero. Intervals are covered unless they reach much farther than the dots.
#[derive(Debug, Clone, Copy)]
struct Axis {
    step: f64,
    /// Ticks below and above zero.
    below: u32,
    above: u32,
}

impl Axis {
    fn new(rows: &[Row<'_>], most: f64) -> Self {
        let dots = || rows.iter().flat_map(|row| &row.dots);
        let farthest = dots().map(|dot| dot.at.abs()).fold(0.01, f64::max);
        let ends = |dot: &Dot| {
            let (low, high) = dot.interval.unwrap_or((dot.at, dot.at));
            (low.max(-2.0 * farthest).min(dot.at), high.min(2.0 * farthest).max(dot.at))
        };
        let low = dots().map(|dot| ends(dot).0).fold(0.0, f64::min);
        let high = dots().map(|dot| ends(dot).1).fold(0.0, f64::max);
        let step = round_up((high - low) / most);
        let count = |end: f64| (1..=64).find(|&ticks| f64::from(ticks) * step >= end * (1.0 - 1e-9)).unwrap_or(64);
        let (below, above) = (if low < 0.0 { count(-low) } else { 0 }, if high > 0.0 { count(high) } else { 0 });
        Self { step, below, above: above.max(u32::from(below == 0)) }
    }

    fn ends(&self) -> (f64, f64) {
        (-f64::from(self.below) * self.step, f64::from(self.above) * self.step)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred pixels")]
fn draw(form: &Form, name: &str, rows: &[Row<'_>], variants: &[String]) -> Result<Drawing, PlotError> {
    let several = variants.len() > 2;
    let drawn = variants.len().min(MOST);
    let key_rows = if several { if form.narrow { drawn - 1 } else { 1 } } else { 0 };
    let top = 40.0 + ROW * key_rows as f64;
    let head = if form.narrow { ROW } else { 0.0 };
    let heights: Vec<f64> = rows.iter().map(|row| head + ROW * row.dots.len() as f64 + GAP).collect();
    let bottom = top + heights.iter().sum::<f64>();
    let mut canvas = Canvas::new(form.width, (bottom + 44.0) as u32);
    let axis = Axis::new(rows, form.ticks);
    let x = Scale::linear(axis.ends(), (form.left, form.right));
    canvas.group("", |layer| layer.text((0.0, 12.0), name, TITLE_LOOK));
    if several {
        canvas.group("class=\"key\"", |layer| key(layer, form, &variants[..drawn]));
    }
    canvas.group("class=\"xaxis\"", |layer| {
        let values =
            (1..=axis.below).rev().map(|tick| -f64::from(tick)).chain((0..=axis.above).map(f64::from)).map(|tick| tick * axis.step);
        for value in values {
            let zero = value.total_cmp(&0.0).is_eq() || value.abs() < axis.step / 2.0;
            layer.line(
                &[(x.at(value), top), (x.at(value), bottom)],
                if zero { Colour::Axis } else { Colour::Grid },
                if zero { 2.0 } else { 1.0 },
            );
            let written = if zero { trimmed(&percent(0.0)) } else { trimmed(&signed_percent(value)) };
            let look = match x.at(value) {
                at if at < form.left + 20.0 && form.narrow => TICK,
                at if at > form.right - 20.0 && form.narrow => TICK.right(),
                _ => TICK.centre(),
            };
            layer.text((x.at(value), bottom + 16.0), &written, look);
        }
    });
    let mut at = top;
    for (row, height) in rows.iter().zip(heights) {
        canvas.group("", |layer| {
            let first = at + ROW / 2.0;
            layer.text((0.0, first), row.title, BODY);
            for (i, dot) in row.dots.iter().enumerate() {
                draw_dot(layer, form, dot, (x, axis), first + head + ROW * i as f64, several);
            }
        });
        at += height;
    }
    canvas.finish()
}

fn key(layer: &mut Layer<'_, '_>, form: &Form, variants: &[String]) {
    let mut x = 0.0;
    for (i, name) in variants.iter().enumerate().skip(1) {
        let (at, y) = if form.narrow { (0.0, 42.0 + ROW * (i as f64 - 1.0)) } else { (x, 42.0) };
        let name = shortened(name, LONGEST);
        layer.dot((at + 7.0, y), 5.0, Colour::of_class(i));
        layer.text((at + 20.0, y), &name, BODY);
        x += 46.0 + BODY.width(&name);
    }
}

fn draw_dot(layer: &mut Layer<'_, '_>, form: &Form, dot: &Dot, (x, axis): (Scale, Axis), y: f64, several: bool) {
    let colour = match (several, dot.sure) {
        (true, _) => Colour::of_class(dot.variant),
        (false, true) => Colour::Ink,
        (false, false) => Colour::Muted,
    };
    let (least, most) = axis.ends();
    let inside = |value: f64| x.at(value.clamp(least, most));
    if let Some((low, high)) = dot.interval {
        layer.line(&[(inside(low), y), (inside(high), y)], colour, 2.0);
        for end in [low, high].into_iter().filter(|end| (least..=most).contains(end)) {
            layer.line(&[(inside(end), y - 5.0), (inside(end), y + 5.0)], colour, 2.0);
        }
    }
    layer.dot((inside(dot.at), y), 5.0, colour);
    if !form.narrow {
        let look = if dot.sure && dot.general && matches!(dot.side, Side::Better | Side::Worse) {
            BODY.bold()
        } else {
            BODY.in_colour(Colour::Muted)
        };
        layer.text((form.right + 96.0, y), &signed_percent(dot.at), TICK.right());
        layer.text((form.right + 108.0, y), &dot.finding, look);
    }
}
