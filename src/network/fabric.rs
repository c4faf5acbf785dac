//! Max-min fair sharing of ports by fluid transfers.
//!
//! # Law
//! A transfer crosses the ports of its route and moves at one rate, limited by the port where its fair share is smallest, or by its own
//! limit, which acts as a port that no other transfer uses. Rates come from progressive filling (Bertsekas and Gallager, *Data Networks*,
//! 1992, §6.5.2): find the smallest of all limits and of all ports' remaining capacities per unsettled transfer, settle its transfers at
//! that rate, subtract it from their other ports, repeat. Rates are max-min fair if and only if each transfer is at its limit or has a
//! bottleneck: a full port on which no transfer is faster. The tests check exactly that.
//!
//! ```text
//!  prefill 0 ──port──┐                ┌──port── decode 0
//!                    ├── (fabric) ────┤
//!  prefill 1 ──port──┘                └──port── decode 1
//! ```
//!
//! # Structure
//! * **Instants.** Starts, ends and changes of capacity at one instant are recorded; rates are computed once, when the next finish is
//!   queried or the clock advances.
//! * **Lone transfers.** A transfer that shares no port has a closed form in floating point; no filling is needed.
//! * **Groups and clocks.** Transfers of equal route and limit form a group with one rate. All groups with the same bottleneck have one
//!   rate too, and that port has a clock of the bytes that each of their transfers has moved, a virtual time. A transfer finishes when the
//!   clock reaches a position that is fixed at its start, so a change of rate touches the clock and no transfer. A heap in each group finds
//!   its first transfer, a heap at each port its first group, a heap of ports the next finish.
//! * **Filling.** *Open* ports are filled: at first the changed ports that are full or overbooked, and one port of each new group. For all
//!   other, *closed* ports, the level of a full port is a limit. Then closed ports are opened that are overbooked, or that are full and
//!   carry a changed rate, and the filling is repeated. At the end, every group that crosses an open port is at its limit, or has an open
//!   bottleneck, or a closed one whose rates are all unchanged; no other group has changed. Hence all rates are max-min fair.
//! * **Sole bottleneck.** If all transfers cross the port with the least equal share, such as a narrow fabric, and no limit is lower, the
//!   first step of the filling is the last. No group is touched.
//! * **Exact sums.** Rates and bytes are whole multiples of 2⁻⁶⁰. The use of a port is updated by differences without drift, and the bytes
//!   carried are the bytes sent. A finish is the first nanosecond after the last byte, at least one after the start.
//!
//! # Cost
//! Per change, with `n` transfers in `g` groups (at most one for each pair of instances and limit) on `p` ports:
//!
//! | change | cost |
//! |---|---|
//! | lone transfer, or bytes added to a transfer | O(log n) |
//! | shared transfer, no full port on its route | O(log n); the first of a group: O(groups of one port) |
//! | sole bottleneck | O(log n + log p) |
//! | full ports with neighbours that are not full | O(log n + groups of those ports · log) |
//! | full ports whose neighbours are full, and so on | O(log n + g · log p): most rates really change |
//!
//! Costs grow with the number of transfers only by logarithms. Nothing is allocated per transfer in the steady state.

use super::error::NetworkError;
use super::fixed::{self, Fixed};
use super::group::{Port, TransferId};
use super::heap::Queue;
use super::route::{PortId, RouteId};
use super::shared::Shared;
use crate::sim::SimTime;
use flight::{Attachment, State, Transfer};

/// Upper limit of the bytes of all transfers of one network, so that no clock can overflow.
const MOST_BYTES: Fixed = 1 << 126;

/// Upper limit of capacities, bytes per nanosecond: beyond any link.
const MOST_CAPACITY: f64 = 1e12;

