//! Properties that hold for any sequence of changes, and agreement with the plain reference.

use super::reference::Reference;
use super::*;
use crate::network::fixed::FREE;
use crate::network::group::{Bottleneck, Group};
use crate::sim::SimDuration;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Change {
    Start { route: usize, limit: f64, bytes: u32 },
    Extend { which: usize, bytes: u32 },
    Abort { which: usize },
    SetCapacity { port: usize, rate: f64 },
}

/// Ports, routes over them, and timed changes.
#[derive(Debug, Clone)]
struct Story {
    capacities: Vec<f64>,
    routes: Vec<Vec<usize>>,
    changes: Vec<(u64, Change)>,
}

fn capacity() -> impl Strategy<Value = f64> {
    prop_oneof![(1u32..5).prop_map(|n| f64::from(n) * 1e9), 0.05e9..20e9]
}

fn change() -> impl Strategy<Value = Change> {
    let limit = prop_oneof![Just(f64::INFINITY), (1u32..4).prop_map(|n| f64::from(n) * 0.5e9), 0.02e9..2e9];
    prop_oneof![
        8 => (any::<usize>(), limit, 1u32..5_000_000).prop_map(|(route, limit, bytes)| Change::Start { route, limit, bytes }),
        1 => (any::<usize>(), 1u32..1_000_000).prop_map(|(which, bytes)| Change::Extend { which, bytes }),
        1 => any::<usize>().prop_map(|which| Change::Abort { which }),
        1 => (any::<usize>(), capacity()).prop_map(|(port, rate)| Change::SetCapacity { port, rate }),
    ]
}

/// Any routes over a few ports, or sender, receiver and perhaps a fabric.
fn story() -> impl Strategy<Value = Story> {
    let any_routes = (2usize..8).prop_flat_map(|ports| {
        let route = proptest::sample::subsequence((0..ports).collect::<Vec<_>>(), 1..=ports.min(4));
        (Just(ports), proptest::collection::vec(route, 1..9))
    });
    let pairs = (1usize..5, 1usize..5, any::<bool>()).prop_map(|(senders, receivers, fabric)| {
        let core = senders + receivers;
        let route = move |from: usize, to: usize| if fabric { vec![from, core, senders + to] } else { vec![from, senders + to] };
        (core + 1, (0..senders).flat_map(|from| (0..receivers).map(move |to| route(from, to))).collect())
    });
    prop_oneof![any_routes, pairs].prop_flat_map(|(ports, routes)| {
        let gap = prop_oneof![2 => Just(0u64), 3 => 0u64..400_000, 1 => Just(3_000_000u64)];
        (proptest::collection::vec(capacity(), ports), Just(routes), proptest::collection::vec((gap, change()), 1..70))
            .prop_map(|(capacities, routes, changes)| Story { capacities, routes, changes })
    })
}

/// A story applied to the fabric and to the reference. Transfers are numbered in order of start.
#[derive(Debug, Default)]
struct Telling {
    fabric: Fabric,
    reference: Reference,
    ports: Vec<PortId>,
    /// In flight, by index of the fabric.
    numbers: Vec<Option<usize>>,
    ids: Vec<Option<TransferId>>,
    /// By transfer: its ports, and the bytes that it moves in all, less those lost to an abort.
    routes: Vec<Vec<usize>>,
    bytes: Vec<f64>,
}

impl Telling {
    fn new(story: &Story) -> Self {
        let mut telling = Self::default();
        for &rate in &story.capacities {
            telling.ports.push(telling.fabric.port(rate));
            telling.reference.add_port(rate);
        }
        telling
    }

    fn apply(&mut self, now: SimTime, change: &Change, routes: &[Vec<usize>]) {
        let alive: Vec<usize> = (0..self.ids.len()).filter(|&i| self.ids[i].is_some()).collect();
        let pick = |which: usize| (!alive.is_empty()).then(|| alive[which % alive.len()]);
        match *change {
            Change::Start { route, limit, bytes } => {
                let route = &routes[route % routes.len()];
                let ports: Vec<PortId> = route.iter().map(|&port| self.ports[port]).collect();
                let id = self.fabric.begin(now, &ports, limit, f64::from(bytes));
                self.numbers.resize(self.numbers.len().max(id.at() + 1), None);
                self.numbers[id.at()] = Some(self.ids.len());
                self.ids.push(Some(id));
                self.routes.push(route.clone());
                self.bytes.push(f64::from(bytes));
                self.reference.start(now, route, limit, f64::from(bytes));
            }
            Change::Extend { which, bytes } => {
                if let Some(which) = pick(which) {
                    self.fabric.extend(now, self.ids[which].unwrap(), f64::from(bytes)).unwrap();
                    self.reference.extend(now, which, f64::from(bytes));
                    self.bytes[which] += f64::from(bytes);
                }
            }
            Change::Abort { which } => {
                if let Some(which) = pick(which) {
                    let rest = self.fabric.abort(now, self.ids[which].take().unwrap()).unwrap();
                    let left = self.reference.end(now, which);
                    approx::assert_relative_eq!(rest, left, max_relative = 1e-9, epsilon = 1e-3);
                    self.bytes[which] -= rest;
                }
            }
            Change::SetCapacity { port, rate } => {
                let port = port % self.ports.len();
                self.fabric.set_capacity(now, self.ports[port], rate).unwrap();
                self.reference.set_capacity(now, port, rate);
            }
        }
    }

