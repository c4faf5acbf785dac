//! The work of an iteration, as sums only, so that its description costs O(1) whatever the batch.

use crate::units::{first_where, nearest, nearest_wide};

/// The work of one iteration of one instance, as sums over the sequences in the batch.
///
/// "Pairs" are (query, key) pairs under the causal mask: a chunk of `n` new tokens after `p` already cached has
/// `n·p + n·(n+1)/2` of them. The windowed sums cap each query's keys at the model's sliding window and equal the plain
/// ones if there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchShape {
    /// Prompt tokens computed in this iteration.
    pub prefill_tokens: u64,
    /// Number of prefill chunks, one per sequence.
    pub prefill_sequences: u32,
    /// Chunks that complete their prompt and so need logits.
    pub prefill_completions: u32,
    /// Attention pairs of the prefill chunks.
    pub prefill_pairs: u64,
    /// Attention pairs under the sliding window.
    pub prefill_windowed_pairs: u64,
    /// KV tokens read by the prefill chunks: Σ (p + n).
    pub prefill_context: u64,
    /// The same under the sliding window: Σ (min(p, w) + n).
    pub prefill_windowed_context: u64,
    /// Sequences that generate one token each.
    pub decode_sequences: u32,
    /// KV tokens of these sequences, the ones being computed included.
    pub decode_context: u64,
    /// KV tokens with each sequence capped at the sliding window.
    pub decode_windowed_context: u64,
}

impl BatchShape {
    /// Tokens that pass through the linear layers.
    pub const fn tokens(&self) -> u64 {
        self.prefill_tokens + self.decode_sequences as u64
    }
    /// True if there is nothing to compute.
    pub const fn is_empty(&self) -> bool {
        self.tokens() == 0
    }
    /// The decode part alone.
    #[must_use]
    pub fn decode_only(&self) -> Self {
        Self {
            decode_sequences: self.decode_sequences,
            decode_context: self.decode_context,
            decode_windowed_context: self.decode_windowed_context,
            ..Self::default()
        }
    }
}

/// The cost of an iteration on the whole instance (all its chips together).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct IterationCost {
    /// Wall time, nanoseconds, > 0 for a batch that is not empty.
    pub duration_ns: f64,
    /// Time of the arithmetic at the chips' dense peaks, nanoseconds: MFU = `compute_ns / duration_ns`.
    pub compute_ns: f64,
    /// Time of the memory traffic at peak bandwidth, nanoseconds: MBU = `memory_ns / duration_ns`.
    pub memory_ns: f64,
    /// Arithmetic, FLOPs.
    pub flops: f64,
    /// Bytes moved to and from the chips' memory.
    pub memory_bytes: f64,
    /// Bytes each chip sends over the scale-up link.
    pub link_bytes: f64,
    /// Share of the duration caused by prefill, 0 to 1.
    pub prefill_share: f64,
}

/// A quantity that changes by the same amount from one iteration to the next: `first + n · step` in iteration `n`, from 0.
///
/// With `first` and `step` not negative, all three forms never decrease in `n`: each is a sum of products that grow with `n`, and rounding
/// is monotonic.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Line {
    /// Value in iteration 0.
    pub first: f64,
    /// Increase per iteration.
    pub step: f64,
}

impl Line {
    /// Value in iteration `n`.
    #[inline]
    pub fn value(&self, n: u64) -> f64 {
        self.first + n as f64 * self.step
    }

    /// Value in iteration `n`, to the nearest whole number.
    #[inline]
    pub fn at(&self, n: u64) -> u64 {
        nearest(self.value(n))
    }

    /// Sum over the iterations before `n`: `n·first + n·(n−1)/2·step`.
    #[inline]
    pub fn sum(&self, n: u64) -> f64 {
        let n = n as f64;
        n * self.first + 0.5 * n * (n - 1.0) * self.step
    }
}

/// A run of decode iterations of one unchanged batch. Iteration `j` (from 0) costs `first + j · step`, for `j < iterations`; neither is
/// negative.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DecodeRun {
    /// Cost of iteration 0.
    pub first: IterationCost,
    /// Increase of each cost from one iteration to the next; its `prefill_share` is unused.
    pub step: IterationCost,
    /// Number of iterations for which this line holds, at least 1.
    pub iterations: u64,
}

impl DecodeRun {
    /// Durations of the iterations, nanoseconds.
    pub const fn durations(&self) -> Line {
        Line { first: self.first.duration_ns, step: self.step.duration_ns }
    }

    /// `compute_ns` of the iterations.
    pub const fn compute(&self) -> Line {
        Line { first: self.first.compute_ns, step: self.step.compute_ns }
    }

