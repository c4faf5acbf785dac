//! The queue of an instance: requests whose prompt is to be computed, in the order of a policy, and requests whose KV has arrived.

use super::list::List;
use super::request::Stage;
use super::requests::Requests;
use crate::cluster::ids::Slot;
use crate::cluster::spec::ClassSpec;
use crate::policy::{QueueOrder, Ticket};
use crate::sim::SimTime;
use crate::workload::ClassId;

/// Queued requests of an instance.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Requests whose prompt is to be computed, first come, first served; preempted ones in front.
    waiting: List,
    /// Another order of these; `None`: as they come.
    order: Option<Order>,
    /// Number of preempted requests among them.
    pub(super) returning: u32,
    /// Set when the last preempted request has been admitted: the instance accepts handoffs again.
    pub(super) returned: bool,
    /// Requests whose KV has arrived by handoff.
    pub(super) resident: List,
}

/// A policy's order, and the request that is first in it.
#[derive(Debug)]
struct Order {
    policy: Box<dyn QueueOrder>,
    first: Option<Slot>,
}

// Most queues have no policy to ask: what asks one is kept out of their way.
impl Order {
    #[cold]
    fn push(&mut self, waiting: &List, requests: &Requests, slot: Slot, now: SimTime, class: &ClassSpec, preempted: bool) {
        let request = &requests[slot];
        self.policy.push(&request.view(now, &request.ask.blocks, class), Ticket(slot.0), preempted);
        self.ask(waiting, requests);
    }

    #[cold]
    fn remove(&mut self, waiting: &List, requests: &Requests, slot: Slot, started: bool) {
        self.policy.remove(Ticket(slot.0), started);
        self.ask(waiting, requests);
    }

    /// Asks for the first request after a change. A ticket that is not in the queue counts as that of the request that has waited longest.
    fn ask(&mut self, waiting: &List, requests: &Requests) {
        let oldest = waiting.first();
        let instance = oldest.map(|oldest| requests[oldest].progress.instance);
        let is_here = |slot: &Slot| {
            requests
                .get(*slot)
                .is_some_and(|request| request.progress.stage == Stage::Waiting && Some(request.progress.instance) == instance)
        };
        self.first = self.policy.next().and_then(|Ticket(slot)| Some(Slot(slot)).filter(is_here).or(oldest));
    }
}

impl Queue {
    /// An empty queue in the order of a policy. First come, first served is the default.
    pub(super) fn new(policy: Box<dyn QueueOrder>) -> Self {
        Self { order: Some(Order { policy, first: None }), ..Self::default() }
    }

    /// The next request whose prompt is to be computed; `None` also if the policy lets none start.
    pub(super) fn first(&self) -> Option<Slot> {
        self.order.as_ref().map_or(self.waiting.first(), |order| order.first)
    }

    /// Requests whose prompt is to be computed.
    pub(super) const fn waiting(&self) -> &List {
        &self.waiting
    }

    /// True if a policy decides on the order: iterations until now must be booked before the queue changes.
    pub(super) const fn is_ordered(&self) -> bool {
        self.order.is_some()
    }

    /// True if the next iteration may change which request is first.
    pub(super) fn may_change(&self) -> bool {
        !self.waiting.is_empty() && self.order.as_ref().is_some_and(|order| order.policy.changes_while_waiting())
    }

    /// A request of a workload joins the queue, preempted or not.
    pub(super) fn push(&mut self, requests: &mut Requests, slot: Slot, now: SimTime, class: &ClassSpec, preempted: bool) {
        if preempted {
            self.waiting.push_front(requests, slot);
        } else {
            self.waiting.push_back(requests, slot);
        }
        if let Some(order) = &mut self.order {
            order.push(&self.waiting, requests, slot, now, class, preempted);
        }
    }

    /// A request leaves the queue, to start or for good.
    pub(super) fn remove(&mut self, requests: &mut Requests, slot: Slot, started: bool) {
        self.waiting.remove(requests, slot);
        if let Some(order) = &mut self.order {
            order.remove(&self.waiting, requests, slot, started);
        }
    }

    /// Tokens of prompts and outputs that an iteration has computed, by workload.
    pub(super) fn served(&mut self, requests: &Requests, tokens: impl Iterator<Item = (ClassId, u64, u64)>) {
        let Some(order) = &mut self.order else { return };
        for (class, prompt, output) in tokens {
            order.policy.served(class, prompt, output);
        }
        if !self.waiting.is_empty() && order.policy.changes_while_waiting() {
            order.ask(&self.waiting, requests);
        }
    }
}
