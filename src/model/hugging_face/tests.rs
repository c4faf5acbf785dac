//! Published configurations, and broken ones.

mod quantization;

use proptest::prelude::*;

use super::*;
use crate::model::{SlidingWindow, catalogue};

fn same_as_shipped(name: &str, text: &str) {
    let read = read(name, text).unwrap();
    let shipped = catalogue::find(name).unwrap();
    assert_eq!(read.architecture, shipped.architecture, "{name}");
    assert_eq!(read.precision, shipped.precision, "{name}");
}

#[test]
fn dense_configurations_match_the_shipped_profiles() {
    same_as_shipped(
        "llama-3.3-70b",
        r#"{"model_type": "llama", "num_hidden_layers": 80, "hidden_size": 8192, "vocab_size": 128256, "max_position_embeddings": 131072,
        "num_attention_heads": 64, "num_key_value_heads": 8, "intermediate_size": 28672, "attention_bias": false,
        "tie_word_embeddings": false, "torch_dtype": "bfloat16"}"#,
    );
    same_as_shipped(
        "qwen3-32b",
        r#"{"model_type": "qwen3", "num_hidden_layers": 64, "hidden_size": 5120, "vocab_size": 151936, "max_position_embeddings": 40960,
        "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 25600, "max_window_layers": 64,
        "sliding_window": null, "use_sliding_window": false, "torch_dtype": "bfloat16"}"#,
    );
}

#[test]
fn expert_configurations_match_the_shipped_profiles() {
    same_as_shipped(
        "mixtral-8x7b",
        r#"{"model_type": "mixtral", "num_hidden_layers": 32, "hidden_size": 4096, "vocab_size": 32000, "max_position_embeddings": 32768,
        "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336, "num_local_experts": 8,
        "num_experts_per_tok": 2, "sliding_window": null, "torch_dtype": "bfloat16"}"#,
    );
    same_as_shipped(
        "qwen3-30b-a3b",
        r#"{"model_type": "qwen3_moe", "num_hidden_layers": 48, "hidden_size": 2048, "vocab_size": 151936,
        "max_position_embeddings": 40960, "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128,
        "intermediate_size": 6144, "moe_intermediate_size": 768, "num_experts": 128, "num_experts_per_tok": 8,
        "decoder_sparse_step": 1, "mlp_only_layers": [], "torch_dtype": "bfloat16"}"#,
    );
    let types = ["\"sliding_attention\", \"full_attention\""; 12].join(", ");
    same_as_shipped(
        "gpt-oss-20b",
        &format!(
            r#"{{"model_type": "gpt_oss", "num_hidden_layers": 24, "hidden_size": 2880, "vocab_size": 201088,
            "max_position_embeddings": 131072, "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64,
            "intermediate_size": 2880, "num_local_experts": 32, "num_experts_per_tok": 4, "attention_bias": true,
            "sliding_window": 128, "layer_types": [{types}], "quantization_config": {{"quant_method": "mxfp4"}}}}"#
        ),
    );
}

#[test]
fn latent_attention_and_fp8_are_read() {
    for (name, family, heads, vocab, context, routed, dense) in
        [("deepseek-r1", "deepseek_v3", 128, 129_280, 163_840, 256, 3), ("kimi-k2", "kimi_k2", 64, 163_840, 131_072, 384, 1)]
    {
        same_as_shipped(
            name,
            &format!(
                r#"{{"model_type": "{family}", "num_hidden_layers": 61, "hidden_size": 7168, "vocab_size": {vocab},
                "max_position_embeddings": {context}, "num_attention_heads": {heads}, "num_key_value_heads": {heads},
                "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
                "intermediate_size": 18432, "moe_intermediate_size": 2048, "n_routed_experts": {routed}, "n_shared_experts": 1,
                "num_experts_per_tok": 8, "first_k_dense_replace": {dense}, "moe_layer_freq": 1, "topk_method": "noaux_tc",
                "tie_word_embeddings": false, "torch_dtype": "bfloat16", "quantization_config": {{"quant_method": "fp8"}}}}"#
            ),
        );
    }
}

const MISTRAL: &str = r#"{"model_type": "mistral", "num_hidden_layers": 32, "hidden_size": 4096, "vocab_size": 32000,
    "max_position_embeddings": 32768, "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
    "sliding_window": 4096, "torch_dtype": "bfloat16"}"#;

#[test]
fn a_window_without_layer_types_applies_to_all_layers() {
    let profile = read("mistral-7b", MISTRAL).unwrap();
    assert_eq!(profile.architecture.window, Some(SlidingWindow { tokens: 4096, layers: 32 }));
    assert_eq!(profile.architecture.parameters().total(), 7_241_732_096);
}

