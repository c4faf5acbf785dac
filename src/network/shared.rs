//! Transfers that share ports: starts, ends, positions. Rates are computed in `fill.rs`.

use std::ops::{Index, IndexMut};
use std::sync::Arc;

use super::error::NetworkError;
use super::fill::Filling;
use super::fixed::{Clock, FREE, Fixed};
use super::group::{Bottleneck, Group, GroupId, Port, TransferId};
use super::heap::{Places, Queue};
use super::route::{PortId, RouteId, Routes};
use crate::sim::SimTime;

/// A transfer that shares ports: its group, and the group's positions before its first and after its last byte.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) group: GroupId,
    pub(super) start: Fixed,
    pub(super) end: Fixed,
}

/// Groups by index.
#[derive(Debug, Clone, Default)]
pub(super) struct Groups {
    all: Vec<Group>,
    vacant: Vec<GroupId>,
}

impl Index<GroupId> for Groups {
    type Output = Group;
    fn index(&self, id: GroupId) -> &Group {
        &self.all[id.at()]
    }
}

impl IndexMut<GroupId> for Groups {
    fn index_mut(&mut self, id: GroupId) -> &mut Group {
        &mut self.all[id.at()]
    }
}

/// Ports by index.
#[derive(Debug, Clone, Default)]
pub(super) struct Ports(pub(super) Vec<Port>);

impl Index<PortId> for Ports {
    type Output = Port;
    fn index(&self, id: PortId) -> &Port {
        &self.0[id.at()]
    }
}

impl IndexMut<PortId> for Ports {
    fn index_mut(&mut self, id: PortId) -> &mut Port {
        &mut self.0[id.at()]
    }
}

/// Ports and the groups of transfers that share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared {
    pub(super) ports: Ports,
    pub(super) routes: Routes,
    pub(super) groups: Groups,
    /// Number of transfers.
    pub(super) transfers: Fixed,
    /// Positions of transfers in their groups.
    transfer_places: Places,
    /// Positions of groups at their bottlenecks.
    head_places: Places,
    /// By port: finish of the first transfer whose bottleneck it is.
    port_finishes: Queue<SimTime>,
    /// By group at its limit: finish of its first transfer.
    group_finishes: Queue<SimTime>,
    /// By port with transfers: an equal share of its capacity.
    pub(super) offers: Queue<Fixed>,
    /// By group: its limit, if finite.
    pub(super) limits: Queue<Fixed>,
    /// Ports that have changed since rates were last computed.
    pub(super) changed: Vec<PortId>,
    /// Groups added since then.
    pub(super) fresh: Vec<GroupId>,
    /// The port that is the bottleneck of all groups, if any; meanwhile `used` and other levels are not kept up to date.
    pub(super) sole: Option<PortId>,
    pub(super) filling: Filling,
    /// Ports, groups and transfers visited so far.
    pub(super) work: u64,
}

impl Shared {
    /// Adds a transfer to its group, which is created for its first transfer.
    pub(super) fn join(&mut self, id: TransferId, route: RouteId, limit: Fixed, bytes: Fixed, now: SimTime) -> Result<Share, NetworkError> {
        let known = self.routes[route].groups.iter().copied().find(|&group| self.groups[group].limit == limit);
        let group = match known {
            Some(group) => group,
            None => self.add_group(route, limit)?,
        };
        let start = self.position(group, now);
        let share = Share { group, start, end: start + bytes };
        self.groups[group].transfers.set(&mut self.transfer_places, id.0, share.end);
        self.count(group, 1, 0);
        self.head_changed(group);
        Ok(share)
    }

    /// Removes a transfer, finished or not. Returns the bytes moved.
    pub(super) fn leave(&mut self, id: TransferId, share: Share, now: SimTime) -> Fixed {
        let group = share.group;
        let moved = self.moved(share, now);
        self.groups[group].transfers.remove(&mut self.transfer_places, id.0);
        self.count(group, -1, moved);
        if self.groups[group].transfers.is_empty() {
            self.remove_group(group, now);
        } else {
            self.head_changed(group);
        }
        moved
    }

