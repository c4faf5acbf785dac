//! Simulated time as whole nanoseconds: no drift, no epsilon, exact equality.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::{Duration, QuantityError, nearest};

/// A point in simulated time, nanoseconds since the start of the run. Range: 584 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct SimTime(u64);

/// A span of simulated time, nanoseconds. Written as a [`Duration`], rounded to the nearest nanosecond; more than none is at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct SimDuration(u64);

const NS_PER_S: f64 = 1e9;

impl SimTime {
    /// The start of the run.
    pub const ZERO: Self = Self(0);
    /// Later than any scheduled event.
    pub const NEVER: Self = Self(u64::MAX);

    /// From nanoseconds.
    pub const fn from_ns(ns: u64) -> Self {
        Self(ns)
    }
    /// As nanoseconds.
    pub const fn ns(self) -> u64 {
        self.0
    }
    /// As seconds, for reports.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NS_PER_S
    }
    /// The span since `earlier`; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> SimDuration {
        SimDuration(self.0.saturating_sub(earlier.0))
    }
}

impl SimDuration {
    /// Zero time.
    pub const ZERO: Self = Self(0);

    /// From nanoseconds.
    pub const fn from_ns(ns: u64) -> Self {
        Self(ns)
    }
    /// As nanoseconds.
    pub const fn ns(self) -> u64 {
        self.0
    }
    /// As seconds, for reports.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NS_PER_S
    }
    /// As milliseconds, for reports.
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
    /// From seconds, rounded up so that positive work never takes zero time. `None` for NaN, negative or beyond 292 years.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "range checked")]
    pub fn from_secs_f64(seconds: f64) -> Option<Self> {
        let ns = (seconds * NS_PER_S).ceil();
        (0.0..9.2e18).contains(&ns).then_some(Self(ns as u64))
    }
}

impl Add<SimDuration> for SimTime {
    type Output = Self;
    fn add(self, span: SimDuration) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<SimDuration> for SimTime {
    fn add_assign(&mut self, span: SimDuration) {
        *self = *self + span;
    }
}

impl Add for SimDuration {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for SimDuration {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for SimDuration {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl From<Duration> for SimDuration {
    fn from(duration: Duration) -> Self {
        let seconds = duration.get();
        Self(nearest(seconds * NS_PER_S).max(u64::from(seconds > 0.0)))
    }
}

impl TryFrom<SimDuration> for Duration {
    type Error = QuantityError;
    fn try_from(span: SimDuration) -> Result<Self, QuantityError> {
        Self::try_from(span.as_secs_f64())
    }
}

impl fmt::Display for SimDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Duration::try_from(*self).map_err(|_| fmt::Error)?.fmt(f)
    }
}

impl Serialize for SimDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Duration::try_from(*self).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SimDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Duration::deserialize(deserializer).map(Self::from)
    }
}

impl JsonSchema for SimDuration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Duration::schema_name()
    }
    fn inline_schema() -> bool {
        Duration::inline_schema()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Duration::json_schema(generator)
    }
}

impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6} s", self.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(ns in prop_oneof![0u64..2_000, 0u64..4_000_000_000_000, 0u64..3_155_760_000_000_000_000]) {
            // Beyond 2^53 ns seconds have no room for every nanosecond.
            let once: SimDuration = serde_json::from_value(serde_json::to_value(SimDuration(ns)).unwrap()).unwrap();
            let twice: SimDuration = serde_json::from_value(serde_json::to_value(once).unwrap()).unwrap();
            prop_assert_eq!(once, twice);
            prop_assert!(once.0.abs_diff(ns) <= ns >> 51, "{} {}", once.0, ns);
        }
    }

    #[test]
    fn durations_are_the_nearest_nanosecond() {
        let of = |text: &str| SimDuration::from(text.parse::<Duration>().unwrap());
        assert_eq!((of("15 us"), of("50 ms"), of("0 s")), (SimDuration(15_000), SimDuration(50_000_000), SimDuration::ZERO));
        assert_eq!(of("0.1 ns"), SimDuration(1));
        assert_eq!(of("90 min").to_string(), "1.5 h");
    }

    #[test]
    fn seconds_round_up_and_invalid_values_are_rejected() {
        assert_eq!(SimDuration::from_secs_f64(0.0), Some(SimDuration::ZERO));
        assert_eq!(SimDuration::from_secs_f64(1e-12), Some(SimDuration::from_ns(1)));
        assert_eq!(SimDuration::from_secs_f64(1.5), Some(SimDuration::from_ns(1_500_000_000)));
        assert_eq!(SimDuration::from_secs_f64(f64::NAN), None);
        assert_eq!(SimDuration::from_secs_f64(f64::INFINITY), None);
        assert_eq!(SimDuration::from_secs_f64(-1.0), None);
    }

    #[test]
    fn time_saturates_instead_of_wrapping() {
        assert_eq!(SimTime::NEVER + SimDuration::from_ns(1), SimTime::NEVER);
        assert_eq!(SimTime::from_ns(3).since(SimTime::from_ns(5)), SimDuration::ZERO);
    }
}
