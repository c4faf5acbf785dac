//! Layout of the small multiples: a wide form with names next to the lines, a narrow one with a key on top.
//!
//! Owns: positions. Must not know: the origin of the values.

use super::super::super::text::{shortened, wrapped};
use super::super::PlotError;
use super::super::axis::{Scale, from_zero, time_unit, times};
use super::super::canvas::{BODY, Canvas, Drawing, Layer, TICK, TITLE as TITLE_LOOK};
use super::super::decimate::buckets;
use super::super::palette::Colour;
use super::{ID, Line, Multiples, Panel};

/// A form of the chart.
pub(super) struct Variant {
    name: &'static str,
    width: u32,
    pub(super) left: f64,
    pub(super) right: f64,
    panel: f64,
    ticks: usize,
    /// True if names are next to the lines; otherwise in a key on top.
    beside: bool,
}

/// Maximum characters of a name.
const LONGEST: usize = 32;
/// Pixels per character of the notes in a wide font.
const NOTE: f64 = 7.7;

/// Minimum pixels of an interval drawn as a step.
const STEP: usize = 8;
const GAP: f64 = 46.0;
const KEY_ROW: f64 = 22.0;

/// Entries of the key with their row: `(row, x, line)`.
type KeyPlace<'a> = (usize, f64, &'a Line);

impl Multiples {
    /// The forms of this run: for desktop, tablet and phone. The space next to the lines fits the longest name.
    pub(super) fn variants(&self) -> [Variant; 3] {
        let names = self.panels.iter().flat_map(|panel| &panel.lines).map(|line| TICK.width(&shortened(&line.name, LONGEST)));
        let longest = names.fold(60.0, f64::max);
        [
            Variant { name: "wide", width: 1040, left: 62.0, right: 1006.0 - longest, panel: 100.0, ticks: 10, beside: true },
            Variant { name: "middle", width: 700, left: 62.0, right: 688.0, panel: 92.0, ticks: 8, beside: false },
            Variant { name: "narrow", width: 350, left: 60.0, right: 338.0, panel: 84.0, ticks: 5, beside: false },
        ]
    }

    /// Notes on the presentation, if needed.
    fn notes(&self, variant: &Variant) -> Vec<String> {
        let pixels = variant.right - variant.left;
        let mut out = Vec::new();
        if self.warmup_s / self.end_s * pixels >= 1.0 {
            out.push("shaded: warm-up, not measured");
        }
        if self
            .panels
            .iter()
            .flat_map(|panel| panel.lines.iter().map(|line| (line, panel.smooth)))
            .any(|(line, smooth)| banded(line, smooth, pixels))
        {
            out.push("band: least and most per interval drawn");
        }
        let room = if variant.beside { pixels - 200.0 } else { pixels + variant.left };
        wrapped(&out.join("; "), whole(room / NOTE) as usize)
    }

    /// Upper and lower edge of a panel.
    pub(super) fn place(&self, variant: &Variant, index: usize) -> (f64, f64) {
        let top = 34.0 + self.key_height(variant) + GAP * (index as f64 + 0.6) + variant.panel * index as f64;
        (top, top + variant.panel)
    }

    fn key_height(&self, variant: &Variant) -> f64 {
        if variant.beside { 0.0 } else { 6.0 + KEY_ROW * self.key(variant).last().map_or(0.0, |(row, ..)| *row as f64 + 1.0) }
    }

