//! One number of all variants as lines of text, shared by terminal and page.

use serde::Serialize;

use super::super::number::signed_percent;
use super::write::{interval, signed, unit, value};
use crate::study::compare::{Difference, MetricComparison, Side, VariantNumber};

/// A number, with one line per variant.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) path: String,
    pub(super) unit: String,
    pub(super) definition: &'static str,
    pub(super) lines: Vec<Line>,
    /// Number of seeds.
    pub(super) count: usize,
}

/// A variant's line.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) variant: String,
    pub(super) value: String,
    pub(super) difference: String,
    pub(super) interval: String,
    pub(super) finding: String,
    /// `better`, `worse`, or empty if uncertain.
    pub(super) state: &'static str,
}

/// A number of all variants.
pub(super) fn row(metric: &MetricComparison, variants: &[String]) -> Row {
    let lines: Vec<Line> = variants.iter().zip(&metric.of).map(|(name, number)| line(metric, name, number.as_ref())).collect();
    Row { path: metric.path.clone(), unit: unit(metric.info).to_owned(), definition: metric.info.about, count: lines.len(), lines }
}

/// The line of a variant.
pub(super) fn line(metric: &MetricComparison, name: &str, number: Option<&VariantNumber>) -> Line {
    let info = metric.info;
    let empty = |value: String, finding: &str| Line {
        variant: name.to_owned(),
        value,
        difference: String::new(),
        interval: String::new(),
        finding: finding.to_owned(),
        state: "",
    };
    let Some(number) = number else { return empty("–".to_owned(), "has no such number") };
    let shown = number.estimate.map_or_else(|| "–".to_owned(), |estimate| value(info, estimate.value));
    let Some(difference) = &number.difference else { return empty(shown, "") };
    if difference.is_sure() && difference.side == Side::Same {
        return empty(shown, &difference.finding());
    }
    let change = match difference.relative {
        _ if difference.value.is_nan() => String::new(),
        Some(share) if info.unit != "share" => format!("{} ({})", signed(info, difference.value), signed_percent(share)),
        _ => signed(info, difference.value),
    };
    Line {
        variant: name.to_owned(),
        value: shown,
        difference: change,
        interval: interval(info, difference),
        finding: difference.finding(),
        state: state(difference),
    }
}

/// Highlighting of a finding.
fn state(difference: &Difference) -> &'static str {
    match difference.side {
        Side::Better if difference.is_sure() => "better",
        Side::Worse if difference.is_sure() => "worse",
        _ => "",
    }
}
