//! What other simulators get wrong, or let go by in silence. Whole runs, on the roofline and the shipped profiles.

use tokenmill::cluster::{Outcome, RequestRecord, Role, Silent};
use tokenmill::document::Input;
use tokenmill::metrics::Verdict;
use tokenmill::metrics::{RunResult, WarningCode};
use tokenmill::perf::{BatchShape, PerfModel};
use tokenmill::report::answer;
use tokenmill::scenario::{Library, Scenario};
use tokenmill::sim::SimTime;
use tokenmill::study::{Options, StudyError, simulate};

use crate::support::{Linear, Listed, Rows, cluster, inline, pool, request, run, shipped, simulate_with};

fn simulated(scenario: &Scenario) -> (RunResult, Vec<RequestRecord>) {
    let (result, rows, _) = simulate_with(scenario, Options::default(), Silent);
    (result, rows.into_iter().map(|row| row.record).collect())
}

/// A decode batch of `n` sequences that attend over `context` tokens each.
fn decode(n: u32, context: u64) -> BatchShape {
    let all = u64::from(n) * context;
    BatchShape { decode_sequences: n, decode_context: all, decode_windowed_context: all, ..BatchShape::default() }
}

/// `n` new tokens after `p` others, in one chunk.
fn chunk(p: u64, n: u64, last: bool) -> BatchShape {
    let pairs = n * p + n * (n + 1) / 2;
    BatchShape {
        prefill_tokens: n,
        prefill_sequences: 1,
        prefill_completions: u32::from(last),
        prefill_pairs: pairs,
        prefill_windowed_pairs: pairs,
        prefill_context: p + n,
        prefill_windowed_context: p + n,
        ..BatchShape::default()
    }
}

/// llama-3.3-70b in bf16 on four H100, `clients` at a time, `requests` in all.
fn closed_loop(clients: u32, requests: u32, prompt: u32, output: u32) -> Scenario {
    inline(&format!(
        "
name: closed
run: {{requests: {requests}}}
models: {{chat: {{profile: llama-3.3-70b}}}}
workload:
  - {{name: chat, closed_loop: {{concurrency: {clients}, prompt_tokens: {{fixed: {prompt}}}, output_tokens: {{fixed: {output}}}}}}}
cluster:
  pools:
    - {{name: mixed, role: mixed, node: dgx-h100, instances: 1, parallelism: {{tp: 4}}}}
"
    ))
}

fn perf(scenario: &Scenario) -> &dyn PerfModel {
    scenario.cluster.pools[0].perf.as_ref()
}

#[test]
fn an_arrival_at_the_first_instant_is_served_and_counted() {
    // Three at once, at t = 0 and never again; base 10 ms, 1 µs a prompt token, 0.1 ms a sequence.
    let model = Linear { base: 10e6, per_prefill_token: 1_000.0, per_sequence: 100_000.0, per_context: 0.0 };
    let records = run(cluster(vec![pool("m", Role::Mixed, 1, model)]), Listed::new((0..3).map(|_| (0, request(100, 3)))));
    // All are in before the idle instance starts: 300 prompt tokens, 10.3 ms.
    let first: Vec<u64> = records.iter().map(|r| r.first_token.unwrap().ns()).collect();
    assert_eq!(first, [10_300_000; 3]);
    assert!(records.iter().all(|r| r.outcome == Outcome::Completed && r.arrived.ns() == 0 && r.output_tokens == 3));
    // And through a scenario: the first arrival of a constant stream is at t = 0, and its TTFT is not zero or missing.
    let text = closed_loop(1, 3, 100, 3);
    let (result, records) = simulated(&text);
    assert_eq!((records[0].arrived.ns(), result.summary.requests.completed), (0, 3));
    assert_eq!(result.summary.latency.ttft_ms.unwrap().count, 3);
    assert!(result.summary.latency.ttft_ms.unwrap().min > 1.0);
}

