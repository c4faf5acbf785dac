//! Sessions: what is cached of them, that no call comes before the answer it waits for, and that none is lost.

use std::collections::BTreeMap;

use tokenmill::cluster::{Outcome, Role, Silent};
use tokenmill::kv::Blocks;
use tokenmill::metrics::{RequestRow, RunResult};
use tokenmill::scenario::Scenario;
use tokenmill::sim::Streams;
use tokenmill::study::Options;
use tokenmill::workload::{
    ClassId, DelayDistribution, LengthDistribution, Pace, SessionStart, SessionWorkload, SyntheticSessionParameters, SyntheticSessions,
};

use crate::support::{Listed, cluster, data, pool, request, run, shipped, simulate_with};

const AGENTS: &str = "traces/agentic_kv_cache_tester/sessions.jsonl.gz";
const KERNELBOOK: &str = "traces/agentic_claude_code_kernelbook/sessions_12.jsonl.gz";

/// One mixed instance with room for long contexts and, per token, little memory.
const SCENARIO: &str = "
name: sessions
profiles:
  models:
    long:
      name: long
      description: A small model with a long context
      architecture:
        layers: 36
        hidden: 4096
        vocab: 151936
        max_context: 1048576
        attention: {grouped: {heads: 32, kv_heads: 8, head_dim: 128}}
        dense_intermediate: 12288
      precision: {weights: bf16, kv: bf16}
      sources: {us: {title: an assumption, date: 2026-11-28}}
models: {m: {profile: long}}
cluster:
  pools:
    - name: one
      role: mixed
      node: dgx-h100
      instances: 1
      parallelism: {tp: 8}
      perf: {affine: {base: 10 ms, per_prompt_token: 20 us, per_sequence: 50 us, kv_bytes_per_token: 1 kB}}
workload:
  - name: w
    trace: {format: FORMAT, path: PATH, sessions: {SESSIONS}}
";

