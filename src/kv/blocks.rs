//! Identities of blocks of text, run-length coded.

use std::ops::Range;
use std::sync::Arc;

/// Consecutive identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    /// Identity of its first block.
    first: u64,
    /// Position behind its last block.
    end: u32,
}

/// Identities of the leading blocks of a text, in order. Each block names all text up to its own end: two texts have the same identity at
/// one position if and only if they are equal up to there.
///
/// A copy shares the memory. Consecutive numbers take as much of it as one, so ids that are given in order of first sight cost a few bytes a request, whatever its
/// length.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blocks {
    /// `None` without a block.
    shared: Option<Arc<[Run]>>,
}

/// Part of a run: consecutive identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Identity of its first block.
    pub first: u64,
    /// Blocks.
    pub count: u32,
    /// True if the identity before `first` is the one of the block before it.
    pub continues: bool,
}

impl Piece {
    /// What is behind its first `count` blocks; nothing if it has no more.
    pub(super) const fn behind(self, count: u32) -> Self {
        let first = self.first.wrapping_add(count as u64);
        Self { first, count: self.count.saturating_sub(count), continues: self.continues || count > 0 }
    }

    /// What is before the block `end`, if it is one of its own.
    pub(super) fn before(self, end: Option<u64>) -> Self {
        let count = end.and_then(|end| u32::try_from(end.checked_sub(self.first)?).ok()).map_or(self.count, |count| count.min(self.count));
        Self { count, ..self }
    }
}

impl Blocks {
    /// Blocks numbered from `first` on.
    pub fn run(first: u64, count: u32) -> Self {
        Self::of_runs([(first, count)])
    }

    /// Runs of consecutive identities, each as its first identity and its length. Blocks beyond 2³² are left out.
    pub fn of_runs(runs: impl IntoIterator<Item = (u64, u32)>) -> Self {
        let mut joined = Joined::default();
        for (first, count) in runs {
            // No run passes the end of the numbers.
            let within = u32::try_from((u64::MAX - first).saturating_add(1)).map_or(count, |most| most.min(count));
            joined.push(first, within);
            joined.push(0, count - within);
        }
        Self { shared: (!joined.runs.is_empty()).then(|| joined.runs.into()) }
    }

    fn runs(&self) -> &[Run] {
        self.shared.as_deref().unwrap_or_default()
    }

    /// Number of blocks.
    pub fn len(&self) -> u32 {
        self.runs().last().map_or(0, |run| run.end)
    }

    /// True without a block.
    pub fn is_empty(&self) -> bool {
        self.shared.is_none()
    }

    /// Heap memory, bytes.
    pub fn memory(&self) -> usize {
        size_of_val(self.runs())
    }

    /// The identities.
    pub fn ids(&self) -> impl Iterator<Item = u64> {
        self.pieces(0..self.len()).flat_map(|piece| (0..u64::from(piece.count)).map(move |n| piece.first.wrapping_add(n)))
    }

    /// The blocks at some positions, as pieces of runs.
    pub fn pieces(&self, within: Range<u32>) -> impl DoubleEndedIterator<Item = Piece> {
        let starts_before = |at: u32| self.runs().partition_point(|run| run.end <= at);
        let runs =
            if within.is_empty() { 0..0 } else { starts_before(within.start)..(starts_before(within.end - 1) + 1).min(self.runs().len()) };
        runs.map(move |index| {
            let run = self.runs()[index];
            let start = index.checked_sub(1).map_or(0, |before| self.runs()[before].end);
            let (from, to) = (start.max(within.start), run.end.min(within.end));
            Piece { first: run.first.wrapping_add(u64::from(from - start)), count: to - from, continues: from > start }
        })
    }

    /// The first `most` blocks, or all if there are fewer.
    #[must_use]
    pub fn leading(&self, most: u32) -> Self {
        Self::of_runs(self.pieces(0..most.min(self.len())).map(|piece| (piece.first, piece.count)))
    }

    /// The same blocks in another name space, whose identities are these plus `by`.
    #[must_use]
    pub fn shifted(self, by: u64) -> Self {
        if by == 0 {
            return self;
        }
        Self::of_runs(self.pieces(0..self.len()).map(|piece| (piece.first.wrapping_add(by), piece.count)))
    }

