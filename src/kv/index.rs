//! One index over the prefix caches of all instances: which of them have the leading blocks of a text. A query costs a step per run of
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
    /// Caches that have them, in order; never none.
    holders: Vec<u32>,
}

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
    /// The caches that have the first of these blocks, each with the number of leading ones that it has; those with fewer come first. Of an
    /// instance whose iterations are not yet booked it may be too high.
    pub fn holders(&self, blocks: &Blocks) -> Vec<(u32, u32)> {
        self.lock().holders(blocks.pieces(0..blocks.len()))
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
        let end = self.isolate(first, count);
        let mut at = u128::from(first);
        while let Some(from) = before(at, end) {
            let next = self.runs.range_mut(from..).next();
            match next {
                Some((&begin, run)) if begin == from => {
                    if let Err(place) = run.holders.binary_search(&holder) {
                        run.holders.insert(place, holder);
                    }
                    at = run.end;
                }
                next => {
                    let gap_end = next.map_or(end, |(&begin, _)| end.min(begin.into()));
                    self.runs.insert(from, Run { end: gap_end, holders: vec![holder] });
                    at = gap_end;
                }
            }
        }
        self.join(first, end);
    }

    /// Cache `holder` has lost blocks `first`, `first + 1`, …
    fn remove(&mut self, holder: u32, first: u64, count: u32) {
        let end = self.isolate(first, count);
        let mut at = u128::from(first);
        while let Some((&begin, run)) = before(at, end).and_then(|from| self.runs.range_mut(from..).next()) {
            if u128::from(begin) >= end {
                break;
            }
            at = run.end;
            run.holders.retain(|&other| other != holder);
            if run.holders.is_empty() {
                self.runs.remove(&begin);
            }
        }
        self.join(first, end);
    }

    /// The caches that have the first of these blocks, each with the number of leading blocks that it has; those with fewer come first.
    fn holders(&self, pieces: impl Iterator<Item = Piece>) -> Vec<(u32, u32)> {
        let (mut found, mut hit): (Vec<(u32, u32)>, u32) = (Vec::new(), 0);
        // Those that have all blocks so far; `None` at the first.
        let mut left: Option<Vec<u32>> = None;
        for piece in pieces {
            let mut rest = piece;
            while rest.count > 0 {
                let run = self.runs.range(..=rest.first).next_back().map(|(_, run)| run).filter(|run| run.end > rest.first.into());
                let holders = run.map(|run| run.holders.as_slice()).unwrap_or_default();
                let (stay, go) = match left.take() {
                    None => (holders.to_vec(), Vec::new()),
                    Some(left) => left.into_iter().partition(|holder| holders.binary_search(holder).is_ok()),
                };
                found.extend(go.into_iter().map(|holder| (holder, hit)));
                if stay.is_empty() {
                    return found;
                }
                left = Some(stay);
                let covered = run.map_or(0, |run| run.end - u128::from(rest.first));
                let covered = u32::try_from(covered).map_or(rest.count, |covered| covered.min(rest.count));
                hit += covered;
                rest = rest.behind(covered);
            }
        }
        found.extend(left.into_iter().flatten().map(|holder| (holder, hit)));
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
                let mut found = index.holders(blocks.pieces(0..blocks.len()));
                prop_assert!(found.is_sorted_by_key(|&(_, hit)| hit));
                found.sort_unstable();
                let hits = (0u32..).zip(&sets).map(|(holder, set)| (holder, blocks.ids().take_while(|id| set.contains(id)).count()));
                let expected: Vec<_> = hits.filter(|&(_, hit)| hit > 0).map(|(holder, hit)| (holder, u32::try_from(hit).unwrap())).collect();
                prop_assert_eq!(found, expected);
            }
            let runs: Vec<_> = index.runs.iter().collect();
            prop_assert!(runs.iter().all(|(first, run)| u128::from(**first) < run.end && !run.holders.is_empty()));
            let apart = runs.windows(2).all(|two| two[0].1.end < u128::from(*two[1].0) || two[0].1.end == u128::from(*two[1].0) && two[0].1.holders != two[1].1.holders);
            prop_assert!(apart);
        }
    }
}
