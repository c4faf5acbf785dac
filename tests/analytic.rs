//! Truth by closed form.

use tokenmill::cluster::{Overlap, PoolSpec, Role};
use tokenmill::hardware::{Catalogue, Chip, Link};
use tokenmill::perf::{BatchShape, Parallelism, PerfModel, Roofline, RooflineOptions, RooflineParameters, ScaleUp};
use tokenmill::sim::{Purpose, SimTime, Streams};

use crate::support::{Linear, Listed, cluster, pool, request, run};

const MS: f64 = 1e6;

fn mean_wait_ms(records: &[tokenmill::cluster::RequestRecord]) -> f64 {
    let waits = records.iter().map(|r| r.prefill_start.unwrap().since(r.arrived).as_millis_f64());
    waits.sum::<f64>() / records.len() as f64
}

/// Poisson arrivals at `rate_per_ms`.
fn poisson(n: usize, rate_per_ms: f64, seed: u64) -> Vec<u64> {
    let mut stream = Streams::new(seed).stream(Purpose::Arrivals, 0);
    let mut at = 0.0;
    (0..n)
        .map(|_| {
            at += stream.exponential() / rate_per_ms * MS;
            at as u64
        })
        .collect()
}

/// M/D/1: requests of one output token, one at a time, 10 ms each. Pollaczek–Khinchine: W = ρ·D / (2(1 − ρ)).
#[test]
fn waiting_times_of_single_service_are_those_of_m_d_1() {
    for rho in [0.3, 0.6, 0.8] {
        let mut spec = cluster(vec![pool("m", Role::Mixed, 1, Linear { base: 10.0 * MS, ..Linear::default() })]);
        spec.pools[0].engine.max_num_seqs = 1;
        spec.audit = false;
        let n = 200_000;
        let records = run(spec, Listed::new(poisson(n, rho / 10.0, 3).into_iter().map(|at| (at, request(1, 1)))));
        let expected = rho * 10.0 / (2.0 * (1.0 - rho));
        // The standard error at ρ = 0.8 and this n is about 1.5 %; 6 % is four of them.
        approx::assert_relative_eq!(mean_wait_ms(&records), expected, max_relative = 0.06);
    }
}

/// M/M/c: c sequence slots, every iteration 1 ms whatever its batch, geometric output of mean 100 tokens, so exponential service of
/// mean 100 ms up to the 1 ms grid. Erlang C: W = C(c, a) · S / (c − a).
#[test]
fn waiting_times_of_parallel_service_are_those_of_m_m_c() {
    let (c, service_ms) = (8u32, 100.0);
    let offered = 6.4;
    let mut spec = cluster(vec![pool("m", Role::Mixed, 1, Linear { base: MS, ..Linear::default() })]);
    spec.pools[0].engine.max_num_seqs = c;
    spec.audit = false;
    let n = 200_000;
    let mut stream = Streams::new(5).stream(Purpose::Lengths, 0);
    let arrivals = poisson(n, offered / service_ms, 4);
    // Geometric on 1, 2, … with mean 100: the number of iterations a request stays.
    let lengths: Vec<u32> = (0..n).map(|_| (stream.uniform().ln() / (1.0f64 - 1.0 / service_ms).ln()).ceil().max(1.0) as u32).collect();
    let records = run(spec, Listed::new(arrivals.into_iter().zip(lengths).map(|(at, length)| (at, request(1, length)))));
    let power = |k: u32| (1..=k).fold(1.0, |term, i| term * offered / f64::from(i));
    let tail = power(c) * f64::from(c) / (f64::from(c) - offered);
    let erlang_c = tail / ((0..c).map(power).sum::<f64>() + tail);
    // On the 1 ms grid a request that finds a free slot still waits half an iteration.
    let expected = erlang_c * service_ms / (f64::from(c) - offered) + 0.5;
    approx::assert_relative_eq!(mean_wait_ms(&records), expected, max_relative = 0.06);
}

/// A saturated closed loop: 32 requests at once, all of 101 tokens. 100 decode iterations of 32 sequences at 20 ms: throughput = 32 / 20 ms.
#[test]
fn saturated_throughput_is_batch_over_iteration_time() {
    let spec = cluster(vec![pool("m", Role::Mixed, 1, Linear { base: 20.0 * MS, ..Linear::default() })]);
    let records = run(spec, Listed::new((0..32).map(|_| (0, request(10, 101)))));
    for record in &records {
        assert_eq!(record.output_tokens, 101);
        // Arrivals at t = 0: the first starts an iteration alone, the others join the next one. Then 100 more iterations.
        let decode_ns = record.done.since(record.first_token.unwrap()).ns();
        assert!((100 * 20_000_000..=101 * 20_000_000).contains(&decode_ns), "{decode_ns}");
    }
    let tokens: u32 = records.iter().map(|r| r.output_tokens).sum();
    let span = records.iter().map(|r| r.done).max().unwrap().as_secs_f64();
    approx::assert_relative_eq!(f64::from(tokens) / span, 32.0 / 0.020, max_relative = 0.03);
}

