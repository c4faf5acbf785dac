//! Where the first token of a prompt that is handed on comes from: TTFT and TTST by hand.
//!
//! A prefill of 1,000 tokens takes 11 ms, their KV 100 ms and 10 µs, a decode iteration 10 ms.

use tokenmill::cluster::{ClusterSpec, FirstToken, Outcome, Overlap, RequestRecord, Role, Silent};
use tokenmill::study::Options;

use crate::support::{Ledger, Linear, Listed, audited, cluster, inline, pool, request, simulate_with};

fn apart(first_token: FirstToken, overlap: Overlap) -> ClusterSpec {
    let prefill = Linear { base: 10e6, per_prefill_token: 1_000.0, ..Linear::default() };
    let mut spec = cluster(vec![pool("prefill", Role::Prefill, 1, prefill), pool("decode", Role::Decode, 1, prefill)]);
    for pool in &mut spec.pools {
        pool.port_bytes_per_s = 10e6;
    }
    (spec.network.first_token, spec.network.overlap) = (first_token, overlap);
    spec
}

fn lone(first_token: FirstToken, output: u32) -> (RequestRecord, Ledger) {
    let ledger = audited(apart(first_token, Overlap::AfterPrefill), Listed::new([(0, request(1000, output))]));
    assert_eq!(ledger.records[0].outcome, Outcome::Completed);
    (ledger.records[0], ledger)
}

/// First, second and last token, µs.
fn tokens(record: &RequestRecord) -> [Option<u64>; 3] {
    [record.first_token, record.second_token, Some(record.done)].map(|at| at.map(|at| at.ns() / 1000))
}

#[test]
fn the_first_token_leaves_with_prefill_with_the_kv_or_an_iteration_later() {
    for (mode, at, iterations) in [
        (FirstToken::Immediate, [11_000, 121_010, 201_010], 9),
        (FirstToken::Seeded, [111_010, 121_010, 201_010], 9),
        (FirstToken::Recomputed, [121_010, 131_010, 211_010], 10),
    ] {
        let (record, ledger) = lone(mode, 10);
        assert_eq!(tokens(&record), at.map(Some), "{mode:?}");
        assert_eq!(record.prefill_end.unwrap().ns(), 11_000_000);
        assert_eq!((ledger.pool(1).iterations, ledger.tokens_out, ledger.gaps), (iterations, 10, 9), "{mode:?}");
        assert_eq!(record.gap_sum_ns, record.done.since(record.first_token.unwrap()).ns());
        // The time to the first token is not prefill: stages say where it went.
        let stages = tokenmill::metrics::stages(&record).map(|span| span.ns() / 1000);
        assert_eq!(stages, [0, 11_000, 0, 100_010, 0, at[2] - 111_010, 0, 0], "{mode:?}");
    }
}

#[test]
fn a_request_of_one_token_is_handed_on_where_its_token_comes_from_there() {
    for (mode, at, decoded) in
        [(FirstToken::Immediate, 11_000, false), (FirstToken::Seeded, 111_010, true), (FirstToken::Recomputed, 121_010, true)]
    {
        let (record, ledger) = lone(mode, 1);
        assert_eq!(tokens(&record), [Some(at), None, Some(at)], "{mode:?}");
        assert_eq!((record.decode_instance.is_some(), ledger.tokens_out), (decoded, 1));
    }
}

#[test]
fn a_prompt_that_fills_the_context_but_for_one_token_is_served_in_every_mode() {
    for mode in [FirstToken::Immediate, FirstToken::Seeded, FirstToken::Recomputed] {
        for overlap in [Overlap::AfterPrefill, Overlap::LayerWise] {
            let mut spec = apart(mode, overlap);
            spec.pools[1].engine.max_model_len = 1001;
            let ledger = audited(spec, Listed::new([(0, request(1000, 5)), (0, request(999, 5))]));
            let outputs: Vec<u32> = ledger.records.iter().map(|r| r.output_tokens).collect();
            assert_eq!(outputs, [1, 2], "{mode:?} {overlap:?}");
            assert!(ledger.records.iter().all(|r| r.outcome == Outcome::Completed && r.truncated));
        }
    }
}

/// The case that was measured: 8,000 tokens of llama-3.1-8b over one NDR port. The first token that the decode side computes leaves when the
/// second does that follows one from prefill.
#[test]
fn a_recomputed_first_token_comes_when_the_second_would() {
    let run = |mode: &str| {
        let text = format!(
            "
name: first
run: {{requests: 1}}
models: {{m: {{profile: llama-3.1-8b}}}}
workload:
  - {{name: w, synthetic: {{arrivals: {{poisson: {{rate: 1 /s}}}}, prompt_tokens: {{fixed: 8000}}, output_tokens: {{fixed: 10}}}}}}
cluster:
  pools:
    - {{name: p, role: prefill, node: dgx-h100, instances: 1, engine: {{max_num_batched_tokens: 8192}}}}
    - {{name: d, role: decode, node: dgx-h100, instances: 1}}
  network: {{kv: {{link: ib-ndr}}}}
  handoff: {{first_token: {mode}}}
"
        );
        let (_, rows, _) = simulate_with(&inline(&text), Options::default(), Silent);
        rows[0].record
    };
    let since = |record: &RequestRecord, at: Option<tokenmill::sim::SimTime>| at.unwrap().since(record.arrived).as_millis_f64();
    let (immediate, seeded, recomputed) = (run("immediate"), run("seeded"), run("recomputed"));
    let ttst = since(&immediate, immediate.second_token);
    approx::assert_relative_eq!(since(&recomputed, recomputed.first_token), ttst, max_relative = 1e-4);
    assert!(since(&immediate, immediate.first_token) < since(&seeded, seeded.first_token));
    assert_eq!(seeded.first_token, seeded.delivered);
    assert_eq!(seeded.second_token, immediate.second_token);
}
