//! Max-min fair sharing of ports by fluid transfers.
//!
//! A transfer crosses the ports of its route and moves at one rate, limited by the port where its fair share is smallest. Rates come
//! from progressive filling (Bertsekas and Gallager, *Data Networks*, 1992, §6.5.2): find the port with the smallest share of its
//! remaining capacity per unsettled transfer, give that share to all its transfers, take it off their other ports, repeat. A change
//! only concerns transfers that share ports with it, directly or through others, so only that component is filled again.
//!
//! ```text
//!  prefill 0 ──port──┐                ┌──port── decode 0
//!                    ├── (fabric) ────┤
//!  prefill 1 ──port──┘                └──port── decode 1
//! ```

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
}

#[derive(Debug, Clone)]
struct Port {
    /// Bytes per nanosecond.
    capacity: f64,
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
    /// Bytes per nanosecond.
    rate: f64,
    updated: SimTime,
    finishes: SimTime,
    active: bool,
    /// Scratch of the filling.
    settled: bool,
}

/// All ports and what moves through them.
#[derive(Debug, Clone, Default)]
pub struct Fabric {
    ports: Vec<Port>,
    transfers: Vec<Transfer>,
    vacant: Vec<TransferId>,
    active: Vec<TransferId>,
    component_ports: Vec<PortId>,
    component: Vec<TransferId>,
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

    /// Starts moving `bytes` (> 0) along `route`.
    pub fn start(&mut self, now: SimTime, route: Route, bytes: f64) -> TransferId {
        let transfer =
            Transfer { route, remaining_bytes: bytes, rate: 0.0, updated: now, finishes: SimTime::NEVER, active: true, settled: false };
        let id = if let Some(id) = self.vacant.pop() {
            self.transfers[id.0 as usize] = transfer;
            id
        } else {
            self.transfers.push(transfer);
            TransferId(index(self.transfers.len() - 1))
        };
        for port in route.ports() {
            self.ports[port.0 as usize].transfers.push(id);
        }
        self.active.push(id);
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
    }

    /// The transfer that finishes first, and when; ties by index.
    pub fn next_finish(&self) -> Option<(SimTime, TransferId)> {
        self.active.iter().map(|&id| (self.transfers[id.0 as usize].finishes, id)).min()
    }

    /// Removes a transfer that has moved its last byte, and shares its bandwidth among the rest.
    pub fn finish(&mut self, now: SimTime, id: TransferId) {
        let route = self.transfers[id.0 as usize].route;
        // Counts the bytes moved since the last change; what is left is a rounding error below one nanosecond's worth.
        self.advance(now, id);
        let rest = self.transfers[id.0 as usize].remaining_bytes;
        for port in route.ports() {
            let port = &mut self.ports[port.0 as usize];
            port.carried_bytes += rest;
            port.transfers.retain(|&other| other != id);
        }
        self.transfers[id.0 as usize].active = false;
        self.active.retain(|&other| other != id);
        self.vacant.push(id);
        self.share(now, route);
    }

    /// Transfers in flight.
    pub fn in_flight(&self) -> usize {
        self.active.len()
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
        }
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
                if !self.component.contains(&id) {
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
        let mut unsettled = component.len();
        while unsettled > 0 {
            let Some((share, tightest)) = self
                .component_ports
                .iter()
                .filter(|port| self.ports[port.0 as usize].unsettled > 0)
                .map(|&port| (self.ports[port.0 as usize].left / f64::from(self.ports[port.0 as usize].unsettled), port))
                .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
            else {
                return;
            };
            for i in 0..self.ports[tightest.0 as usize].transfers.len() {
                let id = self.ports[tightest.0 as usize].transfers[i];
                if self.transfers[id.0 as usize].settled {
                    continue;
                }
                let transfer = &mut self.transfers[id.0 as usize];
                transfer.settled = true;
                transfer.rate = share;
                unsettled -= 1;
                for port in transfer.route.ports() {
                    let port = &mut self.ports[port.0 as usize];
                    port.left -= share;
                    port.unsettled -= 1;
                }
            }
        }
    }
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at_us(us: u64) -> SimTime {
        SimTime::from_ns(us * 1000)
    }

    fn route(from: PortId, to: PortId) -> Route {
        Route { from, to, fabric: None }
    }

    #[test]
    fn a_lone_transfer_takes_bytes_over_bandwidth() {
        let mut fabric = Fabric::default();
        let (a, b) = (fabric.add_port(50e9), fabric.add_port(50e9));
        // 2.5 GB over 50 GB/s = 50 ms.
        fabric.start(SimTime::ZERO, route(a, b), 2.5e9);
        assert_eq!(fabric.next_finish().unwrap().0, at_us(50_000));
    }

