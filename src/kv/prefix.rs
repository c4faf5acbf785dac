//! The prefix cache. Cached blocks that no sequence holds are evicted in LRU order.
//!
//! It has two kinds of entries in one LRU list:
//!
//! * A *group* holds the tokens of one workload identity (512 tokens in a Mooncake trace): a fixed number of KV blocks, with a count of
//!   holders. Identities are chained: equal ids mean equal text from the start of the prompt, so a lookup stops at the first miss.
//! * A *residue* holds the full blocks of a preempted sequence behind its groups; only that sequence can find them again. It is evicted
//!   from the end, block by block.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

const NONE: usize = usize::MAX;

#[derive(Debug, Clone, Copy)]
enum Content {
    Group { id: u64, holders: u32 },
    Residue { blocks: u64 },
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    content: Content,
    /// Neighbours in the LRU list; `NONE` at its ends, for a held group, and for an empty residue.
    older: usize,
    newer: usize,
}

impl Entry {
    /// True if this is the group of an identity.
    fn is(&self, identity: u64) -> bool {
        matches!(self.content, Content::Group { id, .. } if id == identity)
    }

    /// Hash of a group's identity.
    fn hash(&self) -> u64 {
        match self.content {
            Content::Group { id, .. } => hash(id),
            Content::Residue { .. } => 0,
        }
    }
}

fn hash(id: u64) -> u64 {
    FxBuildHasher.hash_one(id)
}

/// Slot of a residue.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place(usize);

/// Cached groups and residues of one instance.
#[derive(Debug, Clone, Default)]
pub(super) struct PrefixCache {
    /// KV blocks per group; 0 without identities.
    group_blocks: u64,
    slots: Vec<Entry>,
    vacant: Vec<usize>,
    /// Groups by identity. Never iterated, because the order of a hash table depends on its history.
    index: HashTable<usize>,
    oldest: Option<usize>,
    newest: Option<usize>,
    /// Groups without holders.
    unheld: u64,
    /// Blocks of all residues.
    residues: u64,
}

impl PrefixCache {
    pub(super) fn new(group_blocks: u64) -> Self {
        Self { group_blocks, ..Self::default() }
    }

    /// KV blocks per group; 0 without identities.
    pub(super) const fn group_blocks(&self) -> u64 {
        self.group_blocks
    }

    /// Leading groups of `ids` that are cached.
    pub(super) fn lookup(&self, ids: &[u64]) -> usize {
        ids.iter().take_while(|&&id| self.find(id).is_some()).count()
    }

    /// Blocks of the cached groups of `ids` without holders: holding them reduces free memory.
    pub(super) fn evictable_among(&self, ids: &[u64]) -> u64 {
        let unheld = |slot: usize| matches!(self.slots[slot].content, Content::Group { holders: 0, .. });
        ids.iter().filter_map(|&id| self.find(id)).filter(|&slot| unheld(slot)).count() as u64 * self.group_blocks
    }

    /// Blocks of all entries.
    pub(super) fn blocks(&self) -> u64 {
        self.index.len() as u64 * self.group_blocks + self.residues
    }

    /// Blocks of groups with holders.
    pub(super) fn held(&self) -> u64 {
        (self.index.len() as u64 - self.unheld) * self.group_blocks
    }

    /// Blocks of residues.
    pub(super) const fn residues(&self) -> u64 {
        self.residues
    }

    /// Adds a holder to a cached group; false on a miss.
    pub(super) fn hold(&mut self, id: u64) -> bool {
        let Some(slot) = self.find(id) else { return false };
        if self.count(slot, 1) == 1 {
            self.unlink(slot);
            self.unheld -= 1;
        }
        true
    }

    /// Adds a holder to a group, which is inserted on a miss. The caller has made room.
    pub(super) fn hold_or_insert(&mut self, id: u64) {
        if self.hold(id) {
            return;
        }
        let slot = self.insert(Content::Group { id, holders: 1 });
        let Self { index, slots, .. } = self;
        index.insert_unique(hash(id), slot, |&slot| slots[slot].hash());
    }

    /// Removes a holder. A group without holders becomes the most recently used evictable entry.
    pub(super) fn release(&mut self, id: u64) {
        let Some(slot) = self.find(id) else {
            debug_assert!(false, "released a group that is not cached");
            return;
        };
        if self.count(slot, -1) == 0 {
            self.link_newest(slot);
            self.unheld += 1;
        }
    }

    /// Adds a residue of `blocks` (≥ 1) as the most recently used evictable entry.
    pub(super) fn leave(&mut self, blocks: u64) -> Place {
        let slot = self.insert(Content::Residue { blocks });
        self.link_newest(slot);
        self.residues += blocks;
        Place(slot)
    }

    /// Number of leading blocks of a residue that are not yet evicted.
    pub(super) fn left(&self, place: &Place) -> u64 {
        match self.slots.get(place.0) {
            Some(&Entry { content: Content::Residue { blocks }, .. }) => blocks,
            _ => 0,
        }
    }

    /// Ends a residue and frees its remaining blocks.
    #[expect(clippy::needless_pass_by_value, reason = "a discarded place is invalid")]
    pub(super) fn discard(&mut self, place: Place) {
        let left = self.left(&place);
        if left > 0 {
            self.unlink(place.0);
            self.residues -= left;
        }
        self.vacant.push(place.0);
    }

