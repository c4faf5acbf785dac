//! The sentence in every situation.

use super::*;
use crate::cluster::Role;
use crate::metrics::ShareInterval;
use crate::report::fixture;

#[test]
fn a_met_slo_is_reported_with_its_numbers() {
    let mut summary = fixture::two_pools().summary;
    summary.pools[0].queue_mean = 0.7;
    let answer = answer(&summary);
    assert_eq!(answer.verdict, Verdict::Held);
    assert_eq!(
        answer.sentence(),
        "Holds the SLO: p99 TTFT 1.41 s of 2 s (azure-chat), p99 TPOT 33.3 ms of 50 ms (azure-chat); 0.0270 output tokens per joule at \
         the facility; $23.70 per million output tokens; no pool is at its limit: prefill computes 74.3 % of the time at 51.2 % of peak \
         arithmetic, decode runs 32.4 sequences at a time at 62.4 % of memory bandwidth in 59.0 % of its KV memory."
    );
}

#[test]
fn a_missed_slo_names_the_missed_limits_and_the_attainment() {
    let sentence = answer(&fixture::missed().summary).sentence();
    assert!(sentence.starts_with("Misses the SLO on TTFT and TPOT: p99 TTFT 2.96 s exceeds 2 s, p99 TPOT"), "{sentence}");
    assert!(sentence.contains("93.1 % of requests met every limit, 99 % required"), "{sentence}");
    let mut summary = fixture::missed().summary;
    summary.classes[0].slo.tpot_ms = Some(1.0);
    summary.classes[0].slo.e2e_ms = Some(1.0);
    assert_eq!(answer(&summary).headline, "Misses the SLO on TTFT, TPOT and E2E");
}

#[test]
fn rejected_requests_miss_the_slo_despite_good_percentiles_and_come_first() {
    let mut summary = fixture::two_pools().summary;
    summary.classes[0].slo_attainment = Some(0.97);
    summary.goodput.as_mut().unwrap().slo_attainment = Some(0.97);
    (summary.requests.rejected, summary.requests.in_flight) = (291, 0);
    let answer = answer(&summary);
    assert_eq!(answer.verdict, Verdict::Missed);
    assert!(
        answer
            .sentence()
            .starts_with("Misses the SLO: 97.0 % of requests met every limit, 99 % required (291 rejected); p99 TTFT 1.41 s of 2 s"),
        "{}",
        answer.sentence()
    );
}

#[test]
fn requests_excluded_from_latencies_are_counted_in_the_sentence() {
    let mut summary = fixture::no_slo().summary;
    summary.requests = crate::metrics::RequestCounts { arrived: 1200, completed: 1195, rejected: 3, timed_out: 2, ..summary.requests };
    let sentence = answer(&summary).sentence();
    assert!(sentence.contains("; of 1,200 requests 3 rejected, 2 timed out; "), "{sentence}");
}

#[test]
fn runs_without_slo_overloaded_and_empty_have_their_own_wording() {
    assert!(answer(&fixture::no_slo().summary).sentence().starts_with("No SLO set: p99 TTFT 1.41 s, p99 TPOT"));
    let overloaded = answer(&fixture::overloaded().summary).sentence();
    assert!(overloaded.starts_with("Overloaded: 4.71 of 9.44 offered requests per second served; p99 TTFT"), "{overloaded}");
    assert_eq!(answer(&fixture::nothing_completed().summary).sentence(), "Nothing completed: 12 requests arrived, 12 rejected.");
}

#[test]
fn the_bottleneck_is_full_memory_then_the_queue_but_not_a_merely_busy_decode_pool() {
    let mut summary = fixture::two_pools().summary;
    summary.pools[0].queue_mean = 2.31;
    let sentence = answer(&summary).sentence();
    assert!(sentence.contains("; the bottleneck is prefill: 2.31 requests wait for it on average, it computes 74.3 %"), "{sentence}");
    summary.pools[0].kv_utilization_mean = 0.99;
    assert!(answer(&summary).sentence().ends_with("; the bottleneck is the KV memory of prefill: 99.0 % in use on average."));
}

#[test]
fn no_fixture_gives_an_empty_answer() {
    for (name, result) in fixture::all() {
        let sentence = answer(&result.summary).sentence();
        assert!(!sentence.contains(": ;") && !sentence.contains(": .") && !sentence.contains("NaN"), "{name}: {sentence}");
    }
}

fn attained(share: f64, low: f64, high: f64) -> Summary {
    let mut summary = fixture::missed().summary;
    let class = &mut summary.classes[0];
    class.slo_attainment = Some(share);
    class.slo_attainment_95 = Some(ShareInterval { low, high });
    summary.goodput.as_mut().unwrap().slo_attainment = Some(share);
    summary
}

