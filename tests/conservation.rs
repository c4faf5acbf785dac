//! Nothing is lost and nothing is counted twice: requests, tokens, time, joules, dollars.

use proptest::prelude::*;
use tokenmill::cluster::{ClusterSpec, InstanceId, Outcome, Overlap, RequestRecord, Role, Silent};
use tokenmill::metrics::RunResult;
use tokenmill::power::Phase;
use tokenmill::sim::{Purpose, SimDuration, SimTime, Streams};
use tokenmill::study::Options;
use tokenmill::workload::RequestSpec;

use crate::support::{Ledger, Linear, Listed, audited, cluster, inline, pool, recorded, request, router, simulate_with};

const MS: f64 = 1e6;

fn perf() -> Linear {
    Linear { base: 3.0 * MS, per_prefill_token: 2_000.3, per_sequence: 40_000.7, per_context: 3.1 }
}

/// `n` requests with mean gap `gap_ms`, lengths up to 900 and 120, a third of them in families with common prefixes.
fn traffic(seed: u64, n: usize, gap_ms: f64) -> Vec<(u64, RequestSpec)> {
    let streams = Streams::new(seed);
    let (mut gaps, mut lengths) = (streams.stream(Purpose::Arrivals, 0), streams.stream(Purpose::Lengths, 0));
    let mut at = 0.0;
    (0..n)
        .map(|_| {
            at += gaps.exponential() * gap_ms * MS;
            let (prompt, output) = (1 + lengths.below(900) as u32, 1 + lengths.below(120) as u32);
            let mut spec = request(prompt, output);
            let family = lengths.below(9);
            if family < 3 {
                spec.blocks = (0..u64::from(prompt) / 64).map(|i| family * 1000 + i).collect();
            }
            (at as u64, spec)
        })
        .collect()
}

fn mixed(instances: u32) -> ClusterSpec {
    cluster(vec![pool("m", Role::Mixed, instances, perf())])
}

fn apart(overlap: Overlap) -> ClusterSpec {
    let mut spec = cluster(vec![pool("p", Role::Prefill, 2, perf()), pool("d", Role::Decode, 2, perf())]);
    spec.network.overlap = overlap;
    spec.routers.prefill = router("least-request");
    for pool in &mut spec.pools {
        // Slow enough that transfers meet and wait.
        pool.port_bytes_per_s = 50e6;
        pool.engine.max_num_seqs = 16;
        pool.engine.max_num_batched_tokens = 512;
    }
    spec
}

/// Small memories, so that sequences lose their KV.
fn tight(mut spec: ClusterSpec) -> ClusterSpec {
    for pool in &mut spec.pools {
        pool.engine.kv_blocks = 90;
        pool.engine.max_model_len = 90 * 16;
        pool.engine.max_num_batched_tokens = 512;
    }
    spec
}

fn close(a: f64, b: f64) {
    approx::assert_relative_eq!(a, b, max_relative = 1e-9, epsilon = 1e-9);
}

