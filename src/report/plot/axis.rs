//! Scales and ticks: mapping of values to pixels, and positions of labels.
//!
//! Owns: linear, logarithmic and time axes. Must not know: colours, what is plotted.

use super::super::number::{duration_ms, number, trimmed};

/// A mapping of values to pixels.
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

    /// A logarithmic scale to base ten; both ends of the domain must be positive.
    pub(super) fn log(domain: (f64, f64), range: (f64, f64)) -> Self {
        Self { log: true, domain: (libm::log10(domain.0), libm::log10(domain.1)), range }
    }

    /// Position of a value, clamped to the range. A logarithmic scale puts zero and below at its low end.
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

/// The smallest number with a single round digit that is at least `value`; its half is short to write, too.
pub(super) fn round_up(value: f64) -> f64 {
    if !(value.is_finite() && value > 0.0) {
        return 1.0;
    }
    let base = power_of_ten(exponent(value));
    [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0].into_iter().map(|m| m * base).find(|&v| v >= value * (1.0 - 1e-12)).unwrap_or(value)
}

/// As [`round_up`], for counts: at least 1, and its half is a whole number.
pub(super) fn round_count(value: f64) -> f64 {
    let top = round_up(value.max(1.0));
    if (2.5..3.5).contains(&top) { 4.0 } else { top }
}

/// Zero, half and end of an axis that ends at a round number. Counts have no half of one.
pub(super) fn from_zero(top: f64, counted: bool, write: impl Fn(f64) -> String) -> Vec<Tick> {
    let shares: &[f64] = if counted && top < 1.5 { &[0.0, 1.0] } else { &[0.0, 0.5, 1.0] };
    shares.iter().map(|share| (top * share, trimmed(&write(top * share)))).collect()
}

/// First value, end and length in ms of the units used by [`duration_ms`] above two minutes.
const LONG: [(f64, f64, f64); 3] = [(120e3, 7_200e3, 60e3), (7_200e3, 172_800e3, 3_600e3), (172_800e3, f64::INFINITY, 86_400e3)];

/// Values from `low` to `high` ms that are one of `mantissas` times a power of ten of their display unit.
fn round_durations(low: f64, high: f64, mantissas: &[f64], stride: usize) -> Vec<f64> {
    let within = |from: f64, to: f64, unit: f64| -> Vec<f64> {
        let (from, to) = (low.max(from), high.min(to));
        if from > to {
            return Vec::new();
        }
        let (first, last) = (exponent(from / unit), exponent(to / unit));
        let decades = (first..=last).filter(|e| usize::try_from(e - first).is_ok_and(|d| d % stride == 0));
        let values = decades.flat_map(|e| mantissas.iter().map(move |m| m * power_of_ten(e) * unit));
        values.filter(|&v| v >= from * (1.0 - 1e-9) && v <= to * (1.0 + 1e-9)).collect()
    };
    let mut out = within(0.0, 119e3, 1.0);
    out.extend(LONG.iter().flat_map(|&(from, to, unit)| within(from, to * (1.0 - 1e-6), unit)));
    out
}

/// Labels of a logarithmic axis of durations in ms: at most `most` of them, as dense as fits.
pub(super) fn log_durations(low: f64, high: f64, most: usize) -> Vec<Tick> {
    // Dense to sparse: the first that fits.
    let dense: [&[f64]; 3] = [&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0], &[1.0, 2.0, 5.0]];
    let fits = |values: &Vec<f64>| values.len() <= most;
    let mut values = dense.iter().map(|mantissas| round_durations(low, high, mantissas, 1)).find(fits).unwrap_or_default();
    let mut stride = 1;
    while values.is_empty() && stride <= 700 {
        values = Some(round_durations(low, high, &[1.0], stride)).filter(fits).unwrap_or_default();
        stride += 1;
    }
    values.into_iter().map(duration_tick).collect()
}

