//! Consecutive iterations of one instance with one unchanged batch, reported to an observer as one observation.
//!
//! Every sum over iterations is a closed form of their number, rounded at the boundaries between iterations. The amount between two
//! boundaries is a difference, so the sums do not depend on where segments begin and end: stepping through a run gives the same sums as
//! passing over it.

use std::ops::Sub;

use super::ids::{InstanceId, PoolId};
use crate::perf::{Line, RunLines};
use crate::power::{Energy, RunPower};
use crate::sim::{SimDuration, SimTime};
use crate::units::nearest_wide;
use crate::workload::ClassId;

/// Sequences of one workload in a decode batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Members {
    /// The workload.
    pub class: ClassId,
    /// Sequences.
    pub count: u32,
    /// Sequences for which the gap before their token is the first iteration of the segment. A sequence that has just joined is excluded,
    /// because its gap began with its last token and is reported on its own; so is one that has timed out.
    pub on_time: u32,
}

/// The work of a segment, and how much of it is done at each boundary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Work {
    /// One iteration: any batch.
    Single,
    /// Iterations of a run of a decode-only batch.
    Run { start: SimTime, cost: RunLines, power: RunPower },
}

/// KV blocks held while the iterations run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KvBlocks<'a> {
    /// Held throughout.
    pub(crate) base: u64,
    /// Sequences of the batch, each of which takes one block in a turn of the block size.
    pub(crate) sequences: u32,
    /// Blocks taken since the run began by iteration 0, 1, … of its first turn; empty if no blocks are taken.
    pub(crate) turn: &'a [u32],
    /// Blocks reserved for handoffs while the iterations run, which are reported on their own.
    pub(crate) reserved: u64,
}

impl<'a> KvBlocks<'a> {
    /// Blocks that a batch of `sequences` takes from the start of its run.
    pub(crate) const fn of_run(sequences: u32, turn: &'a [u32]) -> Self {
        Self { base: 0, sequences, turn, reserved: 0 }
    }

    /// A constant number of blocks.
    pub(crate) const fn constant(base: u64) -> Self {
        Self { base, sequences: 0, turn: &[], reserved: 0 }
    }

    /// Turns before iteration `n`, and its place in its turn. `None` if no blocks are taken.
    fn place(&self, n: u64) -> Option<(u64, usize)> {
        let length = self.turn.len() as u64;
        Some((n.checked_div(length)?, below(n % length)))
    }

    /// Blocks taken by the batch from iteration 0 to iteration `n`.
    pub(crate) fn taken(&self, n: u64) -> u64 {
        self.place(n).map_or(0, |(turns, place)| turns * u64::from(self.sequences) + u64::from(self.turn[place]))
    }

    /// Time integral of the blocks taken during the first `n` iterations, in block-nanoseconds.
    pub(crate) fn taken_ns(&self, durations: &Line, n: u64) -> u128 {
        self.place(n).map_or(0, |(turns, place)| nearest_wide(self.taken_for(durations, turns as f64, place)))
    }

    /// The same for `turns` whole turns and the first `place` iterations of the next, rounded at the end only: `Σ taken(k) · f(k)` for
    /// durations `f(k) = a + b·k`.
    ///
    /// Over one turn of `S` iterations every one of the `m` sequences takes one block, so `taken(S·t + r) = m·t + v(r)`. With `V = Σ v(r)`
    /// and `W = Σ r·v(r)` over a turn, turn `t` adds `(a + b·S·t)·(m·t·S + V) + b·(m·t·S(S−1)/2 + W)`, a polynomial in `t`; the last turn
    /// adds the same with sums over its first iterations.
    fn taken_for(&self, durations: &Line, turns: f64, place: usize) -> f64 {
        let whole = self.turn.len();
        let (Line { first, step }, members, length) = (*durations, f64::from(self.sequences), whole as f64);
        // Sum over the first iterations of turn `number`.
        let turn = |place: usize, (blocks, weighted): (f64, f64), number: f64| {
            let (iterations, taken) = (place as f64, members * number);
            let start = first + step * length * number;
            start * (taken * iterations + blocks) + step * (taken * iterations * (iterations - 1.0) * 0.5 + weighted)
        };
        let last = turn(place, self.sums(place), turns);
        if turns < 1.0 {
            return last;
        }
        let (pairs, pyramid) = (turns * (turns - 1.0) * 0.5, (turns - 1.0) * turns * (2.0 * turns - 1.0) / 6.0);
        let sums = self.sums(whole);
        let slope = first * members * length + step * length * sums.0 + step * members * length * (length - 1.0) * 0.5;
        last + (turn(whole, sums, 0.0) * turns + slope * pairs + step * length * members * length * pyramid)
    }

