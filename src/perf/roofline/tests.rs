//! The roofline against arithmetic by hand, and properties of any batch.

use proptest::prelude::*;

use super::*;
use crate::hardware::Exchange;
use crate::perf::fixtures::{figure, h100, model, model_in, nvlink};
use crate::units::Dtype;

fn roofline(model: &Model, parallelism: Parallelism) -> Roofline {
    try_roofline(model, &h100(), parallelism).unwrap()
}

fn try_roofline(model: &Model, chip: &Chip, parallelism: Parallelism) -> Result<Roofline, PerfError> {
    let options = RooflineOptions::default();
    Roofline::new(&RooflineParameters { model, chip, scale_up: nvlink(), parallelism, options })
}

fn decode(sequences: u32, context: u64, windowed: u64) -> BatchShape {
    BatchShape { decode_sequences: sequences, decode_context: context, decode_windowed_context: windowed, ..BatchShape::default() }
}

/// One whole prompt.
fn prefill(tokens: u64) -> BatchShape {
    let pairs = tokens * (tokens + 1) / 2;
    BatchShape {
        prefill_tokens: tokens,
        prefill_sequences: 1,
        prefill_completions: 1,
        prefill_pairs: pairs,
        prefill_windowed_pairs: pairs.min(tokens * 128),
        prefill_context: tokens,
        prefill_windowed_context: tokens,
        ..BatchShape::default()
    }
}

/// The sums of two batches that run together.
fn together(a: &BatchShape, b: &BatchShape) -> BatchShape {
    BatchShape {
        decode_sequences: b.decode_sequences,
        decode_context: b.decode_context,
        decode_windowed_context: b.decode_windowed_context,
        ..*a
    }
}

fn row(rows: &[OperatorCost], name: &str) -> OperatorCost {
    *rows.iter().find(|r| r.name == name).unwrap_or_else(|| panic!("no {name}"))
}

/// llama-3.3-70b in bf16 on four chips, one sequence of 1000 tokens.
///
/// Rates per chip: products 989e3 · 0.82 = 810,980 FLOP/ns and 3350 · 0.89 = 2981.5 B/ns; KV 3350 · 0.92 = 3082 B/ns; elementwise
/// 3350 · 0.8 = 2680 B/ns. Per layer and chip, each product 4000 ns of start and (c³ + m³)^(1/3) with m = (weights + inputs + outputs) / 2981.5:
///   query, key, value  8192 × 2560   c     51.7   m 14,075.0       18,075.0 ns
///   output             2048 × 8192         41.4     11,261.1       15,261.1
///   gate and up        8192 × 14336       289.6     78,794.6       82,794.6
///   down               7168 × 8192        144.8     39,400.0       43,400.0
///   attention          12,000 + 2 heads · 15 + (8192 + 1000 · 1024 B)/3082 = 12,364.9
///   two norms          2 · (3000 + 65,536/2680)               6,048.9 ns
///   rotary             3000 + 10,752/2680                     3,004.0 ns
///   activation         3000 + 43,008/2680                     3,016.0 ns
///   two all-reduces of 16 KiB: 2 · (2700 + 400 · 12288/28672)  5,742.9 ns
/// sum 189,707.4 ns, 80 layers 15,176,594.5 ns. Once: embedding 3,012.2, its all-reduce 2,871.4, last norm 3,024.5, head
/// 8192 × 32064 180,225.8, gather of logits 2000 + 192,384/360 = 2,534.4, sampling 3000 + 1,282,560/2680 = 3,478.6, host 200,000.
#[test]
fn one_sequence_decodes_as_worked_out_by_hand() {
    let roofline = roofline(&model("llama-3.3-70b"), Parallelism::tensor(4));
    let batch = decode(1, 1000, 1000);
    let cost = roofline.iteration(&batch);
    approx::assert_relative_eq!(cost.duration_ns, 15_571_741.375_583, max_relative = 1e-9);
    let rows = roofline.operators(&batch);
    approx::assert_relative_eq!(row(&rows, "gate and up").duration_ns, 80.0 * 82_794.6, max_relative = 1e-6);
    approx::assert_relative_eq!(row(&rows, "decode attention").duration_ns, 80.0 * (12_030.0 + 1_032_192.0 / 3082.0), max_relative = 1e-12);
    assert_eq!(row(&rows, "decode attention").bound, Bound::Latency);
    assert_eq!(row(&rows, "output head").bound, Bound::Memory);
    // Two FLOPs per weight but embedding (128256 · 8192) and norms (161 · 8192), and 4 · 64 · 128 per layer and KV token.
    let flops = 2.0 * (70_553_706_496.0 - 1_050_673_152.0 - 1_318_912.0) + 80.0 * 32_768.0 * 1000.0;
    approx::assert_relative_eq!(cost.flops, flops, max_relative = 1e-12);
    approx::assert_relative_eq!(cost.compute_ns, flops / (4.0 * 989e3), max_relative = 1e-12);
    approx::assert_relative_eq!(cost.memory_ns, cost.memory_bytes / (4.0 * 3350.0), max_relative = 1e-12);
    assert!(cost.prefill_share.to_bits() == 0);
}

