//! Failures and planned restarts at given times.

use super::{Controller, FleetView, Life, Order};
use crate::sim::{SimDuration, SimTime};

/// One instance goes down, and comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Since the start of the run.
    pub at: SimDuration,
    /// Position among all instances, in the order of the scenario's pools.
    pub instance: usize,
    /// From when it is off until it is powered on; `None`: for good.
    pub down: Option<SimDuration>,
    /// From power on to the first request.
    pub start: SimDuration,
    /// True: it finishes the requests it has before it goes down.
    pub drain: bool,
}

/// Fails, or drains, instances at given times and starts them again. What is to happen to an instance that is not active, as a second
/// failure while it is down, does not happen.
#[derive(Debug, Default)]
pub struct FaultSchedule {
    /// Still to come, the last first.
    faults: Vec<Fault>,
    /// Those that have been ordered, and are not down yet.
    ordered: Vec<Fault>,
    /// Those that are down, and when they are powered on.
    down: Vec<(SimTime, Fault)>,
}

impl FaultSchedule {
    /// The faults in any order; of those of one instant, the first given is the first to happen.
    pub fn new(mut faults: Vec<Fault>) -> Self {
        faults.reverse();
        faults.sort_by_key(|fault| std::cmp::Reverse(fault.at));
        Self { faults, ..Self::default() }
    }
}

impl Controller for FaultSchedule {
    fn next(&self) -> Option<SimTime> {
        let fault = self.faults.last().map(|fault| SimTime::ZERO + fault.at);
        self.down.iter().map(|&(at, _)| at).chain(fault).min()
    }

    fn tick(&mut self, now: SimTime, fleet: &dyn FleetView, orders: &mut Vec<Order>) {
        self.down.retain(|&(at, Fault { instance, start, .. })| {
            if at <= now {
                orders.push(Order::Start { instance, takes: start });
            }
            at > now
        });
        while let Some(fault) = self.faults.pop_if(|fault| SimTime::ZERO + fault.at <= now) {
            let life = fleet.life(fault.instance);
            if life == Life::Down || (fault.drain && life != Life::Active) {
                continue;
            }
            // One that fails while it drains comes back as the failure says.
            self.ordered.retain(|other| other.instance != fault.instance);
            self.ordered.push(fault);
            orders.push(if fault.drain { Order::Drain(fault.instance) } else { Order::Fail(fault.instance) });
        }
    }

    fn changed(&mut self, now: SimTime, instance: usize, life: Life) {
        if life != Life::Down {
            return;
        }
        if let Some(place) = self.ordered.iter().position(|fault| fault.instance == instance) {
            let fault = self.ordered.swap_remove(place);
            self.down.extend(fault.down.map(|down| (now + down, fault)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Role;
    use super::*;

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
        fn in_flight(&self, _: usize) -> u64 {
            0
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
    fn an_instance_fails_comes_back_and_a_second_failure_while_it_is_down_is_none() {
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
        // It fails for good while it drains: it does not come back.
        assert_eq!(ask(&mut schedule, 9, &fleet), [Order::Fail(1)]);
        schedule.changed(SimTime::ZERO + seconds(9), 1, Life::Down);
        assert_eq!(schedule.next(), None);
    }
}