    /// Blocks taken, summed over the first iterations of a turn, and the same weighted by the number of the iteration.
    fn sums(&self, iterations: usize) -> (f64, f64) {
        let (mut blocks, mut weighted) = (0, 0);
        for (number, &taken) in (0u32..).zip(&self.turn[..iterations]) {
            blocks += u64::from(taken);
            weighted += u64::from(number) * u64::from(taken);
        }
        (blocks as f64, weighted as f64)
    }
}

/// A number below a length in memory.
#[expect(clippy::cast_possible_truncation, reason = "below a length in memory")]
const fn below(n: u64) -> usize {
    n as usize
}

/// Sums over iterations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) span_ns: u64,
    pub(crate) energy: Energy,
    pub(crate) compute_ns: u128,
    pub(crate) memory_ns: u128,
    pub(crate) squared_gaps: u128,
    /// Blocks taken by the batch since the run began, times nanoseconds; in a segment, only over iterations whose gauges belong to it.
    pub(crate) taken_ns: u128,
}

impl Sub for Sums {
    type Output = Self;
    /// The sums between two boundaries, from those up to each; `other` is the earlier one.
    fn sub(self, other: Self) -> Self {
        Self {
            span_ns: self.span_ns - other.span_ns,
            energy: self.energy - other.energy,
            compute_ns: self.compute_ns - other.compute_ns,
            memory_ns: self.memory_ns - other.memory_ns,
            squared_gaps: self.squared_gaps - other.squared_gaps,
            taken_ns: self.taken_ns.saturating_sub(other.taken_ns),
        }
    }
}

/// Iterations `first..end` of an instance, numbered from the start of their run, and their sums.
#[derive(Debug, Clone, Copy)]
pub struct RunSegment<'a> {
    /// The pool of the instance.
    pub pool: PoolId,
    /// The instance.
    pub instance: InstanceId,
    /// Prompt tokens computed; 0 in a segment of several iterations.
    pub prefill_tokens: u64,
    /// Share of the duration caused by prefill, 0 to 1.
    pub prefill_share: f64,
    /// Sequences that generate a token in each iteration; 0 for an iteration cut off at the end of the run.
    pub decode_sequences: u32,
    /// Tokens that leave in each iteration: decode and first tokens, except those of requests that timed out before its end.
    pub tokens_out: u64,
    /// Sequences in the batch.
    pub running: u64,
    /// Decode sequences by workload, in order; workloads without any are left out.
    pub members: &'a [Members],
    pub(crate) first: u64,
    pub(crate) end: u64,
    /// Start of the first iteration and end of the last.
    pub(crate) span: [SimTime; 2],
    /// First iteration whose gauges belong to this segment; those of earlier ones are reported on their own.
    pub(crate) gauged_from: u64,
    /// Duration of the iterations from `gauged_from`, ns.
    pub(crate) gauged_ns: u64,
    pub(crate) work: Work,
    pub(crate) kv: KvBlocks<'a>,
    /// Sums over all iterations of the segment, kept because they are nearly always read.
    pub(crate) sums: Sums,
}

