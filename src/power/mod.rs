//! Power from activity and energy from power: chips, node, facility.
//!
//! Owns: the power law, exact energy sums, the booking of energy to phases. Must not know: requests, instances' queues, prices.
//!
//! Energies are whole picojoules. The energy of an idle interval is an integer power times an integer time, so it is exactly additive; an iteration,
//! or a run of decode iterations up to a boundary, is rounded once. Sums therefore do not depend on their order, and conservation is an equality, not
//! a tolerance.

mod chip;
mod instance;
mod meter;
mod run;

pub use chip::{ChipPowerModel, PowerError};
pub use instance::{InstancePower, NodePower};
pub use meter::{Energy, EnergyMeter, Phase, carbon_g, facility_j};
pub use run::RunPower;
