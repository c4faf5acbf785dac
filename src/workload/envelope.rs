//! A diurnal variation of the arrival rate. Owns the cumulative intensity and its inverse; must not know how gaps are drawn.

use std::f64::consts::TAU;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{ParameterProblem, Problems};
use crate::sim::SimDuration;
use crate::units::{Plain, Ratio};

/// A daily rise and fall. The rate is multiplied by `1 + amplitude · cos(2π (t − peak) / period)`, which is 1 on average over whole periods.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiurnalEnvelope {
    /// Swing around the mean, 0 (flat) to 1 (silent at the trough).
    #[serde(with = "Plain::<Ratio>")]
    #[schemars(with = "Ratio", extend("x-most" = 1))]
    pub amplitude: f64,
    /// Time from one peak to the next.
    #[serde(default = "one_day")]
    #[schemars(extend("x-above" = 0))]
    pub period: SimDuration,
    /// Time of the first peak after the start of the run, below `period`.
    #[serde(default)]
    pub peak: SimDuration,
}

const fn one_day() -> SimDuration {
    SimDuration::from_ns(86_400_000_000_000)
}

impl DiurnalEnvelope {
    /// All problems of these parameters; empty if valid.
    pub fn validate(&self) -> Vec<ParameterProblem> {
        let mut problems = Problems::default();
        problems.require((0.0..=1.0).contains(&self.amplitude), "amplitude", self.amplitude, "a number from 0 to 1");
        let seconds = |span: SimDuration| format!("{} s", span.as_secs_f64());
        problems.require(self.period.ns() >= 1_000_000, "period", seconds(self.period), "at least 1 ms, such as `24 h`");
        problems.require(self.peak < self.period, "peak", seconds(self.peak), "a time within one period");
        problems.into_vec()
    }
}

/// The envelope with precomputed constants. Times in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rescaling {
    amplitude: f64,
    period: f64,
    peak: f64,
    /// sin(2π peak / period): makes the cumulative intensity start at 0.
    offset: f64,
}

impl Rescaling {
    pub(super) fn new(envelope: &DiurnalEnvelope) -> Self {
        let (period, peak) = (envelope.period.as_secs_f64(), envelope.peak.as_secs_f64());
        Self { amplitude: envelope.amplitude, period, peak, offset: libm::sin(TAU * peak / period) }
    }

    fn intensity(&self, t: f64) -> f64 {
        1.0 + self.amplitude * libm::cos(TAU * (t - self.peak) / self.period)
    }

    /// Integral of the intensity from 0 to `t` within the first period: t + a·P/2π · (sin(2π (t − peak)/P) + sin(2π peak/P)).
    fn cumulative(&self, t: f64) -> f64 {
        t + self.amplitude * self.period / TAU * (libm::sin(TAU * (t - self.peak) / self.period) + self.offset)
    }

    /// The time at which the cumulative intensity reaches `target` (seconds at the mean rate). Whole periods are subtracted exactly; the rest is
    /// Newton's method within a shrinking bracket, to about ten units in the last place of the period.
    pub(super) fn invert(&self, target: f64) -> f64 {
        let cycles = (target / self.period).floor();
        let rest = target - cycles * self.period;
        let tolerance = 1e-15 * self.period;
        let (mut low, mut high, mut t) = (0.0, self.period, rest);
        // Bisection alone reaches the tolerance in 50 rounds; each round here halves the bracket or takes a better Newton step.
        for _ in 0..128 {
            let error = self.cumulative(t) - rest;
            if error > 0.0 {
                high = t;
            } else {
                low = t;
            }
            let step = error / self.intensity(t);
            if step.abs() <= tolerance || high - low <= tolerance {
                break;
            }
            let newton = t - step;
            t = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        }
        cycles * self.period + t
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(amplitude: f64, peak_h: u64) -> DiurnalEnvelope {
        let hour = 3_600_000_000_000;
        DiurnalEnvelope { amplitude, period: SimDuration::from_ns(24 * hour), peak: SimDuration::from_ns(peak_h * hour) }
    }

    #[test]
    fn inversion_inverts_the_cumulative_intensity() {
        for amplitude in [0.0, 0.3, 0.99, 1.0] {
            let scale = Rescaling::new(&day(amplitude, 15));
            for step in 0..1000 {
                let t = 86_400.0 * f64::from(step) / 1000.0;
                let back = scale.invert(scale.cumulative(t));
                // At the trough of amplitude 1 the intensity is 0, so the inverse is accurate only to the cube root of the precision.
                let tolerance = if amplitude < 1.0 { 1e-8 } else { 1.0 };
                assert!((back - t).abs() < tolerance, "amplitude {amplitude}: {t} came back as {back}");
            }
        }
    }

    #[test]
    fn the_integral_over_a_whole_period_is_exactly_its_length() {
        let scale = Rescaling::new(&day(0.8, 15));
        approx::assert_relative_eq!(scale.cumulative(86_400.0), 86_400.0, max_relative = 1e-12);
        approx::assert_relative_eq!(scale.invert(10.0 * 86_400.0), 10.0 * 86_400.0, max_relative = 1e-12);
    }

    #[test]
    fn the_integral_around_the_peak_agrees_with_arithmetic_by_hand() {
        // Peak at 6 h, amplitude 0.5: from 0 h to 12 h the integral is 12 h + 0.5 · 24 h/2π · 2 = 12 h + 3.8197 h.
        let scale = Rescaling::new(&day(0.5, 6));
        approx::assert_relative_eq!(scale.cumulative(43_200.0) / 3600.0, 12.0 + 12.0 / std::f64::consts::PI, max_relative = 1e-12);
    }

    #[test]
    fn invalid_parameters_are_rejected() {
        assert!(day(1.0, 0).validate().is_empty());
        assert_eq!(day(f64::NAN, 24).validate().len(), 2);
        let none = DiurnalEnvelope { amplitude: 1.5, period: SimDuration::ZERO, peak: SimDuration::ZERO };
        assert_eq!(none.validate().len(), 3);
    }
}