    /// Every series once, in rows as wide as the chart.
    fn key(&self, variant: &Variant) -> Vec<KeyPlace<'_>> {
        let mut series: Vec<&Line> = Vec::new();
        for line in self.panels.iter().flat_map(|panel| &panel.lines) {
            if !series.iter().any(|known| known.series == line.series) {
                series.push(line);
            }
        }
        let (mut row, mut x) = (0, 0.0);
        let mut out = Vec::new();
        for line in series {
            // Some fonts are wider than the estimate.
            let width = 18.0 + 1.15 * BODY.width(&shortened(&line.name, LONGEST)) + 14.0;
            if x > 0.0 && x + width > f64::from(variant.width) {
                (row, x) = (row + 1, 0.0);
            }
            out.push((row, x, line));
            x += width;
        }
        out
    }

    pub(super) fn draw(&self, variant: &Variant) -> Result<Drawing, PlotError> {
        let bottom = self.place(variant, self.panels.len() - 1).1;
        let notes = self.notes(variant);
        let note_top = if variant.beside { bottom + 34.0 } else { bottom + 54.0 };
        let height = (note_top + 18.0 * notes.len().saturating_sub(1) as f64 + 10.0).max(bottom + 44.0);
        let mut canvas = Canvas::new(variant.width, whole(height));
        let x = Scale::linear((0.0, self.end_s), (variant.left, variant.right));
        canvas.group("", |layer| layer.text((0.0, 12.0), self.title, TITLE_LOOK));
        if !variant.beside {
            for (row, at, line) in self.key(variant) {
                canvas.group(&format!("class=\"key\" data-series=\"{}\"", line.series), |layer| {
                    let y = 42.0 + KEY_ROW * row as f64;
                    layer.rect((at, y - 2.0), (at + 14.0, y + 2.0), line.colour, 1.0);
                    layer.text((at + 20.0, y), &shortened(&line.name, LONGEST), BODY);
                });
            }
        }
        if x.at(self.warmup_s) - variant.left >= 1.0 {
            canvas.group("class=\"warmup\"", |layer| self.warmup(layer, variant, x));
        }
        let ticks = times(self.end_s, variant.ticks);
        canvas.group("class=\"xaxis\"", |layer| {
            for (at, label) in &ticks {
                let x = x.at(*at);
                for i in 0..self.panels.len() {
                    let (top, bottom) = self.place(variant, i);
                    layer.line(&[(x, top), (x, bottom)], Colour::Grid, 1.0);
                }
                layer.text((x, bottom + 14.0), label, TICK.centre());
            }
        });
        canvas.group("", |layer| {
            layer.text((variant.right, bottom + 34.0), &format!("simulated time, {}", time_unit(self.end_s).0), TICK.right());
            let left = if variant.beside { variant.left } else { 0.0 };
            for (row, note) in notes.iter().enumerate() {
                layer.text((left, note_top + 18.0 * row as f64), note, TICK);
            }
        });
        for (i, panel) in self.panels.iter().enumerate() {
            self.panel(&mut canvas, variant, panel, self.place(variant, i), x);
        }
        canvas.finish()
    }

    fn warmup(&self, layer: &mut Layer<'_, '_>, variant: &Variant, x: Scale) {
        let end = x.at(self.warmup_s);
        for i in 0..self.panels.len() {
            let (top, bottom) = self.place(variant, i);
            layer.rect((variant.left, top), (end, bottom), Colour::Muted, 0.12);
        }
    }

    fn panel(&self, canvas: &mut Canvas, variant: &Variant, panel: &Panel, (top, bottom): (f64, f64), x: Scale) {
        let y = Scale::linear((0.0, panel.top), (bottom, top));
        let clip = format!("{ID}-{}-{top:.0}", variant.name);
        canvas.clip(&clip, variant.left, top, variant.right, bottom);
        canvas.group("", |layer| {
            layer.text((0.0, top - 18.0), &panel.title, BODY.bold());
            for (value, label) in from_zero(panel.top, panel.counted, panel.write) {
                let y = y.at(value);
                layer.line(&[(variant.left, y), (variant.right, y)], if value > 0.0 { Colour::Grid } else { Colour::Axis }, 1.0);
                layer.text((variant.left - 8.0, y), &label, TICK.right());
            }
        });
        for line in &panel.lines {
            canvas.group(&format!("class=\"series\" data-series=\"{}\" clip-path=\"url(#{clip})\"", line.series), |layer| {
                self.line(layer, variant, line, panel.smooth, (x, y));
            });
        }
        if variant.beside {
            for (line, at) in labels(panel, (top, bottom), y) {
                canvas.group(&format!("class=\"key\" data-series=\"{}\"", line.series), |layer| {
                    let x = variant.right + 8.0;
                    layer.rect((x, at - 2.0), (x + 14.0, at + 2.0), line.colour, 1.0);
                    layer.text((x + 20.0, at), &shortened(&line.name, LONGEST), TICK);
                });
            }
        }
    }

    fn line(&self, layer: &mut Layer<'_, '_>, variant: &Variant, values: &Line, smooth: usize, (x, y): (Scale, Scale)) {
        let pixels = variant.right - variant.left;
        let place = |(at, value): (f64, f64)| (x.at(at), y.at(value));
        if banded(values, smooth, pixels) {
            let buckets = buckets(&self.at_s, &values.values, whole(pixels / if smooth > 0 { smooth as f64 } else { 2.0 }) as usize);
            let upper = buckets.iter().map(|b| place((b.at, b.greatest)));
            let lower = buckets.iter().rev().map(|b| place((b.at, b.least)));
            layer.area(&upper.chain(lower).collect::<Vec<_>>(), values.colour, if smooth > 4 { 0.12 } else { 0.3 });
            layer.line(&buckets.iter().map(|b| place((b.at, b.mean))).collect::<Vec<_>>(), values.colour, 1.75);
        } else {
            let points = self.at_s.iter().copied().zip(self.half_s.iter().copied()).zip(values.values.iter().copied());
            let points = points.filter(|(_, value)| value.is_finite());
            // Few intervals are drawn as steps: a line between their middles would turn a jump into a rise.
            let few = values.values.len() * STEP <= whole(pixels) as usize;
            let points: Vec<(f64, f64)> = if few {
                points.flat_map(|((at, half), value)| [(at - half, value), (at + half, value)]).map(place).collect()
            } else {
                points.map(|((at, _), value)| place((at, value))).collect()
            };
            if !points.is_empty() {
                layer.line(&points, values.colour, 1.5);
            }
        }
    }
}