/// Labels inside a narrow part of such an axis, few first: multiples of decreasing steps, at least two and at most nine of them.
pub(super) fn inner_durations(low: f64, high: f64) -> impl Iterator<Item = Vec<Tick>> {
    let unit = LONG.iter().find(|(from, to, _)| (*from..*to).contains(&low)).map_or(1.0, |(.., unit)| *unit);
    let top = if high > low { exponent((high - low) / unit) } else { i32::MIN };
    let steps = (0..3).flat_map(move |down| [5.0, 2.0, 1.0].map(|m| m * power_of_ten(top.saturating_sub(down)) * unit));
    let multiples = move |step: f64| -> Vec<Tick> {
        let first = (low / step - 1e-9).ceil();
        let values = (0..10).map(|i| (first + f64::from(i)) * step).take_while(|&v| v <= high * (1.0 + 1e-9));
        let mut ticks: Vec<Tick> = values.map(duration_tick).collect();
        // Three digits may not distinguish them.
        ticks.dedup_by(|a, b| a.1 == b.1);
        ticks
    };
    steps.filter(|step| *step > 0.0).map(multiples).filter(|ticks| (2..10).contains(&ticks.len()))
}

fn duration_tick(ms: f64) -> Tick {
    (ms, trimmed(&duration_ms(ms)))
}

/// Removes a unit common to all labels, and returns it.
pub(super) fn shared_unit(ticks: &mut [Tick]) -> Option<String> {
    let unit = ticks.first()?.1.split_once(' ')?.1.to_owned();
    if ticks.iter().any(|(_, label)| label.split_once(' ').is_none_or(|(_, other)| other != unit)) {
        return None;
    }
    for (_, label) in ticks {
        *label = label.split_once(' ').map_or_else(String::new, |(number, _)| number.to_owned());
    }
    Some(unit)
}

/// An axis of shares with equal steps per nine: 50 %, 90 %, 99 % and, with enough values, 99.9 % are equally spaced, as on the percentile plots of
/// `HdrHistogram`. Below 50 % it is linear, between the labels it follows -log10(1 - share), and 100 % is half a step above the last of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nines {
    /// Steps up to the last label below 100 %.
    pub(super) steps: f64,
    range: (f64, f64),
}

/// Space above the last label: half a step and a little.
const LAST: f64 = 0.55;
/// -log10(1 - 0.5).
const HALF: f64 = std::f64::consts::LOG10_2;
/// Number of values from which 99.9 % is meaningful.
const MANY: u64 = 1000;

impl Nines {
    /// An axis for the distribution of `count` values, from the lower to the upper edge in pixels.
    pub(super) fn new(count: u64, range: (f64, f64)) -> Self {
        Self { steps: if count >= MANY { 4.0 } else { 3.0 }, range }
    }

    pub(super) fn at(&self, share: f64) -> f64 {
        let nines = || -libm::log10(1.0 - share);
        let height = match share {
            s if s <= 0.5 => 2.0 * s.max(0.0),
            s if s <= 0.9 => 1.0 + (nines() - HALF) / (1.0 - HALF),
            s if s < 1.0 => (nines() + 1.0).min(self.steps + LAST),
            _ => self.steps + LAST,
        };
        self.range.0 + height / (self.steps + LAST) * (self.range.1 - self.range.0)
    }

    /// The share at a height; the inverse of [`at`](Self::at).
    pub(super) fn share(&self, y: f64) -> f64 {
        let height = ((y - self.range.0) / (self.range.1 - self.range.0)).clamp(0.0, 1.0) * (self.steps + LAST);
        let below = |nines: f64| 1.0 - libm::pow(10.0, -nines);
        match height {
            h if h <= 1.0 => h / 2.0,
            h if h <= 2.0 => below(HALF + (h - 1.0) * (1.0 - HALF)),
            h if h < self.steps + LAST => below(h - 1.0),
            _ => 1.0,
        }
    }

    pub(super) fn ticks(&self) -> Vec<(f64, &'static str)> {
        let mut out = vec![(0.0, "0 %"), (0.25, ""), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %")];
        if self.steps > 3.5 {
            out.push((0.999, "99.9 %"));
        }
        out.push((1.0, "100 %"));
        out
    }
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
        assert_eq!(labels(&log_durations(15_000.0, 500_000.0, 6)), ["20 s", "50 s", "100 s", "2 min", "5 min"]);
        assert!(log_durations(1e-6, 1e15, 6).len() <= 6);
    }

