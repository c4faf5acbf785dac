//! A list in order of last use, over slots that keep their place. Must not know what it holds.

use std::ops::{Index, IndexMut};

#[derive(Debug, Clone)]
struct Slot<T> {
    content: T,
    older: Option<usize>,
    newer: Option<usize>,
}

/// Slots, some of which are linked from the oldest to the newest.
#[derive(Debug, Clone)]
pub(super) struct Lru<T> {
    slots: Vec<Slot<T>>,
    vacant: Vec<usize>,
    oldest: Option<usize>,
    newest: Option<usize>,
}

impl<T> Default for Lru<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), vacant: Vec::new(), oldest: None, newest: None }
    }
}

impl<T> Lru<T> {
    /// A slot for `content`, not linked.
    pub(super) fn insert(&mut self, content: T) -> usize {
        let entry = Slot { content, older: None, newer: None };
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

    pub(super) const fn oldest(&self) -> Option<usize> {
        self.oldest
    }

    pub(super) const fn newest(&self) -> Option<usize> {
        self.newest
    }

    /// Links a slot as the newest.
    pub(super) fn link_newest(&mut self, slot: usize) {
        self.link(slot, self.newest, None);
    }

    /// Links a slot as the next older one than `newer`, which is linked.
    pub(super) fn link_older(&mut self, slot: usize, newer: usize) {
        self.link(slot, self.slots[newer].older, Some(newer));
    }

    fn link(&mut self, slot: usize, older: Option<usize>, newer: Option<usize>) {
        (self.slots[slot].older, self.slots[slot].newer) = (older, newer);
        self.join(older, Some(slot));
        self.join(Some(slot), newer);
    }

    /// Unlinks a linked slot.
    pub(super) fn unlink(&mut self, slot: usize) {
        let entry = &mut self.slots[slot];
        let (older, newer) = (entry.older.take(), entry.newer.take());
        self.join(older, newer);
    }

    /// Makes two slots neighbours; `None` is the end of the list.
    fn join(&mut self, older: Option<usize>, newer: Option<usize>) {
        match older {
            Some(older) => self.slots[older].newer = newer,
            None => self.oldest = newer,
        }
        match newer {
            Some(newer) => self.slots[newer].older = older,
            None => self.newest = older,
        }
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
