//! Transfers between instances: the network, and the request of each transfer.

use super::fleet::Fleet;
use super::request::Request;
use super::requests::Requests;
use crate::cluster::ids::{InstanceId, Slot};
use crate::network::{Fabric, NetworkError, PortId, RouteId, TransferId};
use crate::sim::SimTime;

/// The network and the owners of its transfers.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    fabric: Fabric,
    /// Port shared by all handoffs.
    shared: Option<PortId>,
    /// The request of each transfer, by index of the transfer.
    owners: Vec<Slot>,
    /// First error of the network; it ends the run.
    fault: Option<NetworkError>,
}

impl Wire {
    /// An empty network; `shared_bytes_per_s`: bandwidth shared by all handoffs.
    ///
    /// # Errors
    /// [`NetworkError`] for an invalid bandwidth.
    pub(super) fn new(shared_bytes_per_s: Option<f64>) -> Result<Self, NetworkError> {
        let mut wire = Self::default();
        wire.shared = shared_bytes_per_s.map(|rate| wire.fabric.add_port(rate)).transpose()?;
        Ok(wire)
    }

    /// Adds a port of the given bandwidth, bytes per second.
    ///
    /// # Errors
    /// [`NetworkError`] for an invalid bandwidth.
    pub(super) fn add_port(&mut self, bytes_per_s: f64) -> Result<PortId, NetworkError> {
        self.fabric.add_port(bytes_per_s)
    }

    /// Sends `bytes` (> 0) more of a request's KV to its receiver. True if a transfer has begun.
    pub(super) fn send(&mut self, now: SimTime, fleet: &Fleet, requests: &mut Requests, slot: Slot, bytes: f64) -> bool {
        let request = &mut requests[slot];
        let Some(to) = request.progress.decode_instance else { return false };
        request.handoff.bytes += bytes;
        let transfer = match request.handoff.transfer {
            Some(transfer) => self.fabric.extend(now, transfer, bytes).map(|()| None),
            None => self.start(now, fleet, request, to, bytes).map(Some),
        };
        match transfer {
            Ok(Some(transfer)) => {
                let index = transfer.at();
                if self.owners.len() <= index {
                    self.owners.resize(index + 1, slot);
                }
                self.owners[index] = slot;
                request.handoff.transfer = Some(transfer);
                request.timeline.transfer_start.get_or_insert(now);
                true
            }
            Ok(None) => false,
            Err(fault) => {
                self.fault.get_or_insert(fault);
                false
            }
        }
    }

    fn start(
        &mut self,
        now: SimTime,
        fleet: &Fleet,
        request: &mut Request,
        to: InstanceId,
        bytes: f64,
    ) -> Result<TransferId, NetworkError> {
        let (route, limit) = match request.handoff.way {
            Some(way) => way,
            None => *request.handoff.way.insert(self.way(fleet, request.progress.instance, to)?),
        };
        self.fabric.start(now, route, limit, bytes)
    }

    /// The route from an instance to another, and its limit in bytes per second.
    fn way(&mut self, fleet: &Fleet, from: InstanceId, to: InstanceId) -> Result<(RouteId, f64), NetworkError> {
        let limit = fleet.pool_of(from).spec.handoff_bytes_per_s().min(fleet.pool_of(to).spec.handoff_bytes_per_s());
        let (egress, ingress) = (fleet.instance(from).traffic.egress, fleet.instance(to).traffic.ingress);
        let route = match self.shared {
            Some(shared) => self.fabric.route(&[egress, ingress, shared])?,
            None => self.fabric.route(&[egress, ingress])?,
        };
        Ok((route, limit))
    }

    /// Pops a transfer that has moved its last byte by now; returns its request.
    pub(super) fn pop_finished(&mut self, now: SimTime, requests: &mut Requests) -> Option<Slot> {
        let transfer = self.fabric.pop_finished(now)?;
        let slot = self.owners[transfer.at()];
        requests[slot].handoff.transfer = None;
        Some(slot)
    }

    /// Aborts the transfer of a request. Unmoved bytes do not count as sent.
    pub(super) fn abort(&mut self, now: SimTime, request: &mut Request) {
        let Some(transfer) = request.handoff.transfer.take() else { return };
        match self.fabric.abort(now, transfer) {
            Ok(unmoved) => request.handoff.bytes -= unmoved,
            Err(fault) => {
                self.fault.get_or_insert(fault);
            }
        }
    }

    /// True if no change of this instant affects how bandwidth is shared: transfers that meet no other need no sharing.
    pub(super) fn is_shared_out(&self) -> bool {
        self.fabric.is_shared_out()
    }

    /// True if a transfer has ended and is not yet popped.
    pub(super) fn has_finished(&self) -> bool {
        self.fabric.has_finished()
    }

    /// Shares the bandwidth after all changes of this instant. Returns when the next transfer ends.
    pub(super) fn share(&mut self) -> Option<SimTime> {
        self.fabric.next_finish()
    }

    /// Takes the first error of the network.
    pub(crate) fn take_fault(&mut self) -> Option<NetworkError> {
        self.fault.take()
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
