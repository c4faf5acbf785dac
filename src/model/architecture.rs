//! A transformer as its published configuration describes it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The shape of a decoder-only transformer. All counts are per model, not per chip.
///
/// Prediction heads beyond the next token (MTP) and vision towers are not included.
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
    #[serde(default, skip_serializing_if = "is_false")]
    pub tied_embeddings: bool,
    /// Form of attention, and what it caches.
    pub attention: Attention,
    /// Biases of the attention projections.
    #[serde(default, skip_serializing_if = "AttentionBias::is_none")]
    pub attention_bias: AttentionBias,
    /// True if queries and keys are normalised per head before attention, with one weight per element of a head.
    #[serde(default, skip_serializing_if = "is_false")]
    pub qk_norm: bool,
    /// True if each head has a learned logit that absorbs attention (a sink).
    #[serde(default, skip_serializing_if = "is_false")]
    pub attention_sinks: bool,
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

/// Form of attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        q_lora: Option<u32>,
        /// Rank of the key-value compression; cached together with `rope`.
        kv_lora: u32,
        /// Width of the non-rotary part of a key head.
        nope: u32,
        /// Width of the shared rotary key, cached.
        rope: u32,
        /// Width of a value head.
        value: u32,
    },
}

/// Which attention projections have a bias.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AttentionBias {
    /// None.
    #[default]
    None,
    /// Query, key and value.
    Qkv,
    /// Query, key, value and output.
    All,
}

/// Layers with a sliding window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlidingWindow {
    /// Window of such a layer, in tokens.
    pub tokens: u32,
    /// Number of such layers.
    pub layers: u32,
}

/// Mixture-of-experts layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experts {
    /// Routed experts per layer.
    pub routed: u32,
    /// Routed experts used by each token.
    pub active: u32,
    /// Experts used by every token.
    #[serde(default)]
    pub shared: u32,
    /// Inner width of one expert.
    pub intermediate: u32,
    /// Inner width of one shared expert; as `intermediate` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_intermediate: Option<u32>,
    /// Dense layers at the start.
    #[serde(default)]
    pub first_dense_layers: u32,
    /// True if the router has a bias per expert.
    #[serde(default, skip_serializing_if = "is_false")]
    pub router_bias: bool,
    /// True if the three projections of each expert have biases.
    #[serde(default, skip_serializing_if = "is_false")]
    pub bias: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature required by serde")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl AttentionBias {
    /// True if no projection has a bias.
    pub const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

impl Experts {
    /// Inner width of all shared experts together.
    pub fn shared_width(&self) -> u32 {
        self.shared * self.shared_intermediate.unwrap_or(self.intermediate)
    }
}

impl Attention {
    /// Query heads.
    pub const fn heads(&self) -> u32 {
        match *self {
            Self::Grouped { heads, .. } | Self::Latent { heads, .. } => heads,
        }
    }

    /// Elements cached per token in one layer.
    pub const fn cached_elements(&self) -> u32 {
        match *self {
            Self::Grouped { kv_heads, head_dim, .. } => 2 * kv_heads * head_dim,
            Self::Latent { kv_lora, rope, .. } => kv_lora + rope,
        }
    }

    /// FLOPs of one (query, key) pair in one layer, all heads: two products, two FLOPs per element each. For latent attention, of the expanded form
    /// used in prefill.
    pub fn flops_per_pair(&self) -> f64 {
        match *self {
            Self::Grouped { heads, head_dim, .. } => 4.0 * f64::from(heads) * f64::from(head_dim),
            Self::Latent { heads, nope, rope, value, .. } => 2.0 * f64::from(heads) * f64::from(nope + rope + value),
        }
    }
}

impl Architecture {
    /// Layers with a dense feed-forward part.
    pub fn dense_layers(&self) -> u32 {
        self.experts.map_or(self.layers, |e| e.first_dense_layers)
    }

    /// Layers with a mixture of experts.
    pub fn expert_layers(&self) -> u32 {
        self.layers - self.dense_layers()
    }

    /// Layers with a sliding window.
    pub fn windowed_layers(&self) -> u32 {
        self.window.map_or(0, |w| w.layers)
    }

    /// Layers that see the whole context.
    pub fn full_layers(&self) -> u32 {
        self.layers - self.windowed_layers()
    }
}
