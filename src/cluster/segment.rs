//! Consecutive iterations of one instance with one unchanged batch, as an observer hears of them: one observation, however many there are.
//!
//! Everything an iteration adds up to is a closed form of how many are done, rounded at the boundaries between iterations. The amount
//! between two boundaries is a difference, so that it does not matter where segments begin and end: stepping through a run gives the
//! same sums as passing over it.

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
    /// Those for whose token the first iteration of the segment is the gap. The gap of a sequence that has just joined began when its last
    /// token left and is an observation of its own; a sequence whose client has left has none.
    pub on_time: u32,
}

/// What is done in a segment, and at which boundary how much of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Work {
    /// One iteration: any batch.
    Single,
    /// Iterations of a run of a batch that only decodes.
    Run { start: SimTime, cost: RunLines, power: RunPower },
}

/// KV blocks that are held while the iterations run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KvBlocks<'a> {
    /// Held all the time.
    pub(crate) base: u64,
    /// Sequences of the batch, each of which takes a block every `taken.len()` iterations.
    pub(crate) sequences: u32,
    /// Blocks taken since the run began, in its iteration 0, 1, …; empty if none are.
    pub(crate) taken: &'a [u32],
    /// Sums over all of these.
    pub(crate) turn: Prefix,
    /// Blocks reserved for handoffs while the iterations run, which are observations of their own.
    pub(crate) reserved: u64,
}

impl<'a> KvBlocks<'a> {
    /// What a batch of so many sequences takes from the start of its run on.
    pub(crate) const fn of_run(sequences: u32, taken: &'a [u32], turn: Prefix) -> Self {
        Self { base: 0, sequences, taken, turn, reserved: 0 }
    }

    /// No blocks are taken: those held are held all the time.
    pub(crate) const fn constant(base: u64) -> Self {
        Self { base, sequences: 0, taken: &[], turn: Prefix { length: 0, blocks: 0, weighted: 0 }, reserved: 0 }
    }

    /// Blocks taken by the batch between iteration 0 and `n`.
    pub(crate) fn taken(&self, n: u64) -> u64 {
        let turn = self.taken.len() as u64;
        n.checked_div(turn).map_or(0, |turns| turns * u64::from(self.sequences) + u64::from(self.taken[place(n, self.taken.len())]))
    }

    /// Blocks times nanoseconds of what is taken during the first `n` iterations.
    pub(crate) fn taken_ns(&self, durations: &Line, n: u64) -> u128 {
        if self.taken.is_empty() {
            return 0;
        }
        let mut part = Prefix::default();
        self.taken[..place(n, self.taken.len())].iter().for_each(|&taken| part.push(taken));
        taken_ns(durations, self.sequences, [self.turn, part], n)
    }
}

/// Sums over the first residues of a turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Prefix {
    /// How many residues.
    pub(crate) length: u32,
    /// Blocks taken by then, and the same times the residue.
    pub(crate) blocks: u64,
    pub(crate) weighted: u64,
}

impl Prefix {
    /// One residue more, by which `taken` blocks have been taken.
    pub(crate) fn push(&mut self, taken: u32) {
        self.blocks += u64::from(taken);
        self.weighted += u64::from(taken) * u64::from(self.length);
        self.length += 1;
    }
}

/// Blocks times nanoseconds of what a batch of `m` sequences takes during the first `n` iterations of a run: `Σ taken(k) · f(k)` for durations
/// `f(k) = a + b·k`.
///
/// Over one turn of `S` iterations every sequence takes one block, so `taken(S·t + r) = m·t + v(r)`. With `V = Σ v(r)` and `W = Σ r·v(r)` over
/// a turn, turn `t` adds `(a + b·S·t)·(m·t·S + V) + b·(m·t·S(S−1)/2 + W)`, a polynomial in `t`; the last turn, of `s` iterations, adds the
/// same with sums over `s` residues.
pub(crate) fn taken_ns(durations: &Line, sequences: u32, [whole, part]: [Prefix; 2], n: u64) -> u128 {
    let Some(turns) = n.checked_div(u64::from(whole.length)) else { return 0 };
    let (Line { first, step }, members, length) = (*durations, f64::from(sequences), f64::from(whole.length));
    // Of the residues of `prefix` in turn `number`.
    let turn = |prefix: Prefix, number: f64| {
        let (residues, taken) = (f64::from(prefix.length), members * number);
        let start = first + step * length * number;
        start * (taken * residues + prefix.blocks as f64) + step * (taken * residues * (residues - 1.0) * 0.5 + prefix.weighted as f64)
    };
    let count = turns as f64;
    let mut sum = turn(part, count);
    if turns > 0 {
        let (pairs, pyramid) = (count * (count - 1.0) * 0.5, (count - 1.0) * count * (2.0 * count - 1.0) / 6.0);
        let slope = first * members * length + step * length * whole.blocks as f64 + step * members * length * (length - 1.0) * 0.5;
        sum += turn(whole, 0.0) * count + slope * pairs + step * length * members * length * pyramid;
    }
    nearest_wide(sum)
}

