//! Deciders of a crate outside: which prompts are computed on decode instances.

use proptest::prelude::*;
use tokenmill::document::Input;
use tokenmill::metrics::RequestRow;
use tokenmill::policy::{Candidates, Decider, Entry, Outcome, Path, Policies, RequestView, Signal};
use tokenmill::scenario::{Library, Scenario};

use crate::cli::TINY;
use crate::policies::every_way;

/// Prompts below a limit go to decode instances, whatever their load, once it has read the load of all.
#[derive(Debug)]
struct Below(u32);

impl Decider for Below {
    fn path(&mut self, request: &RequestView<'_>, prefill: &dyn Candidates, decode: &dyn Candidates) -> Path {
        for of in [prefill, decode] {
            for i in 0..of.len() {
                assert!(Signal::ALL.iter().all(|&signal| of.read(i, signal) >= 0.0));
            }
            let _ = of.least(Signal::PendingTokens);
        }
        if request.prompt_tokens < self.0 { Path::Decode } else { Path::Split }
    }
}

/// Prefill instances keep what no decode instance has room for, or everything, once it has read the load of all.
#[derive(Debug)]
enum Keep {
    WhenFull,
    All,
}

impl Decider for Keep {
    fn path(&mut self, _: &RequestView<'_>, _: &dyn Candidates, _: &dyn Candidates) -> Path {
        Path::Split
    }
    fn always_splits(&self) -> bool {
        true
    }
    fn keeps(&mut self, _: &RequestView<'_>, at: usize, prefill: &dyn Candidates, decode: &dyn Candidates) -> bool {
        assert!(at < prefill.len());
        for of in [prefill, decode] {
            for i in 0..of.len() {
                assert!(Signal::ALL.iter().all(|&signal| of.read(i, signal) >= 0.0));
            }
        }
        matches!(self, Self::All) || !(0..decode.len()).any(|i| decode.eligible(i))
    }
    fn may_keep(&self) -> bool {
        true
    }
}

