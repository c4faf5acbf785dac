//! The prefix cache. Cached blocks that no sequence holds are evicted in LRU order, those of a lower rank first.
//!
//! It has two kinds of entries in one LRU list for each rank:
//!
//! * A *segment* holds groups with consecutive identities and the same holders. A group holds the tokens of one identity (512 tokens in a
//!   Mooncake trace): a fixed number of KV blocks. Identities are chained: equal ids mean equal text from the start of the prompt, so a
//!   lookup stops at the first miss. A segment is evicted from its end, group by group.
//! * A *residue* holds the full blocks of a preempted sequence behind its groups; only that sequence can find them again. It is evicted
//!   from the end, block by block.
//!
//! A segment is cut where its groups get different holders. Two are joined where that changes nothing, so there are about as many as there
//! are branches in the cached text, however long it is.

use std::collections::BTreeMap;

use super::blocks::Piece;
use super::index::Member;
use super::lru::Lru;

#[derive(Debug, Clone, Copy)]
enum Content {
    Segment(Segment),
    Residue { blocks: u64 },
}

/// Groups `first`, `first + 1`, …
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    first: u64,
    count: u32,
    holders: u32,
    /// Times that the last holder has released it, counted where ranks are given.
    uses: u32,
}

/// Cached groups that a piece begins with: their segment, the position of the first in it, and their number.
#[derive(Debug, Clone, Copy)]
struct Cached {
    slot: usize,
    offset: u32,
    count: u32,
}

/// Cached blocks that their last holder has just released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freed {
    /// Groups of the text before them.
    pub before: u32,
    /// Groups.
    pub groups: u32,
    /// Times that they have been released like this, this time included.
    pub uses: u32,
    /// Their rank before they were held; 0 if they are new.
    pub previous: u64,
}

/// Gives ranks to what is released: see [`KvStore::release`](super::KvStore::release). `None`: all have rank 0.
pub type Ranks<'a> = Option<&'a mut dyn FnMut(&Freed) -> u64>;

/// Slot of a residue.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place(usize);

/// Cached groups and residues of one instance.
#[derive(Debug, Clone, Default)]
pub(super) struct PrefixCache {
    /// KV blocks per group; 0 without identities.
    group_blocks: u64,
    /// Segments and residues. In the list are those that can be evicted: segments without holders and residues that are not empty.
    entries: Lru<Content>,
    /// Segments by the identity of their first group.
    index: BTreeMap<u64, usize>,
    /// Groups.
    groups: u64,
    /// Groups without holders.
    unheld: u64,
    /// Blocks of all residues.
    residues: u64,
    /// Where it enters its groups, once there is an index.
    member: Option<Member>,
}

impl PrefixCache {
    pub(super) fn new(group_blocks: u64) -> Self {
        Self { group_blocks, ..Self::default() }
    }

    /// KV blocks per group; 0 without identities.
    pub(super) const fn group_blocks(&self) -> u64 {
        self.group_blocks
    }

    /// Enters all groups, and from now on what it gains and loses, in an index.
    pub(super) fn enter(&mut self, member: impl FnOnce() -> Member) {
        if self.member.is_some() {
            return;
        }
        let member = member();
        for &slot in self.index.values() {
            let Segment { first, count, .. } = self.segment(slot);
            member.gained(first, count);
        }
        self.member = Some(member);
    }

    /// Leading groups of `pieces` that are cached.
    pub(super) fn lookup(&self, pieces: impl Iterator<Item = Piece>) -> u32 {
        let mut hit = 0;
        for piece in pieces {
            let cached = self.cached(piece).map(|cached| cached.count).sum::<u32>();
            hit += cached;
            if cached < piece.count {
                break;
            }
        }
        hit
    }

    /// Blocks of the cached groups of `pieces` without holders: holding them reduces free memory.
    pub(super) fn evictable_among(&self, pieces: impl Iterator<Item = Piece>) -> u64 {
        let cached = pieces.flat_map(|piece| self.cached(piece));
        cached.filter(|cached| self.segment(cached.slot).holders == 0).map(|cached| u64::from(cached.count)).sum::<u64>()
            * self.group_blocks
    }

    /// Blocks of all entries.
    pub(super) const fn blocks(&self) -> u64 {
        self.groups * self.group_blocks + self.residues
    }

    /// Blocks of groups with holders.
    pub(super) const fn held(&self) -> u64 {
        (self.groups - self.unheld) * self.group_blocks
    }

