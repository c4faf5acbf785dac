//! Events, wakes, and their order within one instant.

use super::ids::{ControllerId, InstanceId, ModelId, Slot};
use crate::sim::{EventKey, Generation, SimTime};
use crate::workload::ClassId;

/// Everything that happens at a known time. Arrivals are not here: they are streamed from the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// The last planned iteration of an instance ends.
    IterationFinished { instance: InstanceId },
    /// Retry of a request after a failed attempt.
    Retry { slot: Slot, epoch: u32 },
    /// A frontend worker finishes serving a request.
    Served { slot: Slot, epoch: u32 },
    /// A transfer moves its last byte.
    TransferFinished,
    /// The KV of a chunk's first layer is ready to send (`layer-wise` overlap).
    LayerReady { slot: Slot, epoch: u32 },
    /// The last byte of a handoff arrives and is registered on the decode side.
    Delivered { slot: Slot, epoch: u32 },
    /// Sender timeout: KV whose receiver has failed is offered again, and a request whose offer no instance accepts starts over.
    SenderTimeout { slot: Slot, epoch: u32 },
    /// Controller tick: a controller reads the fleet and gives orders.
    Tick { controller: ControllerId },
    /// A powered-on instance is ready.
    Started { instance: InstanceId, generation: Generation },
    /// Health check: routers update their list of serving instances.
    HealthCheck,
    /// Instances report what routers see of them later.
    Report,
    /// A request that a policy has refused leaves.
    Refused { slot: Slot, epoch: u32 },
    /// A router that wanted to wait looks again at the requests of a model that wait for decode memory.
    Look { model: ModelId },
    /// The first client timeout of a workload, or an earlier one that is void.
    Deadline { class: ClassId },
}

const _: () = assert!(size_of::<Event>() <= 16);

/// Work posted for the end of the present instant, done once all of the instant's events have been handled. Routers come first, then memory, so
/// that handoffs waiting for it take part in the batches formed afterwards; the network comes last, so that bandwidth is shared once for all
/// changes of the instant. Ties go to the lower index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wake {
    /// Routers that have requests wait hear what has happened, and name those that they want to route.
    Heard,
    /// Requests waiting for decode memory of a model, some of which may be free now.
    Memory(ModelId),
    /// An instance that is idle or at the end of an iteration forms a batch.
    Instance(InstanceId),
    /// The network shares its bandwidth among the current transfers.
    Network,
}

/// The order of events at one instant, smallest first. This table is the only one.
///
/// | class | why here |
/// |---|---|
/// | arrival | a request that arrives at a boundary is seen by the batch formed there |
/// | retry, refused, served | the same, after the arrivals of the instant |
/// | transfer finished, layer ready, delivered, sender timeout | KV that lands at a boundary takes part in the batch formed there |
/// | iteration finished | its tokens leave and free memory before any batch is formed |
/// | deadline, look | a token at the deadline is in time |
/// | tick, started, health check, report | work that ends as an instance fails counts as done; routers see the state before the instant |
/// | heard | what routers hear of the instant is complete, and requests that they route now are seen by the batches formed |
/// | memory, formation | batches see every event of the instant: an engine drains its input queue before it starts |
/// | network | bandwidth is shared once for all transfers that begin or end at the instant |
/// | again | further rounds of the agenda, for what batch formation has caused |
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
    pub(super) const LOOK: u8 = 9;
    pub(super) const TICK: u8 = 10;
    pub(super) const STARTED: u8 = 11;
    pub(super) const HEALTH_CHECK: u8 = 12;
    pub(super) const HEARD: u8 = 13;
    pub(super) const MEMORY: u8 = 14;
    pub(super) const FORMATION: u8 = 15;
    pub(super) const NETWORK: u8 = 16;
    pub(super) const AGAIN: u8 = 17;
}

impl Event {
    /// Position of this event in the order, if it happens at `at`.
    pub(crate) fn key(&self, at: SimTime) -> EventKey {
        match *self {
            Self::Retry { slot, .. } | Self::Refused { slot, .. } => EventKey::new(at, class::RETRY, slot.0),
            Self::Look { model } => EventKey::new(at, class::LOOK, u32::from(model.0)),
            Self::Served { slot, .. } => EventKey::new(at, class::SERVED, slot.0),
            Self::TransferFinished => EventKey::new(at, class::TRANSFER_FINISHED, 0),
            Self::LayerReady { slot, .. } => EventKey::new(at, class::LAYER_READY, slot.0),
            Self::Delivered { slot, .. } => EventKey::new(at, class::DELIVERED, slot.0),
            Self::IterationFinished { instance } => iteration_key(at, instance),
            Self::SenderTimeout { slot, .. } => EventKey::new(at, class::SENDER_TIMEOUT, slot.0),
            Self::Tick { controller } => EventKey::new(at, class::TICK, u32::from(controller.0)),
            Self::Started { instance, .. } => EventKey::new(at, class::STARTED, instance.0),
            Self::HealthCheck => EventKey::new(at, class::HEALTH_CHECK, 0),
            Self::Report => EventKey::new(at, class::HEALTH_CHECK, 1),
            Self::Deadline { class } => EventKey::new(at, class::DEADLINE, u32::from(class.0)),
        }
    }
}

impl Wake {
    /// Position of a wake in the first round of an instant's agenda.
    pub(crate) fn key(self, at: SimTime) -> EventKey {
        match self {
            Self::Heard => EventKey::new(at, class::HEARD, 0),
            Self::Memory(model) => EventKey::new(at, class::MEMORY, u32::from(model.0)),
            Self::Instance(instance) => EventKey::new(at, class::FORMATION, instance.0),
            Self::Network => EventKey::new(at, class::NETWORK, 0),
        }
    }
}

/// Position of an arrival.
pub(crate) fn arrival_key(at: SimTime) -> EventKey {
    EventKey::new(at, class::ARRIVAL, 0)
}

/// Position of the end of an iteration, whether scheduled as an event or passed over in fast-forward.
pub(crate) fn iteration_key(at: SimTime, instance: InstanceId) -> EventKey {
    EventKey::new(at, class::ITERATION_FINISHED, instance.0)
}

/// Position of the agenda's further rounds: all first batches have been formed.
pub(crate) fn again_key(at: SimTime) -> EventKey {
    EventKey::new(at, class::AGAIN, 0)
}

/// Position after everything else at `at`.
pub(crate) fn end_key(at: SimTime) -> EventKey {
    EventKey::new(at, u8::MAX, u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_ordered_as_in_the_table() {
        let at = SimTime::from_ns(5);
        let generation = Generation::default();
        let instance = InstanceId(3);
        let slot = Slot(9);
        let keys = [
            arrival_key(at),
            Event::Retry { slot, epoch: 0 }.key(at),
            Event::Served { slot, epoch: 0 }.key(at),
            Event::TransferFinished.key(at),
            Event::LayerReady { slot, epoch: 0 }.key(at),
            Event::Delivered { slot, epoch: 0 }.key(at),
            Event::SenderTimeout { slot, epoch: 0 }.key(at),
            Event::IterationFinished { instance: InstanceId(2) }.key(at),
            Event::IterationFinished { instance }.key(at),
            Event::Deadline { class: ClassId(0) }.key(at),
            Event::Look { model: ModelId(0) }.key(at),
            Event::Tick { controller: ControllerId(0) }.key(at),
            Event::Started { instance, generation }.key(at),
            Event::HealthCheck.key(at),
            Event::Report.key(at),
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
