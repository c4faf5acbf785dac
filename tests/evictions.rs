//! Eviction policies of a crate outside.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tokenmill::cluster::Silent;
use tokenmill::document::Input;
use tokenmill::metrics::{RequestRow, RunResult};
use tokenmill::policy::{Entry, Eviction, Policies, Released};
use tokenmill::scenario::{Library, Scenario};
use tokenmill::sim::{SimDuration, SimTime};
use tokenmill::study::Options;

use crate::cli::TINY;
use crate::support::simulate_with;

/// A scenario whose instances evict as a policy of the test says.
fn load(sets: &[String], make: impl Fn() -> Box<dyn Eviction> + Send + Sync + 'static) -> Scenario {
    let mut policies = Policies::default();
    policies.evictions = policies.evictions.with(Entry::<dyn Eviction>::plain("tested", "Of a test.", move |_| make()));
    let library = Library::default().with_policies(policies);
    let all: Vec<String> = sets.iter().cloned().chain(["policies.eviction=tested".to_owned(), "run.warmup=0 s".to_owned()]).collect();
    Scenario::load(Input::Text { name: "tiny.yaml", text: TINY }, &all, &library).unwrap_or_else(|errors| panic!("{errors}"))
}

fn run(scenario: &Scenario) -> (RunResult, Vec<RequestRow>) {
    let (result, rows, Silent) = simulate_with(scenario, Options { audit: true, ..Options::default() }, Silent);
    (result, rows)
}

/// LRU again, by the time of the release.
#[derive(Debug)]
struct Recent;

impl Eviction for Recent {
    fn rank(&mut self, released: &Released<'_>) -> u64 {
        assert!(released.uses > 0 && released.previous <= released.request.now.ns());
        released.request.now.ns()
    }
}

/// Whatever comes: ranks from a counter that goes through its values out of order.
#[derive(Debug)]
pub(crate) struct Any(pub(crate) u64);

impl Eviction for Any {
    fn rank(&mut self, _: &Released<'_>) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 61
    }
    fn floor(&self, now: SimTime) -> u64 {
        (now.ns() / 2_000_000_000).min(5)
    }
}

/// Mixed or split instances with few blocks, and prompts that share prefixes.
fn crowded(mixed: bool, blocks: u32, groups: u32, seed: u64) -> Vec<String> {
    let affine = "perf: {affine: {base: 2 ms, per_prompt_token: 20 us, per_sequence: 100 us}}";
    let pools = if mixed {
        format!(
            "cluster.pools=[{{name: m, role: mixed, node: dgx-h100, instances: 3, engine: {{num_gpu_blocks_override: {blocks}}}, {affine}}}]"
        )
    } else {
        format!("cluster.pools.d.engine.num_gpu_blocks_override={blocks}")
    };
    [
        format!("workload.chat.synthetic.shared_prefix={{groups: {groups}, tokens: 64}}"),
        pools,
        format!("seed={seed}"),
        "run.requests=200".to_owned(),
        "policies.router=prefix-hit".to_owned(),
    ]
    .to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn ranks_by_time_are_lru(mixed in any::<bool>(), blocks in 60u32..200, groups in 1u32..9, seed in 0u64..1000) {
        let mut sets = crowded(mixed, blocks, groups, seed);
        let (_, rows) = run(&load(&sets, || Box::new(Recent)));
        sets.push("policies.eviction=lru".to_owned());
        let lru = Scenario::load(Input::Text { name: "tiny.yaml", text: TINY }, &[sets, vec!["run.warmup=0 s".to_owned()]].concat(), &Library::default());
        let same = format!("{rows:?}") == format!("{:?}", run(&lru.unwrap()).1);
        prop_assert!(same);
    }

    /// Even ranks without sense lose no request and no block, and are the same stepped, passed over and audited.
    #[test]
    fn any_ranks_keep_the_books(mixed in any::<bool>(), blocks in 60u32..200, groups in 1u32..9, seed in 0u64..1000) {
        let scenario = load(&crowded(mixed, blocks, groups, seed), || Box::new(Any(1)));
        let rows = crate::policies::every_way(&scenario);
        prop_assert_eq!(rows.len(), 200);
    }
}

