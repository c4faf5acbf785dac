//! Watts from activity and joules from watts: chips, the node around them, the facility around that.
//!
//! Owns: the power law, exact energy sums, how energy is booked to phases. Must not know: requests, instances' queues, prices.
//!
//! Energies are whole picojoules. An idle interval is an integer power times an integer time and so adds up exactly however it is cut; an
//! iteration, or a run of decode iterations up to a boundary, is rounded once. Sums therefore do not depend on their order, and conservation is an equality, not a tolerance.

mod chip;
mod instance;
mod meter;
mod run;

pub use chip::{ChipPowerModel, PowerError};
pub use instance::{InstancePower, NodePower};
pub use meter::{Energy, EnergyMeter, Phase, carbon_g, facility_j};
pub use run::RunPower;
