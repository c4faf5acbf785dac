//! Checks of the shipped profiles: recomputed counts against published ones, KV bytes against the configurations.

use super::*;
use crate::units::Dtype;

/// All twelve: name, KV bytes per token in bf16 with full attention in all layers, from layers · cached elements · 2 bytes by hand.
const KV_BYTES_PER_TOKEN: [(&str, u64); 12] = [
    ("deepseek-r1", 70_272),      // 61 · (512 + 64) · 2
    ("gpt-oss-120b", 73_728),     // 36 · 2 · 8 · 64 · 2
    ("gpt-oss-20b", 49_152),      // 24 · 2 · 8 · 64 · 2
    ("kimi-k2", 70_272),          // 61 · (512 + 64) · 2
    ("llama-3.1-405b", 516_096),  // 126 · 2 · 8 · 128 · 2
    ("llama-3.1-8b", 131_072),    // 32 · 2 · 8 · 128 · 2
    ("llama-3.3-70b", 327_680),   // 80 · 2 · 8 · 128 · 2
    ("mixtral-8x7b", 131_072),    // 32 · 2 · 8 · 128 · 2
    ("qwen3-235b-a22b", 192_512), // 94 · 2 · 4 · 128 · 2
    ("qwen3-30b-a3b", 98_304),    // 48 · 2 · 4 · 128 · 2
    ("qwen3-32b", 262_144),       // 64 · 2 · 8 · 128 · 2
    ("qwen3-8b", 147_456),        // 36 · 2 · 8 · 128 · 2
];

fn model(name: &str) -> Model {
    catalogue::find(name).unwrap().model().unwrap()
}

#[test]
fn the_catalogue_has_twelve_models_in_files_of_the_same_names() {
    let expected: Vec<_> = KV_BYTES_PER_TOKEN.iter().map(|&(name, _)| name).collect();
    assert_eq!(catalogue::names(), expected);
    for name in catalogue::names() {
        assert_eq!(catalogue::find(name).unwrap().name, name);
        assert!(catalogue::text(name).unwrap().starts_with("# yaml-language-server: $schema=../schemas/model.json\n"), "{name}");
    }
}

#[test]
fn recomputed_totals_agree_with_the_published_ones_to_half_a_percent() {
    for name in catalogue::names() {
        let profile = catalogue::find(name).unwrap();
        let published = profile.published.unwrap();
        let parameters = profile.architecture.parameters();
        approx::assert_relative_eq!(parameters.total() as f64, published.total.value.get(), max_relative = 0.005);
        if let Some(active) = published.active {
            let counted = if published.active_counts_embedding { parameters.active() } else { parameters.active_without_embedding() };
            approx::assert_relative_eq!(counted as f64, active.value.get(), max_relative = 0.03);
        } else {
            assert_eq!(parameters.active(), parameters.total(), "{name} is dense");
        }
    }
}

#[test]
fn exact_totals_of_checkpoints_are_reproduced_to_the_last_parameter() {
    // Parameter counts in the metadata of the Hugging Face checkpoints.
    assert_eq!(model("llama-3.1-8b").parameters().total(), 8_030_261_248);
    assert_eq!(model("llama-3.3-70b").parameters().total(), 70_553_706_496);
    assert_eq!(model("llama-3.1-405b").parameters().total(), 405_853_388_800);
    assert_eq!(model("qwen3-8b").parameters().total(), 8_190_735_360);
    assert_eq!(model("mixtral-8x7b").parameters().total(), 46_702_792_704);
    // Of DeepSeek-V3 without its prediction module: 61 layers, by hand 671,026,404,352 without the 58 · 256 router biases.
    assert_eq!(model("deepseek-r1").parameters().total(), 671_026_404_352 + 58 * 256);
}

