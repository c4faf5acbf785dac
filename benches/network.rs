//! Saturated networks: transfers between random pairs, a new one for each that ends, by number in flight.
//!
//! The work per transfer (ports, groups and transfers visited) is checked first: from 1,000 to 4,000 and 16,000 transfers in flight it may
//! not grow by half. Floors, on one core of a small cloud machine: 1 M transfers per second through a narrow fabric, 200 k where one side's ports
//! are full, 100 k where all are.
//!
//! `cargo bench --bench network`

#![expect(clippy::unwrap_used, reason = "what cannot run cannot be measured")]
#![expect(clippy::print_stdout, reason = "the table of work is a result")]

use divan::Bencher;
use divan::counter::ItemsCount;
use tokenmill::network::{Fabric, PortId, RouteId};
use tokenmill::sim::{Purpose, SimDuration, SimTime, Stream, Streams};

const INSTANCES: u32 = 8;
const IN_FLIGHT: [u32; 3] = [1_000, 4_000, 16_000];
const ENDS: u32 = 10_000;

/// Where the network is full.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Full {
    Fabric,
    Senders,
    AllPorts,
}

fn main() {
    for full in [Full::Fabric, Full::Senders, Full::AllPorts] {
        let work = IN_FLIGHT.map(|in_flight| {
            let mut network = Network::new(full, in_flight);
            let before = network.fabric.work();
            network.run();
            (network.fabric.work() - before) as f64 / f64::from(ENDS)
        });
        println!("{full:?} full: work per transfer {work:.1?} at {IN_FLIGHT:?} in flight");
        assert!(work[1] < 1.5 * work[0] && work[2] < 1.5 * work[0], "work grows with transfers");
    }
    divan::main();
}

/// Senders and receivers in all pairs.
struct Network {
    fabric: Fabric,
    routes: Vec<RouteId>,
    stream: Stream,
    now: SimTime,
}

impl Network {
    fn new(full: Full, in_flight: u32) -> Self {
        let mut fabric = Fabric::default();
        let mut ports = |rate: f64| (0..INSTANCES).map(|_| fabric.add_port(rate).unwrap()).collect::<Vec<PortId>>();
        let senders = ports(1e9);
        let receivers = ports(if full == Full::Senders { 4e9 } else { 1e9 });
        let core = (full == Full::Fabric).then(|| fabric.add_port(2e9).unwrap());
        let mut routes = Vec::new();
        for &from in &senders {
            for &to in &receivers {
                let crossed: Vec<PortId> = [Some(from), core, Some(to)].into_iter().flatten().collect();
                routes.push(fabric.route(&crossed).unwrap());
            }
        }
        let mut network = Self { fabric, routes, stream: Streams::new(7).stream(Purpose::Lengths, 0), now: SimTime::ZERO };
        for _ in 0..in_flight {
            network.now += SimDuration::from_ns(100);
            network.start();
        }
        network
    }

    fn start(&mut self) {
        let route = self.routes[usize::try_from(self.stream.below(self.routes.len() as u64)).unwrap()];
        let bytes = 1e6 * (0.5 + self.stream.exponential());
        self.fabric.start(self.now, route, f64::INFINITY, bytes).unwrap();
    }

    fn run(&mut self) {
        for _ in 0..ENDS {
            self.now = self.fabric.next_finish().unwrap();
            self.fabric.pop_finished(self.now).unwrap();
            self.start();
        }
    }
}

fn saturated(bencher: Bencher<'_, '_>, full: Full, in_flight: u32) {
    bencher.counter(ItemsCount::new(ENDS)).with_inputs(|| Network::new(full, in_flight)).bench_local_values(|mut network| {
        network.run();
        network
    });
}

#[divan::bench(args = IN_FLIGHT, sample_count = 5)]
fn fabric_is_full(bencher: Bencher<'_, '_>, in_flight: u32) {
    saturated(bencher, Full::Fabric, in_flight);
}

#[divan::bench(args = IN_FLIGHT, sample_count = 5)]
fn senders_are_full(bencher: Bencher<'_, '_>, in_flight: u32) {
    saturated(bencher, Full::Senders, in_flight);
}

#[divan::bench(args = IN_FLIGHT, sample_count = 5)]
fn all_ports_are_full(bencher: Bencher<'_, '_>, in_flight: u32) {
    saturated(bencher, Full::AllPorts, in_flight);
}