/// L·T = Σ W: the integral of the number in a place is the sum of the times spent there, to the nanosecond.
fn assert_littles_law(spec: ClusterSpec, requests: Vec<(u64, RequestSpec)>) {
    let (result, ledger) = recorded(spec, Listed::new(requests));
    let all =
        |record: &tokenmill::cluster::RequestRecord| (record.prefill_start, record.first_token, record.delivered, record.decode_start);
    assert!(ledger.records.iter().all(|r| r.outcome == Outcome::Completed && r.preemptions == 0));
    let entry = ledger.pool(0);
    assert_eq!(entry.waiting, ledger.total(|r| Some(r.prefill_start?.since(r.arrived))));
    let decoded_elsewhere = result.summary.pools.len() > 1;
    if decoded_elsewhere {
        assert_eq!(entry.running, ledger.total(|r| Some(r.first_token?.since(r.prefill_start?))));
        let decode = ledger.pool(1);
        // Those who wait for memory have a row of their own: after prefill nothing else holds them, before it they are in a queue too.
        let for_memory = ledger.total(|r| Some(r.reserved?.max(r.first_token?).since(r.first_token?)));
        let before_prefill = ledger.total(|r| Some(r.memory_wait));
        assert!(ledger.records.iter().all(|r| r.memory_wait <= r.prefill_start.unwrap().since(r.arrived)));
        assert_eq!(ledger.short_of_memory[&0], for_memory + before_prefill);
        assert!(for_memory == 0 || before_prefill == 0, "one or the other, by the mode of overlap");
        assert_eq!(decode.waiting, ledger.total(|r| Some(r.decode_start?.since(r.delivered?))));
        assert_eq!(decode.running, ledger.total(|r| Some(r.done.since(r.decode_start?))));
        // And over the whole cluster, the wire included: ∫ inside dt = Σ E2E.
        let wire = ledger.total(|r| {
            let (_, first, delivered, _) = all(r);
            Some(delivered?.since(r.reserved?.max(first?)))
        });
        let inside = entry.waiting + entry.running + for_memory + wire + decode.waiting + decode.running;
        assert_eq!(inside, ledger.total(|r| Some(r.done.since(r.arrived))));
    } else {
        assert_eq!(entry.running, ledger.total(|r| Some(r.done.since(r.prefill_start?))));
    }
    // The summary says the same as means.
    let seconds = result.summary.simulated_s;
    for (pool, books) in result.summary.pools.iter().zip(ledger.pools.values()) {
        close(pool.queue_mean * seconds, books.waiting as f64 * 1e-9);
        close(pool.batch_mean * seconds * f64::from(pool.instances), books.running as f64 * 1e-9);
    }
    let stages = result.summary.lifecycle.unwrap();
    let sum = stages.queue_ms + stages.prefill_ms + stages.reserve_ms + stages.transfer_ms + stages.decode_queue_ms + stages.decode_ms;
    close(sum, result.summary.latency.e2e_ms.unwrap().mean);
}

#[test]
fn littles_law_holds_to_the_nanosecond_in_every_pool() {
    for gap_ms in [200.0, 30.0, 5.0] {
        assert_littles_law(mixed(2), traffic(1, 300, gap_ms));
        assert_littles_law(apart(Overlap::AfterPrefill), traffic(2, 300, gap_ms));
        assert_littles_law(apart(Overlap::LayerWise), traffic(3, 300, gap_ms));
    }
}

/// A sequence that loses its KV waits again: the two places together still hold every request from its arrival to its end.
#[test]
fn requests_that_lose_their_kv_are_somewhere_all_the_time() {
    let (result, ledger) = recorded(tight(mixed(2)), Listed::new(traffic(4, 300, 30.0)));
    assert!(result.summary.requests.preemptions > 20, "{}", result.summary.requests.preemptions);
    let books = ledger.pool(0);
    assert_eq!(books.waiting + books.running, ledger.total(|r| Some(r.done.since(r.arrived))));
    // Cut off in the middle, the requests inside count up to that moment.
    let mut spec = tight(mixed(2));
    spec.end = Some(SimDuration::from_ns(2_345_678_901));
    let ledger = audited(spec, Listed::new(traffic(4, 300, 30.0)));
    assert!(ledger.count(|outcome| outcome == Outcome::InFlight) > 5);
    assert_eq!(ledger.end, SimTime::from_ns(2_345_678_901));
    let books = ledger.pool(0);
    assert_eq!(books.waiting + books.running, ledger.total(|r| Some(r.done.since(r.arrived))));
}

/// The shapes of cluster that the books must hold for.
fn shapes() -> Vec<ClusterSpec> {
    vec![mixed(3), tight(mixed(2)), apart(Overlap::AfterPrefill), apart(Overlap::LayerWise), tight(apart(Overlap::LayerWise))]
}

