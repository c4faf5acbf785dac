//! What sharing must give, by hand and by property.

use super::*;
use proptest::prelude::*;

fn at_us(us: u64) -> SimTime {
    SimTime::from_ns(us * 1000)
}

const UNLIMITED: f64 = f64::INFINITY;

fn route(from: PortId, to: PortId) -> Route {
    Route { from, to, fabric: None }
}

#[test]
fn a_lone_transfer_takes_bytes_over_bandwidth() {
    let mut fabric = Fabric::default();
    let (a, b) = (fabric.add_port(50e9), fabric.add_port(50e9));
    // 2.5 GB over 50 GB/s = 50 ms.
    fabric.start(SimTime::ZERO, route(a, b), UNLIMITED, 2.5e9);
    assert_eq!(fabric.next_finish().unwrap().0, at_us(50_000));
}

#[test]
fn two_transfers_over_one_port_share_it_and_the_second_speeds_up_when_the_first_is_done() {
    let mut fabric = Fabric::default();
    let sender = fabric.add_port(10e9);
    let (x, y) = (fabric.add_port(10e9), fabric.add_port(10e9));
    // 10 GB/s shared: 5 GB/s each. The first (1 MB) is done at 200 µs; the second has moved 1 of 3 MB and needs
    // 2 MB at 10 GB/s = 200 µs more.
    let first = fabric.start(SimTime::ZERO, route(sender, x), UNLIMITED, 1e6);
    let second = fabric.start(SimTime::ZERO, route(sender, y), UNLIMITED, 3e6);
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
    let first = fabric.start(SimTime::ZERO, route(sender, x), UNLIMITED, 3e6);
    fabric.start(at_us(100), route(sender, y), UNLIMITED, 9e6);
    assert_eq!(fabric.next_finish(), Some((at_us(500), first)));
}

#[test]
fn what_a_bottleneck_leaves_over_goes_to_the_others() {
    let mut fabric = Fabric::default();
    let sender = fabric.add_port(10e9);
    let (slow, fast) = (fabric.add_port(2e9), fabric.add_port(10e9));
    // Max-min: the slow receiver takes 2 GB/s, the other the remaining 8 GB/s (an equal split would give it 5).
    fabric.start(SimTime::ZERO, route(sender, slow), UNLIMITED, 2e6);
    let other = fabric.start(SimTime::ZERO, route(sender, fast), UNLIMITED, 8e6);
    assert_eq!(fabric.transfers[other.0 as usize].rate.to_bits(), 8.0f64.to_bits());
    assert_eq!(fabric.next_finish().unwrap().0, at_us(1000));
}

#[test]
fn a_shared_fabric_binds_transfers_of_different_ports() {
    let mut fabric = Fabric::default();
    let core = fabric.add_port(10e9);
    let ports: Vec<PortId> = (0..4).map(|_| fabric.add_port(10e9)).collect();
    for (from, to) in [(ports[0], ports[1]), (ports[2], ports[3])] {
        fabric.start(SimTime::ZERO, Route { from, to, fabric: Some(core) }, UNLIMITED, 1e6);
    }
    assert_eq!(fabric.next_finish().unwrap().0, at_us(200));
}

#[test]
fn bytes_added_in_flight_come_after_the_rest() {
    let mut fabric = Fabric::default();
    let (a, b) = (fabric.add_port(10e9), fabric.add_port(10e9));
    let id = fabric.start(SimTime::ZERO, route(a, b), UNLIMITED, 1e6);
    fabric.extend(at_us(50), id, 1e6);
    assert_eq!(fabric.next_finish(), Some((at_us(200), id)));
}

#[test]
fn a_transfer_that_can_use_little_leaves_the_rest_to_the_others() {
    let mut fabric = Fabric::default();
    let (sender, receiver) = (fabric.add_port(10e9), fabric.add_port(20e9));
    // Alone on a port of 10 GB/s, but one that can use 4 GB/s: 2 MB take 500 µs. Of two, the other has 6 GB/s; of four, three have 2.5 GB/s
    // and so has the first.
    let narrow = fabric.start(SimTime::ZERO, route(sender, receiver), 4e9, 2e6);
    assert_eq!(fabric.next_finish(), Some((at_us(500), narrow)));
    let rates = |fabric: &Fabric, ids: &[TransferId]| ids.iter().map(|id| fabric.transfers[id.0 as usize].rate).collect::<Vec<_>>();
    let mut all = vec![narrow, fabric.start(SimTime::ZERO, route(sender, receiver), UNLIMITED, 2e6)];
    assert_eq!(rates(&fabric, &all), [4.0, 6.0]);
    all.extend([1, 2].map(|_| fabric.start(SimTime::ZERO, route(sender, receiver), 9e9, 2e6)));
    assert_eq!(rates(&fabric, &all), [2.5; 4]);
}

/// Max-min: a transfer has its limit, or crosses a full port on which nobody is faster.
fn is_held_back(fabric: &Fabric, transfer: &Transfer) -> bool {
    let bottleneck = |port: &Port| {
        let rates: Vec<f64> = port.transfers.iter().map(|id| fabric.transfers[id.0 as usize].rate).collect();
        let full = rates.iter().sum::<f64>() >= port.capacity * (1.0 - 1e-9);
        full && rates.iter().all(|&rate| rate <= transfer.rate * (1.0 + 1e-9))
    };
    transfer.rate >= transfer.limit || transfer.route.ports().any(|port| bottleneck(&fabric.ports[port.0 as usize]))
}

proptest! {
    /// No port is overbooked, no transfer could be faster without slowing one that is no faster, and all bytes arrive.
    #[test]
    fn capacity_and_bytes_are_conserved(starts in proptest::collection::vec((0u32..4, 0u32..4, 1u64..5_000_000, 0u64..300, 1u32..8), 1..60), shared in any::<bool>()) {
        let mut fabric = Fabric::default();
        let senders: Vec<PortId> = (0..4).map(|i| fabric.add_port(1e9 * f64::from(i + 1))).collect();
        let receivers: Vec<PortId> = (0..4).map(|i| fabric.add_port(3e9 / f64::from(i + 1))).collect();
        let core = fabric.add_port(4e9);
        let mut now = SimTime::ZERO;
        let mut sent = 0.0;
        for (from, to, bytes, gap, limit) in starts {
            now += SimDuration::from_ns(gap * 1000);
            while let Some((at, id)) = fabric.next_finish().filter(|(at, _)| *at <= now) {
                fabric.finish(at, id);
            }
            sent += bytes as f64;
            fabric.start(now, Route { from: senders[from as usize], to: receivers[to as usize], fabric: shared.then_some(core) }, 0.5e9 * f64::from(limit), bytes as f64);
            prop_assert!(fabric.within_capacity());
            for id in &fabric.component {
                let transfer = &fabric.transfers[id.0 as usize];
                prop_assert!(transfer.rate > 0.0 && transfer.rate <= transfer.limit);
                prop_assert!(is_held_back(&fabric, transfer));
            }
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
