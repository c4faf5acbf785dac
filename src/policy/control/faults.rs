//! Failures and planned restarts at given times.

use std::collections::BTreeMap;

use super::{Controller, FleetView, Life, Order};
use crate::sim::{SimDuration, SimTime};

/// A failure or planned restart of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Time since the start of the run.
    pub at: SimDuration,
    /// Position among all instances, in the order of the scenario's pools.
    pub instance: usize,
    /// Time from going down to power-on; `None`: it stays down.
    pub down: Option<SimDuration>,
    /// Time from power-on to the first request.
    pub start: SimDuration,
    /// True: it drains before it goes down. False: it fails at once.
    pub drain: bool,
}

/// Fails or drains instances at given times and starts them again. A failure of an instance that is down is ignored, and so is a drain of
/// one that is not active.
#[derive(Debug, Default)]
pub struct FaultSchedule {
    /// Faults to come, in reverse order of time.
    faults: Vec<Fault>,
    /// Faults that have been ordered, by instance, until the instance is down.
    ordered: BTreeMap<usize, Fault>,
    /// Faults of instances that are down, by time of power-on; ties in the order in which the instances went down.
    down: BTreeMap<(SimTime, u64), Fault>,
    /// Number of outages so far.
    outages: u64,
}

impl FaultSchedule {
    /// Faults in any order; of those at the same instant, the first given happens first.
    pub fn new(mut faults: Vec<Fault>) -> Self {
        faults.reverse();
        faults.sort_by_key(|fault| std::cmp::Reverse(fault.at));
        Self { faults, ..Self::default() }
    }
}

impl Controller for FaultSchedule {
    fn next(&self) -> Option<SimTime> {
        let fault = self.faults.last().map(|fault| SimTime::ZERO + fault.at);
        let start = self.down.first_key_value().map(|(&(at, _), _)| at);
        fault.into_iter().chain(start).min()
    }

    fn tick(&mut self, now: SimTime, fleet: &dyn FleetView, orders: &mut Vec<Order>) {
        while let Some(due) = self.down.first_entry().filter(|due| due.key().0 <= now) {
            let Fault { instance, start, .. } = due.remove();
            orders.push(Order::Start { instance, takes: start });
        }
        while let Some(fault) = self.faults.pop_if(|fault| SimTime::ZERO + fault.at <= now) {
            let life = fleet.life(fault.instance);
            if life == Life::Down || (fault.drain && life != Life::Active) {
                continue;
            }
            // A failure during a drain replaces the drain's restart by its own.
            self.ordered.insert(fault.instance, fault);
            orders.push(if fault.drain { Order::Drain(fault.instance) } else { Order::Fail(fault.instance) });
        }
    }

