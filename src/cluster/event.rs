//! What can happen, and in which order at one instant.

use crate::sim::{EventKey, Generation, SimTime, impl_id};
use crate::workload::ClassId;

/// Index of an instance, in the order of the scenario's pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstanceId(pub u32);

/// Index of a pool, in the order of the scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PoolId(pub u16);

/// Place of a live request in memory; reused once it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(pub(super) u32);

impl_id!(InstanceId(u32), PoolId(u16), Slot(u32));

/// Everything that is scheduled. Arrivals are not here: they are streamed from the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The last planned iteration of an instance ends.
    IterationFinished { instance: InstanceId, generation: Generation },
    /// Some transfer has moved its last byte.
    TransferFinished { generation: Generation },
    /// The KV of the first layer of a chunk is there to be sent (`layer-wise` overlap).
    LayerReady { slot: Slot, epoch: u32 },
    /// The last byte of a handoff has arrived and is registered on the decode side.
    Delivered { slot: Slot, epoch: u32 },
    /// The patience of the first client of a workload ends, or would have.
    Deadline { class: ClassId },
}

const _: () = assert!(size_of::<Event>() <= 16);

/// The order of events at one instant, smallest first. This table is the only one.
///
/// | class | why here |
/// |---|---|
/// | arrival | a request that arrives at a boundary is seen by the batch formed there |
/// | transfer finished, layer ready, delivered | KV that lands at a boundary takes part in the batch formed there |
/// | iteration finished | forms the next batch from all that is known by then |
/// | deadline | a token at the deadline is in time |
///
/// An idle instance begins with the first request that comes, as an engine does that waits for one: others of the same instant wait for
/// its next boundary.
mod class {
    pub(super) const ARRIVAL: u8 = 0;
    pub(super) const TRANSFER_FINISHED: u8 = 1;
    pub(super) const LAYER_READY: u8 = 2;
    pub(super) const DELIVERED: u8 = 3;
    pub(super) const ITERATION_FINISHED: u8 = 4;
    pub(super) const DEADLINE: u8 = 5;
}

impl Event {
    /// Where this event stands in the order when it happens at `at`.
    pub(super) fn key(&self, at: SimTime) -> EventKey {
        match *self {
            Self::TransferFinished { .. } => EventKey::new(at, class::TRANSFER_FINISHED, 0),
            Self::LayerReady { slot, .. } => EventKey::new(at, class::LAYER_READY, slot.0),
            Self::Delivered { slot, .. } => EventKey::new(at, class::DELIVERED, slot.0),
            Self::IterationFinished { instance, .. } => iteration_key(at, instance),
            Self::Deadline { class } => EventKey::new(at, class::DEADLINE, u32::from(class.0)),
        }
    }
}

/// Where an arrival stands.
pub(super) fn arrival_key(at: SimTime) -> EventKey {
    EventKey::new(at, class::ARRIVAL, 0)
}

/// Where the end of an iteration stands, scheduled as an event or passed over in fast-forward.
pub(super) fn iteration_key(at: SimTime, instance: InstanceId) -> EventKey {
    EventKey::new(at, class::ITERATION_FINISHED, instance.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_order() {
        let at = SimTime::from_ns(5);
        let generation = Generation::default();
        let instance = InstanceId(3);
        let slot = Slot(9);
        let keys = [
            arrival_key(at),
            Event::TransferFinished { generation }.key(at),
            Event::LayerReady { slot, epoch: 0 }.key(at),
            Event::Delivered { slot, epoch: 0 }.key(at),
            Event::IterationFinished { instance: InstanceId(2), generation }.key(at),
            Event::IterationFinished { instance, generation }.key(at),
            Event::Deadline { class: ClassId(0) }.key(at),
            arrival_key(SimTime::from_ns(6)),
        ];
        assert!(keys.is_sorted());
    }
}
