//! The parts of the `cluster` section on what lies between prefill and decode: the network and the handoff.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cluster::{FirstToken, Overlap};
use crate::sim::SimDuration;
use crate::units::{BytesPerSecond, Duration, Ratio};

/// How requests go on from prefill to decode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Handoff {
    /// Where the first token comes from, and when it leaves.
    #[serde(default)]
    pub first_token: FirstToken,
}

/// The network between instances.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// How KV caches travel from prefill to decode.
    #[serde(default)]
    pub kv: KvNetwork,
}

/// How KV caches travel from prefill to decode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KvNetwork {
    /// Name of a link profile. Absent: the `scale_out` link of the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// What differs from the link profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<NetworkOverrides>,
    /// When the transfer starts.
    #[serde(default)]
    pub overlap: Overlap,
    /// How long a sender keeps the KV of a transfer whose receiver has failed before it offers it again, and with layer-wise overlap, how long
    /// it then offers it before the request starts over. Default: `SGLang` gives a peer up
    /// after two heartbeats of 5 s (`SGLANG_DISAGGREGATION_HEARTBEAT_INTERVAL`, `…_MAX_FAILURE`, 2026).
    #[serde(default = "failure_timeout")]
    #[schemars(extend("x-above" = 0))]
    pub failure_timeout: SimDuration,
    /// Bandwidth that all transfers together share. Absent: only the ports limit them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0))]
    pub fabric_bandwidth: Option<BytesPerSecond>,
}

impl Default for KvNetwork {
    fn default() -> Self {
        Self { link: None, overrides: None, overlap: Overlap::default(), failure_timeout: failure_timeout(), fabric_bandwidth: None }
    }
}

/// What differs from the link profile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkOverrides {
    /// Line rate per direction and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0))]
    pub bandwidth: Option<BytesPerSecond>,
    /// One-way latency of a small message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Duration>,
    /// Fraction of the line rate that bulk transfers reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0, "x-most" = 1))]
    pub efficiency: Option<Ratio>,
}

const fn failure_timeout() -> SimDuration {
    SimDuration::from_ns(10_000_000_000)
}