/// Step by step: a lone sequence takes what the model says for a batch of one with its context, each token.
#[test]
fn batch_one_decode_takes_what_the_roofline_says_for_every_token() {
    let (prompt, output) = (1000, 201);
    let scenario = closed_loop(1, 1, prompt, output);
    let (result, records) = simulated(&scenario);
    let expected: f64 = (1..u64::from(output)).map(|i| perf(&scenario).iteration(&decode(1, u64::from(prompt) + i)).duration_ns).sum();
    let measured = records[0].done.since(records[0].first_token.unwrap()).ns() as f64;
    assert!((measured - expected).abs() <= f64::from(output), "{measured} against {expected}");
    // By hand, from the published figures of the chip alone. Each chip reads a quarter of the weights in bf16 but for the embedding:
    // (70.554 G − 1.051 G) / 4 · 2 B = 34.75 GB, at 3.35 TB/s · 0.90 = 3.015 TB/s: 11.5 ms. Starts of products (4 · 80 · 4 µs = 1.3 ms),
    // attention (80 · 12.4 µs = 1.0 ms), norms and such (4 · 80 · 3 µs = 1.0 ms), all-reduces of 16 KiB (160 · 4.8 µs = 0.8 ms) and the
    // host (0.25 ms) add 4.3 ms: 15.8 ms.
    approx::assert_relative_eq!(result.summary.latency.itl_ms.unwrap().p50, 15.8, max_relative = 0.02);
    assert!(result.summary.latency.itl_ms.unwrap().p50 > 34.75e9 / 3.35e12 * 1e3, "nothing reads faster than the memory gives");
}

/// A prompt of 8192 tokens fits one iteration.
#[test]
fn prefill_of_eight_thousand_tokens_takes_what_the_roofline_says() {
    let scenario = closed_loop(1, 1, 8192, 2);
    let (result, records) = simulated(&scenario);
    let expected = perf(&scenario).iteration(&chunk(0, 8192, true)).duration_ns;
    let measured = records[0].first_token.unwrap().ns() as f64;
    assert!((measured - expected).abs() <= 0.5, "{measured} against {expected}");
    // By hand: 2 FLOPs per weight in layers (70.554 G − 2 · 1.051 G) and token, and 4 · 64 · 128 per layer and pair:
    // 2 · 68.45 G · 8192 = 1.1215e15; 80 · 32,768 · 8192 · 8193 / 2 = 8.80e13. On four chips at 989 TFLOP/s · 0.80 or 0.57:
    // 1.1215e15 / (4 · 791.2e12) = 354 ms and 8.80e13 / (4 · 563.7e12) = 39 ms. All-reduces of 128 MiB (160, between 0.32 ms for 64 MiB
    // and 2.3 ms for 512 MiB, about 0.6 ms each) 100 ms, norms and other elementwise work about 45 ms: 0.54 s.
    approx::assert_relative_eq!(result.summary.latency.ttft_ms.unwrap().p50, 540.0, max_relative = 0.02);
    // Two chunks take what two iterations take: the second one also attends over the first.
    let scenario = closed_loop(1, 1, 12_000, 2);
    let model = perf(&scenario);
    let expected = model.iteration(&chunk(0, 8192, false)).duration_ns + model.iteration(&chunk(8192, 3808, true)).duration_ns;
    let measured = simulated(&scenario).1[0].first_token.unwrap().ns() as f64;
    assert!((measured - expected).abs() <= 1.0, "{measured} against {expected}");
}

