//! Heaps whose entries can be changed and removed by id.

/// Position of each id in its heap. One table serves many heaps, as long as no id is in two of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Vec<usize>);

impl Places {
    fn put(&mut self, id: u32, place: usize) {
        let at = id as usize;
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        self.0[at] = place;
    }
}

/// Keys by id, smallest first; ties go to the lower id. First is O(1), everything else O(log n).
#[derive(Debug, Clone)]
pub(super) struct Heap<K> {
    items: Vec<(K, u32)>,
}

impl<K> Default for Heap<K> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<K: Ord + Copy> Heap<K> {
    pub(super) fn first(&self) -> Option<(K, u32)> {
        self.items.first().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Ids in no particular order.
    pub(super) fn ids(&self) -> impl Iterator<Item = u32> {
        self.items.iter().map(|&(_, id)| id)
    }

    /// Position of an id in this heap. A stale entry of `places` points to another id or beyond the end.
    fn place(&self, places: &Places, id: u32) -> Option<usize> {
        places.0.get(id as usize).copied().filter(|&place| self.items.get(place).is_some_and(|item| item.1 == id))
    }

    /// Inserts an id, or changes its key.
    pub(super) fn set(&mut self, places: &mut Places, id: u32, key: K) {
        if let Some(place) = self.place(places, id) {
            if self.items[place].0 != key {
                self.items[place].0 = key;
                self.settle(places, place);
            }
        } else {
            self.items.push((key, id));
            self.rise(places, self.items.len() - 1);
        }
    }

    /// Removes an id, if present.
    pub(super) fn remove(&mut self, places: &mut Places, id: u32) {
        if let Some(place) = self.place(places, id) {
            self.items.swap_remove(place);
            if place < self.items.len() {
                self.settle(places, place);
            }
        }
    }

    /// Moves an item up or down to its position.
    fn settle(&mut self, places: &mut Places, place: usize) {
        let id = self.items[place].1;
        self.rise(places, place);
        if self.items[place].1 == id {
            self.sink(places, place);
        }
    }

    fn rise(&mut self, places: &mut Places, mut place: usize) {
        let item = self.items[place];
        while place > 0 && item < self.items[(place - 1) / 2] {
            let above = (place - 1) / 2;
            self.items[place] = self.items[above];
            places.put(self.items[place].1, place);
            place = above;
        }
        self.items[place] = item;
        places.put(item.1, place);
    }

    fn sink(&mut self, places: &mut Places, mut place: usize) {
        let item = self.items[place];
        loop {
            let mut below = 2 * place + 1;
            if below + 1 < self.items.len() && self.items[below + 1] < self.items[below] {
                below += 1;
            }
            if below >= self.items.len() || item <= self.items[below] {
                break;
            }
            self.items[place] = self.items[below];
            places.put(self.items[place].1, place);
            place = below;
        }
        self.items[place] = item;
        places.put(item.1, place);
    }
}

/// A heap with its own table of positions.
#[derive(Debug, Clone)]
pub(super) struct Queue<K> {
    heap: Heap<K>,
    places: Places,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self { heap: Heap::default(), places: Places::default() }
    }
}

impl<K: Ord + Copy> Queue<K> {
    pub(super) fn first(&self) -> Option<(K, u32)> {
        self.heap.first()
    }

    /// Ids in no particular order.
    pub(super) fn ids(&self) -> impl Iterator<Item = u32> {
        self.heap.ids()
    }

    /// The key of an id, if present.
    pub(super) fn key(&self, id: u32) -> Option<K> {
        self.heap.place(&self.places, id).map(|place| self.heap.items[place].0)
    }

    /// Inserts an id or changes its key; removes it for `None`.
    pub(super) fn set(&mut self, id: u32, key: Option<K>) {
        match key {
            Some(key) => self.heap.set(&mut self.places, id, key),
            None => self.heap.remove(&mut self.places, id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_is_the_least_of_all(changes in proptest::collection::vec((0u32..40, proptest::option::of(0u64..20)), 1..300)) {
            let mut queue = Queue::default();
            let mut keys = [None; 40];
            for (id, key) in changes {
                keys[id as usize] = key;
                queue.set(id, key);
                let least = keys.iter().zip(0u32..).filter_map(|(key, id)| Some(((*key)?, id))).min();
                prop_assert_eq!(queue.first(), least);
                prop_assert!((0..40u32).all(|id| queue.key(id) == keys[id as usize]));
            }
        }

        /// An id may move between heaps: its stale entry in the table matches neither.
        #[test]
        fn heaps_may_share_their_places(moves in proptest::collection::vec((0u32..12, 0usize..3, 0u64..9), 1..200)) {
            let mut places = Places::default();
            let mut heaps = [Heap::default(), Heap::default(), Heap::default()];
            let mut kept = [None; 12];
            for (id, to, key) in moves {
                if let Some((from, _)) = kept[id as usize].replace((to, key)) {
                    let from: &mut Heap<u64> = &mut heaps[from];
                    from.remove(&mut places, id);
                }
                heaps[to].set(&mut places, id, key);
                for (index, heap) in heaps.iter().enumerate() {
                    let inside = kept.iter().zip(0u32..).filter_map(|(kept, id)| kept.filter(|kept| kept.0 == index).map(|kept| (kept.1, id)));
                    prop_assert_eq!(heap.first(), inside.clone().min());
                    prop_assert_eq!(heap.len(), inside.count());
                }
            }
        }
    }
}
