//! KV on its way to the decode side: what is offered to the network, and when.

use super::world::World;
use crate::cluster::event::{Event, Wake};
use crate::cluster::ids::{InstanceId, Slot};
use crate::cluster::observe::Observer;
use crate::sim::SimDuration;

impl<O: Observer> World<O> {
    /// Bytes on the wire of the KV of positions `from..to` of a prompt; none without a receiver.
    pub(super) fn wire_bytes(&self, slot: Slot, from: u32, to: u32) -> f64 {
        let request = &self.requests[slot];
        let receiver = request.progress.decode_instance.map(|id| &self.fleet.pool_of(id).spec);
        receiver.map_or(0.0, |spec| spec.kv_bytes(from, to, request.ask.prompt))
    }

    /// Hands `bytes` of KV to the network, if there are any and there is a receiver.
    pub(super) fn send(&mut self, slot: Slot, bytes: f64) {
        let request = &self.requests[slot];
        let (from, Some(to)) = (request.progress.instance, request.progress.decode_instance) else { return };
        if bytes <= 0.0 {
            return;
        }
        let now = self.now();
        let Self { wire, fleet, requests, .. } = self;
        if wire.send(now, fleet, requests, slot, bytes) {
            self.change_transfers(from, 1);
            self.change_transfers(to, 1);
        }
        self.wire_changed();
    }

    /// An iteration begins on an instance that hands on, with layer-wise overlap: its chunks will have KV to send after their first layer.
    /// What was found in the cache of the prefill side can go at once.
    pub(crate) fn send_cached_of_chunks(&mut self, id: InstanceId) {
        let layers = self.fleet.pool_of(id).spec.layers;
        let Some(current) = self.fleet.instances[id].flight.current else { return };
        let first_layer = SimDuration::from_ns(current.end.since(current.start).ns().div_ceil(u64::from(layers)));
        for index in 0..self.fleet.instances[id].batch.chunks.len() {
            let chunk = self.fleet.instances[id].batch.chunks[index];
            let request = &self.requests[chunk.slot];
            let (before, start) = (request.handoff.offered, request.handoff.offered.max(request.progress.computed));
            let end = start.max(request.progress.computed + chunk.tokens);
            let (cached, layer_bytes) = (self.wire_bytes(chunk.slot, before, start), self.wire_bytes(chunk.slot, start, end));
            let request = &mut self.requests[chunk.slot];
            (request.handoff.layer_bytes, request.handoff.offered) = (layer_bytes, end);
            let epoch = request.progress.epoch;
            self.send(chunk.slot, cached);
            if layers > 1 {
                self.calendar.schedule(first_layer, Event::LayerReady { slot: chunk.slot, epoch });
            }
        }
    }

    /// The first layer of a chunk is done: all of its KV but the last layer's share is sent.
    pub(crate) fn send_layers_of_chunk(&mut self, slot: Slot) {
        let layers = f64::from(self.fleet.pool_of(self.requests[slot].progress.instance).spec.layers);
        let request = &mut self.requests[slot];
        if request.is_done() {
            return;
        }
        let last = request.handoff.layer_bytes / layers;
        let rest = request.handoff.layer_bytes - last;
        request.handoff.layer_bytes = last;
        self.send(slot, rest);
    }

    /// A chunk is computed: what its layers have not yet sent is sent.
    pub(super) fn send_rest_of_chunk(&mut self, slot: Slot) {
        let rest = std::mem::take(&mut self.requests[slot].handoff.layer_bytes);
        if rest > 0.0 && !self.requests[slot].is_done() {
            self.send(slot, rest);
        }
    }

    /// A transfer has moved its last byte.
    pub(crate) fn end_transfer(&mut self) {
        let now = self.now();
        if let Some(slot) = self.wire.pop_finished(now, &mut self.requests) {
            let (from, to) = (self.requests[slot].progress.instance, self.requests[slot].progress.decode_instance);
            self.change_transfers(from, -1);
            if let Some(to) = to {
                self.change_transfers(to, -1);
            }
            self.deliver_if_sent(slot);
        }
        self.wire_changed();
    }

    /// Bandwidth is shared anew when nothing more changes at this instant; transfers that have ended by now are events at once.
    fn wire_changed(&mut self) {
        self.agenda.post(Wake::Network);
        if let Some(event) = self.wire.finished_event() {
            self.calendar.schedule(SimDuration::ZERO, event);
        }
    }

    /// Nothing more changes on the network at this instant.
    pub(crate) fn share_wire(&mut self) {
        if let Some((at, event)) = self.wire.next_event() {
            self.calendar.schedule_at(at, event);
        }
    }

    /// Changes the number of transfers that keep an instance waiting.
    fn change_transfers(&mut self, id: InstanceId, by: i32) {
        self.settle_idle(id);
        let transfers = &mut self.fleet.instances[id].traffic.transfers;
        *transfers = transfers.saturating_add_signed(by);
    }
}