#[test]
fn energy_is_the_integral_of_power_whichever_way_it_is_added_up() {
    for spec in shapes() {
        let (result, ledger) = recorded(spec, Listed::new(traffic(5, 200, 25.0)));
        let (energy, timeline) = (&result.summary.energy, &result.timeline);
        close(energy.it_j, ledger.energy().it_j());
        close(energy.chip_j, ledger.energy().chip_j());
        let phases = &energy.by_phase;
        close(phases.prefill_j + phases.decode_j + phases.transfer_j + phases.idle_j + phases.startup_j, energy.it_j);
        for (phase, joules) in [
            (Phase::Prefill, phases.prefill_j),
            (Phase::Decode, phases.decode_j),
            (Phase::Transfer, phases.transfer_j),
            (Phase::Idle, phases.idle_j),
        ] {
            close(ledger.phases.get(&phase).copied().unwrap_or_default() as f64 * 1e-12, joules);
        }
        for (index, pool) in result.summary.pools.iter().enumerate() {
            let books = &ledger.pool(u16::try_from(index).unwrap());
            close(pool.energy_j, books.energy.it_j());
            close(pool.mean_power_w.unwrap() * result.summary.simulated_s, pool.energy_j);
            // ∫ power dt over the timeline, whose last interval ends with the run.
            let width = |i: usize| timeline.interval_s.min(result.summary.simulated_s - timeline.at_s[i]);
            let integral: f64 = timeline.pools[index].power_w.iter().enumerate().map(|(i, watts)| watts * width(i)).sum();
            close(integral, pool.energy_j);
        }
        // What requests are charged is what the iterations drew.
        close(ledger.records.iter().map(RequestRecord::energy_j).sum(), ledger.iteration_energy.it_j());
        assert_time_is_spent_in_its_place(&result, &ledger);
    }
}

/// What requests are charged of a pool's time is the time that it computes: prompts that lost their KV are computed again where they were.
fn assert_time_is_spent_in_its_place(result: &RunResult, ledger: &Ledger) {
    let ends = result.summary.pools.iter().scan(0, |end, pool| {
        *end += pool.instances;
        Some(*end)
    });
    let ends: Vec<u32> = ends.collect();
    let pool_of = |id: InstanceId| ends.iter().position(|&end| id.0 < end).unwrap();
    let mut spent = vec![0.0; ends.len()];
    for record in &ledger.records {
        let first = record.prefill_instance.unwrap();
        spent[pool_of(first)] += record.prefill_s;
        spent[pool_of(record.decode_instance.unwrap_or(first))] += record.decode_s;
    }
    for (index, spent) in spent.into_iter().enumerate() {
        close(spent, ledger.pool(u16::try_from(index).unwrap()).busy_ns as f64 * 1e-9);
    }
}

/// Busy and idle nanoseconds of a pool are its instances times the simulated time, also where the end cuts iterations off.
#[test]
fn every_nanosecond_of_every_instance_is_booked_once() {
    for end in [None, Some(1_234_567_891), Some(1)] {
        for spec in shapes() {
            let spec = ClusterSpec { end: end.map(SimDuration::from_ns), ..spec };
            let instances: Vec<u32> = spec.pools.iter().map(|pool| pool.instances).collect();
            let (result, ledger) = recorded(spec, Listed::new(traffic(6, 150, 20.0)));
            for (index, instances) in instances.into_iter().enumerate() {
                let books = ledger.pool(u16::try_from(index).unwrap());
                assert_eq!(books.busy_ns + books.idle_ns, u128::from(instances) * u128::from(ledger.end.ns()));
                let utilization = books.busy_ns as f64 / (books.busy_ns + books.idle_ns) as f64;
                close(result.summary.pools[index].utilization, utilization);
            }
        }
    }
}

/// 100 W idle, and on top 10 % and 50 W of the node: 160 W. Two instances that never work for 10 s: 3200 J. One busy iteration of 10 ms with
/// activity 0.3/0.5 + 0.6·0.5 = 0.9: 200 + 500·0.9 = 650 W, 765 W with the node: 7.65 J instead of 1.6 J.
#[test]
fn the_joules_of_a_lone_request_are_those_worked_out_by_hand() {
    let mut spec = cluster(vec![pool("m", Role::Mixed, 2, Linear { base: 10.0 * MS, ..Linear::default() })]);
    spec.end = Some(SimDuration::from_ns(10_000_000_000));
    let (idle, _) = recorded(spec.clone(), Listed::new([]));
    close(idle.summary.energy.it_j, 3200.0);
    close(idle.summary.energy.by_phase.idle_j, 3200.0);
    let (busy, ledger) = recorded(spec, Listed::new([(1_000_000_000, request(100, 1))]));
    close(busy.summary.energy.it_j, 3200.0 - 1.6 + 7.65);
    close(busy.summary.energy.by_phase.prefill_j, 7.65);
    close(ledger.records[0].energy_j(), 7.65);
}