/// All ports and the transfers through them.
#[derive(Debug, Clone, Default)]
pub struct Fabric {
    /// Indexed like the ports of `shared`.
    attachments: Vec<Attachment>,
    shared: Shared,
    transfers: Vec<Transfer>,
    vacant: Vec<TransferId>,
    /// Finishes of lone transfers.
    lone: Queue<SimTime>,
    /// Transfers that have finished but have not been popped.
    finished: Queue<()>,
    /// Time of the last call. Changes at this instant may be pending.
    instant: SimTime,
    /// Bytes of all transfers so far.
    accepted: Fixed,
}

impl Fabric {
    /// Adds a port of the given capacity in bytes per second.
    ///
    /// # Errors
    /// [`NetworkError::Capacity`] unless it is above zero and below 10²¹.
    pub fn add_port(&mut self, bytes_per_s: f64) -> Result<PortId, NetworkError> {
        let capacity = capacity(bytes_per_s)?;
        let id = PortId::new(self.attachments.len())?;
        self.attachments.push(Attachment { capacity, lone: None, carried_bytes: 0.0 });
        self.shared.ports.0.push(Port::new(fixed::rate(capacity)));
        Ok(id)
    }

    /// The route through any number of ports. Equal ports give the same route; only a new route allocates.
    ///
    /// # Errors
    /// [`NetworkError::Route`] for no ports, an unknown port, or a port listed twice.
    pub fn route(&mut self, ports: &[PortId]) -> Result<RouteId, NetworkError> {
        self.shared.routes.find_or_add(ports, self.attachments.len())
    }

    /// Starts a transfer of `bytes` along a route, at most at `limit` bytes per second, which may be infinite.
    ///
    /// # Errors
    /// [`NetworkError::Limit`] or [`NetworkError::Bytes`] unless both are above zero, and bytes finite.
    pub fn start(&mut self, now: SimTime, route: RouteId, limit: f64, bytes: f64) -> Result<TransferId, NetworkError> {
        if limit.is_nan() || limit <= 0.0 {
            return Err(NetworkError::Limit(limit));
        }
        self.accept(bytes)?;
        self.advance_to(now);
        let transfer = Transfer { route, limit: limit / 1e9, bytes, state: State::Vacant };
        let id = if let Some(id) = self.vacant.pop() {
            self.transfers[id.at()] = transfer;
            id
        } else {
            let id = TransferId(u32::try_from(self.transfers.len()).map_err(|_| NetworkError::TooMany)?);
            self.transfers.push(transfer);
            id
        };
        self.set_off(id, bytes)?;
        Ok(id)
    }

    /// Adds bytes to a transfer in flight.
    ///
    /// # Errors
    /// [`NetworkError::Bytes`] unless they are above zero and finite; [`NetworkError::NotInFlight`].
    pub fn extend(&mut self, now: SimTime, id: TransferId, bytes: f64) -> Result<(), NetworkError> {
        self.find(id)?;
        self.accept(bytes)?;
        self.advance_to(now);
        self.transfers[id.at()].bytes += bytes;
        match self.find(id)? {
            State::Vacant => {}
            State::Lone(mut lone) => {
                self.move_lone(id, &mut lone);
                lone.remaining_bytes += bytes;
                self.go_on_lone(id, lone);
            }
            State::Shared(mut share) => {
                self.shared.extend(id, &mut share, fixed::bytes(bytes));
                self.transfers[id.at()].state = State::Shared(share);
            }
            State::Finished { rest } => {
                self.finished.set(id.0, None);
                self.set_off(id, rest + bytes)?;
            }
        }
        Ok(())
    }

    /// Time of the next finish. Computes the rates if anything has changed at this instant, so one call per instant, after all its changes,
    /// is cheapest.
    pub fn next_finish(&mut self) -> Option<SimTime> {
        if self.has_finished() {
            return Some(self.instant);
        }
        self.shared.refill(self.instant);
        self.earliest()
    }

    /// True if the rates are those of the present transfers: [`next_finish`](Self::next_finish) has nothing to compute.
    pub fn is_shared_out(&self) -> bool {
        !self.shared.has_changed()
    }

