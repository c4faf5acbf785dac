//! The generating sequences of one instance, kept as sums, so that an iteration costs O(1) whatever the batch.
//!
//! * Context: each sequence grows by one token an iteration, so the sum grows by the count.
//! * KV blocks: a sequence with `c` stored tokens needs a block exactly when `c` is a multiple of the block size. Sequences are counted by
//!   the iteration (modulo the block size) in which that happens.
//! * Milestones: a heap of the iterations in which sequences finish, and one of those in which they fill the sliding window.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::cluster::ids::Slot;
use crate::perf::BatchShape;
use crate::workload::ClassId;

/// The iteration of a milestone; void once the sequence's epoch has changed.
type Milestone = Reverse<(u64, Slot, u32)>;

/// The generating sequences of one instance.
#[derive(Debug, Clone)]
pub(crate) struct DecodeSet {
    /// Decode iterations so far; every member generates one token in each.
    step: u64,
    count: u32,
    /// Σ stored tokens.
    context: u64,
    window: Option<u32>,
    /// Σ min(stored + 1, window).
    windowed: u64,
    /// Members whose window is not yet full.
    growing: u32,
    block_size: u32,
    /// Members by the iteration (mod block size) in which they need a block; empty before the first member.
    wraps: Vec<u32>,
    /// The coming iteration mod block size: its index in `wraps`.
    phase: usize,
    /// Members by class, in order; classes without members are left out.
    by_class: Vec<(ClassId, u32)>,
    finishes: BinaryHeap<Milestone>,
    fills: BinaryHeap<Milestone>,
}

impl DecodeSet {
    pub(crate) fn new(block_size: u32, window: Option<u32>) -> Self {
        Self {
            step: 0,
            count: 0,
            context: 0,
            window,
            windowed: 0,
            growing: 0,
            block_size,
            wraps: Vec::new(),
            phase: 0,
            by_class: Vec::new(),
            finishes: BinaryHeap::new(),
            fills: BinaryHeap::new(),
        }
    }

    /// Decode iterations so far.
    pub(crate) const fn step(&self) -> u64 {
        self.step
    }

    /// Members.
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    /// The iteration, mod block size, in which a sequence with `stored` tokens needs its next block.
    fn wrap_of(&self, stored: u32) -> usize {
        let size = self.wraps.len();
        let ahead = self.phase + size - stored as usize % size;
        if ahead >= size { ahead - size } else { ahead }
    }

    /// Adds a sequence with `stored` KV tokens that will generate `remaining` (≥ 1) more tokens.
    pub(crate) fn join(&mut self, slot: Slot, epoch: u32, class: ClassId, stored: u32, remaining: u32) {
        if self.wraps.is_empty() {
            self.wraps.resize(self.block_size as usize, 0);
        }
        self.count += 1;
        self.context += u64::from(stored);
        let wrap = self.wrap_of(stored);
        self.wraps[wrap] += 1;
        match self.by_class.binary_search_by_key(&class, |&(class, _)| class) {
            Ok(place) => self.by_class[place].1 += 1,
            Err(place) => self.by_class.insert(place, (class, 1)),
        }
        self.finishes.push(Reverse((self.step + u64::from(remaining), slot, epoch)));
        if let Some(window) = self.window {
            let seen = stored.saturating_add(1).min(window);
            self.windowed += u64::from(seen);
            if seen < window {
                self.growing += 1;
                self.fills.push(Reverse((self.step + u64::from(window - seen), slot, epoch)));
            }
        }
    }

    /// Removes a sequence that now has `stored` KV tokens. The caller changes its epoch, which voids its milestones.
    pub(crate) fn leave(&mut self, class: ClassId, stored: u32) {
        self.count -= 1;
        self.context -= u64::from(stored);
        let wrap = self.wrap_of(stored);
        self.wraps[wrap] -= 1;
        if let Ok(place) = self.by_class.binary_search_by_key(&class, |&(class, _)| class) {
            self.by_class[place].1 -= 1;
            if self.by_class[place].1 == 0 {
                self.by_class.remove(place);
            }
        }
        if let Some(window) = self.window {
            let seen = stored.saturating_add(1).min(window);
            self.windowed -= u64::from(seen);
            self.growing -= u32::from(seen < window);
        }
    }

