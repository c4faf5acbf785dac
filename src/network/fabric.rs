//! Max-min fair sharing of ports by fluid transfers.
//!
//! A transfer crosses the ports of its route and moves at one rate, limited by the port where its fair share is smallest, or by a limit of
//! its own: a port that nobody else uses. Rates come from progressive filling (Bertsekas and Gallager, *Data Networks*, 1992, §6.5.2):
//! find the smallest of all limits and of all ports' remaining capacities per unsettled transfer, settle its transfers at that rate,
//! take it off their other ports, repeat. A change only concerns transfers that share ports with it, directly or through others, so only
//! that component is filled again.
//!
//! ```text
//!  prefill 0 ──port──┐                ┌──port── decode 0
//!                    ├── (fabric) ────┤
//!  prefill 1 ──port──┘                └──port── decode 1
//! ```

use std::collections::BinaryHeap;

use super::tournament::Tournament;
use crate::sim::{SimDuration, SimTime};

/// Index of a port: one direction of the network attachment of one instance, or a shared fabric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortId(pub u32);

/// Index of a transfer in flight; reused once it has finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransferId(pub u32);

/// The ports that a transfer crosses: sender, receiver, and a shared fabric if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Sending port.
    pub from: PortId,
    /// Receiving port.
    pub to: PortId,
    /// What both share with everybody else.
    pub fabric: Option<PortId>,
}

impl Route {
    fn ports(self) -> impl Iterator<Item = PortId> {
        [Some(self.from), Some(self.to), self.fabric].into_iter().flatten()
    }

    /// Where a port comes in `ports`.
    fn position(self, port: PortId) -> usize {
        self.ports().take_while(|&other| other != port).count()
    }
}

#[derive(Debug, Clone)]
struct Port {
    /// Bytes per nanosecond.
    capacity: f64,
    /// In no particular order.
    transfers: Vec<TransferId>,
    carried_bytes: f64,
    /// Scratch of the filling.
    left: f64,
    unsettled: u32,
    reached: bool,
}

#[derive(Debug, Clone)]
struct Transfer {
    route: Route,
    remaining_bytes: f64,
    /// What it can use at most, bytes per nanosecond; infinite if its ports are narrower.
    limit: f64,
    /// Bytes per nanosecond.
    rate: f64,
    updated: SimTime,
    finishes: SimTime,
    /// Its places in the lists of its ports, in the order of `Route::ports`.
    places: [u32; 3],
    /// Scratch of the search for the component and of the filling.
    reached: bool,
    settled: bool,
}

/// What holds a transfer back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Limiter {
    Itself(TransferId),
    Port(PortId),
}

/// The rate that a port offers each of its unsettled transfers, or that one can use. The largest is the one that offers least; of equals,
/// the first limiter.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Offer(f64, Limiter);

impl Eq for Offer {}
impl Ord for Offer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.total_cmp(&self.0).then(other.1.cmp(&self.1))
    }
}
impl PartialOrd for Offer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// All ports and what moves through them.
#[derive(Debug, Clone, Default)]
pub struct Fabric {
    ports: Vec<Port>,
    transfers: Vec<Transfer>,
    vacant: Vec<TransferId>,
    finishes: Tournament,
    component_ports: Vec<PortId>,
    component: Vec<TransferId>,
    offers: BinaryHeap<Offer>,
    /// Ports whose offer a settled transfer has changed.
    changed: Vec<PortId>,
}

impl Fabric {
    /// Adds a port of the given capacity in bytes per second (> 0).
    pub fn add_port(&mut self, bytes_per_s: f64) -> PortId {
        let id = PortId(index(self.ports.len()));
        self.ports.push(Port {
            capacity: bytes_per_s / 1e9,
            transfers: Vec::new(),
            carried_bytes: 0.0,
            left: 0.0,
            unsettled: 0,
            reached: false,
        });
        id
    }

