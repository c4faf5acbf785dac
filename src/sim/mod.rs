//! The discrete-event kernel: integer time, the event queue, random streams, arenas, tournaments, the livelock guard.
//! Knows nothing of language models.
//!
//! # Order
//! Events are totally ordered by (time, class, entity, sequence). The caller supplies class and entity, so two events at the same nanosecond are
//! handled in an order independent of *when* they were scheduled. Stepping and fast-forwarding therefore agree to the byte: both handle the same
//! boundary at the same position in the order.

mod arena;
mod guard;
mod queue;
mod random;
mod time;
mod tournament;

pub(crate) use arena::impl_id;
pub use arena::{Arena, Id, TooMany};
pub use guard::{Livelock, LivelockGuard};
pub use queue::{EventKey, EventQueue, Generation};
pub use random::{Purpose, Stream, Streams};
pub use time::{SimDuration, SimTime};
pub use tournament::Tournament;