    /// Blocks that the members need for the coming iteration.
    pub(crate) fn blocks_needed(&self) -> u64 {
        self.wraps.get(self.phase).copied().map_or(0, u64::from)
    }

    /// Iterations after the coming one that `free` blocks allow, at most `most`.
    pub(crate) fn iterations_within(&self, free: u64, most: u64) -> u64 {
        if self.count == 0 {
            return most;
        }
        let size = self.wraps.len();
        // Over `size` iterations every member takes one block.
        let mut iterations = (free / u64::from(self.count)).saturating_mul(size as u64);
        if iterations >= most {
            return most;
        }
        let mut left = free % u64::from(self.count);
        let mut phase = self.phase;
        for _ in 0..size {
            phase = if phase + 1 == size { 0 } else { phase + 1 };
            let need = u64::from(self.wraps[phase]);
            if need > left {
                break;
            }
            left -= need;
            iterations += 1;
        }
        iterations.min(most)
    }

    /// Blocks that the members take after the coming iteration: until it, until the next one, … for one turn of the block size.
    pub(crate) fn blocks_to_come(&self, turn: &mut Vec<u32>) {
        turn.clear();
        let (sooner, later) = self.wraps.split_at(self.phase);
        // The blocks of the coming iteration itself count as taken already.
        let mut taken = 0u32.wrapping_sub(self.wraps[self.phase]);
        turn.extend(later.iter().chain(sooner).map(|wrap| {
            taken = taken.wrapping_add(*wrap);
            taken
        }));
    }

    /// Completes `iterations`, each of which adds a token to every member. True if a member's window is now full, which it becomes in the
    /// last of these iterations.
    pub(crate) fn advance(&mut self, iterations: u64, is_current: impl Fn(Slot, u32) -> bool) -> bool {
        self.step += iterations;
        self.phase = turn(self.phase as u64 + iterations, self.wraps.len()).unwrap_or_default();
        self.context += iterations * u64::from(self.count);
        self.windowed += iterations * u64::from(self.growing);
        let mut filled = false;
        while let Some(&Reverse((at, slot, epoch))) = self.fills.peek() {
            if at > self.step {
                break;
            }
            self.fills.pop();
            if is_current(slot, epoch) {
                self.growing -= 1;
                filled = true;
            }
        }
        filled
    }

    /// Pops a sequence that has generated its last token.
    pub(crate) fn pop_finished(&mut self, is_current: impl Fn(Slot, u32) -> bool) -> Option<Slot> {
        while let Some(&Reverse((at, slot, epoch))) = self.finishes.peek() {
            if !is_current(slot, epoch) {
                self.finishes.pop();
            } else if at <= self.step {
                self.finishes.pop();
                return Some(slot);
            } else {
                break;
            }
        }
        None
    }

    /// Iterations, the coming one included, until a sequence finishes or fills its window.
    pub(crate) fn iterations_to_milestone(&mut self, is_current: impl Fn(Slot, u32) -> bool) -> u64 {
        let mut nearest = u64::MAX;
        for heap in [&mut self.finishes, &mut self.fills] {
            while heap.peek().is_some_and(|&Reverse((_, slot, epoch))| !is_current(slot, epoch)) {
                heap.pop();
            }
            if let Some(&Reverse((at, _, _))) = heap.peek() {
                nearest = nearest.min(at - self.step);
            }
        }
        nearest
    }

    /// The decode part of the coming batch.
    pub(crate) fn shape(&self) -> BatchShape {
        let context = self.context + u64::from(self.count);
        BatchShape {
            decode_sequences: self.count,
            decode_context: context,
            decode_windowed_context: if self.window.is_some() { self.windowed } else { context },
            ..BatchShape::default()
        }
    }

