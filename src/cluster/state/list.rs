//! Linked lists of requests, with the links stored in the requests: removal from the middle takes constant time.
//!
//! A request is in at most one list: waiting, delivered, running, or waiting for a handoff.

use super::requests::Requests;
use crate::cluster::ids::Slot;

/// A list of requests, first to last.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct List {
    first: Option<Slot>,
    last: Option<Slot>,
    len: u64,
}

impl List {
    pub(crate) const fn first(&self) -> Option<Slot> {
        self.first
    }

    pub(crate) const fn last(&self) -> Option<Slot> {
        self.last
    }

    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn push_back(&mut self, requests: &mut Requests, slot: Slot) {
        requests[slot].links.before = self.last;
        requests[slot].links.after = None;
        match self.last {
            Some(previous) => requests[previous].links.after = Some(slot),
            None => self.first = Some(slot),
        }
        self.last = Some(slot);
        self.len += 1;
    }

    pub(crate) fn push_front(&mut self, requests: &mut Requests, slot: Slot) {
        requests[slot].links.before = None;
        requests[slot].links.after = self.first;
        match self.first {
            Some(next) => requests[next].links.before = Some(slot),
            None => self.last = Some(slot),
        }
        self.first = Some(slot);
        self.len += 1;
    }

    /// Removes a request that is in this list.
    pub(crate) fn remove(&mut self, requests: &mut Requests, slot: Slot) {
        let (before, after) = (requests[slot].links.before.take(), requests[slot].links.after.take());
        match before {
            Some(previous) => requests[previous].links.after = after,
            None => self.first = after,
        }
        match after {
            Some(next) => requests[next].links.before = before,
            None => self.last = before,
        }
        self.len -= 1;
    }

    /// The requests in order.
    pub(crate) fn iter<'a>(&self, requests: &'a Requests) -> impl Iterator<Item = Slot> + use<'a> {
        std::iter::successors(self.first, |&slot| requests[slot].links.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::SimTime;
    use crate::workload::{ClassId, RequestSpec};

    #[test]
    fn requests_leave_from_both_ends_and_from_the_middle() {
        let mut requests = Requests::default();
        let spec = || RequestSpec::new(ClassId(0), 1, 1);
        let slots: Vec<Slot> = (0..5).map(|_| requests.insert(SimTime::ZERO, spec()).unwrap()).collect();
        let mut row = List::default();
        for &slot in &slots[..4] {
            row.push_back(&mut requests, slot);
        }
        row.push_front(&mut requests, slots[4]);
        let order = |row: &List, requests: &Requests| row.iter(requests).map(|slot| slot.0).collect::<Vec<_>>();
        assert_eq!(order(&row, &requests), [4, 0, 1, 2, 3]);
        row.remove(&mut requests, slots[1]);
        row.remove(&mut requests, slots[4]);
        row.remove(&mut requests, slots[3]);
        assert_eq!(order(&row, &requests), [0, 2]);
        assert_eq!((row.first(), row.last(), row.len()), (Some(slots[0]), Some(slots[2]), 2));
        row.remove(&mut requests, slots[0]);
        row.remove(&mut requests, slots[2]);
        assert_eq!((row.first(), row.last(), row.is_empty()), (None, None, true));
    }
}
