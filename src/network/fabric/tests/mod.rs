//! Sharing worked out by hand; `law.rs` has the properties, `growth.rs` the cost.

mod growth;
mod law;
mod reference;

use super::*;

fn at_us(us: u64) -> SimTime {
    SimTime::from_ns(us * 1000)
}

const UNLIMITED: f64 = f64::INFINITY;

impl Fabric {
    fn port(&mut self, bytes_per_s: f64) -> PortId {
        self.add_port(bytes_per_s).unwrap()
    }

    fn begin(&mut self, now: SimTime, ports: &[PortId], limit: f64, bytes: f64) -> TransferId {
        let route = self.route(ports).unwrap();
        self.start(now, route, limit, bytes).unwrap()
    }

    /// Pops the transfer that finishes next, and returns its time.
    fn pop(&mut self) -> Option<(SimTime, TransferId)> {
        let at = self.next_finish()?;
        Some((at, self.pop_finished(at).unwrap()))
    }

    /// Checks the carried bytes to the last bit.
    fn check_carried(&self, port: PortId, bytes: f64) {
        assert_eq!(self.carried_bytes(port).to_bits(), bytes.to_bits(), "{} carried", self.carried_bytes(port));
    }

    /// Present rates in bytes per nanosecond.
    fn rates(&mut self, ids: &[TransferId]) -> Vec<f64> {
        self.next_finish();
        let rate = |id: &TransferId| match self.transfers[id.at()].state {
            State::Lone(lone) => lone.rate,
            State::Shared(share) => fixed::to_bytes(self.shared.rate(share.group)),
            State::Vacant | State::Finished { .. } => 0.0,
        };
        ids.iter().map(rate).collect()
    }
}

#[test]
fn a_lone_transfer_takes_bytes_over_bandwidth() {
    let mut fabric = Fabric::default();
    let (a, b) = (fabric.port(50e9), fabric.port(50e9));
    // 2.5 GB over 50 GB/s = 50 ms.
    fabric.begin(SimTime::ZERO, &[a, b], UNLIMITED, 2.5e9);
    assert_eq!(fabric.next_finish().unwrap(), at_us(50_000));
}

#[test]
fn two_transfers_over_one_port_share_it_and_the_second_speeds_up_when_the_first_is_done() {
    let mut fabric = Fabric::default();
    let sender = fabric.port(10e9);
    let (x, y) = (fabric.port(10e9), fabric.port(10e9));
    // 10 GB/s shared: 5 GB/s each. The first (1 MB) is done at 200 µs; the second has moved 1 of 3 MB and needs
    // 2 MB at 10 GB/s = 200 µs more.
    let first = fabric.begin(SimTime::ZERO, &[sender, x], UNLIMITED, 1e6);
    let second = fabric.begin(SimTime::ZERO, &[sender, y], UNLIMITED, 3e6);
    assert_eq!(fabric.pop(), Some((at_us(200), first)));
    assert_eq!(fabric.pop(), Some((at_us(400), second)));
    approx::assert_relative_eq!(fabric.carried_bytes(sender), 4e6, max_relative = 1e-12);
    assert_eq!(fabric.in_flight(), 0);
}

#[test]
fn a_later_arrival_slows_the_first_from_then_on() {
    let mut fabric = Fabric::default();
    let sender = fabric.port(10e9);
    let (x, y) = (fabric.port(10e9), fabric.port(10e9));
    // Lone until 100 µs: 1 MB of 3 moved. Then 5 GB/s: 2 MB take 400 µs. Done at 500 µs.
    let first = fabric.begin(SimTime::ZERO, &[sender, x], UNLIMITED, 3e6);
    fabric.begin(at_us(100), &[sender, y], UNLIMITED, 9e6);
    assert_eq!(fabric.pop(), Some((at_us(500), first)));
}

#[test]
fn capacity_unused_at_a_bottleneck_goes_to_the_others() {
    let mut fabric = Fabric::default();
    let sender = fabric.port(10e9);
    let (slow, fast) = (fabric.port(2e9), fabric.port(10e9));
    // Max-min: the slow receiver takes 2 GB/s, the other the remaining 8 GB/s (an equal split would give it 5).
    fabric.begin(SimTime::ZERO, &[sender, slow], UNLIMITED, 2e6);
    let other = fabric.begin(SimTime::ZERO, &[sender, fast], UNLIMITED, 8e6);
    assert_eq!(fabric.rates(&[other]), [8.0]);
    assert_eq!(fabric.next_finish().unwrap(), at_us(1000));
}

#[test]
fn a_shared_fabric_binds_transfers_of_different_ports() {
    let mut fabric = Fabric::default();
    let core = fabric.port(10e9);
    let ports: Vec<PortId> = (0..4).map(|_| fabric.port(10e9)).collect();
    for (from, to) in [(ports[0], ports[1]), (ports[2], ports[3])] {
        fabric.begin(SimTime::ZERO, &[from, core, to], UNLIMITED, 1e6);
    }
    assert_eq!(fabric.next_finish().unwrap(), at_us(200));
}