/// The same instance, one prompt of 8192 tokens.
///
/// Rates as above, attention 989e3 · 0.55 = 543,950 FLOP/ns. Per layer and chip, m = 8192 rows; products c, m and start + (c³ + m³)^(1/3):
///   query, key, value  2 · m · 8192 · 2560 FLOPs   c   423,681.7   m  73,152.4      428,407.4 ns
///   output             2 · m · 2048 · 8192             338,945.4      67,525.3      343,836.4
///   gate and up        2 · m · 8192 · 14336          2,372,617.5     202,575.8    2,377,109.7
///   down               2 · m · 7168 · 8192           1,186,308.8     123,796.3    1,190,758.0
///   attention          3000 + 4 · 2048 · 8192 · 8193 / 2 FLOPs                      508,398.4
///   two norms          2 · (3000 + m · 65,536/2680)                      406,649.9
///   rotary             3000 + m · 10,752/2680                             35,865.8
///   activation         3000 + m · 43,008/2680                            134,463.3
///   two all-reduces of 128 MiB: 2 · (85,000 + 2,220,000 · 112/496)     1,172,580.6
/// sum 6,598,069.4 ns, 80 layers 527,845,552.2 ns. Once 1,279,016.5 ns: embedding 103,162.5, its all-reduce 586,290.3, last norm
/// 203,325.0, and for the one token that needs logits head, gather, sampling and host as above.
#[test]
fn a_prompt_of_8192_tokens_takes_what_is_worked_out_by_hand() {
    let roofline = roofline(&model("llama-3.3-70b"), Parallelism::tensor(4));
    let cost = roofline.iteration(&prefill(8192));
    approx::assert_relative_eq!(cost.duration_ns, 529_124_568.702_077, max_relative = 1e-9);
    assert_eq!(row(&roofline.operators(&prefill(8192)), "prefill attention").bound, Bound::Compute);
    approx::assert_relative_eq!(cost.prefill_share, 1.0);
    // Each chip sends 2 · 3/4 of 128 MiB in 161 all-reduces, and the logits.
    approx::assert_relative_eq!(cost.link_bytes, 161.0 * 1.5 * 134_217_728.0 + 192_384.0, max_relative = 1e-12);
}

#[test]
fn the_operator_table_adds_up_to_the_iteration() {
    for (name, parallelism) in [
        ("llama-3.3-70b", Parallelism::tensor(4)),
        ("gpt-oss-120b", Parallelism::tensor(2)),
        ("deepseek-r1", Parallelism { tp: 1, ep: 16, dp: 16 }),
    ] {
        let roofline = roofline(&model(name), parallelism);
        for batch in [decode(37, 50_000, 4_000), prefill(3000), together(&prefill(2000), &decode(16, 20_000, 2_048))] {
            let (cost, rows) = (roofline.iteration(&batch), roofline.operators(&batch));
            let sum = |column: fn(&OperatorCost) -> f64| rows.iter().map(column).sum::<f64>();
            approx::assert_relative_eq!(cost.duration_ns, sum(|r| r.duration_ns), max_relative = 1e-12);
            approx::assert_relative_eq!(cost.compute_ns, sum(|r| r.compute_ns), max_relative = 1e-12);
            approx::assert_relative_eq!(cost.memory_ns, sum(|r| r.memory_ns), max_relative = 1e-12);
            approx::assert_relative_eq!(cost.flops, sum(|r| r.flops), max_relative = 1e-12);
            approx::assert_relative_eq!(cost.memory_bytes, sum(|r| r.memory_bytes), max_relative = 1e-12);
            approx::assert_relative_eq!(cost.link_bytes, sum(|r| r.link_bytes), max_relative = 1e-12);
            let share: f64 = rows.iter().map(|r| r.prefill_share * r.duration_ns).sum();
            approx::assert_relative_eq!(cost.prefill_share, share / cost.duration_ns, max_relative = 1e-9);
        }
    }
    assert!(roofline(&model("qwen3-8b"), Parallelism::default()).operators(&BatchShape::default()).is_empty());
    assert_eq!(roofline(&model("qwen3-8b"), Parallelism::default()).iteration(&BatchShape::default()), IterationCost::default());
}

