//! Admission: whether an arriving request is let in. One file per policy; [`admissions`] is the register.
//!
//! # Adding a policy
//! 1. Write `NAME.rs` with a struct that implements [`Admission`], its rule and its source in the docs, its `entry`, and a test.
//! 2. Add a line to [`admissions`].

mod always;
mod queue_depth;

use std::fmt::Debug;

use super::register::Register;
use super::view::{Candidates, RequestView};
use crate::sim::SimTime;
use crate::workload::Refusal;

/// The decision about an arriving request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admit {
    /// It is let in, and goes to the router.
    Now,
    /// The policy is asked again at this time, or at the next instant if it has passed.
    NotBefore(SimTime),
    /// It is refused and leaves.
    Refuse(Refusal),
}

/// Decides whether a request is let in, once: a retry after a failure is not asked about again. Deterministic, except for draws from its own
/// random stream.
pub trait Admission: Debug + Send {
    /// The decision about a request that may go to any of these instances.
    fn admit(&mut self, request: &RequestView<'_>, candidates: &dyn Candidates) -> Admit;

    /// True if it lets every request in: it is then not asked.
    fn admits_all(&self) -> bool {
        false
    }
}

/// The policies that there are: one line each, in the order in which they are listed.
pub fn admissions() -> Register<dyn Admission> {
    Register::new(vec![always::entry(), queue_depth::entry()])
}
