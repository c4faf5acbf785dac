//! What routers ask of an instance. Kept apart from the rest, side by side: some look at those of all instances.

use super::request::Request;

/// The load signals of one instance.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    in_flight: u64,
    pending_tokens: u64,
}

impl Load {
    /// Requests assigned to the instance and not yet done there.
    pub(crate) const fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// What these add up to in tokens to go.
    pub(crate) const fn pending_tokens(&self) -> u64 {
        self.pending_tokens
    }

    /// Takes on a request with its whole prompt to go, and one token.
    pub(super) fn assign(&mut self, request: &mut Request) {
        let pending = to_go(request);
        self.in_flight += 1;
        self.pending_tokens += pending;
        request.progress.pending = pending;
    }

    /// Takes on a request that will come by handoff; it still counts where its prompt is computed.
    pub(super) fn expect(&mut self, request: &Request) {
        self.in_flight += 1;
        self.pending_tokens += to_go(request);
    }

    /// A request that was expected does not come.
    pub(super) fn expect_no_more(&mut self, request: &Request) {
        self.in_flight -= 1;
        self.pending_tokens -= to_go(request);
    }

    /// An expected request has come: what was expected of it is its own from now on.
    pub(super) fn arrive(request: &mut Request) {
        request.progress.pending = to_go(request);
    }

    /// Notes prompt tokens of a request as computed or found in the cache; the one token that every request counts for stays.
    pub(super) fn computed(&mut self, request: &mut Request, tokens: u32) {
        let done = u64::from(tokens).min(request.progress.pending.saturating_sub(1));
        request.progress.pending -= done;
        self.pending_tokens -= done;
    }

    /// A request that lost its KV has `tokens` more to go.
    pub(super) fn add_pending(&mut self, request: &mut Request, tokens: u32) {
        request.progress.pending += u64::from(tokens);
        self.pending_tokens += u64::from(tokens);
    }

    /// A request has left.
    pub(super) fn unassign(&mut self, request: &mut Request) {
        self.in_flight -= 1;
        self.pending_tokens -= request.progress.pending;
        request.progress.pending = 0;
    }
}

/// Tokens of a request of which nothing is computed: those before its next token, and that one.
fn to_go(request: &Request) -> u64 {
    u64::from(request.progress.target) + 1
}
