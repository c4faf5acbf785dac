//! The table of latencies: as many percentiles as fit.
//!
//! Owns: its columns. Must not know: other percentiles of a summary.

use super::super::number::{NONE, duration_ms, limit_ms, or_none};
use super::{Screen, painted};
use crate::metrics::{Check, Distribution, SloLimits, SloMetric, Standing, Summary, checks};

/// Width of row names, characters.
const NAMES: usize = 5;
/// Width of the word after the limit, characters.
const WORD: usize = 7;
/// Minimum and maximum width of a cell with its leading space: `2.44 min` is among the longest.
const CELL: (usize, usize) = (9, 10);

/// A column: its name and its value.
type Column = (&'static str, fn(&Distribution) -> f64);

/// In the order in which they are dropped if space is short.
const COLUMNS: [Column; 4] = [("mean", |d| d.mean), ("p90", |d| d.p90), ("p50", |d| d.p50), ("p99", |d| d.p99)];
/// In display order.
const ORDER: [&str; 4] = ["mean", "p50", "p90", "p99"];

/// The columns that fit next to that of the limits, in order, and the width of each.
fn columns(width: usize) -> (Vec<Column>, usize) {
    let room = width.saturating_sub(NAMES + WORD) / CELL.0;
    let kept = COLUMNS.iter().skip((COLUMNS.len() + 1).saturating_sub(room)).collect::<Vec<_>>();
    let shown: Vec<Column> = ORDER.iter().filter_map(|name| kept.iter().find(|column| column.0 == *name).map(|column| **column)).collect();
    let cell = (width.saturating_sub(NAMES + WORD) / (shown.len() + 1)).clamp(CELL.0, CELL.1);
    (shown, cell)
}

impl Screen {
    pub(super) fn latency(&mut self, summary: &Summary) {
        let l = &summary.latency;
        let slos: Vec<SloLimits> = summary.classes.iter().map(|class| class.slo).collect();
        let limit = |of: fn(&SloLimits) -> Option<f64>| slo_column(slos.iter().filter_map(of));
        let rows = [
            ("TTFT", l.ttft_ms, Some(SloMetric::Ttft), limit(|slo| slo.ttft_ms)),
            ("TTST", l.ttst_ms, None, None),
            ("TPOT", l.tpot_ms, Some(SloMetric::Tpot), limit(|slo| slo.tpot_ms)),
            ("ITL", l.itl_ms, None, None),
            ("E2E", l.e2e_ms, Some(SloMetric::E2e), limit(|slo| slo.e2e_ms)),
        ];
        let all = checks(&summary.classes);
        let standing = |metric: SloMetric| {
            let of_metric = || all.iter().filter(|check| check.metric == metric).map(Check::standing);
            [Standing::Missed, Standing::Unsure].into_iter().find(|standing| of_metric().any(|of| of == *standing))
        };
        let (columns, width) = columns(self.width);
        let cell = |text: &str| format!("{text:>width$}");
        let names: String = columns.iter().map(|(name, _)| *name).chain(["SLO"]).map(cell).collect();
        self.line(&painted(self.style.label, &format!("{:NAMES$}{names}", "")));
        for (name, distribution, metric, slo) in rows {
            let standing = metric.and_then(standing);
            let paint = match standing {
                Some(Standing::Missed) => self.style.bad,
                Some(_) => self.style.caution,
                None => anstyle::Style::new(),
            };
            let mut line = painted(self.style.strong, &format!("{name:<NAMES$}"));
            for (column, value) in &columns {
                let text = cell(&or_none(distribution.as_ref().map(value), duration_ms));
                line += &if *column == "p99" && standing.is_some() { painted(paint, &text) } else { text };
            }
            line += &cell(&slo.unwrap_or_else(|| NONE.to_owned()));
            if let Some(standing) = standing {
                line.push(' ');
                line += &painted(paint, standing.name());
            }
            self.line(&line);
        }
        self.line("");
    }
}

/// The limit if all classes agree, otherwise a note that they differ.
fn slo_column(limits: impl Iterator<Item = f64>) -> Option<String> {
    let mut texts: Vec<String> = limits.map(limit_ms).collect();
    texts.dedup();
    if texts.len() > 1 { Some("by class".to_owned()) } else { texts.pop() }
}
