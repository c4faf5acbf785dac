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
use crate::sim::Stream;
use crate::workload::ClassId;

pub use least::{Signal, first_in_order, scan};

/// The part of a request that a router may see. Not its output length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestView {
    /// The workload of the request.
    pub class: ClassId,
    /// Prompt length, tokens.
    pub prompt_tokens: u32,
}

/// The instances a router chooses from, by position `0..len`. Signals are computed when read, so that a router pays only for the ones it
/// uses.
pub trait Candidates {
    /// Number of candidates, eligible or not.
    fn len(&self) -> usize;
    /// True if there are no candidates.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// True if candidate `i` could take the request now.
    fn eligible(&self, i: usize) -> bool;
    /// Requests assigned to candidate `i` and not yet done there: waiting, running, arriving by handoff.
    fn in_flight(&self, i: usize) -> u64;
    /// Pending tokens of the requests assigned to candidate `i`: prompt tokens + 1 each, less the prompt tokens computed there so far. A
    /// request that lost its KV counts prompt and output so far again until they are recomputed.
    fn pending_tokens(&self, i: usize) -> u64;
    /// Prompt tokens of the request that the prefix cache of candidate `i` has.
    fn prefix_hit(&self, i: usize) -> u32 {
        let _ = i;
        0
    }
    /// The eligible candidate with the smallest signal; ties go to the first. A view that keeps candidates in order need not scan all of
    /// them.
    fn least(&self, signal: Signal) -> Option<usize> {
        scan(self, signal)
    }
}

/// Chooses an instance for a request. Deterministic, except for draws from its own random stream.
pub trait Router: Debug + Send {
    /// The position of the chosen candidate, which is eligible; `None` if none is.
    fn route(&mut self, request: &RequestView, candidates: &dyn Candidates) -> Option<usize>;
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
    use super::*;

    /// Candidates as plain numbers: (eligible, in flight, pending tokens).
    pub(crate) struct Plain(pub(crate) Vec<(bool, u64, u64)>);

    impl Candidates for Plain {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn eligible(&self, i: usize) -> bool {
            self.0[i].0
        }
        fn in_flight(&self, i: usize) -> u64 {
            self.0[i].1
        }
        fn pending_tokens(&self, i: usize) -> u64 {
            self.0[i].2
        }
    }

    pub(crate) const REQUEST: RequestView = RequestView { class: ClassId(0), prompt_tokens: 100 };

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
                assert!(matches!(router.route(&REQUEST, &candidates), Some(1 | 3)), "{}", entry.name);
            }
            assert_eq!(router.route(&REQUEST, &none), None);
            assert_eq!(router.route(&REQUEST, &Plain(Vec::new())), None);
        }
    }
}
