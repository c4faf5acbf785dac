//! Validation of an architecture, so that later computations cannot overflow or divide by zero.

use super::{Architecture, Attention, ModelError};

/// `value` of `key` must lie between `least` and `most`.
fn within(key: &'static str, found: u32, least: u32, most: u32) -> Result<(), ModelError> {
    if (least..=most).contains(&found) { Ok(()) } else { Err(ModelError::OutOfRange { key, found, least, most }) }
}

/// Maximum width of the residual stream or a feed-forward layer; enough for any model known or planned.
const WIDEST: u32 = 1 << 18;
/// Maximum number of heads, and maximum width of a head or compression rank.
const MOST_HEADS: u32 = 1 << 12;
/// Maximum number of experts.
const MOST_EXPERTS: u32 = 1 << 14;
/// Maximum number of layers.
const MOST_LAYERS: u32 = 1 << 10;
/// Maximum vocabulary.
const LARGEST_VOCAB: u32 = 1 << 24;
/// Maximum context.
const LONGEST_CONTEXT: u32 = 1 << 27;

impl Architecture {
    /// Checks ranges and consistency.
    pub fn validate(&self) -> Result<(), ModelError> {
        within("layers", self.layers, 1, MOST_LAYERS)?;
        within("hidden", self.hidden, 1, WIDEST)?;
        within("vocab", self.vocab, 1, LARGEST_VOCAB)?;
        within("max_context", self.max_context, 1, LONGEST_CONTEXT)?;
        self.attention.validate()?;
        if let Some(window) = self.window {
            within("window.tokens", window.tokens, 1, LONGEST_CONTEXT)?;
            within("window.layers", window.layers, 1, self.layers)?;
        }
        if let Some(experts) = self.experts {
            within("experts.routed", experts.routed, 1, MOST_EXPERTS)?;
            within("experts.active", experts.active, 1, experts.routed)?;
            within("experts.shared", experts.shared, 0, 64)?;
            within("experts.intermediate", experts.intermediate, 1, WIDEST)?;
            within("experts.shared_intermediate", experts.shared_intermediate.unwrap_or(1), 1, WIDEST)?;
            within("experts.first_dense_layers", experts.first_dense_layers, 0, self.layers - 1)?;
        }
        match self.dense_intermediate {
            Some(width) => within("dense_intermediate", width, 1, WIDEST),
            None if self.dense_layers() > 0 => Err(ModelError::NoDenseWidth { layers: self.dense_layers() }),
            None => Ok(()),
        }
    }
}

impl Attention {
    fn validate(&self) -> Result<(), ModelError> {
        match *self {
            Self::Grouped { heads, kv_heads, head_dim } => {
                within("attention.heads", heads, 1, MOST_HEADS)?;
                within("attention.kv_heads", kv_heads, 1, heads)?;
                within("attention.head_dim", head_dim, 1, MOST_HEADS)?;
                if heads.is_multiple_of(kv_heads) { Ok(()) } else { Err(ModelError::UnevenGroups { heads, kv_heads }) }
            }
            Self::Latent { heads, q_lora, kv_lora, nope, rope, value } => {
                within("attention.heads", heads, 1, MOST_HEADS)?;
                within("attention.q_lora", q_lora.unwrap_or(1), 1, WIDEST)?;
                within("attention.kv_lora", kv_lora, 1, WIDEST)?;
                within("attention.nope", nope, 1, MOST_HEADS)?;
                within("attention.rope", rope, 0, MOST_HEADS)?;
                within("attention.value", value, 1, MOST_HEADS)
            }
        }
    }
}