#[test]
fn tokens_are_counted_as_they_leave_and_add_up_to_those_of_the_requests() {
    for spec in shapes() {
        let requests = traffic(7, 250, 25.0);
        let asked: u64 = requests.iter().map(|(_, r)| u64::from(r.output_tokens)).sum();
        let prompts: u64 = requests.iter().map(|(_, r)| u64::from(r.prompt_tokens)).sum();
        let (result, ledger) = recorded(spec, Listed::new(requests));
        let tokens = &result.summary.tokens;
        assert_eq!((tokens.output, tokens.prompt), (asked, prompts));
        assert_eq!(ledger.tokens_out, asked);
        assert_eq!(ledger.records.iter().map(|r| u64::from(r.output_tokens)).sum::<u64>(), asked);
        // Every token but the first of a request ends a gap, and the gaps of a request fill the time between its first and last token.
        assert_eq!(ledger.gaps, asked - ledger.arrived);
        assert_eq!(result.summary.latency.itl_ms.unwrap().count, ledger.gaps);
        assert_eq!(ledger.gap_ns, ledger.total(|r| Some(r.done.since(r.first_token?))));
        for record in &ledger.records {
            assert_eq!(record.gap_sum_ns, record.done.since(record.first_token.unwrap()).ns());
            assert_eq!(record.gap_count + 1, u64::from(record.output_tokens));
        }
        // Prompt tokens are computed once, but for what the caches held and what was lost. What is lost includes output computed before,
        // which comes back as prompt; whoever loses its KV while it generates computes its last token with it. The cache saves on the way back.
        let (computed, preemptions) = (ledger.prefill_tokens, result.summary.requests.preemptions);
        assert!(computed <= prompts - tokens.cached_prompt + tokens.recomputed + preemptions);
        if preemptions == 0 {
            assert_eq!(computed, prompts - tokens.cached_prompt);
        }
    }
}

/// Whatever is asked, wherever the run ends, whoever gives up: each request has one fate.
fn check_fates(spec: ClusterSpec, requests: Vec<(u64, RequestSpec)>) -> Result<(), TestCaseError> {
    let (result, ledger) = recorded(spec, Listed::new(requests));
    let counts = &result.summary.requests;
    prop_assert_eq!(counts.arrived, ledger.arrived);
    prop_assert_eq!(counts.arrived, counts.completed + counts.rejected + counts.timed_out + counts.failed + counts.in_flight);
    prop_assert_eq!(ledger.records.len() as u64, ledger.arrived);
    prop_assert!(ledger.records.iter().enumerate().all(|(i, record)| record.id == i as u64), "each once");
    let of = |wanted: Outcome| ledger.count(|outcome| outcome == wanted);
    prop_assert_eq!(counts.completed, of(Outcome::Completed));
    prop_assert_eq!(counts.rejected, of(Outcome::RejectedPromptTooLong) + of(Outcome::RejectedNoInstance));
    prop_assert_eq!((counts.timed_out, counts.in_flight), (of(Outcome::TimedOut), of(Outcome::InFlight)));
    prop_assert!(ledger.records.iter().all(|record| record.done <= ledger.end && record.arrived <= record.done));
    // Tokens that leave go to somebody who still waits for them, and so do the gaps before them.
    let received: u64 = ledger.records.iter().map(|record| u64::from(record.output_tokens)).sum();
    prop_assert_eq!((received, received), (ledger.tokens_out, result.summary.tokens.output));
    prop_assert_eq!(ledger.records.iter().map(|record| record.gap_count).sum::<u64>(), ledger.gaps);
    prop_assert_eq!(ledger.records.iter().map(|record| u128::from(record.gap_sum_ns)).sum::<u128>(), ledger.gap_ns);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn every_request_has_one_fate(
        seed in 0u64..1000,
        n in 1usize..80,
        gap_ms in 0.0f64..40.0,
        shape in 0usize..5,
        end_ms in proptest::option::of(1u64..4000),
        timeout_ms in proptest::option::of(20u64..3000),
        longest in 300u32..1440,
    ) {
        let Some(mut spec) = shapes().into_iter().nth(shape) else { return Ok(()) };
        spec.end = end_ms.map(|ms| SimDuration::from_ns(ms * 1_000_000));
        spec.classes[0].timeout = timeout_ms.map(|ms| SimDuration::from_ns(ms * 1_000_000));
        for pool in &mut spec.pools {
            pool.engine.max_model_len = longest;
        }
        check_fates(spec, traffic(seed, n, gap_ms))?;
    }
}

