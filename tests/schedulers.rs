//! Preemption and batching policies of a crate outside: twins of the engine's own rules, others that differ where they should.

use proptest::prelude::*;
use tokenmill::cluster::{Observation, Observer};
use tokenmill::document::Input;
use tokenmill::metrics::{RequestRow, Summary};
use tokenmill::policy::{BatchView, Batching, Budget, Entry, Outcome, Policies, Preempt, Preemption, RunningView};
use tokenmill::scenario::{Library, Scenario};
use tokenmill::sim::SimTime;
use tokenmill::study::Options;

use crate::cli::TINY;
use crate::policies::every_way;
use crate::support::simulate_with;

/// A scenario with a preemption and a batching policy of the test's, `tested`, which it names or not.
fn scheduled<P, B>(sets: &[String], preemption: fn() -> P, batching: fn() -> B) -> Scenario
where
    P: Preemption + 'static,
    B: Batching + 'static,
{
    let mut policies = Policies::default();
    let about = "Of a test.";
    policies.preemptions = policies.preemptions.with(Entry::<dyn Preemption>::plain("tested", about, move |_| Box::new(preemption())));
    policies.batchings = policies.batchings.with(Entry::<dyn Batching>::plain("tested", about, move |_| Box::new(batching())));
    let library = Library::default().with_policies(policies);
    let sets: Vec<String> = ["run.warmup=0 s".to_owned()].into_iter().chain(sets.iter().cloned()).collect();
    Scenario::load(Input::Text { name: "tiny.yaml", text: TINY }, &sets, &library).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The sequence admitted last, as the engine itself takes it; it sees that views are what they should be.
#[derive(Debug)]
struct Last;

impl Preemption for Last {
    fn victim(&mut self, running: &dyn RunningView) -> Preempt {
        for i in 0..running.len() {
            let request = running.request(i);
            assert!(request.arrived <= request.now && request.prompt_tokens > 0);
            assert!(running.stored_tokens(i) <= request.prompt_tokens + running.output_tokens(i), "{i}: {request:?}");
        }
        // Beyond the last: the last.
        Preempt::Recompute(usize::MAX)
    }
}

/// The sequence with the least to recompute.
#[derive(Debug)]
struct Cheapest;

impl Preemption for Cheapest {
    fn victim(&mut self, running: &dyn RunningView) -> Preempt {
        Preempt::Recompute((0..running.len()).min_by_key(|&i| running.stored_tokens(i)).unwrap())
    }
}

/// All that the limits allow, for three iterations at a time.
#[derive(Debug)]
struct Full;

impl Batching for Full {
    fn budget(&mut self, view: &BatchView) -> Budget {
        assert!(view.generating > 0 && (view.begun > 0 || view.waiting > 0 || view.arrived > 0));
        Budget { holds: 3, ..Budget::full(view) }
    }
}

/// New prompts in every fourth iteration only.
#[derive(Debug)]
struct Cadence;

impl Batching for Cadence {
    fn budget(&mut self, view: &BatchView) -> Budget {
        let phase = view.iteration % 4;
        if phase == 0 {
            return Budget { holds: 1, ..Budget::full(view) };
        }
        Budget { new_prompts: 0, holds: 4 - phase, ..Budget::full(view) }
    }
}

/// Chunks of at most 32 prompt tokens, and a batch of at most three sequences.
#[derive(Debug)]
struct Small;

impl Batching for Small {
    fn budget(&mut self, view: &BatchView) -> Budget {
        Budget { prompt_tokens: 32, sequences: 3, ..Budget::full(view) }
    }
}

/// Prompts alone, as long as there are any, as vLLM v0 and `SGLang` without mixed chunks compute them.
#[derive(Debug)]
struct PromptsFirst;

impl Batching for PromptsFirst {
    fn budget(&mut self, view: &BatchView) -> Budget {
        Budget { generates: view.begun == 0 && view.waiting == 0, ..Budget::full(view) }
    }
}

/// Prompts alone in every second iteration, and none in the others.
#[derive(Debug)]
struct Alternating;

impl Batching for Alternating {
    fn budget(&mut self, view: &BatchView) -> Budget {
        let generates = view.iteration.is_multiple_of(2);
        let new_prompts = if generates { 0 } else { view.max_sequences };
        Budget { generates, new_prompts, holds: 1, ..Budget::full(view) }
    }
}

/// Mixed instances or split ones, short of memory.
fn short_of_memory(mixed: bool, layer_wise: bool, blocks: u32, groups: u32, seed: u64) -> Vec<String> {
    let engine = format!("engine: {{num_gpu_blocks_override: {blocks}, max_num_batched_tokens: 256}}");
    let pools = if mixed {
        format!(
            "cluster.pools=[{{name: m, role: mixed, node: dgx-h100, instances: 2, {engine}, \
             perf: {{affine: {{base: 2 ms, per_prompt_token: 20 us, per_sequence: 100 us}}}}}}]"
        )
    } else {
        format!("cluster.pools.d.engine={{num_gpu_blocks_override: {blocks}}}")
    };
    [
        pools,
        format!("workload.chat.synthetic.shared_prefix={{groups: {groups}, tokens: 64}}"),
        "workload.chat.synthetic.output_tokens={uniform: {min: 2, max: 200}}".to_owned(),
        "workload.chat.timeout=5 s".to_owned(),
        "workload.chat.synthetic.arrivals={poisson: {rate: 80 /s}}".to_owned(),
        format!("cluster.network.kv.overlap={}", if layer_wise { "layer-wise" } else { "after-prefill" }),
        format!("seed={seed}"),
    ]
    .to_vec()
}

fn with(sets: &[String], policies: &str) -> Vec<String> {
    sets.iter().cloned().chain([format!("policies={policies}")]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn twins_of_the_engines_rules_decide_alike_and_others_hold_every_way(
        mixed in any::<bool>(), layer_wise in any::<bool>(), blocks in 30u32..90, groups in 1u32..6, seed in 0u64..1000,
    ) {
        let sets = short_of_memory(mixed, layer_wise, blocks, groups, seed);
        let rows = |policies: &str| format!("{:?}", every_way(&scheduled(&with(&sets, policies), || Last, || Full)));
        prop_assert!(rows("{}") == rows("{preemption: tested, batching: tested}"), "{:?}", sets);
        every_way(&scheduled(&with(&sets, "{preemption: tested, batching: tested}"), || Cheapest, || Cadence));
        every_way(&scheduled(&with(&sets, "{preemption: tested, batching: tested}"), || Cheapest, || Small));
        every_way(&scheduled(&with(&sets, "{preemption: tested, batching: tested}"), || Cheapest, || PromptsFirst));
        every_way(&scheduled(&with(&sets, "{batching: tested}"), || Last, || Alternating));
    }
}

/// Counts iterations with prompts, with generating sequences, and with both.
#[derive(Debug, Default)]
struct Kinds([u64; 3]);

impl Observer for Kinds {
    fn on(&mut self, _: SimTime, what: &Observation<'_>) {
        if let Observation::Run(run) = what {
            let (prompts, generates) = (run.prefill_tokens > 0, run.decode_sequences > 0);
            let kind = if prompts && generates { 2 } else { usize::from(generates) };
            self.0[kind] += run.iterations();
        }
    }
}

/// Generating sequences sit out iterations with prompts: no iteration has both, the books close, and tokens wait for whole prompts.
#[test]
fn prompts_may_be_computed_alone() {
    let sets: Vec<String> = [
        "cluster.pools=[{name: m, role: mixed, node: dgx-h100, instances: 1, perf: {affine: {base: 2 ms, per_prompt_token: 100 us, per_sequence: 10 us}}}]",
        "workload.chat.synthetic.arrivals={poisson: {rate: 30 /s}}",
    ]
    .map(str::to_owned)
    .to_vec();
    let run = |policies: &str| {
        let scenario = scheduled(&with(&sets, policies), || Last, || PromptsFirst);
        simulate_with(&scenario, Options { audit: true, ..Options::default() }, Kinds::default())
    };
    let (mixed, _, Kinds(of_mixed)) = run("{}");
    let (alone, rows, Kinds([prompts, generating, both])) = run("{batching: tested}");
    assert!(of_mixed[2] > 50 && prompts > 50 && generating > 50 && both == 0, "{of_mixed:?} {prompts} {generating}");
    for row in &rows {
        let record = &row.record;
        assert_eq!(record.outcome, Outcome::Completed);
        assert_eq!(record.gap_count, u64::from(record.output_tokens) - 1);
        assert_eq!(record.gap_sum_ns, record.done.since(record.first_token.unwrap()).ns());
    }
    // Every iteration that computes or generates is charged to the requests.
    let charged: f64 = rows.iter().map(|row| row.record.prefill_energy_j + row.record.decode_energy_j).sum();
    let phases = alone.summary.pools[0].energy_by_phase;
    assert!((charged / (phases.prefill_j + phases.decode_j) - 1.0).abs() < 1e-9, "{charged} {phases:?}");
    let seconds: f64 = rows.iter().map(|row| row.record.prefill_s + row.record.decode_s).sum();
    assert!((seconds / (alone.summary.pools[0].utilization * alone.summary.measured_s) - 1.0).abs() < 1e-9);
    let of = |summary: &Summary| (summary.latency.ttft_ms.unwrap().mean, summary.latency.itl_ms.unwrap().mean);
    println!("TTFT and ITL, mean: mixed {:?}, alone {:?} ms", of(&mixed.summary), of(&alone.summary));
    assert!(of(&alone.summary).1 > of(&mixed.summary).1);
}

/// One sequence generates while one prompt arrives, by hand: 2 ms + 10 µs an iteration, 2 ms + 100 · 100 µs + 10 µs for the prompt alone.
#[test]
fn a_gap_over_a_prompt_is_the_sum_of_both_iterations() {
    let sets: Vec<String> = [
        "cluster.pools=[{name: m, role: mixed, node: dgx-h100, instances: 1, perf: {affine: {base: 2 ms, per_prompt_token: 100 us, per_sequence: 10 us}}}]",
        "workload.chat.synthetic.arrivals={constant: {rate: 10 /s}}",
        "workload.chat.synthetic.prompt_tokens={fixed: 100}",
        "workload.chat.synthetic.output_tokens={fixed: 100}",
        "run.requests=2",
    ]
    .map(str::to_owned)
    .to_vec();
    let rows = every_way(&scheduled(&with(&sets, "{batching: tested}"), || Last, || PromptsFirst));
    let [first, second] = [&rows[0].record, &rows[1].record];
    let (iteration, prompt) = (2_010_000, 12_000_000);
    let sequence = 10_000;
    assert_eq!(first.gap_count, 99);
    let alone = second.prefill_start.unwrap().since(first.first_token.unwrap()).ns() / iteration;
    let together = 99 - alone;
    assert_eq!(first.gap_sum_ns, alone * iteration + prompt + together * (iteration + sequence));
    let longest = prompt + iteration + sequence;
    let squares = |ns: u64| u128::from(ns) * u128::from(ns);
    assert_eq!(
        first.gap_squares_ns2,
        u128::from(alone) * squares(iteration) + squares(longest) + u128::from(together - 1) * squares(iteration + sequence)
    );
}

fn sum(rows: &[RequestRow], of: impl Fn(&RequestRow) -> u64) -> u64 {
    rows.iter().map(of).sum()
}

/// One instance that preempts much: the cheapest victims cost fewer tokens a preemption than the last ones, which are short too.
#[test]
fn another_victim_loses_less() {
    let sets = with(&short_of_memory(true, false, 45, 6, 7), "{preemption: tested}");
    let plain = with(&sets, "{}");
    let preemptions = |rows: &[RequestRow]| sum(rows, |row| row.record.preemptions.into());
    let recomputed = |rows: &[RequestRow]| sum(rows, |row| row.record.recomputed_tokens);
    let last = every_way(&scheduled(&plain, || Last, || Full));
    let cheapest = every_way(&scheduled(&sets, || Cheapest, || Full));
    let each = |rows: &[RequestRow]| recomputed(rows) as f64 / preemptions(rows) as f64;
    println!(
        "preemptions {} and {}, tokens each {:.1} and {:.1}",
        preemptions(&last),
        preemptions(&cheapest),
        each(&last),
        each(&cheapest)
    );
    assert!(preemptions(&last) > 20 && preemptions(&cheapest) > 20);
    assert!(each(&cheapest) < each(&last));
}

/// New prompts in every fourth iteration: tokens of others are held up less often, and first tokens come later.
#[test]
fn a_cadence_trades_first_tokens_for_gaps() {
    let sets: Vec<String> = [
        "cluster.pools=[{name: m, role: mixed, node: dgx-h100, instances: 1, perf: {affine: {base: 2 ms, per_prompt_token: 100 us}}}]",
        "workload.chat.synthetic.arrivals={poisson: {rate: 30 /s}}",
    ]
    .map(str::to_owned)
    .to_vec();
    let rows = |policies: &str| every_way(&scheduled(&with(&sets, policies), || Last, || Cadence));
    let (plain, cadence) = (rows("{}"), rows("{batching: tested}"));
    let ttft = |rows: &[RequestRow]| {
        let waits = rows.iter().map(|row| row.record.first_token.unwrap().since(row.record.arrived).as_secs_f64());
        waits.sum::<f64>() / rows.len() as f64
    };
    let complete = |rows: &[RequestRow]| rows.iter().all(|row| row.record.outcome == Outcome::Completed);
    println!("mean TTFT {:.1} and {:.1} ms", 1e3 * ttft(&plain), 1e3 * ttft(&cadence));
    assert!(complete(&plain) && complete(&cadence));
    assert!(ttft(&cadence) > ttft(&plain));
    // The prompts of an iteration that takes any are several, so that fewer iterations are long: gaps have the same sum over less time.
    let starts = |rows: &[RequestRow]| {
        let mut starts: Vec<_> = rows.iter().filter_map(|row| row.record.prefill_start).collect();
        starts.sort_unstable();
        starts.dedup();
        starts.len()
    };
    assert!(starts(&cadence) < starts(&plain), "{} {}", starts(&cadence), starts(&plain));
}