    /// `memory_ns` of the iterations.
    pub const fn memory(&self) -> Line {
        Line { first: self.first.memory_ns, step: self.step.memory_ns }
    }

    /// The lines that determine the sums of the run.
    pub const fn lines(&self) -> RunLines {
        RunLines { durations: self.durations(), compute: self.compute(), memory: self.memory() }
    }
}

/// Sums over the first `n` iterations of a [`DecodeRun`]: closed forms of `n`, rounded once, 0 at `n = 0` and never decreasing. The amount
/// between two boundaries is the difference of two such sums, so amounts add up exactly however a run is cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunLines {
    /// Durations of the iterations, nanoseconds.
    pub durations: Line,
    /// `compute_ns` of the iterations.
    pub compute: Line,
    /// `memory_ns` of the iterations.
    pub memory: Line,
}

impl RunLines {
    /// Nanoseconds from the start of the run to the end of its first `n` iterations: `round(F(n))` with
    /// `F(n) = n·first + n·(n−1)/2·step`.
    pub fn elapsed_ns(&self, n: u64) -> u64 {
        nearest(self.durations.sum(n))
    }

    /// The largest `n` of `low..=high` with `elapsed_ns(n) ≤ ns`, which must hold at `low`.
    pub fn iterations_within(&self, ns: u64, low: u64, high: u64) -> u64 {
        // The positive root of step/2 · n² + (first − step/2) · n − ns, in the form that does not cancel.
        let Line { first, step } = self.durations;
        let linear = first - 0.5 * step;
        let root = 2.0 * ns as f64 / (linear + (linear * linear + 2.0 * step * ns as f64).sqrt());
        first_where(root + 1.0, low + 1, high + 1, |n| self.elapsed_ns(n) > ns) - 1
    }

    /// The gap between tokens in iteration `n`, to the nearest nanosecond. Differences of [`elapsed_ns`](Self::elapsed_ns) alternate by one
    /// around it; this one never decreases, so equal gaps stay adjacent.
    pub fn gap_ns(&self, n: u64) -> u64 {
        self.durations.at(n)
    }

    /// Arithmetic of the first `n` iterations, as time at the chips' peaks, nanoseconds: `round(n·first + n·(n−1)/2·step)`.
    pub fn compute_ns(&self, n: u64) -> u128 {
        nearest_wide(self.compute.sum(n))
    }

    /// Memory traffic of the first `n` iterations, as time at peak bandwidth, nanoseconds.
    pub fn memory_ns(&self, n: u64) -> u128 {
        nearest_wide(self.memory.sum(n))
    }

    /// Sum of the squares of the first `n` gaps, ns²: with `T = elapsed_ns(n)`, `round(T²/n + step²·n·(n²−1)/12)`.
    ///
    /// It is `Σ f(k)²` over gaps on a line of slope `step` that add up to `T`, not to `F(n)`. Squares and sum must belong to the same gaps:
    /// half a nanosecond more in the sum alone would give a hundred equal gaps of 20 ms a standard deviation of 450 ns.
    pub fn squared_gaps(&self, n: u64) -> u128 {
        self.squared_gaps_in(n, self.elapsed_ns(n))
    }

