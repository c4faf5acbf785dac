//! What the serving engine does, case by case, with the arithmetic beside it.

use tokenmill::cluster::{ClassSpec, Cluster, InstanceId, Observation, Observer, Outcome, Overlap, RequestRecord, Role, RouterSpec};
use tokenmill::sim::{SimDuration, SimTime};
use tokenmill::workload::{ClassId, RequestSpec};

use crate::support::{Linear, Listed, audited, cluster, pool, request, router, router_names, run};

const MS: f64 = 1e6;

fn ms(n: u64) -> SimTime {
    SimTime::from_ns(n * 1_000_000)
}

fn flat(base_ms: f64) -> Linear {
    Linear { base: base_ms * MS, ..Linear::default() }
}

fn with_prefix(prompt: u32, output: u32, ids: &[u64]) -> RequestSpec {
    request(prompt, output).with_blocks(ids.into())
}

/// Highest number of running sequences and of KV blocks seen on any instance.
#[derive(Debug, Default)]
struct Peaks {
    running: u64,
    blocks: u64,
    done: Vec<RequestRecord>,
}

impl Observer for Peaks {
    fn on(&mut self, _: SimTime, what: &Observation<'_>) {
        let (running, blocks) = match *what {
            Observation::Gauge { running, kv_blocks, .. } => (running, kv_blocks),
            Observation::Run(run) => (run.running, run.kv_peak()),
            Observation::Ended(record) => return self.done.push(*record),
            _ => return,
        };
        self.running = self.running.max(running);
        self.blocks = self.blocks.max(blocks);
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a test makes a specification for one run")]
fn peaks(spec: tokenmill::cluster::ClusterSpec, mut workload: Listed) -> Peaks {
    let mut cluster = Cluster::new(&spec, Peaks::default()).unwrap();
    cluster.run(&mut workload, |_, _| true).unwrap();
    cluster.into_observer()
}

/// 1,000 prompt tokens at 256 a step take four iterations of 10 ms.
#[test]
fn a_long_prompt_is_computed_in_chunks() {
    let mut spec = cluster(vec![pool("m", Role::Mixed, 1, flat(10.0))]);
    spec.pools[0].engine.max_num_batched_tokens = 256;
    spec.pools[0].engine.max_num_seqs = 16;
    let records = run(spec, Listed::new([(0, request(1000, 1))]));
    assert_eq!(records[0].first_token, Some(ms(40)));
}

/// While the long prompt is computed, the sequence that generates gets its token in every iteration.
#[test]
fn chunked_prefill_does_not_stop_running_sequences() {
    let mut spec = cluster(vec![pool("m", Role::Mixed, 1, flat(10.0))]);
    spec.pools[0].engine.max_num_batched_tokens = 256;
    spec.pools[0].engine.max_num_seqs = 16;
    let records = run(spec, Listed::new([(0, request(10, 20)), (15_000_000, request(1000, 1))]));
    assert_eq!(records[0].done, ms(200), "20 tokens, one per 10 ms from the start");
    // Joins at 20 ms; 255 of 256 tokens a step are left for it: four steps.
    assert_eq!((records[1].prefill_start, records[1].first_token), (Some(ms(20)), Some(ms(60))));
}

/// Without chunking the same prompt waits for a step of its own.
#[test]
fn without_chunking_a_prompt_is_computed_whole_or_not_at_all() {
    let mut spec = cluster(vec![pool("m", Role::Mixed, 1, flat(10.0))]);
    spec.pools[0].engine.chunked_prefill = false;
    spec.pools[0].engine.max_num_batched_tokens = 1000;
    spec.pools[0].engine.max_num_seqs = 16;
    let records = run(spec, Listed::new([(0, request(600, 1)), (0, request(600, 1))]));
    // The first starts alone at t = 0; the second finds the whole budget at 10 ms.
    assert_eq!((records[0].first_token, records[1].first_token), (Some(ms(10)), Some(ms(20))));
}

/// Two sequences that both fit at first but not with what they generate: the one admitted last loses its KV, is computed again from
/// prompt and output so far, and both finish with all their tokens.
#[test]
fn the_sequence_admitted_last_is_preempted_and_recomputed() {
    let mut spec = cluster(vec![pool("m", Role::Mixed, 1, flat(10.0))]);
    let engine = &mut spec.pools[0].engine;
    engine.kv_blocks = 6;
    engine.max_model_len = 96;
    engine.prefix_caching = false;
    // 32 + 39 = 71 tokens = 5 blocks each at the end: ten together, six there are.
    let seen = peaks(spec, Listed::new([(0, request(32, 40)), (0, request(32, 40))]));
    assert_eq!(seen.blocks, 6);
    let [first, second] = [0, 1].map(|id| *seen.done.iter().find(|record| record.id == id).unwrap());
    assert_eq!((first.preemptions, first.output_tokens), (0, 40));
    assert!(second.preemptions >= 1 && second.recomputed_tokens >= 32);
    assert_eq!(second.output_tokens, 40);
    assert_eq!(first.done, ms(400), "the older one is never disturbed");
    assert_eq!(second.gap_count, 39, "one gap between each pair of tokens, the long one included");
    assert_eq!(second.gap_sum_ns, second.done.since(second.first_token.unwrap()).ns());
}

/// The second prompt starts with the same 640 tokens: it computes 1,000 − 640 = 360 of them. 1 µs a token.
#[test]
fn a_cached_prefix_is_not_computed_again() {
    let perf = Linear { base: MS, per_prefill_token: 1000.0, ..Linear::default() };
    let spec = cluster(vec![pool("m", Role::Mixed, 1, perf)]);
    let ids: Vec<u64> = (0..15).collect();
    let mut other = ids.clone();
    other[10..].iter_mut().for_each(|id| *id += 100);
    let records = run(spec, Listed::new([(0, with_prefix(1000, 1, &ids)), (10_000_000, with_prefix(1000, 1, &other))]));
    assert_eq!(records[0].first_token.unwrap(), SimTime::from_ns(2_000_000));
    assert_eq!(records[1].cached_tokens, 640);
    assert_eq!(records[1].first_token.unwrap().since(records[1].arrived).ns(), 1_360_000);
}

/// Even a prompt that is cached whole computes its last block, for the logits.
#[test]
fn a_fully_cached_prompt_still_computes_something() {
    let perf = Linear { base: MS, per_prefill_token: 1000.0, ..Linear::default() };
    let spec = cluster(vec![pool("m", Role::Mixed, 1, perf)]);
    let ids: Vec<u64> = (0..2).collect();
    let records = run(spec, Listed::new([(0, with_prefix(128, 1, &ids)), (10_000_000, with_prefix(128, 1, &ids))]));
    assert_eq!(records[1].cached_tokens, 64);
}

/// With room for one prompt on the decode side, the second stays on the prefill side until the first is done. The prefill side has room
/// for two, so the third waits there too and the fourth does not even start: back-pressure.
#[test]
fn a_full_decode_pool_holds_prefill_back() {
    let mut spec = cluster(vec![pool("p", Role::Prefill, 1, flat(10.0)), pool("d", Role::Decode, 1, flat(10.0))]);
    for (pool, blocks) in spec.pools.iter_mut().zip([14, 8]) {
        pool.engine.kv_blocks = blocks;
        pool.engine.max_model_len = 128;
        pool.engine.prefix_caching = false;
    }
    // 100 tokens = 7 blocks. Prefill holds two prompts, decode one.
    let records = run(spec, Listed::new((0..4).map(|_| (0, request(100, 20)))));
    let reserved: Vec<_> = records.iter().map(|record| record.reserved.unwrap()).collect();
    assert_eq!((reserved[0], records[1].first_token), (ms(10), Some(ms(10))));
    assert_eq!(reserved[1], records[0].done, "memory comes free when the first is done");
    assert_eq!(reserved[2], records[1].done);
    assert_eq!(records[2].prefill_start, records[0].delivered);
    assert_eq!(records[3].prefill_start, records[1].delivered, "the sender frees its blocks when the KV has arrived");
}

/// With layer-wise overlap the decode side is reserved first, so prefill does not start without it.
#[test]
fn layer_wise_handoff_reserves_before_prefill() {
    let mut spec = cluster(vec![pool("p", Role::Prefill, 1, flat(10.0)), pool("d", Role::Decode, 1, flat(10.0))]);
    spec.network.overlap = tokenmill::cluster::Overlap::LayerWise;
    spec.pools[1].engine.kv_blocks = 8;
    spec.pools[1].engine.max_model_len = 128;
    spec.pools[1].engine.prefix_caching = false;
    let records = run(spec, Listed::new((0..2).map(|_| (0, request(100, 20)))));
    assert_eq!(records[0].reserved, records[0].prefill_start);
    assert_eq!(records[1].reserved, Some(records[0].done));
    assert_eq!(records[1].prefill_start, Some(records[0].done));
}

/// The client leaves after 55 ms; the token at the boundary at 60 ms is not its own any more, and the slot goes to the next.
#[test]
fn a_client_that_gives_up_frees_its_slot_at_the_next_boundary() {
    let mut spec = cluster(vec![pool("m", Role::Mixed, 1, flat(10.0))]);
    spec.pools[0].engine.max_num_seqs = 1;
    spec.classes[0].timeout = Some(SimDuration::from_ns(55_000_000));
    let records = run(spec, Listed::new([(0, request(10, 100)), (10_000_000, request(10, 2))]));
    assert_eq!((records[0].outcome, records[0].done), (Outcome::TimedOut, ms(55)));
    assert_eq!(records[0].output_tokens, 5);
    // It waited from 10 to 60 ms, then took two iterations; its own patience ends at 65 ms.
    assert_eq!((records[1].prefill_start, records[1].outcome), (Some(ms(60)), Outcome::TimedOut));
}

#[test]
fn impossible_requests_are_rejected_with_a_reason_and_long_outputs_cut() {
    let mut spec = cluster(vec![pool("m", Role::Mixed, 1, flat(10.0))]);
    spec.pools[0].engine.max_model_len = 100;
    let records = run(spec, Listed::new([(0, request(100, 1)), (0, request(99, 50)), (0, request(50, 10))]));
    assert_eq!(records[0].outcome, Outcome::RejectedPromptTooLong);
    assert_eq!((records[1].outcome, records[1].output_tokens, records[1].truncated), (Outcome::Completed, 1, true));
    assert_eq!((records[2].output_tokens, records[2].truncated), (10, false));
}

#[test]
fn a_model_that_nobody_serves_is_no_silent_loss() {
    let mut spec = cluster(vec![pool("d", Role::Decode, 1, flat(10.0))]);
    spec.routers.mixed = router("least-tokens");
    let records = run(spec, Listed::new([(0, request(10, 1))]));
    assert_eq!(records[0].outcome, Outcome::RejectedNoInstance);
}

#[test]
fn no_more_sequences_run_than_allowed() {
    let mut spec = cluster(vec![pool("m", Role::Mixed, 1, flat(1.0))]);
    spec.pools[0].engine.max_num_seqs = 4;
    let seen = peaks(spec, Listed::new((0..40).map(|i| (i * 100_000, request(20, 30)))));
    assert_eq!((seen.running, seen.done.len()), (4, 40));
}

/// Least-request spreads four simultaneous requests over four instances; a router that always took the first would queue them.
#[test]
fn requests_are_spread_over_instances() {
    for router in ["round-robin", "least-request", "least-tokens"] {
        let mut spec = cluster(vec![pool("m", Role::Mixed, 4, flat(10.0))]);
        spec.routers = RouterSpec::named(router).unwrap();
        let records = run(spec, Listed::new((0..4).map(|_| (0, request(100, 1)))));
        let mut places: Vec<_> = records.iter().map(|record| record.prefill_instance.unwrap()).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 4, "{router}");
        assert!(records.iter().all(|record| record.done == ms(10)));
    }
}

/// Memory for 8 blocks on the decode side, a long prompt (7 blocks) on one sender and many short ones (2 blocks) on the other: the long one
/// waits for those before it, not for all that come after.
#[test]
fn short_prompts_do_not_starve_a_long_one_of_decode_memory() {
    let mut spec = cluster(vec![pool("p", Role::Prefill, 2, flat(1.0)), pool("d", Role::Decode, 1, flat(10.0))]);
    spec.network.overlap = tokenmill::cluster::Overlap::LayerWise;
    spec.pools[1].engine.kv_blocks = 8;
    spec.pools[1].engine.max_model_len = 128;
    spec.pools[1].engine.prefix_caching = false;
    // Round robin: even requests go to the first sender, odd ones to the second. Request 2 is the long one.
    let prompts = (0..60u64).map(|i| (i * 5_000_000, if i == 2 { request(100, 4) } else { request(20, 4) }));
    let records = run(spec, Listed::new(prompts));
    let started_before = records.iter().filter(|record| record.prefill_start < records[2].prefill_start).count();
    assert!(started_before < 10, "{started_before} requests went before the long one");
}

/// A cluster with 80 blocks of 16 tokens where tokens are generated, 10 ms an iteration, and the requests `long` (1,000 tokens, so that it
/// is in the way of all), `big` (at 1 s; needs 75 blocks and has a patience of 1 s) and `small` (at 1.5 s, behind it).
fn behind_one_who_gives_up(mut spec: tokenmill::cluster::ClusterSpec) -> Vec<RequestRecord> {
    for pool in spec.pools.iter_mut().filter(|pool| pool.role != Role::Prefill) {
        pool.engine.kv_blocks = 80;
        pool.engine.max_model_len = 1280;
    }
    let patient = spec.classes[0].clone();
    spec.classes.push(ClassSpec { timeout: Some(SimDuration::from_ns(1_000_000_000)), ..patient });
    let big = RequestSpec { class: ClassId(1), ..request(1200, 20) };
    let asks = [(0, request(100, 1000)), (1_000_000_000, big), (1_500_000_000, request(50, 5))];
    let records = run(spec.clone(), Listed::new(asks.clone()));
    assert_eq!((records[1].outcome, records[1].done), (Outcome::TimedOut, ms(2000)));
    assert!(records[2].outcome == Outcome::Completed);
    let stepped = run(tokenmill::cluster::ClusterSpec { fast_forward: false, ..spec }, Listed::new(asks));
    assert_eq!(format!("{records:?}"), format!("{stepped:?}"));
    records
}

/// The token at 2 s is computed, then the client leaves; the batch formed at that instant knows.
#[test]
fn who_stands_behind_a_client_that_gives_up_starts_at_the_next_boundary() {
    let records = behind_one_who_gives_up(cluster(vec![pool("m", Role::Mixed, 1, flat(10.0))]));
    assert_eq!(records[2].prefill_start, Some(ms(2000)));
}

/// Its prompt is done at 1.51 s and needs 4 blocks, which are there; it gets them when the one before it gives up.
#[test]
fn who_waits_for_decode_memory_behind_a_client_that_gives_up_gets_it_at_once() {
    let records = behind_one_who_gives_up(cluster(vec![pool("p", Role::Prefill, 1, flat(10.0)), pool("d", Role::Decode, 1, flat(10.0))]));
    assert_eq!((records[2].first_token, records[2].reserved), (Some(ms(1510)), Some(ms(2000))));
    assert!(records.iter().all(|record| record.memory_wait == SimDuration::ZERO), "the wait is after prefill");
}

/// With layer-wise handoff nothing starts without decode memory, on the same prefill instance or on another.
#[test]
fn who_waits_to_start_behind_a_client_that_gives_up_starts_at_once() {
    for (prefills, waited) in [(1, 0), (2, 500_000_000)] {
        let mut spec = cluster(vec![pool("p", Role::Prefill, prefills, flat(10.0)), pool("d", Role::Decode, 1, flat(10.0))]);
        spec.network.overlap = tokenmill::cluster::Overlap::LayerWise;
        let records = behind_one_who_gives_up(spec);
        assert_eq!((records[2].reserved, records[2].prefill_start), (Some(ms(2000)), Some(ms(2000))));
        // The big one was first in line all of its second. The small one is second in the same queue, or first in its own.
        assert_eq!(records[1].memory_wait, SimDuration::from_ns(1_000_000_000));
        assert_eq!(records[2].memory_wait, SimDuration::from_ns(waited));
    }
}

/// The prompt of 200 tokens is too long for the small decode pool, whatever else is there. The one of 50 may go there, and is cut to what
/// it holds.
#[test]
fn a_prompt_goes_where_it_can_be_decoded() {
    let decode = |name, context| {
        let mut pool = pool(name, Role::Decode, 1, flat(10.0));
        pool.engine.max_model_len = context;
        pool
    };
    let prefill = || pool("p", Role::Prefill, 1, flat(10.0));
    for overlap in [tokenmill::cluster::Overlap::AfterPrefill, tokenmill::cluster::Overlap::LayerWise] {
        for router in router_names() {
            let on = |pools, requests: [RequestSpec; 4]| {
                let mut spec = cluster(pools);
                spec.network.overlap = overlap;
                spec.routers = RouterSpec::named(router).unwrap();
                run(spec, Listed::new(requests.map(|request| (0, request))))
            };
            // Beside a mixed instance: what the decode instance cannot hold begins and ends there.
            let records = on(vec![prefill(), decode("d", 100), pool("m", Role::Mixed, 1, flat(10.0))], [(); 4].map(|()| request(200, 20)));
            assert!(records.iter().all(|r| r.outcome == Outcome::Completed && r.prefill_instance == Some(InstanceId(2)) && !r.truncated));
            // Beside a large decode instance: it is decoded there.
            let records = on(vec![prefill(), decode("d", 100), decode("big", 1000)], [(); 4].map(|()| request(200, 20)));
            assert!(records.iter().all(|r| r.outcome == Outcome::Completed && r.decode_instance == Some(InstanceId(2)) && !r.truncated));
            // Alone: too long, one that fills it with the first token, and two that are cut at 100 tokens.
            let records = on(vec![prefill(), decode("d", 100)], [request(100, 1), request(99, 9), request(98, 9), request(50, 500)]);
            assert_eq!(records[0].outcome, Outcome::RejectedPromptTooLong);
            let fates: Vec<_> = records[1..].iter().map(|r| (r.outcome, r.output_tokens, r.truncated)).collect();
            assert_eq!(fates, [(Outcome::Completed, 1, true), (Outcome::Completed, 2, true), (Outcome::Completed, 50, true)]);
            assert_eq!(records[1].decode_instance, None);
        }
    }
}

/// Half of the 1,000 bytes a token are in layers that keep 100 tokens: 1,000 · 500 B + 100 · 500 B. Of a prompt of 60: all of it.
#[test]
fn layers_with_a_window_send_only_what_they_keep() {
    for overlap in [tokenmill::cluster::Overlap::AfterPrefill, tokenmill::cluster::Overlap::LayerWise] {
        let mut spec = cluster(vec![pool("p", Role::Prefill, 1, flat(10.0)), pool("d", Role::Decode, 1, flat(10.0))]);
        spec.network.overlap = overlap;
        for pool in &mut spec.pools {
            pool.window = Some(100);
            pool.kv_windowed_bytes_per_token = 500.0;
            pool.engine.max_num_batched_tokens = 256;
        }
        let ledger = audited(spec, Listed::new([(0, request(1000, 3)), (100_000_000, request(60, 3))]));
        let bytes: Vec<f64> = ledger.transfers.iter().map(|(_, _, bytes)| *bytes).collect();
        approx::assert_relative_eq!(bytes[..], [550_000.0, 60_000.0][..], max_relative = 1e-12);
    }
}

/// 1,000 bytes a token over 10 GB/s and the set-up of the pool that sends: 100 µs + 10 µs, and 100 µs + 3 ms.
#[test]
fn a_handoff_takes_the_overhead_of_the_pool_that_sends() {
    let mut spec = cluster(vec![
        pool("near", Role::Prefill, 1, flat(10.0)),
        pool("far", Role::Prefill, 1, flat(10.0)),
        pool("d", Role::Decode, 1, flat(10.0)),
    ]);
    spec.pools[1].handoff_overhead = SimDuration::from_ns(3_000_000);
    let records = run(spec, Listed::new([(0, request(1000, 3)), (50_000_000, request(1000, 3))]));
    let exposed = |i: usize| records[i].delivered.unwrap().since(records[i].first_token.unwrap()).ns();
    assert_eq!((exposed(0), exposed(1)), (110_000, 3_100_000));
}

/// On the first instance, one sequence has lost its KV: 33 tokens to compute again, and 2 requests' last tokens. On the second, a prompt of 30
/// waits: 31, and one more. So the next request goes to the second.
#[test]
fn least_tokens_counts_what_a_preempted_request_computes_again() {
    let mut spec = cluster(vec![pool("a", Role::Mixed, 1, flat(10.0)), pool("b", Role::Mixed, 1, flat(10.0))]);
    spec.routers.mixed = router("least-tokens");
    spec.pools[0].engine.kv_blocks = 6;
    spec.pools[0].engine.max_model_len = 96;
    spec.pools[1].engine.max_num_seqs = 1;
    let asks = [
        (0, request(32, 64)),            // to a (0, 0): stores 52 tokens in 4 blocks when the third comes
        (100_000_000, request(10, 400)), // to b (1, 0)
        (200_000_000, request(32, 64)),  // to a (1, 1): 2 blocks, then a third, which is not there
        (250_000_000, request(30, 1)),   // to b (35, 1)
        (300_000_000, request(5, 1)),    // to b (35, 32)
    ];
    let records = run(spec, Listed::new(asks));
    let places: Vec<u32> = records.iter().map(|record| record.prefill_instance.unwrap().0).collect();
    assert!(records[2].preemptions > 0);
    assert_eq!(places, [0, 1, 0, 1, 1]);
}

/// A client that has its only token when the prompt is done needs no decode instance, but its KV has been sent there by then: 1 kB a token.
#[test]
fn caches_that_were_sent_for_nothing_have_crossed_the_wire() {
    let perf = Linear { base: 10e6, ..Linear::default() };
    let mut spec = cluster(vec![pool("p", Role::Prefill, 1, perf), pool("d", Role::Decode, 1, perf)]);
    spec.network.overlap = Overlap::LayerWise;
    let ledger = audited(spec, Listed::new((0..20).map(|i| (i * 100_000_000, request(1000, 1)))));
    assert_eq!(ledger.transfers.len(), 20);
    approx::assert_relative_eq!(ledger.transfers.iter().map(|(_, _, bytes)| bytes).sum::<f64>(), 20e6);
}

/// Two sequences of 160 tokens grow in 24 blocks of 16 until the second, whose first 128 tokens are cached, loses its KV. When the first is
/// done it comes back: what the cache still has is not computed again, and one token is computed with it for the first time.
#[test]
fn what_comes_back_from_the_cache_is_not_recomputed() {
    let mut spec = cluster(vec![pool("m", Role::Mixed, 1, flat(10.0))]);
    spec.pools[0].engine.kv_blocks = 24;
    spec.pools[0].engine.max_model_len = 24 * 16;
    let asks = [(0, request(160, 120)), (1, with_prefix(160, 60, &[1, 2]))];
    let ledger = audited(spec, Listed::new(asks));
    let second = ledger.records[1];
    assert_eq!((ledger.records[0].preemptions, second.preemptions), (0, 1));
    assert_eq!(ledger.prefill_tokens, 160 + 160 + second.recomputed_tokens + 1);
    assert!((1..160).contains(&second.recomputed_tokens), "{}", second.recomputed_tokens);
}
