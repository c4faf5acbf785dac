//! Published traces on H100 clusters with prefill and decode split apart. They lie beside the repository, or the tests skip.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tokenmill::cluster::{Outcome, RequestRecord, Silent};
use tokenmill::report::summary_json;
use tokenmill::scenario::Scenario;
use tokenmill::study::Options;
use tokenmill::workload::{ReadOptions, TraceSource, TraceStatistics, Workload, inspect};

use crate::support::{Ledger, data, shipped, simulate_with};

/// A trace, the shipped scenario that replays such a one, and the name of its workload there.
struct Case {
    file: &'static str,
    scenario: &'static str,
    workload: &'static str,
}

const CONVERSATION: Case = Case {
    file: "traces/azure_llm_2023/AzureLLMInferenceTrace_conv_first_half.csv",
    scenario: "trace-azure",
    workload: "azure-conversation",
};
const CODE: Case = Case { file: "traces/azure_llm_2023/AzureLLMInferenceTrace_code_first_half.csv", ..CONVERSATION };
const MOONCAKE: Case =
    Case { file: "traces/mooncake/conversation_trace_first_half.jsonl.gz", scenario: "trace-mooncake", workload: "mooncake-conversation" };

impl Case {
    fn path(&self) -> Option<PathBuf> {
        data(self.file)?.canonicalize().ok()
    }

    /// The shipped scenario on this trace with so many instances a pool, all requests counted.
    fn on(&self, path: &Path, instances: u32) -> Scenario {
        let mut sets = vec![format!("workload.{}.trace.path={}", self.workload, path.display()), "run.warmup=0 s".to_owned()];
        sets.extend(["prefill", "decode"].map(|pool| format!("cluster.pools.{pool}.instances={instances}")));
        shipped(self.scenario, &sets)
    }
}

fn statistics(path: PathBuf) -> TraceStatistics {
    inspect(&TraceSource::File(path), ReadOptions::default()).unwrap()
}

const FAST: Options = Options { fast_forward: true, audit: false, aside: false };
const STEPPED: Options = Options { fast_forward: false, audit: false, aside: false };
const AUDITED: Options = Options { fast_forward: true, audit: true, aside: false };

/// All that a run says, as text.
fn everything(scenario: &Scenario, options: Options) -> (String, Vec<RequestRecord>, Ledger) {
    let (result, rows, ledger) = simulate_with(scenario, options, Ledger::default());
    let text = format!("{}{:?}{rows:?}", summary_json(&result.summary).unwrap(), result.timeline);
    (text, rows.into_iter().map(|row| row.record).collect(), ledger)
}

fn causal(record: &RequestRecord) {
    let life = [
        Some(record.arrived),
        record.prefill_start,
        record.first_token,
        record.delivered,
        record.decode_start,
        record.second_token,
        Some(record.done),
    ];
    assert!(life.iter().flatten().is_sorted(), "{record:?}");
    // A request of one token is done before the KV that was sent ahead of it has arrived.
    let handoff = [record.reserved, record.transfer_start, record.delivered];
    assert!(handoff.iter().flatten().is_sorted() && (record.delivered.is_some() || record.output_tokens == 1), "{record:?}");
}

/// Requests and tokens that go in come out; nothing happens before its cause; the same bytes twice, stepped, run ahead and audited.
fn replay(case: &Case, instances: u32) {
    let Some(path) = case.path() else { return };
    let scenario = case.on(&path, instances);
    let (text, records, ledger) = everything(&scenario, FAST);
    for options in [FAST, STEPPED, AUDITED] {
        assert!(everything(&scenario, options).0 == text, "{} on {instances} differs with {options:?}", case.file);
    }
    assert!(records.iter().all(|record| record.outcome == Outcome::Completed));
    records.iter().for_each(causal);
    let trace = statistics(path);
    assert_eq!(records.len() as u64, trace.requests);
    assert_eq!(ledger.tokens_out, trace.output_tokens.total);
    assert_eq!(records.iter().map(|record| u64::from(record.prompt_tokens)).sum::<u64>(), trace.prompt_tokens.total);
    assert_eq!(records.iter().map(|record| u64::from(record.output_tokens)).sum::<u64>(), trace.output_tokens.total);
    for (index, pool) in scenario.cluster.pools.iter().enumerate() {
        let books = ledger.pool(u16::try_from(index).unwrap());
        let end = u128::from(records.iter().map(|record| record.done.ns()).max().unwrap());
        assert_eq!(books.busy_ns + books.idle_ns, u128::from(pool.instances) * end);
    }
}

