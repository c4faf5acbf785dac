//! Arrival times of an open loop: renewal processes at a mean rate, optionally under a diurnal envelope.
//!
//! Owns: gaps and their accumulation. Must not know: lengths, traces.
//!
//! Every process draws gaps of mean 1, whose sum is the cumulative intensity; the envelope then rescales time. A bursty process is therefore equally
//! bursty at the peak and in the trough (Brown, Barbieri, Ventura, Kass and Frank 2002, time rescaling).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::envelope::{DiurnalEnvelope, Rescaling};
use super::error::{ParameterProblem, Problems};
use crate::sim::{SimTime, Stream};
use crate::units::{PerSecond, Plain, Ratio};

/// When requests arrive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ArrivalProcess {
    /// Independent arrivals: exponential gaps.
    Poisson {
        /// Mean arrivals per time.
        #[serde(with = "Plain::<PerSecond>")]
        #[schemars(with = "PerSecond", extend("x-least" = 1e-6))]
        rate: f64,
    },
    /// Equal gaps. The first request arrives at t = 0; in all other processes one gap passes first.
    Constant {
        /// Arrivals per time.
        #[serde(with = "Plain::<PerSecond>")]
        #[schemars(with = "PerSecond", extend("x-least" = 1e-6))]
        rate: f64,
    },
    /// Gaps with a Gamma distribution: burstier than Poisson for `cv` above 1.
    Gamma {
        /// Mean arrivals per time.
        #[serde(with = "Plain::<PerSecond>")]
        #[schemars(with = "PerSecond", extend("x-least" = 1e-6))]
        rate: f64,
        /// Coefficient of variation of the gaps (standard deviation over mean), 0.01 to 100; the shape is 1 / cv².
        #[serde(with = "Plain::<Ratio>")]
        #[schemars(with = "Ratio", extend("x-least" = 0.01, "x-most" = 100))]
        cv: f64,
    },
    /// Gaps with a Weibull distribution; the shape is solved from cv.
    Weibull {
        /// Mean arrivals per time.
        #[serde(with = "Plain::<PerSecond>")]
        #[schemars(with = "PerSecond", extend("x-least" = 1e-6))]
        rate: f64,
        /// Coefficient of variation of the gaps (standard deviation over mean), 0.01 to 100.
        #[serde(with = "Plain::<Ratio>")]
        #[schemars(with = "Ratio", extend("x-least" = 0.01, "x-most" = 100))]
        cv: f64,
    },
}

impl ArrivalProcess {
    /// Mean rate, requests per second.
    pub const fn rate(&self) -> f64 {
        match *self {
            Self::Constant { rate } | Self::Poisson { rate } | Self::Gamma { rate, .. } | Self::Weibull { rate, .. } => rate,
        }
    }

    /// All problems of these parameters; empty if valid.
    pub fn validate(&self) -> Vec<ParameterProblem> {
        let mut problems = Problems::default();
        problems.require((1e-6..=1e9).contains(&self.rate()), "rate", self.rate(), "requests per second from 1e-6 to 1e9");
        if let Self::Gamma { cv, .. } | Self::Weibull { cv, .. } = *self {
            problems.require((0.01..=100.0).contains(&cv), "cv", cv, "a number from 0.01 to 100 (equal gaps are the process `constant`)");
        }
        problems.into_vec()
    }
}

/// Gaps of mean 1.
#[derive(Debug, Clone, Copy)]
enum Gaps {
    Constant,
    Exponential,
    Gamma { shape: f64 },
    Weibull { shape: f64, scale: f64 },
}

impl Gaps {
    fn new(process: &ArrivalProcess) -> Self {
        match *process {
            ArrivalProcess::Constant { .. } => Self::Constant,
            ArrivalProcess::Poisson { .. } => Self::Exponential,
            ArrivalProcess::Gamma { cv, .. } => Self::Gamma { shape: 1.0 / (cv * cv) },
            ArrivalProcess::Weibull { cv, .. } => {
                let shape = weibull_shape(cv);
                Self::Weibull { shape, scale: 1.0 / libm::tgamma(1.0 + 1.0 / shape) }
            }
        }
    }

    fn draw(self, stream: &mut Stream) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Exponential => stream.exponential(),
            Self::Gamma { shape } => stream.gamma(shape) / shape,
            Self::Weibull { shape, scale } => stream.weibull(shape) * scale,
        }
    }
}

/// Coefficient of variation of a Weibull distribution: cv² = Γ(1 + 2/k) / Γ(1 + 1/k)² − 1, on logarithms so that nothing overflows.
fn weibull_cv(shape: f64) -> f64 {
    libm::expm1(libm::lgamma(1.0 + 2.0 / shape) - 2.0 * libm::lgamma(1.0 + 1.0 / shape)).sqrt()
}

