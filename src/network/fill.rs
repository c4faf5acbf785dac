//! Rates: progressive filling of as few ports as a change affects.

use std::collections::BinaryHeap;

use super::fixed::{FREE, Fixed};
use super::group::{Bottleneck, GroupId};
use super::route::PortId;
use super::shared::Shared;
use crate::sim::SimTime;

/// Rounds before all connected ports are opened. Bounds the work of a change that spreads far.
const NARROW_ROUNDS: u32 = 3;

/// A constraint that settles groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Limiter {
    /// Limit of the group, or level of a closed port on its route.
    Group(GroupId),
    /// Open port.
    Port(PortId),
}

/// A rate at which a limiter would settle its unsettled transfers. The greatest offer is the lowest rate; ties go to the first limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Offer(Fixed, Limiter);

impl Ord for Offer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.0, other.1).cmp(&(self.0, self.1))
    }
}

impl PartialOrd for Offer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Scratch space, and what is kept of the last filling.
#[derive(Debug, Clone, Default)]
pub(super) struct Filling {
    /// Ports being filled; afterwards, the ports that were filled last.
    pub(super) open: Vec<PortId>,
    /// Groups that cross open ports.
    touched: Vec<GroupId>,
    offers: BinaryHeap<Offer>,
    /// Closed ports on which a rate changes.
    neighbours: Vec<PortId>,
    /// Ports to open next.
    wanted: Vec<PortId>,
    /// True if the last changes spread far: all connected ports are opened in the first round.
    wide: bool,
}

impl Shared {
    /// Brings rates up to date with all changes up to `now`.
    pub(super) fn refill(&mut self, now: SimTime) {
        if !self.has_changed() {
            return;
        }
        for &id in &self.changed {
            let port = &self.ports[id];
            self.offers.set(id.index(), (port.transfers > 0).then(|| port.capacity / port.transfers));
        }
        self.work += self.changed.len() as u64;
        self.filling.open.clear();
        if let Some((level, port)) = self.sole_bottleneck() {
            self.fill_one(port, level, now);
        } else {
            self.open_changed();
            self.fill(now);
        }
        for id in self.changed.drain(..) {
            self.ports[id].changed = false;
        }
        self.fresh.clear();
    }

    /// The port with the least equal share, if all transfers cross it and no limit is lower: then the first step of the filling is the
    /// last.
    fn sole_bottleneck(&self) -> Option<(Fixed, PortId)> {
        let (level, index) = self.offers.first()?;
        let port = PortId::of(index);
        let lowest_limit = self.limits.first().map_or(FREE, |(limit, _)| limit);
        (self.ports[port].transfers == self.transfers && level <= lowest_limit).then_some((level, port))
    }

    /// Makes one port the bottleneck of all groups.
    fn fill_one(&mut self, id: PortId, level: Fixed, now: SimTime) {
        let mut joining = std::mem::take(&mut self.filling.touched);
        joining.clear();
        if self.sole == Some(id) {
            joining.extend(&self.fresh);
        } else {
            joining.extend(&self.ports[id].groups);
        }
        for &group in &joining {
            // A new group may be listed twice, or be empty again.
            if self.groups[group].bottleneck != Bottleneck::Port(id) && !self.groups[group].transfers.is_empty() {
                self.set_bottleneck(group, Bottleneck::Port(id), now);
            }
        }
        self.filling.touched = joining;
        if self.sole != Some(id) {
            self.sole = Some(id);
            self.collect_active();
            for &port in &self.filling.wanted {
                self.ports[port].set_level(FREE, now);
            }
        }
        self.set_level(id, level, now);
        self.filling.open.push(id);
    }

    /// Opens the ports where the filling starts: of the changed ports those that are full or overbooked, and one port of each new group.
    fn open_changed(&mut self) {
        self.filling.touched.clear();
        if self.sole.take().is_some() {
            // `used` has not been kept up to date.
            self.collect_active();
            self.open_wanted();
            return;
        }
        for index in 0..self.changed.len() {
            let id = self.changed[index];
            let port = &self.ports[id];
            if port.is_full() || port.used > port.capacity {
                self.open(id);
            }
        }
        for index in 0..self.fresh.len() {
            let id = self.fresh[index];
            let group = &self.groups[id];
            if group.bottleneck != Bottleneck::Unknown || group.touched || group.transfers.is_empty() {
                continue;
            }
            let least = group.ports.iter().filter_map(|&port| Some((self.offers.key(port.index())?, port))).min();
            if let Some((_, port)) = least {
                self.open(port);
            }
        }
    }

    /// Collects all ports with transfers, and those that have just lost their last one.
    fn collect_active(&mut self) {
        let wanted = &mut self.filling.wanted;
        wanted.clear();
        wanted.extend(self.offers.ids().map(PortId::of).chain(self.changed.iter().copied()));
        self.work += wanted.len() as u64;
    }

    fn open_wanted(&mut self) {
        for index in 0..self.filling.wanted.len() {
            self.open(self.filling.wanted[index]);
        }
    }

    /// Fills the open ports, and opens more until the closed ones agree.
    fn fill(&mut self, now: SimTime) {
        if self.filling.wide {
            self.open_connected();
        }
        let mut rounds = 1;
        while !(self.fill_open() || self.neighbours_agree()) {
            self.open_wanted();
            rounds += 1;
            if rounds > NARROW_ROUNDS {
                self.open_connected();
            }
        }
        let open = &self.filling.open;
        let changed = open.iter().filter(|&&id| self.ports[id].next_level != self.ports[id].level).count();
        self.filling.wide = if self.filling.wide { 4 * changed > open.len() } else { rounds >= NARROW_ROUNDS };
        self.commit(now);
    }