    /// Evicts the least recently used entry: all of a group, or at most `blocks` (≥ 1) from the end of a residue. False if nothing is
    /// evictable.
    pub(super) fn evict(&mut self, blocks: u64) -> bool {
        let Some(slot) = self.oldest else { return false };
        match &mut self.slots[slot].content {
            Content::Group { id, .. } => {
                if let Ok(place) = self.index.find_entry(hash(*id), |&other| other == slot) {
                    place.remove();
                }
                self.unlink(slot);
                self.unheld -= 1;
                self.vacant.push(slot);
            }
            Content::Residue { blocks: left } => {
                let evicted = blocks.min(*left);
                *left -= evicted;
                self.residues -= evicted;
                // The slot stays allocated: the sequence still refers to it.
                if *left == 0 {
                    self.unlink(slot);
                }
            }
        }
        true
    }

    /// Slot of a cached group.
    fn find(&self, id: u64) -> Option<usize> {
        self.index.find(hash(id), |&slot| self.slots[slot].is(id)).copied()
    }

    /// Changes the number of holders of a group; returns the new number.
    fn count(&mut self, slot: usize, by: i32) -> u32 {
        match &mut self.slots[slot].content {
            Content::Group { holders, .. } => {
                debug_assert!(by > 0 || *holders > 0, "released a group without holders");
                *holders = holders.saturating_add_signed(by);
                *holders
            }
            Content::Residue { .. } => {
                debug_assert!(false, "an identity names a residue");
                u32::MAX
            }
        }
    }

    fn insert(&mut self, content: Content) -> usize {
        let entry = Entry { content, older: NONE, newer: NONE };
        if let Some(slot) = self.vacant.pop() {
            self.slots[slot] = entry;
            return slot;
        }
        let slot = self.slots.len();
        self.slots.push(entry);
        slot
    }

    fn link_newest(&mut self, slot: usize) {
        let before = self.newest;
        {
            let entry = &mut self.slots[slot];
            entry.older = before.unwrap_or(NONE);
            entry.newer = NONE;
        }
        match before {
            Some(previous) => self.slots[previous].newer = slot,
            None => self.oldest = Some(slot),
        }
        self.newest = Some(slot);
    }

    fn unlink(&mut self, slot: usize) {
        let Entry { older, newer, .. } = self.slots[slot];
        if older == NONE {
            self.oldest = (newer != NONE).then_some(newer);
        } else {
            self.slots[older].newer = newer;
        }
        if newer == NONE {
            self.newest = (older != NONE).then_some(older);
        } else {
            self.slots[newer].older = older;
        }
        let entry = &mut self.slots[slot];
        entry.older = NONE;
        entry.newer = NONE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evicts_the_least_recently_released_first() {
        let mut cache = PrefixCache::new(4);
        for id in [10, 20, 30] {
            cache.hold_or_insert(id);
        }
        assert!(!cache.evict(1), "all are held");
        for id in [20, 10, 30] {
            cache.release(id);
        }
        assert!(cache.hold(10), "a hold saves it from eviction");
        assert!(cache.evict(1));
        assert_eq!(cache.lookup(&[20]), 0, "20 was released first");
        assert!(cache.evict(1));
        assert_eq!((cache.lookup(&[30]), cache.lookup(&[10])), (0, 1));
        assert!(!cache.evict(1));
    }

    #[test]
    fn lookup_stops_at_the_first_miss() {
        let mut cache = PrefixCache::new(1);
        for id in [1, 3] {
            cache.hold_or_insert(id);
        }
        assert_eq!(cache.lookup(&[1, 2, 3]), 1);
    }

    #[test]
    fn groups_and_residues_are_evicted_in_lru_order() {
        let mut cache = PrefixCache::new(4);
        for id in [10, 20] {
            cache.hold_or_insert(id);
        }
        cache.release(10);
        let first = cache.leave(3);
        cache.release(20);
        let second = cache.leave(2);
        assert_eq!((cache.blocks(), cache.held(), cache.residues()), (13, 0, 5));
        let seen = |cache: &PrefixCache| (cache.lookup(&[10]), cache.left(&first), cache.lookup(&[20]), cache.left(&second));
        let mut states = Vec::new();
        // Each step evicts at most one block of a residue; the last step allows nine, but only two are left.
        for blocks in [1, 1, 1, 1, 1, 9] {
            assert!(cache.evict(blocks));
            states.push(seen(&cache));
        }
        assert_eq!(states, [(0, 3, 1, 2), (0, 2, 1, 2), (0, 1, 1, 2), (0, 0, 1, 2), (0, 0, 0, 2), (0, 0, 0, 0)]);
        assert!(!cache.evict(1));
        cache.discard(first);
        cache.discard(second);
        assert_eq!((cache.blocks(), cache.slots.len(), cache.vacant.len()), (0, 4, 4));
    }

    #[test]
    fn discarding_a_residue_keeps_the_lru_order() {
        let mut cache = PrefixCache::new(1);
        let places: Vec<Place> = (1..=3).map(|blocks| cache.leave(blocks)).collect();
        let [first, second, third] = places.try_into().unwrap();
        cache.discard(second);
        assert_eq!(cache.residues(), 4);
        assert!(cache.evict(9) && cache.evict(2));
        assert_eq!((cache.left(&first), cache.left(&third)), (0, 1));
    }
}