#[test]
fn qwen2_has_biases_on_queries_keys_and_values() {
    // Qwen2.5-7B: 7,615,616,512 parameters in the checkpoint's metadata.
    let text = r#"{"model_type": "qwen2", "num_hidden_layers": 28, "hidden_size": 3584, "vocab_size": 152064,
        "max_position_embeddings": 131072, "num_attention_heads": 28, "num_key_value_heads": 4, "intermediate_size": 18944,
        "sliding_window": 131072, "use_sliding_window": false, "tie_word_embeddings": false, "torch_dtype": "bfloat16"}"#;
    let profile = read("qwen2.5-7b", text).unwrap();
    assert_eq!(profile.architecture.parameters().total(), 7_615_616_512);
    assert_eq!(profile.architecture.window, None);
}

#[test]
fn an_empty_file_is_reported_as_empty() {
    assert_eq!(read("x", " \n").unwrap_err().to_string(), "the file is empty, expected a Hugging Face config.json");
}

#[test]
fn a_family_with_other_layers_is_rejected_despite_similar_keys() {
    for family in ["jamba", "mamba", "falcon_h1", "bert", "t5", "llama4_text", "qwen3_next", "minimax"] {
        let error = read("x", &MISTRAL.replace("\"mistral\"", &format!("\"{family}\""))).unwrap_err().to_string();
        assert!(error.starts_with(&format!("not supported: models of type `{family}`; supported types: `deepseek_v2`")), "{error}");
    }
}

#[test]
fn keys_that_contradict_the_family_or_each_other_are_rejected() {
    let error = |text: &str| read("x", text).unwrap_err().to_string();
    let five =
        r#""layer_types": ["full_attention", "full_attention", "full_attention", "full_attention", "full_attention"], "torch_dtype""#;
    assert_eq!(error(&MISTRAL.replace("\"torch_dtype\"", five)), "the key `layer_types` is a list of 5, expected one entry per layer");
    assert!(error(&MISTRAL.replace("mistral", "deepseek_v3")).contains("`n_routed_experts` or `num_experts`"));
    assert!(error(&MISTRAL.replace("mistral", "mixtral")).contains("`num_local_experts` is missing"));
    let experts = r#""num_local_experts": 8, "num_experts_per_tok": 2, "first_k_dense_replace": 100, "torch_dtype""#;
    let mixtral = MISTRAL.replace("mistral", "mixtral").replace("\"torch_dtype\"", experts);
    assert_eq!(error(&mixtral), "the key `first_k_dense_replace` is 100, expected at most `num_hidden_layers`");
    let two_dense = MISTRAL
        .replace("mistral", "mixtral")
        .replace("\"num_hidden_layers\": 32", "\"num_hidden_layers\": 1, \"num_local_experts\": 8, \"mlp_only_layers\": [0, 1]");
    assert_eq!(error(&two_dense), "the key `mlp_only_layers` is a list of 2, expected at most one entry per layer");
    assert!(error(&mixtral.replace("\"num_local_experts\": 8", "\"num_local_experts\": 0").replace("100", "0")).contains("experts"));
}

#[test]
fn errors_name_the_key() {
    let error = |text: &str| read("x", text).unwrap_err().to_string();
    assert_eq!(
        error(&MISTRAL.replace("\"vocab_size\": 32000,", "")),
        "the key `vocab_size` is missing in the configuration of a `mistral` model"
    );
    assert_eq!(
        error(&MISTRAL.replace("\"num_hidden_layers\": 32", "\"num_hidden_layers\": -3")),
        "the key `num_hidden_layers` is -3, expected a whole number below 2^32"
    );
    assert_eq!(
        error(&MISTRAL.replace("\"sliding_window\": 4096", "\"layer_types\": [\"linear_attention\"]")),
        "not supported: layers of type `linear_attention` (`layer_types`)"
    );
    assert!(error("[]").contains("not an object"));
    assert!(error("{").contains("config.json"));
    assert_eq!(error("{}"), "not a Hugging Face config.json: the key `model_type` is missing");
    assert_eq!(
        error("{\"model_type\": \"llama\"}"),
        "the key `num_hidden_layers` or `n_layer` is missing in the configuration of a `llama` model"
    );
    assert!(error(&MISTRAL.replace("\"num_attention_heads\": 32", "\"num_attention_heads\": 0")).contains("head_dim"));
}

