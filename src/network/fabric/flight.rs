//! States of a transfer: lone, shared, finished.

use super::{Fabric, MOST_BYTES};
use crate::network::error::NetworkError;
use crate::network::fixed;
use crate::network::group::TransferId;
use crate::network::route::RouteId;
use crate::network::shared::Share;
use crate::sim::{SimDuration, SimTime};

/// A transfer, or a vacant slot.
#[derive(Debug, Clone)]
pub(super) struct Transfer {
    pub(super) route: RouteId,
    /// Bytes per nanosecond; may be infinite.
    pub(super) limit: f64,
    pub(super) bytes: f64,
    pub(super) state: State,
}

/// State of a transfer.
#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    /// No transfer has this index.
    Vacant,
    /// No other transfer uses its ports.
    Lone(Lone),
    /// Other transfers use its ports.
    Shared(Share),
    /// Off its ports but not yet popped; `rest` is a rounding error below one nanosecond's worth of bytes.
    Finished { rest: f64 },
}

/// Progress of a transfer that shares no port.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lone {
    pub(super) remaining_bytes: f64,
    /// Bytes per nanosecond.
    pub(super) rate: f64,
    pub(super) updated: SimTime,
}

impl Lone {
    /// Advances to `now`; returns the bytes moved.
    pub(super) fn advance(&mut self, now: SimTime) -> f64 {
        let moved = (self.rate * now.since(self.updated).ns() as f64).min(self.remaining_bytes);
        self.remaining_bytes -= moved;
        self.updated = now;
        moved
    }

    /// Time of the last byte: at least one nanosecond after the last change if anything is left.
    pub(super) fn finishes(&self) -> SimTime {
        SimDuration::from_secs_f64(self.remaining_bytes / self.rate / 1e9).map_or(SimTime::NEVER, |span| self.updated + span)
    }
}

/// State of a port with respect to lone transfers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attachment {
    /// Bytes per nanosecond.
    pub(super) capacity: f64,
    pub(super) lone: Option<TransferId>,
    /// Bytes carried for lone transfers.
    pub(super) carried_bytes: f64,
}

impl Fabric {
    /// Accepts bytes if they are valid and the total can still be counted.
    pub(super) fn accept(&mut self, bytes: f64) -> Result<(), NetworkError> {
        let refused = NetworkError::Bytes(bytes);
        if !(bytes.is_finite() && bytes > 0.0) {
            return Err(refused);
        }
        let accepted = self.accepted.checked_add(fixed::bytes(bytes)).filter(|&all| all < MOST_BYTES);
        self.accepted = accepted.ok_or(refused)?;
        Ok(())
    }

    /// State of a transfer in flight.
    pub(super) fn find(&self, id: TransferId) -> Result<State, NetworkError> {
        let state = self.transfers.get(id.at()).map(|transfer| transfer.state);
        state.filter(|state| !matches!(state, State::Vacant)).ok_or(NetworkError::NotInFlight)
    }

    /// Time of the next finish at the present rates.
    pub(super) fn earliest(&self) -> Option<SimTime> {
        self.lone.first().map(|(at, _)| at).into_iter().chain(self.shared.earliest()).min()
    }

    /// Advances to `now`, stopping at each finish on the way. Time never goes back.
    pub(super) fn advance_to(&mut self, now: SimTime) {
        if now > self.instant && !self.shared.has_changed() && self.earliest().is_none_or(|at| at > now) {
            self.instant = now;
            return;
        }
        loop {
            self.take_finished();
            if now <= self.instant {
                return;
            }
            self.shared.refill(self.instant);
            self.instant = self.earliest().map_or(now, |at| at.clamp(self.instant, now));
        }
    }

