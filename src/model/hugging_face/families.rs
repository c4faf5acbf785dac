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
    /// `attention_bias` is about queries, keys and values; the output projection has none.
    PlainOutput,
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
    /// The module of the feed-forward part of a layer.
    pub(super) mlp: &'static str,
}

impl Family {
    /// True if its models have a trait unless the file says otherwise.
    pub(super) fn has(&self, wanted: Trait) -> bool {
        self.traits.contains(&wanted)
    }
}

const PLAIN: Family = Family { name: "", defaults: &[], traits: &[], bias: AttentionBias::None, windows: Windows::All, mlp: "mlp" };

const GEMMA_3: Family = Family {
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
};
const MISTRAL: Family = Family { defaults: &[("num_key_value_heads", 8), ("sliding_window", 4096)], ..PLAIN };
const QWEN_2: Family = Family { bias: AttentionBias::Qkv, windows: Windows::From, ..PLAIN };
const QWEN_3: Family = Family { defaults: &[("head_dim", 128)], traits: &[Trait::QkNorm], windows: Windows::From, ..PLAIN };
const QWEN_3_MOE: Family = Family { traits: &[Trait::QkNorm, Trait::Experts], windows: Windows::From, ..PLAIN };
const EXPERTS: Family = Family { traits: &[Trait::Experts], ..PLAIN };

/// All families whose layers the simulator models, by name.
pub(super) const FAMILIES: [Family; 39] = [
    Family { name: "deepseek_v2", ..EXPERTS },
    Family { name: "deepseek_v3", ..EXPERTS },
    Family { name: "dots1", traits: &[Trait::QkNorm, Trait::Experts], windows: Windows::From, ..PLAIN },
    Family { name: "ernie4_5", defaults: &[("head_dim", 128)], traits: &[Trait::Tied], windows: Windows::Never, ..PLAIN },
    Family {
        name: "ernie4_5_moe",
        defaults: &[("moe_layer_start_index", 1)],
        traits: &[Trait::Tied, Trait::Experts],
        windows: Windows::Never,
        ..PLAIN
    },
    Family { name: "exaone4", defaults: &[("sliding_window", 4096)], traits: &[Trait::QkNorm], windows: Windows::Pattern(4), ..PLAIN },
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
    Family { name: "gemma3", ..GEMMA_3 },
    Family { name: "gemma3_text", ..GEMMA_3 },
    Family { name: "glm4", defaults: &[("head_dim", 128)], traits: &[Trait::PlainOutput], bias: AttentionBias::Qkv, ..PLAIN },
    Family { name: "glm4_moe", traits: &[Trait::PlainOutput, Trait::Experts], ..PLAIN },
    Family {
        name: "gpt_oss",
        defaults: &[("head_dim", 64)],
        traits: &[Trait::Sinks, Trait::Experts],
        bias: AttentionBias::All,
        windows: Windows::Pattern(2),
        ..PLAIN
    },
    Family { name: "granite", windows: Windows::Never, ..PLAIN },
    Family { name: "granitemoe", windows: Windows::Never, mlp: "block_sparse_moe", ..EXPERTS },
    Family { name: "internlm2", windows: Windows::Never, mlp: "feed_forward", ..PLAIN },
    Family { name: "kimi_k2", ..EXPERTS },
    Family { name: "llama", windows: Windows::Never, ..PLAIN },
    Family { name: "mimo", ..QWEN_2 },
    Family {
        name: "minimax_m2",
        defaults: &[("head_dim", 128)],
        traits: &[Trait::QkNorm, Trait::Experts],
        windows: Windows::Never,
        mlp: "block_sparse_moe",
        ..PLAIN
    },
    Family { name: "ministral3", defaults: &[("num_key_value_heads", 8), ("head_dim", 128)], ..PLAIN },
    Family { name: "mistral", ..MISTRAL },
    Family { name: "mistral3", ..MISTRAL },
    Family { name: "mixtral", defaults: &[("num_key_value_heads", 8)], mlp: "block_sparse_moe", ..EXPERTS },
    Family { name: "olmo2", traits: &[Trait::QkNorm], windows: Windows::Never, ..PLAIN },
    Family { name: "olmo3", defaults: &[("sliding_window", 4096)], traits: &[Trait::QkNorm], windows: Windows::Pattern(4), ..PLAIN },
    Family { name: "phi3", ..PLAIN },
    Family { name: "phimoe", defaults: &[("num_key_value_heads", 8)], mlp: "block_sparse_moe", ..EXPERTS },
    Family { name: "qwen2", ..QWEN_2 },
    Family { name: "qwen2_5_vl", ..QWEN_2 },
    Family { name: "qwen2_5_vl_text", ..QWEN_2 },
    Family { name: "qwen2_moe", traits: &[Trait::Experts], ..QWEN_2 },
    Family { name: "qwen3", ..QWEN_3 },
    Family { name: "qwen3_moe", ..QWEN_3_MOE },
    Family { name: "qwen3_vl", ..QWEN_3 },
    Family { name: "qwen3_vl_moe", ..QWEN_3_MOE },
    Family { name: "qwen3_vl_moe_text", ..QWEN_3_MOE },
    Family { name: "qwen3_vl_text", ..QWEN_3 },
    Family {
        name: "seed_oss",
        defaults: &[("num_key_value_heads", 8), ("head_dim", 128)],
        traits: &[Trait::PlainOutput],
        bias: AttentionBias::Qkv,
        windows: Windows::Never,
        ..PLAIN
    },
];

/// The family of a `model_type`.
pub(super) fn find(name: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.name == name)
}
