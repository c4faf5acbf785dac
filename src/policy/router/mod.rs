//! Routers: each chooses the instance for a request. One file per policy; [`routers`] is the register.
//!
//! # Adding a router
//! 1. Write `NAME.rs` with a struct that implements [`Router`], its rule and its source in the docs, its `entry`, and a test.
//! 2. Add a line to [`routers`].

mod least;
mod least_request;
mod least_tokens;
mod power_of_two;
mod prefix_hit;
mod random;
mod round_robin;

use std::fmt::Debug;

use super::register::Register;
use super::view::{Candidates, Pick, RequestView, Served};
use crate::sim::Stream;
use crate::workload::Outcome;

pub use least::{first_in_order, scan, sorted};

/// Chooses an instance for a request. Deterministic, except for draws from its own random stream.
pub trait Router: Debug + Send {
    /// The decision for a request: a candidate that is eligible, a wait, a refusal.
    fn route(&mut self, request: &RequestView<'_>, candidates: &dyn Candidates) -> Pick;

    /// True if it wants to hear what becomes of requests.
    fn listens(&self) -> bool {
        false
    }

    /// A request was sent to the instance of this number, which took it.
    fn assigned(&mut self, request: &RequestView<'_>, instance: u32) {
        let _ = (request, instance);
    }

    /// The first token of a request has left. Heard before the next decision.
    fn first_token(&mut self, request: &Served) {
        let _ = request;
    }

    /// A request has left the system. Heard before the next decision.
    fn ended(&mut self, request: &Served, outcome: Outcome) {
        let _ = (request, outcome);
    }

    /// The number of a request that it has wait on arrival and wants to route now. While a router that listens has requests wait, it hears at the
    /// end of each instant what happened in it, and is then asked for numbers until it gives none; a number that does not wait is ignored. Each
    /// request named is routed again, before the batches of the instant are formed.
    fn ready(&mut self) -> Option<u64> {
        None
    }
}

/// The routers that there are: one line each, in the order in which they are listed.
pub fn routers() -> Register<dyn Router> {
    Register::new(vec![
        round_robin::entry(),
        random::entry(),
        least_request::entry(),
        least_tokens::entry(),
        power_of_two::entry(),
        prefix_hit::entry(),
    ])
}

/// Random draws before all candidates are scanned: enough that, if one in eight is eligible, one choice in eight needs the scan.
const TRIES: u32 = 16;

/// One eligible candidate, uniformly: the first eligible one of several draws or, if none is, a draw among the eligible ones.
fn draw(candidates: &dyn Candidates, stream: &mut Stream) -> Option<usize> {
    for _ in 0..TRIES.min(u32::try_from(candidates.len()).unwrap_or(TRIES)) {
        let i = usize::try_from(stream.below(candidates.len() as u64)).ok()?;
        if candidates.eligible(i) {
            return Some(i);
        }
    }
    let eligible: Vec<usize> = (0..candidates.len()).filter(|&i| candidates.eligible(i)).collect();
    let nth = usize::try_from(stream.below(eligible.len() as u64)).ok()?;
    eligible.get(nth).copied()
}

#[cfg(test)]
pub(super) mod testing {
    use std::sync::LazyLock;

    use super::*;
    use crate::kv::Blocks;
    use crate::policy::Signal;

    /// Candidates as plain numbers: (eligible, in flight, pending tokens).
    pub(crate) struct Plain(pub(crate) Vec<(bool, u64, u64)>);

    impl Candidates for Plain {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn eligible(&self, i: usize) -> bool {
            self.0[i].0
        }
        fn instance(&self, i: usize) -> u32 {
            u32::try_from(i).unwrap()
        }
        fn pool(&self, _: usize) -> u32 {
            0
        }
        fn read(&self, i: usize, signal: Signal) -> f64 {
            match signal {
                Signal::InFlight => self.0[i].1 as f64,
                Signal::PendingTokens => self.0[i].2 as f64,
                _ => 0.0,
            }
        }
    }

    pub(crate) static NO_BLOCKS: LazyLock<Blocks> = LazyLock::new(Blocks::default);

    /// A request of 100 tokens.
    pub(crate) fn request() -> RequestView<'static> {
        RequestView::first(100, &NO_BLOCKS)
    }

    /// The position that a router chooses for such a request.
    pub(crate) fn chosen(router: &mut dyn Router, candidates: &dyn Candidates) -> Option<usize> {
        match router.route(&request(), candidates) {
            Pick::To(i) => Some(i),
            _ => None,
        }
    }

    pub(crate) fn stream() -> Stream {
        crate::sim::Streams::new(1).stream(crate::sim::Purpose::Routing, 0)
    }

    #[test]
    fn no_router_chooses_an_ineligible_instance() {
        let candidates = Plain(vec![(false, 0, 0), (true, 9, 9), (false, 0, 0), (true, 8, 10)]);
        let none = Plain(vec![(false, 0, 0); 3]);
        for entry in routers().entries() {
            let mut router = entry.configure(None).unwrap().build(stream());
            for _ in 0..50 {
                assert!(matches!(chosen(&mut *router, &candidates), Some(1 | 3)), "{}", entry.name);
            }
            assert_eq!(router.route(&request(), &none), Pick::NoneEligible);
            assert_eq!(router.route(&request(), &Plain(Vec::new())), Pick::NoneEligible);
        }
    }
}
