//! Lists in order of last use, one for each rank, over slots that keep their place. Must not know what it holds.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

#[derive(Debug, Clone)]
struct Slot<T> {
    content: T,
    /// Of its list: the present one, or the last.
    rank: u64,
    older: Option<usize>,
    newer: Option<usize>,
}

/// Both ends of a list.
#[derive(Debug, Clone, Copy, Default)]
struct Ends {
    oldest: Option<usize>,
    newest: Option<usize>,
}

/// Slots, some of which are linked from the oldest to the newest of their rank.
#[derive(Debug, Clone)]
pub(super) struct Lru<T> {
    slots: Vec<Slot<T>>,
    vacant: Vec<usize>,
    /// Rank 0, the only one without ranks.
    lowest: Ends,
    /// Ranks above 0 that have slots.
    higher: BTreeMap<u64, Ends>,
}

impl<T> Default for Lru<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), vacant: Vec::new(), lowest: Ends::default(), higher: BTreeMap::new() }
    }
}

impl<T> Lru<T> {
    /// A slot for `content`, not linked.
    pub(super) fn insert(&mut self, content: T) -> usize {
        let entry = Slot { content, rank: 0, older: None, newer: None };
        if let Some(slot) = self.vacant.pop() {
            self.slots[slot] = entry;
            return slot;
        }
        self.slots.push(entry);
        self.slots.len() - 1
    }

    /// Gives back a slot that is not linked.
    pub(super) fn vacate(&mut self, slot: usize) {
        self.vacant.push(slot);
    }

    /// The oldest slot of the lowest rank, and the rank.
    pub(super) fn oldest(&self) -> Option<(u64, usize)> {
        let higher = || self.higher.first_key_value().and_then(|(&rank, ends)| Some((rank, ends.oldest?)));
        self.lowest.oldest.map(|slot| (0, slot)).or_else(higher)
    }

    /// The newest slot of a rank.
    pub(super) fn newest(&self, rank: u64) -> Option<usize> {
        if rank == 0 { self.lowest.newest } else { self.higher.get(&rank)?.newest }
    }

    /// The rank of a slot, or the one that it had when it was linked last.
    pub(super) fn rank(&self, slot: usize) -> u64 {
        self.slots[slot].rank
    }

    /// Gives a slot that is not linked the rank of another.
    pub(super) fn keep_rank(&mut self, slot: usize, of: usize) {
        self.slots[slot].rank = self.slots[of].rank;
    }

    /// Links a slot as the newest of a rank.
    pub(super) fn link_newest(&mut self, slot: usize, rank: u64) {
        self.slots[slot].rank = rank;
        self.link(slot, self.newest(rank), None);
    }

    /// Links a slot as the next older one than `newer`, which is linked.
    pub(super) fn link_older(&mut self, slot: usize, newer: usize) {
        self.slots[slot].rank = self.slots[newer].rank;
        self.link(slot, self.slots[newer].older, Some(newer));
    }

    fn link(&mut self, slot: usize, older: Option<usize>, newer: Option<usize>) {
        (self.slots[slot].older, self.slots[slot].newer) = (older, newer);
        let rank = self.slots[slot].rank;
        self.join(rank, older, Some(slot));
        self.join(rank, Some(slot), newer);
    }

    /// Unlinks a linked slot.
    pub(super) fn unlink(&mut self, slot: usize) {
        let entry = &mut self.slots[slot];
        let (rank, older, newer) = (entry.rank, entry.older.take(), entry.newer.take());
        self.join(rank, older, newer);
        if rank > 0 && older.is_none() && newer.is_none() {
            self.higher.remove(&rank);
        }
    }

    /// Makes two slots of a rank neighbours; `None` is the end of its list.
    fn join(&mut self, rank: u64, older: Option<usize>, newer: Option<usize>) {
        match older {
            Some(older) => self.slots[older].newer = newer,
            None => self.ends(rank).oldest = newer,
        }
        match newer {
            Some(newer) => self.slots[newer].older = older,
            None => self.ends(rank).newest = older,
        }
    }

    fn ends(&mut self, rank: u64) -> &mut Ends {
        if rank == 0 { &mut self.lowest } else { self.higher.entry(rank).or_default() }
    }

    /// Slots, and those that are vacant.
    #[cfg(test)]
    pub(super) const fn places(&self) -> [usize; 2] {
        [self.slots.len(), self.vacant.len()]
    }
}

impl<T> Index<usize> for Lru<T> {
    type Output = T;
    fn index(&self, slot: usize) -> &T {
        &self.slots[slot].content
    }
}

impl<T> IndexMut<usize> for Lru<T> {
    fn index_mut(&mut self, slot: usize) -> &mut T {
        &mut self.slots[slot].content
    }
}
