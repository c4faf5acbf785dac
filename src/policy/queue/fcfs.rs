//! `fcfs`: first come, first served, as vLLM v1 does by default.
//!
//! Rule: in order of arrival at the instance; a preempted request goes in front of all others
//! (`vllm/v1/core/sched/request_queue.py`, `FCFSRequestQueue`, `prepend_request`, 2026-08).

use super::super::register::Entry;
use super::{QueueOrder, Rank, Ranked};
use crate::policy::RequestView;

/// Its line in the register.
pub(super) fn entry() -> Entry<dyn QueueOrder> {
    Entry::<dyn QueueOrder>::plain("fcfs", "First come, first served; preempted requests in front.", |_| {
        Box::new(Ranked::new(Fcfs::default()))
    })
    .also(&["fifo"])
}

/// Numbers count up from the back and down from the front.
#[derive(Debug, Default)]
struct Fcfs {
    back: i64,
    front: i64,
}

impl Rank for Fcfs {
    type Key = i64;

    fn key(&mut self, _: &RequestView<'_>, preempted: bool) -> i64 {
        if preempted {
            self.front -= 1;
            return self.front;
        }
        self.back += 1;
        self.back
    }

    fn is_fcfs(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::queue::Ticket;
    use crate::policy::router::testing::request;

    #[test]
    fn the_last_preempted_request_is_in_front_and_arrivals_queue_behind() {
        let mut queue = Ranked::new(Fcfs::default());
        for (ticket, preempted) in [(5, false), (1, false), (7, true), (3, false), (2, true)] {
            queue.push(&request(), Ticket(ticket), preempted);
        }
        let order: Vec<u32> =
            std::iter::from_fn(|| queue.next().inspect(|&ticket| queue.remove(ticket, true))).map(|ticket| ticket.0).collect();
        assert_eq!(order, [2, 7, 5, 1, 3]);
    }
}
