//! Routers of a crate outside that choose prefill and decode instance at once.

use proptest::prelude::*;
use tokenmill::document::Input;
use tokenmill::policy::{Candidates, Entry, Outcome, Pick, Policies, RequestView, Router, Signal};
use tokenmill::scenario::{Library, Scenario};

use crate::cli::TINY;
use crate::policies::every_way;

/// The least loaded prefill instance, and the decode instance that the number of the request says; each fifth request leaves that open.
#[derive(Debug)]
struct ByNumber;

impl Router for ByNumber {
    fn route(&mut self, request: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
        let least = candidates.least(Signal::PendingTokens);
        let (Some(prefill), Some(receivers)) = (least, candidates.receivers()) else { return least.into() };
        for i in 0..receivers.len() {
            assert!(Signal::ALL.iter().all(|&signal| receivers.read(i, signal) >= 0.0));
        }
        let decode = usize::try_from(request.request).unwrap() % receivers.len();
        if request.request.is_multiple_of(5) || !receivers.eligible(decode) { Pick::To(prefill) } else { Pick::Pair { prefill, decode } }
    }
}

fn load(sets: &[String]) -> Scenario {
    let mut policies = Policies::default();
    policies.routers = policies.routers.with(Entry::<dyn Router>::plain("by-number", "Both by number.", |_| Box::new(ByNumber)));
    let library = Library::default().with_policies(policies);
    let sets: Vec<String> = ["run.warmup=0 s".to_owned()].into_iter().chain(sets.iter().cloned()).collect();
    Scenario::load(Input::Text { name: "tiny.yaml", text: TINY }, &sets, &library).unwrap_or_else(|errors| panic!("{errors}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Requests arrive where they were bound for; none waits for memory that is there (the audit), none is lost under failures.
    #[test]
    fn kv_goes_where_the_router_has_bound_it(
        overlap in proptest::sample::select(vec!["layer-wise", "after-prefill"]),
        first_token in proptest::sample::select(vec!["immediate", "seeded", "recomputed"]),
        fault in proptest::sample::select(vec!["", "{at: 1 s, instance: d/0, down: 500 ms}", "{at: 1 s, instance: d/1, down: 500 ms, drain: true}", "{at: 1 s, instance: p/1, down: 300 ms}"]),
        mixed in any::<bool>(),
        blocks in 30u32..90,
        decode in 1u32..4,
        seed in 0u64..1000,
    ) {
        let mut sets: Vec<String> = [
            "policies={router: {prefill: by-number, decode: least-request}, retry: {attempts: 20}}".to_owned(),
            format!("cluster.network.kv.overlap={overlap}"),
            format!("cluster.handoff.first_token={first_token}"),
            "cluster.pools.p.instances=2".to_owned(),
            format!("cluster.pools.d.instances={}", decode + 1),
            format!("cluster.pools.d.engine.num_gpu_blocks_override={blocks}"),
            "workload.chat.synthetic.output_tokens={uniform: {min: 2, max: 200}}".to_owned(),
            "workload.chat.timeout=20 s".to_owned(),
            format!("faults=[{fault}]"),
            format!("seed={seed}"),
        ].to_vec();
        if mixed {
            // Beside a mixed pool, whose requests are not handed off.
            sets.push("cluster.pools=[{name: p, role: prefill, node: dgx-h100, instances: 2, perf: {affine: {base: 1 ms, per_prompt_token: 20 us}}}, \
                {name: d, role: decode, node: dgx-h100, instances: 2, engine: {num_gpu_blocks_override: 60}, perf: {affine: {base: 2 ms, per_sequence: 100 us}}}, \
                {name: m, role: mixed, node: dgx-h100, instances: 1, perf: {affine: {base: 2 ms, per_prompt_token: 40 us, per_sequence: 100 us}}}]".to_owned());
        }
        let decode = if mixed { 2 } else { u64::from(decode) + 1 };
        let rows = every_way(&load(&sets));
        prop_assert_eq!(rows.len(), 300);
        let mut bound = 0;
        for row in rows {
            let record = row.record;
            if let (true, 0, Some(to)) = (record.outcome == Outcome::Completed && fault.is_empty(), record.failures, record.decode_instance) {
                prop_assert!(record.id % 5 == 0 || u64::from(to.0) == 2 + record.id % decode, "{:?}", record);
                bound += u32::from(record.id % 5 != 0);
            }
        }
        prop_assert!(bound > 0 || !fault.is_empty());
    }
}

/// Positions that there are not, and decode instances that could never hold the request.
#[derive(Debug)]
struct Astray;

impl Router for Astray {
    fn route(&mut self, request: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
        match request.request % 3 {
            0 => Pick::To(candidates.len()),
            1 => Pick::Pair { prefill: 0, decode: usize::MAX },
            _ => Pick::Pair { prefill: 0, decode: 1 },
        }
    }
}

#[test]
fn positions_astray_lose_no_request_for_ever() {
    let mut policies = Policies::default();
    policies.routers = policies.routers.with(Entry::<dyn Router>::plain("astray", "Astray.", |_| Box::new(Astray)));
    let library = Library::default().with_policies(policies);
    let perf = "perf: {affine: {base: 1 ms, per_prompt_token: 20 us}}";
    let sets = [
        "run.warmup=0 s".to_owned(),
        "policies.router={prefill: astray, decode: least-request}".to_owned(),
        "workload.chat.synthetic.prompt_tokens={uniform: {min: 60, max: 200}}".to_owned(),
        format!(
            "cluster.pools=[{{name: p, role: prefill, node: dgx-h100, instances: 1, {perf}}}, {{name: d, role: decode, node: dgx-h100, instances: 1, {perf}}}, \
             {{name: short, role: decode, node: dgx-h100, instances: 1, {perf}, engine: {{max_model_len: 50}}}}]"
        ),
    ];
    let scenario =
        Scenario::load(Input::Text { name: "tiny.yaml", text: TINY }, &sets, &library).unwrap_or_else(|errors| panic!("{errors}"));
    for row in every_way(&scenario) {
        let expected = if row.record.id.is_multiple_of(3) { Outcome::Failed } else { Outcome::Completed };
        assert_eq!(row.record.outcome, expected, "{:?}", row.record);
    }
}
