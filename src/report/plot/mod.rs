//! Charts as SVG, drawn by plotters, coloured by classes so that one drawing serves light and dark.
//!
//! Owns: the list of charts, their frame for page and file. Must not know: their position on the page, files.

mod axis;
mod bars;
mod canvas;
mod cdf;
mod decimate;
mod intervals;
mod palette;
mod timeline;
mod variants;

use std::fmt::Write as _;

pub(super) use variants::comparison_charts;

use canvas::Drawing;

use super::text::escaped;
use crate::metrics::RunResult;

/// A chart could not be drawn. An internal error: no input should lead here.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot draw a chart: {message}")]
pub struct PlotError {
    message: String,
}

/// Section of the page for a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Breakdown of time, energy and cost.
    Shares,
    /// Latency distributions.
    Distributions,
    /// Gauges over time.
    Timelines,
}

/// One chart, or a sentence in its place if there is nothing to draw.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Kebab-case name: of the file without `.svg`, and prefix of ids inside the page.
    pub id: &'static str,
    /// Its section.
    pub section: Section,
    /// Title.
    pub title: String,
    /// Text alternative in words and numbers. If there is nothing to draw, the reason.
    pub description: String,
    /// Wide drawing first, narrow one for phones last, and one for tablets in between if the wide one does not fit; empty if there is nothing to
    /// draw.
    drawings: Vec<Drawing>,
    /// Data for the script to show values under the pointer.
    data: Option<serde_json::Value>,
}

impl Chart {
    /// A sentence in place of a drawing.
    fn absent(id: &'static str, section: Section, title: &str, why: &str) -> Self {
        Self { id, section, title: title.to_owned(), description: why.to_owned(), drawings: Vec::new(), data: None }
    }

    /// True if there is nothing to draw.
    pub fn is_absent(&self) -> bool {
        self.drawings.is_empty()
    }

    /// Data for the script of the page; `None` if the drawing is complete.
    pub fn data(&self) -> Option<&serde_json::Value> {
        self.data.as_ref()
    }

    /// Markup for the page. It needs [`chart_style`]; of several drawings the style sheet of the page shows the one that fits.
    pub fn inline(&self) -> String {
        let mut out = String::new();
        for (i, drawing) in self.drawings.iter().enumerate() {
            let size = match (self.drawings.len(), i) {
                (1, _) => "any",
                // Without a middle one, the wide one is used down to the width of a phone.
                (2, 0) => "wide middle",
                (_, 0) => "wide",
                (3, 1) => "middle",
                _ => "narrow",
            };
            let id = format!("{}-{i}", self.id);
            // Writing to a string does not fail.
            let _ = write!(
                out,
                "<svg class=\"chart {size}\" viewBox=\"{}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\" data-chart=\"{}\" data-variant=\"{i}\">\
                 <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>\n{}</svg>\n",
                drawing.view_box(),
                self.id,
                escaped(&self.title),
                escaped(&self.description),
                drawing.body
            );
        }
        out
    }

    /// A self-contained file with its style; `None` if there is nothing to draw.
    pub fn file(&self) -> Option<String> {
        let drawing = self.drawings.first()?;
        // A margin, provided by the page otherwise.
        let (width, height) = (drawing.width + 32, drawing.height + 32);
        Some(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" width=\"{width}\" height=\"{height}\" viewBox=\"-32 -32 {} {}\" role=\"img\" \
             aria-labelledby=\"t d\">\n<title id=\"t\">{}</title>\n<desc id=\"d\">{}</desc>\n<style>{}</style>\n\
             <rect class=\"f-back\" x=\"-32\" y=\"-32\" width=\"100%\" height=\"100%\"/>\n{}</svg>\n",
            width * 2,
            height * 2,
            escaped(&self.title),
            escaped(&self.description),
            palette::style(),
            drawing.body
        ))
    }
}

/// The style sheet of charts inside a page: colour variables for both schemes and the classes of the drawings.
pub fn chart_style() -> String {
    palette::style()
}

/// All charts of a run in the order of the page.
pub fn charts(result: &RunResult) -> Result<Vec<Chart>, PlotError> {
    let mut out = bars::charts(&result.summary)?;
    out.extend(cdf::charts(result)?);
    out.push(timeline::chart(result)?);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn every_fixture_is_drawn_or_gives_the_reason() {
        for (name, result) in fixture::all() {
            for chart in charts(&result).unwrap() {
                assert!(!chart.description.is_empty(), "{name} {}", chart.id);
                for drawing in &chart.drawings {
                    assert!(!drawing.body.contains("NaN") && !drawing.body.contains("inf"), "{name} {}", chart.id);
                    assert!(!drawing.body.contains("#C0"), "{name} {}: a stand-in colour is left", chart.id);
                    for polyline in drawing.body.split("points=\"").skip(1) {
                        let points = polyline.split_once('"').unwrap().0.split(' ').count();
                        assert!(points <= 2_002, "{name} {} has a line of {points} points", chart.id);
                    }
                }
            }
        }
    }

    #[test]
    fn markup_in_names_stays_text() {
        for chart in charts(&fixture::hostile_names()).unwrap() {
            for text in [chart.inline(), chart.file().unwrap()] {
                assert!(!text.contains("<script") && !text.contains("\"&--"), "{}", chart.id);
            }
        }
    }

    #[test]
    fn a_chart_carries_its_text_alternative_and_both_schemes() {
        let charts = charts(&fixture::two_pools()).unwrap();
        let ttft = charts.iter().find(|chart| chart.id == "ttft").unwrap();
        assert!(ttft.description.contains("azure-chat: p50 429 ms, p90 834 ms, p99 1.41 s, limit 2 s"), "{}", ttft.description);
        let file = ttft.file().unwrap();
        assert!(file.contains("prefers-color-scheme:dark") && file.contains("role=\"img\"") && file.contains("<title id=\"t\">"));
        assert!(ttft.inline().contains("SLO 2 s"));
    }

    #[test]
    fn an_absent_chart_is_a_sentence() {
        let charts = charts(&fixture::nothing_completed()).unwrap();
        let absent: Vec<&str> = charts.iter().filter(|chart| chart.is_absent()).map(|chart| chart.id).collect();
        assert_eq!(absent, ["time", "ttft", "itl", "tpot", "e2e", "timeline"]);
        assert!(charts.iter().all(|chart| chart.is_absent() == chart.file().is_none()));
    }

    #[test]
    fn the_same_run_draws_the_same_bytes() {
        let run = fixture::two_pools();
        let draw = || charts(&run).unwrap().iter().map(Chart::inline).collect::<String>();
        assert_eq!(draw(), draw());
    }
}