/// Without contention a handoff takes bytes / bandwidth + overhead: 10,000 tokens · 1,000 B / 10 GB/s = 1 ms, + 10 µs.
#[test]
fn a_lone_handoff_takes_bytes_over_bandwidth() {
    let perf = Linear { base: 20.0 * MS, ..Linear::default() };
    let spec = cluster(vec![pool("p", Role::Prefill, 1, perf), pool("d", Role::Decode, 1, perf)]);
    let records = run(spec, Listed::new([(0, request(10_000, 5))]));
    let record = &records[0];
    assert_eq!(record.first_token.unwrap(), SimTime::from_ns(40_000_000), "two chunks of at most 8192 tokens");
    assert_eq!(record.delivered.unwrap().since(record.first_token.unwrap()).ns(), 1_010_000);
    assert_eq!(record.decode_start, record.delivered);
    // Four more tokens, 20 ms each.
    assert_eq!(record.done.since(record.delivered.unwrap()).ns(), 80_000_000);
    assert_eq!(record.second_token.unwrap().since(record.first_token.unwrap()).ns(), 21_010_000);
}

/// How long handoffs of 10,000 tokens take, ns, if two end at the same moment on two senders and go to one receiver as `change` makes it.
fn two_handoffs(change: impl Fn(&mut PoolSpec)) -> Vec<u64> {
    let perf = Linear { base: 20.0 * MS, ..Linear::default() };
    let mut spec = cluster(vec![pool("p", Role::Prefill, 2, perf), pool("d", Role::Decode, 1, perf)]);
    spec.pools[0].engine.max_num_batched_tokens = 16_384;
    change(&mut spec.pools[1]);
    let records = run(spec, Listed::new([(0, request(10_000, 5)), (0, request(10_000, 5))]));
    assert!(records.iter().all(|record| record.first_token == Some(SimTime::from_ns(20_000_000))));
    records.iter().map(|record| record.delivered.unwrap().since(record.first_token.unwrap()).ns()).collect()
}

/// They share the one receiver: each gets 5 GB/s, so both take 2 ms.
#[test]
fn handoffs_to_one_receiver_share_its_port() {
    assert_eq!(two_handoffs(|_| {}), [2_010_000; 2]);
}

/// Each goes to one of four data-parallel groups and has a quarter of the port, 2.5 GB/s: 4 ms, for the port has room for both.
#[test]
fn a_handoff_to_one_of_several_groups_has_only_the_ports_of_its_chips() {
    assert_eq!(two_handoffs(|receiver| receiver.groups = 4), [4_010_000; 2]);
}

/// What counts is what the receiver keeps, not what the sender does: 4 kB a token are 40 MB, 8 ms at 5 GB/s.
#[test]
fn a_handoff_moves_what_the_receiver_keeps() {
    assert_eq!(two_handoffs(|receiver| receiver.kv_bytes_per_token = 4000.0), [8_010_000; 2]);
}

/// Layer-wise: T = 20 ms, L = 10 layers, t = 1 ms: all but the last layer is hidden, t/L = 0.1 ms is exposed. With a link 100 times
/// slower (t = 100 ms), it ends at T/L + t = 102 ms, so 82 ms are exposed.
#[test]
fn layer_wise_overlap_hides_all_but_the_last_layer_or_is_bound_by_the_link() {
    let perf = Linear { base: 20.0 * MS, ..Linear::default() };
    for (rate, exposed_ns) in [(10e9, 100_000), (0.1e9, 82_000_000)] {
        let mut spec = cluster(vec![pool("p", Role::Prefill, 1, perf), pool("d", Role::Decode, 1, perf)]);
        spec.network.overlap = Overlap::LayerWise;
        for pool in &mut spec.pools {
            pool.engine.max_num_batched_tokens = 16_384;
            pool.port_bytes_per_s = rate;
        }
        let records = run(spec, Listed::new([(0, request(10_000, 5))]));
        let exposed = records[0].delivered.unwrap().since(records[0].first_token.unwrap()).ns();
        assert!(exposed.abs_diff(exposed_ns + 10_000) <= 2, "{exposed}");
    }
}

/// Decode time grows with batch and with context exactly as the model says.
#[test]
fn decode_steps_cost_what_the_model_says() {
    let perf = Linear { base: 5.0 * MS, per_sequence: 100_000.0, per_context: 10.0, ..Linear::default() };
    let spec = cluster(vec![pool("m", Role::Mixed, 1, perf)]);
    let records = run(spec, Listed::new([(0, request(1000, 11))]));
    // Ten iterations of one sequence with contexts 1001 … 1010: Σ = 10055.
    assert_eq!(records[0].done.since(records[0].first_token.unwrap()).ns(), 10 * 5_100_000 + 10 * 10_055);
}

/// llama-3.3-70b in bf16 on four H100 with the shipped figures.
fn llama_on_four_h100() -> Roofline {
    let catalogue = Catalogue::built_in();
    let (chip, link): (Chip, Link) = (catalogue.find("h100-sxm").unwrap(), catalogue.find("nvlink-4").unwrap());
    let model = tokenmill::model::catalogue::find("llama-3.3-70b").unwrap().model().unwrap();
    let (scale_up, options) = (ScaleUp::from(&link), RooflineOptions::default());
    Roofline::new(&RooflineParameters { model: &model, chip: &chip, scale_up, parallelism: Parallelism::tensor(4), options }).unwrap()
}

