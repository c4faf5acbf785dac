//! When the clients of a workload leave, as events: only the first timeout of each workload is scheduled.

use super::world::World;
use crate::cluster::event::Event;
use crate::cluster::ids::Slot;
use crate::cluster::observe::Observer;
use crate::sim::SimTime;
use crate::workload::ClassId;

/// Notes when the client of a new request leaves, if it does.
pub(super) fn note_deadline<O: Observer>(world: &mut World<O>, slot: Slot) {
    let (class, id) = (world.requests[slot].ask.class, world.requests[slot].ask.id);
    let Some(timeout) = world.class(class).timeout else { return };
    // Those at the front that are void are dropped, so that the row does not grow.
    first_deadline(world, class);
    let at = world.now() + timeout;
    let deadlines = &mut world.deadlines[class];
    deadlines.push(at, slot, id);
    if !deadlines.scheduled {
        schedule_deadline(world, class);
    }
}

/// When the first client of a workload that still waits leaves.
pub(crate) fn first_deadline<O: Observer>(world: &mut World<O>, class: ClassId) -> Option<SimTime> {
    world.deadlines[class].first(&world.requests)
}

/// Schedules the first timeout of a workload. No other may be in the queue.
pub(crate) fn schedule_deadline<O: Observer>(world: &mut World<O>, class: ClassId) {
    let first = first_deadline(world, class);
    world.deadlines[class].scheduled = first.is_some();
    if let Some(at) = first {
        world.calendar.schedule_at(at, Event::Deadline { class });
    }
}
