//! Links, routes and transfers in flight.
//!
//! Owns: how ports share their bandwidth among transfers. Must not know: what is transferred, and for which request.

mod error;
mod fabric;
mod fill;
mod fixed;
mod group;
mod heap;
mod route;
mod shared;

pub use error::NetworkError;
pub use fabric::Fabric;
pub use group::TransferId;
pub use route::{PortId, RouteId};
