//! The cost of a transfer must not grow with the number in flight. Measured in ports, groups and transfers visited, not in time.

use super::*;
use crate::sim::{Purpose, SimDuration, Streams};

/// Senders and receivers of equal ports, all pairs, with or without a fabric.
struct Cluster {
    fabric: Fabric,
    routes: Vec<RouteId>,
}

fn cluster(senders: usize, receivers: usize, receiver_rate: f64, core: Option<f64>) -> Cluster {
    let mut fabric = Fabric::default();
    let senders: Vec<PortId> = (0..senders).map(|_| fabric.port(1e9)).collect();
    let receivers: Vec<PortId> = (0..receivers).map(|_| fabric.port(receiver_rate)).collect();
    let core = core.map(|rate| fabric.port(rate));
    let mut routes = Vec::new();
    for &from in &senders {
        for &to in &receivers {
            let ports: Vec<PortId> = [Some(from), core, Some(to)].into_iter().flatten().collect();
            routes.push(fabric.route(&ports).unwrap());
        }
    }
    Cluster { fabric, routes }
}

/// Keeps `in_flight` transfers between random pairs in flight; returns the work per finished transfer.
fn work_per_transfer(mut cluster: Cluster, in_flight: u32, limit: f64) -> f64 {
    let mut stream = Streams::new(7).stream(Purpose::Lengths, 0);
    let mut start = |cluster: &mut Cluster, now: SimTime| {
        let route = cluster.routes[usize::try_from(stream.below(cluster.routes.len() as u64)).unwrap()];
        cluster.fabric.start(now, route, limit, 1e6 * (0.5 + stream.exponential())).unwrap();
    };
    let mut now = SimTime::ZERO;
    for _ in 0..in_flight {
        now += SimDuration::from_ns(100);
        start(&mut cluster, now);
    }
    let before = cluster.fabric.work();
    let ends = 4000;
    for _ in 0..ends {
        let (at, _) = cluster.fabric.pop().unwrap();
        start(&mut cluster, at);
    }
    (cluster.fabric.work() - before) as f64 / f64::from(ends)
}

fn growth(of: impl Fn() -> Cluster, in_flight: u32, limit: f64) -> f64 {
    let [few, many] = [in_flight, 4 * in_flight].map(|n| work_per_transfer(of(), n, limit));
    println!("{few:.1} for each of {in_flight} in flight, {many:.1} for each of {}", 4 * in_flight);
    many / few
}

#[test]
fn work_does_not_grow_with_transfers_where_the_fabric_is_the_bottleneck() {
    assert!(growth(|| cluster(8, 8, 1e9, Some(2e9)), 500, UNLIMITED) < 1.2);
    assert!(growth(|| cluster(64, 64, 1e9, Some(8e9)), 2000, UNLIMITED) < 1.2);
    assert!(work_per_transfer(cluster(64, 64, 1e9, Some(8e9)), 8000, UNLIMITED) < 50.0);
}

#[test]
fn work_does_not_grow_with_transfers_where_all_ports_are_full() {
    assert!(growth(|| cluster(8, 8, 1e9, None), 500, UNLIMITED) < 1.5);
    // 1024 pairs and 64 ports, all of them visited once for each end.
    assert!(work_per_transfer(cluster(32, 32, 1e9, None), 8000, UNLIMITED) < 1200.0);
}

#[test]
fn work_does_not_grow_with_transfers_where_senders_are_the_bottleneck() {
    assert!(growth(|| cluster(8, 8, 4e9, None), 500, UNLIMITED) < 1.5);
    // A change concerns one sender of 32 and its pairs, not all 1024 pairs.
    assert!(work_per_transfer(cluster(32, 32, 4e9, None), 8000, UNLIMITED) < 400.0);
}

#[test]
fn work_does_not_grow_with_transfers_where_limits_hold_them_back() {
    assert!(growth(|| cluster(8, 8, 1e9, None), 100, 1e6) < 1.5);
    assert!(work_per_transfer(cluster(8, 8, 1e9, Some(4e9)), 800, 1e6) < 20.0);
}

#[test]
fn many_changes_at_one_instant_cost_one_filling() {
    let work = |n: u32| {
        let mut cluster = cluster(8, 8, 1e9, None);
        for i in 0..n {
            let route = cluster.routes[i as usize % 64];
            cluster.fabric.start(SimTime::ZERO, route, UNLIMITED, 1e6).unwrap();
        }
        // All end at once, too.
        let at = cluster.fabric.next_finish().unwrap();
        while cluster.fabric.pop_finished(at).is_some() {}
        assert_eq!(cluster.fabric.in_flight(), 0);
        cluster.fabric.work()
    };
    assert!(work(64_000) - work(32_000) < 32_000 * 3, "{} {}", work(64_000), work(32_000));
}
