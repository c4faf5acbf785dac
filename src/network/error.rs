//! What a network refuses.

use thiserror::Error;

/// A call that is refused: an error of the caller. Nothing is changed, the network can go on.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A capacity is not a number above zero, or is beyond any link.
    #[error("a port of {0} B/s: expected more than 0 and less than 1e21")]
    Capacity(f64),
    /// A limit is not a number above zero; infinite is none.
    #[error("a transfer limited to {0} B/s: expected more than 0")]
    Limit(f64),
    /// Bytes are not a finite number above zero, or more than the network can count.
    #[error("a transfer of {0} bytes: expected more than 0, and less than 7e19 in all")]
    Bytes(f64),
    /// A route crosses no port, an unknown port, or one port twice.
    #[error("a route crosses known ports, at least one, each once")]
    Route,
    /// The transfer has ended, or never was.
    #[error("no such transfer is in flight")]
    NotInFlight,
    /// An index is used up.
    #[error("more than 4 billion ports, routes or transfers")]
    TooMany,
}
