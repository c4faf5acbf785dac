//! The same inputs give the same results: run ahead or stepped, audited or not.

use proptest::prelude::*;
use tokenmill::cluster::{ClusterSpec, Overlap, Role, RouterSpec};
use tokenmill::policy::RouterKind;
use tokenmill::sim::SimDuration;
use tokenmill::workload::RequestSpec;

use crate::support::{Linear, Listed, cluster, pool, request, run};

fn perf() -> Linear {
    Linear { base: 3_000_000.0, per_prefill_token: 2_000.3, per_sequence: 40_000.7, per_context: 3.1 }
}

/// Prompt, output, gap to the one before, prefix family.
type Ask = (u32, u32, u64, u64);

fn workload(asks: &[Ask]) -> Vec<(u64, RequestSpec)> {
    let mut at = 0;
    let make = |&(prompt, output, gap, family): &Ask| {
        at += gap;
        let mut spec = request(prompt, output);
        spec.prefix = (0..u64::from(prompt) / 64).map(|i| family * 1000 + i).collect();
        (at, spec)
    };
    asks.iter().map(make).collect()
}

fn shapes(blocks: u64, overlap: Overlap, timeout: Option<u64>, router: RouterKind) -> Vec<ClusterSpec> {
    let apart = vec![pool("p", Role::Prefill, 2, perf()), pool("d", Role::Decode, 2, perf())];
    let together = vec![pool("m", Role::Mixed, 2, perf())];
    [apart, together]
        .into_iter()
        .map(|mut pools| {
            for pool in &mut pools {
                pool.engine.kv_blocks = blocks;
                pool.engine.max_model_len = u32::try_from(blocks * 16).unwrap();
                pool.engine.max_num_batched_tokens = 512;
                pool.engine.max_num_seqs = 12;
                pool.port_bytes_per_s = 50e6;
                pool.window = Some(100);
            }
            let mut spec = cluster(pools);
            spec.network.overlap = overlap;
            spec.routers = RouterSpec { prefill: router, decode: router, mixed: router };
            spec.classes[0].timeout = timeout.map(SimDuration::from_ns);
            spec
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Small memories, contended links, shared prefixes, time-outs: every request is accounted for, the invariants hold at every event,
    /// and running ahead changes nothing.
    #[test]
    fn running_ahead_changes_nothing(
        asks in proptest::collection::vec((1u32..900, 1u32..120, 0u64..30_000_000, 0u64..3), 1..60),
        blocks in 70u64..200,
        layer_wise in any::<bool>(),
        timeout in proptest::option::of(20_000_000u64..3_000_000_000),
        router in proptest::sample::select(RouterKind::ALL.to_vec()),
    ) {
        let overlap = if layer_wise { Overlap::LayerWise } else { Overlap::AfterPrefill };
        for spec in shapes(blocks, overlap, timeout, router) {
            let ahead = run(spec.clone(), Listed::new(workload(&asks)));
            let stepped = run(ClusterSpec { fast_forward: false, ..spec.clone() }, Listed::new(workload(&asks)));
            let unaudited = run(ClusterSpec { audit: false, ..spec }, Listed::new(workload(&asks)));
            prop_assert_eq!(ahead.len(), asks.len());
            for ((a, b), c) in ahead.iter().zip(&stepped).zip(&unaudited) {
                prop_assert_eq!(format!("{a:?}"), format!("{b:?}"));
                prop_assert_eq!(format!("{a:?}"), format!("{c:?}"));
            }
        }
    }
}
