//! Client timeouts as events: only the first timeout of each workload is scheduled.

use super::world::World;
use crate::cluster::event::Event;
use crate::cluster::ids::Slot;
use crate::cluster::observe::Observer;
use crate::sim::SimTime;
use crate::workload::ClassId;

/// Records the timeout of a new request, if its workload has one.
pub(super) fn note_deadline<O: Observer>(world: &mut World<O>, slot: Slot) {
    let (class, id) = (world.requests[slot].ask.class, world.requests[slot].ask.id);
    let Some(timeout) = world.class(class).timeout else { return };
    // Void timeouts at the head are dropped, so that the queue does not grow.
    first_deadline(world, class);
    let at = world.now() + timeout;
    let deadlines = &mut world.deadlines[class];
    deadlines.push(at, slot, id);
    if !deadlines.scheduled {
        schedule_deadline(world, class);
    }
}

/// The first timeout of a workload whose request has not ended.
pub(crate) fn first_deadline<O: Observer>(world: &mut World<O>, class: ClassId) -> Option<SimTime> {
    world.deadlines[class].first(&world.requests)
}

/// Schedules the first timeout of a workload. No other may be scheduled.
pub(crate) fn schedule_deadline<O: Observer>(world: &mut World<O>, class: ClassId) {
    let first = first_deadline(world, class);
    world.deadlines[class].scheduled = first.is_some();
    if let Some(at) = first {
        world.calendar.schedule_at(at, Event::Deadline { class });
    }
}