/// Batch 1 or 64, context 100 or 6,000 (64 times 10,000 would not fit the memory): all four, and each as the model says.
#[test]
fn decode_time_grows_with_batch_and_with_context() {
    let itl = |clients: u32, prompt: u32| {
        let output = 400;
        let scenario = closed_loop(clients, clients, prompt, output);
        let p50 = simulated(&scenario).0.summary.latency.itl_ms.unwrap().p50;
        // Gaps with everybody in: contexts between the first and the last token.
        let at = |context: u32| perf(&scenario).iteration(&decode(clients, u64::from(context))).duration_ns / 1e6;
        assert!(
            at(prompt + 1) * 0.999 <= p50 && p50 <= at(prompt + output) * 1.001,
            "{clients} × {prompt}: {p50} against {} to {}",
            at(prompt + 1),
            at(prompt + output)
        );
        p50
    };
    // Alone, 5,900 tokens more hardly show: the attention kernels of 100 tokens take 12.1 µs, those of 6,000 14.0 µs.
    let (small, wide, deep, both) = (itl(1, 100), itl(64, 100), itl(1, 6_000), itl(64, 6_000));
    assert!(wide > 1.05 * small && deep > small && both > wide && both > deep, "{small} {wide} {deep} {both}");
    // 64 · 5,900 tokens more, of 80 · 2 · 2 · 128 · 2 B a chip and token: 30.9 GB at 3.35 TB/s · 0.92 = 3.082 TB/s take 10.0 ms.
    approx::assert_relative_eq!(both - wide, 10.03, max_relative = 0.02);
}

/// Everybody in, everybody the same: `batch` tokens leave each iteration.
#[test]
fn a_saturated_closed_loop_gives_batch_over_iteration_time() {
    let (clients, prompt, output) = (32, 16, 1000);
    let scenario = closed_loop(clients, clients, prompt, output);
    let (_, records) = simulated(&scenario);
    let from = records.iter().filter_map(|r| r.first_token).max().unwrap();
    let to = records.iter().map(|r| r.done).min().unwrap();
    let steps = u64::from(output) - 1;
    let expected: f64 = (1..=steps)
        .map(|i| {
            let context = u64::from(clients) * (u64::from(prompt) + i);
            perf(&scenario)
                .iteration(&BatchShape { decode_context: context, decode_windowed_context: context, ..decode(clients, 0) })
                .duration_ns
        })
        .sum();
    let measured = to.since(from).ns() as f64;
    approx::assert_relative_eq!(measured, expected, max_relative = 1e-6);
    let throughput = f64::from(clients) * steps as f64 / (measured / 1e9);
    // Ten rounds: whoever is done is followed by the next, who computes 16 tokens and goes on. Between two rounds a step or two is lost,
    // two in a thousand.
    let (result, _) = simulated(&closed_loop(clients, 10 * clients, prompt, output));
    approx::assert_relative_eq!(result.summary.throughput.output_tokens_per_s.unwrap(), throughput, max_relative = 0.005);
    approx::assert_relative_eq!(result.summary.pools[0].batch_mean, f64::from(clients), max_relative = 0.005);
}

/// Prefill and decode apart, fp8 cache, one prompt of 8192 tokens.
fn handoff(prefills: u32, requests: u32, overlap: &str) -> Vec<RequestRecord> {
    let scenario = inline(&format!(
        "
name: handoff
run: {{requests: {requests}}}
models: {{chat: {{profile: llama-3.3-70b, weights: fp8, kv: fp8}}}}
workload:
  - {{name: chat, closed_loop: {{concurrency: {requests}, prompt_tokens: {{fixed: 8192}}, output_tokens: {{fixed: 3}}}}}}
cluster:
  pools:
    - {{name: prefill, role: prefill, node: dgx-h100, instances: {prefills}, parallelism: {{tp: 4}}}}
    - {{name: decode, role: decode, node: dgx-h100, instances: 1, parallelism: {{tp: 4}}}}
  network: {{kv: {{link: ib-ndr, overlap: {overlap}}}}}
policies: {{router: round-robin}}
"
    ));
    simulated(&scenario).1
}

fn exposed_ns(record: &RequestRecord) -> f64 {
    record.delivered.unwrap().since(record.first_token.unwrap()).ns() as f64
}