#[test]
fn bytes_added_in_flight_come_after_the_rest() {
    let mut fabric = Fabric::default();
    let (a, b) = (fabric.port(10e9), fabric.port(10e9));
    let id = fabric.begin(SimTime::ZERO, &[a, b], UNLIMITED, 1e6);
    fabric.extend(at_us(50), id, 1e6).unwrap();
    assert_eq!(fabric.pop(), Some((at_us(200), id)));
}

#[test]
fn a_limited_transfer_leaves_the_rest_to_the_others() {
    let mut fabric = Fabric::default();
    let (sender, receiver) = (fabric.port(10e9), fabric.port(20e9));
    // Lone on a port of 10 GB/s, limited to 4 GB/s: 2 MB take 500 µs. With a second transfer, that one gets 6 GB/s; with four, each gets
    // 2.5 GB/s.
    let narrow = fabric.begin(SimTime::ZERO, &[sender, receiver], 4e9, 2e6);
    assert_eq!(fabric.next_finish(), Some(at_us(500)));
    let mut all = vec![narrow, fabric.begin(SimTime::ZERO, &[sender, receiver], UNLIMITED, 2e6)];
    assert_eq!(fabric.rates(&all), [4.0, 6.0]);
    all.extend([1, 2].map(|_| fabric.begin(SimTime::ZERO, &[sender, receiver], 9e9, 2e6)));
    assert_eq!(fabric.rates(&all), [2.5; 4]);
}

#[test]
fn a_route_may_cross_any_number_of_ports() {
    let mut fabric = Fabric::default();
    let ports: Vec<PortId> = [10e9, 8e9, 2e9, 9e9, 4e9].into_iter().map(|rate| fabric.port(rate)).collect();
    // The narrowest of five links gives the long one 2 GB/s; the short one alone would get 10 GB/s. Together the first port would carry
    // 12 GB/s, so they get 2 and 8.
    let long = fabric.begin(SimTime::ZERO, &ports, UNLIMITED, 2e6);
    assert_eq!(fabric.rates(&[long]), [2.0]);
    let short = fabric.begin(SimTime::ZERO, &ports[..1], UNLIMITED, 8e6);
    assert_eq!(fabric.rates(&[long, short]), [2.0, 8.0]);
    assert_eq!([fabric.pop(), fabric.pop()], [Some((at_us(1000), long)), Some((at_us(1000), short))]);
}

#[test]
fn transfers_that_end_at_one_nanosecond_are_popped_by_index() {
    let mut fabric = Fabric::default();
    let ports: Vec<PortId> = (0..8).map(|_| fabric.port(1e9)).collect();
    // Lone transfers and a pair, all ending at 1000 ns: a lone one moves 1000 bytes at 1 byte/ns, each of the pair 500 at half that rate.
    let ids: Vec<TransferId> = [6, 0, 4, 0]
        .into_iter()
        .map(|at| fabric.begin(SimTime::ZERO, &ports[at..at + 2], UNLIMITED, if at > 0 { 1e3 } else { 500.0 }))
        .collect();
    assert_eq!(fabric.next_finish(), Some(SimTime::from_ns(1000)));
    let popped: Vec<TransferId> = std::iter::from_fn(|| fabric.pop_finished(SimTime::from_ns(1000))).collect();
    assert_eq!(popped, ids);
    assert_eq!((fabric.in_flight(), fabric.next_finish()), (0, None));
}

#[test]
fn an_aborted_transfer_leaves_its_bandwidth_to_the_others() {
    let mut fabric = Fabric::default();
    let (a, b) = (fabric.port(10e9), fabric.port(10e9));
    // 5 GB/s each for 100 µs: 0.5 MB. The remaining one has 0.5 MB left, which takes 50 µs at 10 GB/s.
    let gone = fabric.begin(SimTime::ZERO, &[a, b], UNLIMITED, 3e6);
    let stays = fabric.begin(SimTime::ZERO, &[a, b], UNLIMITED, 1e6);
    assert_eq!(fabric.abort(at_us(100), gone), Ok(2.5e6));
    assert_eq!(fabric.abort(at_us(100), gone), Err(NetworkError::NotInFlight));
    assert_eq!(fabric.pop(), Some((at_us(150), stays)));
    fabric.check_carried(a, 1.5e6);
    // Lone, 20 of 30 µs.
    let lone = fabric.begin(at_us(200), &[a, b], UNLIMITED, 0.3e6);
    assert_eq!(fabric.abort(at_us(220), lone), Ok(0.1e6));
    fabric.check_carried(b, 1.7e6);
    assert_eq!((fabric.in_flight(), fabric.next_finish()), (0, None));
    // A finished transfer that was not popped has no unmoved bytes.
    let done = fabric.begin(at_us(300), &[a, b], UNLIMITED, 1e6);
    assert_eq!(fabric.abort(at_us(400), done), Ok(0.0));
    assert_eq!(fabric.pop_finished(at_us(400)), None);
}

