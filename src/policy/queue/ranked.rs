//! Queues in the order of a number that each request keeps while it waits.

use std::collections::BTreeSet;
use std::fmt::Debug;

use indexmap::IndexMap;

use super::{QueueOrder, Ticket};
use crate::policy::RequestView;

/// Position of a request: lower goes first. Ties go to the one that arrived first.
pub trait Rank: Debug + Send {
    /// What is compared.
    type Key: Ord + Copy + Debug + Send;
    /// The key of a request that joins the queue.
    fn key(&mut self, request: &RequestView<'_>, preempted: bool) -> Self::Key;
    /// See [`QueueOrder::is_fcfs`].
    fn is_fcfs(&self) -> bool {
        false
    }
}

/// A queue in the order of a rank. Joining and leaving take logarithmic time.
#[derive(Debug)]
pub struct Ranked<R: Rank> {
    rank: R,
    order: BTreeSet<(R::Key, u64, Ticket)>,
    places: IndexMap<Ticket, (R::Key, u64)>,
}

impl<R: Rank> Ranked<R> {
    /// An empty queue.
    pub fn new(rank: R) -> Self {
        Self { rank, order: BTreeSet::new(), places: IndexMap::new() }
    }
}

impl<R: Rank> QueueOrder for Ranked<R> {
    fn push(&mut self, request: &RequestView<'_>, ticket: Ticket, preempted: bool) {
        let key = self.rank.key(request, preempted);
        self.order.insert((key, request.request, ticket));
        self.places.insert(ticket, (key, request.request));
    }

    fn next(&mut self) -> Option<Ticket> {
        self.order.first().map(|&(_, _, ticket)| ticket)
    }

    fn remove(&mut self, ticket: Ticket, _: bool) {
        if let Some((key, request)) = self.places.swap_remove(&ticket) {
            self.order.remove(&(key, request, ticket));
        }
    }

    fn is_fcfs(&self) -> bool {
        self.rank.is_fcfs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::router::testing::NO_BLOCKS;

    #[derive(Debug)]
    struct Shortest;

    impl Rank for Shortest {
        type Key = (bool, u32);
        fn key(&mut self, request: &RequestView<'_>, preempted: bool) -> (bool, u32) {
            (!preempted, request.prompt_tokens)
        }
    }

    #[test]
    fn the_lowest_rank_is_next_and_ties_go_to_the_first_arrival() {
        let mut queue = Ranked::new(Shortest);
        for (request, tokens, preempted) in [(0, 30, false), (1, 10, false), (2, 10, false), (3, 90, true)] {
            let view = RequestView { request, ..RequestView::first(tokens, &NO_BLOCKS) };
            queue.push(&view, Ticket(u32::try_from(10 - request).unwrap()), preempted);
        }
        queue.remove(Ticket(99), false);
        let mut order = Vec::new();
        while let Some(ticket) = queue.next() {
            assert_eq!(queue.next(), Some(ticket));
            queue.remove(ticket, true);
            order.push(10 - ticket.0);
        }
        assert_eq!(order, [3, 1, 2, 0]);
    }
}
