//! The pending-event set: the next few events in a sorted array, all others in a 4-ary heap, keyed by one packed 128-bit integer.
//!
//! A cluster has 10 to 10⁴ pending events (arrivals are streamed, not queued). Insertion into a short contiguous array takes fewer instructions than
//! any heap; with many events, most are pushed onto the heap, and a 4-ary heap on a packed integer key is the fastest that keeps a total order. Push
//! and pop are O(log n).

use dary_heap::QuaternaryHeap;

use super::SimTime;

/// Tells live events from superseded ones. Bumping the owner's generation cancels the events it has scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Generation(u32);

impl Generation {
    /// Invalidates all events scheduled so far and returns the new generation.
    #[must_use = "events scheduled from now on carry the new generation"]
    pub fn bump(&mut self) -> Self {
        self.0 = self.0.wrapping_add(1);
        *self
    }
}

/// Position of an event in the total order: time (64 bit), class (8), entity (32), sequence (24).
///
/// `sequence` only separates a live event from stale ones of the same entity, class and time, so its wrap-around after 2²⁴ is harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventKey(u128);

impl EventKey {
    /// Packs a key. Smaller class first, then smaller entity.
    pub const fn new(at: SimTime, class: u8, entity: u32) -> Self {
        Self(((at.ns() as u128) << 64) | ((class as u128) << 56) | ((entity as u128) << 24))
    }
    /// The time part.
    pub const fn at(self) -> SimTime {
        SimTime::from_ns((self.0 >> 64) as u64)
    }
    /// The same position with the sequence cleared, so that keys built by `new` compare equal to queued ones.
    #[must_use]
    pub const fn without_sequence(self) -> Self {
        Self(self.0 & !0xFF_FFFF)
    }
}

/// Maximum number of events kept sorted: 1 KiB, about as fast to move as to search.
const NEAR: usize = 32;

/// A priority queue of events, earliest key first.
#[derive(Debug, Clone)]
pub struct EventQueue<E> {
    /// The next events, earliest last; empty only if the queue is empty.
    near: Vec<Item<E>>,
    /// All other events, none of them earlier.
    far: QuaternaryHeap<Item<E>>,
    sequence: u32,
}

#[derive(Debug, Clone)]
struct Item<E> {
    key: EventKey,
    event: E,
}

// The heap is a max-heap: reverse the order, so that the earliest key is on top.
impl<E> Ord for Item<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.key.cmp(&self.key)
    }
}
impl<E> PartialOrd for Item<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<E> PartialEq for Item<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl<E> Eq for Item<E> {}

impl<E> Default for EventQueue<E> {
    fn default() -> Self {
        Self { near: Vec::with_capacity(NEAR + 1), far: QuaternaryHeap::new(), sequence: 0 }
    }
}

impl<E> EventQueue<E> {
    /// Schedules `event` at `key`.
    pub fn push(&mut self, key: EventKey, event: E) {
        self.sequence = (self.sequence + 1) & 0xFF_FFFF;
        let item = Item { key: EventKey(key.0 | u128::from(self.sequence)), event };
        if self.far.peek().is_some_and(|first| first.key < item.key) {
            return self.far.push(item);
        }
        let place = self.near.partition_point(|other| other.key > item.key);
        self.near.insert(place, item);
        if self.near.len() > NEAR {
            self.far.push(self.near.remove(0));
        }
    }
    /// The earliest event with its key, live or stale.
    pub fn peek_event(&self) -> Option<(EventKey, &E)> {
        self.near.last().map(|item| (item.key, &item.event))
    }
    /// Removes the earliest event.
    pub fn pop(&mut self) -> Option<(EventKey, E)> {
        let item = self.near.pop()?;
        if self.near.is_empty() {
            self.near.extend(std::iter::from_fn(|| self.far.pop()).take(NEAR / 2));
            self.near.reverse();
        }
        Some((item.key, item.event))
    }
    /// The pending events in no order, stale ones included.
    pub fn events(&self) -> impl Iterator<Item = &E> {
        self.near.iter().chain(self.far.iter()).map(|item| &item.event)
    }
    /// Number of pending events, stale ones included.
    pub fn len(&self) -> usize {
        self.near.len() + self.far.len()
    }
    /// True if no event is pending.
    pub fn is_empty(&self) -> bool {
        self.near.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(at: u64, class: u8, entity: u32) -> EventKey {
        EventKey::new(SimTime::from_ns(at), class, entity)
    }

    #[test]
    fn keys_order_by_time_then_class_then_entity_then_sequence() {
        let mut queue = EventQueue::default();
        queue.push(key(5, 0, 0), "later");
        queue.push(key(3, 2, 0), "class 2");
        queue.push(key(3, 1, 9), "class 1, entity 9");
        queue.push(key(3, 1, 4), "class 1, entity 4, first");
        queue.push(key(3, 1, 4), "class 1, entity 4, second");
        let order: Vec<_> = std::iter::from_fn(|| queue.pop().map(|(_, event)| event)).collect();
        assert_eq!(order, ["class 1, entity 4, first", "class 1, entity 4, second", "class 1, entity 9", "class 2", "later"]);
    }

    #[test]
    fn a_bumped_generation_differs_from_the_old_one() {
        let mut generation = Generation::default();
        let old = generation;
        assert_ne!(generation.bump(), old);
    }

    proptest! {
        #[test]
        fn pops_in_sorted_order_for_any_pushes(keys in proptest::collection::vec((0u64..50, 0u8..4, 0u32..8), 0..200)) {
            let mut queue = EventQueue::default();
            for &(at, class, entity) in &keys {
                queue.push(key(at, class, entity), (at, class, entity));
            }
            let popped: Vec<_> = std::iter::from_fn(|| queue.pop().map(|(_, event)| event)).collect();
            let mut sorted = keys.clone();
            sorted.sort_unstable();
            prop_assert_eq!(popped, sorted);
        }
    }
}