/// Cached blocks live for some time after their last use.
#[derive(Debug)]
struct Ttl(SimDuration);

impl Eviction for Ttl {
    fn rank(&mut self, released: &Released<'_>) -> u64 {
        (released.request.now + self.0).ns()
    }
    fn floor(&self, now: SimTime) -> u64 {
        now.ns()
    }
}

/// One chat after the other on one instance with memory for all: a message finds the earlier ones if it follows within the time to live.
#[test]
fn a_message_after_the_time_to_live_finds_nothing() {
    let sets = [
        "cluster.pools=[{name: m, role: mixed, node: dgx-h100, instances: 1, perf: {affine: {base: 2 ms, per_prompt_token: 20 us, per_sequence: 100 us}}}]",
        "workload=[{name: chat, sessions: {at_once: 1, messages: {fixed: 8}, message_tokens: {fixed: 128}, output_tokens: {fixed: 32}, think_time: {exponential: {mean: 10 s}}}}]",
        "run.requests=400",
    ]
    .map(str::to_owned);
    let ttl = SimDuration::from_ns(8_000_000_000);
    let (result, rows) = run(&load(&sets, move || Box::new(Ttl(ttl))));
    let mut ended: BTreeMap<u64, SimTime> = BTreeMap::new();
    let (mut soon, mut late) = (0, 0);
    for row in &rows {
        let record = &row.record;
        let turn = record.turn.unwrap();
        if let Some(last) = ended.insert(turn.session, record.done) {
            let within = record.prefill_start.unwrap().since(last) <= ttl;
            assert_eq!(record.cached_tokens > 0, within, "{turn:?}");
            *(if within { &mut soon } else { &mut late }) += 1;
        }
    }
    let expected = f64::from(soon + late) * (1.0 - (-0.8_f64).exp());
    println!("{soon} within, {late} after; {expected:.0} expected within");
    assert!((f64::from(soon) - expected).abs() < 3.0 * (expected * (-0.8_f64).exp()).sqrt());
    assert!(result.summary.pools[0].prefix_hit_rate.unwrap() > 0.0);
}

/// The system prompt of one workload ranks above all others.
#[derive(Debug)]
struct First;

impl Eviction for First {
    fn rank(&mut self, released: &Released<'_>) -> u64 {
        u64::from(released.request.class.0 == 0)
    }
}

/// Two workloads with prefixes of their own share too little memory; the cache of the favoured one holds, at the expense of the other.
#[test]
fn a_workload_may_keep_its_prefixes() {
    let workload = |name: &str| {
        format!(
            "{{name: {name}, synthetic: {{arrivals: {{poisson: {{rate: 4 /s}}}}, prompt_tokens: {{fixed: 640}}, output_tokens: {{fixed: 8}}, shared_prefix: {{groups: 12, tokens: 512}}}}}}"
        )
    };
    let sets = [
        "cluster.pools=[{name: m, role: mixed, node: dgx-h100, instances: 1, engine: {num_gpu_blocks_override: 500}, perf: {affine: {base: 2 ms, per_prompt_token: 20 us, per_sequence: 100 us}}}]".to_owned(),
        format!("workload=[{}, {}]", workload("a"), workload("b")),
        "run.requests=2000".to_owned(),
    ];
    let hits = |scenario: &Scenario| {
        let mut tokens = [[0u64; 2]; 2];
        for row in run(scenario).1 {
            let of = &mut tokens[usize::from(row.record.class.0)];
            *of = [of[0] + u64::from(row.record.cached_tokens), of[1] + u64::from(row.record.prompt_tokens)];
        }
        tokens.map(|[cached, prompt]| cached as f64 / prompt as f64)
    };
    let ([favoured, other], [alike, _]) = (hits(&load(&sets, || Box::new(First))), hits(&load(&sets, || Box::new(Recent))));
    println!("favoured {favoured:.3}, the other {other:.3}; LRU {alike:.3}");
    // All twelve prefixes of 512 tokens take 384 blocks: they stay once they are there.
    assert!(favoured > 0.78 && other < alike && alike < favoured);
}
