//! An instance as a member of the fleet: its role, its life, and what the routers know of that.

use crate::policy::{Life, Role};
use crate::sim::{Generation, SimDuration};

/// When the routers look which instances serve.
#[derive(Debug)]
pub(super) struct HealthCheck {
    /// Time between two looks; `None`: they know at once.
    pub(super) period: Option<SimDuration>,
    /// The next look is an event: there is something to see.
    pub(super) scheduled: bool,
}

impl HealthCheck {
    pub(super) fn every(period: Option<SimDuration>) -> Self {
        Self { period: period.filter(|&period| period > SimDuration::ZERO), scheduled: false }
    }
}

/// Role and life of an instance.
#[derive(Debug)]
pub(crate) struct Member {
    pub(super) role: Role,
    pub(super) life: Life,
    /// The routers take it for one that serves.
    pub(super) listed: bool,
    /// The role it takes when it has drained; `None`: it goes down.
    pub(super) next_role: Option<Role>,
    /// Of the event that ends its start.
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
    /// True if it takes requests.
    pub(crate) fn serves(&self) -> bool {
        self.life == Life::Active
    }
    /// True if the routers take it for one that serves.
    pub(crate) const fn is_listed(&self) -> bool {
        self.listed
    }
    /// True of the event that ends the present start.
    pub(crate) fn is_starting(&self, generation: Generation) -> bool {
        self.life == Life::Starting && self.generation == generation
    }
}
