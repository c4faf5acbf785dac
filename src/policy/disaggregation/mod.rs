//! Disaggregation: whether the prompt of a request is computed apart from its output, where a model has prefill and decode instances. One
//! file per policy; [`deciders`] is the register.
//!
//! # Adding a policy
//! 1. Write `NAME.rs` with a struct that implements [`Decider`], its rule and its source in the docs, its `entry`, and a test.
//! 2. Add a line to [`deciders`].

mod always;

use std::fmt::Debug;

use super::register::Register;
use super::view::{Candidates, RequestView};

/// The way of a request through a model's instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// Its prompt is computed on a prefill or mixed instance; from a prefill instance, its KV is handed off to a decode instance.
    Split,
    /// A decode instance computes its prompt too, beside the sequences that it generates.
    Decode,
}

/// Decides on the way of each request of a model that has prefill and decode instances, whenever it is about to be routed: on arrival, when a
/// router or an admission policy that had it wait is asked again, and at retries. Deterministic, except for draws from its own random stream.
pub trait Decider: Debug + Send {
    /// The way of a request that could begin at any of these `prefill` or mixed instances, or of these `decode` instances. The router of
    /// prefill then chooses among the instances of that way.
    fn path(&mut self, request: &RequestView<'_>, prefill: &dyn Candidates, decode: &dyn Candidates) -> Path;

    /// True if it is always [`Path::Split`]: it is then not asked.
    fn always_splits(&self) -> bool {
        false
    }

    /// True if the prefill instance at position `at` generates the output of a request, too, and nothing is handed off. Asked when the prompt is
    /// computed or, with `layer-wise` overlap, whenever it could begin but for memory on the decode side. Eligible in `decode` are instances that
    /// have room for the request now. Output beyond the context of the prefill instance is cut.
    fn keeps(&mut self, request: &RequestView<'_>, at: usize, prefill: &dyn Candidates, decode: &dyn Candidates) -> bool {
        let _ = (request, at, prefill, decode);
        false
    }

    /// False if it never [`keeps`](Decider::keeps) a request: it is then not asked.
    fn may_keep(&self) -> bool {
        false
    }
}

/// All deciders: one line each, in the order in which they are listed.
pub fn deciders() -> Register<dyn Decider> {
    Register::new(vec![always::entry()])
}
