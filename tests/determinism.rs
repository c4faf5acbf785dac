//! The same inputs give the same results: run ahead or stepped, audited or not.

use proptest::prelude::*;
use tokenmill::cluster::{ClassSpec, ClusterSpec, Overlap, Role, RouterSpec};
use tokenmill::sim::SimDuration;
use tokenmill::workload::{ClassId, RequestSpec};

use crate::support::{Ledger, Linear, Listed, cluster, pool, recorded, request, router_names};

fn perf() -> Linear {
    Linear { base: 3_000_000.0, per_prefill_token: 2_000.3, per_sequence: 40_000.7, per_context: 3.1 }
}

/// Prompt in thousandths of what the memory of an instance holds, output, gap to the one before, prefix family, workload.
type Ask = (u32, u32, u64, u64, u16);

fn workload(asks: &[Ask], tokens: u32) -> Vec<(u64, RequestSpec)> {
    let mut at = 0;
    let make = |&(permille, output, gap, family, class): &Ask| {
        at += gap;
        let prompt = (permille * tokens / 1000).max(1);
        let mut spec = RequestSpec { class: ClassId(class), ..request(prompt, output) };
        // One family in four has nothing in common.
        spec.blocks = (0..u64::from(prompt) / 64).filter(|_| family > 0).map(|i| family * 1000 + i).collect();
        (at, spec)
    };
    asks.iter().map(make).collect()
}

/// What is the same for all shapes of cluster.
#[derive(Debug, Clone)]
struct Common {
    blocks: u64,
    overlap: Overlap,
    timeouts: [Option<u64>; 3],
    router: &'static str,
    max_num_seqs: u32,
    max_num_batched_tokens: u32,
    port: f64,
    groups: u32,
    reserve_full_isl: bool,
}

fn common() -> impl Strategy<Value = Common> {
    let timeout = || proptest::option::of(20_000_000u64..3_000_000_000);
    (
        40u64..200,
        any::<bool>(),
        [timeout(), timeout(), timeout()],
        proptest::sample::select(router_names()),
        proptest::sample::select(vec![2, 4, 12]),
        proptest::sample::select(vec![32, 128, 512]),
        proptest::sample::select(vec![5e6, 50e6, 1e9]),
        proptest::sample::select(vec![1, 4]),
        any::<bool>(),
    )
        .prop_map(|(blocks, layer_wise, timeouts, router, max_num_seqs, max_num_batched_tokens, port, groups, reserve_full_isl)| {
            Common {
                blocks,
                overlap: if layer_wise { Overlap::LayerWise } else { Overlap::AfterPrefill },
                timeouts,
                router,
                max_num_seqs,
                max_num_batched_tokens,
                port,
                groups,
                reserve_full_isl,
            }
        })
}

fn shapes(common: &Common) -> Vec<ClusterSpec> {
    let prefill = |n| pool("p", Role::Prefill, n, perf());
    let decode = |n| pool("d", Role::Decode, n, perf());
    let mixed = |n| pool("m", Role::Mixed, n, perf());
    [vec![prefill(2), decode(2)], vec![prefill(3), decode(1)], vec![mixed(2)], vec![prefill(1), decode(1), mixed(1)]]
        .into_iter()
        .map(|mut pools| {
            for pool in &mut pools {
                pool.engine.kv_blocks = common.blocks;
                pool.engine.max_model_len = u32::try_from(common.blocks * 16).unwrap();
                pool.engine.max_num_batched_tokens = common.max_num_batched_tokens;
                pool.engine.max_num_seqs = common.max_num_seqs;
                pool.engine.reserve_full_isl = common.reserve_full_isl;
                pool.port_bytes_per_s = common.port;
                pool.groups = common.groups;
                pool.window = Some(100);
            }
            let mut spec = cluster(pools);
            spec.network.overlap = common.overlap;
            spec.routers = RouterSpec::named(common.router).unwrap();
            let class = spec.classes.remove(0);
            spec.classes =
                common.timeouts.map(|timeout| ClassSpec { timeout: timeout.map(SimDuration::from_ns), ..class.clone() }).to_vec();
            spec
        })
        .collect()
}

/// Everything that a run tells: every request, every metric, every interval of the timeline, line by line.
fn story(spec: ClusterSpec, requests: Vec<(u64, RequestSpec)>) -> (Vec<String>, Ledger) {
    let (result, ledger) = recorded(spec, Listed::new(requests));
    let mut lines: Vec<String> = ledger.records.iter().map(|record| format!("{record:?}")).collect();
    lines.extend(format!("{:#?}\n{:#?}", result.summary, result.timeline).lines().map(str::to_owned));
    (lines, ledger)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Small memories, prompts of up to all of it, contended links, shared prefixes, clients of different patience: every request is
    /// accounted for, the invariants hold at every event, and neither running ahead nor auditing changes anything that is told.
    #[test]
    fn running_ahead_changes_nothing(
        asks in proptest::collection::vec(
            (prop_oneof![1u32..200, 1u32..1000], 1u32..120, prop_oneof![0u64..3_000_000, 0u64..30_000_000], 0u64..4, 0u16..3), 1..60),
        common in common(),
    ) {
        let requests = workload(&asks, u32::try_from(common.blocks * 16).unwrap());
        for spec in shapes(&common) {
            let (ahead, ledger) = story(spec.clone(), requests.clone());
            prop_assert_eq!(ledger.records.len(), asks.len());
            for other in [ClusterSpec { fast_forward: false, ..spec.clone() }, ClusterSpec { audit: false, ..spec }] {
                let (other, _) = story(other, requests.clone());
                prop_assert_eq!(ahead.len(), other.len());
                for (a, b) in ahead.iter().zip(&other) {
                    prop_assert_eq!(a, b);
                }
            }
        }
    }
}