#[test]
fn the_azure_conversation_trace_runs_on_four_and_four() {
    replay(&CONVERSATION, 4);
}

#[test]
fn the_azure_code_trace_runs_on_four_and_four() {
    replay(&CODE, 4);
}

#[test]
fn the_mooncake_conversation_trace_runs_on_four_and_four() {
    replay(&MOONCAKE, 4);
}

#[test]
fn the_traces_run_on_sixty_four_and_sixty_four() {
    replay(&CONVERSATION, 64);
    replay(&CODE, 64);
    replay(&MOONCAKE, 64);
}

/// One mixed instance with memory for everything finds in its prefix cache what a cache without limits would, but for two things: at
/// least one token of a prompt is computed, so a prompt that is cached to its last whole block loses that block; and a prefix that two
/// requests bring at the same time is computed by both.
/// Failures, a planned restart, timeouts, little KV memory and first tokens from the decode side: stepped, passed over, audited and recorded
/// aside, a run says the same.
#[test]
fn runs_with_failures_say_the_same_stepped_audited_and_aside() {
    for (case, first_token, blocks) in [(&CONVERSATION, "recomputed", 500), (&CODE, "seeded", 2_000), (&MOONCAKE, "immediate", 8_192)] {
        let Some(path) = case.path() else { continue };
        let faults = "[{at: 3 min, instance: decode/0, down: 2 min}, {at: 5 min, instance: prefill/1, down: 1 min, start: 30 s}, \
                      {at: 7 min, instance: decode/1, down: 1 min, drain: true}]";
        let sets = [
            format!("workload.{}.trace.path={}", case.workload, path.display()),
            format!("workload.{}.timeout=60 s", case.workload),
            format!("faults={faults}"),
            format!("cluster.handoff.first_token={first_token}"),
            format!("cluster.pools.decode.engine.num_gpu_blocks_override={blocks}"),
            format!("cluster.pools.decode.engine.max_model_len={}", blocks * 16),
        ];
        let scenario = shipped(case.scenario, &sets);
        let (text, records, _) = everything(&scenario, FAST);
        assert!(records.iter().any(|r| r.failures > 0 || r.recovery().ns() > 0), "{}", case.file);
        assert!(records.iter().any(|r| r.preemptions > 0), "{}", case.file);
        for options in [STEPPED, AUDITED, Options { audit: true, ..STEPPED }, Options { aside: true, ..FAST }] {
            assert!(everything(&scenario, options).0 == text, "{} {options:?}", case.file);
        }
    }
}

#[test]
fn the_prefix_cache_of_a_huge_instance_hits_as_often_as_a_cache_without_limits() {
    let Some(path) = MOONCAKE.path() else { return };
    let pool = "cluster.pools=[{name: mixed, role: mixed, node: dgx-h100, instances: 1, parallelism: {tp: 4}, \
                perf: {affine: {base: 5 ms, per_prompt_token: 40 us, per_sequence: 100 us}}, \
                engine: {num_gpu_blocks_override: 20M, max_num_seqs: 256}}]";
    let sets = [format!("workload.{}.trace.path={}", MOONCAKE.workload, path.display()), "run.warmup=0 s".to_owned(), pool.to_owned()];
    let (result, _, ledger) = simulate_with(&shipped(MOONCAKE.scenario, &sets), FAST, Ledger::default());
    let ideal = statistics(path).prefix_hit_rate.unwrap();
    let found = result.summary.pools[0].prefix_hit_rate.unwrap();
    println!("prefix hit rate: {found:.5} found, {ideal:.5} without limits");
    assert!(found <= ideal && ideal - found < 0.01, "{found} against {ideal}");
    // What was found was not computed.
    assert_eq!(ledger.prefill_tokens + result.summary.tokens.cached_prompt, result.summary.tokens.prompt);
}

