//! Layout of a distribution chart: a wide form and one for phones.
//!
//! Owns: positions. Must not know: the origin of the values.

use serde_json::{Value, json};

use super::super::super::number::duration_ms;
use super::super::super::text::shortened;
use super::super::PlotError;
use super::super::axis::{Nines, Scale, Tick, inner_durations, log_durations, shared_unit};
use super::super::canvas::{BODY, Canvas, Drawing, Layer, Look, TICK, TITLE};
use super::super::palette::Colour;
use super::flags::{self, Flag, flags};
use super::{Kind, Line, MARKS, over};

/// A form of the chart.
pub(super) struct Form {
    width: u32,
    left: f64,
    right: f64,
    height: f64,
    /// Width of a column of percentiles.
    column: f64,
}

/// Wide first.
pub(super) const FORMS: [Form; 2] = [
    Form { width: 520, left: 56.0, right: 508.0, height: 270.0, column: 84.0 },
    Form { width: 344, left: 54.0, right: 332.0, height: 250.0, column: 74.0 },
];

const ROW: f64 = 22.0;
/// Top of the rows of classes.
const KEY_TOP: f64 = 44.0;
/// Height of a row of labels of limits.
const FLAG_ROW: f64 = 17.0;
/// Maximum characters of a name.
const LONGEST: usize = 44;

/// The plot inside its labels.
pub(super) struct Frame<'a> {
    form: &'a Form,
    lines: &'a [Line],
    pub(super) domain: (f64, f64),
    top: f64,
    bottom: f64,
    /// Number of classes without a line.
    more: usize,
    /// True if names do not fit next to their percentiles and go above them.
    stacked: bool,
    flags: Vec<Flag>,
    x: Scale,
    pub(super) y: Nines,
}

impl<'a> Frame<'a> {
    pub(super) fn new(form: &'a Form, lines: &'a [Line], more: usize) -> Self {
        let values = lines.iter().flat_map(|line| line.points.iter().map(|(v, _)| *v).chain(line.limit_ms)).filter(|v| *v > 0.0);
        let (low, high) = values.fold((f64::INFINITY, 0.0f64), |(low, high), v| (low.min(v), high.max(v)));
        // At least slightly wider than a single value.
        let middle = (low * high).sqrt();
        let (low, high) = if high / low < 1.4 { (middle / 1.2, middle * 1.2) } else { (low, high) };
        let margin = libm::pow(high / low, 0.03);
        let domain = (low / margin, high * margin);
        let x = Scale::log(domain, (form.left, form.right));
        let flags = flags(lines, form.right, |limit| x.at(limit));
        let longest = lines.iter().map(|line| BODY.width(&shortened(&line.name, LONGEST))).fold(0.0, f64::max);
        let stacked = 18.0 + 1.1 * longest > form.mark_at(0) - 62.0;
        let rows = lines.len() * if stacked { 2 } else { 1 } + usize::from(more > 0);
        let flag_rows = flags.iter().map(|flag| flag.row + 1).max().unwrap_or(0);
        let top = KEY_TOP + ROW * rows as f64 + 40.0 + FLAG_ROW * flag_rows as f64;
        let bottom = top + form.height;
        let count = lines.iter().map(|line| line.count).max().unwrap_or(0);
        Self { form, lines, domain, top, bottom, more, stacked, flags, x, y: Nines::new(count, (bottom, top)) }
    }

