//! The prefix cache: reference-counted groups of blocks by identity; groups without holders are evicted least recently used first.
//!
//! A *group* is what one identity of the workload covers (512 tokens in a Mooncake trace): a fixed number of KV blocks. Identities
//! are chained: equal ids mean equal text from the start of the prompt, so a lookup stops at the first miss.

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Entry {
    id: u64,
    holders: u32,
    /// Neighbours in the list of evictable entries; `NONE` at its ends or while held.
    older: u32,
    newer: u32,
}

/// Cached groups of one instance.
#[derive(Debug, Clone, Default)]
pub(super) struct PrefixCache {
    slots: Vec<Entry>,
    vacant: Vec<u32>,
    index: IndexMap<u64, u32, FxBuildHasher>,
    oldest: Option<u32>,
    newest: Option<u32>,
    evictable: u64,
}

impl PrefixCache {
    /// Leading groups of `ids` that are cached.
    pub(super) fn lookup(&self, ids: &[u64]) -> usize {
        ids.iter().take_while(|id| self.index.contains_key(*id)).count()
    }

    /// Leading groups of `ids` that are cached but without holders: taking them costs free memory.
    pub(super) fn evictable_among(&self, ids: &[u64]) -> u64 {
        ids.iter().filter_map(|id| self.index.get(id)).filter(|&&slot| self.slots[slot as usize].holders == 0).count() as u64
    }

    /// Groups without holders.
    pub(super) fn evictable(&self) -> u64 {
        self.evictable
    }

    /// Groups cached, held or not.
    pub(super) fn len(&self) -> u64 {
        self.index.len() as u64
    }

    /// Takes a hold on a cached group; false if it is not cached.
    pub(super) fn hold(&mut self, id: u64) -> bool {
        let Some(&slot) = self.index.get(&id) else { return false };
        if self.slots[slot as usize].holders == 0 {
            self.unlink(slot);
        }
        self.slots[slot as usize].holders += 1;
        true
    }

    /// Adds a group held once. The caller has made room.
    pub(super) fn insert_held(&mut self, id: u64) {
        let entry = Entry { id, holders: 1, older: NONE, newer: NONE };
        let slot = if let Some(slot) = self.vacant.pop() {
            self.slots[slot as usize] = entry;
            slot
        } else {
            self.slots.push(entry);
            u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
        };
        self.index.insert(id, slot);
    }

    /// Gives back one hold. A group without holders becomes the most recently used evictable one.
    pub(super) fn release(&mut self, id: u64) {
        let Some(&slot) = self.index.get(&id) else {
            debug_assert!(false, "released a group that is not cached");
            return;
        };
        let entry = &mut self.slots[slot as usize];
        debug_assert!(entry.holders > 0, "released a group that nobody holds");
        entry.holders -= 1;
        if entry.holders == 0 {
            self.link_newest(slot);
        }
    }

    /// Evicts the least recently used group without holders; false if there is none.
    pub(super) fn evict_oldest(&mut self) -> bool {
        let Some(slot) = self.oldest else { return false };
        self.unlink(slot);
        self.index.swap_remove(&self.slots[slot as usize].id);
        self.vacant.push(slot);
        true
    }

    fn link_newest(&mut self, slot: u32) {
        let before = self.newest;
        {
            let entry = &mut self.slots[slot as usize];
            entry.older = before.unwrap_or(NONE);
            entry.newer = NONE;
        }
        match before {
            Some(previous) => self.slots[previous as usize].newer = slot,
            None => self.oldest = Some(slot),
        }
        self.newest = Some(slot);
        self.evictable += 1;
    }

    fn unlink(&mut self, slot: u32) {
        let Entry { older, newer, .. } = self.slots[slot as usize];
        if older == NONE {
            self.oldest = (newer != NONE).then_some(newer);
        } else {
            self.slots[older as usize].newer = newer;
        }
        if newer == NONE {
            self.newest = (older != NONE).then_some(older);
        } else {
            self.slots[newer as usize].older = older;
        }
        let entry = &mut self.slots[slot as usize];
        entry.older = NONE;
        entry.newer = NONE;
        self.evictable -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evicts_the_least_recently_released_first() {
        let mut cache = PrefixCache::default();
        for id in [10, 20, 30] {
            cache.insert_held(id);
        }
        assert!(!cache.evict_oldest(), "all are held");
        for id in [20, 10, 30] {
            cache.release(id);
        }
        assert!(cache.hold(10), "a hold saves it from eviction");
        assert!(cache.evict_oldest());
        assert_eq!(cache.lookup(&[20]), 0, "20 was released first");
        assert!(cache.evict_oldest());
        assert_eq!((cache.lookup(&[30]), cache.lookup(&[10])), (0, 1));
        assert!(!cache.evict_oldest());
    }

    #[test]
    fn lookup_stops_at_the_first_miss() {
        let mut cache = PrefixCache::default();
        for id in [1, 3] {
            cache.insert_held(id);
        }
        assert_eq!(cache.lookup(&[1, 2, 3]), 1);
    }
}
