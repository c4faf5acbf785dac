//! Requests in a row, linked through the requests themselves: one can leave from the middle at once, however long the row is.
//!
//! A request is in at most one row at a time: it waits, has arrived, runs, or waits to be handed on.

use super::event::Slot;
use super::request::Requests;

/// A row of requests, first to last.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct List {
    first: Option<Slot>,
    last: Option<Slot>,
    len: u64,
}

impl List {
    pub(super) const fn first(&self) -> Option<Slot> {
        self.first
    }

    pub(super) const fn last(&self) -> Option<Slot> {
        self.last
    }

    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn push_back(&mut self, requests: &mut Requests, slot: Slot) {
        requests[slot].before = self.last;
        requests[slot].after = None;
        match self.last {
            Some(previous) => requests[previous].after = Some(slot),
            None => self.first = Some(slot),
        }
        self.last = Some(slot);
        self.len += 1;
    }

    pub(super) fn push_front(&mut self, requests: &mut Requests, slot: Slot) {
        requests[slot].before = None;
        requests[slot].after = self.first;
        match self.first {
            Some(next) => requests[next].before = Some(slot),
            None => self.last = Some(slot),
        }
        self.first = Some(slot);
        self.len += 1;
    }

    /// Takes out a request that is in this row.
    pub(super) fn remove(&mut self, requests: &mut Requests, slot: Slot) {
        let (before, after) = (requests[slot].before.take(), requests[slot].after.take());
        match before {
            Some(previous) => requests[previous].after = after,
            None => self.first = after,
        }
        match after {
            Some(next) => requests[next].before = before,
            None => self.last = before,
        }
        self.len -= 1;
    }

    /// The requests in order.
    pub(super) fn iter<'a>(&self, requests: &'a Requests) -> impl Iterator<Item = Slot> + use<'a> {
        std::iter::successors(self.first, |&slot| requests[slot].after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::request::Request;
    use crate::sim::SimTime;
    use crate::workload::{ClassId, RequestSpec};

    #[test]
    fn requests_leave_from_both_ends_and_from_the_middle() {
        let mut requests = Requests::default();
        let spec = || RequestSpec { class: ClassId(0), prompt_tokens: 1, output_tokens: 1, prefix: Box::default() };
        let slots: Vec<Slot> = (0..5).map(|id| requests.insert(Request::new(id, SimTime::ZERO, spec())).unwrap()).collect();
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
