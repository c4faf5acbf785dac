//! Parameters, weight bytes and arithmetic of an architecture, derived from its shape.

use super::{Architecture, Attention, AttentionBias, Part, Precision};
use crate::units::Dtype;

/// Number format of the unquantized parts: embedding, norms, biases, router, and usually the head.
pub const UNQUANTIZED: Dtype = Dtype::Bf16;

/// Parameters by part, whole model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parameters {
    /// Input embedding table.
    pub embedding: u64,
    /// Output head; 0 if tied to the embedding table.
    pub head: u64,
    /// Attention projections, biases and sinks.
    pub attention: u64,
    /// Feed-forward part of the dense layers.
    pub dense_ffn: u64,
    /// All routed experts.
    pub routed_experts: u64,
    /// Parameters of the routed experts that one token uses.
    pub active_experts: u64,
    /// Shared experts.
    pub shared_experts: u64,
    /// Routers, biases included.
    pub router: u64,
    /// Norms, those of queries, keys and latents included.
    pub norms: u64,
}

impl Parameters {
    /// All parameters.
    pub const fn total(&self) -> u64 {
        self.embedding + self.head + self.attention + self.dense_ffn + self.routed_experts + self.shared_experts + self.router + self.norms
    }

    /// Parameters used by one token, the embedding table included.
    pub const fn active(&self) -> u64 {
        self.total() - self.routed_experts + self.active_experts
    }

    /// Active parameters without the embedding table, of which a token reads a single row.
    pub const fn active_without_embedding(&self) -> u64 {
        self.active() - self.embedding
    }

    /// Parameters of a part that can have formats of its own; those of a tied head are 0.
    pub const fn part(&self, part: Part) -> u64 {
        match part {
            Part::Attention => self.attention,
            Part::Dense => self.dense_ffn,
            Part::Experts => self.routed_experts,
            Part::SharedExperts => self.shared_experts,
            Part::Head => self.head,
        }
    }

    /// Bytes of all weights.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and below 2^63 for a validated architecture")]
    pub fn bytes(&self, precision: &Precision) -> u64 {
        let plain = (self.embedding + self.router + self.norms) as f64 * UNQUANTIZED.bytes();
        let parts = Part::ALL.map(|part| self.part(part) as f64 * precision.part(part).bytes());
        (plain + parts.iter().sum::<f64>()).ceil() as u64
    }
}

impl Attention {
    /// Parameters of one layer's projections, biases and sinks, and of the norms inside attention.
    fn parameters(&self, architecture: &Architecture) -> (u64, u64) {
        let hidden = u64::from(architecture.hidden);
        match *self {
            Self::Grouped { heads, kv_heads, head_dim } => {
                let (q, kv, d) = (u64::from(heads * head_dim), u64::from(2 * kv_heads * head_dim), u64::from(head_dim));
                let biases = match architecture.attention_bias {
                    AttentionBias::None => 0,
                    AttentionBias::Qkv => q + kv,
                    AttentionBias::All => q + kv + hidden,
                };
                let sinks = if architecture.attention_sinks { u64::from(heads) } else { 0 };
                (hidden * (q + kv) + q * hidden + biases + sinks, if architecture.qk_norm { 2 * d } else { 0 })
            }
            Self::Latent { heads, q_lora, kv_lora, nope, rope, value } => {
                let query_width = u64::from(heads) * u64::from(nope + rope);
                let (query, query_norm) = match q_lora.map(u64::from) {
                    Some(rank) => (hidden * rank + rank * query_width, rank),
                    None => (hidden * query_width, 0),
                };
                let down = hidden * u64::from(kv_lora + rope);
                let up = u64::from(kv_lora) * u64::from(heads) * u64::from(nope + value);
                let out = u64::from(heads) * u64::from(value) * hidden;
                (query + down + up + out, query_norm + u64::from(kv_lora))
            }
        }
    }
}

impl Architecture {
    /// Counts the parameters. The architecture must be valid, or the sums may overflow.
    pub fn parameters(&self) -> Parameters {
        let (hidden, layers) = (u64::from(self.hidden), u64::from(self.layers));
        let (attention, inner_norms) = self.attention.parameters(self);
        let embedding = u64::from(self.vocab) * hidden;
        let mut count = Parameters {
            embedding,
            head: if self.tied_embeddings { 0 } else { embedding },
            attention: layers * attention,
            // Two norms per layer and the final one.
            norms: layers * (2 * hidden + inner_norms) + hidden,
            dense_ffn: u64::from(self.dense_layers()) * 3 * hidden * u64::from(self.dense_intermediate.unwrap_or_default()),
            ..Parameters::default()
        };
        if let Some(experts) = self.experts {
            let (layers, routed) = (u64::from(self.expert_layers()), u64::from(experts.routed));
            let width = u64::from(experts.intermediate);
            let bias = if experts.bias { 2 * width + hidden } else { 0 };
            let one = 3 * hidden * width + bias;
            count.routed_experts = layers * routed * one;
            count.active_experts = layers * u64::from(experts.active) * one;
            count.shared_experts = layers * 3 * hidden * u64::from(experts.shared_width());
            count.router = layers * (hidden * routed + if experts.router_bias { routed } else { 0 });
        }
        count
    }

    /// FLOPs of one token that sees `context` tokens, itself included: two per active weight, plus attention over the context.
    pub fn flops_per_token(&self, context: u64) -> f64 {
        let parameters = self.parameters();
        // A tied head is still computed; norms and the embedding lookup are not matrix products.
        let head = u64::from(self.vocab) * u64::from(self.hidden);
        let weights = parameters.active() - parameters.embedding - parameters.head - parameters.norms + head;
        let full = f64::from(self.full_layers()) * context as f64;
        let windowed = self.window.map_or(0.0, |w| f64::from(w.layers) * context.min(u64::from(w.tokens)) as f64);
        2.0 * weights as f64 + self.attention.flops_per_pair() * (full + windowed)
    }
}