/// 80 layers · 2 (key and value) · 8 heads · 128 · 1 B = 163,840 B a token; 8192 tokens: 1,342,177,280 B. Four ports of 400 Gb/s, of which
/// transfers reach 0.85: 4 · 50 · 0.85 = 170 GB/s: 7,895,160.5 ns. Set-up 25 µs and latency 3 µs: 7,923,160.5 ns, rounded up.
#[test]
fn a_kv_handoff_takes_bytes_over_bandwidth() {
    let alone = exposed_ns(&handoff(1, 1, "after-prefill")[0]);
    assert!((alone - 7_923_161.0).abs() <= 1.0, "{alone}");
    // Two senders that are done together share the port of the one receiver: each takes twice as long on the wire.
    for record in handoff(2, 2, "after-prefill") {
        assert!((exposed_ns(&record) - (2.0 * 7_895_160.5 + 28_000.0)).abs() <= 2.0, "{record:?}");
    }
    // Layer by layer, 79 of 80 layers travel while later ones are computed: 98,689.5 ns are left, and the 28 µs.
    let hidden = exposed_ns(&handoff(1, 1, "layer-wise")[0]);
    assert!((hidden - (7_895_160.5 / 80.0 + 28_000.0)).abs() <= 2.0, "{hidden}");
}

/// A tenth of the prompts are longer than the context. They are in the counts, in the warnings, in the answer, and they miss the SLO.
#[test]
fn requests_that_cannot_be_served_are_in_the_headline() {
    let text = |slo: &str| {
        format!(
            "
name: impossible
run: {{requests: 300}}
models: {{chat: {{profile: llama-3.1-8b}}}}
workload:
  - name: chat
    slo: {slo}
    synthetic:
      arrivals: {{poisson: {{rate: 5 /s}}}}
      prompt_tokens: {{empirical: {{values: [100, 100, 100, 100, 100, 100, 100, 100, 100, 5000]}}}}
      output_tokens: {{fixed: 20}}
cluster:
  pools:
    - {{name: mixed, role: mixed, node: dgx-h100, instances: 2, engine: {{max_model_len: 4096}}}}
"
        )
    };
    for (slo, verdict) in [("{ttft: 10 s}", Verdict::Missed), ("~", Verdict::NoSlo)] {
        let (result, records) = simulated(&inline(&text(slo)));
        let summary = &result.summary;
        let impossible = records.iter().filter(|record| record.prompt_tokens == 5000).count() as u64;
        assert!(impossible > 10);
        assert_eq!((summary.requests.arrived, summary.requests.rejected), (300, impossible));
        assert_eq!(summary.requests.completed, 300 - impossible);
        let rejected = records.iter().filter(|record| record.outcome == Outcome::RejectedPromptTooLong);
        assert!(rejected.clone().all(|record| record.prompt_tokens == 5000 && record.output_tokens == 0 && record.first_token.is_none()));
        assert_eq!(rejected.count() as u64, impossible);
        let warning = summary.warnings.iter().find(|warning| warning.code == WarningCode::NeverServed).unwrap();
        assert!(warning.message.starts_with(&format!("{impossible} requests (")), "{}", warning.message);
        let answer = answer(summary);
        assert_eq!(answer.verdict, verdict);
        assert!(answer.sentence().contains(&format!("{impossible} rejected")), "{}", answer.sentence());
        if let Some(goodput) = summary.goodput {
            approx::assert_relative_eq!(goodput.slo_attainment.unwrap(), (300 - impossible) as f64 / 300.0, max_relative = 1e-12);
        }
    }
}

