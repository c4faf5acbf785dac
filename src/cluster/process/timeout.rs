//! Client timeouts.

use crate::cluster::observe::Observer;
use crate::cluster::state::{World, leave, timeouts};
use crate::workload::ClassId;
use crate::workload::Outcome;

/// The first timeout of a workload expires: its request leaves.
pub(crate) fn expire<O: Observer>(world: &mut World<O>, class: ClassId) {
    if let Some(slot) = world.deadlines[class].pop() {
        leave::leave(world, slot, Outcome::TimedOut);
    }
    timeouts::schedule_deadline(world, class);
}
