//! The clock and what is to come.
//!
//! A scheduled event stays where it is, and is void if its owner has moved on. The next end of a transfer and the ends of the planned
//! iterations change more often than they happen; they are not scheduled but kept up to date.

use crate::cluster::event::{Event, arrival_key, end_key};
use crate::cluster::ids::InstanceId;
use crate::sim::{EventKey, EventQueue, Id, SimDuration, SimTime, Tournament};

/// Simulated time, the present position in the order of events, and the events to come.
#[derive(Debug)]
pub(crate) struct Calendar {
    now: SimTime,
    /// Never goes back, even if an event is scheduled for the present instant.
    order: EventKey,
    queue: EventQueue<Event>,
    /// End of the next transfer, ns; [`Tournament::NONE`] if not known, or never.
    transfer: u64,
    /// Ends of the planned iterations by instance, ns.
    plans: Tournament,
}

impl Calendar {
    /// An empty calendar for a number of instances.
    pub(super) fn new(instances: usize) -> Self {
        Self {
            now: SimTime::ZERO,
            order: arrival_key(SimTime::ZERO),
            queue: EventQueue::default(),
            transfer: Tournament::NONE,
            plans: Tournament::new(std::iter::repeat_n(Tournament::NONE, instances)),
        }
    }

    pub(crate) const fn now(&self) -> SimTime {
        self.now
    }

    /// The present position in the order of events.
    pub(crate) const fn order(&self) -> EventKey {
        self.order
    }

    /// Schedules an event after `delay`.
    pub(crate) fn schedule(&mut self, delay: SimDuration, event: Event) {
        self.schedule_at(self.now + delay, event);
    }

    pub(crate) fn schedule_at(&mut self, at: SimTime, event: Event) {
        self.queue.push(event.key(at), event);
    }

    /// Sets when the next transfer ends; `None`: not known, or never.
    pub(super) fn set_transfer(&mut self, at: Option<SimTime>) {
        self.transfer = at.map_or(Tournament::NONE, end_ns);
    }

    /// Sets when the plan of an instance ends.
    pub(super) fn set_plan(&mut self, id: InstanceId, end: SimTime) {
        self.plans.set(id.index(), end_ns(end));
    }

    /// An instance has no plan any more.
    pub(super) fn cancel_plan(&mut self, id: InstanceId) {
        self.plans.set(id.index(), Tournament::NONE);
    }

    /// True if an event is due at the present instant, void or not.
    pub(crate) fn has_more_now(&self) -> bool {
        let now = self.now;
        self.queue.peek_event().is_some_and(|(key, _)| key.at() <= now) || self.kept() <= now.ns()
    }

    /// True if all events to come, void or not, are of a kind.
    pub(crate) fn has_only(&self, kind: impl Fn(Event) -> bool) -> bool {
        self.kept() == Tournament::NONE && self.queue.events().all(|&event| kind(event))
    }

    /// The earliest event, void or not.
    pub(crate) fn peek(&mut self) -> Option<(EventKey, Event)> {
        let queued = self.queue.peek_event().map(|(key, &event)| (key, event));
        let kept = self.kept();
        if kept == Tournament::NONE || queued.is_some_and(|(key, _)| key.at().ns() < kept) {
            return queued;
        }
        // At one instant, transfers end before iterations.
        let event = if self.transfer == kept {
            Event::TransferFinished
        } else {
            Event::IterationFinished { instance: self.plans.smallest().and_then(InstanceId::from_index)? }
        };
        let key = event.key(SimTime::from_ns(kept));
        if queued.is_some_and(|(first, _)| first < key) { queued } else { Some((key, event)) }
    }

    /// The earliest of the ends kept up to date, ns; [`Tournament::NONE`] if there is none.
    fn kept(&self) -> u64 {
        self.transfer.min(self.plans.least().unwrap_or(Tournament::NONE))
    }

    /// Takes the earliest event, which `peek` has returned.
    pub(crate) fn take(&mut self, event: Event) {
        match event {
            Event::TransferFinished => self.transfer = Tournament::NONE,
            Event::IterationFinished { instance } => self.cancel_plan(instance),
            _ => {
                self.queue.pop();
            }
        }
    }

    /// Advances to the time of `key`, and to its position in the order unless that has been passed.
    pub(crate) fn advance(&mut self, key: EventKey) {
        self.now = key.at();
        self.order = self.order.max(key.without_sequence());
    }

    /// Advances to the end of a run, after all events of that instant.
    pub(crate) fn finish(&mut self, end: SimTime) {
        self.now = end;
        self.order = end_key(end);
    }
}

/// An end in ns. One beyond all time must not read as no end: the loop refuses it.
fn end_ns(at: SimTime) -> u64 {
    at.ns().min(Tournament::NONE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ns: u64) -> SimTime {
        SimTime::from_ns(ns)
    }

    /// Takes everything, in order.
    fn rest(calendar: &mut Calendar) -> Vec<(u64, Event)> {
        let mut taken = Vec::new();
        while let Some((key, event)) = calendar.peek() {
            calendar.advance(key);
            calendar.take(event);
            taken.push((key.at().ns(), event));
        }
        taken
    }

    fn end(instance: u32) -> Event {
        Event::IterationFinished { instance: InstanceId(instance) }
    }

    #[test]
    fn what_is_scheduled_and_what_is_kept_come_in_one_order() {
        let mut calendar = Calendar::new(3);
        calendar.schedule_at(at(5), Event::HealthCheck);
        calendar.schedule_at(at(7), Event::HealthCheck);
        for (instance, ns) in [(2, 5), (0, 6), (1, 5)] {
            calendar.set_plan(InstanceId(instance), at(ns));
        }
        calendar.set_transfer(Some(at(5)));
        let transfer = Event::TransferFinished;
        assert_eq!(
            rest(&mut calendar),
            [(5, transfer), (5, end(1)), (5, end(2)), (5, Event::HealthCheck), (6, end(0)), (7, Event::HealthCheck)]
        );
        assert_eq!((calendar.now(), calendar.peek()), (at(7), None));
    }

    #[test]
    fn what_is_kept_moves_and_goes_without_a_trace() {
        let mut calendar = Calendar::new(2);
        calendar.set_plan(InstanceId(0), at(9));
        calendar.set_plan(InstanceId(0), at(4));
        calendar.set_plan(InstanceId(1), at(3));
        calendar.cancel_plan(InstanceId(1));
        calendar.set_transfer(Some(at(2)));
        calendar.set_transfer(None);
        assert_eq!(rest(&mut calendar), [(4, end(0))]);
    }

    #[test]
    fn only_what_is_due_is_more_at_this_instant() {
        let mut calendar = Calendar::new(1);
        assert!(!calendar.has_more_now());
        calendar.set_plan(InstanceId(0), at(1));
        calendar.set_transfer(Some(at(1)));
        calendar.schedule_at(at(1), Event::HealthCheck);
        assert!(!calendar.has_more_now());
        for _ in 0..3 {
            let (key, event) = calendar.peek().unwrap();
            calendar.advance(key);
            assert!(calendar.has_more_now());
            calendar.take(event);
        }
        assert!(!calendar.has_more_now());
    }

    #[test]
    fn an_end_beyond_all_time_is_an_end() {
        let mut calendar = Calendar::new(1);
        calendar.set_plan(InstanceId(0), SimTime::NEVER);
        assert_eq!(rest(&mut calendar).len(), 1);
    }
}
