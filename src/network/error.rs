//! Errors of a network.

use thiserror::Error;

/// A refused call: an error of the caller. The network is unchanged and can be used further.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The capacity is not a number above zero, or is beyond any link.
    #[error("a port of {0} B/s: expected more than 0 and less than 1e21")]
    Capacity(f64),
    /// The limit is not a number above zero; infinity means no limit.
    #[error("a transfer limited to {0} B/s: expected more than 0")]
    Limit(f64),
    /// The bytes are not a finite number above zero, or more than the network can count.
    #[error("a transfer of {0} bytes: expected more than 0, and less than 7e19 in all")]
    Bytes(f64),
    /// The route crosses no port, an unknown port, or one port twice.
    #[error("a route crosses known ports, at least one, each once")]
    Route,
    /// The transfer has ended, or never existed.
    #[error("no such transfer is in flight")]
    NotInFlight,
    /// Indices are used up.
    #[error("more than 4 billion ports, routes or transfers")]
    TooMany,
}
