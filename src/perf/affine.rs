//! Iteration time as a linear function of the batch, from given coefficients: for queueing theory, tests, published α/β fits.

use super::{BatchShape, DecodeRun, IterationCost, PerfError, PerfModel};
use crate::units::Duration;

/// Activity of a chip during a phase, for its power.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Activity {
    /// Fraction of peak arithmetic in use, 0 to 1.
    pub compute: f64,
    /// Fraction of peak memory bandwidth in use, 0 to 1.
    pub memory: f64,
}

/// The duration of an iteration is `base` plus the other four coefficients, each times its count in the batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AffineParameters {
    /// Cost of any iteration.
    pub base: Duration,
    /// Cost of one prompt token.
    pub per_prefill_token: Duration,
    /// Cost of one (query, key) pair of prefill attention.
    pub per_prefill_pair: Duration,
    /// Cost of one decoding sequence.
    pub per_decode_sequence: Duration,
    /// Cost of one KV token of a decoding sequence.
    pub per_decode_context: Duration,
    /// Activity during the prefill share of an iteration.
    pub prefill_activity: Activity,
    /// Activity in the rest.
    pub decode_activity: Activity,
}

/// The affine model. It has no FLOPs and bytes, and reports none.
#[derive(Debug, Clone, PartialEq)]
pub struct Affine {
    /// Nanoseconds.
    base: f64,
    per_prefill_token: f64,
    per_prefill_pair: f64,
    per_decode_sequence: f64,
    per_decode_context: f64,
    prefill: Activity,
    decode: Activity,
}

const NS_PER_S: f64 = 1e9;
/// Limit of a run, so that `n²` stays exact in its closed form.
const LONGEST_RUN: u64 = 1 << 24;

impl Affine {
    /// Checks that the coefficients are not all zero and the activities are fractions.
    pub fn new(parameters: AffineParameters) -> Result<Self, PerfError> {
        let p = parameters;
        let ns = |d: Duration| d.get() * NS_PER_S;
        let coefficients = [p.base, p.per_prefill_token, p.per_prefill_pair, p.per_decode_sequence, p.per_decode_context];
        let sum: f64 = coefficients.into_iter().map(ns).sum();
        if sum <= 0.0 {
            return Err(PerfError::NoTime);
        }
        for (what, activity) in [("prefill_activity", p.prefill_activity), ("decode_activity", p.decode_activity)] {
            for value in [activity.compute, activity.memory] {
                if !(0.0..=1.0).contains(&value) {
                    return Err(PerfError::bad(what, value, "0 to 1"));
                }
            }
        }
        Ok(Self {
            base: ns(p.base),
            per_prefill_token: ns(p.per_prefill_token),
            per_prefill_pair: ns(p.per_prefill_pair),
            per_decode_sequence: ns(p.per_decode_sequence),
            per_decode_context: ns(p.per_decode_context),
            prefill: p.prefill_activity,
            decode: p.decode_activity,
        })
    }

    /// Prefill part and decode part in nanoseconds, without the base and before the floor of one.
    fn parts(&self, batch: &BatchShape) -> (f64, f64) {
        let prefill = self.per_prefill_token * batch.prefill_tokens as f64 + self.per_prefill_pair * batch.prefill_pairs as f64;
        let decode = self.per_decode_sequence * f64::from(batch.decode_sequences) + self.per_decode_context * batch.decode_context as f64;
        (prefill, decode)
    }

    fn cost(&self, duration_ns: f64, prefill_share: f64) -> IterationCost {
        let mix = |p: f64, d: f64| duration_ns * (p * prefill_share + d * (1.0 - prefill_share));
        IterationCost {
            duration_ns,
            compute_ns: mix(self.prefill.compute, self.decode.compute),
            memory_ns: mix(self.prefill.memory, self.decode.memory),
            prefill_share,
            ..IterationCost::default()
        }
    }
}

impl PerfModel for Affine {
    fn iteration(&self, batch: &BatchShape) -> IterationCost {
        if batch.is_empty() {
            return IterationCost::default();
        }
        let (prefill, decode) = self.parts(batch);
        // The base is shared in the same proportion; if nothing else has a cost, in proportion to the tokens.
        let share = if prefill + decode > 0.0 { prefill / (prefill + decode) } else { batch.prefill_tokens as f64 / batch.tokens() as f64 };
        self.cost((self.base + prefill + decode).max(1.0), share)
    }