#[test]
fn an_attainment_near_the_target_is_too_close_to_call_on_either_side() {
    for (share, low, high) in [(0.994, 0.988, 0.998), (0.986, 0.981, 0.991)] {
        let answer = answer(&attained(share, low, high));
        assert_eq!(answer.verdict, if share < 0.99 { Verdict::TooClose } else { Verdict::Missed }, "{}", answer.sentence());
    }
    // With percentiles within their limits, both are open.
    for (share, low, high) in [(0.994, 0.988, 0.998), (0.986, 0.981, 0.991)] {
        let mut summary = attained(share, low, high);
        summary.classes[0].slo.ttft_ms = Some(10_000.0);
        summary.classes[0].slo.tpot_ms = Some(10_000.0);
        let answer = answer(&summary);
        assert_eq!(answer.verdict, Verdict::TooClose);
        let start = format!(
            "Too close to call: {:.1} % of requests met every limit, 99 % required (95 % interval {:.1} % to",
            100.0 * share,
            100.0 * low
        );
        assert!(answer.sentence().starts_with(&start), "{}", answer.sentence());
    }
    // An interval on one side of the target is certain.
    let mut sure = attained(0.9985, 0.997, 0.9995);
    sure.classes[0].slo.ttft_ms = Some(10_000.0);
    sure.classes[0].slo.tpot_ms = Some(10_000.0);
    assert_eq!(answer(&sure).verdict, Verdict::Held);
    assert_eq!(answer(&attained(0.95, 0.93, 0.97)).verdict, Verdict::Missed);
}

#[test]
fn a_handful_of_requests_gives_no_verdict() {
    let mut summary = attained(1.0, 0.7, 1.0);
    summary.classes[0].slo.ttft_ms = Some(10_000.0);
    summary.classes[0].slo.tpot_ms = Some(10_000.0);
    summary.classes[0].requests.arrived = 10;
    assert!(answer(&summary).sentence().starts_with("Too few requests to judge: 100 % of requests met"), "{}", answer(&summary).sentence());
}

#[test]
fn a_warm_up_with_all_requests_is_the_only_statement() {
    let mut summary = fixture::nothing_completed().summary;
    summary.requests = crate::metrics::RequestCounts::default();
    summary.warmup = crate::metrics::Warmup { s: 60.0, requests: 5000 };
    assert_eq!(
        answer(&summary).sentence(),
        "Nothing measured: all 5,000 requests arrived within the warm-up of 60.0 s; shorten the warm-up, or let more requests arrive."
    );
}

#[test]
fn a_full_network_comes_before_the_memory_that_fills_behind_it() {
    let mut summary = fixture::two_pools().summary;
    summary.pools[1].kv_utilization_mean = 0.95;
    summary.network.peak_port_utilization = Some(0.995);
    let sentence = answer(&summary).sentence();
    assert!(sentence.ends_with("; the bottleneck is the KV network: its busiest port uses 99.5 % of its bandwidth."), "{sentence}");
}

#[test]
fn a_stall_hidden_by_percentiles_is_reported() {
    let mut summary = fixture::two_pools().summary;
    assert!(!answer(&summary).sentence().contains("longest gap"));
    summary.jitter.longest_stall_ms = Some(5_330.0);
    assert!(answer(&summary).sentence().contains("; the longest gap between tokens is 5.33 s; "), "{}", answer(&summary).sentence());
}

#[test]
fn requests_waiting_for_a_batch_slot_do_not_wait_for_memory() {
    let mut summary = fixture::two_pools().summary;
    (summary.handoff.blocked_share, summary.handoff.waiting_mean) = (0.9, 12.0);
    let sentence = answer(&summary).sentence();
    let memory = "; the bottleneck is KV memory for decode: requests wait for it 90.0 % of the time, 12.0 on average.";
    assert!(sentence.ends_with(memory), "{sentence}");
    let decode = summary.pools.iter_mut().find(|pool| pool.role == Role::Decode).unwrap();
    (decode.max_num_seqs, decode.batch_mean, decode.utilization) = (8, 7.6, 0.95);
    let named =
        format!("; the bottleneck is `max_num_seqs: 8` of {}: requests wait for a place in its batch 90.0 % of the time", decode.name);
    let sentence = answer(&summary).sentence();
    assert!(sentence.contains(&named), "{sentence}");
}

#[test]
fn too_close_to_call_gives_the_reason_and_calls_no_percentile_missed() {
    // Above its limits, with 98.6 % of requests good: both percentiles are as uncertain as the attainment.
    let above = attained(0.986, 0.981, 0.991);
    let sentence = answer(&above).sentence();
    assert!(
        sentence.contains("to 99.1 %), so the p99s of TTFT and TPOT may lie on either side of their limits; p99 TTFT 2.96 s against 2 s")
    );
    assert!(!sentence.contains("exceeds"), "{sentence}");
    // Below them, 99.4 % good: the tightest is uncertain, the other is met.
    let mut below = attained(0.994, 0.988, 0.998);
    below.classes[0].slo.ttft_ms = Some(3_000.0);
    below.classes[0].slo.tpot_ms = Some(500.0);
    let standings = |summary: &Summary| checks(&summary.classes).iter().map(Check::standing).collect::<Vec<_>>();
    assert_eq!(standings(&below), [Standing::Unsure, Standing::Met]);
    assert!(
        answer(&below).sentence().contains("so the p99 of TTFT may lie on either side of its limit; p99 TTFT 2.96 s against 3 s, p99 TPOT")
    );
    // Rejected requests lower the attainment independently of any percentile.
    below.classes[0].requests.rejected = 9;
    assert_eq!(standings(&below), [Standing::Met, Standing::Met]);
    // Attainment and percentiles are certain.
    assert_eq!(standings(&attained(0.931, 0.914, 0.948)), [Standing::Missed, Standing::Missed]);
}
