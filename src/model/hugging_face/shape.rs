//! The shape of the transformer.

use serde_json::Value;

use super::HuggingFaceError;
use super::families::{Trait, Windows};
use super::keys::{Keys, contradicts};
use crate::model::{Architecture, Attention, AttentionBias, Experts, SlidingWindow};

/// Keys of the longest context.
const CONTEXT: [&str; 2] = ["max_position_embeddings", "n_positions"];

pub(super) fn architecture(keys: &Keys<'_>) -> Result<Architecture, HuggingFaceError> {
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
        max_context: context(keys)?,
        tied_embeddings: tied(keys)?,
        attention,
        attention_bias: if grouped { bias(keys)? } else { AttentionBias::None },
        qk_norm: grouped && (keys.flag("use_qk_norm")?.unwrap_or(family.has(Trait::QkNorm))),
        attention_sinks: family.has(Trait::Sinks),
        window: window(keys, layers)?,
        dense_intermediate,
        experts,
    })
}

fn bias(keys: &Keys<'_>) -> Result<AttentionBias, HuggingFaceError> {
    let family = keys.family();
    Ok(match keys.flag("attention_bias")? {
        // Qwen 2 has no such key, and its queries, keys and values always a bias.
        Some(false) if family.bias == AttentionBias::Qkv && !family.has(Trait::PlainOutput) => family.bias,
        Some(false) => AttentionBias::None,
        Some(true) if family.bias == AttentionBias::Qkv || family.has(Trait::PlainOutput) => AttentionBias::Qkv,
        Some(true) => AttentionBias::All,
        None => family.bias,
    })
}

fn tied(keys: &Keys<'_>) -> Result<bool, HuggingFaceError> {
    let key = "tie_word_embeddings";
    Ok(match keys.flag(key)? {
        Some(tied) => tied,
        None => keys.defaulted(key, keys.family().has(Trait::Tied)),
    })
}

/// The longest context that an engine serves: scaled rotary embeddings extend it, by the rule of vLLM (`_get_and_verify_max_len`): `yarn`
/// multiplies the original context, `linear` and `dynamic` the given one; with all others, and in Gemma 3, it is given as extended.
fn context(keys: &Keys<'_>) -> Result<u32, HuggingFaceError> {
    let given = keys.need(&CONTEXT)?;
    let key = if keys.object("rope_scaling")?.is_some() { "rope_scaling" } else { "rope_parameters" };
    let Some(scaling) = keys.object(key)?.filter(|_| !keys.family().name.starts_with("gemma3")) else { return Ok(given) };
    // Newer files have one object for each kind of layer; those with full attention bound the context.
    let scaling = scaling.get("full_attention").and_then(Value::as_object).unwrap_or(scaling);
    let kind = ["rope_type", "type"].iter().find_map(|key| scaling.get(*key)?.as_str()).unwrap_or("default");
    let base = match kind {
        "yarn" | "deepseek_yarn" => match scaling.get("original_max_position_embeddings").filter(|value| !value.is_null()) {
            Some(original) => original.as_f64().ok_or_else(|| contradicts(key, &original.to_string(), "the original context in tokens"))?,
            None => f64::from(given),
        },
        "linear" | "dynamic" => f64::from(given),
        _ => return Ok(given),
    };
    let factor = scaling.get("factor").and_then(Value::as_f64).filter(|factor| *factor >= 1.0);
    let factor = factor.ok_or_else(|| contradicts(key, &format!("`{kind}` without a factor"), "a `factor` of at least 1"))?;
    whole(base * factor).ok_or_else(|| contradicts(key, &format!("a context of {} tokens", base * factor), "at most 2^27 tokens"))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "range checked")]
fn whole(tokens: f64) -> Option<u32> {
    (1.0..=f64::from(1u32 << 27)).contains(&tokens).then_some(tokens as u32)
}

fn attention(keys: &Keys<'_>, hidden: u32) -> Result<Attention, HuggingFaceError> {
    let heads = keys.need(&["num_attention_heads", "n_head"])?;
    if keys.find(&["kv_lora_rank"])?.is_some() || matches!(keys.family().name, "deepseek_v2" | "deepseek_v3" | "kimi_k2") {
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
    let key = "num_key_value_heads";
    let kv_heads = match keys.find(&[key])? {
        Some(kv_heads) => kv_heads,
        None => keys.defaulted(key, heads),
    };
    Ok(Attention::Grouped { heads, kv_heads, head_dim })
}

fn experts(keys: &Keys<'_>, layers: u32) -> Result<Option<Experts>, HuggingFaceError> {
    const COUNT: [&str; 4] = ["n_routed_experts", "num_experts", "moe_num_experts", "num_local_experts"];
    let routed = if keys.family().has(Trait::Experts) { Some(keys.need(&COUNT)?) } else { keys.find(&COUNT)?.filter(|&n| n > 1) };
    let Some(routed) = routed else { return Ok(None) };
    for (key, plain) in [("moe_layer_freq", 1), ("decoder_sparse_step", 1), ("interleave_moe_layer_step", 1), ("moe_layer_interval", 1)] {
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
    let first_dense_layers = keys.find(&["first_k_dense_replace", "moe_layer_start_index"])?.unwrap_or(listed);
    if first_dense_layers > layers {
        return Err(contradicts("first_k_dense_replace", &first_dense_layers.to_string(), "at most `num_hidden_layers`"));
    }
    if first_dense_layers == layers {
        return Ok(None);
    }
    let gpt_oss = keys.family().name == "gpt_oss";
    let intermediate = keys.need(&["moe_intermediate_size", "intermediate_size"])?;
    // qwen2_moe gives the width of its single shared expert instead of the number of experts.
    let shared_width = keys.find(&["shared_expert_intermediate_size"])?.filter(|&w| w > 0);
    let shared =
        keys.find(&["n_shared_experts", "num_shared_experts", "moe_num_shared_experts"])?.unwrap_or(u32::from(shared_width.is_some()));
    Ok(Some(Experts {
        routed,
        active: keys.need(&["num_experts_per_tok", "experts_per_token", "moe_topk", "moe_k"])?,
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
    // Qwen's classes drop the window unless this is true.
    let used = keys.flag("use_sliding_window")?.unwrap_or(keys.family().windows != Windows::From);
    if !used {
        return Ok(None);
    }
    let count = if types.is_empty() {
        match keys.family().windows {
            Windows::All => layers,
            Windows::Pattern(every) => layers - layers / keys.find(&["sliding_window_pattern"])?.filter(|&p| p > 0).unwrap_or(every),
            Windows::From => keys.find(&["max_window_layers"])?.map_or(layers, |first| layers.saturating_sub(first)),
            Windows::Never => 0,
        }
    } else {
        types.iter().map(|t| u32::from(t.as_str() == Some("sliding_attention"))).sum()
    };
    Ok((count > 0).then_some(SlidingWindow { tokens, layers: count }))
}
