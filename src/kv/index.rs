//! One index over the prefix caches of many instances: which of them have the leading blocks of a text. A query costs a step per run of
//! blocks with the same holders, whatever the number of instances, so that a router need not ask each cache.
//!
//! Caches enter what they gain and lose as soon as it happens. An instance that runs ahead evicts only when its iterations are booked: of
//! that one the index may name blocks that are to be evicted, never too few.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::blocks::{Blocks, Piece};

/// Consecutive identities with the same holders.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    /// Position behind the last identity, which may be the end of the numbers.
    end: u128,
    holders: Holders,
}

/// Caches that have the same blocks, in order; never none.
pub type Holders = Arc<[u32]>;

/// An index that caches enter what they have in.
#[derive(Debug, Clone, Default)]
pub struct SharedIndex(Arc<Mutex<PrefixIndex>>);

/// A cache in an index.
#[derive(Debug, Clone)]
pub(super) struct Member {
    index: SharedIndex,
    holder: u32,
}

impl SharedIndex {
    /// The caches that have leading blocks of a text, of the first `most`: by the number of blocks that they have at least, the fewest first.
    /// A cache that has more is named again there. One whose instance has iterations that are not booked may have fewer by then.
    pub fn holders(&self, blocks: &Blocks, most: u32) -> Vec<(u32, Holders)> {
        self.lock().holders(blocks.pieces(0..blocks.len().min(most)))
    }

    fn lock(&self) -> MutexGuard<'_, PrefixIndex> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Cache number `holder` of an index.
    pub(super) fn new(index: &SharedIndex, holder: u32) -> Self {
        Self { index: index.clone(), holder }
    }

    /// It has gained blocks `first`, `first + 1`, …
    pub(super) fn gained(&self, first: u64, count: u32) {
        self.index.lock().add(self.holder, first, count);
    }

    /// It has lost blocks `first`, `first + 1`, …
    pub(super) fn lost(&self, first: u64, count: u32) {
        self.index.lock().remove(self.holder, first, count);
    }
}

/// Caches by the blocks that they have.
#[derive(Debug, Clone, Default)]
struct PrefixIndex {
    /// By first identity; runs do not overlap.
    runs: BTreeMap<u64, Run>,
}

impl PrefixIndex {
    /// Cache `holder` has gained blocks `first`, `first + 1`, …
    fn add(&mut self, holder: u32, first: u64, count: u32) {
        if !self.add_alone(holder, first, count) {
            self.add_among(holder, first, count);
        }
    }

    /// Adds blocks that no other cache has: most texts are long where they are alone. False, and nothing changed, if another may have them.
    fn add_alone(&mut self, holder: u32, first: u64, count: u32) -> bool {
        let end = u128::from(first) + u128::from(count);
        let meets = |(&begin, run): (&u64, &Run)| u128::from(begin) < end || u128::from(begin) == end && *run.holders == [holder];
        if self.runs.range(first..).next().is_some_and(meets) {
            return false;
        }
        match self.runs.range_mut(..first).next_back() {
            Some((_, run)) if run.end > first.into() => return false,
            Some((_, run)) if run.end == first.into() && *run.holders == [holder] => run.end = end,
            _ => drop(self.runs.insert(first, Run { end, holders: Arc::new([holder]) })),
        }
        true
    }

    fn add_among(&mut self, holder: u32, first: u64, count: u32) {
        let end = self.isolate(first, count);
        let mut at = u128::from(first);
        while let Some(from) = before(at, end) {
            let next = self.runs.range_mut(from..).next();
            match next {
                Some((&begin, run)) if begin == from => {
                    if let Err(place) = run.holders.binary_search(&holder) {
                        let (before, after) = run.holders.split_at(place);
                        run.holders = before.iter().chain(&[holder]).chain(after).copied().collect();
                    }
                    at = run.end;
                }
                next => {
                    let gap_end = next.map_or(end, |(&begin, _)| end.min(begin.into()));
                    self.runs.insert(from, Run { end: gap_end, holders: Arc::new([holder]) });
                    at = gap_end;
                }
            }
        }
        self.join(first, end);
    }

    /// Cache `holder` has lost blocks `first`, `first + 1`, …
    fn remove(&mut self, holder: u32, first: u64, count: u32) {
        if !self.remove_alone(holder, first, count) {
            self.remove_among(holder, first, count);
        }
    }

    /// Removes the end of a run that only this cache has. False, and nothing changed, if it is not one.
    fn remove_alone(&mut self, holder: u32, first: u64, count: u32) -> bool {
        let end = u128::from(first) + u128::from(count);
        match self.runs.range_mut(..=first).next_back() {
            Some((&begin, run)) if run.end == end && *run.holders == [holder] => {
                if begin == first {
                    self.runs.remove(&first);
                } else {
                    run.end = first.into();
                }
                true
            }
            _ => false,
        }
    }

