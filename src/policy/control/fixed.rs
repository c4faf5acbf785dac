//! `fixed`: the fleet of the scenario, always.

use super::super::register::Entry;
use super::{Controller, FleetView, Order};
use crate::sim::SimTime;

/// Its line in the register.
pub(super) fn entry() -> Entry<dyn Controller> {
    Entry::<dyn Controller>::plain("fixed", "As many instances as the scenario says, always.", |_| Box::new(Fixed))
        .also(&["static", "none"])
}

#[derive(Debug)]
struct Fixed;

impl Controller for Fixed {
    fn next(&self) -> Option<SimTime> {
        None
    }
    fn tick(&mut self, _: SimTime, _: &dyn FleetView, _: &mut Vec<Order>) {}
}
