//! Links, routes and transfers in flight.
//!
//! Owns: how ports share their bandwidth among transfers. Must not know: what is transferred, or who waits for it.

mod fabric;
mod tournament;

pub use fabric::{Fabric, PortId, Route, TransferId};
