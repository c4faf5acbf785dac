//! What must follow when a question is changed in a known way. Only laws with a proof; each says it.

use std::cell::Cell;

use proptest::prelude::*;
use tokenmill::cluster::{ClusterSpec, Overlap, RequestRecord, Role, RouterSpec, Silent};
use tokenmill::kv::Blocks;
use tokenmill::metrics::RunResult;
use tokenmill::policy::{Candidates, Pick, RequestView, Signal};
use tokenmill::sim::{Purpose, SimDuration, SimTime, Streams};
use tokenmill::study::Options;
use tokenmill::workload::RequestSpec;

use crate::support::{Linear, Listed, audited, cluster, inline, pool, request, router, router_names, run, sets, shipped, simulate_with};

const MS: f64 = 1e6;

fn perf() -> Linear {
    Linear { base: 3.0 * MS, per_prefill_token: 2_000.0, per_sequence: 40_000.0, per_context: 3.0 }
}

fn apart(overlap: Overlap) -> ClusterSpec {
    let mut spec = cluster(vec![pool("p", Role::Prefill, 1, perf()), pool("d", Role::Decode, 1, perf())]);
    spec.network.overlap = overlap;
    spec
}

fn quickstart(requests: &str, extra: &[&str]) -> (RunResult, Vec<RequestRecord>) {
    let mut options = sets(["run.warmup=0 s", "assert=[]"]);
    options.push(format!("run.requests={requests}"));
    options.extend(extra.iter().map(|&option| option.to_owned()));
    let (result, rows, _) = simulate_with(&shipped("quickstart", &options), Options { audit: false, ..Options::default() }, Silent);
    (result, rows.into_iter().map(|row| row.record).collect())
}

/// Decode is bound by memory, so more bandwidth per chip makes every step of the same batch shorter. In the open loop, shorter steps make
/// smaller batches besides; nothing on the prefill side changes.
#[test]
fn a_decode_chip_with_more_bandwidth_lowers_the_gap_between_tokens() {
    let on = |node: &str| quickstart("400", &[&format!("cluster.pools.decode.node={node}")]);
    let runs: Vec<(RunResult, Vec<RequestRecord>)> = ["dgx-h100", "dgx-h200", "dgx-b200"].into_iter().map(on).collect();
    let itl: Vec<_> = runs.iter().map(|(result, _)| result.summary.latency.itl_ms.unwrap()).collect();
    for pair in itl.windows(2) {
        assert!(pair[1].mean < pair[0].mean && pair[1].p50 < pair[0].p50, "{itl:?}");
    }
    // 4.8 / 3.35 TB/s is 1.43, 7.7 / 4.8 is 1.6; efficiencies, collectives and host time take some of it.
    assert!(itl[0].p50 / itl[1].p50 > 1.1 && itl[1].p50 / itl[2].p50 > 1.1, "{itl:?}");
    let ttft: Vec<f64> = runs.iter().map(|(result, _)| result.summary.latency.ttft_ms.unwrap().p50).collect();
    approx::assert_relative_eq!(ttft[0], ttft[2], max_relative = 1e-9);
}

/// At the same batch of eight, step by step, on the very same requests: the models of the three chips, in a closed loop.
#[test]
fn at_the_same_batch_the_step_follows_the_bandwidth() {
    let itl = |node: &str| {
        let text = format!(
            "
name: batch
run: {{requests: 16}}
models: {{chat: {{profile: llama-3.3-70b, weights: fp8, kv: fp8}}}}
workload:
  - {{name: chat, closed_loop: {{concurrency: 8, prompt_tokens: {{fixed: 1000}}, output_tokens: {{fixed: 60}}}}}}
cluster:
  pools:
    - {{name: mixed, role: mixed, node: {node}, instances: 1, parallelism: {{tp: 4}}}}
"
        );
        simulate_with(&inline(&text), Options::default(), Silent).0.summary.latency.itl_ms.unwrap().p50
    };
    let (h100, h200, b200) = (itl("dgx-h100"), itl("dgx-h200"), itl("dgx-b200"));
    assert!(h100 > 1.1 * h200 && h200 > 1.1 * b200, "{h100} {h200} {b200}");
}

/// Routers draw from streams of their own and see no workload state, so what is asked does not depend on them.
#[test]
fn routers_do_not_change_what_is_asked() {
    let asked = |router: &str| {
        let (_, records) = quickstart(
            "300",
            &[&format!("policies.router={router}"), "cluster.pools.prefill.instances=2", "cluster.pools.decode.instances=2"],
        );
        assert_eq!(records.len(), 300);
        records
    };
    let first = asked("round-robin");
    let mut different = 0;
    for router in ["random", "least-request", "least-tokens", "power-of-two"] {
        let other = asked(router);
        for (a, b) in first.iter().zip(&other) {
            assert_eq!(
                (a.id, a.class, a.arrived, a.prompt_tokens, a.output_tokens),
                (b.id, b.class, b.arrived, b.prompt_tokens, b.output_tokens)
            );
            different += u32::from(a.done != b.done);
        }
    }
    assert!(different > 100, "routers do change what happens to it");
    let other_seed = quickstart("300", &["policies.router=round-robin", "seed=8"]).1;
    assert!(first.iter().zip(&other_seed).any(|(a, b)| a.prompt_tokens != b.prompt_tokens));
}

