//! The clock and what is scheduled on it.

use crate::cluster::event::{Event, arrival_key, end_key};
use crate::sim::{EventKey, EventQueue, SimDuration, SimTime};

/// Simulated time, the present place in the order of events, and the events to come.
#[derive(Debug)]
pub(crate) struct Calendar {
    queue: EventQueue<Event>,
    now: SimTime,
    /// Never goes back, even if something is scheduled for this very instant.
    order: EventKey,
}

impl Default for Calendar {
    fn default() -> Self {
        Self { queue: EventQueue::default(), now: SimTime::ZERO, order: arrival_key(SimTime::ZERO) }
    }
}

impl Calendar {
    pub(crate) const fn now(&self) -> SimTime {
        self.now
    }

    /// The present place in the order of events.
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

    /// The earliest event, stale or not.
    pub(crate) fn peek(&self) -> Option<(EventKey, Event)> {
        self.queue.peek_event().map(|(key, &event)| (key, event))
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.queue.pop().map(|(_, event)| event)
    }

    /// Moves to the time of `key`, and to its place in the order unless that has been passed.
    pub(crate) fn advance(&mut self, key: EventKey) {
        self.now = key.at();
        self.order = self.order.max(key.without_sequence());
    }

    /// Moves on to the end of a run, after all that happens at that instant.
    pub(crate) fn finish(&mut self, end: SimTime) {
        self.now = end;
        self.order = end_key(end);
    }
}