    /// Pops transfers that have finished by now. The reference must agree on each end to a nanosecond and then ends its transfer at the
    /// same time, so that differences do not accumulate.
    fn drain(&mut self, now: SimTime) {
        while let Some(at) = self.fabric.next_finish().filter(|&at| at <= now) {
            let near = |expected: Option<SimTime>| expected.is_some_and(|expected| expected.ns().abs_diff(at.ns()) <= 1);
            assert!(near(self.reference.next_finish()), "{:?} expected, not {at:?}", self.reference.next_finish());
            while let Some(id) = self.fabric.pop_finished(at) {
                let number = self.numbers[id.at()].unwrap();
                assert!(near(self.reference.finish(number)), "{:?} expected, not {at:?}", self.reference.finish(number));
                self.reference.end(at, number);
                self.ids[number] = None;
            }
        }
    }
}

/// The groups with transfers, and their rates.
fn groups(shared: &Shared) -> Vec<(&Group, Fixed)> {
    let mut ids: Vec<_> = shared.ports.0.iter().flat_map(|port| port.groups.iter().copied()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(|id| (&shared.groups[id], shared.rate(id))).collect()
}

/// The certificate, to the last unit: a group is at its limit, or crosses a full port on which no transfer is faster. A port is full if
/// less than one unit is left for each of its fastest transfers.
fn check_rates(fabric: &Fabric) {
    let shared = &fabric.shared;
    let all = groups(shared);
    let on = |port: PortId| all.iter().filter(move |(group, _)| group.ports.contains(&port));
    for (index, port) in (0u32..).zip(&shared.ports.0) {
        let used: Fixed = on(PortId::of(index)).map(|(group, rate)| group.count() * rate).sum();
        let transfers: Fixed = on(PortId::of(index)).map(|(group, _)| group.count()).sum();
        assert!(used <= port.capacity && transfers == port.transfers);
        assert!(shared.sole.is_some() || used == port.used, "{used} of {}", port.used);
    }
    for (group, rate) in &all {
        assert!(*rate > 0 && *rate <= group.limit);
        let holds = |&&port: &&PortId| {
            let there = &shared.ports[port];
            let used: Fixed = on(port).map(|(group, rate)| group.count() * rate).sum();
            let slowest: Fixed = on(port).filter(|(_, other)| other == rate).map(|(group, _)| group.count()).sum();
            there.capacity - used < slowest && on(port).all(|(_, other)| other <= rate)
        };
        match group.bottleneck {
            Bottleneck::Unknown => panic!("no rate"),
            Bottleneck::Limit => assert_eq!(*rate, group.limit),
            Bottleneck::Port(port) => {
                assert!(group.ports.contains(&port) && shared.ports[port].level == *rate);
                assert!(group.ports.iter().find(holds).is_some() || *rate == group.limit, "{group:?} could be faster");
            }
        }
    }
}

/// Rates updated by changes equal those of a filling from scratch, up to the remainders of divisions.
fn check_against_scratch(fabric: &Fabric) {
    let mut scratch = fabric.shared.clone();
    let all = scratch.transfers;
    for index in 0..scratch.ports.0.len() {
        let id = PortId::of(u32::try_from(index).unwrap());
        scratch.ports[id].mark_changed(id, &mut scratch.changed);
    }
    // A former sole bottleneck forces all ports to be opened.
    scratch.sole = Some(PortId::default());
    scratch.refill(fabric.instant);
    for ((group, rate), (_, from_scratch)) in groups(&fabric.shared).iter().zip(groups(&scratch)) {
        assert!((rate - from_scratch).abs() <= all, "{group:?}: {rate}, from scratch {from_scratch}");
    }
}

fn rates_agree(telling: &mut Telling) {
    let ids: Vec<(usize, TransferId)> = telling.ids.iter().enumerate().filter_map(|(number, id)| Some((number, (*id)?))).collect();
    for (number, id) in ids {
        let expected = telling.reference.flows[number].as_ref().unwrap().rate;
        approx::assert_relative_eq!(telling.fabric.rates(&[id])[0], expected, max_relative = 1e-9);
    }
}

proptest! {
    /// Max-min fair at every instant, at the rates of the reference and of a filling from scratch; ends within a nanosecond of the
    /// reference's; all bytes arrive, and are counted on each port that they cross.
    #[test]
    fn rates_are_max_min_fair_after_any_changes(story in story()) {
        let mut telling = Telling::new(&story);
        let mut now = SimTime::ZERO;
        for (index, (gap, change)) in story.changes.iter().enumerate() {
            now += SimDuration::from_ns(*gap);
            if *gap > 0 {
                telling.drain(now);
            }
            telling.apply(now, change, &story.routes);
            if story.changes.get(index + 1).is_none_or(|next| next.0 > 0) {
                telling.fabric.next_finish();
                prop_assert!(telling.fabric.within_capacity() && telling.fabric.is_last_change_within_capacity());
                check_rates(&telling.fabric);
                check_against_scratch(&telling.fabric);
                rates_agree(&mut telling);
            }
        }
        telling.drain(SimTime::NEVER);
        for (index, &port) in telling.ports.iter().enumerate() {
            let sent: f64 = telling.bytes.iter().zip(&telling.routes).filter(|(_, route)| route.contains(&index)).map(|(bytes, _)| bytes).sum();
            approx::assert_relative_eq!(telling.fabric.carried_bytes(port), sent, max_relative = 1e-12);
            approx::assert_relative_eq!(telling.reference.carried[index], sent, max_relative = 1e-9);
        }
        prop_assert_eq!((telling.fabric.in_flight(), telling.fabric.shared.transfers), (0, 0));
        prop_assert!(telling.fabric.shared.ports.0.iter().all(|port| port.used == 0 || telling.fabric.shared.sole.is_some()));
        telling.fabric.next_finish();
        prop_assert!(telling.fabric.shared.ports.0.iter().all(|port| port.used == 0 && port.level == FREE));
    }

    /// A lone transfer follows `bytes / rate` in floating point to the bit, whatever moves on other ports.
    #[test]
    fn a_lone_transfer_keeps_its_closed_form(
        rates in (0.05e9..60e9, 0.05e9..60e9), limit in prop_oneof![Just(f64::INFINITY), 0.02e9..70e9],
        offers in proptest::collection::vec((0u64..50_000, 1.0..4e6), 1..30), crowd in 0usize..6,
    ) {
        let mut fabric = Fabric::default();
        let (a, b, c, d) = (fabric.port(rates.0), fabric.port(rates.1), fabric.port(1e9), fabric.port(2e9));
        for _ in 0..crowd {
            fabric.begin(SimTime::ZERO, &[c, d], f64::INFINITY, 1e7);
        }
        let rate = (rates.0 / 1e9).min(rates.1 / 1e9).min(limit / 1e9);
        let finish = |from: SimTime, remaining: f64| from + SimDuration::from_secs_f64(remaining / rate / 1e9).unwrap();
        let mut now = SimTime::ZERO;
        let (mut flight, mut carried) = (None, 0.0);
        for (gap, bytes) in offers {
            now += SimDuration::from_ns(gap);
            if let Some((id, updated, remaining)) = flight {
                let end = finish(updated, remaining);
                if end < now {
                    while let Some((at, popped)) = fabric.pop().filter(|_| fabric.in_flight() > 0) {
                        if popped == id {
                            prop_assert_eq!(at, end);
                            break;
                        }
                    }
                    let moved = (rate * end.since(updated).ns() as f64).min(remaining);
                    carried += moved;
                    carried += remaining - moved;
                    flight = None;
                }
            }
            flight = Some(match flight {
                None => (fabric.begin(now, &[a, b], limit, bytes), now, bytes),
                Some((id, updated, remaining)) => {
                    fabric.extend(now, id, bytes).unwrap();
                    let moved = (rate * now.since(updated).ns() as f64).min(remaining);
                    carried += moved;
                    (id, now, remaining - moved + bytes)
                }
            });
            prop_assert_eq!(fabric.carried_bytes(a).to_bits(), carried.to_bits());
        }
        prop_assert_eq!(fabric.carried_bytes(b).to_bits(), carried.to_bits());
    }
}
