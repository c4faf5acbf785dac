//! The prefix cache. Cached blocks that no sequence holds are evicted in LRU order.
//!
//! It has two kinds of entries in one LRU list:
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
    /// Groups `first`, `first + 1`, …
    Segment {
        first: u64,
        count: u32,
        holders: u32,
    },
    Residue {
        blocks: u64,
    },
}

/// Cached groups that a piece begins with: their segment, the position of the first in it, and their number.
#[derive(Debug, Clone, Copy)]
struct Cached {
    slot: usize,
    offset: u32,
    count: u32,
}

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
    pub(super) fn enter(&mut self, member: Member) {
        for &slot in self.index.values() {
            let (first, count, _) = self.segment(slot);
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
        cached.filter(|cached| self.segment(cached.slot).2 == 0).map(|cached| u64::from(cached.count)).sum::<u64>() * self.group_blocks
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

    /// Removes a holder from groups that were held. Groups without holders become the most recently used evictable entries, the last of
    /// them first.
    pub(super) fn release(&mut self, piece: Piece) {
        let mut left = piece.count;
        while left > 0 {
            let last = piece.first.wrapping_add(u64::from(left - 1));
            let Some((slot, offset)) = self.find(last) else {
                debug_assert!(false, "released a group that is not cached");
                return;
            };
            self.release_segment(slot);
            left = left.saturating_sub(offset + 1);
        }
    }

    /// Adds a residue of `blocks` (≥ 1) as the most recently used evictable entry.
    pub(super) fn leave(&mut self, blocks: u64) -> Place {
        let slot = self.entries.insert(Content::Residue { blocks });
        self.entries.link_newest(slot);
        self.residues += blocks;
        Place(slot)
    }

    /// Number of leading blocks of a residue that are not yet evicted.
    pub(super) fn left(&self, place: &Place) -> u64 {
        match self.entries[place.0] {
            Content::Residue { blocks } => blocks,
            Content::Segment { .. } => 0,
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

    /// Evicts from the end of the least recently used entry: whole groups until at least `blocks` (≥ 1) are free, or at most `blocks` of a
    /// residue. False if nothing is evictable.
    pub(super) fn evict(&mut self, blocks: u64) -> bool {
        let Some(slot) = self.entries.oldest() else { return false };
        match &mut self.entries[slot] {
            Content::Segment { first, count, .. } => {
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
        Some(Cached { slot, offset, count: (self.segment(slot).1 - offset).min(piece.count) })
    }

    /// Segment of a cached group, and its position there.
    fn find(&self, id: u64) -> Option<(usize, u32)> {
        let (&first, &slot) = self.index.range(..=id).next_back()?;
        let offset = u32::try_from(id - first).ok()?;
        (offset < self.segment(slot).1).then_some((slot, offset))
    }

    /// First identity, number of groups and number of holders of a segment.
    fn segment(&self, slot: usize) -> (u64, u32, u32) {
        match self.entries[slot] {
            Content::Segment { first, count, holders } => (first, count, holders),
            Content::Residue { .. } => {
                debug_assert!(false, "an identity names a residue");
                (0, 0, 0)
            }
        }
    }

    fn set(&mut self, slot: usize, first: u64, count: u32, holders: u32) {
        self.entries[slot] = Content::Segment { first, count, holders };
    }

    /// Adds a holder to cached groups, and to no others of their segment.
    fn hold_cached(&mut self, cached: Cached) {
        let Cached { mut slot, offset, count } = cached;
        if offset > 0 {
            slot = self.cut(slot, offset);
        }
        if count < self.segment(slot).1 {
            self.cut(slot, count);
        }
        let (first, count, holders) = self.segment(slot);
        self.set(slot, first, count, holders + 1);
        if holders == 0 {
            self.entries.unlink(slot);
            self.unheld -= u64::from(count);
        }
    }

    /// Cuts a segment before its group `at`; returns the slot of the second part, which is evicted first.
    fn cut(&mut self, slot: usize, at: u32) -> usize {
        let (first, count, holders) = self.segment(slot);
        let middle = first + u64::from(at);
        self.set(slot, first, at, holders);
        let second = self.entries.insert(Content::Segment { first: middle, count: count - at, holders });
        self.index.insert(middle, second);
        if holders == 0 {
            self.entries.link_older(second, slot);
        }
        second
    }

    /// Inserts missing groups, held once: behind those that the holder has before them, if nobody else holds them.
    fn insert_groups(&mut self, piece: Piece) {
        self.groups += u64::from(piece.count);
        if let Some(member) = &self.member {
            member.gained(piece.first, piece.count);
        }
        if let Some((slot, _)) = piece.first.checked_sub(1).filter(|_| piece.continues).and_then(|before| self.find(before)) {
            let (first, count, holders) = self.segment(slot);
            if let (1, Some(longer)) = (holders, count.checked_add(piece.count)) {
                return self.set(slot, first, longer, 1);
            }
        }
        let slot = self.entries.insert(Content::Segment { first: piece.first, count: piece.count, holders: 1 });
        self.index.insert(piece.first, slot);
    }

    /// Removes a holder of all groups of a segment. If the groups behind it have just been released, too, they become one segment with it.
    fn release_segment(&mut self, slot: usize) {
        let (first, count, holders) = self.segment(slot);
        debug_assert!(holders > 0, "released a group without holders");
        let holders = holders.saturating_sub(1);
        self.set(slot, first, count, holders);
        if holders > 0 {
            return;
        }
        self.unheld += u64::from(count);
        let before = self.entries.newest();
        self.entries.link_newest(slot);
        let Some(behind) = before else { return };
        if let Content::Segment { first: next, count: more, .. } = self.entries[behind]
            && Some(next) == first.checked_add(count.into())
            && let Some(longer) = count.checked_add(more)
        {
            self.index.remove(&next);
            self.entries.unlink(behind);
            self.entries.vacate(behind);
            self.set(slot, first, longer, 0);
        }
    }
}

#[cfg(test)]
mod tests;