    /// True if a transfer has finished but has not been popped.
    pub fn has_finished(&self) -> bool {
        self.finished.first().is_some()
    }

    /// Removes a transfer that has moved its last byte by now; of several, the one with the lowest index.
    pub fn pop_finished(&mut self, now: SimTime) -> Option<TransferId> {
        self.advance_to(now);
        let id = TransferId(self.finished.first()?.1);
        self.release(id);
        Some(id)
    }

    /// Removes a transfer, finished or not, e.g. when a node fails. Returns the unmoved bytes.
    ///
    /// # Errors
    /// [`NetworkError::NotInFlight`].
    pub fn abort(&mut self, now: SimTime, id: TransferId) -> Result<f64, NetworkError> {
        self.find(id)?;
        self.advance_to(now);
        let rest = match self.find(id)? {
            State::Vacant | State::Finished { .. } => 0.0,
            State::Lone(mut lone) => {
                self.move_lone(id, &mut lone);
                self.leave_lone(id);
                lone.remaining_bytes
            }
            State::Shared(share) => fixed::to_bytes(share.end - share.start - self.shared.leave(id, share, self.instant)),
        };
        self.release(id);
        Ok(rest)
    }

    /// Changes the capacity of a port, bytes per second, e.g. when a link degrades or recovers.
    ///
    /// # Errors
    /// [`NetworkError::Capacity`] unless it is above zero and below 10²¹.
    pub fn set_capacity(&mut self, now: SimTime, port: PortId, bytes_per_s: f64) -> Result<(), NetworkError> {
        let capacity = capacity(bytes_per_s)?;
        self.advance_to(now);
        self.attachments[port.at()].capacity = capacity;
        self.shared.set_capacity(port, fixed::rate(capacity));
        if let Some(id) = self.attachments[port.at()].lone
            && let State::Lone(mut lone) = self.transfers[id.at()].state
        {
            self.move_lone(id, &mut lone);
            lone.rate = self.rate_lone(id);
            self.go_on_lone(id, lone);
        }
        Ok(())
    }

    /// Transfers in flight, finished ones that have not been popped included.
    pub fn in_flight(&self) -> usize {
        self.transfers.len() - self.vacant.len()
    }

    /// Bytes that a port has carried up to the last call, those of a lone transfer up to its last change. O(transfers on the port).
    pub fn carried_bytes(&self, port: PortId) -> f64 {
        let mut shared = self.shared.ports[port].carried;
        for id in self.shared.crossing(port) {
            if let State::Shared(share) = self.transfers[id.at()].state {
                shared += self.shared.moved(share, self.instant);
            }
        }
        self.attachments[port.at()].carried_bytes + fixed::to_bytes(shared)
    }

    /// Capacity of a port, bytes per second.
    pub fn capacity(&self, port: PortId) -> f64 {
        self.attachments[port.at()].capacity * 1e9
    }

    /// True if no port carries more than its capacity. Ports with changes pending are skipped.
    pub fn within_capacity(&self) -> bool {
        self.shared.ports.0.iter().all(|port| self.shared.is_within_capacity(port))
    }

    /// As [`Self::within_capacity`], for the ports that were filled last.
    pub fn is_last_change_within_capacity(&self) -> bool {
        self.shared.filling.open.iter().all(|&port| self.shared.is_within_capacity(&self.shared.ports[port]))
    }

    /// Ports, groups and transfers visited so far: a measure of cost that does not depend on the machine.
    pub fn work(&self) -> u64 {
        self.shared.work
    }
}

/// Converts a capacity from bytes per second to bytes per nanosecond.
fn capacity(bytes_per_s: f64) -> Result<f64, NetworkError> {
    let capacity = bytes_per_s / 1e9;
    if capacity > 0.0 && capacity < MOST_CAPACITY { Ok(capacity) } else { Err(NetworkError::Capacity(bytes_per_s)) }
}

mod flight;
#[cfg(test)]
mod tests;