    /// Location of the plot, for the script.
    pub(super) fn place(&self) -> Value {
        json!({"left": self.form.left, "right": self.form.right, "panels": [[self.top, self.bottom]]})
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred pixels")]
    pub(super) fn draw(&self, kind: &Kind, title: &str, part: Option<f64>) -> Result<Drawing, PlotError> {
        let mut canvas = Canvas::new(self.form.width, (self.bottom + 46.0) as u32);
        canvas.group("", |layer| {
            layer.text((0.0, 12.0), title, TITLE);
            for (i, (_, name)) in MARKS.iter().enumerate() {
                layer.text((self.form.mark_at(i), 36.0), name, TICK.right());
            }
            self.axes(layer, kind, part);
        });
        for flag in &self.flags {
            let series = flag.of.map_or_else(String::new, |i| format!(" data-series=\"{i}\""));
            canvas.group(&format!("class=\"limits\"{series}"), |layer| self.flag(layer, flag));
        }
        for (i, line) in self.lines.iter().enumerate() {
            canvas.group(&format!("class=\"key\" data-series=\"{i}\""), |layer| self.key(layer, line, i));
            canvas.group(&format!("class=\"series\" data-series=\"{i}\""), |layer| self.line(layer, line));
        }
        for (i, (at, name, look)) in self.names().into_iter().enumerate() {
            let colour = self.lines.get(i).map_or(Colour::Muted, |line| line.colour);
            canvas.group(&format!("class=\"direct\" data-series=\"{i}\""), |layer| layer.text(at, &name, look.in_colour(colour)));
        }
        canvas.finish()
    }

    fn axes(&self, layer: &mut Layer<'_, '_>, kind: &Kind, part: Option<f64>) {
        let (left, right) = (self.form.left, self.form.right);
        let head = self.top - 22.0 - FLAG_ROW * self.flags.iter().map(|flag| flag.row + 1).max().unwrap_or(0) as f64;
        if self.more > 0 {
            layer.text((18.0, head - 18.0 - ROW / 2.0), &format!("{} more in the table of classes", self.more), TICK);
        }
        for (share, label) in self.y.ticks() {
            let y = self.y.at(share);
            layer.line(&[(left, y), (right, y)], if share > 0.0 { Colour::Grid } else { Colour::Axis }, 1.0);
            if !label.is_empty() {
                layer.text((left - 6.0, y), label, TICK.right());
            }
        }
        let (ticks, unit) = self.ticks();
        for (value, label) in ticks {
            let x = self.x.at(value);
            layer.line(&[(x, self.top), (x, self.bottom + 4.0)], Colour::Grid, 1.0);
            layer.text((x, self.bottom + 14.0), &label, TICK.centre());
        }
        let of = part.map_or_else(|| kind.of().to_owned(), |part| format!("the {} that have one", over(part)));
        let (long, short) = (format!("share of {of}, tail stretched"), format!("share of {of}"));
        layer.text((0.0, head), if TICK.width(&long) < right { &long } else { &short }, TICK);
        let unit = unit.map_or_else(String::new, |unit| format!(" in {unit}"));
        layer.text((right, self.bottom + 34.0), &format!("{}{unit}, log scale", kind.short), TICK.right());
    }

    /// Tick labels with their common unit, if any: as dense as leaves space between them, and at least two within the values.
    fn ticks(&self) -> (Vec<Tick>, Option<String>) {
        let dressed = |mut ticks: Vec<Tick>| {
            ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
            let unit = shared_unit(&mut ticks);
            let apart = ticks.windows(2).all(|pair| {
                let room = self.x.at(pair[1].0) - self.x.at(pair[0].0);
                room > f64::midpoint(TICK.width(&pair[0].1), TICK.width(&pair[1].1)) + 6.0
            });
            apart.then_some((ticks, unit))
        };
        let base = (1..=12).rev().map(|most| log_durations(self.domain.0, self.domain.1, most));
        let base = base.into_iter().find(|ticks| dressed(ticks.clone()).is_some()).unwrap_or_default();
        let low = self.lines.iter().map(|line| Line::value_at(&line.points, 0.01)).fold(f64::INFINITY, f64::min);
        let high = self.lines.iter().map(|line| line.marks[2]).fold(0.0, f64::max);
        let inside = |ticks: &[Tick]| ticks.iter().filter(|(value, _)| (low..=high).contains(value)).count();
        if inside(&base) >= 2 {
            return dressed(base).unwrap_or_default();
        }
        // Round steps between the percentiles, otherwise slightly beyond them, otherwise the two ends of finer ones, otherwise a single label,
        // otherwise round steps around them with none between.
        let ends = |ticks: Vec<Tick>| ticks.first().into_iter().chain(ticks.last()).cloned().collect::<Vec<Tick>>();
        let around = || inner_durations((low * 0.95).max(self.domain.0), (high * 1.12).min(self.domain.1));
        let near = around().filter(|ticks| inside(ticks) > 0);
        let one = inner_durations(low, high).filter_map(|ticks| ticks.get(ticks.len() / 2).cloned()).map(|tick| vec![tick]);
        let finer = inner_durations(low, high).chain(near).chain(inner_durations(low, high).map(ends)).chain(one);
        let wider = around().chain(around().map(ends)).chain(inner_durations(self.domain.0, self.domain.1).map(ends));
        let with_base = |mut ticks: Vec<Tick>| {
            for other in &base {
                if ticks.iter().all(|(value, _)| (value - other.0).abs() > 1e-9 * value) {
                    ticks.push(other.clone());
                    if dressed(ticks.clone()).is_none() {
                        ticks.pop();
                    }
                }
            }
            dressed(ticks).unwrap_or_default()
        };
        let fitting = finer.chain(wider).filter(|ticks| dressed(ticks.clone()).is_some()).map(with_base);
        fitting.into_iter().find(|(ticks, _)| ticks.len() >= 2).or_else(|| dressed(base.clone())).unwrap_or_default()
    }

    fn flag(&self, layer: &mut Layer<'_, '_>, flag: &Flag) {
        let y = self.top - 15.0 - FLAG_ROW * flag.row as f64;
        layer.line(&[(flag.x, y - 6.0), (flag.x, self.bottom)], flag.colour, 1.5);
        // Anchored at the line, for any true width of the text.
        let look = flags::LOOK.in_colour(flag.colour);
        if flag.span.0 < flag.x {
            layer.text((flag.span.1, y), &flag.text, look.right());
        } else {
            layer.text((flag.span.0, y), &flag.text, look);
        }
    }

    /// The curve up to its maximum, and its percentiles.
    fn line(&self, layer: &mut Layer<'_, '_>, line: &Line) {
        let mut path = Vec::with_capacity(2 * line.points.len());
        let mut before = 0.0;
        for &(value, fraction) in &line.points {
            path.push((self.x.at(value), self.y.at(before)));
            path.push((self.x.at(value), self.y.at(fraction)));
            before = fraction;
        }
        layer.line(&path, line.colour, 2.25);
        for ((share, _), value) in MARKS.iter().zip(line.marks) {
            layer.dot((self.x.at(value), self.y.at(*share)), 4.0, line.colour);
        }
    }

    /// The row of a class above the plot: its colour, name and percentiles.
    fn key(&self, layer: &mut Layer<'_, '_>, line: &Line, row: usize) {
        let rows = if self.stacked { 2.0 } else { 1.0 };
        let y = KEY_TOP + ROW * (rows * row as f64 + 0.5);
        layer.rect((0.0, y - 6.0), (12.0, y + 6.0), line.colour, 1.0);
        let room = (f64::from(self.form.width) - 18.0) / (1.15 * BODY.width("m"));
        let letters = LONGEST.min(std::iter::successors(Some(1usize), |n| ((*n as f64) < room).then_some(n + 1)).last().unwrap_or(1));
        layer.text((18.0, y), &shortened(&line.name, letters), BODY);
        for (i, value) in line.marks.iter().enumerate() {
            layer.text((self.form.mark_at(i), y + ROW * (rows - 1.0)), &duration_ms(*value), BODY.right());
        }
    }

    /// All names next to their lines if there is space for each, otherwise none: the rows above show them in any case.
    fn names(&self) -> Vec<((f64, f64), String, Look)> {
        let mut taken: Vec<(f64, f64, f64)> = Vec::new();
        let mut out = Vec::new();
        if self.lines.len() < 2 {
            return out;
        }
        for (i, line) in self.lines.iter().enumerate() {
            let width = TICK.width(&line.name);
            let place = [0.55, 0.45, 0.65, 0.35, 0.75, 0.25, 0.8, 0.2, 0.85, 0.15].into_iter().find_map(|down| {
                let y = self.top + down * (self.bottom - self.top);
                let (low, high) = self.reach(line, y);
                let sides = [(high + 8.0, high + 8.0 + width), (low - 8.0 - width, low - 8.0)];
                sides.into_iter().map(|(from, to)| (from, to, y)).find(|place| self.is_free(*place, i, &taken))
            });
            let Some(place) = place else { return Vec::new() };
            taken.push(place);
            let (low, _) = self.reach(line, place.2);
            let (x, look) = if place.0 < low { (place.1, TICK.right()) } else { (place.0, TICK) };
            out.push(((x, place.2), line.name.clone(), look));
        }
        out
    }

    /// Horizontal extent of a line over the height of a text.
    fn reach(&self, line: &Line, y: f64) -> (f64, f64) {
        let at = |y: f64| self.x.at(Line::value_at(&line.points, self.y.share(y)));
        (at(y + 10.0), at(y - 10.0))
    }

    fn is_free(&self, (from, to, y): (f64, f64, f64), index: usize, taken: &[(f64, f64, f64)]) -> bool {
        let meets = |low: f64, high: f64| from < high + 4.0 && to > low - 4.0;
        let others = self.lines.iter().enumerate().filter(|(i, _)| *i != index);
        from >= self.form.left + 2.0
            && to <= self.form.right
            && !taken.iter().any(|&(low, high, at)| meets(low, high) && (at - y).abs() < 17.0)
            && !self.flags.iter().any(|flag| meets(flag.x, flag.x))
            && !others.map(|(_, other)| self.reach(other, y)).any(|(low, high)| meets(low, high))
    }
}

impl Form {
    /// Right edges of the three percentiles above the plot.
    fn mark_at(&self, index: usize) -> f64 {
        f64::from(self.width) - 4.0 - self.column * (MARKS.len() - 1 - index) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::fixture;
    use super::super::KINDS;
    use super::*;
    use crate::metrics::{Cdf, RunResult};
    use proptest::prelude::*;

    fn lines(result: &RunResult, kind: usize) -> Vec<Line> {
        let cdfs: [&[Cdf]; 2] = [&result.distributions.ttft_ms, &result.distributions.tpot_ms];
        let classes = &result.summary.classes;
        cdfs[kind].iter().enumerate().filter_map(|(i, cdf)| Line::new(&KINDS[2 * kind], cdf, i, classes)).collect()
    }

    #[test]
    fn limits_and_values_of_all_classes_are_inside_the_axis() {
        for (name, result) in fixture::all() {
            for lines in [lines(&result, 0), lines(&result, 1)].iter().filter(|lines| !lines.is_empty()) {
                let frame = Frame::new(&FORMS[0], lines, 0);
                assert!(frame.domain.0 > 0.0 && frame.domain.1 > frame.domain.0, "{name}");
                for limit in lines.iter().filter_map(|line| line.limit_ms) {
                    assert!(limit > frame.domain.0 && limit < frame.domain.1, "{name}");
                }
            }
        }
    }

    #[test]
    fn two_labels_are_within_the_values_however_far_the_limit() {
        let points: Vec<(f64, f64)> = (1..=300).map(|i| (12.0 + 0.01 * f64::from(i), f64::from(i) / 300.0)).collect();
        let marks = MARKS.map(|(share, _)| Line::value_at(&points, share));
        let line = Line { name: "chat".to_owned(), colour: Colour::Magenta, points, marks, limit_ms: Some(50.0), count: 300 };
        let lines = [line];
        for form in &FORMS {
            let (ticks, unit) = Frame::new(form, &lines, 0).ticks();
            assert!(ticks.iter().filter(|(value, _)| (11.9..=15.1).contains(value)).count() >= 2, "{ticks:?}");
            assert!(ticks.iter().any(|(value, _)| *value > 29.0), "{ticks:?}");
            assert_eq!(unit.as_deref(), Some("ms"));
        }
    }

    proptest! {
        /// Also if all values are equal, and no limit widens the axis.
        #[test]
        fn every_axis_has_two_labels(exponent in -2.0f64..5.5, spread in prop::sample::select(vec![0.0, 1e-6, 0.001, 0.02, 0.1, 0.5, 3.0])) {
            let lowest = libm::pow(10.0, exponent);
            let points: Vec<(f64, f64)> = (1..=300).map(|i| (lowest * (1.0 + spread * f64::from(i) / 300.0), f64::from(i) / 300.0)).collect();
            let marks = MARKS.map(|(share, _)| Line::value_at(&points, share));
            let line = Line { name: "chat".to_owned(), colour: Colour::Magenta, points, marks, limit_ms: None, count: 300 };
            let lines = [line];
            for form in &FORMS {
                let frame = Frame::new(form, &lines, 0);
                let (ticks, _) = frame.ticks();
                prop_assert!(ticks.iter().filter(|(value, _)| (frame.domain.0..=frame.domain.1).contains(value)).count() >= 2, "{:?}", ticks);
                prop_assert!(ticks.windows(2).all(|pair| pair[0].1 != pair[1].1), "{:?}", ticks);
            }
        }
    }

    #[test]
    fn a_curve_of_one_value_is_between_labels() {
        let line = Line {
            name: "chat".to_owned(),
            colour: Colour::Magenta,
            points: vec![(11.8, 1.0)],
            marks: [11.8; 3],
            limit_ms: None,
            count: 9,
        };
        let lines = [line];
        for form in &FORMS {
            let (ticks, unit) = Frame::new(form, &lines, 0).ticks();
            assert_eq!(
                (ticks.iter().map(|(_, label)| label.as_str()).collect::<Vec<_>>(), unit.as_deref()),
                (vec!["10", "12", "13"], Some("ms"))
            );
        }
    }

    #[test]
    fn names_next_to_lines_are_all_shown_or_none() {
        for (name, result) in fixture::all() {
            for lines in [lines(&result, 0), lines(&result, 1)] {
                for form in &FORMS {
                    let names = if lines.is_empty() { 0 } else { Frame::new(form, &lines, 0).names().len() };
                    assert!(names == 0 || names == lines.len(), "{name}");
                }
            }
        }
    }
}
