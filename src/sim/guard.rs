//! The livelock guard: a run that handles events without advancing the clock stops with an error instead of spinning.

use thiserror::Error;

use super::SimTime;

/// The simulation made no progress in time. An internal error, never the user's; the run cannot be resumed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{events} events at {at} without the clock moving")]
pub struct Livelock {
    /// Simulated time of the stall.
    pub at: SimTime,
    /// Events handled at that time.
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

    /// Counts an event at `at`.
    ///
    /// # Errors
    /// [`Livelock`] if more events than the limit occur at one instant.
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
    fn trips_only_when_the_clock_stalls() {
        let mut guard = LivelockGuard::new(3);
        for ns in 0..100 {
            assert!(guard.note(SimTime::from_ns(ns)).is_ok());
        }
        assert!(guard.note(SimTime::from_ns(99)).is_ok());
        assert!(guard.note(SimTime::from_ns(99)).is_ok());
        assert_eq!(guard.note(SimTime::from_ns(99)), Err(Livelock { at: SimTime::from_ns(99), events: 4 }));
    }
}
