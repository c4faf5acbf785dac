//! An instance as a member of the fleet: its role, its lifecycle state, and whether routers list it.

use crate::policy::{Life, Role};
use crate::sim::{Generation, SimDuration};

/// Schedule of the health checks.
#[derive(Debug)]
pub(super) struct HealthCheck {
    /// Interval; `None`: routers see every change at once.
    pub(super) period: Option<SimDuration>,
    /// True if the next check is scheduled, because a change is still to be seen.
    pub(super) scheduled: bool,
}

impl HealthCheck {
    pub(super) fn every(period: Option<SimDuration>) -> Self {
        Self { period: period.filter(|&period| period > SimDuration::ZERO), scheduled: false }
    }
}

/// Role and lifecycle state of an instance.
#[derive(Debug)]
pub(crate) struct Member {
    pub(super) role: Role,
    pub(super) life: Life,
    /// True if the routers list the instance as active.
    pub(super) listed: bool,
    /// Role after a drain; `None`: the instance goes down.
    pub(super) next_role: Option<Role>,
    /// Generation of the event that ends its start.
    pub(super) generation: Generation,
}

impl Member {
    pub(super) fn new(role: Role) -> Self {
        Self { role, life: Life::Active, listed: true, next_role: None, generation: Generation::default() }
    }

    pub(crate) const fn role(&self) -> Role {
        self.role
    }
    pub(crate) const fn life(&self) -> Life {
        self.life
    }
    /// True if it accepts requests.
    pub(crate) fn serves(&self) -> bool {
        self.life == Life::Active
    }
    /// True if the routers list it as active.
    pub(crate) const fn is_listed(&self) -> bool {
        self.listed
    }
    /// True if it is not eligible for any request: entry instances by what the routers know, decode instances by their state.
    pub(super) fn is_hidden(&self) -> bool {
        !if self.role == Role::Decode { self.serves() } else { self.listed }
    }
    /// True if `generation` is that of the event that ends the present start.
    pub(crate) fn is_starting(&self, generation: Generation) -> bool {
        self.life == Life::Starting && self.generation == generation
    }
}