    /// Removes transfers that have finished by this instant from their ports.
    fn take_finished(&mut self) {
        let now = self.instant;
        while let Some((_, index)) = self.lone.first().filter(|(at, _)| *at <= now) {
            let id = TransferId(index);
            if let State::Lone(mut lone) = self.transfers[id.at()].state {
                self.move_lone(id, &mut lone);
                self.leave_lone(id);
                self.finish(id, lone.remaining_bytes);
            }
        }
        while let Some(id) = self.shared.finished(now) {
            if let State::Shared(share) = self.transfers[id.at()].state {
                self.shared.leave(id, share, now);
                self.finish(id, 0.0);
            }
        }
    }

    fn finish(&mut self, id: TransferId, rest: f64) {
        self.transfers[id.at()].state = State::Finished { rest };
        self.finished.set(id.0, Some(()));
    }

    /// Frees the index of a transfer that is off its ports.
    pub(super) fn release(&mut self, id: TransferId) {
        let transfer = &mut self.transfers[id.at()];
        if let State::Finished { rest } = std::mem::replace(&mut transfer.state, State::Vacant) {
            self.finished.set(id.0, None);
            for port in self.shared.routes[self.transfers[id.at()].route].ports.iter() {
                self.attachments[port.at()].carried_bytes += rest;
            }
        }
        self.vacant.push(id);
    }

    /// Puts a transfer on its ports: as a lone one if all are idle, otherwise as a shared one, along with any lone transfers on them.
    pub(super) fn set_off(&mut self, id: TransferId, bytes: f64) -> Result<(), NetworkError> {
        let route = self.transfers[id.at()].route;
        let mut idle = true;
        for position in 0..self.shared.routes[route].ports.len() {
            let port = self.shared.routes[route].ports[position];
            idle &= self.shared.ports[port].transfers == 0;
            if let Some(other) = self.attachments[port.at()].lone {
                idle = false;
                self.share_lone(other)?;
            }
        }
        if !idle {
            return self.share(id, bytes);
        }
        for port in self.shared.routes[route].ports.iter() {
            self.attachments[port.at()].lone = Some(id);
        }
        let lone = Lone { remaining_bytes: bytes, rate: self.rate_lone(id), updated: self.instant };
        self.go_on_lone(id, lone);
        Ok(())
    }

    /// The rate of a transfer that shares no port.
    pub(super) fn rate_lone(&self, id: TransferId) -> f64 {
        let transfer = &self.transfers[id.at()];
        let ports = self.shared.routes[transfer.route].ports.iter();
        ports.map(|port| self.attachments[port.at()].capacity).fold(transfer.limit, f64::min)
    }

    pub(super) fn go_on_lone(&mut self, id: TransferId, lone: Lone) {
        self.transfers[id.at()].state = State::Lone(lone);
        self.lone.set(id.0, Some(lone.finishes()));
    }

    /// Advances a lone transfer to the present, and counts the bytes on its ports.
    pub(super) fn move_lone(&mut self, id: TransferId, lone: &mut Lone) {
        let moved = lone.advance(self.instant);
        for port in self.shared.routes[self.transfers[id.at()].route].ports.iter() {
            self.attachments[port.at()].carried_bytes += moved;
        }
    }

    /// Removes a lone transfer from its ports.
    pub(super) fn leave_lone(&mut self, id: TransferId) {
        self.lone.set(id.0, None);
        for port in self.shared.routes[self.transfers[id.at()].route].ports.iter() {
            self.attachments[port.at()].lone = None;
        }
    }

    /// Turns a lone transfer into a shared one.
    fn share_lone(&mut self, id: TransferId) -> Result<(), NetworkError> {
        let State::Lone(mut lone) = self.transfers[id.at()].state else { return Ok(()) };
        self.move_lone(id, &mut lone);
        self.leave_lone(id);
        self.share(id, lone.remaining_bytes)
    }

    /// Puts a transfer on ports used by others.
    fn share(&mut self, id: TransferId, bytes: f64) -> Result<(), NetworkError> {
        let (route, limit) = (self.transfers[id.at()].route, self.transfers[id.at()].limit);
        let share = self.shared.join(id, route, fixed::rate(limit), fixed::bytes(bytes), self.instant)?;
        self.transfers[id.at()].state = State::Shared(share);
        Ok(())
    }
}