    #[test]
    fn a_time_axis_uses_the_unit_of_its_length() {
        assert_eq!(labels(&times(1800.0, 6)), ["0", "5", "10", "15", "20", "25", "30"]);
        assert_eq!(time_unit(1800.0).0, "min");
        assert_eq!(labels(&times(86_400.0, 8)), ["0", "3", "6", "9", "12", "15", "18", "21", "24"]);
        assert_eq!(labels(&times(0.5, 6)), ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert!(times(1e12, 6).len() <= 7);
    }

    #[test]
    fn a_scale_maps_its_ends_and_clamps_values_outside() {
        let scale = Scale::log((1.0, 100.0), (0.0, 200.0));
        for (value, at) in [(1.0, 0.0), (10.0, 100.0), (100.0, 200.0), (0.0, 0.0), (1e9, 200.0)] {
            approx::assert_abs_diff_eq!(scale.at(value), at, epsilon = 1e-9);
        }
        approx::assert_abs_diff_eq!(Scale::linear((0.0, 4.0), (100.0, 0.0)).at(1.0), 75.0);
    }

    #[test]
    fn round_numbers_are_not_below_the_value() {
        for (value, round) in [(0.93, 1.0), (1.01, 2.0), (37.0, 40.0), (9_100.0, 10_000.0), (0.0, 1.0)] {
            approx::assert_relative_eq!(round_up(value), round, max_relative = 1e-9);
        }
    }

    #[test]
    fn counts_have_whole_labels() {
        for (value, top, ticks) in [
            (0.0025, 1.0, vec!["0", "1"]),
            (1.4, 2.0, vec!["0", "1", "2"]),
            (2.2, 4.0, vec!["0", "2", "4"]),
            (24.0, 30.0, vec!["0", "15", "30"]),
        ] {
            approx::assert_relative_eq!(round_count(value), top);
            assert_eq!(labels(&from_zero(top, true, number)), ticks);
        }
    }

    #[test]
    fn every_nine_has_the_same_height() {
        let nines = Nines::new(5_000, (455.0, 0.0));
        for (share, y) in [(0.0, 455.0), (0.25, 405.0), (0.5, 355.0), (0.9, 255.0), (0.99, 155.0), (0.999, 55.0), (0.9999, 0.0), (1.0, 0.0)]
        {
            approx::assert_abs_diff_eq!(nines.at(share), y, epsilon = 1e-6);
            if !(0.9991..1.0).contains(&share) {
                approx::assert_abs_diff_eq!(nines.share(y), share, epsilon = 1e-9);
            }
        }
        // 1 - 0.5 · 0.2^0.5 is halfway from 50 to 90 %.
        approx::assert_abs_diff_eq!(nines.at(1.0 - 0.5 * 0.2f64.sqrt()), 305.0, epsilon = 1e-6);
        let few: Vec<&str> = Nines::new(999, (0.0, 1.0)).ticks().into_iter().map(|(_, label)| label).collect();
        assert_eq!(few, ["0 %", "", "50 %", "90 %", "99 %", "100 %"]);
    }

    #[test]
    fn a_narrow_span_has_its_own_labels() {
        let first = |low, high| labels(&inner_durations(low, high).next().unwrap()).into_iter().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(first(12.1, 14.6), ["13 ms", "14 ms"]);
        assert_eq!(first(25.21, 25.9), ["25.4 ms", "25.6 ms", "25.8 ms"]);
        assert_eq!(first(900_000.0, 1_260_000.0), ["15 min", "20 min"]);
        assert!(inner_durations(5.0, 5.0).next().is_none());
    }

    #[test]
    fn a_common_unit_is_shown_once() {
        let mut ticks = vec![(1.0, "1 ms".to_owned()), (2.0, "2 ms".to_owned())];
        assert_eq!(shared_unit(&mut ticks).as_deref(), Some("ms"));
        assert_eq!(labels(&ticks), ["1", "2"]);
        let mut mixed = vec![(1.0, "1 ms".to_owned()), (1e3, "1 s".to_owned())];
        assert_eq!(shared_unit(&mut mixed), None);
    }
}