fn on_one_instance(file: &std::path::Path, format: &str, sessions: &str, sets: &[String]) -> Scenario {
    let text = SCENARIO.replace("FORMAT", format).replace("PATH", &file.display().to_string()).replace("SESSIONS", sessions);
    let path = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(path.path(), text).unwrap();
    Scenario::load(tokenmill::document::Input::File(path.path()), sets, &tokenmill::scenario::Library::default())
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn simulate(scenario: &Scenario) -> (RunResult, Vec<RequestRow>) {
    let (result, rows, Silent) = simulate_with(scenario, Options::default(), Silent);
    (result, rows)
}

/// Share of the prompt tokens that were found in the prefix cache, %.
fn hits(result: &RunResult) -> f64 {
    let tokens = &result.summary.tokens;
    100.0 * tokens.cached_prompt as f64 / tokens.prompt as f64
}

/// Worked out apart from this code: leading ids of an earlier call of the same session, whole blocks, first prompts counted.
#[test]
fn agent_sessions_find_what_their_trace_says_in_a_cache_without_limits() {
    let Some(path) = data(AGENTS) else { return };
    let found = |sessions: &str| {
        let (result, rows) =
            simulate(&on_one_instance(&path, "kv-cache-tester", &format!("at_once: 16, max_delay: 60 s, {sessions}"), &[]));
        assert!(rows.iter().all(|row| row.record.outcome == Outcome::Completed));
        assert!(result.summary.warnings.iter().any(|warning| warning.message.contains("15 answers of 0 tokens")));
        (rows.len(), hits(&result))
    };
    for (sessions, calls, expected) in [
        ("cache_answers: false", 32_528, 96.343),
        ("cache_answers: true", 32_528, 96.651),
        ("cache_answers: false, sub_agents: false", 32_072, 96.392),
    ] {
        let (count, share) = found(sessions);
        assert_eq!(count, calls);
        println!("kv-cache-tester, {sessions}: {share:.3} % of prompt tokens, expected {expected}");
        assert!((share - expected).abs() < 0.03, "{sessions}: {share}");
    }
}

#[test]
fn contexts_without_identities_are_found_with_their_answers() {
    let Some(path) = data(KERNELBOOK) else { return };
    for (answers, expected) in [(true, 92.76), (false, 89.37)] {
        let (result, rows) = simulate(&on_one_instance(&path, "kernelbook", &format!("cache_answers: {answers}"), &[]));
        assert_eq!(rows.len(), 141);
        println!("KernelBook, answers {answers}: {:.3} % of prompt tokens, expected {expected}", hits(&result));
        assert!((hits(&result) - expected).abs() < 0.05, "{}", hits(&result));
    }
}

#[test]
fn hits_fall_as_memory_shrinks() {
    let Some(path) = data(AGENTS) else { return };
    let mut last = 100.0;
    // 8 M, 2 M and 1 M tokens for 16 agents whose contexts have 120,000 in the mean.
    for blocks in [512_000, 128_000, 66_000] {
        let sets = [format!("cluster.pools.one.engine.num_gpu_blocks_override={blocks}")];
        let (result, _) = simulate(&on_one_instance(&path, "kv-cache-tester", "at_once: 16, max_delay: 60 s", &sets));
        assert!(hits(&result) < last, "{blocks}");
        last = hits(&result);
    }
    assert!(last < 40.0);
}

/// Calls by session, in order.
fn sessions(rows: &[RequestRow]) -> BTreeMap<u64, Vec<&RequestRow>> {
    let mut found: BTreeMap<u64, Vec<&RequestRow>> = BTreeMap::new();
    for row in rows {
        found.entry(row.record.turn.unwrap().session).or_default().push(row);
    }
    for calls in found.values_mut() {
        calls.sort_by_key(|row| row.record.turn.unwrap().number);
    }
    found
}

/// With time-outs and failures: every session is played to its end, each call after the end of the one before.
#[test]
fn no_session_is_lost_and_no_call_comes_before_the_answer() {
    let sets = [
        "run.duration=~".to_owned(),
        "run.warmup=0 s".to_owned(),
        "workload.chat.sessions.sessions=150".to_owned(),
        "workload.chat.timeout=6 s".to_owned(),
        // One for long, then all.
        "faults=[{at: 1 min, instance: chat/0, down: 1 min}, {at: 3 min, instance: chat/0, down: 20 s}, {at: 3 min, instance: chat/1, \
         down: 20 s}, {at: 3 min, instance: chat/2, down: 20 s}, {at: 3 min, instance: chat/3, down: 20 s}]"
            .to_owned(),
        "policies.retry={attempts: 1, back_off: 100 ms}".to_owned(),
    ];
    let scenario = shipped("chat-sessions", &sets);
    let (result, rows) = simulate(&scenario);
    let outcomes = &result.summary.requests;
    assert!(outcomes.timed_out > 0 && outcomes.failed > 0, "{outcomes:?}");
    // The same sessions without a cluster that could lose any.
    let mut expected = BTreeMap::<u64, usize>::new();
    let mut workload = scenario.workload().unwrap();
    while let Some((at, spec)) = tokenmill::workload::Workload::next(&mut workload).unwrap() {
        *expected.entry(spec.turn.unwrap().session).or_default() += 1;
        tokenmill::workload::Workload::ended(&mut workload, &tokenmill::workload::Ended::of(&spec, at, Outcome::TimedOut));
    }
    let played = sessions(&rows);
    assert_eq!(played.iter().map(|(&session, calls)| (session, calls.len())).collect::<BTreeMap<_, _>>(), expected);
    let mut think = Vec::new();
    for calls in played.values() {
        for pair in calls.windows(2) {
            assert!(pair[1].record.arrived >= pair[0].record.done, "{:?}", pair[1].record);
            think.push(pair[1].record.arrived.since(pair[0].record.done).as_secs_f64());
        }
    }
    assert!(think.iter().sum::<f64>() / think.len() as f64 > 5.0);
    for options in [
        Options { fast_forward: false, ..Options::default() },
        Options { audit: true, ..Options::default() },
        Options { aside: true, ..Options::default() },
    ] {
        let (_, again, Silent) = simulate_with(&scenario, options, Silent);
        assert_eq!(format!("{again:?}"), format!("{rows:?}"));
    }
}

#[test]
fn first_and_later_calls_have_their_own_latency() {
    let sets = ["run.duration=~", "run.warmup=0 s", "workload.chat.sessions.sessions=60"].map(str::to_owned);
    let (result, rows) = simulate(&shipped("chat-sessions", &sets));
    let summary = result.summary.sessions.unwrap();
    assert_eq!((summary.started, summary.calls), (60, rows.len() as u64));
    let mean_ms = |first: bool| {
        let calls = rows.iter().map(|row| &row.record).filter(|record| (record.turn.unwrap().number == 0) == first);
        let ttfts: Vec<f64> = calls.filter_map(|record| Some(record.first_token?.since(record.arrived).as_secs_f64() * 1e3)).collect();
        (ttfts.len() as u64, ttfts.iter().sum::<f64>() / ttfts.len() as f64)
    };
    for (found, first) in [(summary.first_ttft_ms, true), (summary.later_ttft_ms, false)] {
        let (found, (count, mean)) = (found.unwrap(), mean_ms(first));
        assert_eq!(found.count, count);
        assert!((found.mean - mean).abs() < 1e-6 * mean, "{} {mean}", found.mean);
    }
}

/// 100 tokens of prompt and 30 of answer are eight full blocks of 16: the last token of the answer is never an input.
#[test]
fn an_answer_is_found_by_the_next_prompt_where_it_was_generated() {
    let turns = |second: u32| {
        let blocks = Blocks::run(1, 100);
        Listed::new([
            (0, request(100, 30).with_blocks(blocks.leading(8))),
            (10_000_000_000, request(second, 2).with_blocks(blocks.leading(second / 16))),
        ])
    };
    let of = |role: Role| {
        let mut spec = cluster(vec![pool("m", role, 1, tests_perf())]);
        spec.classes[0].prefix_tokens = 16;
        spec
    };
    let records = run(of(Role::Mixed), turns(200));
    assert_eq!(records.iter().map(|record| record.cached_tokens).collect::<Vec<_>>(), [0, 128]);
    // Split apart, the answer stays on the decode side: the prompt alone is found where prompts are computed.
    let mut split = of(Role::Prefill);
    split.pools.push(pool("d", Role::Decode, 1, tests_perf()));
    let records = run(split, turns(200));
    assert_eq!(records.iter().map(|record| record.cached_tokens).collect::<Vec<_>>(), [0, 96]);
}

fn tests_perf() -> crate::support::Linear {
    crate::support::Linear { base: 1e6, ..crate::support::Linear::default() }
}

/// At one call at a time and with room for all, a prompt finds all full blocks of the prompt before it and its answer.
#[test]
fn a_chat_finds_all_of_its_history() {
    let parameters = SyntheticSessionParameters {
        sessions: Some(20),
        messages: LengthDistribution::Uniform { min: 2, max: 12 },
        system_prompt: None,
        message_tokens: LengthDistribution::Uniform { min: 1, max: 90 },
        output_tokens: LengthDistribution::Uniform { min: 1, max: 60 },
        think_time: DelayDistribution::Exponential { mean: 3.0 },
        tools: None,
        max_context: None,
        block_tokens: 16,
    };
    let source = SyntheticSessions::new(ClassId(0), parameters, &Streams::new(5)).unwrap();
    let start = SessionStart::AtOnce(1);
    let workload = SessionWorkload::new(ClassId(0), Box::new(source), &start, Pace::default(), None, &Streams::new(5)).unwrap();
    let mut spec = cluster(vec![pool("m", Role::Mixed, 1, tests_perf())]);
    spec.classes[0].prefix_tokens = 16;
    spec.pools[0].engine.kv_blocks = 100_000;
    let records = run(spec, workload);
    let mut last = None;
    for record in records {
        let turn = record.turn.unwrap();
        let stored = last.filter(|&(session, _)| session == turn.session).map_or(0, |(_, stored)| stored);
        assert_eq!(record.cached_tokens, stored / 16 * 16, "{turn:?}");
        last = Some((turn.session, record.prompt_tokens + record.output_tokens - 1));
    }
}

/// Little's law over sessions: arrivals · mean time in a session = mean number of sessions under way.
#[test]
fn sessions_obey_littles_law() {
    let sets =
        ["run.duration=4 h".to_owned(), "run.warmup=0 s".to_owned(), "workload.chat.sessions.arrivals.poisson.rate=0.2 /s".to_owned()];
    let (_, rows) = simulate(&shipped("chat-sessions", &sets));
    let played = sessions(&rows);
    let spans: Vec<(f64, f64)> = played
        .values()
        .map(|calls| (calls[0].record.arrived.as_secs_f64(), calls[calls.len() - 1].record.done.as_secs_f64()))
        .filter(|&(begin, _)| begin < 3.0 * 3600.0)
        .collect();
    // Sessions under way, looked at every ten seconds of the three hours.
    let looks = (0..1080).map(|n| f64::from(n) * 10.0);
    let under_way: usize = looks.map(|at| spans.iter().filter(|&&(begin, end)| begin <= at && at < end).count()).sum();
    let mean_under_way = under_way as f64 / 1080.0;
    let mean_time = spans.iter().map(|(begin, end)| end - begin).sum::<f64>() / spans.len() as f64;
    let rate = spans.len() as f64 / (3.0 * 3600.0);
    assert!((mean_under_way / (rate * mean_time) - 1.0).abs() < 0.05, "{mean_under_way} {rate} {mean_time}");
    assert!((rate / 0.2 - 1.0).abs() < 0.05, "{rate}");
}
