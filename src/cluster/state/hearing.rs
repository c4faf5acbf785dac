//! What routers that listen hear of requests: kept until their next decision, or until the end of the instant where they have requests wait.

use std::collections::BTreeMap;

use super::loads::Side;
use super::request::Request;
use crate::cluster::ids::Slot;
use crate::policy::Served;
use crate::sim::SimTime;
use crate::workload::{ClassId, Outcome};

/// The first token of a request, or its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heard {
    pub(crate) served: Served,
    /// `None`: its first token.
    pub(crate) outcome: Option<Outcome>,
}

impl Heard {
    pub(crate) const fn class(&self) -> ClassId {
        self.served.class
    }
}

/// What has happened since routers last heard, by side; `None` where none listens.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    entry: Option<Vec<Heard>>,
    decode: Option<Vec<Heard>>,
    /// Arriving requests that routers have wait, by number.
    waiting: BTreeMap<u64, Slot>,
}

impl Hearing {
    const fn side(&mut self, side: Side) -> &mut Option<Vec<Heard>> {
        match side {
            Side::Entry => &mut self.entry,
            Side::Decode => &mut self.decode,
        }
    }

    /// Routers of a side listen from now on.
    pub(crate) fn listen(&mut self, side: Side) {
        self.side(side).get_or_insert_default();
    }

    pub(super) const fn listens(&self) -> bool {
        self.entry.is_some() || self.decode.is_some()
    }

    /// Takes what routers of a side have not yet heard.
    pub(crate) fn take(&mut self, side: Side) -> Vec<Heard> {
        self.side(side).as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// True if a router has requests wait and has not heard everything.
    #[inline]
    pub(crate) fn is_news_awaited(&self) -> bool {
        !self.waiting.is_empty() && self.entry.as_ref().is_some_and(|heard| !heard.is_empty())
    }

    /// Number of requests that routers have wait.
    pub(crate) fn waiters(&self) -> usize {
        self.waiting.len()
    }

    /// Requests that routers have wait.
    pub(super) const fn waiting(&self) -> &BTreeMap<u64, Slot> {
        &self.waiting
    }

    pub(super) const fn waiting_mut(&mut self) -> &mut BTreeMap<u64, Slot> {
        &mut self.waiting
    }

    /// The first token of a request has left.
    pub(super) fn first_token(&mut self, request: &Request) {
        self.hear(request, request.timeline.last_token, None);
    }

    /// A request has ended.
    pub(super) fn ended(&mut self, request: &Request, at: SimTime, outcome: Outcome) {
        self.hear(request, at, Some(outcome));
    }

    fn hear(&mut self, request: &Request, at: SimTime, outcome: Option<Outcome>) {
        let Request { ask, progress, timeline, .. } = request;
        let served = Served {
            at,
            request: ask.id,
            class: ask.class,
            turn: ask.turn,
            prompt_tokens: ask.prompt,
            output_tokens: progress.generated,
            prefill: timeline.prefill_start.map(|_| progress.prefill_instance.0),
            decode: progress.decode_instance.map(|id| id.0),
        };
        for heard in [&mut self.entry, &mut self.decode].into_iter().flatten() {
            heard.push(Heard { served, outcome });
        }
    }
}