/// A plain trace of five lines, of which one asks for nothing and one comes from the past.
fn replayed(lines: &str, skip: bool) -> Result<(RunResult, Vec<RequestRecord>), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("requests.csv");
    std::fs::write(&path, format!("arrival_s,prompt_tokens,output_tokens\n{lines}")).unwrap();
    let text = format!(
        "
name: broken
models: {{chat: {{profile: llama-3.1-8b}}}}
workload:
  - {{name: replayed, trace: {{format: plain, path: {}, skip_bad_lines: {skip}}}}}
cluster:
  pools:
    - {{name: mixed, role: mixed, node: dgx-h100, instances: 1}}
",
        path.display()
    );
    let scenario = Scenario::load(Input::Text { name: "test.yaml", text: &text }, &[], &Library::default()).map_err(|e| e.to_string())?;
    match simulate(&scenario, Options::default(), Rows::default(), Silent, |_| true) {
        Ok((result, rows, _)) => Ok((result, rows.0.into_iter().map(|row| row.record).collect())),
        Err(StudyError::Workload(error)) => Err(error.to_string()),
        Err(error) => panic!("{error}"),
    }
}

/// NVLink ends inside a server: a cluster that it cannot join is simulated as asked, with a word about it.
#[test]
fn a_link_that_cannot_join_the_pools_is_told() {
    let told = |changes: &[&str]| {
        let mut sets: Vec<String> = ["run={requests: 50, warmup: 0 s}", "assert=[]"].map(str::to_owned).to_vec();
        sets.extend(changes.iter().map(|change| (*change).to_owned()));
        let (result, ..) = simulate_with(&shipped("quickstart", &sets), Options::default(), Silent);
        result.summary.warnings.iter().any(|warning| warning.code == WarningCode::LinkReach)
    };
    assert!(!told(&[]) && !told(&["cluster.pools.prefill.instances=2", "cluster.network.kv.link=ib-ndr"]));
    assert!(told(&["cluster.pools.prefill.instances=2"]) && told(&["cluster.pools.decode.node=dgx-b200"]));
}

#[test]
fn trace_lines_that_ask_for_nothing_or_come_from_the_past_are_refused_or_counted() {
    let good = "0,100,10\n1,100,10\n2,100,10\n";
    assert_eq!(replayed(good, false).unwrap().0.summary.requests.completed, 3);
    // Refused: the message says where and what.
    for (bad, line, word) in [("0,100,10\n1,100,0\n2,100,10\n", ":3", "output_tokens"), ("0,100,10\n2,100,10\n1,100,10\n", ":4", "time")] {
        let error = replayed(bad, false).unwrap_err();
        assert!(error.contains(line) && error.contains(word), "{error}");
    }
    // Counted: the run goes on without them and says how many it left out, and why.
    let (result, records) = replayed("0,100,10\n1,100,0\n2,100,10\n1,100,10\n3,100,10\n", true).unwrap();
    assert_eq!((result.summary.requests.arrived, records.len()), (3, 3));
    let warning = result.summary.warnings.iter().find(|warning| warning.code == WarningCode::SkippedLines).unwrap();
    assert!(warning.message.contains("`replayed`: 2 "), "{}", warning.message);
}

/// The latent cache of deepseek-r1 in bf16 is 61 layers · 576 · 2 B a token: 8,192 tokens are 575.7 MB. Every chip of a tensor-parallel
/// group needs all of it, so eight copies cross eight ports; a group of one chip is sent one over its one port, which takes as long. Sent
/// once over eight ports it would seem to take an eighth.
#[test]
fn a_latent_cache_takes_as_long_to_send_however_many_chips_share_it() {
    let handoff = |parallelism: &str| {
        let scenario = inline(&format!(
            "
name: latent
run: {{requests: 1}}
models: {{chat: {{profile: deepseek-r1}}}}
workload:
  - {{name: chat, closed_loop: {{concurrency: 1, prompt_tokens: {{fixed: 8192}}, output_tokens: {{fixed: 2}}}}}}
cluster:
  network: {{kv: {{link: ib-ndr}}}}
  pools:
    - {{name: prefill, role: prefill, node: dgx-h200, instances: 1, parallelism: {{tp: 8}}}}
    - {{name: decode, role: decode, node: dgx-h200, instances: 1, parallelism: {parallelism}}}
"
        ));
        let spec = &scenario.cluster.pools[1];
        let overhead = scenario.cluster.pools[0].handoff_overhead.as_secs_f64();
        let port = spec.port_bytes_per_s / 8.0;
        let (_, records) = simulated(&scenario);
        let took = records[0].delivered.unwrap().since(records[0].first_token.unwrap()).as_secs_f64() - overhead;
        (took, 61.0 * 576.0 * 2.0 * 8192.0 / port)
    };
    for parallelism in ["{tp: 8}", "{tp: 8, ep: 8}", "{tp: 1, dp: 8, ep: 8}", "{tp: 2, dp: 4, ep: 8}"] {
        let (took, expected) = handoff(parallelism);
        approx::assert_relative_eq!(took, expected, max_relative = 1e-6);
    }
}