/// The shape whose coefficient of variation is `cv` (0.01 to 100), by bisection: cv falls as the shape grows.
fn weibull_shape(cv: f64) -> f64 {
    let (mut low, mut high) = (0.05, 200.0);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if weibull_cv(middle) > cv {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// Generates arrival times in order.
#[derive(Debug)]
pub(super) struct ArrivalClock {
    gaps: Gaps,
    rate: f64,
    envelope: Option<Rescaling>,
    stream: Stream,
    /// Sum of the gaps drawn, in expected requests.
    elapsed: f64,
    /// True until the arrival at t = 0 is taken.
    at_start: bool,
    last: SimTime,
}

impl ArrivalClock {
    /// `process` and `envelope` must be valid.
    pub(super) fn new(process: &ArrivalProcess, envelope: Option<&DiurnalEnvelope>, stream: Stream) -> Self {
        Self {
            gaps: Gaps::new(process),
            rate: process.rate(),
            envelope: envelope.map(Rescaling::new),
            stream,
            elapsed: 0.0,
            at_start: matches!(process, ArrivalProcess::Constant { .. }),
            last: SimTime::ZERO,
        }
    }

    /// The next arrival; `None` if it is beyond the range of simulated time.
    pub(super) fn next_arrival(&mut self) -> Option<SimTime> {
        if self.at_start {
            self.at_start = false;
            return Some(SimTime::ZERO);
        }
        self.elapsed += self.gaps.draw(&mut self.stream);
        let at_mean_rate = self.elapsed / self.rate;
        let seconds = self.envelope.map_or(at_mean_rate, |envelope| envelope.invert(at_mean_rate));
        // The inversion is exact to a fraction of a nanosecond: if two arrivals are closer than that, the second takes the time of the first.
        self.last = nearest_ns(seconds)?.max(self.last);
        Some(self.last)
    }
}

/// Seconds to the nearest nanosecond; `None` outside the range of simulated time.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "range checked")]
fn nearest_ns(seconds: f64) -> Option<SimTime> {
    let ns = (seconds * 1e9).round();
    (0.0..9.2e18).contains(&ns).then_some(SimTime::from_ns(ns as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Purpose, SimDuration, Streams};

    fn clock(process: ArrivalProcess, envelope: Option<DiurnalEnvelope>, seed: u64) -> ArrivalClock {
        ArrivalClock::new(&process, envelope.as_ref(), Streams::new(seed).stream(Purpose::Arrivals, 0))
    }

    /// Mean and coefficient of variation of `n` gaps, seconds.
    fn gaps(process: ArrivalProcess, n: u32) -> (f64, f64) {
        let mut clock = clock(process, None, 7);
        let (mut last, mut sum, mut squares) = (clock.next_arrival().unwrap(), 0.0, 0.0);
        for _ in 0..n {
            let at = clock.next_arrival().unwrap();
            let gap = at.since(last).as_secs_f64();
            (last, sum, squares) = (at, sum + gap, squares + gap * gap);
        }
        let mean = sum / f64::from(n);
        (mean, (squares / f64::from(n) - mean * mean).sqrt() / mean)
    }

    #[test]
    fn constant_arrivals_start_at_zero_and_do_not_drift() {
        let mut clock = clock(ArrivalProcess::Constant { rate: 3.0 }, None, 1);
        assert_eq!(clock.next_arrival(), Some(SimTime::ZERO));
        assert_eq!(clock.next_arrival(), Some(SimTime::from_ns(333_333_333)));
        assert_eq!(clock.next_arrival(), Some(SimTime::from_ns(666_666_667)));
        let millionth = (3..=1_000_000).map(|_| clock.next_arrival().unwrap()).last();
        assert_eq!(millionth, Some(SimTime::from_ns(333_333_333_333_333)));
    }

    #[test]
    fn rates_and_burstiness_match_the_parameters() {
        let n = 300_000;
        for (process, cv) in [
            (ArrivalProcess::Poisson { rate: 5.0 }, 1.0),
            (ArrivalProcess::Gamma { rate: 0.2, cv: 0.5 }, 0.5),
            (ArrivalProcess::Gamma { rate: 100.0, cv: 3.0 }, 3.0),
            (ArrivalProcess::Weibull { rate: 5.0, cv: 0.4 }, 0.4),
            (ArrivalProcess::Weibull { rate: 5.0, cv: 2.0 }, 2.0),
        ] {
            let (mean, measured_cv) = gaps(process, n);
            // The mean of n gaps has a relative standard error of cv / √n: five of them fail once in 1.7 million correct runs.
            approx::assert_relative_eq!(mean * process.rate(), 1.0, max_relative = 5.0 * cv / f64::from(n).sqrt());
            // Standard error of the cv is below cv · √(kurtosis / 4n); the worst kurtosis here is about 60 (Gamma of cv 3: 3 + 6·9).
            approx::assert_relative_eq!(measured_cv, cv, max_relative = 5.0 * (60.0 / (4.0 * f64::from(n))).sqrt());
        }
    }

    #[test]
    fn the_weibull_shape_is_found_over_the_whole_range() {
        // Shape 1 is the exponential distribution; shape 2 (Rayleigh) has cv √(4/π − 1) = 0.5227; shape 1/2 has cv √5.
        approx::assert_relative_eq!(weibull_shape(1.0), 1.0, max_relative = 1e-12);
        approx::assert_relative_eq!(weibull_shape((4.0 / std::f64::consts::PI - 1.0).sqrt()), 2.0, max_relative = 1e-12);
        approx::assert_relative_eq!(weibull_shape(5.0f64.sqrt()), 0.5, max_relative = 1e-12);
        for cv in [0.01, 0.1, 31.7, 100.0] {
            approx::assert_relative_eq!(weibull_cv(weibull_shape(cv)), cv, max_relative = 1e-9);
        }
    }

    #[test]
    fn the_envelope_keeps_the_mean_rate_and_shifts_arrivals_to_the_peak() {
        let envelope =
            DiurnalEnvelope { amplitude: 0.9, period: SimDuration::from_ns(100_000_000_000), peak: SimDuration::from_ns(25_000_000_000) };
        let mut clock = clock(ArrivalProcess::Constant { rate: 10.0 }, Some(envelope), 1);
        let (mut counts, mut last) = ([0u32; 4], SimTime::ZERO);
        loop {
            let at = clock.next_arrival().unwrap();
            assert!(at >= last);
            last = at;
            if at.as_secs_f64() >= 500.0 {
                break;
            }
            // Quarters of the period: 0..50 s is around the peak at 25 s, 50..100 s around the trough.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 3")]
            let quarter = ((at.as_secs_f64() % 100.0) / 25.0) as usize;
            counts[quarter] += 1;
        }
        // Five periods of 100 s at 10/s on average. By hand: the half around the peak gets 50 + 0.9·100/π = 78.65 s worth of the rate.
        assert!(counts.iter().sum::<u32>().abs_diff(5000) <= 1, "{counts:?}");
        assert!((counts[0] + counts[1]).abs_diff(3932) <= 6, "{counts:?}");
        assert!(counts[0].abs_diff(counts[1]) <= 6, "{counts:?}");
    }

    #[test]
    fn poisson_under_an_envelope_stays_poisson_with_the_mean_rate() {
        let envelope = DiurnalEnvelope { amplitude: 1.0, period: SimDuration::from_ns(1_000_000_000), peak: SimDuration::ZERO };
        let mut clock = clock(ArrivalProcess::Poisson { rate: 50.0 }, Some(envelope), 3);
        let mut counts = vec![0u32; 2000];
        loop {
            let second = usize::try_from(clock.next_arrival().unwrap().ns() / 1_000_000_000).unwrap();
            let Some(count) = counts.get_mut(second) else { break };
            *count += 1;
        }
        // Counts of whole periods are Poisson of mean 50: mean within 5 · √(50/2000), variance ≈ mean within 5 · √(2/2000).
        let mean = counts.iter().map(|&c| f64::from(c)).sum::<f64>() / 2000.0;
        let variance = counts.iter().map(|&c| (f64::from(c) - mean).powi(2)).sum::<f64>() / 2000.0;
        assert!((mean - 50.0).abs() < 0.8, "{mean}");
        assert!((variance / mean - 1.0).abs() < 0.16, "{}", variance / mean);
    }

    /// These times determine every published result: if this test fails, workloads of the same seed have changed.
    #[test]
    fn golden_arrivals() {
        let day = DiurnalEnvelope {
            amplitude: 0.7,
            period: SimDuration::from_ns(86_400_000_000_000),
            peak: SimDuration::from_ns(50_400_000_000_000),
        };
        let third = |process, envelope| {
            let mut clock = clock(process, envelope, 7);
            (0..3).map(|_| clock.next_arrival().unwrap().ns()).last().unwrap()
        };
        let times = [
            third(ArrivalProcess::Poisson { rate: 3.0 }, None),
            third(ArrivalProcess::Gamma { rate: 3.0, cv: 2.5 }, None),
            third(ArrivalProcess::Weibull { rate: 3.0, cv: 2.5 }, None),
            third(ArrivalProcess::Poisson { rate: 3.0 }, Some(day)),
            third(ArrivalProcess::Poisson { rate: 1e-5 }, Some(day)),
        ];
        assert_eq!(times, [473_982_696, 93_240_108, 132_947_600, 1_203_713_915, 142_885_498_713_318]);
    }

    #[test]
    fn an_arrival_beyond_the_range_of_time_is_none() {
        let mut clock = clock(ArrivalProcess::Poisson { rate: 1e-6 }, None, 1);
        clock.elapsed = 1e5;
        assert_eq!(clock.next_arrival(), None);
    }

    #[test]
    fn invalid_parameters_are_rejected() {
        assert!(ArrivalProcess::Gamma { rate: 5.0, cv: 1.0 }.validate().is_empty());
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(ArrivalProcess::Poisson { rate }.validate().len(), 1, "{rate}");
        }
        assert_eq!(ArrivalProcess::Weibull { rate: 0.0, cv: 0.0 }.validate().len(), 2);
    }
}
