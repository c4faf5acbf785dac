//! Import of a Hugging Face `config.json` as a model profile.
//!
//! The keys are those of the `transformers` configurations of `llama`, `mistral`, `mixtral`, `qwen2`, `qwen3`, `qwen3_moe`, `gpt_oss`, `deepseek_v2`,
//! `deepseek_v3` and `kimi_k2`, and of families built the same way ([`FAMILIES`]). Other families may have the same keys but different layers (state
//! spaces, encoders, linear attention), so they are rejected, as are structures the keys do not determine (interleaved expert layers, integer 4-bit
//! weights).

mod keys;

use thiserror::Error;

use self::keys::{Keys, contradicts};
use super::{Architecture, Attention, AttentionBias, Experts, ModelError, ModelProfile, Precision, SlidingWindow};
use crate::units::{Dtype, Source, Sources};

/// Why a `config.json` cannot be read as a model.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HuggingFaceError {
    /// Empty file.
    #[error("the file is empty, expected a Hugging Face config.json")]
    Empty,
    /// Not JSON, or not an object.
    #[error("not a Hugging Face config.json: {0}")]
    NotJson(String),
    /// A required key is missing.
    #[error("the key `{key}` is missing in the configuration of a `{family}` model")]
    MissingKey {
        /// The key, or the alternatives joined by "or".
        key: String,
        /// The `model_type`.
        family: String,
    },
    /// A key has a value of the wrong type or range.
    #[error("the key `{key}` is {found}, expected {expected}")]
    WrongValue {
        /// The key.
        key: String,
        /// What was found.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A structure that the simulator does not model.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// The values are readable but contradict each other.
    #[error(transparent)]
    Invalid(#[from] ModelError),
}

/// Values of `model_type` whose layers the simulator models.
pub const FAMILIES: [&str; 15] = [
    "deepseek_v2",
    "deepseek_v3",
    "gemma",
    "gemma2",
    "gemma3_text",
    "gpt_oss",
    "kimi_k2",
    "llama",
    "mistral",
    "mixtral",
    "phi3",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
];

/// Families with routed experts.
const WITH_EXPERTS: [&str; 7] = ["deepseek_v2", "deepseek_v3", "gpt_oss", "kimi_k2", "mixtral", "qwen2_moe", "qwen3_moe"];

/// Reads the text of a `config.json`. `name` becomes the name of the profile.
pub fn read(name: &str, text: &str) -> Result<ModelProfile, HuggingFaceError> {
    if text.trim().is_empty() {
        return Err(HuggingFaceError::Empty);
    }
    let document: serde_json::Value = serde_json::from_str(text).map_err(|error| HuggingFaceError::NotJson(error.to_string()))?;
    let keys = Keys::new(&document)?;
    if !FAMILIES.contains(&keys.family()) {
        let known = FAMILIES.join("`, `");
        return Err(HuggingFaceError::Unsupported(format!("models of type `{}`; supported types: `{known}`", keys.family())));
    }
    let architecture = architecture(&keys)?;
    architecture.validate()?;
    let source = Source { title: format!("config.json of {name}"), url: None, date: "as given".to_owned() };
    Ok(ModelProfile {
        name: name.to_owned(),
        description: format!("{name}, read from a Hugging Face configuration of type {}", keys.family()),
        precision: precision(&keys)?,
        architecture,
        published: None,
        sources: Sources::from([("config".to_owned(), source)]),
    })
}

fn architecture(keys: &Keys<'_>) -> Result<Architecture, HuggingFaceError> {
    let family = keys.family();
    let layers = keys.need(&["num_hidden_layers", "n_layer"])?;
    let hidden = keys.need(&["hidden_size", "n_embd"])?;
    let experts = experts(keys, layers)?;
    let all_expert_layers = experts.is_some_and(|e| e.first_dense_layers == 0);
    let dense_intermediate = if all_expert_layers { None } else { Some(keys.need(&["intermediate_size"])?) };
    let attention = attention(keys, hidden)?;
    let grouped = matches!(attention, Attention::Grouped { .. });
    Ok(Architecture {
        layers,
        hidden,
        vocab: keys.need(&["vocab_size"])?,
        max_context: keys.need(&["max_position_embeddings", "n_positions"])?,
        // Configurations omit values equal to the default of their class, which is "tied" for the Gemma family only.
        tied_embeddings: keys.flag("tie_word_embeddings")?.unwrap_or(family.starts_with("gemma")),
        attention,
        attention_bias: match (family, keys.flag("attention_bias")?) {
            _ if !grouped => AttentionBias::None,
            ("qwen2" | "qwen2_moe", _) => AttentionBias::Qkv,
            (_, Some(true)) => AttentionBias::All,
            _ => AttentionBias::None,
        },
        qk_norm: grouped
            && (matches!(family, "qwen3" | "qwen3_moe") || family.starts_with("gemma3") || keys.flag("use_qk_norm")?.unwrap_or(false)),
        attention_sinks: family == "gpt_oss",
        window: window(keys, layers)?,
        dense_intermediate,
        experts,
    })
}

fn attention(keys: &Keys<'_>, hidden: u32) -> Result<Attention, HuggingFaceError> {
    let heads = keys.need(&["num_attention_heads", "n_head"])?;
    if keys.find(&["kv_lora_rank"])?.is_some() || matches!(keys.family(), "deepseek_v2" | "deepseek_v3" | "kimi_k2") {
        return Ok(Attention::Latent {
            heads,
            q_lora: keys.find(&["q_lora_rank"])?,
            kv_lora: keys.need(&["kv_lora_rank"])?,
            nope: keys.need(&["qk_nope_head_dim"])?,
            rope: keys.need(&["qk_rope_head_dim"])?,
            value: keys.need(&["v_head_dim"])?,
        });
    }
    let head_dim = match keys.find(&["head_dim"])? {
        Some(width) => width,
        None if heads > 0 && hidden.is_multiple_of(heads) => hidden / heads,
        None => return Err(keys.missing("head_dim")),
    };
    Ok(Attention::Grouped { heads, kv_heads: keys.find(&["num_key_value_heads"])?.unwrap_or(heads), head_dim })
}

fn experts(keys: &Keys<'_>, layers: u32) -> Result<Option<Experts>, HuggingFaceError> {
    const COUNT: [&str; 3] = ["n_routed_experts", "num_experts", "num_local_experts"];
    let routed = if WITH_EXPERTS.contains(&keys.family()) { Some(keys.need(&COUNT)?) } else { keys.find(&COUNT)?.filter(|&n| n > 1) };
    let Some(routed) = routed else { return Ok(None) };
    for (key, plain) in [("moe_layer_freq", 1), ("decoder_sparse_step", 1), ("interleave_moe_layer_step", 1)] {
        if keys.find(&[key])?.is_some_and(|step| step != plain) {
            return Err(HuggingFaceError::Unsupported(format!("expert layers interleaved with dense ones (`{key}` is not {plain})")));
        }
    }
    let dense = keys.list("mlp_only_layers");
    // Dense layers are supported only at the start: 0, 1, 2, …
    if dense.iter().enumerate().any(|(index, layer)| layer.as_u64() != Some(index as u64)) {
        return Err(HuggingFaceError::Unsupported("dense layers anywhere but at the start (`mlp_only_layers`)".to_owned()));
    }
    let Some(listed) = u32::try_from(dense.len()).ok().filter(|&listed| listed <= layers) else {
        return Err(contradicts("mlp_only_layers", &format!("a list of {}", dense.len()), "at most one entry per layer"));
    };
    let first_dense_layers = keys.find(&["first_k_dense_replace"])?.unwrap_or(listed);
    if first_dense_layers > layers {
        return Err(contradicts("first_k_dense_replace", &first_dense_layers.to_string(), "at most `num_hidden_layers`"));
    }
    if first_dense_layers == layers {
        return Ok(None);
    }
    let gpt_oss = keys.family() == "gpt_oss";
    let intermediate = keys.need(&["moe_intermediate_size", "intermediate_size"])?;
    // qwen2_moe gives the width of its single shared expert instead of the number of experts.
    let shared_width = keys.find(&["shared_expert_intermediate_size"])?.filter(|&w| w > 0);
    let shared = keys.find(&["n_shared_experts", "num_shared_experts"])?.unwrap_or(u32::from(shared_width.is_some()));
    Ok(Some(Experts {
        routed,
        active: keys.need(&["num_experts_per_tok", "experts_per_token", "moe_topk"])?,
        shared,
        intermediate,
        shared_intermediate: shared_width.filter(|&w| w != intermediate),
        first_dense_layers,
        router_bias: gpt_oss || keys.text("topk_method").is_some_and(|m| m == "noaux_tc"),
        bias: gpt_oss,
    }))
}

fn window(keys: &Keys<'_>, layers: u32) -> Result<Option<SlidingWindow>, HuggingFaceError> {
    let types = keys.list("layer_types");
    if let Some(other) = types.iter().filter_map(|t| t.as_str()).find(|t| !matches!(*t, "full_attention" | "sliding_attention")) {
        return Err(HuggingFaceError::Unsupported(format!("layers of type `{other}` (`layer_types`)")));
    }
    if !types.is_empty() && u32::try_from(types.len()) != Ok(layers) {
        return Err(contradicts("layer_types", &format!("a list of {}", types.len()), "one entry per layer"));
    }
    let Some(tokens) = keys.find(&["sliding_window"])?.filter(|&t| t > 0) else { return Ok(None) };
    if keys.flag("use_sliding_window")? == Some(false) {
        return Ok(None);
    }
    let count = if types.is_empty() {
        match (keys.find(&["sliding_window_pattern"])?.filter(|&p| p > 1), keys.find(&["max_window_layers"])?) {
            // One layer in `pattern` has full attention.
            (Some(pattern), _) => layers - layers / pattern,
            // Qwen2: the layers from `max_window_layers` on are windowed.
            (None, Some(first)) if keys.family().starts_with("qwen") => layers.saturating_sub(first),
            // Gemma 2: every other layer, which its configuration does not state.
            (None, _) if keys.family() == "gemma2" => layers.div_ceil(2),
            _ => layers,
        }
    } else {
        types.iter().map(|t| u32::from(t.as_str() == Some("sliding_attention"))).sum()
    };
    Ok((count > 0).then_some(SlidingWindow { tokens, layers: count }))
}

fn precision(keys: &Keys<'_>) -> Result<Precision, HuggingFaceError> {
    let plain = match keys.text("torch_dtype").or_else(|| keys.text("dtype")) {
        None | Some("bfloat16" | "auto") => Dtype::Bf16,
        Some("float16") => Dtype::Fp16,
        Some("float32") => Dtype::Fp32,
        Some("float8_e4m3fn") => Dtype::Fp8,
        Some(other) => return Err(HuggingFaceError::Unsupported(format!("weights of type `{other}` (`torch_dtype`)"))),
    };
    let kv = if plain == Dtype::Fp8 { Dtype::Bf16 } else { plain };
    let Some(method) = keys.quantization("quant_method") else {
        return Ok(Precision { weights: plain, experts: None, kv });
    };
    let algorithm = keys.quantization("quant_algo").unwrap_or_default();
    let weights = match (method.as_str(), algorithm.as_str()) {
        // Only the experts are quantized in these checkpoints.
        ("mxfp4", _) => return Ok(Precision { weights: plain, experts: Some(Dtype::Mxfp4), kv }),
        ("fp8" | "fbgemm_fp8", _) | ("modelopt", "FP8") => Dtype::Fp8,
        ("modelopt" | "modelopt_fp4", "NVFP4" | "") => Dtype::Fp4,
        ("compressed-tensors", _) => compressed(keys)?,
        (other, _) => {
            let what = format!(
                "quantization method `{other}`; supported methods: fp8, mxfp4, modelopt and compressed-tensors with 8 bits or NVFP4"
            );
            return Err(HuggingFaceError::Unsupported(what));
        }
    };
    Ok(Precision { weights, experts: None, kv })
}

/// Weights of a compressed-tensors checkpoint, from the first group: published checkpoints use the same format in all groups.
fn compressed(keys: &Keys<'_>) -> Result<Dtype, HuggingFaceError> {
    match keys.compressed_weights() {
        Some((8, kind)) if kind == "float" => Ok(Dtype::Fp8),
        Some((8, kind)) if kind == "int" => Ok(Dtype::Int8),
        Some((4, kind)) if kind == "float" => Ok(Dtype::Fp4),
        Some((bits, kind)) => Err(HuggingFaceError::Unsupported(format!("compressed-tensors weights of {bits} bits of type `{kind}`"))),
        None => Err(keys.missing("quantization_config.config_groups.*.weights")),
    }
}

#[cfg(test)]
mod tests;