/// Position of `n` in turns of `length` (≥ 1).
#[expect(clippy::cast_possible_truncation, reason = "less than a length in memory")]
fn place(n: u64, length: usize) -> usize {
    (n % length as u64) as usize
}

/// What iterations add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) span_ns: u64,
    pub(crate) energy: Energy,
    pub(crate) compute_ns: u128,
    pub(crate) memory_ns: u128,
    pub(crate) squared_gaps: u128,
    /// Blocks that the batch has taken since the run began, times nanoseconds; in a segment, of the iterations whose gauges are part of it.
    pub(crate) taken_ns: u128,
}

impl Sub for Sums {
    type Output = Self;
    /// Of sums up to two boundaries, `other` the earlier one: what lies between.
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

/// Iterations `first` to before `end` of an instance, numbered from the start of their run, and their sums.
#[derive(Debug, Clone, Copy)]
pub struct RunSegment<'a> {
    /// Whose.
    pub pool: PoolId,
    /// Whose.
    pub instance: InstanceId,
    /// Prompt tokens computed; 0 in a segment of several iterations.
    pub prefill_tokens: u64,
    /// Fraction of the duration that prefill causes, 0 to 1.
    pub prefill_share: f64,
    /// Sequences that generate a token in each iteration; 0 for an iteration that the end of the run cuts off.
    pub decode_sequences: u32,
    /// Tokens that leave in each iteration: those of the decode sequences and first tokens, but for clients who have left before its end.
    pub tokens_out: u64,
    /// Sequences in the batch.
    pub running: u64,
    /// The decode sequences by workload, those that have any, in order.
    pub members: &'a [Members],
    pub(crate) first: u64,
    pub(crate) end: u64,
    /// When the first begins and the last ends.
    pub(crate) span: [SimTime; 2],
    /// The gauges of earlier iterations are an observation of their own.
    pub(crate) gauged_from: u64,
    /// Duration of the others, ns.
    pub(crate) gauged_ns: u64,
    pub(crate) work: Work,
    pub(crate) kv: KvBlocks<'a>,
    /// Of all its iterations: what is nearly always read.
    pub(crate) sums: Sums,
}

