//! Families of models: what their configuration classes and layers add to the keys of a file.
//!
//! Defaults are those of the classes in `transformers` (`src/transformers/models/*/configuration_*.py`, read in November 2026). Files leave
//! out keys that equal the default of their class, and a default may differ from the general rule: the width of a head is hidden / heads
//! for some classes and a fixed number for others.

use crate::model::AttentionBias;

/// Layers with a sliding window, where `layer_types` does not list them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Windows {
    /// All layers, if there is a window.
    All,
    /// All but every nth layer (`sliding_window_pattern`).
    Pattern(u32),
    /// Layers from `max_window_layers` on, where `use_sliding_window` is true.
    From,
    /// None: the family has no windows, whatever the file says.
    Never,
}

/// What all models of a family have unless the file says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trait {
    /// Input embedding and output head are one matrix.
    Tied,
    /// Queries and keys are normalised.
    QkNorm,
    /// Every head has a sink.
    Sinks,
    /// Feed-forward layers are mixtures of experts.
    Experts,
}

/// A family.
#[derive(Debug)]
pub(super) struct Family {
    /// Its `model_type`.
    pub(super) name: &'static str,
    /// Values of keys that files leave out. Shapes without a default must be given, as they differ from model to model.
    pub(super) defaults: &'static [(&'static str, u32)],
    pub(super) traits: &'static [Trait],
    /// Biases of attention unless the file says otherwise.
    pub(super) bias: AttentionBias,
    pub(super) windows: Windows,
}

impl Family {
    /// True if its models have a trait unless the file says otherwise.
    pub(super) fn has(&self, wanted: Trait) -> bool {
        self.traits.contains(&wanted)
    }
}

const PLAIN: Family = Family { name: "", defaults: &[], traits: &[], bias: AttentionBias::None, windows: Windows::All };

/// All families whose layers the simulator models.
pub(super) const FAMILIES: [Family; 15] = [
    Family { name: "deepseek_v2", traits: &[Trait::Experts], ..PLAIN },
    Family { name: "deepseek_v3", traits: &[Trait::Experts], ..PLAIN },
    Family {
        name: "gemma",
        defaults: &[("vocab_size", 256_000), ("max_position_embeddings", 8192), ("head_dim", 256)],
        traits: &[Trait::Tied],
        windows: Windows::Never,
        ..PLAIN
    },
    Family {
        name: "gemma2",
        defaults: &[("vocab_size", 256_000), ("max_position_embeddings", 8192), ("head_dim", 256), ("sliding_window", 4096)],
        traits: &[Trait::Tied],
        windows: Windows::Pattern(2),
        ..PLAIN
    },
    Family {
        name: "gemma3_text",
        defaults: &[
            ("vocab_size", 262_208),
            ("max_position_embeddings", 131_072),
            ("num_attention_heads", 8),
            ("num_key_value_heads", 4),
            ("head_dim", 256),
            ("sliding_window", 4096),
        ],
        traits: &[Trait::Tied, Trait::QkNorm],
        windows: Windows::Pattern(6),
        ..PLAIN
    },
    Family {
        name: "gpt_oss",
        defaults: &[("head_dim", 64)],
        traits: &[Trait::Sinks, Trait::Experts],
        bias: AttentionBias::All,
        windows: Windows::Pattern(2),
    },
    Family { name: "kimi_k2", traits: &[Trait::Experts], ..PLAIN },
    Family { name: "llama", windows: Windows::Never, ..PLAIN },
    Family { name: "mistral", defaults: &[("num_key_value_heads", 8), ("sliding_window", 4096)], ..PLAIN },
    Family { name: "mixtral", defaults: &[("num_key_value_heads", 8)], traits: &[Trait::Experts], ..PLAIN },
    Family { name: "phi3", ..PLAIN },
    Family { name: "qwen2", bias: AttentionBias::Qkv, windows: Windows::From, ..PLAIN },
    Family { name: "qwen2_moe", bias: AttentionBias::Qkv, traits: &[Trait::Experts], windows: Windows::From, ..PLAIN },
    Family { name: "qwen3", defaults: &[("head_dim", 128)], traits: &[Trait::QkNorm], windows: Windows::From, ..PLAIN },
    Family { name: "qwen3_moe", traits: &[Trait::QkNorm, Trait::Experts], windows: Windows::From, ..PLAIN },
];

/// The family of a `model_type`.
pub(super) fn find(name: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.name == name)
}
