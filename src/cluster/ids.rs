//! Indices of instances, pools, models and live requests.

use crate::sim::impl_id;

/// Index of an instance, in the order of the scenario's pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstanceId(pub u32);

/// Index of a pool, in the order of the scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PoolId(pub u16);

/// Index of a served model, in the order of the scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelId(pub u16);

/// Index of a live request in the arena; reused after the request is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(pub(crate) u32);

/// Index of a frontend, a pool of equal stations, in the order of the scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FrontendId(pub u16);

/// Index of a station.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StationId(pub(crate) u32);

/// Index of a controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ControllerId(pub(crate) u16);

impl_id!(InstanceId(u32), PoolId(u16), ModelId(u16), ControllerId(u16), FrontendId(u16), StationId(u32), Slot(u32));