proptest! {
    #[test]
    fn the_reader_never_panics_on_numbers(key in 0usize..9, value in any::<i64>(), small in 0u32..300) {
        let keys = ["num_hidden_layers", "hidden_size", "vocab_size", "max_position_embeddings", "num_attention_heads",
            "num_key_value_heads", "intermediate_size", "sliding_window", "num_local_experts"];
        for value in [value, i64::from(small)] {
            let mut document: serde_json::Value = serde_json::from_str(MISTRAL).unwrap();
            document[keys[key]] = value.into();
            document["num_experts_per_tok"] = 2.into();
            if let Ok(profile) = read("x", &document.to_string()) {
                prop_assert!(profile.model().unwrap().weight_bytes() > 0);
            }
        }
    }
}

#[test]
fn what_a_family_leaves_out_is_the_default_of_its_class() {
    // The file of Gemma 3 12B gives seven keys.
    let sparse = r#"{"model_type": "gemma3", "torch_dtype": "bfloat16", "text_config": {"model_type": "gemma3_text", "hidden_size": 3840,
        "intermediate_size": 15360, "num_attention_heads": 16, "num_hidden_layers": 48, "num_key_value_heads": 8, "sliding_window": 1024}}"#;
    let model = read("gemma-3-12b", sparse).unwrap().model().unwrap();
    assert_eq!(model.architecture().window, Some(SlidingWindow { tokens: 1024, layers: 40 }));
    assert_eq!(model.architecture().max_context, 131_072);
    assert_eq!(model.kv_bytes(32_000), (8 * 32_000 + 40 * 1024) * 2 * 8 * 256 * 2);
    approx::assert_relative_eq!(model.parameters().total() as f64, 11.77e9, max_relative = 0.001);
    // Heads are 128 wide in Qwen 3, whatever the width of the model; a window needs `use_sliding_window` in all of Qwen.
    let qwen = MISTRAL.replace("mistral", "qwen3").replace("\"num_attention_heads\": 32", "\"num_attention_heads\": 16");
    let qwen = read("x", &qwen).unwrap().architecture;
    assert_eq!((qwen.attention, qwen.window), (crate::model::Attention::Grouped { heads: 16, kv_heads: 8, head_dim: 128 }, None));
    // In Mistral a missing window is one of 4,096 tokens, and `null` is none.
    let window = |text: &str| read("x", text).unwrap().architecture.window.map(|window| window.tokens);
    assert_eq!(window(&MISTRAL.replace("\"sliding_window\": 4096,", "")), Some(4096));
    assert_eq!(window(&MISTRAL.replace("\"sliding_window\": 4096,", "\"sliding_window\": null,")), None);
}

