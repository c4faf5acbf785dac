//! The parts of the `cluster` section on what lies between prefill and decode: the network and the handoff.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::constant;
use crate::units::{BytesPerSecond, Duration, Ratio};

/// How requests go on from prefill to decode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Handoff {
    /// Where the first token comes from, and when it leaves.
    #[serde(default)]
    pub first_token: FirstToken,
}

/// Where the first token of a prompt that is handed on comes from, and when its client gets it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FirstToken {
    /// From the prefill side, as soon as the prompt is computed.
    #[default]
    Immediate,
    /// From the prefill side, with the KV: it leaves when that has arrived, as in `SGLang` and TensorRT-LLM.
    Seeded,
    /// From the decode side, which computes the last token of the prompt again in its first iteration; what prefill generated is dropped, as
    /// in vLLM with NIXL.
    Recomputed,
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
    pub overlap: KvOverlap,
    /// How long a sender keeps the KV of a transfer whose receiver has failed before it offers it again, and with layer-wise overlap, how long
    /// it then offers it before the request starts over. Default: `SGLang` gives a peer up
    /// after two heartbeats of 5 s (`SGLANG_DISAGGREGATION_HEARTBEAT_INTERVAL`, `…_MAX_FAILURE`, 2026).
    #[serde(default = "failure_timeout")]
    #[schemars(extend("x-above" = 0))]
    pub failure_timeout: Duration,
    /// Bandwidth that all transfers together share. Absent: only the ports limit them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0))]
    pub fabric_bandwidth: Option<BytesPerSecond>,
}

impl Default for KvNetwork {
    fn default() -> Self {
        Self { link: None, overrides: None, overlap: KvOverlap::default(), failure_timeout: failure_timeout(), fabric_bandwidth: None }
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

/// When the KV transfer of a request starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum KvOverlap {
    /// When its prefill is done.
    #[default]
    AfterPrefill,
    /// Layer by layer while the prefill runs; only what is left over is seen.
    LayerWise,
}

fn failure_timeout() -> Duration {
    constant(Duration::new(10.0))
}