impl RunSegment<'_> {
    /// Number of the first iteration.
    pub const fn first(&self) -> u64 {
        self.first
    }
    /// Number of the iteration after the last.
    pub const fn end(&self) -> u64 {
        self.end
    }
    /// Iterations, at least 1.
    pub const fn iterations(&self) -> u64 {
        self.end - self.first
    }
    /// First iteration whose gauges belong to this segment; those of earlier ones are reported on their own.
    pub const fn gauged_from(&self) -> u64 {
        self.gauged_from
    }

    /// Start of iteration `n`, which is the end of the one before.
    pub fn boundary(&self, n: u64) -> SimTime {
        let [begin, end] = self.span;
        match self.work {
            _ if n == self.first => begin,
            _ if n == self.end => end,
            Work::Single => end,
            Work::Run { start, ref cost, .. } => start + SimDuration::from_ns(cost.elapsed_ns(n)),
        }
    }

    /// End of the range of iterations from `low` that end by `at`; iteration `low` begins by `at`.
    pub fn ended_by(&self, at: SimTime, low: u64) -> u64 {
        match self.work {
            Work::Single => low + u64::from(low < self.end && self.span[1] <= at),
            Work::Run { start, ref cost, .. } => cost.iterations_within(at.since(start).ns(), low, self.end),
        }
    }

    /// The gap between two tokens of a sequence in iteration `n` is `gaps().at(n)`. It never falls.
    pub fn gaps(&self) -> Line {
        match self.work {
            Work::Single => Line { first: self.sums.span_ns as f64, step: 0.0 },
            Work::Run { ref cost, .. } => cost.durations,
        }
    }

    /// True if the range is exactly the iterations whose gauges belong to this segment.
    const fn is_gauged(&self, from: u64, to: u64) -> bool {
        from == self.gauged_from && to == self.end
    }

    const fn is_all(&self, from: u64, to: u64) -> bool {
        from == self.first && to == self.end
    }

    /// Duration of iterations `from..to`, ns.
    #[inline]
    pub fn span_ns(&self, from: u64, to: u64) -> u64 {
        if self.is_all(from, to) {
            return self.sums.span_ns;
        }
        if self.is_gauged(from, to) {
            return self.gauged_ns;
        }
        self.boundary(to).since(self.boundary(from)).ns()
    }

    /// Energy of iterations `from..to`.
    pub fn energy(&self, from: u64, to: u64) -> Energy {
        if self.is_all(from, to) {
            return self.sums.energy;
        }
        match self.work {
            Work::Single => of_single(from, to, self.sums.energy, Energy::ZERO),
            Work::Run { ref cost, ref power, .. } => power.energy(to, cost.elapsed_ns(to)) - power.energy(from, cost.elapsed_ns(from)),
        }
    }

    /// Time that the arithmetic of iterations `from..to` takes at peak, ns.
    pub fn compute_ns(&self, from: u64, to: u64) -> u128 {
        if self.is_all(from, to) {
            return self.sums.compute_ns;
        }
        match self.work {
            Work::Single => of_single(from, to, self.sums.compute_ns, 0),
            Work::Run { ref cost, .. } => cost.compute_ns(to) - cost.compute_ns(from),
        }
    }

    /// Time that the memory traffic of iterations `from..to` takes at peak bandwidth, ns.
    pub fn memory_ns(&self, from: u64, to: u64) -> u128 {
        if self.is_all(from, to) {
            return self.sums.memory_ns;
        }
        match self.work {
            Work::Single => of_single(from, to, self.sums.memory_ns, 0),
            Work::Run { ref cost, .. } => cost.memory_ns(to) - cost.memory_ns(from),
        }
    }

    /// Sum of the squares of the gaps in iterations `from..to`, ns².
    #[inline]
    pub fn squared_gaps(&self, from: u64, to: u64) -> u128 {
        if self.is_all(from, to) {
            return self.sums.squared_gaps;
        }
        match self.work {
            Work::Single => of_single(from, to, self.sums.squared_gaps, 0),
            Work::Run { ref cost, .. } => cost.squared_gaps(to) - cost.squared_gaps(from),
        }
    }

    /// KV blocks held during iteration `n`, except blocks reserved for handoffs since the segment began, which are reported on their own.
    /// Never fewer than in the iteration before.
    pub fn kv_blocks(&self, n: u64) -> u64 {
        self.kv.base + self.kv.taken(n)
    }

    /// Peak of the KV blocks held, reserved ones included: the number at the end.
    pub fn kv_peak(&self) -> u64 {
        self.kv_blocks(self.end - 1) + self.kv.reserved
    }

    /// Time integral of the blocks held, in block-nanoseconds.
    #[inline]
    pub fn kv_block_ns(&self, from: u64, to: u64) -> u128 {
        let taken_ns = if self.is_gauged(from, to) { self.sums.taken_ns } else { self.taken_ns(from, to) };
        u128::from(self.kv.base) * u128::from(self.span_ns(from, to)) + taken_ns
    }

    /// The part of `kv_block_ns` that the batch has taken since the run began.
    fn taken_ns(&self, from: u64, to: u64) -> u128 {
        let gaps = self.gaps();
        self.kv.taken_ns(&gaps, to).saturating_sub(self.kv.taken_ns(&gaps, from))
    }
}

/// Sums of a single iteration between two boundaries: all or nothing.
fn of_single<T>(from: u64, to: u64, all: T, none: T) -> T {
    if from < to { all } else { none }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Blocks and their time integral equal those of a loop over the iterations.
        #[test]
        fn blocks_taken_agree_with_a_loop(wraps in proptest::collection::vec(0u32..9, 1..40), first in 1e3f64..1e8, step in 0.0f64..1e4, n in 0u64..400) {
            let turn: Vec<u32> = (0..wraps.len()).map(|number| wraps[1..=number].iter().sum()).collect();
            let kv = KvBlocks::of_run(wraps.iter().sum(), &turn);
            let line = Line { first, step };
            let (mut blocks, mut integral) = (0u64, 0.0);
            for k in 0..n {
                if k > 0 {
                    blocks += u64::from(wraps[usize::try_from(k).unwrap() % wraps.len()]);
                }
                prop_assert_eq!(kv.taken(k), blocks);
                integral += blocks as f64 * line.value(k);
            }
            let form = kv.taken_ns(&line, n) as f64;
            prop_assert!((form - integral).abs() <= 0.5 + 1e-10 * integral, "{} {}", form, integral);
        }
    }
}
