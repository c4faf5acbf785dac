//! The livelock guard: a run that handles events without the clock moving is stopped with an error instead of spinning for ever.

use thiserror::Error;

use super::SimTime;

/// The simulation made no progress in time. Our own error, never the user's; the run cannot be resumed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{events} events at {at} without the clock moving")]
pub struct Livelock {
    /// Where the clock stands.
    pub at: SimTime,
    /// Events handled there.
    pub events: u64,
}

/// Counts events per instant of time.
#[derive(Debug, Clone)]
pub struct LivelockGuard {
    limit: u64,
    at: SimTime,
    events: u64,
}

impl LivelockGuard {
    /// Allows `limit` events at one instant.
    pub const fn new(limit: u64) -> Self {
        Self { limit, at: SimTime::ZERO, events: 0 }
    }

    /// Notes an event at `at`.
    ///
    /// # Errors
    /// [`Livelock`] once more than the limit happen at one instant.
    pub fn note(&mut self, at: SimTime) -> Result<(), Livelock> {
        if at > self.at {
            self.at = at;
            self.events = 0;
        }
        self.events += 1;
        if self.events > self.limit { Err(Livelock { at, events: self.events }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trips_only_when_the_clock_stands_still() {
        let mut guard = LivelockGuard::new(3);
        for ns in 0..100 {
            assert!(guard.note(SimTime::from_ns(ns)).is_ok());
        }
        assert!(guard.note(SimTime::from_ns(99)).is_ok());
        assert!(guard.note(SimTime::from_ns(99)).is_ok());
        assert_eq!(guard.note(SimTime::from_ns(99)), Err(Livelock { at: SimTime::from_ns(99), events: 4 }));
    }
}
