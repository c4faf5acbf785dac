//! The arena of live requests.

use super::request::Request;
use crate::cluster::ids::Slot;
use crate::sim::{Arena, SimTime, TooMany};
use crate::workload::RequestSpec;

/// A place for one request.
#[derive(Debug, Default)]
struct Place {
    request: Option<Request>,
    /// Kept across requests, so that stale events of an earlier request are recognised.
    epoch: u32,
}

/// The live requests.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    places: Arena<Slot, Place>,
    vacant: Vec<Slot>,
    /// Counts of arrivals and of reported ends, to check that no request is lost.
    arrived: u64,
    ended: u64,
}

impl Requests {
    /// Requests that have arrived so far.
    pub(crate) const fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Requests whose end has not been reported.
    pub(crate) fn in_flight(&self) -> u64 {
        self.arrived - self.ended
    }

    /// True if there is no request, not even one that only holds memory.
    pub(crate) fn is_empty(&self) -> bool {
        self.vacant.len() == self.places.len()
    }

    /// Counts the reported end of a request.
    pub(super) const fn count_end(&mut self) {
        self.ended += 1;
    }

    /// Adds the next request, which arrives at `at`.
    pub(crate) fn insert(&mut self, at: SimTime, spec: RequestSpec) -> Result<Slot, TooMany> {
        let id = self.arrived;
        self.arrived += 1;
        let slot = match self.vacant.pop() {
            Some(slot) => slot,
            None => self.places.push("requests inside at once", Place::default())?,
        };
        let Place { request, epoch } = &mut self.places[slot];
        request.insert(Request::new(id, at, spec)).progress.epoch = *epoch;
        Ok(slot)
    }

    pub(crate) fn remove(&mut self, slot: Slot) {
        // Dropped in place: moving a request means copying several hundred bytes.
        let Place { request, epoch } = &mut self.places[slot];
        if let Some(leaving) = request {
            *epoch = leaving.progress.epoch.wrapping_add(1);
            *request = None;
            self.vacant.push(slot);
        }
    }

    /// True if `epoch` is the current epoch of the request in this slot.
    pub(crate) fn is_current(&self, slot: Slot, epoch: u32) -> bool {
        self.places[slot].request.as_ref().is_some_and(|request| request.progress.epoch == epoch)
    }

    /// True if the request with this number is in this slot and has not ended.
    pub(crate) fn is_waiting_for(&self, slot: Slot, id: u64) -> bool {
        self.places[slot].request.as_ref().is_some_and(|request| !request.progress.reported && request.ask.id == id)
    }

    /// The request in a slot, if there is one.
    pub(crate) fn get(&self, slot: Slot) -> Option<&Request> {
        self.places.get(slot)?.request.as_ref()
    }

    /// Places for requests, live or vacant.
    pub(crate) fn places(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &Request)> {
        self.places.iter().filter_map(|(slot, place)| Some((slot, place.request.as_ref()?)))
    }
}

impl std::ops::Index<Slot> for Requests {
    type Output = Request;
    #[expect(clippy::expect_used, reason = "a slot in a queue or list is live: invariant 1 of the audit")]
    fn index(&self, slot: Slot) -> &Request {
        self.places[slot].request.as_ref().expect("live slot")
    }
}

impl std::ops::IndexMut<Slot> for Requests {
    #[expect(clippy::expect_used, reason = "a slot in a queue or list is live: invariant 1 of the audit")]
    fn index_mut(&mut self, slot: Slot) -> &mut Request {
        self.places[slot].request.as_mut().expect("live slot")
    }
}