    /// Blocks of residues.
    pub(super) const fn residues(&self) -> u64 {
        self.residues
    }

    /// Adds a holder to the leading groups of a piece that are cached; returns their number.
    pub(super) fn hold(&mut self, piece: Piece) -> u32 {
        let mut held = 0;
        while let Some(cached) = self.first_cached(piece.behind(held)) {
            self.hold_cached(cached);
            held += cached.count;
        }
        held
    }

    /// Adds a holder to the groups of a piece; those that are missing are inserted. The caller has made room. If the piece continues a run,
    /// the caller holds the group before it.
    pub(super) fn hold_or_insert(&mut self, piece: Piece) {
        let mut rest = piece;
        while rest.count > 0 {
            let held = self.hold(rest);
            rest = rest.behind(held);
            if rest.count > 0 {
                let missing = rest.before(self.index.range(rest.first..).next().map(|(&first, _)| first));
                self.insert_groups(missing);
                rest = rest.behind(missing.count);
            }
        }
    }

    /// Removes a holder from the groups of a piece, `before` which its text has so many. Groups without holders become the most recently used
    /// evictable entries of their rank, the last of them first.
    pub(super) fn release(&mut self, piece: Piece, before: u32, ranks: &mut Ranks<'_>) {
        let mut left = piece.count;
        while left > 0 {
            let last = piece.first.wrapping_add(u64::from(left - 1));
            let Some((slot, offset)) = self.find(last) else {
                debug_assert!(false, "released a group that is not cached");
                return;
            };
            left = left.saturating_sub(offset + 1);
            self.release_segment(slot, before + left, ranks);
        }
    }

    /// Adds a residue of `blocks` (≥ 1) as the most recently used evictable entry of a rank.
    pub(super) fn leave(&mut self, blocks: u64, rank: u64) -> Place {
        let slot = self.entries.insert(Content::Residue { blocks });
        self.entries.link_newest(slot, rank);
        self.residues += blocks;
        Place(slot)
    }

    /// Number of leading blocks of a residue that are not yet evicted.
    pub(super) fn left(&self, place: &Place) -> u64 {
        match self.entries[place.0] {
            Content::Residue { blocks } => blocks,
            Content::Segment(_) => 0,
        }
    }

    /// Ends a residue and frees its remaining blocks.
    #[expect(clippy::needless_pass_by_value, reason = "a discarded place is invalid")]
    pub(super) fn discard(&mut self, place: Place) {
        let left = self.left(&place);
        if left > 0 {
            self.entries.unlink(place.0);
            self.residues -= left;
        }
        self.entries.vacate(place.0);
    }

    /// The lowest rank of all that is evictable.
    pub(super) fn lowest_rank(&self) -> Option<u64> {
        self.entries.oldest().map(|(rank, _)| rank)
    }

    /// Evicts from the end of the least recently used entry of the lowest rank: whole groups until at least `blocks` (≥ 1) are free, or at most `blocks` of a
    /// residue. False if nothing is evictable.
    pub(super) fn evict(&mut self, blocks: u64) -> bool {
        let Some((_, slot)) = self.entries.oldest() else { return false };
        match &mut self.entries[slot] {
            Content::Segment(Segment { first, count, .. }) => {
                let evicted = u32::try_from(blocks.div_ceil(self.group_blocks)).map_or(*count, |groups| groups.min(*count));
                *count -= evicted;
                if let Some(member) = &self.member {
                    member.lost(first.wrapping_add((*count).into()), evicted);
                }
                (self.groups, self.unheld) = (self.groups - u64::from(evicted), self.unheld - u64::from(evicted));
                if *count == 0 {
                    self.index.remove(first);
                    self.entries.unlink(slot);
                    self.entries.vacate(slot);
                }
            }
            Content::Residue { blocks: left } => {
                let evicted = blocks.min(*left);
                *left -= evicted;
                self.residues -= evicted;
                // The slot stays allocated: the sequence still refers to it.
                if *left == 0 {
                    self.entries.unlink(slot);
                }
            }
        }
        true
    }

    /// The cached groups that a piece begins with, segment by segment.
    fn cached(&self, piece: Piece) -> impl Iterator<Item = Cached> {
        let mut rest = piece;
        std::iter::from_fn(move || {
            let cached = self.first_cached(rest)?;
            rest = rest.behind(cached.count);
            Some(cached)
        })
    }

