//! Prefill → decode: reserve, transfer, activate, release.
//!
//! * **Reserve**: memory on a decode instance is taken before a byte moves: after prefill (`after-prefill`), or before it starts
//!   (`layer-wise`). A request that finds none keeps its blocks where it is, which is how a full decode pool slows prefill down.
//!   An instance that has sent a running sequence back to its queue takes nothing new, and every reservation leaves one free block
//!   per running sequence, so that handoffs do not evict what they are meant to join.
//! * **Transfer**: bytes move through the sender's and the receiver's port (and the fabric) at their fair share, but no faster than the
//!   chips of one data-parallel group take them, and once for each copy that the receiver keeps (latent attention: one per chip).
//!   Layer-wise, the KV of a chunk is offered when its first layer is done, but for the share of the last layer, which follows at the
//!   chunk's end. For a lone transfer this is exact: with `T` the chunk's time, `t` the transfer's and `L` layers it ends at
//!   `max(T + t/L, T/L + t)`.
//! * **Activate**: set-up and latency after the last byte, the sequence may join the decode batch.
//! * **Release**: the sender's blocks are freed at that moment.

use super::event::{Event, InstanceId, Slot};
use super::observe::Observer;
use super::request::Stage;
use super::state::Cluster;
use crate::kv::Held;
use crate::sim::SimDuration;

impl<O: Observer> Cluster<O> {
    /// A prompt is done on a prefill instance: its KV goes to the decode side.
    pub(super) fn hand_on(&mut self, slot: Slot) {
        if self.requests[slot].reserved_at.is_some() {
            self.requests[slot].stage = Stage::Transferring;
            self.deliver_if_sent(slot);
            return;
        }
        self.requests[slot].stage = Stage::Reserving;
        let model = self.model_of(slot);
        self.routes[model].handoffs.push_back(&mut self.requests, slot);
        self.change_handoff_queue(model, 1);
        // Whoever is before it was refused, and will be told when there is reason to ask again.
        if self.routes[model].handoffs.first() == Some(slot) {
            self.try_handoffs(model);
        }
    }

    /// An iteration of a prefill instance begins: with layer-wise overlap, its chunks will have KV to send after their first layer.
    pub(super) fn start_layer_wise_transfers(&mut self, id: InstanceId) {
        let pool_id = self.instances[id.at()].pool;
        let pool = &self.pools[pool_id.at()];
        if !pool.hands_on || !self.layer_wise() {
            return;
        }
        let layers = u64::from(pool.spec.layers);
        let Some(current) = self.instances[id.at()].current else { return };
        let first_layer = SimDuration::from_ns(current.end.since(current.start).ns().div_ceil(layers));
        for index in 0..self.instances[id.at()].chunks.len() {
            let chunk = self.instances[id.at()].chunks[index];
            let request = &self.requests[chunk.slot];
            // What was found in the prefill side's cache can go at once.
            let (before, start) = (request.offered, request.offered.max(request.computed));
            let end = start.max(request.computed + chunk.tokens);
            let (cached, layer_bytes) = (self.wire_bytes(chunk.slot, before, start), self.wire_bytes(chunk.slot, start, end));
            let request = &mut self.requests[chunk.slot];
            (request.layer_bytes, request.offered) = (layer_bytes, end);
            let epoch = request.epoch;
            self.offer(chunk.slot, cached);
            if layers > 1 {
                self.schedule(first_layer, Event::LayerReady { slot: chunk.slot, epoch });
            }
        }
    }

    /// The first layer of a chunk is done: all of its KV but the last layer's share is offered.
    pub(super) fn on_layer_ready(&mut self, slot: Slot) {
        let pool = self.instances[self.requests[slot].instance.at()].pool;
        let layers = f64::from(self.pools[pool.at()].spec.layers);
        let request = &mut self.requests[slot];
        if request.is_done() {
            return;
        }
        let last = request.layer_bytes / layers;
        let now = request.layer_bytes - last;
        request.layer_bytes = last;
        self.offer(slot, now);
    }

    /// A chunk is computed: what its layers have not yet offered is offered.
    pub(super) fn chunk_computed(&mut self, slot: Slot) {
        let rest = std::mem::take(&mut self.requests[slot].layer_bytes);
        if rest > 0.0 && !self.requests[slot].is_done() {
            self.offer(slot, rest);
        }
    }

    /// Bytes on the wire of the KV of positions `from..to` of a prompt; none without a receiver.
    pub(super) fn wire_bytes(&self, slot: Slot, from: u32, to: u32) -> f64 {
        let request = &self.requests[slot];
        let receiver = request.decode_instance.map(|id| &self.pools[self.instances[id.at()].pool.at()].spec);
        receiver.map_or(0.0, |spec| spec.kv_bytes(from, to, request.prompt))
    }

