//! Pixels of the small multiples: a wide form with names beside the lines, a narrow one with a key on top.
//!
//! Owns: places. Must not know: where values come from.

use super::super::super::text::shortened;
use super::super::PlotError;
use super::super::axis::{Scale, from_zero, time_unit, times};
use super::super::canvas::{BODY, Canvas, Drawing, Layer, TICK, TITLE as TITLE_LOOK};
use super::super::decimate::buckets;
use super::super::palette::Colour;
use super::{ID, Line, Multiples, Panel, TITLE};

/// A form of the chart.
pub(super) struct Variant {
    name: &'static str,
    width: u32,
    pub(super) left: f64,
    pub(super) right: f64,
    panel: f64,
    ticks: usize,
    /// Names stand beside the lines; else in a key on top.
    beside: bool,
}

/// Wide first.
pub(super) const VARIANTS: [Variant; 2] = [
    Variant { name: "wide", width: 900, left: 58.0, right: 762.0, panel: 92.0, ticks: 10, beside: true },
    Variant { name: "narrow", width: 380, left: 54.0, right: 370.0, panel: 84.0, ticks: 5, beside: false },
];

/// Pixels of an interval from which it is drawn as a step.
const STEP: usize = 8;
const GAP: f64 = 46.0;
const KEY_ROW: f64 = 22.0;

/// Entries of the key, a row each `(row, x, line)`.
type KeyPlace<'a> = (usize, f64, &'a Line);

impl Multiples {
    /// Upper and lower edge of a panel.
    pub(super) fn place(&self, variant: &Variant, index: usize) -> (f64, f64) {
        let top = 34.0 + self.key_height(variant) + GAP * (index as f64 + 0.6) + variant.panel * index as f64;
        (top, top + variant.panel)
    }

    fn key_height(&self, variant: &Variant) -> f64 {
        if variant.beside { 0.0 } else { KEY_ROW * self.key(variant).last().map_or(0.0, |(row, ..)| *row as f64 + 1.0) }
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
            let width = 18.0 + BODY.width(&shortened(&line.name, 24)) + 16.0;
            if x > 0.0 && x + width > f64::from(variant.width) {
                (row, x) = (row + 1, 0.0);
            }
            out.push((row, x, line));
            x += width;
        }
        out
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "less than a thousand pixels")]
    pub(super) fn draw(&self, variant: &Variant) -> Result<Drawing, PlotError> {
        let bottom = self.place(variant, self.panels.len() - 1).1;
        let mut canvas = Canvas::new(variant.width, (bottom + 44.0) as u32);
        let x = Scale::linear((0.0, self.end_s), (variant.left, variant.right));
        canvas.group("", |layer| layer.text((0.0, 12.0), TITLE, TITLE_LOOK));
        if !variant.beside {
            for (row, at, line) in self.key(variant) {
                canvas.group(&format!("class=\"key\" data-series=\"{}\"", line.series), |layer| {
                    let y = 42.0 + KEY_ROW * row as f64;
                    layer.rect((at, y - 2.0), (at + 14.0, y + 2.0), line.colour, 1.0);
                    layer.text((at + 20.0, y), &shortened(&line.name, 24), BODY);
                });
            }
        }
        if self.warmup_s > 0.0 {
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
            let warmup = if self.warmup_s > 0.0 && !variant.beside { " (shaded: warm-up)" } else { "" };
            let title = format!("simulated time, {}{warmup}", time_unit(self.end_s).0);
            layer.text((variant.right, bottom + 34.0), &title, TICK.right());
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
        // Above the first panel, right of its title on a wide chart, is room for the word.
        if variant.beside {
            let (top, _) = self.place(variant, 0);
            layer.text((variant.right, top - 18.0), "shaded: warm-up, not measured", TICK.right());
        }
    }

    fn panel(&self, canvas: &mut Canvas, variant: &Variant, panel: &Panel, (top, bottom): (f64, f64), x: Scale) {
        let y = Scale::linear((0.0, panel.top), (bottom, top));
        let clip = format!("{ID}-{}-{top:.0}", variant.name);
        canvas.clip(&clip, variant.left, top, variant.right, bottom);
        canvas.group("", |layer| {
            layer.text((0.0, top - 18.0), &panel.title, BODY.bold());
            for (value, label) in from_zero(panel.top, panel.write) {
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
                    layer.text((x + 20.0, at), &shortened(&line.name, 15), TICK);
                });
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "less than a thousand pixels")]
    fn line(&self, layer: &mut Layer<'_, '_>, variant: &Variant, values: &Line, smooth: usize, (x, y): (Scale, Scale)) {
        let pixels = (variant.right - variant.left) as usize;
        let place = |(at, value): (f64, f64)| (x.at(at), y.at(value));
        // Of most gauges every value is drawn as long as each has a pixel.
        let most = if smooth > 0 { pixels / smooth } else { pixels };
        if values.values.len() > most {
            let buckets = buckets(&self.at_s, &values.values, if smooth > 0 { most } else { pixels / 2 });
            let upper = buckets.iter().map(|b| place((b.at, b.greatest)));
            let lower = buckets.iter().rev().map(|b| place((b.at, b.least)));
            layer.area(&upper.chain(lower).collect::<Vec<_>>(), values.colour, 0.3);
            layer.line(&buckets.iter().map(|b| place((b.at, b.mean))).collect::<Vec<_>>(), values.colour, 1.75);
        } else {
            let points = self.at_s.iter().copied().zip(values.values.iter().copied()).filter(|(_, value)| value.is_finite());
            // Few intervals are drawn as what they are: a line between their middles would show a rise where there was a jump.
            let few = values.values.len() * STEP <= pixels;
            let points: Vec<(f64, f64)> = if few {
                points.flat_map(|(at, value)| [(at - self.half_s, value), (at + self.half_s, value)]).map(place).collect()
            } else {
                points.map(place).collect()
            };
            if !points.is_empty() {
                layer.line(&points, values.colour, 1.5);
            }
        }
    }
}

/// Names at the ends of their lines, pushed apart until none covers another.
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
    use super::*;

    #[test]
    fn names_beside_lines_do_not_cover_each_other() {
        for result in [fixture::two_pools(), fixture::twelve_pools()] {
            let multiples = Multiples::new(&result);
            for (i, panel) in multiples.panels.iter().enumerate() {
                let place = multiples.place(&VARIANTS[0], i);
                let y = Scale::linear((0.0, panel.top), (place.1, place.0));
                let labels = labels(panel, place, y);
                assert_eq!(labels.len(), panel.lines.len());
                assert!(labels.windows(2).all(|w| w[1].1 - w[0].1 >= 14.9), "{}", panel.title);
            }
        }
    }

    #[test]
    fn the_key_of_the_narrow_form_stays_inside_it() {
        let multiples = Multiples::new(&fixture::twelve_pools());
        for (_, x, line) in multiples.key(&VARIANTS[1]) {
            assert!(x + 18.0 + BODY.width(&line.name) <= 380.0, "{}", line.name);
        }
    }
}