    fn changed(&mut self, now: SimTime, instance: usize, life: Life) {
        if life != Life::Down {
            return;
        }
        if let Some(fault) = self.ordered.remove(&instance) {
            self.down.extend(fault.down.map(|down| ((now + down, self.outages), fault)));
            self.outages += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Role;
    use super::*;
    use crate::policy::Signal;

    struct Fleet(Vec<Life>);

    impl FleetView for Fleet {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn life(&self, i: usize) -> Life {
            self.0[i]
        }
        fn role(&self, _: usize) -> Role {
            Role::Mixed
        }
        fn pool(&self, _: usize) -> u32 {
            0
        }
        fn read(&self, _: usize, _: Signal) -> f64 {
            0.0
        }
    }

    fn seconds(s: u64) -> SimDuration {
        SimDuration::from_ns(s * 1_000_000_000)
    }

    fn ask(schedule: &mut FaultSchedule, at: u64, fleet: &Fleet) -> Vec<Order> {
        let mut orders = Vec::new();
        schedule.tick(SimTime::ZERO + seconds(at), fleet, &mut orders);
        orders
    }

    #[test]
    fn an_instance_fails_and_restarts_and_a_failure_while_it_is_down_is_ignored() {
        let fault =
            |at, instance, down: Option<u64>, drain| Fault { at: seconds(at), instance, down: down.map(seconds), start: seconds(1), drain };
        let mut schedule = FaultSchedule::new(vec![
            fault(9, 1, None, false),
            fault(5, 0, Some(3), false),
            fault(6, 0, Some(99), false),
            fault(7, 1, Some(2), true),
        ]);
        let mut fleet = Fleet(vec![Life::Active; 2]);
        let next = |schedule: &FaultSchedule| schedule.next().map(|at| at.ns() / 1_000_000_000);
        assert_eq!(next(&schedule), Some(5));
        assert_eq!(ask(&mut schedule, 5, &fleet), [Order::Fail(0)]);
        fleet.0[0] = Life::Down;
        schedule.changed(SimTime::ZERO + seconds(5), 0, Life::Down);
        assert_eq!(next(&schedule), Some(6));
        assert_eq!(ask(&mut schedule, 6, &fleet), []);
        assert_eq!(next(&schedule), Some(7));
        assert_eq!(ask(&mut schedule, 7, &fleet), [Order::Drain(1)]);
        fleet.0[1] = Life::Draining;
        assert_eq!(next(&schedule), Some(8));
        assert_eq!(ask(&mut schedule, 8, &fleet), [Order::Start { instance: 0, takes: seconds(1) }]);
        // It fails for good while it drains: no restart.
        assert_eq!(ask(&mut schedule, 9, &fleet), [Order::Fail(1)]);
        schedule.changed(SimTime::ZERO + seconds(9), 1, Life::Down);
        assert_eq!(schedule.next(), None);
    }

    /// The same rules with plain lists and linear searches.
    #[derive(Debug)]
    struct Plain {
        faults: Vec<Fault>,
        ordered: Vec<Fault>,
        down: Vec<(SimTime, Fault)>,
    }

    impl Controller for Plain {
        fn next(&self) -> Option<SimTime> {
            let faults = self.faults.iter().map(|fault| SimTime::ZERO + fault.at);
            faults.chain(self.down.iter().map(|&(at, _)| at)).min()
        }

        fn tick(&mut self, now: SimTime, fleet: &dyn FleetView, orders: &mut Vec<Order>) {
            let due = |&(at, _): &(SimTime, Fault)| at <= now;
            orders.extend(self.down.iter().filter(|down| due(down)).map(|(_, f)| Order::Start { instance: f.instance, takes: f.start }));
            self.down.retain(|down| !due(down));
            for fault in self.faults.extract_if(.., |fault| SimTime::ZERO + fault.at <= now) {
                let life = fleet.life(fault.instance);
                if life != Life::Down && (!fault.drain || life == Life::Active) {
                    self.ordered.retain(|other| other.instance != fault.instance);
                    self.ordered.push(fault);
                    orders.push(if fault.drain { Order::Drain(fault.instance) } else { Order::Fail(fault.instance) });
                }
            }
        }

        fn changed(&mut self, now: SimTime, instance: usize, life: Life) {
            for fault in self.ordered.extract_if(.., |fault| life == Life::Down && fault.instance == instance) {
                self.down.extend(fault.down.map(|down| (now + down, fault)));
            }
        }
    }

    /// The orders over time, for four instances; instance `i` takes `i` seconds to drain.
    fn orders_of(mut schedule: impl Controller) -> Vec<(SimTime, Vec<Order>)> {
        let mut fleet = Fleet(vec![Life::Active; 4]);
        let mut drains: Vec<(SimTime, usize)> = Vec::new();
        let (mut all, mut now) = (Vec::new(), SimTime::ZERO);
        loop {
            let drained = drains.iter().copied().min();
            let asked = schedule.next().map(|at| at.max(now));
            if let Some((at, i)) = drained.filter(|&(at, _)| asked.is_none_or(|asked| at <= asked)) {
                now = at;
                drains.retain(|&(_, other)| other != i);
                fleet.0[i] = Life::Down;
                schedule.changed(now, i, Life::Down);
                continue;
            }
            let Some(at) = asked else { return all };
            now = at;
            let mut orders = Vec::new();
            schedule.tick(now, &fleet, &mut orders);
            for &order in &orders {
                let (i, life) = match order {
                    Order::Fail(i) if fleet.0[i] != Life::Down => (i, Life::Down),
                    Order::Drain(i) if fleet.0[i] == Life::Active => (i, Life::Draining),
                    Order::Start { instance, .. } if fleet.0[instance] == Life::Down => (instance, Life::Active),
                    _ => continue,
                };
                drains.retain(|&(_, other)| other != i);
                if life == Life::Draining {
                    drains.push((now + seconds(i as u64), i));
                }
                fleet.0[i] = life;
                schedule.changed(now, i, life);
            }
            all.push((now, orders));
        }
    }

    proptest! {
        #[test]
        fn orders_agree_with_plain_lists(
            drawn in prop::collection::vec((0_u64..12, 0_usize..4, prop::option::of(0_u64..6), 0_u64..2, any::<bool>()), 0..24),
        ) {
            let fault = |&(at, instance, down, start, drain): &(u64, usize, Option<u64>, u64, bool)| {
                Fault { at: seconds(at), instance, down: down.map(seconds), start: seconds(start), drain }
            };
            let faults: Vec<Fault> = drawn.iter().map(fault).collect();
            let plain = Plain { faults: { let mut sorted = faults.clone(); sorted.sort_by_key(|f| f.at); sorted }, ordered: Vec::new(), down: Vec::new() };
            prop_assert_eq!(orders_of(FaultSchedule::new(faults)), orders_of(plain));
        }
    }
}