/// Requests by prompt, output and gap to the one before.
type Ask = (u32, u32, u64);

fn arriving(asks: &[Ask]) -> Vec<(u64, RequestSpec)> {
    let mut at = 0;
    let make = |&(prompt, output, gap): &Ask| {
        at += gap;
        (at, request(prompt, output))
    };
    asks.iter().map(make).collect()
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    proptest::collection::vec((1u32..900, 1u32..100, 0u64..60_000_000), 1..50)
}

/// Times of a record relative to its arrival.
fn latencies(record: &RequestRecord) -> [Option<u64>; 5] {
    let since = |at: Option<SimTime>| at.map(|at| at.since(record.arrived).ns());
    [since(record.prefill_start), since(record.first_token), since(record.second_token), since(Some(record.done)), Some(record.gap_sum_ns)]
}

fn small(mut spec: ClusterSpec) -> ClusterSpec {
    for pool in &mut spec.pools {
        pool.engine.kv_blocks = 120;
        pool.engine.max_model_len = 1200;
        pool.engine.max_num_seqs = 8;
        pool.engine.max_num_batched_tokens = 600;
    }
    spec
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// The wire is the only thing that changes for a lone request, and a fluid transfer at twice the rate takes half the time.
    #[test]
    fn twice_the_bandwidth_never_lengthens_a_lone_transfer(
        prompt in 1u32..20_000, rate in 1e6f64..1e12, layer_wise in any::<bool>(), fabric in any::<bool>(), chunk in 256u32..16_384,
    ) {
        let time = |factor: f64| {
            let mut spec = apart(if layer_wise { Overlap::LayerWise } else { Overlap::AfterPrefill });
            for pool in &mut spec.pools {
                pool.port_bytes_per_s = if fabric { 1e13 } else { factor * rate };
                pool.engine.max_num_batched_tokens = chunk;
            }
            spec.network.fabric_bytes_per_s = fabric.then_some(factor * rate);
            let record = run(spec, Listed::new([(0, request(prompt, 3))]))[0];
            (record.delivered.unwrap().since(record.first_token.unwrap()).ns(), record.done)
        };
        let (slow, fast) = (time(1.0), time(2.0));
        prop_assert!(fast <= slow, "{:?} after {:?}", fast, slow);
        if !layer_wise {
            // bytes / rate, then 10 µs, each rounded up to a nanosecond.
            let wire = f64::from(prompt) * 1000.0 / rate * 1e9;
            prop_assert!((slow.0 as f64 - 10_000.0 - wire).abs() <= 1.0 + wire * 1e-12);
            prop_assert!((fast.0 as f64 - 10_000.0 - wire / 2.0).abs() <= 1.0 + wire * 1e-12);
        }
    }

    /// The engine compares times only with each other, so scaling all of them by a whole number scales every result by it, exactly.
    #[test]
    fn scaling_all_times_scales_all_latencies(asks in asks(), k in 2u64..9, patience_ms in proptest::option::of(50u64..2000)) {
        let at_scale = |k: u64| {
            let f = k as f64;
            let p = perf();
            let perf =
                Linear { base: f * p.base, per_prefill_token: f * p.per_prefill_token, per_sequence: f * p.per_sequence, per_context: f * p.per_context };
            let mut spec = small(cluster(vec![pool("m", Role::Mixed, 2, perf)]));
            spec.routers.mixed = router("least-tokens");
            spec.classes[0].timeout = patience_ms.map(|ms| SimDuration::from_ns(k * ms * 1_000_000));
            let scaled: Vec<Ask> = asks.iter().map(|&(prompt, output, gap)| (prompt, output, k * gap)).collect();
            run(spec, Listed::new(arriving(&scaled)))
        };
        let (one, many) = (at_scale(1), at_scale(k));
        for (a, b) in one.iter().zip(&many) {
            prop_assert_eq!(a.outcome, b.outcome);
            prop_assert_eq!(latencies(a).map(|ns| ns.map(|ns| k * ns)), latencies(b));
        }
    }

    /// Alone, a request with more output does all that the other one does first, and then more.
    #[test]
    fn more_output_never_shortens_a_lone_request(prompt in 1u32..900, output in 1u32..100, more in 1u32..100, shape in 0usize..3) {
        let spec = [cluster(vec![pool("m", Role::Mixed, 1, perf())]), apart(Overlap::AfterPrefill), apart(Overlap::LayerWise)][shape].clone();
        let alone = |output| run(spec.clone(), Listed::new([(5, request(prompt, output))]))[0];
        let (short, long) = (alone(output), alone(output + more));
        prop_assert_eq!(short.first_token, long.first_token);
        // Each token more takes a step of at least the base time.
        prop_assert!(long.done.since(short.done).ns() >= u64::from(more) * 3_000_000);
        prop_assert!(long.energy_j() > short.energy_j());
    }

    /// A request that has left before another arrives cannot know of it: dropping the end of the workload changes nothing before it.
    #[test]
    fn the_future_does_not_change_the_past(asks in asks(), kept_permille in 0usize..1000, shape in 0usize..4, router in proptest::sample::select(router_names())) {
        let shapes = [
            cluster(vec![pool("m", Role::Mixed, 1, perf())]),
            cluster(vec![pool("m", Role::Mixed, 2, perf())]),
            apart(Overlap::AfterPrefill),
            apart(Overlap::LayerWise),
        ];
        let mut spec = small(shapes[shape].clone());
        spec.routers = RouterSpec::named(router).unwrap();
        let all = arriving(&asks);
        let kept = kept_permille * all.len() / 1000;
        let cut = SimTime::from_ns(all[kept].0);
        let whole = run(spec.clone(), Listed::new(all.clone()));
        let start = run(spec, Listed::new(all[..kept].to_vec()));
        prop_assert_eq!(start.len(), kept);
        for (a, b) in whole.iter().zip(&start) {
            if a.done < cut || b.done < cut {
                prop_assert_eq!(format!("{a:?}"), format!("{b:?}"));
            }
            // And what happened to the others before that moment is the same.
            for (x, y) in [(a.prefill_start, b.prefill_start), (a.first_token, b.first_token), (a.delivered, b.delivered), (a.decode_start, b.decode_start)] {
                if x.is_some_and(|x| x < cut) || y.is_some_and(|y| y < cut) {
                    prop_assert_eq!(x, y);
                }
            }
        }
    }
}