    /// Number of leading blocks that both have.
    pub fn common(&self, other: &Self) -> u32 {
        let mut same = 0;
        while let (Some(one), Some(another)) = (self.pieces(same..self.len()).next(), other.pieces(same..other.len()).next()) {
            if one.first != another.first {
                break;
            }
            same += one.count.min(another.count);
        }
        same
    }
}

/// Runs, as they are joined.
#[derive(Debug, Default)]
struct Joined {
    runs: Vec<Run>,
    /// Number of blocks.
    end: u32,
    /// The identity that would continue the last run.
    next: Option<u64>,
}

impl Joined {
    fn push(&mut self, first: u64, count: u32) {
        let end = self.end.saturating_add(count);
        if end == self.end {
            return;
        }
        match self.runs.last_mut() {
            Some(run) if self.next == Some(first) => run.end = end,
            _ => self.runs.push(Run { first, end }),
        }
        (self.end, self.next) = (end, first.checked_add(count.into()));
    }
}

impl FromIterator<u64> for Blocks {
    fn from_iter<I: IntoIterator<Item = u64>>(ids: I) -> Self {
        Self::of_runs(ids.into_iter().map(|id| (id, 1)))
    }
}

impl From<&[u64]> for Blocks {
    fn from(ids: &[u64]) -> Self {
        ids.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn consecutive_numbers_are_one_run() {
        let blocks: Blocks = [5, 6, 7, 9, 10, 3].into_iter().collect();
        assert_eq!((blocks.runs().len(), blocks.len()), (3, 6));
        assert_eq!(blocks, Blocks::of_runs([(5, 3), (9, 0), (9, 2), (3, 1)]));
        assert_eq!(Blocks::run(5, 0), Blocks::default());
        // No run passes the end of the numbers.
        assert_eq!(Blocks::run(u64::MAX - 1, 5), Blocks::of_runs([(u64::MAX - 1, 2), (0, 3)]));
        assert_eq!(Blocks::run(u64::MAX - 1, 5).runs().len(), 2);
        assert_eq!(Blocks::run(0, u32::MAX).len(), u32::MAX);
    }

    #[test]
    fn pieces_say_whether_they_go_on() {
        let blocks = Blocks::of_runs([(5, 3), (9, 2)]);
        let pieces: Vec<_> = blocks.pieces(1..4).collect();
        assert_eq!(pieces, [Piece { first: 6, count: 2, continues: true }, Piece { first: 9, count: 1, continues: false }]);
        assert_eq!(blocks.pieces(2..2).count() + blocks.pieces(5..5).count() + Blocks::default().pieces(0..0).count(), 0);
    }

    proptest! {
        #[test]
        fn runs_are_their_identities(ids in prop::collection::vec(0u64..20, 0..40), from in 0usize..40, len in 0usize..40, by: u64) {
            let blocks: Blocks = ids.iter().copied().collect();
            prop_assert_eq!(blocks.ids().collect::<Vec<_>>(), ids.clone());
            let (from, to) = (from.min(ids.len()), (from + len).min(ids.len()));
            let range = u32::try_from(from).unwrap()..u32::try_from(to).unwrap();
            let part = Blocks::of_runs(blocks.pieces(range.clone()).map(|piece| (piece.first, piece.count)));
            prop_assert_eq!(part.ids().collect::<Vec<_>>(), &ids[from..to]);
            let backwards: Vec<_> = blocks.pieces(range.clone()).rev().collect();
            prop_assert!(blocks.pieces(range).eq(backwards.into_iter().rev()));
            prop_assert_eq!(blocks.leading(7), ids.iter().take(7).copied().collect());
            prop_assert_eq!(blocks.shifted(by), ids.iter().map(|id| id.wrapping_add(by)).collect());
        }

        #[test]
        fn what_two_texts_share_is_their_equal_beginning(one in prop::collection::vec(0u64..3, 0..20), other in prop::collection::vec(0u64..3, 0..20)) {
            let same = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
            let (one, other): (Blocks, Blocks) = (one.into_iter().collect(), other.into_iter().collect());
            prop_assert_eq!(one.common(&other) as usize, same);
        }
    }
}
