//! A thin layer over the SVG backend of plotters: groups with attributes, sizes in CSS pixels, colours by meaning.
//!
//! Owns: the scale of the drawing and the clean-up of the backend's output. Must not know: the content.

use std::fmt::Write as _;

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, TextStyle};

use super::PlotError;
use super::palette::{Colour, classes};

/// The backend snaps to whole pixels, so it draws at twice the size and the view box scales it down.
const SCALE: f64 = 2.0;
/// The backend writes font sizes divided by this.
const FONT: f64 = 1.24;

/// One drawing: its size in CSS pixels and the elements inside it.
#[derive(Debug, Clone)]
pub(super) struct Drawing {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) body: String,
}

impl Drawing {
    /// The value of the `viewBox` attribute.
    pub(super) fn view_box(&self) -> String {
        format!("0 0 {} {}", self.width * 2, self.height * 2)
    }
}

/// Anchor point of a text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Anchor, size and colour of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) size: f64,
    pub(super) bold: bool,
    pub(super) colour: Colour,
    pub(super) anchor: Anchor,
}

/// Body text of charts.
pub(super) const BODY: Look = Look { size: 14.0, bold: false, colour: Colour::Ink, anchor: Anchor::Start };
/// Titles of charts.
pub(super) const TITLE: Look = Look { size: 16.0, bold: true, ..BODY };
/// Tick labels.
pub(super) const TICK: Look = Look { size: 13.0, colour: Colour::Muted, ..BODY };

impl Look {
    pub(super) const fn right(self) -> Self {
        Self { anchor: Anchor::End, ..self }
    }
    pub(super) const fn centre(self) -> Self {
        Self { anchor: Anchor::Middle, ..self }
    }
    pub(super) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }
    pub(super) const fn in_colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }

    /// Estimated width of `text` in CSS pixels. Browsers differ, so the layout must not depend on single pixels.
    pub(super) fn width(self, text: &str) -> f64 {
        text.chars().count() as f64 * self.size * if self.bold { 0.6 } else { 0.56 }
    }
}

/// A drawing under construction.
#[derive(Debug)]
pub(super) struct Canvas {
    drawing: Drawing,
    error: Option<PlotError>,
}

impl Canvas {
    pub(super) fn new(width: u32, height: u32) -> Self {
        Self { drawing: Drawing { width, height, body: String::new() }, error: None }
    }

    /// Draws a group. `attributes` is generated markup, never user text.
    pub(super) fn group(&mut self, attributes: &str, draw: impl FnOnce(&mut Layer<'_, '_>)) {
        let mut buffer = String::new();
        let area = SVGBackend::with_string(&mut buffer, (self.drawing.width * 2, self.drawing.height * 2)).into_drawing_area();
        let mut layer = Layer { area: &area, error: None };
        draw(&mut layer);
        let error = layer.error.or(area.present().err());
        drop(area);
        if let Some(error) = error {
            self.error.get_or_insert(PlotError { message: error.to_string() });
        }
        // The backend wraps its elements in its own `svg`.
        let inner = buffer.split_once(">\n").map_or("", |(_, rest)| rest);
        let inner = inner.rsplit_once("</svg>").map_or(inner, |(rest, _)| rest);
        let body = &mut self.drawing.body;
        body.push_str("<g");
        if !attributes.is_empty() {
            body.push(' ');
            body.push_str(attributes);
        }
        body.push_str(">\n");
        body.push_str(&tidy(&classes(inner)));
        body.push_str("</g>\n");
    }

    /// A rectangle that later groups can be clipped to.
    pub(super) fn clip(&mut self, id: &str, left: f64, top: f64, right: f64, bottom: f64) {
        let [left, top, right, bottom] = [left, top, right, bottom].map(|v| i64::from(px(v)));
        let (width, height) = (right - left, bottom - top);
        // Writing to a string does not fail.
        let (top, height) = (top - 6, height + 12);
        let _ = writeln!(
            self.drawing.body,
            "<clipPath id=\"{id}\"><rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\"/></clipPath>"
        );
    }

    pub(super) fn finish(self) -> Result<Drawing, PlotError> {
        self.error.map_or(Ok(self.drawing), Err)
    }
}