    #[test]
    fn two_transfers_over_one_port_share_it_and_the_second_speeds_up_when_the_first_is_done() {
        let mut fabric = Fabric::default();
        let sender = fabric.add_port(10e9);
        let (x, y) = (fabric.add_port(10e9), fabric.add_port(10e9));
        // 10 GB/s shared: 5 GB/s each. The first (1 MB) is done at 200 µs; the second has moved 1 of 3 MB and needs
        // 2 MB at 10 GB/s = 200 µs more.
        let first = fabric.start(SimTime::ZERO, route(sender, x), 1e6);
        let second = fabric.start(SimTime::ZERO, route(sender, y), 3e6);
        assert_eq!(fabric.next_finish(), Some((at_us(200), first)));
        fabric.finish(at_us(200), first);
        assert_eq!(fabric.next_finish(), Some((at_us(400), second)));
        fabric.finish(at_us(400), second);
        approx::assert_relative_eq!(fabric.carried_bytes(sender), 4e6, max_relative = 1e-12);
        assert_eq!(fabric.in_flight(), 0);
    }

    #[test]
    fn a_later_arrival_slows_the_first_from_then_on() {
        let mut fabric = Fabric::default();
        let sender = fabric.add_port(10e9);
        let (x, y) = (fabric.add_port(10e9), fabric.add_port(10e9));
        // Alone until 100 µs: 1 MB of 3 moved. Then 5 GB/s: 2 MB take 400 µs. Done at 500 µs.
        let first = fabric.start(SimTime::ZERO, route(sender, x), 3e6);
        fabric.start(at_us(100), route(sender, y), 9e6);
        assert_eq!(fabric.next_finish(), Some((at_us(500), first)));
    }

    #[test]
    fn what_a_bottleneck_leaves_over_goes_to_the_others() {
        let mut fabric = Fabric::default();
        let sender = fabric.add_port(10e9);
        let (slow, fast) = (fabric.add_port(2e9), fabric.add_port(10e9));
        // Max-min: the slow receiver takes 2 GB/s, the other the remaining 8 GB/s (an equal split would give it 5).
        fabric.start(SimTime::ZERO, route(sender, slow), 2e6);
        let other = fabric.start(SimTime::ZERO, route(sender, fast), 8e6);
        assert_eq!(fabric.transfers[other.0 as usize].rate.to_bits(), 8.0f64.to_bits());
        assert_eq!(fabric.next_finish().unwrap().0, at_us(1000));
    }

    #[test]
    fn a_shared_fabric_binds_transfers_of_different_ports() {
        let mut fabric = Fabric::default();
        let core = fabric.add_port(10e9);
        let ports: Vec<PortId> = (0..4).map(|_| fabric.add_port(10e9)).collect();
        for (from, to) in [(ports[0], ports[1]), (ports[2], ports[3])] {
            fabric.start(SimTime::ZERO, Route { from, to, fabric: Some(core) }, 1e6);
        }
        assert_eq!(fabric.next_finish().unwrap().0, at_us(200));
    }

    #[test]
    fn bytes_added_in_flight_come_after_the_rest() {
        let mut fabric = Fabric::default();
        let (a, b) = (fabric.add_port(10e9), fabric.add_port(10e9));
        let id = fabric.start(SimTime::ZERO, route(a, b), 1e6);
        fabric.extend(at_us(50), id, 1e6);
        assert_eq!(fabric.next_finish(), Some((at_us(200), id)));
    }

    proptest! {
        /// No port is overbooked, every transfer moves, and all bytes arrive.
        #[test]
        fn capacity_and_bytes_are_conserved(starts in proptest::collection::vec((0u32..4, 0u32..4, 1u64..5_000_000, 0u64..300), 1..60), shared in any::<bool>()) {
            let mut fabric = Fabric::default();
            let senders: Vec<PortId> = (0..4).map(|i| fabric.add_port(1e9 * f64::from(i + 1))).collect();
            let receivers: Vec<PortId> = (0..4).map(|i| fabric.add_port(3e9 / f64::from(i + 1))).collect();
            let core = fabric.add_port(4e9);
            let mut now = SimTime::ZERO;
            let mut sent = 0.0;
            for (from, to, bytes, gap) in starts {
                now += SimDuration::from_ns(gap * 1000);
                while let Some((at, id)) = fabric.next_finish().filter(|(at, _)| *at <= now) {
                    fabric.finish(at, id);
                }
                sent += bytes as f64;
                fabric.start(now, Route { from: senders[from as usize], to: receivers[to as usize], fabric: shared.then_some(core) }, bytes as f64);
                prop_assert!(fabric.within_capacity());
                prop_assert!(fabric.active.iter().all(|id| fabric.transfers[id.0 as usize].rate > 0.0));
            }
            while let Some((at, id)) = fabric.next_finish() {
                prop_assert!(at >= now);
                now = at;
                fabric.finish(at, id);
            }
            let carried: f64 = senders.iter().map(|&port| fabric.carried_bytes(port)).sum();
            approx::assert_relative_eq!(carried, sent, max_relative = 1e-9);
        }
    }
}