    /// Those of the first segment.
    fn first_cached(&self, piece: Piece) -> Option<Cached> {
        if piece.count == 0 {
            return None;
        }
        let (slot, offset) = self.find(piece.first)?;
        Some(Cached { slot, offset, count: (self.segment(slot).count - offset).min(piece.count) })
    }

    /// Segment of a cached group, and its position there.
    fn find(&self, id: u64) -> Option<(usize, u32)> {
        let (&first, &slot) = self.index.range(..=id).next_back()?;
        let offset = u32::try_from(id - first).ok()?;
        (offset < self.segment(slot).count).then_some((slot, offset))
    }

    fn segment(&self, slot: usize) -> Segment {
        match self.entries[slot] {
            Content::Segment(segment) => segment,
            Content::Residue { .. } => {
                debug_assert!(false, "an identity names a residue");
                Segment { first: 0, count: 0, holders: 0, uses: 0 }
            }
        }
    }

    fn set(&mut self, slot: usize, segment: Segment) {
        self.entries[slot] = Content::Segment(segment);
    }

    /// Adds a holder to cached groups, and to no others of their segment.
    fn hold_cached(&mut self, cached: Cached) {
        let Cached { mut slot, offset, count } = cached;
        if offset > 0 {
            slot = self.cut(slot, offset);
        }
        if count < self.segment(slot).count {
            self.cut(slot, count);
        }
        let segment = self.segment(slot);
        self.set(slot, Segment { holders: segment.holders + 1, ..segment });
        if segment.holders == 0 {
            self.entries.unlink(slot);
            self.unheld -= u64::from(segment.count);
        }
    }

    /// Cuts a segment before its group `at`; returns the slot of the second part, which is evicted first.
    fn cut(&mut self, slot: usize, at: u32) -> usize {
        let segment = self.segment(slot);
        let middle = segment.first + u64::from(at);
        self.set(slot, Segment { count: at, ..segment });
        let second = self.entries.insert(Content::Segment(Segment { first: middle, count: segment.count - at, ..segment }));
        self.index.insert(middle, second);
        if segment.holders == 0 {
            self.entries.link_older(second, slot);
        } else {
            self.entries.keep_rank(second, slot);
        }
        second
    }

    /// Inserts missing groups, held once: behind those that the holder has before them, if nobody else holds them and they are new, too.
    fn insert_groups(&mut self, piece: Piece) {
        self.groups += u64::from(piece.count);
        if let Some(member) = &self.member {
            member.gained(piece.first, piece.count);
        }
        if let Some((slot, _)) = piece.first.checked_sub(1).filter(|_| piece.continues).and_then(|before| self.find(before)) {
            let segment = self.segment(slot);
            if let (1, 0, Some(count)) = (segment.holders, segment.uses, segment.count.checked_add(piece.count)) {
                return self.set(slot, Segment { count, ..segment });
            }
        }
        let slot = self.entries.insert(Content::Segment(Segment { first: piece.first, count: piece.count, holders: 1, uses: 0 }));
        self.index.insert(piece.first, slot);
    }

    /// Removes a holder of all groups of a segment, `before` which the text of the holder has so many. If the groups behind it have just been
    /// released, too, and are like it, they become one segment with it.
    fn release_segment(&mut self, slot: usize, before: u32, ranks: &mut Ranks<'_>) {
        let mut segment = self.segment(slot);
        debug_assert!(segment.holders > 0, "released a group without holders");
        segment.holders = segment.holders.saturating_sub(1);
        let mut rank = 0;
        if let (0, Some(ranks)) = (segment.holders, ranks) {
            segment.uses = segment.uses.saturating_add(1);
            rank = ranks(&Freed { before, groups: segment.count, uses: segment.uses, previous: self.entries.rank(slot) });
        }
        self.set(slot, segment);
        if segment.holders > 0 {
            return;
        }
        self.unheld += u64::from(segment.count);
        let newest = self.entries.newest(rank);
        self.entries.link_newest(slot, rank);
        let Some(behind) = newest else { return };
        if let Content::Segment(Segment { first, count, uses, .. }) = self.entries[behind]
            && Some(first) == segment.first.checked_add(segment.count.into())
            && uses == segment.uses
            && let Some(count) = segment.count.checked_add(count)
        {
            self.index.remove(&first);
            self.entries.unlink(behind);
            self.entries.vacate(behind);
            self.set(slot, Segment { count, ..segment });
        }
    }
}

#[cfg(test)]
mod tests;
