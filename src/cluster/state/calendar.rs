//! The clock and its scheduled events.

use crate::cluster::event::{Event, arrival_key, end_key};
use crate::sim::{EventKey, EventQueue, SimDuration, SimTime};

/// Simulated time, the present position in the order of events, and the scheduled events.
#[derive(Debug)]
pub(crate) struct Calendar {
    queue: EventQueue<Event>,
    now: SimTime,
    /// Never goes back, even if an event is scheduled for the present instant.
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

    /// The earliest event, stale or not.
    pub(crate) fn peek(&self) -> Option<(EventKey, Event)> {
        self.queue.peek_event().map(|(key, &event)| (key, event))
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.queue.pop().map(|(_, event)| event)
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