#[test]
fn a_mixed_iteration_costs_more_than_its_parts_and_less_than_their_sum() {
    let roofline = roofline(&model("llama-3.1-8b"), Parallelism::default());
    let (p, d) = (prefill(1000), decode(32, 64_000, 64_000));
    let (alone_p, alone_d, both) = (roofline.iteration(&p), roofline.iteration(&d), roofline.iteration(&together(&p, &d)));
    assert!(both.duration_ns > alone_p.duration_ns && both.duration_ns < alone_p.duration_ns + alone_d.duration_ns);
    approx::assert_relative_eq!(both.flops, alone_p.flops + alone_d.flops, max_relative = 1e-12);
    assert!(both.prefill_share > 0.5 && both.prefill_share < 1.0, "{}", both.prefill_share);
}

#[test]
fn more_chips_share_the_work_and_fp8_halves_the_reading() {
    let llama = model("llama-3.3-70b");
    let time = |tp| roofline(&llama, Parallelism::tensor(tp)).iteration(&decode(1, 1000, 1000)).duration_ns;
    assert!(time(8) < time(4) && time(4) < time(2));
    assert!(time(8) > 0.5 * time(4), "collectives and ramps do not shrink");
    let fp8 = roofline(&model_in("llama-3.3-70b", Dtype::Fp8, Dtype::Fp8), Parallelism::tensor(4));
    let (narrow, wide) =
        (fp8.iteration(&decode(1, 1000, 1000)), roofline(&llama, Parallelism::tensor(4)).iteration(&decode(1, 1000, 1000)));
    let ratio = narrow.memory_bytes / wide.memory_bytes;
    // Everything but the head (1 of 70 G weights) is halved.
    assert!((0.5..0.52).contains(&ratio), "{ratio}");
}

/// 128 experts of which 8 are active, one layer's routed experts read `E·(1−(1−k/E)^T)` · 3 · 2048 · 768 · 2 B and the rows.
#[test]
fn expert_layers_read_the_expected_number_of_experts() {
    let roofline = roofline(&model("qwen3-30b-a3b"), Parallelism::default());
    for sequences in [1u32, 16, 256] {
        let rows = roofline.operators(&decode(sequences, 1000 * u64::from(sequences), 0));
        let active = expected_distinct_experts(128, 8, f64::from(sequences));
        let row_bytes = f64::from(8 * sequences) * ((2048.0 + 768.0) * 2.0 + (2.0 * 768.0 + 2048.0) * 2.0);
        let expected = 48.0 * (active * 3.0 * 2048.0 * 768.0 * 2.0 + row_bytes);
        approx::assert_relative_eq!(row(&rows, "routed experts").memory_bytes, expected, max_relative = 1e-12);
    }
}

#[test]
fn expert_parallel_ranks_hold_whole_experts_and_exchange_tokens() {
    let deepseek = model("deepseek-r1");
    let wide = roofline(&deepseek, Parallelism { tp: 1, ep: 32, dp: 32 });
    let rows = wide.operators(&decode(64, 64_000, 64_000));
    // Two rows a chip: 2 · 8 · 7168 · 31/32 bytes in fp8 to the experts, 14 µs of latency, 360 B/ns; 58 layers.
    let bytes = 16.0 * 7168.0 * 31.0 / 32.0;
    approx::assert_relative_eq!(row(&rows, "expert dispatch").duration_ns, 58.0 * (14_000.0 + bytes / 360.0), max_relative = 1e-12);
    approx::assert_relative_eq!(row(&rows, "expert combine").link_bytes, 58.0 * 2.0 * bytes, max_relative = 1e-12);
    // Inside one tensor-parallel group every chip has every token: nothing to exchange but the all-reduce.
    let tensor = roofline(&deepseek, Parallelism { tp: 16, ep: 16, dp: 1 });
    assert!(tensor.operators(&decode(64, 64_000, 64_000)).iter().all(|r| r.name != "expert dispatch"));
    // A lone sequence keeps one chip of 32 busy: it takes as long as 32 of the same length but for the experts and the exchange.
    let attention = |b: u32| row(&wide.operators(&decode(b, 4000 * u64::from(b), 0)), "decode attention").duration_ns;
    approx::assert_relative_eq!(attention(1), attention(32), max_relative = 1e-12);
}