/// True if a line has enough values to be drawn as means with the range around them. Most gauges are drawn value by value as long as each has a
/// pixel.
fn banded(line: &Line, smooth: usize, pixels: f64) -> bool {
    line.values.len() > whole(pixels / smooth.max(1) as f64) as usize
}

/// Whole pixels.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand at most, and negative becomes zero")]
fn whole(pixels: f64) -> u32 {
    pixels as u32
}

/// Names at the ends of their lines, moved apart so that none overlap.
fn labels(panel: &Panel, (top, bottom): (f64, f64), y: Scale) -> Vec<(&Line, f64)> {
    let apart = 15.0;
    let tail = |line: &Line| {
        let last: Vec<f64> = line.values.iter().rev().take(20).copied().filter(|v| v.is_finite()).collect();
        y.at(last.iter().sum::<f64>() / (last.len() as f64).max(1.0))
    };
    let mut out: Vec<(&Line, f64)> = panel.lines.iter().map(|line| (line, tail(line))).collect();
    out.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut least = top;
    for (_, at) in &mut out {
        *at = at.max(least);
        least = *at + apart;
    }
    let mut most = bottom;
    for (_, at) in out.iter_mut().rev() {
        *at = at.min(most);
        most = *at - apart;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::super::fixture;
    use super::super::tests::multiples;
    use super::*;

    #[test]
    fn names_next_to_lines_do_not_overlap() {
        for result in [fixture::two_pools(), fixture::twelve_pools()] {
            let multiples = multiples(&result);
            for (i, panel) in multiples.panels.iter().enumerate() {
                let place = multiples.place(&multiples.variants()[0], i);
                let y = Scale::linear((0.0, panel.top), (place.1, place.0));
                let labels = labels(panel, place, y);
                assert_eq!(labels.len(), panel.lines.len());
                assert!(labels.windows(2).all(|w| w[1].1 - w[0].1 >= 14.9), "{}", panel.title);
            }
        }
    }

    #[test]
    fn the_key_of_the_narrow_form_stays_inside_it() {
        let multiples = multiples(&fixture::twelve_pools());
        for (_, x, line) in multiples.key(&multiples.variants()[2]) {
            assert!(x + 18.0 + BODY.width(&line.name) <= 350.0, "{}", line.name);
        }
    }
}
