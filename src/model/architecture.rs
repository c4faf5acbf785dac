//! A transformer as its published configuration describes it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Dtype;

/// The shape of a decoder-only transformer. All counts are per model, not per chip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Decoder layers.
    pub layers: u32,
    /// Width of the residual stream.
    pub hidden: u32,
    /// Vocabulary entries.
    pub vocab: u32,
    /// Longest prompt plus output, in tokens.
    pub max_context: u32,
    /// True if input embedding and output head are one matrix.
    #[serde(default)]
    pub tied_embeddings: bool,
    /// How attention is computed and what is cached.
    pub attention: Attention,
    /// Layers that attend only to the last few tokens. Absent: all layers see the whole context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<SlidingWindow>,
    /// Inner width of the dense feed-forward layers; absent if every layer is a mixture of experts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dense_intermediate: Option<u32>,
    /// Mixture-of-experts layers. Absent: all layers are dense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experts: Option<Experts>,
}

/// How attention is computed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Attention {
    /// Multi-head, grouped-query (`kv_heads < heads`) or multi-query (`kv_heads = 1`) attention.
    Grouped {
        /// Query heads.
        heads: u32,
        /// Key and value heads.
        kv_heads: u32,
        /// Width of one head.
        head_dim: u32,
    },
    /// Multi-head latent attention (DeepSeek): one compressed vector per token is cached for all heads.
    Latent {
        /// Heads.
        heads: u32,
        /// Rank of the query compression; absent if queries are not compressed.
        q_lora: Option<u32>,
        /// Rank of the key-value compression: what is cached, with `rope`.
        kv_lora: u32,
        /// Width of a key head without position.
        nope: u32,
        /// Width of the shared rotary key, cached.
        rope: u32,
        /// Width of a value head.
        value: u32,
    },
}

/// Layers with a bounded view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlidingWindow {
    /// Tokens that such a layer sees.
    pub tokens: u32,
    /// How many of the layers are such.
    pub layers: u32,
}

/// Mixture-of-experts layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experts {
    /// Routed experts per layer.
    pub routed: u32,
    /// Routed experts that each token uses.
    pub active: u32,
    /// Experts that every token uses.
    #[serde(default)]
    pub shared: u32,
    /// Inner width of one expert.
    pub intermediate: u32,
    /// Layers at the start that are dense instead.
    #[serde(default)]
    pub first_dense_layers: u32,
}

/// Number formats of a served model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Precision {
    /// Attention and dense feed-forward weights.
    pub weights: Dtype,
    /// Expert weights; as `weights` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experts: Option<Dtype>,
    /// The KV cache.
    pub kv: Dtype,
}
