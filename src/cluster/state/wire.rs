//! Transfers between instances: the network, and the request that each transfer carries.

use super::fleet::Fleet;
use super::requests::Requests;
use crate::cluster::event::Event;
use crate::cluster::ids::Slot;
use crate::network::{Fabric, PortId, Route, TransferId};
use crate::sim::{Generation, SimTime};

/// What moves, and for whom.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    fabric: Fabric,
    /// A port that all handoffs share.
    shared: Option<PortId>,
    /// Of the event that waits for the next end of a transfer.
    generation: Generation,
    /// The request that each transfer carries, by transfer.
    owners: Vec<Slot>,
}

impl Wire {
    /// An empty network; `shared_bytes_per_s`: bandwidth that all handoffs share.
    pub(super) fn new(shared_bytes_per_s: Option<f64>) -> Self {
        let mut wire = Self::default();
        wire.shared = shared_bytes_per_s.map(|rate| wire.fabric.add_port(rate));
        wire
    }

    pub(super) fn add_port(&mut self, bytes_per_s: f64) -> PortId {
        self.fabric.add_port(bytes_per_s)
    }

    /// Moves `bytes` (> 0) more of a request's KV to its receiver. True if a transfer has begun.
    pub(super) fn send(&mut self, now: SimTime, fleet: &Fleet, requests: &mut Requests, slot: Slot, bytes: f64) -> bool {
        let request = &mut requests[slot];
        let Some(to) = request.progress.decode_instance else { return false };
        request.handoff.bytes += bytes;
        if let Some(transfer) = request.handoff.transfer {
            self.fabric.extend(now, transfer, bytes);
            return false;
        }
        let from = request.progress.instance;
        let limit = fleet.pool_of(from).spec.handoff_bytes_per_s().min(fleet.pool_of(to).spec.handoff_bytes_per_s());
        let (egress, ingress) = (fleet.instance(from).traffic.egress, fleet.instance(to).traffic.ingress);
        let transfer = self.fabric.start(now, Route { from: egress, to: ingress, fabric: self.shared }, limit, bytes);
        let index = transfer.0 as usize;
        if self.owners.len() <= index {
            self.owners.resize(index + 1, slot);
        }
        self.owners[index] = slot;
        request.handoff.transfer = Some(transfer);
        request.timeline.transfer_start.get_or_insert(now);
        true
    }

    /// Ends the transfer that has moved its last byte by now; the request that it carried.
    pub(super) fn finish(&mut self, now: SimTime, requests: &mut Requests) -> Option<Slot> {
        let (_, transfer) = self.fabric.next_finish().filter(|(at, _)| *at <= now)?;
        self.fabric.finish(now, transfer);
        let slot = self.owner(transfer);
        requests[slot].handoff.transfer = None;
        Some(slot)
    }

    fn owner(&self, transfer: TransferId) -> Slot {
        self.owners[transfer.0 as usize]
    }

    /// The event of the next end of a transfer, which makes every earlier one stale.
    pub(super) fn next_event(&mut self) -> Option<(SimTime, Event)> {
        let generation = self.generation.bump();
        self.fabric.next_finish().map(|(at, _)| (at, Event::TransferFinished { generation }))
    }

    pub(crate) fn is_current(&self, generation: Generation) -> bool {
        self.generation == generation
    }

    pub(crate) const fn fabric(&self) -> &Fabric {
        &self.fabric
    }

    /// Highest utilization of any port up to `now`: bytes carried / (capacity · time). `None` before anything was sent.
    pub(crate) fn peak_utilization(&self, fleet: &Fleet, now: SimTime) -> Option<f64> {
        let time = now.as_secs_f64();
        let ports = fleet.instances.values().flat_map(|instance| [instance.traffic.egress, instance.traffic.ingress]).chain(self.shared);
        ports
            .map(|port| self.fabric.carried_bytes(port) / (self.fabric.capacity(port) * time))
            .filter(|u| u.is_finite() && *u > 0.0)
            .max_by(f64::total_cmp)
    }
}
