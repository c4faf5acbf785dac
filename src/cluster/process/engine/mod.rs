//! The serving engines: what a node does with the requests that it is given.
//!
//! | engine | nodes | work in flight | its end | forms new work |
//! |---|---|---|---|---|
//! | [`continuous`]: continuous batching | instances of `cluster.pools` | a plan of iterations, of which the calendar keeps the end | `Event::IterationFinished` | `Wake::Instance` |
//! | [`station`]: one queue, k workers | stations of frontends | one request a worker | `Event::Served` | at once |
//!
//! The nodes of an engine are a typed arena of their own in `state/`, and an event names the node: the match over events in `run.rs` is the
//! match over engines, without a virtual call. A further engine is its store, its process here, and its events.

mod batch;
mod continuous;
pub(crate) mod station;

pub(crate) use continuous::{finish, form};
