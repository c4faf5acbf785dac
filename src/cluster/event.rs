//! What can happen, and in which order at one instant.

use super::ids::{ControllerId, InstanceId, ModelId, Slot};
use crate::sim::{EventKey, Generation, SimTime};
use crate::workload::ClassId;

/// Everything that is scheduled. Arrivals are not here: they are streamed from the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// The last planned iteration of an instance ends.
    IterationFinished { instance: InstanceId, generation: Generation },
    /// A request that has failed somewhere is sent again.
    Retry { slot: Slot, epoch: u32 },
    /// A worker of a frontend has served a request.
    Served { slot: Slot, epoch: u32 },
    /// Some transfer has moved its last byte.
    TransferFinished { generation: Generation },
    /// The KV of the first layer of a chunk is there to be sent (`layer-wise` overlap).
    LayerReady { slot: Slot, epoch: u32 },
    /// The last byte of a handoff has arrived and is registered on the decode side.
    Delivered { slot: Slot, epoch: u32 },
    /// A sender has kept the KV of a handoff whose receiver has failed for so long: it is offered again, or given up.
    SenderTimeout { slot: Slot, epoch: u32 },
    /// A controller looks at the fleet.
    Tick { controller: ControllerId },
    /// An instance that was powered on is ready.
    Started { instance: InstanceId, generation: Generation },
    /// The routers see which instances serve.
    HealthCheck,
    /// The first timeout of a workload, or the one before it.
    Deadline { class: ClassId },
}

const _: () = assert!(size_of::<Event>() <= 16);

/// What must look again at this instant, once every event of the instant has been handled. The order is that of the agenda: memory
/// first, so that handoffs that were waiting take part in the batches formed after it, and the network last, so that it is shared once for
/// all that the instant has changed; of equals, the lower index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wake {
    /// Requests that wait for decode memory of a model, some of which may be free.
    Memory(ModelId),
    /// An instance that is idle, or at the end of an iteration: it forms a batch.
    Instance(InstanceId),
    /// The network: its bandwidth is shared among the transfers that there are now.
    Network,
}

/// The order of events at one instant, smallest first. This table is the only one.
///
/// | class | why here |
/// |---|---|
/// | arrival | a request that arrives at a boundary is seen by the batch formed there |
/// | retry, served | the same, after the arrivals of the instant |
/// | transfer finished, layer ready, delivered, sender timeout | KV that lands at a boundary takes part in the batch formed there |
/// | iteration finished | its tokens leave and free memory before any batch is formed |
/// | deadline | a token at the deadline is in time |
/// | tick, started, health check | what ends at the instant at which an instance fails has ended; a router sees the instant as it was before |
/// | memory, formation | the agenda: batches are formed from all that is known of the instant; all arrivals of an instant are in before an idle instance starts, as an engine drains its input queue |
/// | network | bandwidth is shared once for all transfers that begin or end at the instant |
/// | again | the agenda once more, for what formation has caused |
mod class {
    pub(super) const ARRIVAL: u8 = 0;
    pub(super) const RETRY: u8 = 1;
    pub(super) const SERVED: u8 = 2;
    pub(super) const TRANSFER_FINISHED: u8 = 3;
    pub(super) const LAYER_READY: u8 = 4;
    pub(super) const DELIVERED: u8 = 5;
    pub(super) const SENDER_TIMEOUT: u8 = 6;
    pub(super) const ITERATION_FINISHED: u8 = 7;
    pub(super) const DEADLINE: u8 = 8;
    pub(super) const TICK: u8 = 9;
    pub(super) const STARTED: u8 = 10;
    pub(super) const HEALTH_CHECK: u8 = 11;
    pub(super) const MEMORY: u8 = 12;
    pub(super) const FORMATION: u8 = 13;
    pub(super) const NETWORK: u8 = 14;
    pub(super) const AGAIN: u8 = 15;
}

impl Event {
    /// Where this event stands in the order when it happens at `at`.
    pub(crate) fn key(&self, at: SimTime) -> EventKey {
        match *self {
            Self::Retry { slot, .. } => EventKey::new(at, class::RETRY, slot.0),
            Self::Served { slot, .. } => EventKey::new(at, class::SERVED, slot.0),
            Self::TransferFinished { .. } => EventKey::new(at, class::TRANSFER_FINISHED, 0),
            Self::LayerReady { slot, .. } => EventKey::new(at, class::LAYER_READY, slot.0),
            Self::Delivered { slot, .. } => EventKey::new(at, class::DELIVERED, slot.0),
            Self::IterationFinished { instance, .. } => iteration_key(at, instance),
            Self::SenderTimeout { slot, .. } => EventKey::new(at, class::SENDER_TIMEOUT, slot.0),
            Self::Tick { controller } => EventKey::new(at, class::TICK, u32::from(controller.0)),
            Self::Started { instance, .. } => EventKey::new(at, class::STARTED, instance.0),
            Self::HealthCheck => EventKey::new(at, class::HEALTH_CHECK, 0),
            Self::Deadline { class } => EventKey::new(at, class::DEADLINE, u32::from(class.0)),
        }
    }
}

impl Wake {
    /// Where a wake stands in the first round of an instant's agenda.
    pub(crate) fn key(self, at: SimTime) -> EventKey {
        match self {
            Self::Memory(model) => EventKey::new(at, class::MEMORY, u32::from(model.0)),
            Self::Instance(instance) => EventKey::new(at, class::FORMATION, instance.0),
            Self::Network => EventKey::new(at, class::NETWORK, 0),
        }
    }
}

/// Where an arrival stands.
pub(crate) fn arrival_key(at: SimTime) -> EventKey {
    EventKey::new(at, class::ARRIVAL, 0)
}

/// Where the end of an iteration stands, scheduled as an event or passed over in fast-forward.
pub(crate) fn iteration_key(at: SimTime, instance: InstanceId) -> EventKey {
    EventKey::new(at, class::ITERATION_FINISHED, instance.0)
}

/// Where the further rounds of an instant's agenda stand: all first batches have been formed.
pub(crate) fn again_key(at: SimTime) -> EventKey {
    EventKey::new(at, class::AGAIN, 0)
}

/// After everything that can happen at `at`.
pub(crate) fn end_key(at: SimTime) -> EventKey {
    EventKey::new(at, u8::MAX, u32::MAX)
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
            Event::Retry { slot, epoch: 0 }.key(at),
            Event::Served { slot, epoch: 0 }.key(at),
            Event::TransferFinished { generation }.key(at),
            Event::LayerReady { slot, epoch: 0 }.key(at),
            Event::Delivered { slot, epoch: 0 }.key(at),
            Event::SenderTimeout { slot, epoch: 0 }.key(at),
            Event::IterationFinished { instance: InstanceId(2), generation }.key(at),
            Event::IterationFinished { instance, generation }.key(at),
            Event::Deadline { class: ClassId(0) }.key(at),
            Event::Tick { controller: ControllerId(0) }.key(at),
            Event::Started { instance, generation }.key(at),
            Event::HealthCheck.key(at),
            Wake::Memory(ModelId(7)).key(at),
            Wake::Instance(InstanceId(2)).key(at),
            Wake::Instance(instance).key(at),
            Wake::Network.key(at),
            again_key(at),
            end_key(at),
            arrival_key(SimTime::from_ns(6)),
        ];
        assert!(keys.is_sorted());
        assert!(Wake::Memory(ModelId(7)) < Wake::Instance(InstanceId(0)));
    }
}