    /// Growth of the windowed context from one iteration to the next, tokens.
    pub(crate) fn windowed_growth(&self) -> u32 {
        if self.window.is_some() { self.growing } else { self.count }
    }

    /// Σ stored tokens.
    pub(crate) fn context(&self) -> u64 {
        self.context
    }

    /// Members by class, in order; classes without members are left out.
    pub(crate) fn by_class(&self) -> &[(ClassId, u32)] {
        &self.by_class
    }
}

/// Position of `n` within a turn of `length`; `None` for a turn of length 0.
#[expect(clippy::cast_possible_truncation, reason = "less than a length in memory")]
pub(super) fn turn(n: u64, length: usize) -> Option<usize> {
    n.checked_rem(length as u64).map(|place| place as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Id;
    use proptest::prelude::*;

    const ALWAYS: fn(Slot, u32) -> bool = |_, _| true;

    proptest! {
        /// The sums equal those of a loop over the sequences, in every iteration.
        #[test]
        fn sums_agree_with_a_loop_over_the_batch(members in proptest::collection::vec((1u32..100, 1u32..60), 1..20), window in proptest::option::of(1u32..80)) {
            let mut set = DecodeSet::new(16, window);
            let mut naive: Vec<(u32, u32)> = Vec::new();
            for (i, &(stored, remaining)) in members.iter().enumerate() {
                set.join(Slot(u32::try_from(i).unwrap()), 0, ClassId(0), stored, remaining);
                naive.push((stored, remaining));
            }
            let mut gone = vec![false; members.len()];
            while set.count > 0 {
                let shape = set.shape();
                prop_assert_eq!(shape.decode_context, naive.iter().zip(&gone).filter(|(_, g)| !**g).map(|((s, _), _)| u64::from(s + 1)).sum::<u64>());
                let windowed: u64 = naive.iter().zip(&gone).filter(|(_, g)| !**g).map(|((s, _), _)| u64::from((s + 1).min(window.unwrap_or(u32::MAX)))).sum();
                prop_assert_eq!(shape.decode_windowed_context, windowed);
                let need = naive.iter().zip(&gone).filter(|((s, _), g)| !**g && s % 16 == 0).count() as u64;
                prop_assert_eq!(set.blocks_needed(), need);
                for (i, (stored, remaining)) in naive.iter_mut().enumerate() {
                    if !gone[i] {
                        *stored += 1;
                        *remaining -= 1;
                    }
                }
                set.advance(1, |slot, _| !gone[slot.index()]);
                let snapshot = gone.clone();
                while let Some(slot) = set.pop_finished(|slot, _| !snapshot[slot.index()]) {
                    prop_assert_eq!(naive[slot.index()].1, 0);
                    gone[slot.index()] = true;
                    set.leave(ClassId(0), naive[slot.index()].0);
                }
            }
            prop_assert!(gone.iter().all(|&g| g));
            prop_assert_eq!(set.context(), 0);
        }

        /// `iterations_within` is the largest number of further iterations whose blocks fit.
        #[test]
        fn the_block_horizon_is_exact(stored in proptest::collection::vec(1u32..100, 1..20), free in 0u64..60) {
            let mut set = DecodeSet::new(16, None);
            for (i, &s) in stored.iter().enumerate() {
                set.join(Slot(u32::try_from(i).unwrap()), 0, ClassId(0), s, 10_000);
            }
            let horizon = set.iterations_within(free, u64::MAX);
            let mut left = i64::try_from(free).unwrap();
            for _ in 0..horizon {
                set.advance(1, ALWAYS);
                left -= i64::try_from(set.blocks_needed()).unwrap();
                prop_assert!(left >= 0);
            }
            set.advance(1, ALWAYS);
            prop_assert!(left < i64::try_from(set.blocks_needed()).unwrap());
        }
    }
}
