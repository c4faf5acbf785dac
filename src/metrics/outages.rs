//! Outages: availability of instances, and the requests affected.

use std::collections::BTreeSet;

use super::parameters::PoolParameters;
use super::summary::{FleetSummary, PoolOutages};
use crate::cluster::{InstanceId, PoolId, RequestRecord};
use crate::policy::Life;
use crate::sim::{SimDuration, SimTime};

/// Record of one pool.
#[derive(Debug, Clone, Default)]
struct PoolRecord {
    /// Times an instance went down.
    outages: u64,
    down_ns: u128,
    /// Changes of the number of serving instances: up or down by one.
    changes: Vec<(SimTime, bool)>,
}

/// The record of outages. Empty, and free of cost, if every instance serves all the time.
#[derive(Debug, Default)]
pub(super) struct Outages {
    pools: Vec<PoolRecord>,
    /// Instances not serving.
    absent: BTreeSet<InstanceId>,
    hit: u64,
    /// Completed requests among them, and their time lost to failures, ns.
    completed: u64,
    recovery_ns: u128,
}

impl Outages {
    fn pool(&mut self, pool: PoolId) -> &mut PoolRecord {
        let index = usize::from(pool.0);
        if self.pools.len() <= index {
            self.pools.resize(index + 1, PoolRecord::default());
        }
        &mut self.pools[index]
    }

    /// Records the lifecycle state of an instance from `at` on; `measured`: after the warm-up.
    pub(super) fn life(&mut self, at: SimTime, pool: PoolId, instance: InstanceId, life: Life, measured: bool) {
        let serves = matches!(life, Life::Active | Life::Draining);
        let changes = if serves { self.absent.remove(&instance) } else { self.absent.insert(instance) };
        if changes {
            self.pool(pool).changes.push((at, serves));
        }
        self.pool(pool).outages += u64::from(measured && life == Life::Down);
    }

    /// Records the time an instance was off after the warm-up.
    pub(super) fn down(&mut self, pool: PoolId, ns: u64) {
        self.pool(pool).down_ns += u128::from(ns);
    }

    /// Records a measured request that has left.
    pub(super) fn ended(&mut self, record: &RequestRecord, completed: bool) {
        if record.failures > 0 {
            self.hit += 1;
            self.completed += u64::from(completed);
            self.recovery_ns += if completed { u128::from(record.recovery().ns()) } else { 0 };
        }
    }

    /// Time that instances of a pool were off, ns.
    pub(super) fn down_ns(&self, pool: usize) -> u128 {
        self.pools.get(pool).map_or(0, |record| record.down_ns)
    }

    /// Instances · ns not serving, in each span of `width` from `from` to `end`.
    fn absent_ns(&self, pool: usize, from: SimTime, end: SimTime, width: SimDuration) -> Vec<u128> {
        let width = width.ns().max(1);
        let spans = end.since(from).ns().div_ceil(width).max(1);
        let mut absent: Vec<u128> = (0..spans).map(|_| 0).collect();
        let changes = self.pools.get(pool).map_or(&[][..], |record| &record.changes[..]);
        let (mut since, mut count) = (from, 0u128);
        let mut add = |since: SimTime, until: SimTime, count: u128| {
            let (mut at, until) = (since.since(from).ns(), until.since(from).ns());
            while count > 0 && at < until {
                let span = at / width;
                let next = until.min((span + 1) * width);
                if let Some(sum) = usize::try_from(span).ok().and_then(|span| absent.get_mut(span)) {
                    *sum += count * u128::from(next - at);
                }
                at = next;
            }
        };
        for &(at, serves) in changes {
            let at = at.max(from).min(end);
            add(since, at, count);
            since = at;
            count = if serves { count.saturating_sub(1) } else { count + 1 };
        }
        add(since, end, count);
        absent
    }

    /// Mean number of serving instances in each interval of a timeline; `end` truncates the last one.
    pub(super) fn serving(&self, pool: usize, instances: u32, end: SimTime, interval_ns: u64) -> Vec<f64> {
        let absent = self.absent_ns(pool, SimTime::ZERO, end, SimDuration::from_ns(interval_ns));
        let width = |i: usize| end.ns().saturating_sub(i as u64 * interval_ns).clamp(1, interval_ns) as f64;
        absent.iter().enumerate().map(|(i, &ns)| f64::from(instances) - ns as f64 / width(i)).collect()
    }

    /// The summary; `None` if every instance served all the time.
    pub(super) fn summary(&self, pools: &[PoolParameters], from: SimTime, end: SimTime) -> Option<FleetSummary> {
        if self.pools.is_empty() {
            return None;
        }
        let measured_ns = end.since(from).ns();
        let of_pool = |(index, pool): (usize, &PoolParameters)| {
            let absent: u128 = self.absent_ns(index, from, end, SimDuration::from_ns(measured_ns)).iter().sum();
            let provided = u128::from(measured_ns) * u128::from(pool.instances);
            PoolOutages {
                name: pool.name.clone(),
                outages: self.pools.get(index).map_or(0, |record| record.outages),
                down_s: self.down_ns(index) as f64 * 1e-9,
                availability: if provided > 0 { 1.0 - absent as f64 / provided as f64 } else { 1.0 },
            }
        };
        let pools: Vec<PoolOutages> = pools.iter().enumerate().map(of_pool).collect();
        Some(FleetSummary {
            outages: pools.iter().map(|pool| pool.outages).sum(),
            down_s: pools.iter().map(|pool| pool.down_s).sum(),
            hit_requests: self.hit,
            recovery_ms_mean: (self.completed > 0).then(|| self.recovery_ns as f64 / self.completed as f64 * 1e-6),
            pools,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_instances_are_counted_by_interval() {
        let (pool, at) = (PoolId(0), SimTime::from_ns);
        let mut outages = Outages::default();
        outages.life(at(15), pool, InstanceId(3), Life::Draining, true);
        outages.life(at(25), pool, InstanceId(3), Life::Down, true);
        outages.life(at(32), pool, InstanceId(4), Life::Down, true);
        outages.life(at(40), pool, InstanceId(3), Life::Starting, true);
        outages.life(at(45), pool, InstanceId(3), Life::Active, true);
        // One absent from 25 on, two from 32 to 45, one until the end at 58.
        assert_eq!(outages.serving(0, 5, at(58), 10), [5.0, 5.0, 4.5, 5.0 - 1.8, 5.0 - 1.5, 4.0]);
        assert_eq!(outages.absent_ns(0, at(30), at(58), SimDuration::from_ns(100)), [28 + 13]);
        assert_eq!(outages.pools[0].outages, 2);
    }
}
