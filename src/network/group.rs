//! Groups of transfers with equal route and limit, and the ports that they cross.

use std::sync::Arc;

use super::fixed::{Clock, FREE, Fixed};
use super::heap::{Heap, Places};
use super::route::{PortId, RouteId};
use crate::sim::SimTime;

/// Index of a transfer in flight; reused once the transfer has been popped or aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransferId(pub(super) u32);

impl TransferId {
    /// The index from zero. The index freed last is reused first.
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// Index of a group; reused once it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupId(pub(super) u32);

impl GroupId {
    pub(super) const fn at(self) -> usize {
        self.0 as usize
    }
}

/// The constraint on the rate of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bottleneck {
    /// Not computed yet: the group is new at this instant.
    Unknown,
    /// The limit of its transfers.
    Limit,
    /// A full port on which no transfer is faster.
    Port(PortId),
}

/// Transfers with the same route and limit, hence the same rate: one clock serves all of them.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) route: RouteId,
    pub(super) ports: Arc<[PortId]>,
    /// Its places in the lists of its ports, in the order of `ports`.
    pub(super) places: Vec<usize>,
    pub(super) limit: Fixed,
    pub(super) bottleneck: Bottleneck,
    /// Bytes that one of its transfers has moved since the group began; unused while the bottleneck is a port, whose clock then counts.
    pub(super) clock: Clock,
    /// The group's position less that of its bottleneck's clock.
    pub(super) offset: Fixed,
    /// Transfers by the position after their last byte.
    pub(super) transfers: Heap<Fixed>,
    /// Scratch of the filling.
    pub(super) touched: bool,
    pub(super) settled: bool,
    pub(super) next: (Fixed, Bottleneck),
}

impl Group {
    pub(super) fn new(route: RouteId, ports: Arc<[PortId]>, limit: Fixed) -> Self {
        Self {
            route,
            places: vec![0; ports.len()],
            ports,
            limit,
            bottleneck: Bottleneck::Unknown,
            clock: Clock::default(),
            offset: 0,
            transfers: Heap::default(),
            touched: false,
            settled: false,
            next: (0, Bottleneck::Unknown),
        }
    }

    /// Number of transfers.
    pub(super) fn count(&self) -> Fixed {
        self.transfers.len() as Fixed
    }
}

/// A port and the groups that cross it. All transfers whose bottleneck it is have one rate, hence one clock, whatever their groups.
#[derive(Debug, Clone)]
pub(super) struct Port {
    pub(super) capacity: Fixed,
    /// Number of transfers that cross it, and their groups in no particular order.
    pub(super) transfers: Fixed,
    pub(super) groups: Vec<GroupId>,
    /// The sum of their rates.
    pub(super) used: Fixed,
    /// The rate of the transfers whose bottleneck it is; [`FREE`] if the port is not full.
    pub(super) level: Fixed,
    /// Bytes moved by one such transfer. Stopped while there is none, so that its position is bounded by the bytes moved.
    pub(super) clock: Clock,
    /// The groups whose bottleneck it is, by the clock position at which their first transfer finishes.
    pub(super) heads: Heap<Fixed>,
    /// Bytes carried for transfers that have ended.
    pub(super) carried: Fixed,
    /// True if a transfer has started or ended, or the capacity has changed, since rates were last computed.
    pub(super) changed: bool,
    /// Scratch of the filling.
    pub(super) open: bool,
    pub(super) left: Fixed,
    pub(super) unsettled: Fixed,
    pub(super) next_level: Fixed,
    pub(super) extra: Fixed,
}

impl Port {
    pub(super) fn new(capacity: Fixed) -> Self {
        Self {
            capacity,
            transfers: 0,
            groups: Vec::new(),
            used: 0,
            level: FREE,
            clock: Clock::default(),
            heads: Heap::default(),
            carried: 0,
            changed: false,
            open: false,
            left: 0,
            unsettled: 0,
            next_level: FREE,
            extra: 0,
        }
    }

    pub(super) const fn is_full(&self) -> bool {
        self.level != FREE
    }

    /// Lists the port as changed, once.
    pub(super) fn mark_changed(&mut self, id: PortId, changed: &mut Vec<PortId>) {
        if !std::mem::replace(&mut self.changed, true) {
            changed.push(id);
        }
    }

    /// The rate of the clock while the port is the bottleneck of any group.
    const fn pace(&self) -> Fixed {
        if self.is_full() { self.level } else { 0 }
    }

    /// The offset of a group at `position`, as this port becomes its bottleneck.
    pub(super) fn offset(&mut self, position: Fixed, now: SimTime) -> Fixed {
        if self.heads.is_empty() {
            self.clock = Clock::new(0, now, self.pace());
        }
        position - self.clock.at(now)
    }

    /// Removes a group whose bottleneck this port no longer is.
    pub(super) fn remove_head(&mut self, places: &mut Places, id: GroupId, now: SimTime) {
        self.heads.remove(places, id.0);
        if self.heads.is_empty() {
            self.clock.set(now, 0);
        }
    }

    /// Changes the rate of the transfers whose bottleneck this port is.
    pub(super) fn set_level(&mut self, level: Fixed, now: SimTime) {
        self.level = level;
        let rate = if self.heads.is_empty() { 0 } else { self.pace() };
        self.clock.set(now, rate);
    }

    /// Finish of the first transfer whose bottleneck this port is.
    pub(super) fn finishes(&self) -> Option<SimTime> {
        self.heads.first().map(|(position, _)| self.clock.reaches(position))
    }
}