    /// Starts moving `bytes` (> 0) along `route`, at most at `limit` bytes per second (> 0, may be infinite).
    pub fn start(&mut self, now: SimTime, route: Route, limit: f64, bytes: f64) -> TransferId {
        let limit = limit / 1e9;
        let narrower = route.ports().any(|port| self.ports[port.0 as usize].capacity <= limit);
        let transfer = Transfer {
            route,
            remaining_bytes: bytes,
            limit: if narrower { f64::INFINITY } else { limit },
            rate: 0.0,
            updated: now,
            finishes: SimTime::NEVER,
            places: [0; 3],
            reached: false,
            settled: false,
        };
        let id = if let Some(id) = self.vacant.pop() {
            self.transfers[id.0 as usize] = transfer;
            id
        } else {
            self.transfers.push(transfer);
            TransferId(index(self.transfers.len() - 1))
        };
        for (position, port) in route.ports().enumerate() {
            let there = &mut self.ports[port.0 as usize].transfers;
            self.transfers[id.0 as usize].places[position] = index(there.len());
            there.push(id);
        }
        self.share(now, route);
        id
    }

    /// Adds bytes to a transfer in flight.
    pub fn extend(&mut self, now: SimTime, id: TransferId, bytes: f64) {
        let route = self.transfers[id.0 as usize].route;
        self.share(now, route);
        let transfer = &mut self.transfers[id.0 as usize];
        transfer.remaining_bytes += bytes;
        transfer.finishes = finish(transfer);
        self.finishes.set(id, Some(transfer.finishes));
    }

    /// The transfer that finishes first, and when; ties by index.
    pub fn next_finish(&self) -> Option<(SimTime, TransferId)> {
        self.finishes.first()
    }

    /// Removes a transfer that has moved its last byte, and shares its bandwidth among the rest.
    pub fn finish(&mut self, now: SimTime, id: TransferId) {
        let route = self.transfers[id.0 as usize].route;
        // Counts the bytes moved since the last change; what is left is a rounding error below one nanosecond's worth.
        self.advance(now, id);
        let rest = self.transfers[id.0 as usize].remaining_bytes;
        for (position, port) in route.ports().enumerate() {
            let place = self.transfers[id.0 as usize].places[position] as usize;
            let there = &mut self.ports[port.0 as usize];
            there.carried_bytes += rest;
            there.transfers.swap_remove(place);
            if let Some(&moved) = there.transfers.get(place) {
                let moved = &mut self.transfers[moved.0 as usize];
                moved.places[moved.route.position(port)] = index(place);
            }
        }
        self.finishes.set(id, None);
        self.vacant.push(id);
        self.share(now, route);
    }

    /// Transfers in flight.
    pub fn in_flight(&self) -> usize {
        self.transfers.len() - self.vacant.len()
    }

    /// Bytes that a port has carried up to its last change.
    pub fn carried_bytes(&self, port: PortId) -> f64 {
        self.ports[port.0 as usize].carried_bytes
    }

    /// Capacity of a port, bytes per second.
    pub fn capacity(&self, port: PortId) -> f64 {
        self.ports[port.0 as usize].capacity * 1e9
    }

    /// True if no port carries more than its capacity, up to rounding.
    pub fn within_capacity(&self) -> bool {
        self.ports.iter().all(|port| self.is_within_capacity(port))
    }

    /// The same of the ports that the last change concerned.
    pub fn is_last_change_within_capacity(&self) -> bool {
        self.component_ports.iter().all(|port| self.is_within_capacity(&self.ports[port.0 as usize]))
    }

    fn is_within_capacity(&self, port: &Port) -> bool {
        port.transfers.iter().map(|id| self.transfers[id.0 as usize].rate).sum::<f64>() <= port.capacity * (1.0 + 1e-9)
    }

    fn advance(&mut self, now: SimTime, id: TransferId) {
        let transfer = &mut self.transfers[id.0 as usize];
        let moved = (transfer.rate * now.since(transfer.updated).ns() as f64).min(transfer.remaining_bytes);
        transfer.remaining_bytes -= moved;
        transfer.updated = now;
        for port in transfer.route.ports() {
            self.ports[port.0 as usize].carried_bytes += moved;
        }
    }

