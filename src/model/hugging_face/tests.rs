//! Published configurations, and broken ones.

use proptest::prelude::*;

use super::*;
use crate::model::catalogue;

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
    assert!(
        error(&MISTRAL.replace("\"torch_dtype\"", "\"quantization_config\": {\"quant_method\": \"awq\"}, \"torch_dtype\""))
            .contains("`awq`")
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