#[test]
fn scaled_rotary_embeddings_extend_the_context() {
    let context = |scaling: &str| {
        let text = MISTRAL.replace("mistral", "llama").replace("\"torch_dtype\"", &format!("\"rope_scaling\": {scaling}, \"torch_dtype\""));
        read("x", &text).map(|profile| profile.architecture.max_context).map_err(|error| error.to_string())
    };
    // Qwen's model card for long prompts; DeepSeek-V3.
    assert_eq!(context(r#"{"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}"#), Ok(131_072));
    assert_eq!(context(r#"{"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096}"#), Ok(163_840));
    assert_eq!(context(r#"{"type": "linear", "factor": 2.0}"#), Ok(65_536));
    assert_eq!(context(r#"{"type": "dynamic", "factor": 1.5}"#), Ok(49_152));
    let given = r#"{"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192}"#;
    assert_eq!(context(given), Ok(32_768));
    assert_eq!(context(r#"{"type": "mrope", "mrope_section": [16, 24, 24]}"#), Ok(32_768));
    assert_eq!(context("null"), Ok(32_768));
    assert!(context(r#"{"type": "yarn", "original_max_position_embeddings": 4096}"#).unwrap_err().contains("`rope_scaling`"));
    assert!(context(r#"{"type": "linear", "factor": 1e9}"#).unwrap_err().contains("2^27"));
}

#[test]
fn python_s_words_and_32_bits_are_read() {
    let text = MISTRAL.replace("\"torch_dtype\": \"bfloat16\"", "\"torch_dtype\": \"float32\", \"router_z_loss\": NaN, \"x\": -Infinity");
    let profile = read("x", &text).unwrap();
    assert_eq!(profile.precision, crate::model::Precision::of(crate::units::Dtype::Bf16, crate::units::Dtype::Bf16));
}

/// Published configurations without their common keys; parameters of the language model in billions, and how closely they are known: counts of the
/// checkpoints to 1 %, sizes in the names of models to 5 %.
const PUBLISHED: [(&str, f64, f64, &str); 13] = [
    (
        "glm4_moe",
        106.9,
        0.01,
        r#""hidden_size": 4096, "num_hidden_layers": 46, "num_attention_heads": 96, "num_key_value_heads": 8, "head_dim": 128,
        "intermediate_size": 10944, "moe_intermediate_size": 1408, "n_routed_experts": 128, "n_shared_experts": 1, "num_experts_per_tok": 8,
        "first_k_dense_replace": 1, "vocab_size": 151552, "attention_bias": true"#,
    ),
    (
        "glm4_moe",
        352.8,
        0.01,
        r#""hidden_size": 5120, "num_hidden_layers": 92, "num_attention_heads": 96, "num_key_value_heads": 8, "head_dim": 128,
        "intermediate_size": 12288, "moe_intermediate_size": 1536, "n_routed_experts": 160, "n_shared_experts": 1, "num_experts_per_tok": 8,
        "first_k_dense_replace": 3, "vocab_size": 151552, "attention_bias": true, "use_qk_norm": true"#,
    ),
    (
        "minimax_m2",
        228.7,
        0.01,
        r#""hidden_size": 3072, "num_hidden_layers": 62, "num_attention_heads": 48, "num_key_value_heads": 8,
        "head_dim": 128, "intermediate_size": 1536, "num_local_experts": 256, "num_experts_per_tok": 8, "vocab_size": 200064"#,
    ),
    ("gemma3_text", 3.88, 0.01, r#""hidden_size": 2560, "num_hidden_layers": 34, "intermediate_size": 10240, "sliding_window": 1024"#),
    (
        "gemma3_text",
        27.01,
        0.01,
        r#""hidden_size": 5376, "num_hidden_layers": 62, "intermediate_size": 21504, "num_attention_heads": 32,
        "num_key_value_heads": 16, "head_dim": 128, "sliding_window": 1024"#,
    ),
    (
        "glm4",
        32.0,
        0.05,
        r#""hidden_size": 6144, "num_hidden_layers": 61, "num_attention_heads": 48, "num_key_value_heads": 2, "head_dim": 128,
        "intermediate_size": 23040, "vocab_size": 151552, "attention_bias": false"#,
    ),
    (
        "seed_oss",
        36.0,
        0.05,
        r#""hidden_size": 5120, "num_hidden_layers": 64, "num_attention_heads": 80, "num_key_value_heads": 8, "head_dim": 128,
        "intermediate_size": 27648, "vocab_size": 155136"#,
    ),
    (
        "granite",
        8.0,
        0.05,
        r#""hidden_size": 4096, "num_hidden_layers": 40, "num_attention_heads": 32, "num_key_value_heads": 8,
        "intermediate_size": 12800, "vocab_size": 49155, "tie_word_embeddings": true"#,
    ),
    (
        "olmo2",
        7.0,
        0.05,
        r#""hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "intermediate_size": 11008,
        "vocab_size": 100352"#,
    ),
    (
        "phimoe",
        42.0,
        0.05,
        r#""hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
        "intermediate_size": 6400, "num_local_experts": 16, "num_experts_per_tok": 2, "vocab_size": 32064, "attention_bias": true"#,
    ),
    (
        "ernie4_5_moe",
        21.0,
        0.05,
        r#""hidden_size": 2560, "num_hidden_layers": 28, "num_attention_heads": 20, "num_key_value_heads": 4,
        "intermediate_size": 12288, "moe_num_experts": 64, "moe_k": 6, "moe_intermediate_size": 1536, "moe_num_shared_experts": 2,
        "moe_layer_start_index": 1, "moe_layer_interval": 1, "vocab_size": 103424"#,
    ),
    (
        "mistral3",
        24.0,
        0.05,
        r#""hidden_size": 5120, "num_hidden_layers": 40, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
        "intermediate_size": 32768, "vocab_size": 131072, "sliding_window": null"#,
    ),
    (
        "qwen3_vl_moe_text",
        30.0,
        0.05,
        r#""hidden_size": 2048, "num_hidden_layers": 48, "num_attention_heads": 32, "num_key_value_heads": 4,
        "head_dim": 128, "intermediate_size": 6144, "moe_intermediate_size": 768, "num_experts": 128, "num_experts_per_tok": 8,
        "vocab_size": 151936, "tie_word_embeddings": false"#,
    ),
];

#[test]
fn families_have_the_parameters_that_are_published() {
    for (family, billions, within, keys) in PUBLISHED {
        let text = format!(r#"{{"model_type": "{family}", "max_position_embeddings": 32768, {keys}}}"#);
        let total = read(family, &text).unwrap().architecture.parameters().total() as f64 / 1e9;
        assert!((total / billions - 1.0).abs() < within, "{family}: {total} B, published {billions} B");
    }
}

#[test]
fn families_are_in_order_and_once() {
    assert!(families::FAMILIES.is_sorted_by(|one, other| one.name < other.name));
}
