//! Quantized checkpoints: published keys, and weights worked out by hand.

use serde_json::{Value, json};

use super::super::{Checkpoint, HuggingFaceError, read};
use crate::model::{ModelProfile, Part};
use crate::units::Dtype;

/// The shape of Llama 3.1 8B: 8,030,261,248 parameters, of which embedding and head 2 · 525,336,576, the feed-forward part 32 · 176,160,768,
/// attention 32 · 41,943,040, norms 65 · 4096.
fn llama(quantization: &Value) -> String {
    json!({
        "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "vocab_size": 128_256, "max_position_embeddings": 131_072, "tie_word_embeddings": false,
        "torch_dtype": "bfloat16", "quantization_config": quantization,
    })
    .to_string()
}

/// Weights of these layers, and everything else, in bytes.
const PLAIN: u64 = 2 * (2 * 525_336_576 + 65 * 4096);
const FEED_FORWARD: u64 = 176_160_768;
const ATTENTION: u64 = 41_943_040;
const LAYERS: u64 = 32;

fn weight_bytes(profile: &ModelProfile) -> u64 {
    profile.model().unwrap().weight_bytes()
}

fn fp8(ignore: &[&str]) -> Value {
    json!({
        "quant_method": "compressed-tensors", "format": "float-quantized", "ignore": ignore,
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float"}}},
    })
}

#[test]
fn a_quantization_around_the_language_model_counts() {
    let inner: Value = serde_json::from_str(&llama(&json!(null))).unwrap();
    let nested = json!({
        "model_type": "some_vlm", "torch_dtype": "bfloat16", "quantization_config": fp8(&["lm_head"]), "text_config": inner, "tie_word_embeddings": false,
    });
    let profile = read("x", &nested.to_string()).unwrap();
    assert_eq!(weight_bytes(&profile), LAYERS * (FEED_FORWARD + ATTENTION) + PLAIN);
    assert_eq!(profile.precision.to_string(), "fp8, KV bf16");
}

#[test]
fn an_algorithm_without_a_method_is_read_and_so_is_the_kv_cache() {
    let older = json!({
        "quant_algo": "FP8", "kv_cache_scheme": "FP8", "ignore": ["lm_head"], "producer": {"name": "modelopt", "version": "0.31.0"},
        "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float"}}},
    });
    let profile = read("x", &llama(&older)).unwrap();
    assert_eq!(weight_bytes(&profile), LAYERS * (FEED_FORWARD + ATTENTION) + PLAIN);
    assert_eq!(profile.model().unwrap().kv_bytes_per_token(), 65_536);

    let mut scheme = fp8(&["lm_head"]);
    scheme["kv_cache_scheme"] = json!({"num_bits": 8, "type": "float", "dynamic": false});
    assert_eq!(read("x", &llama(&scheme)).unwrap().model().unwrap().kv_bytes_per_token(), 65_536);
    scheme["kv_cache_scheme"] = json!(null);
    assert_eq!(read("x", &llama(&scheme)).unwrap().model().unwrap().kv_bytes_per_token(), 131_072);
    scheme["kv_cache_scheme"] = json!({"num_bits": 3, "type": "float"});
    let error = read("x", &llama(&scheme)).unwrap_err();
    assert!(error.to_string().contains("kv_cache_scheme") && error.hint().unwrap().contains("kv: fp8"), "{error}");
}

