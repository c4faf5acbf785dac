//! What a request that has lost its memory finds again when it comes back: its own full blocks, until others take them.

use tokenmill::cluster::{ClassSpec, ClusterSpec, Outcome, RequestRecord, Role};
use tokenmill::sim::{SimDuration, SimTime};
use tokenmill::workload::{ClassId, RequestSpec};

use crate::support::{Ledger, Linear, Listed, audited, cluster, pool, request};

/// One instance of `blocks` blocks of 16 tokens, 10 ms an iteration whatever the batch.
fn small(blocks: u64, budget: u32, reserve_full_isl: bool) -> ClusterSpec {
    let mut spec = cluster(vec![pool("m", Role::Mixed, 1, Linear { base: 10e6, ..Linear::default() })]);
    let engine = &mut spec.pools[0].engine;
    (engine.kv_blocks, engine.max_model_len) = (blocks, blocks as u32 * 16);
    (engine.max_num_batched_tokens, engine.max_num_seqs, engine.reserve_full_isl) = (budget, 8, reserve_full_isl);
    spec.classes[0].prefix_tokens = 16;
    spec
}

/// Requests of an arrival in nanoseconds, a prompt and an output; with `ids` each has identities that it shares with nobody.
fn asks(asks: &[(u64, u32, u32)], ids: bool) -> Listed {
    Listed::new(asks.iter().zip(1u64..).map(|(&(at, prompt, output), number)| {
        let blocks = (0..u64::from(prompt / 16)).filter(|_| ids).map(|id| number * 1000 + id).collect();
        (at, request(prompt, output).with_blocks(blocks))
    }))
}

/// Preemptions and tokens computed again of the second of two requests; of the first there are none.
fn second_of(ledger: &Ledger) -> (u32, u64) {
    let [first, second] = [0, 1].map(|id: usize| &ledger.records[id]);
    assert_eq!((first.preemptions, first.recomputed_tokens, ledger.records.len()), (0, 0, 2));
    (second.preemptions, second.recomputed_tokens)
}

fn story(records: &[RequestRecord]) -> Vec<String> {
    records.iter().map(|record| format!("{record:?}")).collect()
}

/// Runs two requests in 14 blocks with 32 tokens an iteration, with identities and without: nothing may differ.
fn with_ids_or_without(trace: [(u64, u32, u32); 2], reserve_full_isl: bool) -> (u32, u64) {
    let [without, with] = [false, true].map(|ids| audited(small(14, 32, reserve_full_isl), asks(&trace, ids)));
    assert_eq!(story(&without.records), story(&with.records));
    second_of(&with)
}

/// 64 prompt and 100 generated tokens each. The first computes its prompt in iterations 1 and 2; the second 31 tokens in each of 3 and 4 beside
/// its tokens, and 2 in 5, after which they have stored 67 and 64. 45 iterations later these are 112 and 109, in seven blocks each, and the
/// first needs another: the second loses six full blocks and 13 tokens. The first goes on to 163 tokens in eleven blocks, of which it
/// takes four: the one that is not full and the last three full ones. Three are left when it is done, 48 tokens; 61 of 109 are lost.
#[test]
fn two_sequences_that_outgrow_the_memory() {
    for reserve_full_isl in [false, true] {
        assert_eq!(with_ids_or_without([(0, 64, 100); 2], reserve_full_isl), (1, 61));
    }
}

/// Where room for the first chunk is enough to start. The prompt of 200 tokens computes 31 in each of iterations 3 to 6: 124 in eight
/// blocks. The next 31 need two blocks more, beside five of the first request only one is free: it leaves seven full blocks, 112 tokens. In
/// iteration 8 these and 31 more just fit, and 12 of them are computed again; in 9 the next 31 do not: of 143 tokens it leaves eight blocks.
/// The first request grows from five blocks to eleven; one is free, five it takes from the end: 48 tokens are left and 95 lost.
#[test]
fn a_prompt_that_loses_its_memory_between_two_chunks() {
    assert_eq!(with_ids_or_without([(0, 64, 100), (5_000_000, 200, 10)], false), (2, 12 + 95));
}

/// As above, but the first request stays within its eleven of 40 blocks, so that all full blocks of the second are found. It stores
/// 161 tokens after two iterations, in the second of which the prompt of 600 computes its first 95; 127 in each of 3 and 4 make 349, and 127
/// more need a block too many. In 6 they start after 21 blocks, 336 tokens, for 463 in all 29 blocks that there are; in 7 there is no more.
/// The first request is done at the end of 17. 18 and 19 compute what comes after 28 blocks, 448 tokens: 128 and 24.
#[test]
fn the_chunks_of_a_long_prompt_are_found_again() {
    for ids in [false, true] {
        let ledger = audited(small(40, 128, false), asks(&[(0, 161, 16), (0, 600, 2)], ids));
        assert_eq!(second_of(&ledger), (2, (349 - 336) + (463 - 448)));
        assert_eq!(ledger.records[1].first_token, Some(SimTime::from_ns(19 * 10_000_000)));
        assert_eq!(ledger.prefill_tokens, 161 + 600 + 28);
    }
    // Without the cache each return begins at the first token, 3 chunks at a time, and all of them are for nothing.
    let mut spec = small(40, 128, false);
    spec.pools[0].engine.prefix_caching = false;
    let (preemptions, recomputed) = second_of(&audited(spec, asks(&[(0, 161, 16), (0, 600, 2)], true)));
    assert!(preemptions > 2 && recomputed > 349 + 127, "{preemptions} {recomputed}");
}

/// On a decode instance that both come to by handoff, in step: with 112 tokens each both need an eighth block. The second loses seven full
/// blocks, the first takes four of them on its way to 163 tokens: 48 are found, 64 computed again, and with them the last one generated.
#[test]
fn a_sequence_that_came_by_handoff_finds_its_blocks_where_it_went() {
    for ids in [false, true] {
        let base = Linear { base: 10e6, ..Linear::default() };
        let mut spec = cluster(vec![pool("p", Role::Prefill, 1, base), pool("d", Role::Decode, 1, base)]);
        (spec.pools[1].engine.kv_blocks, spec.pools[1].engine.max_model_len) = (14, 14 * 16);
        spec.classes[0].prefix_tokens = 16;
        let ledger = audited(spec, asks(&[(0, 64, 100); 2], ids));
        assert_eq!(second_of(&ledger), (1, 64));
        assert_eq!(ledger.prefill_tokens, 64 + 64 + 64 + 1);
    }
}

/// Three sequences in step: with 64 tokens each, after 330 ms, all need a fifth block, and the third leaves four full ones. Its client gives up
/// before the first two are done; what it left is memory like any other, and the books close.
#[test]
fn who_gives_up_while_it_waits_leaves_nothing() {
    let mut spec = small(14, 128, true);
    spec.classes.push(ClassSpec { timeout: Some(SimDuration::from_ns(500_000_000)), ..spec.classes[0].clone() });
    let third = RequestSpec { class: ClassId(1), ..request(32, 64) };
    let ledger = audited(spec, Listed::new([request(32, 64), request(32, 64), third].map(|spec| (0, spec))));
    let third = &ledger.records[2];
    assert_eq!((third.outcome, third.preemptions, third.recomputed_tokens), (Outcome::TimedOut, 1, 0));
    assert!(ledger.records[..2].iter().all(|record| record.outcome == Outcome::Completed && record.preemptions == 0));
}
