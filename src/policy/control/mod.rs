//! Controllers: they read the fleet at their ticks and give orders, which the cluster checks and executes. One file per controller;
//! [`controllers`] is the register of those that a scenario can name, and the faults of a scenario are one besides.
//!
//! # Adding a controller
//! 1. Write `NAME.rs` with a struct that implements [`Controller`], its rule and its source in the docs, its `entry`, and a test.
//! 2. Add a line to [`controllers`].

mod faults;
mod fixed;

use std::fmt::Debug;

use serde::Serialize;

pub use faults::{Fault, FaultSchedule};

use super::register::Register;
use super::view::Signal;
use crate::sim::{SimDuration, SimTime};

/// Role of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Computes prompts and hands their KV off.
    Prefill,
    /// Receives KV and generates.
    Decode,
    /// Does both.
    Mixed,
}

impl Role {
    /// Name in YAML and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prefill => "prefill",
            Self::Decode => "decode",
            Self::Mixed => "mixed",
        }
    }
}

/// Lifecycle state of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Powered on but not ready: it loads weights and takes no requests.
    Starting,
    /// Takes requests.
    Active,
    /// Takes no new requests and finishes those assigned to it.
    Draining,
    /// Powered off; its KV and its cache are lost.
    Down,
}

/// An order to one instance, by its position in the view. Without effect if it does not match the lifecycle state of the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Fails the instance now, whatever its state; it stays down until it is started.
    Fail(usize),
    /// Drains an active instance: it takes no new requests, finishes those it has, and goes down.
    Drain(usize),
    /// Powers on an instance that is down; it takes requests after `takes`.
    Start {
        /// Position of the instance.
        instance: usize,
        /// Time from power on to the first request.
        takes: SimDuration,
    },
    /// Drains an active instance, which then takes requests in another role.
    Flip {
        /// Position of the instance.
        instance: usize,
        /// Its new role.
        role: Role,
    },
}

/// The fleet as a controller sees it, by position `0..len`: the instances in the order of the scenario's pools.
pub trait FleetView {
    /// Number of instances.
    fn len(&self) -> usize;
    /// True if there are no instances.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Lifecycle state of instance `i`.
    fn life(&self, i: usize) -> Life;
    /// Role of instance `i`.
    fn role(&self, i: usize) -> Role;
    /// Number of the pool of instance `i`, in the order of the scenario's pools, frontends left out.
    fn pool(&self, i: usize) -> u32;
    /// A signal of instance `i`, 0 or more; [`Signal::PrefixHit`] is 0, for there is no request to look for. What instances report is as late as
    /// for routers. Reading changes no result.
    fn read(&self, i: usize, signal: Signal) -> f64;
}

/// Decides about the fleet. Deterministic, except for draws from its own random stream.
pub trait Controller: Debug + Send {
    /// Time of the next tick; `None`: none before the next change. A time in the past means now.
    fn next(&self) -> Option<SimTime>;
    /// Adds orders, which are executed in sequence.
    fn tick(&mut self, now: SimTime, fleet: &dyn FleetView, orders: &mut Vec<Order>);
    /// The lifecycle state of an instance has changed, by an order of any controller or on its own.
    fn changed(&mut self, now: SimTime, instance: usize, life: Life) {
        let _ = (now, instance, life);
    }
}

/// All controllers that a scenario can name: one line each, in the order in which they are listed.
pub fn controllers() -> Register<dyn Controller> {
    Register::new(vec![fixed::entry()])
}