#[test]
fn a_link_that_slows_down_delays_its_transfers() {
    let mut fabric = Fabric::default();
    let (a, b) = (fabric.port(10e9), fabric.port(10e9));
    // 1 of 3 MB in the first 100 µs; 2 MB at 1 GB/s would take 2 ms, but after 1 MB the link recovers: the last MB takes 100 µs.
    let lone = fabric.begin(SimTime::ZERO, &[a, b], UNLIMITED, 3e6);
    fabric.set_capacity(at_us(100), b, 1e9).unwrap();
    assert_eq!(fabric.next_finish(), Some(at_us(2100)));
    fabric.set_capacity(at_us(1100), b, 10e9).unwrap();
    assert_eq!(fabric.pop(), Some((at_us(1200), lone)));
    // Two transfers share the port: 2 MB each at 5 GB/s, after 100 µs at 0.5 GB/s.
    let two = [0, 1].map(|_| fabric.begin(at_us(2000), &[a, b], UNLIMITED, 2e6));
    fabric.set_capacity(at_us(2100), a, 1e9).unwrap();
    assert_eq!(fabric.rates(&two), [0.5, 0.5]);
    approx::assert_relative_eq!(fabric.capacity(a), 1e9);
    assert_eq!([fabric.pop(), fabric.pop()], two.map(|id| Some((at_us(2100 + 3000), id))));
    fabric.check_carried(a, 7e6);
}

#[test]
fn bytes_added_to_a_transfer_that_has_just_finished_restart_it() {
    let mut fabric = Fabric::default();
    let (a, b) = (fabric.port(10e9), fabric.port(10e9));
    let id = fabric.begin(SimTime::ZERO, &[a, b], UNLIMITED, 1e6);
    fabric.extend(at_us(100), id, 1e6).unwrap();
    assert!(!fabric.has_finished());
    assert_eq!(fabric.pop(), Some((at_us(200), id)));
    let two = [0, 1].map(|_| fabric.begin(at_us(200), &[a, b], UNLIMITED, 1e6));
    fabric.extend(at_us(400), two[1], 1e6).unwrap();
    assert!(fabric.has_finished());
    assert_eq!([fabric.pop(), fabric.pop()], [Some((at_us(400), two[0])), Some((at_us(500), two[1]))]);
    fabric.check_carried(a, 5e6);
}

#[test]
fn the_smallest_transfer_takes_a_nanosecond() {
    let mut fabric = Fabric::default();
    let (a, b) = (fabric.port(1e12), fabric.port(1e12));
    for _ in 0..2 {
        fabric.begin(SimTime::ZERO, &[a, b], UNLIMITED, 1e-30);
    }
    assert_eq!(fabric.next_finish(), Some(SimTime::from_ns(1)));
}

#[test]
fn invalid_calls_are_refused_and_change_nothing() {
    let mut fabric = Fabric::default();
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e21] {
        assert!(matches!(fabric.add_port(rate), Err(NetworkError::Capacity(_))), "{rate}");
    }
    let (a, b) = (fabric.port(1e9), fabric.port(1e9));
    let mut other = fabric.clone();
    let unknown = other.port(1e9);
    for ports in [&[][..], &[a, b, a], &[a, unknown]] {
        assert_eq!(fabric.route(ports), Err(NetworkError::Route));
    }
    let route = fabric.route(&[a, b]).unwrap();
    assert_eq!(fabric.route(&[a, b]), Ok(route));
    assert_ne!(fabric.route(&[b, a]), Ok(route));
    for bytes in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e20] {
        assert!(matches!(fabric.start(SimTime::ZERO, route, UNLIMITED, bytes), Err(NetworkError::Bytes(_))), "{bytes}");
    }
    for limit in [0.0, -1.0, f64::NAN] {
        assert!(matches!(fabric.start(SimTime::ZERO, route, limit, 1.0), Err(NetworkError::Limit(_))), "{limit}");
    }
    assert!(fabric.set_capacity(SimTime::ZERO, a, 0.0).is_err());
    let id = fabric.start(SimTime::ZERO, route, UNLIMITED, 1.0).unwrap();
    assert!(matches!(fabric.extend(SimTime::ZERO, id, f64::NAN), Err(NetworkError::Bytes(_))));
    assert_eq!(fabric.pop(), Some((SimTime::from_ns(1), id)));
    assert_eq!(fabric.extend(SimTime::ZERO, id, 1.0), Err(NetworkError::NotInFlight));
    fabric.check_carried(a, 1.0);
    assert_eq!(fabric.in_flight(), 0);
}