/// Drops attributes without effect and rounds font sizes.
fn tidy(svg: &str) -> String {
    let svg = svg
        .replace(" opacity=\"1\"", "")
        .replace(" font-family=\"sans-serif\"", "")
        .replace(" stroke=\"none\"", "")
        .replace(" \"/>", "\"/>");
    let mut out = String::with_capacity(svg.len());
    let mut rest = svg.as_str();
    while let Some((before, after)) = rest.split_once("font-size=\"") {
        let (size, tail) = after.split_once('"').unwrap_or((after, ""));
        let size = size.parse::<f64>().map_or_else(|_| size.to_owned(), |s| format!("{s:.0}"));
        out.push_str(before);
        out.push_str("font-size=\"");
        out.push_str(&size);
        out.push('"');
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[expect(clippy::cast_possible_truncation, reason = "clamped well inside i32; non-finite values are filtered before drawing")]
fn px(v: f64) -> i32 {
    (v * SCALE).round().clamp(-1e6, 1e6) as i32
}

fn point((x, y): (f64, f64)) -> (i32, i32) {
    (px(x), px(y))
}

/// Elements of one group; coordinates in CSS pixels from the upper left corner.
pub(super) struct Layer<'a, 'b> {
    area: &'a DrawingArea<SVGBackend<'b>, Shift>,
    error: Option<DrawingAreaErrorKind<std::io::Error>>,
}

impl Layer<'_, '_> {
    fn keep(&mut self, result: Result<(), DrawingAreaErrorKind<std::io::Error>>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }

    /// A polyline of `width` CSS pixels.
    pub(super) fn line(&mut self, points: &[(f64, f64)], colour: Colour, width: f64) {
        let width = u32::try_from(px(width)).unwrap_or(1);
        let mut path: Vec<(i32, i32)> = points.iter().copied().map(point).collect();
        path.dedup();
        if let [only] = path[..] {
            path.push(only);
        }
        let result = self.area.draw(&PathElement::new(path, colour.stand_in().stroke_width(width)));
        self.keep(result);
    }

    /// A filled shape.
    pub(super) fn area(&mut self, points: &[(f64, f64)], colour: Colour, opacity: f64) {
        let path: Vec<(i32, i32)> = points.iter().copied().map(point).collect();
        let result = self.area.draw(&Polygon::new(path, colour.stand_in().mix(opacity)));
        self.keep(result);
    }

    /// A filled rectangle.
    pub(super) fn rect(&mut self, from: (f64, f64), to: (f64, f64), colour: Colour, opacity: f64) {
        let result = self.area.draw(&Rectangle::new([point(from), point(to)], colour.stand_in().mix(opacity).filled()));
        self.keep(result);
    }

    /// A dot with a rim in the colour of the background.
    pub(super) fn dot(&mut self, at: (f64, f64), radius: f64, colour: Colour) {
        for (extra, colour) in [(1.5, Colour::Back), (0.0, colour)] {
            let result = self.area.draw(&Circle::new(point(at), px(radius + extra), colour.stand_in().filled()));
            self.keep(result);
        }
    }

    /// A text centred vertically at `at.1`.
    pub(super) fn text(&mut self, at: (f64, f64), text: &str, look: Look) {
        let style = if look.bold { FontStyle::Bold } else { FontStyle::Normal };
        let font = ("sans-serif", look.size * SCALE * FONT, style).into_font();
        let colour = look.colour.stand_in();
        let anchor = match look.anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let style = TextStyle::from(font).color(&colour).pos(Pos::new(anchor, VPos::Center));
        let text: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        let result = self.area.draw(&Text::new(text, point(at), style));
        self.keep(result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_drawn_at_twice_the_size_with_classes_for_colours() {
        let mut canvas = Canvas::new(100, 50);
        canvas.group("class=\"x\"", |layer| {
            layer.line(&[(1.0, 2.0), (3.25, 4.0)], Colour::Decode, 2.0);
            layer.text((5.0, 6.0), "a < b", BODY);
        });
        let drawing = canvas.finish().unwrap();
        assert_eq!(drawing.view_box(), "0 0 200 100");
        assert_eq!(
            drawing.body,
            "<g class=\"x\">\n<polyline fill=\"none\" class=\"s-decode\" stroke-width=\"4\" points=\"2,4 7,8\"/>\n\
             <text x=\"10\" y=\"12\" dy=\"0.5ex\" text-anchor=\"start\" font-size=\"28\" class=\"f-ink\">\na &lt; b\n</text>\n</g>\n"
        );
    }
}