    /// As [`Self::squared_gaps`], where `elapsed = elapsed_ns(n)` is known.
    pub fn squared_gaps_in(&self, n: u64, elapsed: u64) -> u128 {
        if n <= 1 {
            return if n == 0 { 0 } else { u128::from(elapsed) * u128::from(elapsed) };
        }
        let (n, elapsed, step) = (n as f64, elapsed as f64, self.durations.step);
        nearest_wide(elapsed * elapsed / n + step * step * (n * (n * n - 1.0) / 12.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(first: f64, step: f64) -> DecodeRun {
        let cost = |ns: f64| IterationCost { duration_ns: ns, compute_ns: 0.1 * ns, memory_ns: 0.7 * ns, ..IterationCost::default() };
        DecodeRun { first: cost(first), step: cost(step), iterations: 1 << 24 }
    }

    /// Population standard deviation of `n` gaps, ns.
    fn std(n: u64, sum: u64, squares: u128) -> f64 {
        let (count, sum) = (u128::from(n), u128::from(sum));
        ((squares * count).saturating_sub(sum * sum) as f64).sqrt() / n as f64
    }

    #[test]
    fn sums_of_a_line_agree_with_arithmetic_by_hand() {
        // 10, 13, 16, 19 ns: 58; squares 100 + 169 + 256 + 361 = 886; a tenth is 5.8, seven tenths 40.6.
        let run = run(10.0, 3.0);
        assert_eq!(
            (run.lines().elapsed_ns(4), run.lines().squared_gaps(4), run.lines().compute_ns(4), run.lines().memory_ns(4)),
            (58, 886, 6, 41)
        );
        assert_eq!([0, 1, 2, 3].map(|n| run.lines().gap_ns(n)), [10, 13, 16, 19]);
        assert_eq!(
            (run.lines().elapsed_ns(0), run.lines().squared_gaps(0), run.lines().compute_ns(0), run.lines().memory_ns(0)),
            (0, 0, 0, 0)
        );
    }

    #[test]
    fn one_gap_squares_exactly_and_squares_of_many_outgrow_64_bits() {
        assert_eq!(run(3_000_000_001.4, 0.0).lines().squared_gaps(1), 3_000_000_001 * 3_000_000_001);
        // A million of a thousand seconds: 33 years.
        approx::assert_relative_eq!(run(1e12, 1.0).lines().squared_gaps(1 << 20) as f64, 1.048_576e30, max_relative = 1e-5);
    }

    #[test]
    fn equal_fractional_gaps_have_almost_no_spread() {
        // A plain Σ f² next to a rounded sum would show 450 ns.
        let run = run(20_000_000.005, 0.0);
        assert!(std(100, run.lines().elapsed_ns(100), run.lines().squared_gaps(100)) < 1.0);
    }

    proptest! {
        #[test]
        fn forms_never_decrease_and_equal_their_sums(first in 1.0f64..1e9, step in prop_oneof![Just(0.0), 0.0f64..1e5], n in 0u64..5000) {
            let run = run(first, step);
            let forms = |n| [run.lines().elapsed_ns(n).into(), run.lines().compute_ns(n), run.lines().memory_ns(n), run.lines().squared_gaps(n)];
            for (before, after) in forms(n).into_iter().zip(forms(n + 1)) {
                prop_assert!(before <= after);
            }
            let sum = |of: &dyn Fn(f64) -> f64| (0..n).map(|k| of(run.durations().value(k))).sum::<f64>();
            for (form, sum) in forms(n).into_iter().zip([sum(&|d| d), sum(&|d| 0.1 * d), sum(&|d| 0.7 * d)]) {
                prop_assert!((form as f64 - sum).abs() <= 0.5 + 1e-11 * sum);
            }
            // The squares are of gaps that add up to whole nanoseconds: half a nanosecond more or less, times the mean gap, twice.
            let squares = sum(&|d| d * d);
            let mean = run.durations().value(n);
            prop_assert!((run.lines().squared_gaps(n) as f64 - squares).abs() <= 1.0 + mean + 1e-10 * squares);
        }

        #[test]
        fn a_run_is_inverted_at_every_boundary(first in 1.0f64..1e6, step in prop_oneof![Just(0.0), 0.0f64..1e3], n in 1u64..5000, more in 0u64..100) {
            let run = run(first, step);
            let end = run.lines().elapsed_ns(n);
            prop_assert_eq!(run.lines().iterations_within(end, 0, n + more).max(n), run.lines().iterations_within(end, 0, n + more));
            prop_assert!(run.lines().elapsed_ns(run.lines().iterations_within(end, 0, n + more)) <= end);
            prop_assert!(run.lines().iterations_within(end - 1, 0, n + more) < n || run.lines().elapsed_ns(n - 1) == end);
            prop_assert_eq!(run.lines().iterations_within(u64::MAX / 4, 0, n), n);
        }

        #[test]
        fn squares_grow_far_out_and_from_the_shortest_gaps(first in 1.0f64..4.0, step in prop_oneof![Just(0.0), 0.0f64..1e-3], n in 0u64..1 << 24) {
            let run = run(first, step);
            prop_assert!(run.lines().squared_gaps(n) <= run.lines().squared_gaps(n + 1));
            prop_assert!(run.lines().gap_ns(n) <= run.lines().gap_ns(n + 1));
        }

        #[test]
        fn a_part_of_a_run_has_the_spread_of_its_gaps(first in 1e5f64..1e8, step in 0.0f64..1e3, from in 0u64..2000, n in 2u64..500) {
            let run = run(first, step);
            let (sum, squares) =
                (run.lines().elapsed_ns(from + n) - run.lines().elapsed_ns(from), run.lines().squared_gaps(from + n) - run.lines().squared_gaps(from));
            let exact = step * ((n * n - 1) as f64 / 12.0).sqrt();
            let off = step * (from + n) as f64;
            prop_assert!((std(n, sum, squares) - exact).abs() <= 20.0 + off.sqrt() * 2.0 + 1e-3 * exact, "{} {}", std(n, sum, squares), exact);
        }
    }
}
