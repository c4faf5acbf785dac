//! A model as served: architecture, number formats and a name.

use super::{Architecture, Mix, ModelError, Parameters, Part, Precision, UNQUANTIZED};

/// A model as served. Valid by construction.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    name: String,
    architecture: Architecture,
    precision: Precision,
    parameters: Parameters,
}

/// The weights of one part of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct PartWeights {
    /// Name of the part.
    pub name: &'static str,
    /// Parameters, at least 1.
    pub parameters: u64,
    /// Their number formats.
    pub formats: Mix,
}

impl Model {
    /// Checks the architecture and counts its parameters.
    pub fn new(name: impl Into<String>, architecture: Architecture, precision: Precision) -> Result<Self, ModelError> {
        architecture.validate()?;
        precision.validate()?;
        let parameters = architecture.parameters();
        Ok(Self { name: name.into(), architecture, precision, parameters })
    }

    /// The name in reports.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The shape.
    pub const fn architecture(&self) -> &Architecture {
        &self.architecture
    }
    /// The number formats.
    pub const fn precision(&self) -> &Precision {
        &self.precision
    }
    /// Parameters by part.
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Bytes of one copy of the weights.
    pub fn weight_bytes(&self) -> u64 {
        self.parameters.bytes(&self.precision)
    }

    /// The weights by part, parts without any left out.
    pub fn weights(&self) -> Vec<PartWeights> {
        let count = &self.parameters;
        let plain = |name, parameters| PartWeights { name, parameters, formats: UNQUANTIZED.into() };
        let parts = Part::ALL.map(|part| PartWeights {
            name: part.name(),
            parameters: count.part(part),
            formats: self.precision.part(part).into_owned(),
        });
        let others = [plain("embedding", count.embedding), plain("router", count.router), plain("norms", count.norms)];
        parts.into_iter().chain(others).filter(|part| part.parameters > 0).collect()
    }

    /// Bytes cached per token in one layer.
    pub fn kv_bytes_per_token_and_layer(&self) -> f64 {
        f64::from(self.architecture.attention.cached_elements()) * self.precision.kv.bytes()
    }

    /// KV bytes of one token if every layer keeps it: the cost of a token inside the sliding window, and, in a block of an allocator without support
    /// for windows, at any position.
    pub fn kv_bytes_per_token(&self) -> u64 {
        ceil(self.kv_bytes_per_token_and_layer() * f64::from(self.architecture.layers))
    }

    /// KV bytes of one more token beyond the sliding window, which only layers with full attention keep. Equal to
    /// [`kv_bytes_per_token`](Self::kv_bytes_per_token) without a window.
    pub fn kv_bytes_per_token_beyond_window(&self) -> u64 {
        ceil(self.kv_bytes_per_token_and_layer() * f64::from(self.architecture.full_layers()))
    }

    /// KV bytes of one sequence of `context` tokens, with windowed layers capped at their window.
    pub fn kv_bytes(&self, context: u64) -> u64 {
        let layer = self.kv_bytes_per_token_and_layer();
        let full = f64::from(self.architecture.full_layers()) * context as f64;
        let windowed = self.architecture.window.map_or(0.0, |w| f64::from(w.layers) * context.min(u64::from(w.tokens)) as f64);
        ceil(layer * (full + windowed))
    }

    /// KV bytes held by the windowed layers of one long sequence; 0 without a window.
    pub fn kv_window_bytes(&self) -> u64 {
        self.architecture.window.map_or(0, |w| ceil(self.kv_bytes_per_token_and_layer() * f64::from(w.layers) * f64::from(w.tokens)))
    }

    /// Bytes of one block of `block_size` tokens in which every layer keeps every token, whole model.
    pub fn kv_block_bytes(&self, block_size: u32) -> u64 {
        ceil(self.kv_bytes_per_token_and_layer() * f64::from(self.architecture.layers) * f64::from(block_size))
    }

    /// FLOPs of one token that sees `context` tokens.
    pub fn flops_per_token(&self, context: u64) -> f64 {
        self.architecture.flops_per_token(context)
    }
}

impl PartWeights {
    /// Bytes of one copy.
    pub fn bytes(&self) -> u64 {
        ceil(self.parameters as f64 * self.formats.bytes())
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and bytes are positive")]
fn ceil(bytes: f64) -> u64 {
    bytes.ceil() as u64
}