#[test]
fn kv_bytes_per_token_match_the_configurations() {
    for (name, bytes) in KV_BYTES_PER_TOKEN {
        assert_eq!(model(name).kv_bytes_per_token(), bytes, "{name}");
        assert_eq!(model(name).kv_block_bytes(16), 16 * bytes, "{name}");
    }
    let profile = catalogue::find("llama-3.3-70b").unwrap();
    let fp8 = profile.model_with(Precision { kv: Dtype::Fp8, ..profile.precision.clone() }).unwrap();
    assert_eq!(fp8.kv_bytes_per_token(), 163_840);
}

#[test]
fn windowed_layers_stop_growing_at_the_window() {
    let gpt = model("gpt-oss-120b");
    assert_eq!(gpt.kv_bytes_per_token_beyond_window(), 36_864);
    assert_eq!(gpt.kv_bytes(128), 128 * 73_728);
    assert_eq!(gpt.kv_bytes(1128), 128 * 73_728 + 1000 * 36_864);
    assert_eq!(gpt.kv_window_bytes(), 128 * 36_864);
    assert_eq!(model("qwen3-8b").kv_window_bytes(), 0);
}

#[test]
fn weight_bytes_follow_the_number_formats_of_the_parts() {
    // 2 bytes for each of the 8,030,261,248 parameters.
    assert_eq!(model("llama-3.1-8b").weight_bytes(), 16_060_522_496);
    // The published MXFP4 checkpoints weigh 60.8 and 12.8 GiB.
    approx::assert_relative_eq!(model("gpt-oss-120b").weight_bytes() as f64, 60.8 * f64::from(1 << 30), max_relative = 0.01);
    approx::assert_relative_eq!(model("gpt-oss-20b").weight_bytes() as f64, 12.8 * f64::from(1 << 30), max_relative = 0.01);
    // FP8 leaves embedding and head (2 · 128256 · 4096) and the norms (65 · 4096) in bf16.
    let profile = catalogue::find("llama-3.1-8b").unwrap();
    let fp8 = profile.model_with(Precision { weights: Dtype::Fp8, ..profile.precision.clone() }).unwrap();
    assert_eq!(fp8.weight_bytes(), 8_030_261_248 + 2 * 128_256 * 4096 + 65 * 4096);
}

#[test]
fn flops_per_token_are_two_per_active_weight_and_the_attention() {
    // llama-3.1-8b: weights in products = 8,030,261,248 − embedding 525,336,576 − norms 65·4096; attention 4·32·128 per pair and layer.
    let expected = 2.0 * (8_030_261_248.0 - 525_336_576.0 - 266_240.0) + 32.0 * 16_384.0 * 1000.0;
    approx::assert_relative_eq!(model("llama-3.1-8b").flops_per_token(1000), expected, max_relative = 1e-12);
}

#[test]
fn an_unknown_model_suggests_the_nearest_name() {
    let error = catalogue::find("lama-3.3-70b").unwrap_err();
    assert_eq!(error.to_string(), "unknown model `lama-3.3-70b`; did you mean `llama-3.3-70b`?");
    assert_eq!(catalogue::find("something-else-entirely").unwrap_err().to_string(), "unknown model `something-else-entirely`");
}

#[test]
fn errors_name_the_faulty_key() {
    let good = catalogue::text("qwen3-8b").unwrap();
    let read = |text: String| ModelProfile::from_yaml("x", &text).unwrap_err().to_string();
    assert_eq!(read(good.replace("kv_heads: 8", "kv_heads: 5")), "`attention.kv_heads`: found 5, expected a divisor of the 32 heads");
    assert_eq!(read(good.replace("layers: 36", "layers: 0")), "`layers`: found 0, expected 1 to 1024");
    assert_eq!(read(good.replace("  dense_intermediate: 12288\n", "")), "`dense_intermediate` is missing, but 36 layers are dense");
    assert!(read(good.replace("source: card", "source: crad")).contains("`crad`"));
    assert!(read(good.replace("qk_norm", "qk_nrom")).contains("qk_nrom"));
}