/// At a constant rate the second half of a run looks like the first, under light load and under overload: twice the requests are twice the
/// events. An engine that looked at every waiting or running request again and again would not do more events, but one that
/// polled would.
#[test]
fn twice_the_requests_are_twice_the_events() {
    for gap_ns in [400_000_000, 20_000_000, 2_000_000] {
        for spec in [cluster(vec![pool("m", Role::Mixed, 2, perf())]), apart(Overlap::AfterPrefill), apart(Overlap::LayerWise)] {
            let events = |n: u64| {
                let spec = ClusterSpec { audit: false, ..spec.clone() };
                let ledger = audited(spec, Listed::new((0..n).map(|i| (i * gap_ns, request(300, 40)))));
                assert_eq!(ledger.records.len() as u64, n);
                ledger.events as f64
            };
            let ratio = events(4000) / events(2000);
            assert!((1.95..=2.05).contains(&ratio), "{ratio} at a gap of {gap_ns} ns");
        }
    }
}

/// Counts what is asked of it.
#[derive(Default)]
struct Asked {
    eligible: Cell<u32>,
    signals: Cell<u32>,
}

const MANY: usize = 1000;

impl Candidates for Asked {
    fn len(&self) -> usize {
        MANY
    }
    fn eligible(&self, _: usize) -> bool {
        self.eligible.set(self.eligible.get() + 1);
        true
    }
    fn instance(&self, i: usize) -> u32 {
        i as u32
    }
    fn pool(&self, _: usize) -> u32 {
        0
    }
    fn read(&self, i: usize, _: Signal) -> f64 {
        self.signals.set(self.signals.get() + 1);
        ((i as u64 * 7919) % 100) as f64
    }
}

/// Signals are computed when they are read. Who reads none pays for none, however many instances there are.
#[test]
fn signals_that_no_router_reads_are_not_computed() {
    let blocks = Blocks::default();
    let view = RequestView::first(100, &blocks);
    // Reads of signals per decision: none, none, one an instance, one an instance, two, two an instance and the load of those with most.
    let expected = [0, 0, MANY, MANY, 2, 2 * MANY + MANY / 100].map(|n| u32::try_from(n).unwrap());
    for (name, signals) in router_names().into_iter().zip(expected) {
        let mut router = router(name).build(Streams::new(3).stream(Purpose::Routing, 0));
        let asked = Asked::default();
        for _ in 0..10 {
            assert!(matches!(router.route(&view, &asked), Pick::To(_)));
        }
        assert!(asked.signals.get() <= 10 * signals, "{} read {} signals", name, asked.signals.get());
        if name == "round-robin" {
            assert_eq!(asked.eligible.get(), 10, "the next in turn is looked at, nobody else");
        }
    }
}
