//! The roofline against arithmetic by hand, and what must hold of any batch.
//!
//! A sanity figure that nothing here is tuned to: public serving measurements at a batch of 8 (ML.ENERGY v3, vLLM) show the time of
//! reading the weights once at 0.63 of the median ITL for a 70B model on four H100 and 0.65 for an 8B model on one; the model below
//! gives 0.59 and 0.63.

use proptest::prelude::*;

use super::*;
use crate::perf::fixtures::{h100, model, model_in, nvlink};
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
/// Rates per chip: weights 3350 · 0.89 · 0.8 = 2385.2 B/ns; KV 3350 · 0.81 · 0.8 = 2170.8 B/ns; elementwise 3350 · 0.8 = 2680 B/ns.
/// Per layer and chip, each product 3000 ns of ramp plus (weights + inputs + outputs) / 2385.2:
///   query, key, value  8192 × 2560   41,943,040 + 21,504 B   20,593.7 ns
///   output             2048 × 8192   33,554,432 + 20,480 B   17,076.4 ns
///   gate and up        8192 × 14336 234,881,024 + 45,056 B  101,493.2 ns
///   down               7168 × 8192  117,440,512 + 30,720 B   52,250.1 ns
///   attention          8192 + 1000 · 1024 B = 475.5 + 3000, below the floor: 6,800 ns
///   two norms          2 · (3000 + 65,536/2680)               6,048.9 ns
///   rotary             3000 + 10,752/2680                     3,004.0 ns
///   activation         3000 + 43,008/2680                     3,016.0 ns
///   two all-reduces of 16 KiB: 2 · (2700 + 400 · 12288/28672)  5,742.9 ns
/// sum 216,025.2 ns, 80 layers 17,282,015.5 ns. Once: embedding 3,012.2, its all-reduce 2,871.4, last norm 3,024.5, head
/// 8192 × 32064 223,282.2, gather of logits 2000 + 192,384/360 = 2,534.4, sampling 3000 + 1,282,560/2680 = 3,478.6, host 200,000.
#[test]
fn one_sequence_decodes_as_worked_out_by_hand() {
    let roofline = roofline(&model("llama-3.3-70b"), Parallelism::tensor(4));
    let batch = decode(1, 1000, 1000);
    let cost = roofline.iteration(&batch);
    approx::assert_relative_eq!(cost.duration_ns, 17_720_218.743_182_957, max_relative = 1e-9);
    let rows = roofline.operators(&batch);
    approx::assert_relative_eq!(row(&rows, "gate and up").duration_ns, 80.0 * 101_493.2, max_relative = 1e-6);
    approx::assert_relative_eq!(row(&rows, "decode attention").duration_ns, 80.0 * 6_800.0, max_relative = 1e-12);
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
/// Rates per chip: products 989e3 · 0.82 · 0.85 = 689,333 FLOP/ns, attention 989e3 · 0.55 · 0.85 = 462,357.5 FLOP/ns.
/// Per layer and chip, m = 8192:
///   query, key, value  2 · m · 8192 · 2560  =   343,597,383,680 FLOPs    501,449.1 ns
///   output             2 · m · 2048 · 8192  =   274,877,906,944          401,759.2
///   gate and up        2 · m · 8192 · 14336 = 1,924,145,348,608        2,794,314.7
///   down               2 · m · 7168 · 8192  =   962,072,674,304        1,398,657.4
///   attention          4 · 2048 · 8192 · 8193 / 2 = 274,911,461,376      597,586.4
///   two norms          2 · (3000 + m · 65,536/2680)                      406,649.9
///   rotary             3000 + m · 10,752/2680                             35,865.8
///   activation         3000 + m · 43,008/2680                            134,463.3
///   two all-reduces of 128 MiB: 2 · (85,000 + 2,220,000 · 112/496)     1,172,580.6
/// sum 7,443,326.4 ns, 80 layers 595,466,111.2 ns. Once 1,322,072.9 ns: embedding 103,162.5, its all-reduce 586,290.3, last norm
/// 203,325.0, and for the one token that needs logits head, gather, sampling and host as above.
#[test]
fn a_prompt_of_8192_tokens_takes_what_is_worked_out_by_hand() {
    let roofline = roofline(&model("llama-3.3-70b"), Parallelism::tensor(4));
    let cost = roofline.iteration(&prefill(8192));
    approx::assert_relative_eq!(cost.duration_ns, 596_788_184.151_404_1, max_relative = 1e-9);
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
        ("deepseek-r1", Parallelism { tp: 1, ep: 16, dp: 16, pp: 1 }),
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
    let wide = roofline(&deepseek, Parallelism { tp: 1, ep: 32, dp: 32, pp: 1 });
    let rows = wide.operators(&decode(64, 64_000, 64_000));
    // Two rows a chip: 2 · 8 · 7168 · 31/32 bytes in fp8 to the experts, 10 µs of latency, 360 B/ns; 58 layers.
    let bytes = 16.0 * 7168.0 * 31.0 / 32.0;
    approx::assert_relative_eq!(row(&rows, "expert dispatch").duration_ns, 58.0 * (10_000.0 + bytes / 360.0), max_relative = 1e-12);
    approx::assert_relative_eq!(row(&rows, "expert combine").link_bytes, 58.0 * 2.0 * bytes, max_relative = 1e-12);
    // Inside one tensor-parallel group every chip has every token: nothing to exchange but the all-reduce.
    let tensor = roofline(&deepseek, Parallelism { tp: 16, ep: 16, dp: 1, pp: 1 });
    assert!(tensor.operators(&decode(64, 64_000, 64_000)).iter().all(|r| r.name != "expert dispatch"));
    // A lone sequence keeps one chip of 32 busy: it takes as long as 32 of the same length but for the experts and the exchange.
    let attention = |b: u32| row(&wide.operators(&decode(b, 4000 * u64::from(b), 0)), "decode attention").duration_ns;
    approx::assert_relative_eq!(attention(1), attention(32), max_relative = 1e-12);
}

#[test]
fn a_hot_rank_slows_the_experts() {
    let deepseek = model("deepseek-r1");
    let chip = h100();
    let parallelism = Parallelism { tp: 1, ep: 32, dp: 32, pp: 1 };
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
    assert!(gpt.provenance().contains("gemm_memory of fp8 stands in for mxfp4"), "{}", gpt.provenance());
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
    assert!(error("llama-3.1-8b", Parallelism { pp: 2, ..Parallelism::default() }).contains("pipeline"));
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
        (roofline(&model("deepseek-r1"), Parallelism { tp: 1, ep: 16, dp: 16, pp: 1 }), false),
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
            // Nothing is faster than the hardware.
            prop_assert!(base.compute_ns < base.duration_ns && base.memory_ns < base.duration_ns);
        }
    }
}

