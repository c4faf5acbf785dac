//! The `faults` section: instances that go down and come back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sim::SimDuration;

/// An instance goes down at a given time, and comes back. Its KV is lost; its requests are retried according to `policies.retry`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Time of the failure, from the start of the run.
    pub at: SimDuration,
    /// Instance: `POOL/N`, counted from 0 within its pool.
    #[schemars(length(min = 1))]
    pub instance: String,
    /// Downtime. Absent: permanent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<SimDuration>,
    /// Startup time from power on to the first request: it loads weights and draws idle power.
    #[serde(default)]
    pub start: SimDuration,
    /// A planned restart: from `at` on it takes no new requests, finishes those it has, and then goes down.
    #[serde(default)]
    pub drain: bool,
}
