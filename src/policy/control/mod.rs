//! What changes the fleet: controllers look at it now and then and give orders, which the cluster checks and carries out. One file a
//! controller.

mod faults;

use std::fmt::Debug;

use serde::Serialize;

pub use faults::{Fault, FaultSchedule};

use crate::sim::{SimDuration, SimTime};

/// What an instance does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Computes prompts and hands the KV on.
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

/// Where an instance stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Powered on and not yet ready: it loads weights and takes no requests.
    Starting,
    /// Takes requests.
    Active,
    /// Takes no new requests and finishes those it has.
    Draining,
    /// Powered off; what it held is lost.
    Down,
}

/// A decision about one instance, by its position in the view. An order that does not fit the instance's life changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It fails now, whatever it does, and stays down until it is started.
    Fail(usize),
    /// An active one takes no new requests, and goes down when it has finished those it has.
    Drain(usize),
    /// One that is down is powered on, and takes requests after `takes`.
    Start {
        /// Which.
        instance: usize,
        /// Time from power on to the first request.
        takes: SimDuration,
    },
    /// An active one drains, and takes requests again in another role.
    Flip {
        /// Which.
        instance: usize,
        /// What it does from then on.
        role: Role,
    },
}

/// The fleet as a controller sees it, by position `0..len`: the instances in the order of the scenario's pools.
pub trait FleetView {
    /// How many there are.
    fn len(&self) -> usize;
    /// True if there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Where one stands in its life.
    fn life(&self, i: usize) -> Life;
    /// What it does.
    fn role(&self, i: usize) -> Role;
    /// Requests assigned to it and not yet done there.
    fn in_flight(&self, i: usize) -> u64;
}

/// Decides about the fleet. Deterministic but for draws from its own random stream.
pub trait Controller: Debug + Send {
    /// When it is to be asked next; `None`: not before something has changed. A time that has passed means now.
    fn next(&self) -> Option<SimTime>;
    /// It is asked: adds its orders, carried out in this order.
    fn tick(&mut self, now: SimTime, fleet: &dyn FleetView, orders: &mut Vec<Order>);
    /// An instance has another life since now, by an order of this or another controller, or by itself.
    fn changed(&mut self, now: SimTime, instance: usize, life: Life) {
        let _ = (now, instance, life);
    }
}