/// Two pools with two instances of four chips each, one bought and one rented, for a time `T`.
///
/// Bought, per chip and second: capital $250,000 / (5 · 365.25 · 86,400 s) / 8; hosting 185 $/kW and month of (8 · 700 W · 1.105 + 1,940 W) = 8.128 kW
/// over a month of 365.25 / 12 days, / 8; energy 0.09 $/kWh · PUE 1.12 of the joules drawn. Rented: $2 per chip and hour and nothing else.
#[test]
fn cost_is_rate_times_time_bought_or_rented() {
    let scenario = inline(
        "
name: cost
run: {requests: 300}
models: {chat: {profile: llama-3.1-8b}}
workload:
  - {name: chat, synthetic: {arrivals: {constant: {rate: 2 /s}}, prompt_tokens: {fixed: 500}, output_tokens: {fixed: 100}}}
cluster:
  site: {profile: us-hyperscale-2026, electricity: 0.09 $/kWh, pue: 1.12, hosting: $185/kW/month}
  pools:
    - {name: bought, role: prefill, node: dgx-h100, instances: 2, parallelism: {tp: 4}}
    - {name: rented, role: decode, node: dgx-h100, instances: 2, parallelism: {tp: 4}, pricing: {rent-at: $2/h}}
",
    );
    let (result, rows, _) = simulate_with(&scenario, Options::default(), Silent);
    let summary = &result.summary;
    let chip_seconds = 2.0 * 4.0 * summary.simulated_s;
    let year = 365.25 * 86_400.0;
    let capital = 250_000.0 / (5.0 * year) / 8.0 * chip_seconds;
    let hosting = 185.0 * 8.128 / (year / 12.0) / 8.0 * chip_seconds;
    let energy = summary.pools[0].energy_j / 3.6e6 * 0.09 * 1.12;
    let rent = 2.0 / 3600.0 * chip_seconds;
    let cost = &summary.cost;
    close(cost.breakdown.capital, capital);
    close(cost.breakdown.hosting, hosting);
    close(cost.breakdown.energy, energy);
    close(cost.breakdown.rent, rent);
    close(summary.pools[0].cost_usd, capital + hosting + energy);
    close(summary.pools[1].cost_usd, rent);
    close(cost.total_usd, capital + hosting + energy + rent);
    close(cost.usd_per_hour.unwrap(), cost.total_usd / summary.simulated_s * 3600.0);
    // Billed as provisioned: the rent is that of two instances for the whole run, used or not.
    assert!(summary.pools[1].utilization < 0.9);
    // 300 requests of 100 tokens; the prefill pool serves prompts, the decode pool output.
    assert_eq!((summary.tokens.output, summary.tokens.prompt), (30_000, 150_000));
    close(cost.usd_per_m_output_tokens.unwrap(), cost.total_usd / 0.03);
    close(cost.usd_per_m_total_tokens.unwrap(), cost.total_usd / 0.18);
    close(cost.usd_per_m_prompt_tokens_by_phase.unwrap(), summary.pools[0].cost_usd / 0.15);
    close(cost.usd_per_m_output_tokens_by_phase.unwrap(), summary.pools[1].cost_usd / 0.03);
    assert!(rows.iter().all(|row| row.record.outcome == Outcome::Completed));
}
