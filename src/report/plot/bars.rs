//! Breakdown of time, energy and cost: three stacked bars of the same shape, each with its figures below.
//!
//! Owns: parts and their order. Must not know: the measurement of a part.

use super::super::number::{duration_ms, share, si, usd};
use super::canvas::{BODY, Canvas, Drawing, Layer, TICK, TITLE};
use super::palette::Colour;
use super::{Chart, PlotError, Section};
use crate::metrics::Summary;

const WIDTH: u32 = 360;
const BAR: (f64, f64) = (52.0, 80.0);
const ROW: f64 = 25.0;

/// A part of the whole.
#[derive(Debug)]
struct Part {
    name: &'static str,
    value: f64,
    colour: Colour,
}

const fn part(name: &'static str, value: f64, colour: Colour) -> Part {
    Part { name, value, colour }
}

/// Data of one bar.
struct Shares {
    id: &'static str,
    title: &'static str,
    /// Description of the whole.
    whole: &'static str,
    parts: Vec<Part>,
    write: fn(f64) -> String,
    /// Reason for an absent chart.
    absent: &'static str,
}

/// The three bars.
pub(super) fn charts(summary: &Summary) -> Result<Vec<Chart>, PlotError> {
    [time(summary), energy(summary), cost(summary)].iter().map(Shares::chart).collect()
}

fn time(summary: &Summary) -> Shares {
    let l = summary.lifecycle.unwrap_or_default();
    let mut parts: Vec<Part> = l.frontend_ms.map(|ms| part("frontend", ms, Colour::Teal)).into_iter().collect();
    parts.extend([
        part("queue", l.queue_ms, Colour::Queue),
        part("prefill", l.prefill_ms, Colour::Prefill),
        part("wait for decode memory", l.reserve_ms, Colour::Reserve),
        part("KV transfer", l.transfer_ms, Colour::Transfer),
        part("wait for decode batch", l.decode_queue_ms, Colour::DecodeQueue),
        part("decode", l.decode_ms, Colour::Decode),
    ]);
    parts.extend(l.recovery_ms.map(|ms| part("recovery from failures", ms, Colour::Brown)));
    Shares {
        id: "time",
        title: "Where the time goes",
        whole: "mean end-to-end time",
        parts,
        write: duration_ms,
        absent: "No request completed, so there is no time to break down.",
    }
}

fn energy(summary: &Summary) -> Shares {
    let e = &summary.energy;
    let chips = e.chip_by_phase;
    Shares {
        id: "energy",
        title: "Where the joules go",
        whole: "at the facility",
        parts: vec![
            part("chips, prefill", chips.prefill_j, Colour::Prefill),
            part("chips, decode", chips.decode_j, Colour::Decode),
            part("chips, idle during KV transfer", chips.transfer_j, Colour::Transfer),
            part("chips, start-up", chips.startup_j, Colour::Startup),
            part("chips, idle", chips.idle_j, Colour::Idle),
            part("hosts, fans, supplies", e.it_j - e.chip_j, Colour::Hosting),
            part("cooling and supply (PUE)", e.facility_j - e.it_j, Colour::Overhead),
        ],
        write: |v| si(v, "J"),
        absent: "No time was measured, or nothing was used in it.",
    }
}

fn cost(summary: &Summary) -> Shares {
    let b = summary.cost.breakdown;
    Shares {
        id: "cost",
        title: "Where the dollars go",
        whole: "over the measured time",
        parts: vec![
            part("capital", b.capital, Colour::Capital),
            part("energy", b.energy, Colour::Energy),
            part("hosting", b.hosting, Colour::Hosting),
            part("rent", b.rent, Colour::Rent),
        ],
        write: usd,
        absent: "No time was measured, nothing was paid in it, or no price is known.",
    }
}

impl Shares {
    fn chart(&self) -> Result<Chart, PlotError> {
        let parts: Vec<&Part> = self.parts.iter().filter(|part| part.value.is_finite() && part.value > 0.0).collect();
        let total: f64 = parts.iter().map(|part| part.value).sum();
        if parts.is_empty() || !total.is_finite() {
            return Ok(Chart::absent(self.id, Section::Shares, self.title, self.absent));
        }
        let list: Vec<String> =
            parts.iter().map(|part| format!("{} {} ({})", part.name, (self.write)(part.value), share(part.value / total))).collect();
        Ok(Chart {
            id: self.id,
            section: Section::Shares,
            title: self.title.to_owned(),
            description: format!("{} {}: {}.", (self.write)(total), self.whole, list.join(", ")),
            drawings: vec![self.draw(&parts, total)?],
            data: None,
        })
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a handful of rows")]
    fn draw(&self, parts: &[&Part], total: f64) -> Result<Drawing, PlotError> {
        let right = f64::from(WIDTH);
        let height = BAR.1 + 12.0 + ROW * parts.len() as f64;
        let mut canvas = Canvas::new(WIDTH, height.ceil() as u32);
        canvas.group("", |layer| {
            layer.text((0.0, 12.0), self.title, TITLE);
            layer.text((0.0, 36.0), &format!("{} {}", (self.write)(total), self.whole), TICK);
        });
        canvas.group("class=\"bar\"", |layer| bar(layer, parts, total));
        canvas.group("", |layer| {
            for (i, part) in parts.iter().enumerate() {
                let y = BAR.1 + 12.0 + ROW * (i as f64 + 0.5);
                layer.rect((0.0, y - 6.0), (12.0, y + 6.0), part.colour, 1.0);
                layer.text((20.0, y), part.name, BODY);
                layer.text((right - 72.0, y), &(self.write)(part.value), BODY.right());
                layer.text((right, y), &share(part.value / total), BODY.right().bold());
            }
        });
        canvas.finish()
    }
}

/// Adjacent segments, separated by a thin gap.
fn bar(layer: &mut Layer<'_, '_>, parts: &[&Part], total: f64) {
    let mut left = 0.0;
    for part in parts {
        let width = part.value / total * f64::from(WIDTH);
        let gap = if width > 3.0 { 1.0 } else { 0.0 };
        layer.rect((left, BAR.0), ((left + width - gap).max(left + 0.5), BAR.1), part.colour, 1.0);
        left += width;
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::*;

    #[test]
    fn the_bars_add_up_to_the_totals_of_the_summary() {
        let summary = fixture::two_pools().summary;
        let e = summary.energy;
        let energy: f64 = energy(&summary).parts.iter().map(|p| p.value).sum();
        approx::assert_relative_eq!(energy, e.facility_j, max_relative = 1e-12);
        let cost: f64 = cost(&summary).parts.iter().map(|p| p.value).sum();
        approx::assert_relative_eq!(cost, summary.cost.total_usd, max_relative = 1e-12);
        // 118 + 402 + 6.1 + 31 + 12.4 + 5530 = 6099.5 ms
        assert!(time(&summary).chart().unwrap().description.starts_with("6.10 s mean end-to-end time: queue 118 ms (1.9 %), "));
    }

    #[test]
    fn a_part_of_zero_has_no_row() {
        let chart = cost(&fixture::two_pools().summary).chart().unwrap();
        assert!(!chart.inline().contains("rent"));
    }
}