    /// Hands `bytes` of KV to the network, if there are any.
    pub(super) fn offer(&mut self, slot: Slot, bytes: f64) {
        let request = &self.requests[slot];
        let (from, Some(to)) = (request.instance, request.decode_instance) else { return };
        if bytes <= 0.0 {
            return;
        }
        let now = self.now;
        let [sender, receiver] = [from, to].map(|id| &self.pools[self.instances[id.at()].pool.at()].spec);
        let limit = sender.handoff_bytes_per_s().min(receiver.handoff_bytes_per_s());
        self.requests[slot].bytes += bytes;
        if let Some(transfer) = self.requests[slot].transfer {
            if let Err(fault) = self.fabric.extend(now, transfer, bytes) {
                self.fault.get_or_insert(fault);
            }
        } else {
            let ports = [self.instances[from.at()].egress, self.instances[to.at()].ingress, self.fabric_port.unwrap_or_default()];
            let crossed = if self.fabric_port.is_some() { &ports[..] } else { &ports[..2] };
            let transfer = self.fabric.route(crossed).and_then(|route| self.fabric.start(now, route, limit, bytes));
            let transfer = match transfer {
                Ok(transfer) => transfer,
                Err(fault) => {
                    self.fault.get_or_insert(fault);
                    return;
                }
            };
            let index = transfer.at();
            if self.transfer_owner.len() <= index {
                self.transfer_owner.resize(index + 1, slot);
            }
            self.transfer_owner[index] = slot;
            let request = &mut self.requests[slot];
            request.transfer = Some(transfer);
            request.transfer_start.get_or_insert(now);
            self.change_transfers(from, 1);
            self.change_transfers(to, 1);
        }
        self.network_changed();
    }

    /// Rates are shared anew once the clock moves on, however much happens until then; what has finished by now is told at once.
    fn network_changed(&mut self) {
        let generation = self.network_generation.bump();
        self.network_pending = true;
        if self.fabric.has_finished() {
            let event = Event::TransferFinished { generation };
            self.queue.push(event.key(self.now), event);
        }
    }

    /// Nothing more happens at this instant: rates are shared, and the next transfer's end is known.
    pub(super) fn schedule_network(&mut self) {
        self.network_pending = false;
        let generation = self.network_generation.bump();
        if let Some(at) = self.fabric.next_finish() {
            let event = Event::TransferFinished { generation };
            self.queue.push(event.key(at), event);
        }
    }

    /// A transfer has moved its last byte.
    pub(super) fn on_transfer_finished(&mut self) {
        let Some(transfer) = self.fabric.pop_finished(self.now) else { return self.network_changed() };
        let slot = self.transfer_owner[transfer.at()];
        let request = &mut self.requests[slot];
        request.transfer = None;
        let (from, to) = (request.instance, request.decode_instance);
        self.change_transfers(from, -1);
        if let Some(to) = to {
            self.change_transfers(to, -1);
        }
        self.deliver_if_sent(slot);
        self.network_changed();
    }

    /// Once the prompt is done and its last byte has left the wire, set-up and latency remain.
    fn deliver_if_sent(&mut self, slot: Slot) {
        let request = &self.requests[slot];
        if request.transfer.is_some() {
            return;
        }
        if request.is_done() && request.held == Held::default() {
            // Its client left during a layer-wise prefill; only the decode side still holds memory for it.
            self.report_transfer(slot);
            self.cancel_reservation(slot);
            self.requests.remove(slot);
        } else if request.stage == Stage::Transferring || (request.is_done() && request.generated > 0) {
            let epoch = request.epoch;
            let overhead = self.pools[self.instances[request.instance.at()].pool.at()].spec.handoff_overhead;
            self.schedule(overhead, Event::Delivered { slot, epoch });
        }
    }

    /// The KV is complete on the decode side: the sender frees its blocks, the sequence may join the batch.
    pub(super) fn on_delivered(&mut self, slot: Slot) {
        let now = self.now;
        let sender = self.requests[slot].instance;
        self.settle(sender);
        self.report_transfer(slot);
        let Self { instances, loads, requests, .. } = self;
        let request = &mut requests[slot];
        instances[sender.at()].kv.release(&request.prefix, &mut request.held);
        loads[sender.at()].unassign(request);
        request.delivered = Some(now);
        let Some(receiver) = request.decode_instance else { return };
        if request.is_done() {
            self.cancel_reservation(slot);
            self.requests.remove(slot);
        } else {
            self.activate(slot, receiver);
        }
        self.kick(sender);
    }

    /// Nothing more will be sent for a request: tells what was, be it for nothing.
    pub(super) fn report_transfer(&mut self, slot: Slot) {
        let request = &self.requests[slot];
        if let Some(start) = request.transfer_start {
            self.observer.transfer(start, self.now, request.bytes);
        }
    }

    fn activate(&mut self, slot: Slot, receiver: InstanceId) {
        self.touch(receiver);
        self.settle(receiver);
        let Self { instances, requests, .. } = self;
        let (instance, request) = (&mut instances[receiver.at()], &mut requests[slot]);
        request.held = std::mem::take(&mut request.reserved);
        let taken = request.held.private;
        request.pending = u64::from(request.prompt) + 1;
        request.instance = receiver;
        request.stage = Stage::Resident;
        request.computed = request.prompt;
        let shared = instance.kv.publish(&request.prefix, u64::from(request.prompt), &mut request.held);
        instance.incoming -= 1;
        instance.incoming_blocks -= taken;
        let pool = instance.pool;
        instance.resident.push_back(requests, slot);
        self.change_queue(pool, 1);
        self.kick(receiver);
        if shared {
            // Others with the same beginning now need less.
            self.memory_freed(receiver);
        }
    }
}
