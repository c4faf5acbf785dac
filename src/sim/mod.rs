//! The discrete-event kernel: integer time, the event queue, random streams, arenas, tournaments, the livelock guard. Knows nothing of language models.
//!
//! # Order
//! Events are totally ordered by (time, class, entity, sequence). Class and entity are given by whoever schedules, so that two events
//! at the same nanosecond are handled in an order that does not depend on *when* they were scheduled. That is what makes stepping
//! and fast-forwarding agree to the byte: both handle the same boundary at the same place in the order.

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