fn load(sets: &[String], limit: u32) -> Scenario {
    let mut policies = Policies::default();
    policies.deciders = policies
        .deciders
        .with(Entry::<dyn Decider>::plain("below", "Short prompts whole.", move |_| Box::new(Below(limit))))
        .with(Entry::<dyn Decider>::plain("when-full", "Kept where decode is full.", |_| Box::new(Keep::WhenFull)))
        .with(Entry::<dyn Decider>::plain("keep-all", "All kept.", |_| Box::new(Keep::All)));
    let library = Library::default().with_policies(policies);
    let sets: Vec<String> = ["run.warmup=0 s".to_owned()].into_iter().chain(sets.iter().cloned()).collect();
    Scenario::load(Input::Text { name: "tiny.yaml", text: TINY }, &sets, &library).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Decode instances that get every prompt are mixed ones, and prefill instances stand idle beside them.
#[test]
fn a_decode_pool_that_gets_every_prompt_is_a_mixed_pool() {
    let perf = "perf: {affine: {base: 2 ms, per_prompt_token: 20 us, per_sequence: 100 us}}";
    let engine = "engine: {num_gpu_blocks_override: 60, max_num_batched_tokens: 256}";
    let prefix = "workload.chat.synthetic.shared_prefix={groups: 3, tokens: 64}".to_owned();
    for router in ["round-robin", "least-request", "least-tokens", "prefix-hit"] {
        let router = format!("policies.router={router}");
        let split = format!(
            "cluster.pools=[{{name: d, role: decode, node: dgx-h100, instances: 2, {engine}, {perf}}}, \
             {{name: p, role: prefill, node: dgx-h100, instances: 1, {perf}}}]"
        );
        let mixed = format!("cluster.pools=[{{name: d, role: mixed, node: dgx-h100, instances: 2, {engine}, {perf}}}]");
        let whole = every_way(&load(&[prefix.clone(), router.clone(), split, "policies.disaggregation=below".to_owned()], u32::MAX));
        let twin = every_way(&load(&[prefix.clone(), router, mixed], u32::MAX));
        assert!(whole.iter().any(|row| row.record.preemptions > 0 || row.record.cached_tokens > 0));
        assert_eq!(records(&whole), records(&twin));
    }
}

fn records(rows: &[RequestRow]) -> Vec<String> {
    rows.iter().map(|row| format!("{:?}", row.record)).collect()
}

/// Prefill instances that keep every request are mixed ones, and decode instances stand idle beside them.
#[test]
fn a_prefill_pool_that_keeps_every_request_is_a_mixed_pool() {
    let perf = "perf: {affine: {base: 2 ms, per_prompt_token: 20 us, per_sequence: 100 us}}";
    let engine = "engine: {num_gpu_blocks_override: 24, max_num_batched_tokens: 256}";
    let pool = |name: &str, role: &str| format!("{{name: {name}, role: {role}, node: dgx-h100, instances: 2, {engine}, {perf}}}");
    for router in ["round-robin", "least-tokens"] {
        let router = format!("policies.router={router}");
        let twin = every_way(&load(&[router.clone(), format!("cluster.pools=[{}]", pool("p", "mixed"))], 0));
        assert!(twin.iter().any(|row| row.record.preemptions > 0));
        for overlap in ["layer-wise", "after-prefill"] {
            for first_token in ["immediate", "seeded", "recomputed"] {
                let kept = every_way(&load(
                    &[
                        router.clone(),
                        format!("cluster.pools=[{}, {}]", pool("p", "prefill"), pool("d", "decode")),
                        format!("cluster.network.kv.overlap={overlap}"),
                        format!("cluster.handoff.first_token={first_token}"),
                        "policies.disaggregation=keep-all".to_owned(),
                    ],
                    0,
                ));
                assert_eq!(records(&kept), records(&twin), "{overlap}, {first_token}");
            }
        }
    }
}

/// Settings: little decode memory, an instance that fails, clients that give up.
fn difficulties(overlap: &str, first_token: &str, failing: &str, blocks: u32, seed: u64) -> Vec<String> {
    vec![
        format!("cluster.network.kv.overlap={overlap}"),
        format!("cluster.handoff.first_token={first_token}"),
        format!("cluster.pools.d.engine.num_gpu_blocks_override={blocks}"),
        format!("faults=[{{at: 1 s, instance: {failing}, down: 500 ms}}]"),
        "workload.chat.timeout=5 s".to_owned(),
        format!("seed={seed}"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Short prompts never travel, long ones do; nothing is lost under failures and timeouts.
    #[test]
    fn each_request_goes_the_way_that_is_decided(
        limit in 20u32..180,
        overlap in proptest::sample::select(vec!["layer-wise", "after-prefill"]),
        first_token in proptest::sample::select(vec!["immediate", "seeded", "recomputed"]),
        router in proptest::sample::select(vec!["round-robin", "least-request", "prefix-hit"]),
        failing in proptest::sample::select(vec!["p/0", "d/0", "d/1"]),
        blocks in 30u32..120,
        seed in 0u64..1000,
    ) {
        let mut sets = difficulties(overlap, first_token, failing, blocks, seed);
        sets.push(format!("policies={{disaggregation: below, router: {router}, retry: {{attempts: 20}}}}"));
        let rows = every_way(&load(&sets, limit));
        prop_assert!(rows.len() == 300);
        for row in rows {
            let record = row.record;
            // A request that has lost its KV computes its output so far too, and may become a long one.
            if record.failures == 0 && record.outcome == Outcome::Completed {
                let whole = record.prompt_tokens < limit;
                prop_assert_eq!(record.prefill_instance.is_some_and(|id| id.0 > 0), whole, "{:?}", record);
                prop_assert_eq!(record.transfer_start.is_none() && record.decode_instance.is_none(), whole || record.output_tokens == 1, "{:?}", record);
            }
        }
    }

    /// What decode has room for travels, the rest stays and is not held up; nothing is lost under failures and timeouts.
    #[test]
    fn prefill_instances_keep_what_decode_has_no_room_for(
        overlap in proptest::sample::select(vec!["layer-wise", "after-prefill"]),
        first_token in proptest::sample::select(vec!["immediate", "seeded", "recomputed"]),
        failing in proptest::sample::select(vec!["p/0", "d/0", "d/1"]),
        blocks in 25u32..45,
        seed in 0u64..1000,
    ) {
        let mut sets = difficulties(overlap, first_token, failing, blocks, seed);
        sets.push("policies={disaggregation: when-full, retry: {attempts: 20}}".to_owned());
        sets.push("workload.chat.synthetic.output_tokens={uniform: {min: 20, max: 200}}".to_owned());
        let rows = every_way(&load(&sets, 0));
        prop_assert!(rows.len() == 300);
        let completed = || rows.iter().map(|row| &row.record).filter(|record| record.failures == 0 && record.outcome == Outcome::Completed);
        prop_assert!(completed().any(|record| record.decode_instance.is_none() && record.output_tokens > 1), "some are kept");
        prop_assert!(completed().any(|record| record.transfer_start.is_some()), "some travel");
        for record in completed() {
            prop_assert_eq!(record.transfer_start.is_some(), record.decode_instance.is_some(), "{:?}", record);
        }
    }
}
