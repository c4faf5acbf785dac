//! The table of latencies: as many percentiles as fit.
//!
//! Owns: its columns. Must not know: other percentiles of a summary.

use super::super::number::{NONE, duration_ms, limit_ms, or_none};
use super::{Screen, painted};
use crate::metrics::metric::Statistic;
use crate::metrics::{Check, SloLimits, SloMetric, Standing, Summary, checks};

/// Width of row names, characters.
const NAMES: usize = 5;
/// Width of the word after the limit, characters.
const WORD: usize = 7;
/// Minimum and maximum width of a cell with its leading space: `2.44 min` is among the longest.
const CELL: (usize, usize) = (9, 10);

/// The columns in the order in which they are dropped if space is short.
const COLUMNS: [Statistic; 4] = [Statistic::Mean, Statistic::P90, Statistic::P50, Statistic::P99];

/// The columns that fit next to that of the limits, in order, and the width of each.
fn columns(width: usize) -> (Vec<Statistic>, usize) {
    let room = width.saturating_sub(NAMES + WORD) / CELL.0;
    let kept = &COLUMNS[(COLUMNS.len() + 1).saturating_sub(room).min(COLUMNS.len())..];
    let shown: Vec<Statistic> = Statistic::ALL.into_iter().filter(|statistic| kept.contains(statistic)).collect();
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
        let names: String = columns.iter().map(|statistic| statistic.name()).chain(["SLO"]).map(cell).collect();
        self.line(&painted(self.style.label, &format!("{:NAMES$}{names}", "")));
        for (name, distribution, metric, slo) in rows {
            let standing = metric.and_then(standing);
            let paint = match standing {
                Some(Standing::Missed) => self.style.bad,
                Some(_) => self.style.caution,
                None => anstyle::Style::new(),
            };
            let mut line = painted(self.style.strong, &format!("{name:<NAMES$}"));
            for statistic in &columns {
                let text = cell(&or_none(distribution.as_ref().map(|values| statistic.of(values)), duration_ms));
                line += &if *statistic == Statistic::P99 && standing.is_some() { painted(paint, &text) } else { text };
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
