//! The sentence in every situation.

use super::*;
use crate::report::fixture;

#[test]
fn a_held_slo_is_said_with_its_numbers() {
    let mut summary = fixture::two_pools().summary;
    summary.pools[0].queue_mean = 0.7;
    let answer = answer(&summary);
    assert_eq!(answer.verdict, Verdict::Held);
    assert_eq!(
        answer.sentence(),
        "Holds the SLO: p99 TTFT 1.41 s of 2 s (azure-chat), p99 TPOT 33.3 ms of 50 ms (azure-chat); 0.0270 output tokens per joule at \
         the facility; $23.70 per million output tokens; no pool is at its limit: prefill computes 74.3 % of the time at 51.2 % of peak \
         arithmetic, decode computes 96.8 % of the time on 32.4 sequences at 62.4 % of memory bandwidth."
    );
}

#[test]
fn a_missed_slo_names_what_is_missed_and_the_share() {
    let sentence = answer(&fixture::missed().summary).sentence();
    assert!(sentence.starts_with("Misses the SLO on TTFT and TPOT: p99 TTFT 2.96 s exceeds 2 s, p99 TPOT"), "{sentence}");
    assert!(sentence.contains("93.1 % of requests met every limit, 99 % wanted"), "{sentence}");
    let mut summary = fixture::missed().summary;
    summary.classes[0].slo.tpot_ms = Some(1.0);
    summary.classes[0].slo.e2e_ms = Some(1.0);
    assert_eq!(answer(&summary).headline, "Misses the SLO on TTFT, TPOT and E2E");
}

#[test]
fn refused_requests_miss_the_slo_although_the_percentiles_hold_and_are_named_first() {
    let mut summary = fixture::two_pools().summary;
    summary.classes[0].slo_attainment = Some(0.97);
    summary.goodput.as_mut().unwrap().slo_attainment = Some(0.97);
    (summary.requests.rejected, summary.requests.in_flight) = (291, 0);
    let answer = answer(&summary);
    assert_eq!(answer.verdict, Verdict::Missed);
    assert!(
        answer
            .sentence()
            .starts_with("Misses the SLO: 97.0 % of requests met every limit, 99 % wanted (291 rejected); p99 TTFT 1.41 s of 2 s"),
        "{}",
        answer.sentence()
    );
}

#[test]
fn requests_that_the_latencies_leave_out_are_counted_in_the_sentence() {
    let mut summary = fixture::no_slo().summary;
    summary.requests = crate::metrics::RequestCounts { arrived: 1200, completed: 1195, rejected: 3, timed_out: 2, ..summary.requests };
    let sentence = answer(&summary).sentence();
    assert!(sentence.contains("; of 1,200 requests 3 rejected, 2 timed out; "), "{sentence}");
}

#[test]
fn without_slo_overloaded_and_empty_have_their_own_words() {
    assert!(answer(&fixture::no_slo().summary).sentence().starts_with("No SLO set: p99 TTFT 1.41 s, p99 TPOT"));
    let overloaded = answer(&fixture::overloaded().summary).sentence();
    assert!(overloaded.starts_with("Overloaded: 4.71 of 9.44 offered requests per second served; p99 TTFT"), "{overloaded}");
    assert_eq!(answer(&fixture::nothing_completed().summary).sentence(), "Nothing completed: 12 requests arrived, 12 rejected.");
}

#[test]
fn what_binds_is_full_memory_then_the_queue_and_not_a_decode_pool_that_is_merely_busy() {
    let mut summary = fixture::two_pools().summary;
    summary.pools[0].queue_mean = 2.31;
    let sentence = answer(&summary).sentence();
    assert!(sentence.contains("; prefill is the bottleneck: 2.31 requests wait for it on average, it computes 74.3 %"), "{sentence}");
    summary.pools[0].kv_utilization_mean = 0.99;
    assert!(answer(&summary).sentence().ends_with("; KV memory of prefill is the bottleneck: 99.0 % in use on average."));
}

#[test]
fn soft_figures_are_counted_by_the_headline_they_move() {
    let trust = trust(&fixture::two_pools().summary);
    assert_eq!((trust.figures, trust.assumed, trust.estimated), (10, 2, 2));
    assert_eq!(
        trust.sentence().unwrap(),
        "4 of the 10 figures behind this result (40.0 %) are not measured or published, 2 assumed and 2 estimated: 1 for latency, 2 for \
         energy, 1 for cost."
    );
}

#[test]
fn no_fixture_yields_an_empty_answer() {
    for (name, result) in fixture::all() {
        let sentence = answer(&result.summary).sentence();
        assert!(!sentence.contains(": ;") && !sentence.contains(": .") && !sentence.contains("NaN"), "{name}: {sentence}");
    }
}
