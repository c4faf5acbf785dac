//! `least-request` (least outstanding requests, join the shortest queue): the instance with the fewest requests in flight.
//!
//! Rule as in Vidur's `lor`, Splitwise's `JSQ` and `AIBrix`'s `least-request`; ties go to the first.

use super::super::register::Entry;
use super::super::view::{Candidates, Pick, RequestView, Signal};
use super::Router;

/// Its line in the register.
pub(super) fn entry() -> Entry<dyn Router> {
    Entry::<dyn Router>::plain("least-request", "The fewest requests in flight; ties go to the first.", |_| Box::new(LeastRequest)).also(&[
        "lor",
        "jsq",
        "least-outstanding",
    ])
}

#[derive(Debug)]
pub(super) struct LeastRequest;

impl Router for LeastRequest {
    fn route(&mut self, _: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
        candidates.least(Signal::InFlight).into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Plain, chosen};
    use super::*;

    #[test]
    fn takes_the_least_loaded_and_ties_go_to_the_first() {
        let candidates = Plain(vec![(true, 3, 0), (true, 1, 9), (true, 1, 0), (false, 0, 0)]);
        assert_eq!(chosen(&mut LeastRequest, &candidates), Some(1));
    }
}