/// A product of `inner × outer` bf16 weights on each chip with `rows`: c at 0.80 of 989 TFLOP/s, m at 0.90 of 3.35 TB/s, `4 µs + (c³ + m³)^(1/3)`.
fn product_ns(rows: f64, inner: f64, outer: f64) -> f64 {
    let compute = 2.0 * rows * inner * outer / (0.80 * 989e3);
    let memory = 2.0 * (inner * outer + rows * (inner + outer)) / (0.90 * 3350.0);
    4000.0 + (compute.powi(3) + memory.powi(3)).cbrt()
}

/// A kernel that moves `bytes`: 3 µs and 0.8 of 3.35 TB/s.
fn move_ns(bytes: f64) -> f64 {
    3000.0 + bytes / (0.8 * 3350.0)
}

/// All of an iteration but attention and the all-reduces, for which the caller gives the time of one layer's attention and of one all-reduce.
fn llama_iteration_ns(rows: f64, attention: f64, all_reduce: f64) -> f64 {
    // 16 query heads and 2 KV heads of 128 on each chip: 2048 + 2 · 256 columns. A quarter of 28,672 columns of the feed-forward part.
    let products = product_ns(rows, 8192.0, 2560.0)
        + product_ns(rows, 2048.0, 8192.0)
        + product_ns(rows, 8192.0, 14_336.0)
        + product_ns(rows, 7168.0, 8192.0);
    // Two norms over residual and result, in and out; queries and keys in and out, values in, keys and values to the cache; gate, up, product.
    let moves = 2.0 * move_ns(rows * 4.0 * 8192.0 * 2.0)
        + move_ns(rows * (2.0 * (2048.0 + 256.0) * 2.0 + 256.0 * 2.0 + 512.0 * 2.0))
        + move_ns(rows * 3.0 * 7168.0 * 2.0);
    let layer = products + moves + attention + 2.0 * all_reduce;
    // Embedding and its all-reduce, last norm, head for one token, gathering three quarters of 128,256 logits over 0.72 of 450 GB/s, sampling
    // (2 bytes read, widened to 4, read again), 250 µs of host.
    let once = move_ns(rows * 2.0 * 8192.0 * 2.0) + all_reduce + move_ns(rows * 4.0 * 8192.0 * 2.0) + product_ns(1.0, 8192.0, 32_064.0);
    let logits = 1500.0 + 0.75 * 128_256.0 * 2.0 / (0.72 * 450.0) + move_ns(128_256.0 * 10.0);
    80.0 * layer + once + logits + 250_000.0
}

/// One sequence of 1000 tokens: reading 1024 B of keys and values a token and layer at 0.92 of 3.35 TB/s behind a start of 12 µs and 15 ns for
/// each of 2 KV heads; all-reduces of 16 KiB between 4.7 µs (4 KiB) and 4.9 µs (32 KiB): 3/7 of the way. In all 15.80 ms a token.
#[test]
fn a_single_sequence_decodes_as_the_shipped_figures_say_by_hand() {
    let attention = 12_000.0 + 2.0 * 15.0 + (1000.0 * 1024.0 + 8192.0) / (0.92 * 3350.0);
    let expected = llama_iteration_ns(1.0, attention, 4700.0 + 200.0 * 3.0 / 7.0);
    approx::assert_relative_eq!(expected, 15.80e6, max_relative = 1e-3);
    let batch = BatchShape { decode_sequences: 1, decode_context: 1000, decode_windowed_context: 1000, ..BatchShape::default() };
    approx::assert_relative_eq!(llama_on_four_h100().iteration(&batch).duration_ns, expected, max_relative = 1e-12);
}

/// A prompt of 8192 tokens: 4 · 2048 FLOPs for each of 8192 · 8193 / 2 pairs and layer at 0.57 of 989 TFLOP/s, 3 µs of start; all-reduces of
/// 128 MiB a seventh of the way from 329.9 µs (64 MiB) to 2299.7 µs (512 MiB). In all 540 ms.
#[test]
fn a_prompt_of_8192_tokens_takes_what_the_shipped_figures_say_by_hand() {
    let attention = 3000.0 + 4.0 * 2048.0 * 8192.0 * 8193.0 / 2.0 / (0.57 * 989e3);
    let expected = llama_iteration_ns(8192.0, attention, 329_900.0 + 1_969_800.0 / 7.0);
    approx::assert_relative_eq!(expected, 540.4e6, max_relative = 1e-3);
    let pairs = 8192 * 8193 / 2;
    let batch = BatchShape {
        prefill_tokens: 8192,
        prefill_sequences: 1,
        prefill_completions: 1,
        prefill_pairs: pairs,
        prefill_windowed_pairs: pairs,
        prefill_context: 8192,
        prefill_windowed_context: 8192,
        ..BatchShape::default()
    };
    approx::assert_relative_eq!(llama_on_four_h100().iteration(&batch).duration_ns, expected, max_relative = 1e-12);
}
