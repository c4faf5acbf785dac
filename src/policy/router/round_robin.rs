//! `round-robin`: the next instance in turn, skipping ineligible ones.
//!
//! Rule as in `SGLang`'s model gateway and vLLM's router: a cursor modulo the number of instances.

use super::super::register::Entry;
use super::super::view::{Candidates, Pick, RequestView};
use super::Router;

/// Its line in the register.
pub(super) fn entry() -> Entry<dyn Router> {
    Entry::<dyn Router>::plain("round-robin", "The next instance in turn.", |_| Box::<RoundRobin>::default())
}

#[derive(Debug, Default)]
pub(super) struct RoundRobin {
    next: usize,
}

impl Router for RoundRobin {
    fn route(&mut self, _: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
        let n = candidates.len();
        let Some(chosen) = (0..n).map(|step| (self.next + step) % n).find(|&i| candidates.eligible(i)) else { return Pick::NoneEligible };
        self.next = (chosen + 1) % n;
        Pick::To(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Plain, chosen};
    use super::*;

    #[test]
    fn takes_turns_and_skips_the_ineligible() {
        let mut router = RoundRobin::default();
        let mut candidates = Plain(vec![(true, 0, 0); 3]);
        let turns: Vec<_> = (0..4).map(|_| chosen(&mut router, &candidates)).collect();
        assert_eq!(turns, [Some(0), Some(1), Some(2), Some(0)]);
        candidates.0[1].0 = false;
        assert_eq!(chosen(&mut router, &candidates), Some(2));
    }
}