/// 128 rows a chip on 8 chips: 128 · 50,176 B at 0.54 of 450 B/ns take 26.4 µs on top of 10; the kernel for many rows would take
/// 26 + 15.0 µs, but for 1,024 rows 146.1 against 221.4 µs. One row takes the least.
#[test]
fn a_measured_exchange_takes_the_fastest_of_its_kernels() {
    let exchange = |start: &str, efficiency: &str, least: &str| Exchange {
        start: figure(start),
        efficiency: figure(efficiency),
        least: figure(least),
    };
    let dispatch = vec![exchange("10 us", "0.54", "13 us"), exchange("26 us", "0.95", "26 us")];
    let combine = vec![exchange("0 us", "0.44", "14 us")];
    let chip = Chip { all_to_all: Some(AllToAll { dispatch, combine }), ..h100() };
    let roofline = try_roofline(&model("deepseek-r1"), &chip, Parallelism { tp: 1, ep: 8, dp: 8 }).unwrap();
    let time = |rows: u32| {
        let table = roofline.operators(&decode(8 * rows, 8000 * u64::from(rows), 0));
        (row(&table, "expert dispatch").duration_ns / 58.0, row(&table, "expert combine").duration_ns / 58.0)
    };
    for (rows, dispatch, combine) in [
        (1, 13_000.0, 14_000.0),
        (128, 10_000.0 + 128.0 * 50_176.0 / (0.54 * 450.0), 128.0 * 100_352.0 / (0.44 * 450.0)),
        (1024, 26_000.0 + 1024.0 * 50_176.0 / (0.95 * 450.0), 1024.0 * 100_352.0 / (0.44 * 450.0)),
    ] {
        approx::assert_relative_eq!(time(rows).0, dispatch, max_relative = 1e-12);
        approx::assert_relative_eq!(time(rows).1, combine, max_relative = 1e-12);
    }
    assert!(roofline.basis().chip.contains("all_to_all.dispatch[1].efficiency"));
}

/// DeepSeek-R1 with attention data-parallel: 128 heads on a chip, 2 · 128 · 1088 FLOPs a cached token and layer at 0.7 of 989 TFLOP/s are
/// 0.4023 ns; reading its 1152 B at 0.92 of 3350 B/ns takes 0.3738 ns.
#[test]
fn latent_attention_decodes_at_its_own_rate_of_arithmetic() {
    let wide = roofline(&model("deepseek-r1"), Parallelism { tp: 1, ep: 8, dp: 8 });
    let at = |context: u64| row(&wide.operators(&decode(64, 64 * context, 0)), "decode attention");
    let slope = (at(5000).duration_ns - at(4000).duration_ns) / (61.0 * 8.0 * 1000.0);
    approx::assert_relative_eq!(slope, 278_528.0 / (0.7 * 989e3), max_relative = 1e-9);
    assert_eq!(at(5000).bound, Bound::Compute);
    // Sixteen heads a chip are bound by reading the same latents.
    let tensor = roofline(&model("deepseek-r1"), Parallelism::tensor(8));
    assert_eq!(row(&tensor.operators(&decode(64, 64 * 5000, 0)), "decode attention").bound, Bound::Memory);
}

#[test]
fn norms_of_queries_and_keys_and_absorption_are_kernels_of_their_own() {
    let names = |name: &str, batch: &BatchShape| -> Vec<&'static str> {
        roofline(&model(name), Parallelism::default()).operators(batch).iter().map(|row| row.name).collect()
    };
    let qwen = names("qwen3-8b", &decode(1, 100, 100));
    assert!(qwen.contains(&"query norm") && qwen.contains(&"key norm"));
    assert!(!names("llama-3.1-8b", &decode(1, 100, 100)).contains(&"query norm"));
    let (decoding, prefilling) = (names("deepseek-r1", &decode(1, 100, 0)), names("deepseek-r1", &prefill(100)));
    for absorbed in ["query absorption", "output absorption"] {
        assert!(decoding.contains(&absorbed) && !prefilling.contains(&absorbed));
    }
    assert!(prefilling.contains(&"latent expansion") && !decoding.contains(&"latent expansion"));
    assert!(decoding.contains(&"latent norm") && prefilling.contains(&"query latent norm"));
}

