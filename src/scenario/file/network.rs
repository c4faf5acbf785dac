//! The parts of the `cluster` section between prefill and decode: the network and the handoff.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cluster::{FirstToken, Overlap};
use crate::sim::SimDuration;
use crate::units::{BytesPerSecond, Duration, Ratio};

/// Handoff of requests from prefill to decode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Handoff {
    /// Source of the first token, and when it leaves.
    #[serde(default)]
    pub first_token: FirstToken,
}

/// The network between instances.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Transfer of KV caches from prefill to decode.
    #[serde(default)]
    pub kv: KvNetwork,
}

/// Transfer of KV caches from prefill to decode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KvNetwork {
    /// Name of a link profile. Absent: the `scale_out` link of the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Overrides of the link profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<NetworkOverrides>,
    /// Start of the transfer.
    #[serde(default)]
    pub overlap: Overlap,
    /// Time for which a sender keeps the KV of a transfer after its receiver has failed, before it offers it again; with layer-wise overlap,
    /// also the time for which it then offers it before the request starts over. Default: `SGLang` drops a peer after two heartbeats of 5 s
    /// (`SGLANG_DISAGGREGATION_HEARTBEAT_INTERVAL`, `…_MAX_FAILURE`, 2026).
    #[serde(default = "failure_timeout")]
    #[schemars(extend("x-above" = 0))]
    pub failure_timeout: SimDuration,
    /// Total bandwidth shared by all transfers. Absent: only the ports limit them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0))]
    pub fabric_bandwidth: Option<BytesPerSecond>,
}

impl Default for KvNetwork {
    fn default() -> Self {
        Self { link: None, overrides: None, overlap: Overlap::default(), failure_timeout: failure_timeout(), fabric_bandwidth: None }
    }
}

/// Overrides of the link profile.
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