    fn decode_run(&self, batch: &BatchShape, _windowed_growth: u32) -> DecodeRun {
        let first = self.iteration(batch);
        let (prefill, decode) = self.parts(batch);
        if batch.is_empty() || self.base + prefill + decode < 1.0 {
            // Below the floor of one nanosecond the cost is not on the line.
            return DecodeRun { first, step: IterationCost::default(), iterations: 1 };
        }
        let step = self.cost(self.per_decode_context * f64::from(batch.decode_sequences), 0.0);
        DecodeRun { first, step, iterations: LONGEST_RUN }
    }

    fn provenance(&self) -> String {
        format!(
            "affine: {} ns + {} per prompt token + {} per pair + {} per decoding sequence + {} per KV token",
            self.base, self.per_prefill_token, self.per_prefill_pair, self.per_decode_sequence, self.per_decode_context
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IDLE: Activity = Activity { compute: 0.0, memory: 0.0 };

    fn us(value: f64) -> Duration {
        Duration::new(value * 1e-6).unwrap()
    }

    fn parameters(base: f64, token: f64, pair: f64, sequence: f64, context: f64) -> AffineParameters {
        AffineParameters {
            base: us(base),
            per_prefill_token: us(token),
            per_prefill_pair: us(pair),
            per_decode_sequence: us(sequence),
            per_decode_context: us(context),
            prefill_activity: Activity { compute: 0.6, memory: 0.2 },
            decode_activity: Activity { compute: 0.1, memory: 0.8 },
        }
    }

    #[test]
    fn the_duration_is_the_sum_of_the_five_terms() {
        let affine = Affine::new(parameters(1000.0, 2.0, 0.001, 30.0, 0.01)).unwrap();
        let batch =
            BatchShape { prefill_tokens: 100, prefill_pairs: 5050, decode_sequences: 4, decode_context: 4000, ..BatchShape::default() };
        let cost = affine.iteration(&batch);
        // 1000 + 200 + 5.05 + 120 + 40 µs
        approx::assert_relative_eq!(cost.duration_ns, 1_365_050.0, max_relative = 1e-12);
        let share = 205.05 / 365.05;
        approx::assert_relative_eq!(cost.prefill_share, share, max_relative = 1e-12);
        approx::assert_relative_eq!(cost.compute_ns / cost.duration_ns, 0.6 * share + 0.1 * (1.0 - share), max_relative = 1e-12);
        assert!(affine.iteration(&BatchShape::default()).duration_ns.abs() < f64::EPSILON);
    }

    #[test]
    fn coefficients_that_stop_the_clock_are_refused() {
        let error = Affine::new(parameters(0.0, 0.0, 0.0, 0.0, 0.0)).unwrap_err().to_string();
        assert_eq!(error, "all coefficients are 0, so iterations would take no time; give at least one of them");
        let hot = AffineParameters { prefill_activity: Activity { compute: 1.5, memory: 0.0 }, ..parameters(1.0, 0.0, 0.0, 0.0, 0.0) };
        assert!(Affine::new(hot).unwrap_err().to_string().contains("prefill_activity"));
        // A decode batch that costs nothing by its coefficients still takes a nanosecond.
        let prefill_only = AffineParameters { prefill_activity: IDLE, ..parameters(0.0, 1.0, 0.0, 0.0, 0.0) };
        let run = Affine::new(prefill_only).unwrap().decode_run(&BatchShape { decode_sequences: 1, ..BatchShape::default() }, 0);
        assert_eq!((run.first.duration_ns.to_bits(), run.iterations), (1.0f64.to_bits(), 1));
    }

    proptest! {
        #[test]
        fn a_decode_run_agrees_with_stepping(b in 1u32..512, context in 0u64..1_000_000, j in 0u64..10_000) {
            let affine = Affine::new(parameters(500.0, 1.0, 0.0, 7.0, 0.013)).unwrap();
            let batch = BatchShape { decode_sequences: b, decode_context: context, ..BatchShape::default() };
            let run = affine.decode_run(&batch, b);
            prop_assert_eq!(run.first.duration_ns.to_bits(), affine.iteration(&batch).duration_ns.to_bits());
            let grown = affine.iteration(&BatchShape { decode_context: context + j * u64::from(b), ..batch });
            let line = run.first.duration_ns + j as f64 * run.step.duration_ns;
            prop_assert!((line - grown.duration_ns).abs() <= 1e-9 * grown.duration_ns);
            let memory = run.first.memory_ns + j as f64 * run.step.memory_ns;
            prop_assert!((memory - grown.memory_ns).abs() <= 1e-9 * grown.memory_ns);
        }
    }
}
