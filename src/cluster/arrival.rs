//! A request comes in: routing, admission to a queue, or rejection.

use super::event::{InstanceId, Slot};
use super::observe::{Observer, Outcome};
use super::request::Request;
use super::state::Cluster;
use crate::policy::{Candidates, RequestView};
use crate::workload::RequestSpec;

/// Entry instances as a router sees them.
struct Entries<'a> {
    instances: &'a [super::instance::Instance],
    ids: &'a [InstanceId],
    prompt: u32,
}

impl Candidates for Entries<'_> {
    fn len(&self) -> usize {
        self.ids.len()
    }
    fn eligible(&self, i: usize) -> bool {
        self.prompt < self.instances[self.ids[i].at()].engine.max_model_len
    }
    fn in_flight(&self, i: usize) -> u64 {
        self.instances[self.ids[i].at()].in_flight
    }
    fn pending_tokens(&self, i: usize) -> u64 {
        self.instances[self.ids[i].at()].pending_tokens
    }
}

impl<O: Observer> Cluster<O> {
    /// A request arrives now.
    pub(super) fn on_arrival(&mut self, spec: RequestSpec) {
        let class = spec.class;
        self.observer.arrived(self.now, class);
        let request = Request::new(self.requests.arrived, self.now, spec);
        let prompt = request.prompt;
        let slot = self.requests.insert(request);
        self.note_deadline(slot);
        let model = self.model_of(slot);
        let longest = self.longest_decode_context(model);
        let route = &mut self.routes[model];
        if route.entry.is_empty() {
            return self.depart(slot, Outcome::RejectedNoInstance);
        }
        let candidates = Entries { instances: &self.instances, ids: &route.entry, prompt };
        let view = RequestView { class, prompt_tokens: prompt };
        let Some(chosen) = route.entry_router.route(&view, &candidates) else {
            return self.depart(slot, Outcome::RejectedPromptTooLong);
        };
        let id = route.entry[chosen];
        self.enter(slot, id, longest);
    }

    /// The longest context that every decode instance of a model can hold; `None` if there is none.
    fn longest_decode_context(&self, model: usize) -> Option<u32> {
        self.routes[model].decode.iter().map(|id| self.instances[id.at()].engine.max_model_len).min()
    }

    /// Puts a new request into the queue of an instance.
    fn enter(&mut self, slot: Slot, id: InstanceId, longest_decode: Option<u32>) {
        let pool = self.instances[id.at()].pool;
        let mut limit = self.instances[id.at()].engine.max_model_len;
        if self.pools[pool.at()].hands_on {
            let Some(longest) = longest_decode else { return self.depart(slot, Outcome::RejectedNoInstance) };
            limit = limit.min(longest);
        }
        let request = &mut self.requests[slot];
        if request.prompt >= limit {
            return self.depart(slot, Outcome::RejectedPromptTooLong);
        }
        let room = limit - request.prompt;
        request.truncated = request.output > room;
        request.output = request.output.min(room);
        request.instance = id;
        // Behind others in the queue it changes nothing before they have moved.
        if self.instances[id.at()].waiting.is_empty() {
            self.touch(id);
        }
        let Self { instances, requests, .. } = self;
        let request = &mut requests[slot];
        let pending = u64::from(request.prompt) + 1;
        instances[id.at()].assign(request, pending);
        instances[id.at()].waiting.push_back(requests, slot);
        self.change_queue(pool, 1);
        self.kick(id);
    }
}
