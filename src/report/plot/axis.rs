//! Scales and ticks: from values to pixels, and where the labels stand.
//!
//! Owns: linear, logarithmic and time axes. Must not know: colours, what is plotted.

use super::super::number::trimmed;
use super::super::number::{duration_ms, number};

/// A mapping of values onto pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    log: bool,
    domain: (f64, f64),
    range: (f64, f64),
}

impl Scale {
    pub(super) fn linear(domain: (f64, f64), range: (f64, f64)) -> Self {
        Self { log: false, domain, range }
    }

    /// A decadic scale; both ends of the domain must be positive.
    pub(super) fn log(domain: (f64, f64), range: (f64, f64)) -> Self {
        Self { log: true, domain: (libm::log10(domain.0), libm::log10(domain.1)), range }
    }

    /// Position of a value, kept inside the range. A logarithmic scale puts zero and below at its low end.
    pub(super) fn at(&self, value: f64) -> f64 {
        let value = match (self.log, value > 0.0) {
            (true, true) => libm::log10(value),
            (true, false) => self.domain.0,
            (false, _) => value,
        };
        let share = ((value - self.domain.0) / (self.domain.1 - self.domain.0)).clamp(0.0, 1.0);
        self.range.0 + share * (self.range.1 - self.range.0)
    }
}

/// A labelled position on an axis.
pub(super) type Tick = (f64, String);

fn power_of_ten(exponent: i32) -> f64 {
    libm::pow(10.0, f64::from(exponent))
}

#[expect(clippy::cast_possible_truncation, reason = "the exponent of a finite f64 is within ±324")]
fn exponent(value: f64) -> i32 {
    libm::floor(libm::log10(value)) as i32
}

/// The smallest round number (1, 2, 2.5 or 5 times a power of ten) that is at least `value`.
pub(super) fn round_up(value: f64) -> f64 {
    if !(value.is_finite() && value > 0.0) {
        return 1.0;
    }
    let base = power_of_ten(exponent(value));
    [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0].into_iter().map(|m| m * base).find(|&v| v >= value * (1.0 - 1e-12)).unwrap_or(value)
}

/// Zero, half and all of an axis that ends at a round number.
pub(super) fn from_zero(top: f64, write: impl Fn(f64) -> String) -> Vec<Tick> {
    [0.0, 0.5, 1.0].iter().map(|share| (top * share, trimmed(&write(top * share)))).collect()
}

/// Labels of a logarithmic axis of durations in ms: at most `most` of them, as dense as fits.
pub(super) fn log_durations(low: f64, high: f64, most: usize) -> Vec<Tick> {
    let (first, last) = (exponent(low), exponent(high));
    let at = |mantissas: &[f64], stride: usize| -> Vec<f64> {
        let decades = (first..=last).filter(|e| usize::try_from(e - first).is_ok_and(|d| d % stride == 0));
        let values = decades.flat_map(|e| mantissas.iter().map(move |m| m * power_of_ten(e)));
        values.filter(|&v| v >= low * (1.0 - 1e-9) && v <= high * (1.0 + 1e-9)).collect()
    };
    // Dense to sparse: the first that fits.
    let dense: [&[f64]; 3] = [&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0], &[1.0, 2.0, 5.0]];
    let mut values = dense.iter().map(|mantissas| at(mantissas, 1)).find(|values| values.len() <= most).unwrap_or_default();
    let mut stride = 1;
    while values.is_empty() && stride <= 700 {
        values = Some(at(&[1.0], stride)).filter(|values| values.len() <= most).unwrap_or_default();
        stride += 1;
    }
    values.into_iter().map(|v| (v, trimmed(&duration_ms(v)))).collect()
}

/// Steps of a time axis in seconds.
const STEPS: [f64; 28] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0,
    3600.0, 7200.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0, 604_800.0,
];

/// Unit of a time axis of this length: its name and its seconds.
pub(super) fn time_unit(span_s: f64) -> (&'static str, f64) {
    match span_s {
        s if s <= 180.0 => ("s", 1.0),
        s if s <= 10_800.0 => ("min", 60.0),
        s if s <= 259_200.0 => ("h", 3600.0),
        _ => ("d", 86_400.0),
    }
}

/// Labels of a time axis from zero to `end_s`: at most `most` plus the one at zero, in the unit of [`time_unit`].
pub(super) fn times(end_s: f64, most: usize) -> Vec<Tick> {
    let (_, unit) = time_unit(end_s);
    let fits = |step: &f64| end_s / step <= most as f64;
    let step = STEPS.iter().copied().find(fits).unwrap_or_else(|| round_up(end_s / most as f64));
    let mut out = Vec::new();
    let mut at = 0.0;
    while at <= end_s * (1.0 + 1e-9) && out.len() <= most {
        out.push((at, trimmed(&number(at / unit))));
        at += step;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn a_log_axis_has_few_round_labels() {
        assert_eq!(labels(&log_durations(90.0, 4_000.0, 6)), ["100 ms", "200 ms", "500 ms", "1 s", "2 s"]);
        assert_eq!(labels(&log_durations(14.0, 46.0, 6)), ["20 ms", "30 ms", "40 ms"]);
        assert_eq!(labels(&log_durations(1.0, 30_000.0, 6)), ["1 ms", "10 ms", "100 ms", "1 s", "10 s"]);
        assert!(log_durations(1e-6, 1e15, 6).len() <= 6);
    }

    #[test]
    fn a_time_axis_counts_in_the_unit_of_its_length() {
        assert_eq!(labels(&times(1800.0, 6)), ["0", "5", "10", "15", "20", "25", "30"]);
        assert_eq!(time_unit(1800.0).0, "min");
        assert_eq!(labels(&times(86_400.0, 8)), ["0", "3", "6", "9", "12", "15", "18", "21", "24"]);
        assert_eq!(labels(&times(0.5, 6)), ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert!(times(1e12, 6).len() <= 7);
    }

    #[test]
    fn a_scale_maps_its_ends_and_keeps_what_is_outside_at_them() {
        let scale = Scale::log((1.0, 100.0), (0.0, 200.0));
        for (value, at) in [(1.0, 0.0), (10.0, 100.0), (100.0, 200.0), (0.0, 0.0), (1e9, 200.0)] {
            approx::assert_abs_diff_eq!(scale.at(value), at, epsilon = 1e-9);
        }
        approx::assert_abs_diff_eq!(Scale::linear((0.0, 4.0), (100.0, 0.0)).at(1.0), 75.0);
    }

    #[test]
    fn round_numbers_are_not_below_the_value() {
        for (value, round) in [(0.93, 1.0), (1.01, 1.5), (37.0, 40.0), (9_100.0, 10_000.0), (0.0, 1.0)] {
            approx::assert_relative_eq!(round_up(value), round, max_relative = 1e-9);
        }
    }
}