/// Share of prompt tokens that one pooled cache of `groups` identities finds, least recently used first out, requests one after the other.
fn pooled_hits(scenario: &Scenario, groups: usize) -> f64 {
    let mut workload = scenario.workload().unwrap();
    let group = scenario.cluster.classes[0].prefix_tokens;
    let (mut places, mut order) = (BTreeMap::<u64, u64>::new(), BTreeMap::<u64, u64>::new());
    let (mut tick, mut hits, mut tokens) = (0, 0, 0);
    while let Some((_, request)) = workload.next().unwrap() {
        // At least one token is computed.
        let most = (request.prompt_tokens - 1) / group;
        let leading = request.blocks.ids().take_while(|id| places.contains_key(id)).count();
        hits += u64::from(group) * u64::from(most.min(u32::try_from(leading).unwrap()));
        tokens += u64::from(request.prompt_tokens);
        for id in request.blocks.ids() {
            tick += 1;
            if let Some(old) = places.insert(id, tick) {
                order.remove(&old);
            }
            order.insert(tick, id);
            if places.len() > groups {
                let (_, oldest) = order.pop_first().unwrap();
                places.remove(&oldest);
            }
        }
    }
    hits as f64 / tokens as f64
}

/// Routed to where the prefix is, prompts find nearly what one cache as large as all together would have; spread by load, a part of it.
#[test]
fn a_router_to_the_prefix_finds_nearly_what_one_pooled_cache_would() {
    let Some(path) = MOONCAKE.path() else { return };
    let with = |router: &str, times: u64| {
        let mut sets = vec![format!("workload.{}.trace.path={}", MOONCAKE.workload, path.display()), "run.warmup=0 s".to_owned()];
        sets.push(format!("policies.router={router}"));
        let mut scenario = shipped(MOONCAKE.scenario, &sets);
        for pool in &mut scenario.cluster.pools {
            pool.engine.kv_blocks *= times;
        }
        let (result, ..) = simulate_with(&scenario, FAST, Silent);
        let summary = result.summary;
        let share = summary.tokens.cached_prompt as f64 / summary.tokens.prompt as f64;
        let engine = scenario.cluster.pools[0].engine;
        let groups = 4 * engine.kv_blocks * u64::from(engine.block_size) / u64::from(scenario.cluster.classes[0].prefix_tokens);
        (share, pooled_hits(&scenario, usize::try_from(groups).unwrap()), summary.latency.ttft_ms.unwrap())
    };
    let (found, pooled, ttft) = with("prefix-hit", 1);
    let (spread, _, spread_ttft) = with("least-request", 1);
    println!("prefix-hit {found:.4}, pooled {pooled:.4}, least-request {spread:.4}");
    assert!((0.20..0.23).contains(&pooled) && found >= 0.9 * pooled, "{found} of {pooled}");
    assert!((0.08..0.10).contains(&spread), "{spread}");
    assert!(ttft.p50 < 0.9 * spread_ttft.p50 && ttft.mean < 0.9 * spread_ttft.mean && ttft.p99 < spread_ttft.p99);
    let (larger, pooled, _) = with("prefix-hit", 3);
    println!("with three times the memory {larger:.4}, pooled {pooled:.4}");
    assert!(larger >= 0.30 && larger <= pooled, "{larger} of {pooled}");
}
