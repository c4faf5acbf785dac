//! Load signals of an instance, as routers read them. Stored side by side, apart from the instances, because some routers scan all of them.

use super::request::Request;
use crate::policy::Signal;

/// The load signals of one instance.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    in_flight: u64,
    pending_tokens: u64,
}

impl Load {
    /// A signal that the router itself counts; `None` for those of the instance.
    pub(crate) const fn read(&self, signal: Signal) -> Option<u64> {
        match signal {
            Signal::InFlight => Some(self.in_flight),
            Signal::PendingTokens => Some(self.pending_tokens),
            _ => None,
        }
    }

    /// Requests assigned to the instance and not yet done there.
    pub(crate) const fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Assigns a request: its whole prompt and one more token are pending.
    pub(super) fn assign(&mut self, request: &mut Request) {
        let pending = to_go(request);
        self.in_flight += 1;
        self.pending_tokens += pending;
        request.progress.pending = pending;
    }

    /// Expects a request by handoff; it still counts on its prefill instance too.
    pub(super) fn expect(&mut self, request: &Request) {
        self.in_flight += 1;
        self.pending_tokens += to_go(request);
    }

    /// Cancels an expected request.
    pub(super) fn expect_no_more(&mut self, request: &Request) {
        self.in_flight -= 1;
        self.pending_tokens -= to_go(request);
    }

    /// Delivers an expected request: its pending tokens are now its own.
    pub(super) fn arrive(request: &mut Request) {
        request.progress.pending = to_go(request);
    }

    /// Subtracts prompt tokens that were computed or found in the cache; one token stays pending per request.
    pub(super) fn computed(&mut self, request: &mut Request, tokens: u32) {
        let done = u64::from(tokens).min(request.progress.pending.saturating_sub(1));
        request.progress.pending -= done;
        self.pending_tokens -= done;
    }

    /// Adds `tokens` of a request that lost its KV.
    pub(super) fn add_pending(&mut self, request: &mut Request, tokens: u32) {
        request.progress.pending += u64::from(tokens);
        self.pending_tokens += u64::from(tokens);
    }

    /// Removes a request that has left.
    pub(super) fn unassign(&mut self, request: &mut Request) {
        self.in_flight -= 1;
        self.pending_tokens -= request.progress.pending;
        request.progress.pending = 0;
    }
}

/// Pending tokens of a request before anything is computed: those up to its next token, and that token.
fn to_go(request: &Request) -> u64 {
    u64::from(request.progress.target) + 1
}