#[test]
fn a_hot_rank_slows_the_experts() {
    let deepseek = model("deepseek-r1");
    let chip = h100();
    let parallelism = Parallelism { tp: 1, ep: 32, dp: 32 };
    let build = |hot_rank| {
        let options = RooflineOptions { hot_rank, ..RooflineOptions::default() };
        Roofline::new(&RooflineParameters { model: &deepseek, chip: &chip, scale_up: nvlink(), parallelism, options })
    };
    let batch = BatchShape { prefill_sequences: 32, ..prefill(65_536) };
    let (even, hot) = (build(1.0).unwrap().iteration(&batch), build(1.5).unwrap().iteration(&batch));
    assert!(hot.duration_ns > even.duration_ns);
    assert_eq!(hot.flops.to_bits(), even.flops.to_bits());
    assert_eq!(build(0.5).unwrap_err().to_string(), "`hot_rank` is 0.5, expected 1 to 100");
}

#[test]
fn formats_that_the_chip_lacks_are_expanded_and_said_so() {
    let mut chip = h100();
    chip.compute.remove(&Dtype::Fp8);
    let fp8 = model_in("llama-3.1-8b", Dtype::Fp8, Dtype::Bf16);
    let weight_only = try_roofline(&fp8, &chip, Parallelism::default()).unwrap();
    let bf16 = roofline(&model("llama-3.1-8b"), Parallelism::default());
    let (narrow, wide) = (weight_only.iteration(&prefill(8192)), bf16.iteration(&prefill(8192)));
    approx::assert_relative_eq!(narrow.compute_ns, wide.compute_ns, max_relative = 1e-12);
    assert!(weight_only.iteration(&decode(1, 100, 100)).duration_ns < bf16.iteration(&decode(1, 100, 100)).duration_ns);
    assert!(weight_only.provenance().contains("fp8 weights are computed in bf16"), "{}", weight_only.provenance());
    let gpt = roofline(&model("gpt-oss-20b"), Parallelism::default());
    assert!(gpt.provenance().contains("expert_memory of fp8 stands in for mxfp4"), "{}", gpt.provenance());
}

#[test]
fn impossible_instances_are_refused_with_what_to_write_instead() {
    let error = |name: &str, parallelism| try_roofline(&model(name), &h100(), parallelism).unwrap_err().to_string();
    assert_eq!(
        error("llama-3.3-70b", Parallelism::tensor(3)),
        "`tp: 3` does not divide the 64 attention heads of `llama-3.3-70b`, expected one of 1, 2, 4, 8, 16, 32, 64"
    );
    assert_eq!(error("llama-3.3-70b", Parallelism::tensor(0)), "`tp`: found 0, expected 1 to 16384");
    assert!(error("llama-3.3-70b", Parallelism { ep: 4, ..Parallelism::tensor(4) }).contains("has no experts"));
    assert!(error("deepseek-r1", Parallelism { ep: 4, ..Parallelism::tensor(8) }).contains("expected `ep: 8`"));
    assert!(error("deepseek-r1", Parallelism { dp: 4, ..Parallelism::tensor(1) }).contains("expected `ep: 4`"));
    let bare = Chip { efficiency: None, ..h100() };
    let error = try_roofline(&model("qwen3-8b"), &bare, Parallelism::default()).unwrap_err();
    assert!(error.to_string().contains("no `efficiency`"), "{error}");
    let mut partial = h100();
    partial.compute.clear();
    assert!(matches!(try_roofline(&model("qwen3-8b"), &partial, Parallelism::default()), Err(PerfError::MissingFigure { .. })));
}

fn instances() -> Vec<(Roofline, bool)> {
    vec![
        (roofline(&model("llama-3.3-70b"), Parallelism::tensor(4)), false),
        (roofline(&model_in("llama-3.1-8b", Dtype::Fp8, Dtype::Fp8), Parallelism::default()), false),
        (roofline(&model("gpt-oss-120b"), Parallelism::tensor(2)), true),
        (roofline(&model("qwen3-235b-a22b"), Parallelism { ep: 8, ..Parallelism::tensor(8) }), false),
        (roofline(&model("deepseek-r1"), Parallelism::tensor(16)), false),
        (roofline(&model("deepseek-r1"), Parallelism { tp: 1, ep: 16, dp: 16 }), false),
    ]
}

