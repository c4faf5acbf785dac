//! `least-tokens` (Splitwise's token JSQ): the instance with the fewest pending tokens. A request adds its prompt + 1 when it is assigned,
//! and its prompt tokens leave the sum as they are computed. A preempted request adds the tokens to recompute: prompt and output so far.
//! Ties go to the first.

use super::super::register::Entry;
use super::super::view::{Candidates, Pick, RequestView, Signal};
use super::Router;

/// Its line in the register.
pub(super) fn entry() -> Entry<dyn Router> {
    Entry::<dyn Router>::plain(
        "least-tokens",
        "The fewest pending tokens (prompt + 1 of each request, less what is computed); ties go to the first.",
        |_| Box::new(LeastTokens),
    )
    .also(&["token-jsq"])
}

#[derive(Debug)]
pub(super) struct LeastTokens;

impl Router for LeastTokens {
    fn route(&mut self, _: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
        candidates.least(Signal::PendingTokens).into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Plain, chosen};
    use super::*;

    #[test]
    fn one_long_prompt_outweighs_many_short_ones() {
        let candidates = Plain(vec![(true, 1, 8001), (true, 5, 505)]);
        assert_eq!(chosen(&mut LeastTokens, &candidates), Some(1));
    }
}