    /// Adds bytes to a transfer. Changes its finish, but no rate.
    pub(super) fn extend(&mut self, id: TransferId, share: &mut Share, bytes: Fixed) {
        share.end += bytes;
        self.groups[share.group].transfers.set(&mut self.transfer_places, id.0, share.end);
        self.head_changed(share.group);
        self.work += 1;
    }

    /// Bytes that a transfer has moved.
    pub(super) fn moved(&self, share: Share, now: SimTime) -> Fixed {
        self.position(share.group, now).min(share.end) - share.start
    }

    /// Transfers that cross a port, in no particular order.
    pub(super) fn crossing(&self, port: PortId) -> impl Iterator<Item = TransferId> {
        self.ports[port].groups.iter().flat_map(|&group| self.groups[group].transfers.ids()).map(TransferId)
    }

    /// Time of the next finish at the present rates.
    pub(super) fn earliest(&self) -> Option<SimTime> {
        let first = |finishes: &Queue<SimTime>| finishes.first().map(|(at, _)| at);
        first(&self.port_finishes).into_iter().chain(first(&self.group_finishes)).min()
    }

    /// A transfer that has moved its last byte, if any.
    pub(super) fn finished(&self, now: SimTime) -> Option<TransferId> {
        let due = |finishes: &Queue<SimTime>| finishes.first().filter(|(at, _)| *at <= now).map(|(_, index)| index);
        let at_port = || self.ports.0[due(&self.port_finishes)? as usize].heads.first().map(|(_, group)| group);
        let group = due(&self.group_finishes).or_else(at_port)?;
        self.groups[GroupId(group)].transfers.first().map(|(_, id)| TransferId(id))
    }

    /// Changes the capacity of a port.
    pub(super) fn set_capacity(&mut self, id: PortId, capacity: Fixed) {
        self.ports[id].capacity = capacity;
        if self.ports[id].transfers > 0 {
            self.ports[id].mark_changed(id, &mut self.changed);
        }
    }

    /// The present rate of a group.
    pub(super) fn rate(&self, id: GroupId) -> Fixed {
        match self.groups[id].bottleneck {
            Bottleneck::Unknown => 0,
            Bottleneck::Limit => self.groups[id].limit,
            Bottleneck::Port(port) => self.ports[port].level,
        }
    }

    /// True if rates must be computed before the clock advances.
    pub(super) const fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// True if the rates on a port add up to at most its capacity. Skips a port that has changed at this instant: its rates are pending.
    pub(super) fn is_within_capacity(&self, port: &Port) -> bool {
        port.changed || port.groups.iter().map(|&id| self.groups[id].count() * self.rate(id)).sum::<Fixed>() <= port.capacity
    }

    /// Changes the bottleneck of a group.
    pub(super) fn set_bottleneck(&mut self, id: GroupId, bottleneck: Bottleneck, now: SimTime) {
        self.work += 1;
        let position = self.position(id, now);
        self.leave_bottleneck(id, now);
        let group = &mut self.groups[id];
        group.bottleneck = bottleneck;
        match bottleneck {
            Bottleneck::Unknown => group.clock = Clock::new(position, now, 0),
            Bottleneck::Limit => group.clock = Clock::new(position, now, group.limit),
            Bottleneck::Port(port) => group.offset = self.ports[port].offset(position, now),
        }
        self.head_changed(id);
    }

    /// Changes the rate of the transfers whose bottleneck a port is.
    pub(super) fn set_level(&mut self, port: PortId, level: Fixed, now: SimTime) {
        self.ports[port].set_level(level, now);
        self.port_finishes.set(port.index(), self.ports[port].finishes());
    }