#[test]
fn an_ordinary_decode_batch_runs_on_one_line_to_the_end_of_its_context() {
    let llama = roofline(&model("llama-3.3-70b"), Parallelism::tensor(4));
    assert!(llama.decode_run(&decode(64, 64_000, 64_000), 64).iterations > 131_072);
    // One short sequence hides below the kernel floor of 6.8 µs until ramp and reading take longer:
    // (6800 − 3000) · 2170.8 B/ns = 8,249,040 B = 8192 + 1024 · 8047.6 tokens, so from 1000 tokens on 7047 more, 0 included.
    assert_eq!(llama.decode_run(&decode(1, 1000, 1000), 1).iterations, 7048);
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
    // 64 sequences of 1 k and of 32 k tokens, 70B on 4 chips: KV read per chip 64 · 31,000 · 80 · 1024 B more = 162.5 GB; at 2170.8 B/ns
    // that is 74.9 ms, less what the floor and ramp of attention hid at 1 k.
    let roofline = roofline(&model("llama-3.3-70b"), Parallelism::tensor(4));
    let time = |length: u64| roofline.iteration(&decode(64, 64 * length, 64 * length)).duration_ns;
    approx::assert_relative_eq!(time(32_000) - time(1_000), 74.87e6, max_relative = 2e-3);
}
