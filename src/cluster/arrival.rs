//! A request comes in: routing, admission to a queue, or rejection.

use super::event::{InstanceId, Slot};
use super::instance::Load;
use super::observe::{Observer, Outcome};
use super::request::Request;
use super::state::{Cluster, Entry};
use crate::policy::{Candidates, RequestView};
use crate::sim::{Arena, TooMany};
use crate::workload::RequestSpec;

/// Entry instances as a router sees them.
struct Entries<'a> {
    loads: &'a Arena<InstanceId, Load>,
    all: &'a [Entry],
    prompt: u32,
}

impl Candidates for Entries<'_> {
    fn len(&self) -> usize {
        self.all.len()
    }
    fn eligible(&self, i: usize) -> bool {
        self.prompt < self.all[i].context
    }
    fn in_flight(&self, i: usize) -> u64 {
        self.loads[self.all[i].id].in_flight
    }
    fn pending_tokens(&self, i: usize) -> u64 {
        self.loads[self.all[i].id].pending_tokens
    }
}

impl<O: Observer> Cluster<O> {
    /// A request arrives now.
    ///
    /// # Errors
    /// [`TooMany`] requests inside to be numbered.
    pub(super) fn on_arrival(&mut self, spec: RequestSpec) -> Result<(), TooMany> {
        let class = spec.class;
        self.observer.arrived(self.now, class);
        let request = Request::new(self.requests.arrived, self.now, spec);
        let prompt = request.ask.prompt;
        let slot = self.requests.insert(request)?;
        self.note_deadline(slot);
        let model = self.model_of(slot);
        let route = &mut self.routes[model];
        if route.entry.is_empty() {
            self.depart(slot, Outcome::RejectedNoInstance);
            return Ok(());
        }
        let candidates = Entries { loads: &self.loads, all: &route.entry, prompt };
        let view = RequestView { class, prompt_tokens: prompt };
        let Some(chosen) = route.entry_router.route(&view, &candidates) else {
            self.depart(slot, Outcome::RejectedPromptTooLong);
            return Ok(());
        };
        let Entry { id, output_context, .. } = route.entry[chosen];
        self.requests[slot].cut(output_context);
        self.enter(slot, id);
        Ok(())
    }

    /// Puts a new request into the queue of an instance.
    fn enter(&mut self, slot: Slot, id: InstanceId) {
        let pool = self.instances[id].pool;
        // Behind others in the queue it changes nothing before they have moved.
        if self.instances[id].waiting.is_empty() {
            self.touch(id);
        }
        let Self { instances, loads, requests, .. } = self;
        let request = &mut requests[slot];
        request.progress.instance = id;
        let pending = u64::from(request.ask.prompt) + 1;
        loads[id].assign(request, pending);
        instances[id].waiting.push_back(requests, slot);
        self.change_queue(pool, 1);
        self.kick(id);
    }
}