    /// Bytes that a transfer of a group would have moved since the group began.
    fn position(&self, id: GroupId, now: SimTime) -> Fixed {
        let group = &self.groups[id];
        match group.bottleneck {
            Bottleneck::Port(port) => self.ports[port].clock.at(now) + group.offset,
            Bottleneck::Unknown | Bottleneck::Limit => group.clock.at(now),
        }
    }

    /// Updates the finish of a group whose first transfer, or its position, may have changed.
    fn head_changed(&mut self, id: GroupId) {
        let group = &self.groups[id];
        let Some((head, _)) = group.transfers.first() else { return };
        match group.bottleneck {
            Bottleneck::Unknown => {}
            Bottleneck::Limit => self.group_finishes.set(id.0, Some(group.clock.reaches(head))),
            Bottleneck::Port(port) => {
                let there = &mut self.ports[port];
                there.heads.set(&mut self.head_places, id.0, head - group.offset);
                self.port_finishes.set(port.index(), there.finishes());
            }
        }
    }

    fn leave_bottleneck(&mut self, id: GroupId, now: SimTime) {
        match self.groups[id].bottleneck {
            Bottleneck::Unknown => {}
            Bottleneck::Limit => self.group_finishes.set(id.0, None),
            Bottleneck::Port(port) => {
                self.ports[port].remove_head(&mut self.head_places, id, now);
                self.port_finishes.set(port.index(), self.ports[port].finishes());
            }
        }
    }

    /// Changes the number of transfers on the ports of a group, and adds to the bytes carried there.
    fn count(&mut self, id: GroupId, by: Fixed, moved: Fixed) {
        let more = by * self.rate(id);
        self.transfers += by;
        self.work += 1;
        for &port in self.groups[id].ports.iter() {
            let there = &mut self.ports[port];
            there.transfers += by;
            there.carried += moved;
            // Not kept up to date while there is a sole bottleneck, except on empty ports.
            there.used = if there.transfers == 0 { 0 } else { there.used + more };
            there.mark_changed(port, &mut self.changed);
        }
    }

    /// Adds a group for a route and a limit.
    fn add_group(&mut self, route: RouteId, limit: Fixed) -> Result<GroupId, NetworkError> {
        let ports = &self.routes[route].ports;
        let id = if let Some(id) = self.groups.vacant.pop() {
            // Buffers are reused: no allocation in the steady state.
            let group = &mut self.groups[id];
            group.ports.clone_from(ports);
            (group.route, group.limit, group.clock) = (route, limit, Clock::default());
            group.places.resize(ports.len(), 0);
            id
        } else {
            let id = GroupId(u32::try_from(self.groups.all.len()).map_err(|_| NetworkError::TooMany)?);
            self.groups.all.push(Group::new(route, Arc::clone(ports), limit));
            id
        };
        let group = &mut self.groups[id];
        for (place, &port) in group.places.iter_mut().zip(group.ports.iter()) {
            let there = &mut self.ports[port].groups;
            *place = there.len();
            there.push(id);
        }
        if limit != FREE {
            self.limits.set(id.0, Some(limit));
        }
        self.routes[route].groups.push(id);
        self.fresh.push(id);
        Ok(id)
    }

    /// Removes an empty group.
    fn remove_group(&mut self, id: GroupId, now: SimTime) {
        self.leave_bottleneck(id, now);
        let group = &mut self.groups[id];
        group.bottleneck = Bottleneck::Unknown;
        let (route, ports) = (group.route, Arc::clone(&group.ports));
        for (position, &port) in ports.iter().enumerate() {
            let place = self.groups[id].places[position];
            let there = &mut self.ports[port].groups;
            there.swap_remove(place);
            if let Some(&moved) = there.get(place) {
                let moved = &mut self.groups[moved];
                if let Some(at) = moved.ports.iter().position(|&other| other == port) {
                    moved.places[at] = place;
                }
            }
        }
        self.limits.set(id.0, None);
        self.routes[route].groups.retain(|&other| other != id);
        self.groups.vacant.push(id);
    }
}