/// Where every prompt fits alone and the load is below one half, a prompt that has been admitted is not computed over and over: the storm in
/// which a first chunk fits, the rest does not, and the prompt preempts itself.
#[test]
fn long_prompts_are_not_computed_over_and_over() {
    let scenario = |rate: &str, engine: &str| {
        inline(&format!(
            "
name: long
run: {{requests: 120}}
models: {{m: {{profile: llama-3.3-70b, weights: fp8, kv: fp8}}}}
workload:
  - name: long
    synthetic: {{arrivals: {{poisson: {{rate: {rate}}}}}, prompt_tokens: {{fixed: 100k}}, output_tokens: {{fixed: 4000}}}}
cluster:
  pools:
    - {{name: mixed, role: mixed, node: dgx-h100, instances: 1, parallelism: {{tp: 2}}, engine: {engine}}}
"
        ))
    };
    let result = |rate, engine| simulated(&scenario(rate, engine)).0;
    let calm = result("0.008 /s", "{}");
    // By hand: 100k tokens of prefill at 70 GFLOP a token (and attention) on two chips take 13 s, 4,000 tokens at 29 ms 116 s.
    let tpot = calm.summary.latency.tpot_ms.unwrap().p50;
    assert_eq!(calm.summary.requests.preemptions, 0);
    assert!((26.0..32.0).contains(&tpot), "{tpot}");
    for (rate, engine) in [("0.008 /s", "{}"), ("0.012 /s", "{}"), ("0.008 /s", "{max_num_batched_tokens: 2048}")] {
        let tokens = result(rate, engine).summary.tokens;
        assert!(tokens.recomputed < tokens.prompt, "{rate} {engine}: {} of {}", tokens.recomputed, tokens.prompt);
    }
    // What the setting is for: with the first chunk alone the same load is a storm, unless chunks that are computed are found again.
    let [storm, found] = [false, true].map(|caching| {
        let engine = format!("{{scheduler_reserve_full_isl: false, enable_prefix_caching: {caching}}}");
        simulated(&scenario("0.008 /s", &engine)).0.summary
    });
    assert!(storm.requests.preemptions > 100, "{}", storm.requests.preemptions);
    assert!(found.tokens.recomputed < 100_000, "less than one prompt: {}", found.tokens.recomputed);
}

/// Eight prompts of one instant are all in before the idle instance starts: one iteration of 10 ms + 8,000 · 10 µs.
#[test]
fn arrivals_of_one_instant_share_the_first_iteration() {
    let model = Linear { base: 10e6, per_prefill_token: 10_000.0, ..Linear::default() };
    let mut spec = cluster(vec![pool("m", Role::Mixed, 1, model)]);
    spec.pools[0].engine.prefix_caching = false;
    let records = run(spec, Listed::new((0..8).map(|_| (0, request(1000, 2)))));
    assert!(records.iter().all(|r| r.first_token == Some(SimTime::from_ns(90_000_000))));
}