    /// Opens a port.
    fn open(&mut self, id: PortId) {
        if std::mem::replace(&mut self.ports[id].open, true) {
            return;
        }
        self.filling.open.push(id);
        for &group in &self.ports[id].groups {
            if !std::mem::replace(&mut self.groups[group].touched, true) {
                self.filling.touched.push(group);
            }
        }
    }

    /// Opens all ports that are connected to open ones.
    fn open_connected(&mut self) {
        let mut next = 0;
        while let Some(&id) = self.filling.touched.get(next) {
            for position in 0..self.groups[id].ports.len() {
                self.open(self.groups[id].ports[position]);
            }
            next += 1;
        }
    }

    /// Progressive filling of the open ports, where the level of a full closed port is a limit of all groups that cross it. True if touched
    /// groups cross open ports only.
    fn fill_open(&mut self) -> bool {
        let mut all_open = true;
        for id in self.filling.neighbours.drain(..) {
            self.ports[id].extra = 0;
        }
        self.filling.offers.clear();
        for &id in &self.filling.open {
            let port = &mut self.ports[id];
            (port.left, port.unsettled, port.next_level) = (port.capacity, port.transfers, FREE);
            if port.transfers > 0 {
                self.filling.offers.push(Offer(port.capacity / port.transfers, Limiter::Port(id)));
            }
        }
        for &id in &self.filling.touched {
            let group = &mut self.groups[id];
            group.settled = false;
            group.next = (group.limit, Bottleneck::Limit);
            let mut narrowest = FREE;
            for &port in group.ports.iter() {
                let there = &self.ports[port];
                all_open &= there.open;
                if there.open {
                    narrowest = narrowest.min(there.capacity);
                } else if there.level < group.next.0 {
                    group.next = (there.level, Bottleneck::Port(port));
                }
            }
            if group.next.0 < narrowest {
                self.filling.offers.push(Offer(group.next.0, Limiter::Group(id)));
            }
        }
        self.work += (self.filling.open.len() + self.filling.touched.len()) as u64;
        while let Some(Offer(rate, limiter)) = self.filling.offers.pop() {
            match limiter {
                Limiter::Group(id) => self.settle(id, self.groups[id].next),
                Limiter::Port(id) => self.settle_port(id, rate),
            }
        }
        all_open
    }

    /// Settles the unsettled groups of a port, unless its offer is out of date.
    fn settle_port(&mut self, id: PortId, rate: Fixed) {
        let port = &mut self.ports[id];
        if port.unsettled == 0 {
            return;
        }
        // Offers only grow while lower ones are settled: an outdated offer is a lower bound, and may stay in the heap until it is the
        // least.
        let offer = port.left / port.unsettled;
        if offer != rate {
            self.filling.offers.push(Offer(offer, Limiter::Port(id)));
            return;
        }
        port.next_level = rate;
        for index in 0..self.ports[id].groups.len() {
            self.settle(self.ports[id].groups[index], (rate, Bottleneck::Port(id)));
        }
    }

    /// Settles a group, unless it is settled, and takes its rate off its open ports.
    fn settle(&mut self, id: GroupId, next: (Fixed, Bottleneck)) {
        let group = &mut self.groups[id];
        if std::mem::replace(&mut group.settled, true) {
            return;
        }
        group.next = next;
        let count = group.count();
        for &port in group.ports.iter() {
            let there = &mut self.ports[port];
            if there.open {
                there.left -= count * next.0;
                there.unsettled -= count;
            }
        }
    }

    /// True if the new rates are max-min fair at the closed ports too: no rate changes on a full one, and no other is overbooked. Ports
    /// that fail this are `wanted`.
    fn neighbours_agree(&mut self) -> bool {
        self.filling.wanted.clear();
        for &id in &self.filling.touched {
            let group = &self.groups[id];
            let more = group.next.0 - self.rate(id);
            if more == 0 {
                continue;
            }
            let more = more * group.count();
            for &port in group.ports.iter() {
                let there = &mut self.ports[port];
                if there.open {
                    continue;
                }
                if there.extra == 0 {
                    self.filling.neighbours.push(port);
                }
                there.extra += more;
                if there.is_full() {
                    self.filling.wanted.push(port);
                }
            }
        }
        for &id in &self.filling.neighbours {
            let port = &self.ports[id];
            if port.used + port.extra > port.capacity {
                self.filling.wanted.push(id);
            }
        }
        self.filling.wanted.is_empty()
    }

    /// Puts the new rates into effect.
    fn commit(&mut self, now: SimTime) {
        for index in 0..self.filling.touched.len() {
            let id = self.filling.touched[index];
            let group = &mut self.groups[id];
            group.touched = false;
            if group.bottleneck != group.next.1 {
                let bottleneck = group.next.1;
                self.set_bottleneck(id, bottleneck, now);
            }
        }
        for id in self.filling.neighbours.drain(..) {
            let port = &mut self.ports[id];
            port.used += std::mem::take(&mut port.extra);
        }
        for index in 0..self.filling.open.len() {
            let id = self.filling.open[index];
            let port = &mut self.ports[id];
            port.open = false;
            port.used = port.capacity - port.left;
            let level = port.next_level;
            self.set_level(id, level, now);
        }
    }
}
