//! `queue-depth`: a request is refused while too many wait everywhere.
//!
//! Rule: refused if each instance that could take it has `limit` or more requests in its queue. It bounds the wait of those that are let in;
//! BLIS has a policy of this kind among its admission policies (docs/guide/admission.md, 2026-08). Without an instance that could take it,
//! the router decides.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::register::Entry;
use super::super::view::{Candidates, RequestView, Signal};
use super::{Admission, Admit};
use crate::workload::Refusal;

/// Its line in the register.
pub(super) fn entry() -> Entry<dyn Admission> {
    let about = "Refuses a request while every instance that could take it has too many waiting.";
    Entry::<dyn Admission>::with("queue-depth", about, |parameters: &Parameters, _| Box::new(QueueDepth { limit: parameters.limit }))
}

/// Parameters of `queue-depth`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Parameters {
    /// Waiting requests of an instance from which on it counts as full.
    #[schemars(range(min = 1))]
    limit: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { limit: 64 }
    }
}

#[derive(Debug)]
struct QueueDepth {
    limit: u32,
}

impl Admission for QueueDepth {
    fn admit(&mut self, _: &RequestView<'_>, candidates: &dyn Candidates) -> Admit {
        let shortest = candidates.least(Signal::Waiting).map(|i| candidates.read(i, Signal::Waiting));
        match shortest {
            Some(waiting) if waiting >= f64::from(self.limit) => Admit::Refuse(Refusal::QueueFull),
            _ => Admit::Now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::router::testing::request;

    /// (Could take the request, requests waiting).
    struct Queues(Vec<(bool, u32)>);

    impl Candidates for Queues {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn instance(&self, i: usize) -> u32 {
            u32::try_from(i).unwrap()
        }
        fn pool(&self, _: usize) -> u32 {
            0
        }
        fn eligible(&self, i: usize) -> bool {
            self.0[i].0
        }
        fn read(&self, i: usize, _: Signal) -> f64 {
            self.0[i].1.into()
        }
    }

    #[test]
    fn one_queue_with_room_is_enough_if_it_could_take_the_request() {
        let admit = |queues: &[(bool, u32)]| QueueDepth { limit: 3 }.admit(&request(), &Queues(queues.to_vec()));
        assert_eq!(admit(&[(true, 3), (true, 2)]), Admit::Now);
        assert_eq!(admit(&[(true, 3), (false, 2), (true, 9)]), Admit::Refuse(Refusal::QueueFull));
        assert_eq!(admit(&[(false, 9)]), Admit::Now);
    }
}