/// A column of a cost.
type Column = fn(&IterationCost) -> f64;

/// The line of a run at iteration `j` against the iteration of the grown batch, all columns.
fn compare(run: &DecodeRun, j: u64, grown: &IterationCost) -> Result<(), TestCaseError> {
    let columns: [(&str, Column); 6] = [
        ("duration", |c| c.duration_ns),
        ("compute", |c| c.compute_ns),
        ("memory", |c| c.memory_ns),
        ("flops", |c| c.flops),
        ("bytes", |c| c.memory_bytes),
        ("link", |c| c.link_bytes),
    ];
    for (name, column) in columns {
        let (line, direct) = (column(&run.first) + j as f64 * column(&run.step), column(grown));
        prop_assert!((line - direct).abs() <= 1e-9 * direct.abs(), "{} at {}: {} against {}", name, j, line, direct);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_decode_run_agrees_with_stepping(b in 1u32..600, length in 1u64..20_000, permille in 0u64..=1000, percent in 0u32..=100) {
        for (roofline, windowed) in instances() {
            let n = u64::from(b);
            let window = if windowed { n * length.min(128) } else { n * length };
            let growth = if windowed { b * percent / 100 } else { b };
            let batch = decode(b, n * length, window);
            let run = roofline.decode_run(&batch, growth);
            prop_assert_eq!(run.first, roofline.iteration(&batch));
            prop_assert!(run.iterations >= 1);
            // The last iteration on the line, the first, and one between; all below a million tokens a sequence.
            let last = (run.iterations - 1).min(1_000_000);
            for j in [0, last * permille / 1000, last] {
                let grown = decode(b, batch.decode_context + j * n, batch.decode_windowed_context + j * u64::from(growth));
                compare(&run, j, &roofline.iteration(&grown))?;
            }
        }
    }

    #[test]
    fn decode_time_grows_with_batch_and_with_context(b in 1u32..500, more in 1u32..100, length in 1u64..50_000, longer in 1u64..50_000) {
        for (roofline, _) in instances() {
            let at = |b: u32, length: u64| roofline.iteration(&decode(b, u64::from(b) * length, u64::from(b) * length.min(128)));
            let base = at(b, length);
            let (wider, deeper) = (at(b + more, length), at(b, length + longer));
            prop_assert!(wider.duration_ns >= base.duration_ns * (1.0 - 1e-12));
            prop_assert!(deeper.duration_ns >= base.duration_ns * (1.0 - 1e-12));
            prop_assert!(deeper.memory_bytes > base.memory_bytes && wider.flops > base.flops);
            // The hardware peaks are a lower bound.
            prop_assert!(base.compute_ns < base.duration_ns && base.memory_ns < base.duration_ns);
        }
    }
}

#[test]
fn an_ordinary_decode_batch_runs_on_one_line_to_the_end_of_its_context() {
    let llama = roofline(&model("llama-3.3-70b"), Parallelism::tensor(4));
    assert!(llama.decode_run(&decode(64, 64_000, 64_000), 64).iterations > 131_072);
    assert!(llama.decode_run(&decode(1, 1000, 1000), 1).iterations > 131_072);
}

#[test]
fn a_batch_beyond_the_precomputed_ones_costs_by_the_same_formulas() {
    let deepseek = roofline(&model("deepseek-r1"), Parallelism::tensor(16));
    let at = |n: u32| deepseek.iteration(&decode(n, 1000 * u64::from(n), 0)).duration_ns;
    let (before, last, after) = (at(PRECOMPUTED_BATCHES - 1), at(PRECOMPUTED_BATCHES), at(PRECOMPUTED_BATCHES + 1));
    approx::assert_relative_eq!(after - last, last - before, max_relative = 0.05);
}

#[test]
fn long_contexts_show_in_the_time_of_a_step() {
    // 64 sequences of 1 k and of 32 k tokens, 70B on 4 chips: KV read per chip 64 · 31,000 · 80 · 1024 B more = 162.5 GB; at 3082 B/ns
    // that is 52.8 ms.
    let roofline = roofline(&model("llama-3.3-70b"), Parallelism::tensor(4));
    let time = |length: u64| roofline.iteration(&decode(64, 64 * length, 64 * length)).duration_ns;
    approx::assert_relative_eq!(time(32_000) - time(1_000), 162.5293e6 / 3.082, max_relative = 1e-5);
}