    /// Computes the rates of all transfers connected to `route` anew.
    fn share(&mut self, now: SimTime, route: Route) {
        self.find_component(route);
        let component = std::mem::take(&mut self.component);
        for &id in &component {
            self.advance(now, id);
            self.transfers[id.0 as usize].settled = false;
        }
        self.fill(&component);
        for &id in &component {
            let transfer = &mut self.transfers[id.0 as usize];
            transfer.finishes = finish(transfer);
            transfer.reached = false;
        }
        self.finishes.set_all(&component, |id| self.transfers[id.0 as usize].finishes);
        self.component = component;
    }

    /// Collects the ports and transfers connected to `route`, in order of index.
    fn find_component(&mut self, route: Route) {
        self.component.clear();
        self.component_ports.clear();
        for port in route.ports() {
            reach(&mut self.ports, &mut self.component_ports, port);
        }
        let mut next = 0;
        while next < self.component_ports.len() {
            let port = self.component_ports[next].0 as usize;
            next += 1;
            for i in 0..self.ports[port].transfers.len() {
                let id = self.ports[port].transfers[i];
                if !self.transfers[id.0 as usize].reached {
                    self.transfers[id.0 as usize].reached = true;
                    self.component.push(id);
                    for other in self.transfers[id.0 as usize].route.ports() {
                        reach(&mut self.ports, &mut self.component_ports, other);
                    }
                }
            }
        }
        self.component.sort_unstable();
        self.component_ports.sort_unstable();
        for port in &self.component_ports {
            let port = &mut self.ports[port.0 as usize];
            port.reached = false;
            port.left = port.capacity;
            port.unsettled = index(port.transfers.len());
        }
    }

    /// Progressive filling.
    fn fill(&mut self, component: &[TransferId]) {
        self.offers.clear();
        self.offers.extend(self.component_ports.iter().filter_map(|&id| offer(&self.ports, id)));
        let limits = component.iter().map(|&id| (self.transfers[id.0 as usize].limit, id)).filter(|(limit, _)| limit.is_finite());
        self.offers.extend(limits.map(|(limit, id)| Offer(limit, Limiter::Itself(id))));
        let mut unsettled = component.len();
        while unsettled > 0 {
            let Some(Offer(share, limiter)) = self.offers.pop() else { return };
            match limiter {
                Limiter::Itself(id) => unsettled -= self.settle(id, share),
                // It has made a newer offer since.
                Limiter::Port(port) if offer(&self.ports, port) != Some(Offer(share, limiter)) => continue,
                Limiter::Port(port) => {
                    for i in 0..self.ports[port.0 as usize].transfers.len() {
                        let id = self.ports[port.0 as usize].transfers[i];
                        unsettled -= self.settle(id, share);
                    }
                }
            }
            for id in self.changed.drain(..) {
                self.ports[id.0 as usize].reached = false;
                self.offers.extend(offer(&self.ports, id));
            }
        }
    }

    /// Gives a transfer its rate, unless it has one, and takes that off its ports. Returns how many it has settled.
    fn settle(&mut self, id: TransferId, rate: f64) -> usize {
        let transfer = &mut self.transfers[id.0 as usize];
        if transfer.settled {
            return 0;
        }
        transfer.settled = true;
        transfer.rate = rate;
        for port in transfer.route.ports() {
            let there = &mut self.ports[port.0 as usize];
            there.left -= rate;
            there.unsettled -= 1;
            reach(&mut self.ports, &mut self.changed, port);
        }
        1
    }
}

/// What a port offers each of its unsettled transfers; `None` if it has none.
fn offer(ports: &[Port], id: PortId) -> Option<Offer> {
    let port = &ports[id.0 as usize];
    (port.unsettled > 0).then(|| Offer(port.left / f64::from(port.unsettled), Limiter::Port(id)))
}

fn reach(ports: &mut [Port], found: &mut Vec<PortId>, id: PortId) {
    let port = &mut ports[id.0 as usize];
    if !port.reached {
        port.reached = true;
        found.push(id);
    }
}

/// When a transfer will have moved its last byte: at least one nanosecond after its last change if anything is left.
fn finish(transfer: &Transfer) -> SimTime {
    SimDuration::from_secs_f64(transfer.remaining_bytes / transfer.rate / 1e9).map_or(SimTime::NEVER, |span| transfer.updated + span)
}

fn index(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
