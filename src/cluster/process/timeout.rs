//! Client timeouts: a request whose client has waited long enough leaves.

use crate::cluster::observe::{Observer, Outcome};
use crate::cluster::state::{World, leave, timeouts};
use crate::workload::ClassId;

/// The first client of a workload leaves now.
pub(crate) fn expire<O: Observer>(world: &mut World<O>, class: ClassId) {
    if let Some(slot) = world.deadlines[class].pop() {
        leave::leave(world, slot, Outcome::TimedOut);
    }
    timeouts::schedule_deadline(world, class);
}