#[test]
fn a_file_beside_the_configuration_has_the_quantization() {
    let beside = json!({
        "producer": {"name": "modelopt", "version": "0.23.0"},
        "quantization": {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8", "group_size": 16, "exclude_modules": ["lm_head", "*self_attn*"]},
    });
    let config = llama(&json!(null));
    let checkpoint = Checkpoint { config: &config, quantization: Some(&beside.to_string()), weights: None };
    let profile = checkpoint.read("x").unwrap().profile;
    assert_eq!(weight_bytes(&profile), LAYERS * (FEED_FORWARD * 9 / 16 + 2 * ATTENTION) + PLAIN);
    assert_eq!(profile.precision.to_string(), "fp4, attention bf16, KV fp8");
}

#[test]
fn modules_left_alone_keep_their_16_bits() {
    // As the published Llama 3.1 405B in fp8: attention, and the first and last feed-forward layer.
    let attention = ["q_proj", "k_proj", "v_proj", "o_proj"];
    let mut names: Vec<String> = (0..32).flat_map(|layer| attention.map(|name| format!("model.layers.{layer}.self_attn.{name}"))).collect();
    for layer in [0, 31] {
        names.extend(["gate_proj", "up_proj", "down_proj"].map(|name| format!("model.layers.{layer}.mlp.{name}")));
    }
    let profile = read("x", &llama(&json!({"quant_method": "fbgemm_fp8", "modules_to_not_convert": names}))).unwrap();
    assert_eq!(weight_bytes(&profile), 30 * FEED_FORWARD + 2 * (2 * FEED_FORWARD + LAYERS * ATTENTION) + PLAIN);
    assert_eq!(profile.precision.to_string(), "fp8, attention bf16, dense 93.8 % fp8 and 6.2 % bf16, KV bf16");
    assert_eq!(profile.precision.part(Part::Attention).only(), Some(Dtype::Bf16));

    for pattern in ["re:.*self_attn.*", "model.layers.*.self_attn*", "self_attn"] {
        let profile = read("x", &llama(&fp8(&["lm_head", pattern]))).unwrap();
        assert_eq!(weight_bytes(&profile), LAYERS * (FEED_FORWARD + 2 * ATTENTION) + PLAIN, "{pattern}");
    }
    // The output head is a matrix like others unless it is excepted.
    let profile = read("x", &llama(&fp8(&[]))).unwrap();
    assert_eq!(weight_bytes(&profile), LAYERS * (FEED_FORWARD + ATTENTION) + PLAIN - 525_336_576);
}

#[test]
fn integers_of_four_bits_are_weights_alone() {
    // 4 bits and a 16-bit scale for each group of 128.
    let linear = LAYERS * (FEED_FORWARD + ATTENTION);
    for (quantization, bytes) in [
        (json!({"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": true}), linear * 33 / 64),
        (json!({"quant_method": "gptq", "bits": 4, "group_size": 32}), linear * 9 / 16),
        (json!({"quant_method": "gptq", "bits": 8, "group_size": 128}), linear),
        (json!({"quant_method": "auto-round", "bits": 4, "group_size": 64}), linear * 17 / 32),
        (json!({"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_use_double_quant": true}), linear * 33 / 64),
        (json!({"quant_method": "bitsandbytes", "load_in_8bit": true}), linear),
        (
            json!({"quant_method": "compressed-tensors", "format": "pack-quantized", "ignore": ["lm_head"], "config_groups": {"g": {
                "targets": ["Linear"], "weights": {"num_bits": 4, "type": "int", "group_size": 32}, "input_activations": null}}}),
            linear * 9 / 16,
        ),
        // 4-bit floats with 16-bit activations: their bytes, without the arithmetic of 4-bit units.
        (json!({"quant_method": "modelopt", "quant_algo": "W4A16_NVFP4", "ignore": ["lm_head"]}), linear * 9 / 16),
        (json!({"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "fp8_e4m3"}}, "exclude": ["lm_head"]}), linear),
    ] {
        let profile = read("x", &llama(&quantization)).unwrap();
        assert_eq!(weight_bytes(&profile), bytes + PLAIN, "{quantization}");
        assert_eq!(profile.precision.kv, Dtype::Bf16);
    }
}

#[test]
fn layers_may_have_formats_of_their_own() {
    let mixed = json!({
        "quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "kv_cache_scheme": {"num_bits": 8, "type": "float"}, "ignore": ["lm_head"],
        "quantized_layers": {
            "model.layers.*.self_attn.*": {"quant_algo": "FP8"}, "model.layers.*.mlp.*": {"quant_algo": "NVFP4", "group_size": 16},
        },
    });
    let profile = read("x", &llama(&mixed)).unwrap();
    assert_eq!(weight_bytes(&profile), LAYERS * (FEED_FORWARD * 9 / 16 + ATTENTION) + PLAIN);
    assert_eq!(profile.precision.to_string(), "bf16, attention fp8, dense fp4, KV fp8");

    let groups = json!({
        "quant_method": "compressed-tensors", "ignore": ["lm_head"], "config_groups": {
            "ends": {"targets": ["re:.*down_proj"], "weights": {"num_bits": 8, "type": "float"}},
            "all": {"targets": ["Linear"], "weights": {"num_bits": 4, "type": "int", "group_size": 128}},
        },
    });
    let profile = read("x", &llama(&groups)).unwrap();
    assert_eq!(weight_bytes(&profile), LAYERS * ((2 * FEED_FORWARD / 3 + ATTENTION) * 33 / 64 + FEED_FORWARD / 3) + PLAIN);

    let dynamic = json!({"quant_method": "gptq", "bits": 4, "group_size": 128, "dynamic": {r"-:.*\.self_attn\..*": {}, r"+:.*\.down_proj": {"bits": 8}}});
    let profile = read("x", &llama(&dynamic)).unwrap();
    assert_eq!(weight_bytes(&profile), LAYERS * (2 * FEED_FORWARD / 3 * 33 / 64 + FEED_FORWARD / 3 + 2 * ATTENTION) + PLAIN);
}

#[test]
fn what_is_not_understood_is_refused_unless_the_formats_are_given() {
    for quantization in [
        json!({"quant_method": "hqq"}),
        json!({"quant_method": "modelopt", "quant_algo": "W3A5"}),
        json!({"quant_method": "modelopt"}),
        json!({"bits": 4}),
        json!({"quant_method": "gptq", "bits": 3}),
        json!({"quant_method": "compressed-tensors", "config_groups": {}}),
        json!({"quant_method": "compressed-tensors", "config_groups": {"g": {"targets": ["Conv2d"], "weights": {"num_bits": 8, "type": "float"}}}}),
        json!({"quant_method": "compressed-tensors", "config_groups": {"g": {"targets": ["Linear"], "weights": {"num_bits": 6, "type": "int"}}}}),
    ] {
        let config = llama(&quantization);
        let error = read("x", &config).unwrap_err();
        assert!(matches!(error, HuggingFaceError::Quantization(_)), "{quantization}: {error}");
        assert!(error.hint().unwrap().contains("weights: int4"), "{quantization}");
        let given = Checkpoint { config: &config, quantization: None, weights: Some(Dtype::Fp4) };
        assert!(given.read("x").is_ok(), "{quantization}");
    }
    for quantization in [json!("fp8"), json!([]), json!(8)] {
        let error = read("x", &llama(&quantization)).unwrap_err().to_string();
        assert!(error.contains("`quantization_config`") && error.contains("expected an object"), "{error}");
    }
    // Nor is it passed over because the weights are said to have 8 bits.
    let eight = |quantization: &Value| {
        read("x", &llama(quantization).replace("bfloat16", "float8_e4m3fn")).map(|profile| profile.precision.to_string())
    };
    assert_eq!(eight(&json!(null)).unwrap(), "fp8, KV bf16");
    assert!(eight(&json!({"quant_method": "hqq"})).is_err());
    // An empty object says nothing.
    assert_eq!(read("x", &llama(&json!({}))).unwrap().precision.to_string(), "bf16, KV bf16");
}

#[test]
fn lists_of_any_length_are_read_in_time() {
    // One entry for each of many modules; expressions beyond all plausible numbers are refused.
    let many = |pattern: &dyn Fn(usize) -> String| (0..50_000).map(pattern).collect::<Vec<_>>();
    let names = many(&|n| format!("model.layers.{n}.self_attn.q_proj"));
    let precision = read("x", &llama(&json!({"quant_method": "fp8", "ignored_layers": names}))).unwrap().precision;
    assert_eq!(precision.attention.unwrap().to_string(), "60.0 % fp8 and 40.0 % bf16");
    let globs = many(&|n| format!("model.layers.{n}.self_attn*"));
    let precision = read("x", &llama(&json!({"quant_method": "fp8", "ignored_layers": globs}))).unwrap().precision;
    assert_eq!(precision.attention.unwrap().only(), Some(Dtype::Bf16));
    let expressions = many(&|n| format!("re:model.layers.{n}.self_attn"));
    let error = read("x", &llama(&json!({"quant_method": "fp8", "ignored_layers": expressions}))).unwrap_err().to_string();
    assert!(error.contains("more than 1000 expressions"), "{error}");
}