    fn remove_among(&mut self, holder: u32, first: u64, count: u32) {
        let end = self.isolate(first, count);
        let mut at = u128::from(first);
        while let Some((&begin, run)) = before(at, end).and_then(|from| self.runs.range_mut(from..).next()) {
            if u128::from(begin) >= end {
                break;
            }
            at = run.end;
            if *run.holders == [holder] {
                self.runs.remove(&begin);
            } else if run.holders.binary_search(&holder).is_ok() {
                run.holders = run.holders.iter().copied().filter(|&other| other != holder).collect();
            }
        }
        self.join(first, end);
    }

    /// See [`SharedIndex::holders`].
    fn holders(&self, pieces: impl Iterator<Item = Piece>) -> Vec<(u32, Holders)> {
        let (mut found, mut hit): (Vec<(u32, Holders)>, u32) = (Vec::new(), 0);
        for piece in pieces {
            let mut rest = piece;
            while rest.count > 0 {
                let run = self.runs.range(..=rest.first).next_back().map(|(_, run)| run).filter(|run| run.end > rest.first.into());
                let Some(run) = run else { return found };
                let covered = u32::try_from(run.end - u128::from(rest.first)).map_or(rest.count, |covered| covered.min(rest.count));
                hit += covered;
                rest = rest.behind(covered);
                match found.last_mut() {
                    Some(last) if last.1 == run.holders => last.0 = hit,
                    _ => found.push((hit, run.holders.clone())),
                }
            }
        }
        found
    }

    /// Cuts runs at both ends of a range, and returns its end.
    fn isolate(&mut self, first: u64, count: u32) -> u128 {
        let end = u128::from(first) + u128::from(count);
        self.cut(first);
        if let Ok(end) = u64::try_from(end) {
            self.cut(end);
        }
        end
    }

    /// Cuts the run that has an identity, but does not begin with it.
    fn cut(&mut self, at: u64) {
        let Some((_, run)) = self.runs.range_mut(..at).next_back().filter(|(_, run)| run.end > at.into()) else { return };
        let behind = run.clone();
        run.end = at.into();
        self.runs.insert(at, behind);
    }

    /// Joins runs that touch in a range or at its ends, where they have the same holders.
    fn join(&mut self, first: u64, end: u128) {
        let mut at = self.runs.range(..first).next_back().map_or(first, |(&begin, _)| begin);
        while let Some((&begin, run)) = self.runs.range(at..).next().filter(|(begin, _)| u128::from(**begin) < end) {
            let next = u64::try_from(run.end).ok();
            let behind = next.and_then(|next| self.runs.get(&next)).filter(|behind| behind.holders == run.holders).map(|behind| behind.end);
            match (next, behind) {
                (Some(next), Some(end)) => {
                    self.runs.remove(&next);
                    if let Some(run) = self.runs.get_mut(&begin) {
                        run.end = end;
                    }
                }
                (Some(next), None) => at = next,
                (None, _) => return,
            }
        }
    }
}

/// The identity at a position before `end`.
fn before(at: u128, end: u128) -> Option<u64> {
    u64::try_from(at).ok().filter(|_| at < end)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::Blocks;
    use super::*;

    proptest! {
        /// The index agrees with one set of identities per cache, and touching runs differ.
        #[test]
        fn the_index_agrees_with_sets(
            steps in prop::collection::vec((any::<bool>(), 0u32..4, 0u64..30, 1u32..12), 0..60),
            texts in prop::collection::vec(prop::collection::vec((0u64..32, 1u32..8), 0..4), 1..6),
            offset in prop_oneof![Just(0), Just(u64::MAX - 39)],
        ) {
            let mut index = PrefixIndex::default();
            let mut sets = vec![BTreeSet::new(); 4];
            for (add, holder, first, count) in steps {
                let ids = (first..first + u64::from(count)).map(|id| id + offset);
                let set: &mut BTreeSet<u64> = &mut sets[holder as usize];
                if add {
                    index.add(holder, first + offset, count);
                    set.extend(ids);
                } else {
                    index.remove(holder, first + offset, count);
                    ids.for_each(|id| { set.remove(&id); });
                }
            }
            for text in texts {
                let blocks = Blocks::of_runs(text.into_iter().map(|(first, count)| (first + offset, count)));
                let found = index.holders(blocks.pieces(0..blocks.len()));
                prop_assert!(found.is_sorted_by(|one, other| one.0 < other.0));
                // The most that the index says of a cache is right where caches have no gaps before what they have.
                for (holder, set) in (0u32..).zip(&sets) {
                    let hit = blocks.ids().take_while(|id| set.contains(id)).count();
                    let most = found.iter().rev().find(|(_, holders)| holders.contains(&holder)).map_or(0, |(most, _)| *most);
                    let has_gap = blocks.ids().skip(hit).any(|id| set.contains(&id));
                    prop_assert!(most as usize == hit || most as usize > hit && has_gap, "{} {}", most, hit);
                }
            }
            let runs: Vec<_> = index.runs.iter().collect();
            prop_assert!(runs.iter().all(|(first, run)| u128::from(**first) < run.end && !run.holders.is_empty()));
            let apart = runs.windows(2).all(|two| two[0].1.end < u128::from(*two[1].0) || two[0].1.end == u128::from(*two[1].0) && two[0].1.holders != two[1].1.holders);
            prop_assert!(apart);
        }
    }
}