impl RunSegment<'_> {
    /// Number of the first iteration.
    pub const fn first(&self) -> u64 {
        self.first
    }
    /// Number after that of the last iteration.
    pub const fn end(&self) -> u64 {
        self.end
    }
    /// Iterations, at least 1.
    pub const fn iterations(&self) -> u64 {
        self.end - self.first
    }
    /// Number of the first iteration whose gauges are part of this segment; those of earlier ones are an observation of their own.
    pub const fn gauged_from(&self) -> u64 {
        self.gauged_from
    }

    /// Begin of iteration `n`, which is the end of the one before.
    pub fn boundary(&self, n: u64) -> SimTime {
        let [begin, end] = self.span;
        match self.work {
            _ if n == self.first => begin,
            _ if n == self.end => end,
            Work::Single => end,
            Work::Run { start, ref cost, .. } => start + SimDuration::from_ns(cost.elapsed_ns(n)),
        }
    }

    /// Of the iterations from `low`, which begins by `at`: the number after that of the last that ends by `at`.
    pub fn ended_by(&self, at: SimTime, low: u64) -> u64 {
        match self.work {
            Work::Single => low + u64::from(low < self.end && self.span[1] <= at),
            Work::Run { start, ref cost, .. } => cost.iterations_within(at.since(start).ns(), low, self.end),
        }
    }

    /// The gap between two tokens of a sequence that iteration `n` makes is `gaps().at(n)`. It never falls.
    pub fn gaps(&self) -> Line {
        match self.work {
            Work::Single => Line { first: self.sums.span_ns as f64, step: 0.0 },
            Work::Run { ref cost, .. } => cost.durations,
        }
    }

    /// True of the iterations whose gauges are part of this segment.
    const fn is_gauged(&self, from: u64, to: u64) -> bool {
        from == self.gauged_from && to == self.end
    }

    const fn is_all(&self, from: u64, to: u64) -> bool {
        from == self.first && to == self.end
    }

    /// Duration of the iterations `from` to before `to`, ns.
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

    /// Energy of the iterations `from` to before `to`.
    pub fn energy(&self, from: u64, to: u64) -> Energy {
        if self.is_all(from, to) {
            return self.sums.energy;
        }
        match self.work {
            Work::Single => of_single(from, to, self.sums.energy, Energy::ZERO),
            Work::Run { ref cost, ref power, .. } => power.energy(to, cost.elapsed_ns(to)) - power.energy(from, cost.elapsed_ns(from)),
        }
    }

    /// Time that their arithmetic takes at peak, ns.
    pub fn compute_ns(&self, from: u64, to: u64) -> u128 {
        if self.is_all(from, to) {
            return self.sums.compute_ns;
        }
        match self.work {
            Work::Single => of_single(from, to, self.sums.compute_ns, 0),
            Work::Run { ref cost, .. } => cost.compute_ns(to) - cost.compute_ns(from),
        }
    }

    /// Time that their memory traffic takes at peak bandwidth, ns.
    pub fn memory_ns(&self, from: u64, to: u64) -> u128 {
        if self.is_all(from, to) {
            return self.sums.memory_ns;
        }
        match self.work {
            Work::Single => of_single(from, to, self.sums.memory_ns, 0),
            Work::Run { ref cost, .. } => cost.memory_ns(to) - cost.memory_ns(from),
        }
    }

    /// Sum of the squares of their gaps, ns².
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

    /// KV blocks held during iteration `n`, without those that have been reserved for handoffs since the segment began, which are observations
    /// of their own. Never fewer than in the iteration before.
    pub fn kv_blocks(&self, n: u64) -> u64 {
        self.kv.base + self.kv.taken(n)
    }

    /// Most KV blocks held at once, reserved ones among them: those at the end.
    pub fn kv_peak(&self) -> u64 {
        self.kv_blocks(self.end - 1) + self.kv.reserved
    }

    /// Blocks held, times nanoseconds.
    #[inline]
    pub fn kv_block_ns(&self, from: u64, to: u64) -> u128 {
        let taken_ns = if self.is_gauged(from, to) { self.sums.taken_ns } else { self.taken_ns(from, to) };
        u128::from(self.kv.base) * u128::from(self.span_ns(from, to)) + taken_ns
    }

    /// Of these, what the batch has taken since the run began.
    fn taken_ns(&self, from: u64, to: u64) -> u128 {
        let gaps = self.gaps();
        self.kv.taken_ns(&gaps, to).saturating_sub(self.kv.taken_ns(&gaps, from))
    }
}

/// What a single iteration adds up to from a boundary to another: all or nothing.
fn of_single<T>(from: u64, to: u64, all: T, none: T) -> T {
    if from < to { all } else { none }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Blocks and their integral over time equal what a loop over the iterations gives.
        #[test]
        fn blocks_taken_agree_with_a_loop(wraps in proptest::collection::vec(0u32..9, 1..40), first in 1e3f64..1e8, step in 0.0f64..1e4, n in 0u64..400) {
            let mut taken = vec![0u32];
            for &wrap in &wraps[1..] {
                taken.push(taken[taken.len() - 1] + wrap);
            }
            let mut turn = Prefix::default();
            for &taken in &taken {
                turn.push(taken);
            }
            let kv = KvBlocks::of_run(taken[taken.len() - 1] + wraps[0], &taken, turn);
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
