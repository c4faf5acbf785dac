//! Bytes and rates as whole multiples of 2⁻⁶⁰: sums and differences are exact, in any order, and never drift.

use crate::sim::{SimDuration, SimTime};

/// Bytes, or bytes per nanosecond, times 2⁶⁰. A rate is finer than the last bit of an `f64` from 4 MB/s on; bytes reach to 2⁶⁷.
pub(super) type Fixed = i128;

/// An unlimited rate.
pub(super) const FREE: Fixed = Fixed::MAX;

const SCALE: f64 = (1u64 << 60) as f64;

/// Bytes per nanosecond, rounded down; infinite is [`FREE`].
#[expect(clippy::cast_possible_truncation, reason = "saturates")]
pub(super) fn rate(bytes_per_ns: f64) -> Fixed {
    (bytes_per_ns * SCALE) as Fixed
}

/// Bytes, rounded up so that positive work never takes zero time.
#[expect(clippy::cast_possible_truncation, reason = "saturates")]
pub(super) fn bytes(bytes: f64) -> Fixed {
    ((bytes * SCALE).ceil() as Fixed).max(1)
}

/// Converts to bytes, for reports.
pub(super) fn to_bytes(fixed: Fixed) -> f64 {
    fixed as f64 / SCALE
}

/// Bytes that one transfer has moved since some start: a virtual time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Clock {
    position: Fixed,
    since: SimTime,
    rate: Fixed,
}

impl Clock {
    /// Starts at a position.
    pub(super) const fn new(position: Fixed, since: SimTime, rate: Fixed) -> Self {
        Self { position, since, rate }
    }

    /// Position at a time.
    pub(super) fn at(&self, now: SimTime) -> Fixed {
        self.position + self.rate * Fixed::from(now.since(self.since).ns())
    }

    /// Changes the rate.
    pub(super) fn set(&mut self, now: SimTime, rate: Fixed) {
        *self = Self::new(self.at(now), now, rate);
    }

    /// The first nanosecond at which a position is reached.
    pub(super) fn reaches(&self, target: Fixed) -> SimTime {
        let left = target - self.position;
        if left <= 0 {
            return self.since;
        }
        if self.rate <= 0 {
            return SimTime::NEVER;
        }
        let ns = left.unsigned_abs().div_ceil(self.rate.unsigned_abs());
        u64::try_from(ns).map_or(SimTime::NEVER, |ns| self.since + SimDuration::from_ns(ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_reaches_a_position_at_the_first_nanosecond_at_or_after_it() {
        // 3 bytes per nanosecond from 10 ns on: 7 bytes after 2 1/3 ns, 9 after 3.
        let clock = Clock::new(0, SimTime::from_ns(10), rate(3.0));
        assert_eq!([7.0, 9.0].map(|b| clock.reaches(bytes(b))), [13, 13].map(SimTime::from_ns));
        assert_eq!(clock.reaches(0), SimTime::from_ns(10));
        assert!(clock.at(SimTime::from_ns(12)) < bytes(7.0) && clock.at(SimTime::from_ns(13)) == bytes(9.0));
        assert_eq!(Clock::default().reaches(1), SimTime::NEVER);
    }

    #[test]
    fn values_of_an_f64_are_exact() {
        for x in [1.0 / 3.0, 42.5, 0.125, 1e-3, 1234.5] {
            assert_eq!(to_bytes(rate(x)).to_bits(), x.to_bits());
        }
        assert_eq!((rate(f64::INFINITY), bytes(1e-30)), (FREE, 1));
    }
}
