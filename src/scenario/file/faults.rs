//! The `faults` section and what becomes of the requests: instances that go down and come back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::constant;
use crate::units::{Duration, Ratio};

/// An instance goes down at a given time, and comes back. Its KV is lost; its requests are sent again, as `policies.retry` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When, since the start of the run.
    pub at: Duration,
    /// Which: `POOL/N`, counted from 0 within its pool.
    #[schemars(length(min = 1))]
    pub instance: String,
    /// How long it is off. Absent: for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<Duration>,
    /// Time from power on to the first request, in which it loads weights and draws idle power.
    #[serde(default = "no_time")]
    pub start: Duration,
    /// A planned restart: from `at` on it takes no new requests, finishes those it has, and then goes down.
    #[serde(default)]
    pub drain: bool,
}

/// What becomes of a request whose instance fails, or that finds none.
///
/// Defaults: three attempts, as the documentation of NVIDIA Dynamo advises for `--migration-limit`; times of the model gateway `smg`
/// (50 ms, times 1.5, at most 30 s), 2026.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How often it is sent again before it has failed.
    #[serde(default = "attempts")]
    #[schemars(range(max = 1000))]
    pub attempts: u32,
    /// Time before it is sent again the first time.
    #[serde(default = "back_off")]
    #[schemars(extend("x-above" = 0))]
    pub back_off: Duration,
    /// By how much that time grows with each attempt.
    #[serde(default = "multiplier")]
    #[schemars(extend("x-least" = 1, "x-most" = 100))]
    pub multiplier: Ratio,
    /// The longest that it becomes.
    #[serde(default = "max_back_off")]
    #[schemars(extend("x-above" = 0))]
    pub max_back_off: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: attempts(), back_off: back_off(), multiplier: multiplier(), max_back_off: max_back_off() }
    }
}

fn no_time() -> Duration {
    constant(Duration::new(0.0))
}

const fn attempts() -> u32 {
    3
}

fn back_off() -> Duration {
    constant(Duration::new(0.05))
}

fn multiplier() -> Ratio {
    constant(Ratio::new(1.5))
}

fn max_back_off() -> Duration {
    constant(Duration::new(30.0))
}
