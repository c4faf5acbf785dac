//! Values, differences and intervals of one metric, all in one unit and with enough digits to distinguish them.

use super::super::number::{number, percent};
use crate::metrics::metric::MetricInfo;
use crate::study::compare::{Certainty, Difference};
use crate::study::statistics::Interval;

/// Relative size below which parts of an interval are due to rounding.
const ROUNDING: f64 = 1e-9;
/// A true minus sign, as wide as a plus.
const MINUS: char = '−';

/// The unit in a title; shares are shown in percent.
pub(super) fn unit(info: &MetricInfo) -> &str {
    if info.unit == "share" { "" } else { info.unit }
}

/// A value.
pub(super) fn value(info: &MetricInfo, value: f64) -> String {
    match value {
        v if v.is_infinite() => "∞".to_owned(),
        v if info.unit == "share" => percent(v),
        v => number(v),
    }
}

/// A difference with its sign: `−557`, `+1.2 pp`.
pub(super) fn signed(info: &MetricInfo, difference: f64) -> String {
    let size = if info.unit == "share" { format!("{} pp", number(difference.abs() * 100.0)) } else { value(info, difference.abs()) };
    match difference {
        d if d < 0.0 => format!("{MINUS}{size}"),
        d if d > 0.0 => format!("+{size}"),
        _ => size,
    }
}

/// An interval of values.
pub(super) fn between(info: &MetricInfo, interval: Interval) -> String {
    format!("{} to {}", value(info, interval.low), value(info, interval.high))
}

/// The interval of a difference, if it has one.
pub(super) fn interval(info: &MetricInfo, difference: &Difference) -> String {
    match difference.certainty {
        Certainty::Interval(Interval { low, high }) => {
            // A remainder due to rounding counts as zero.
            let size = low.abs().max(high.abs());
            let [low, high] = [low, high].map(|end| if end.abs() <= ROUNDING * size { 0.0 } else { end });
            format!("{} to {}", signed(info, low), signed(info, high))
        }
        _ => String::new(),
    }
}
