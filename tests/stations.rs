//! Frontends: stations before the router, against queueing theory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;

use tokenmill::cluster::{Cluster, ClusterSpec, FrontendSpec, ModelId, Outcome, RequestRecord, Role, Silent, SpecError};
use tokenmill::sim::{Purpose, SimDuration, SimTime, Streams};
use tokenmill::workload::RequestSpec;

use crate::support::{Linear, Listed, audited, cluster, pool, recorded, request, run};

/// `instances` stations of `workers` that take `per_request` ns and `per_prompt_token` ns, and 0.5 ns an output token.
fn frontend(instances: u32, workers: u32, per_request: f64, per_prompt_token: f64) -> FrontendSpec {
    FrontendSpec {
        name: "frontend".into(),
        model: ModelId(0),
        instances,
        workers,
        per_request_ns: per_request,
        per_prompt_token_ns: per_prompt_token,
        per_output_token_ns: 0.5,
    }
}

/// In front of an instance that computes one prompt at a time, each in `prefill_ns`, whatever its length.
fn behind(frontend: FrontendSpec, prefill_ns: f64) -> ClusterSpec {
    let mut mixed = pool("mixed", Role::Mixed, 1, Linear { base: prefill_ns, ..Linear::default() });
    mixed.engine.max_num_seqs = 1;
    mixed.engine.max_num_batched_tokens = 1 << 30;
    mixed.engine.max_model_len = 1 << 30;
    mixed.engine.kv_blocks = 1 << 40;
    let mut spec = cluster(vec![mixed]);
    spec.frontends = vec![frontend];
    spec.audit = false;
    spec
}

/// Poisson arrivals at `rate` per ns of requests of one output token, with prompts of `mean` tokens: exponential, or all alike.
fn poisson(n: usize, rate: f64, mean: f64, exponential: bool) -> Vec<(u64, RequestSpec)> {
    let streams = Streams::new(11);
    let (mut gaps, mut lengths) = (streams.stream(Purpose::Arrivals, 0), streams.stream(Purpose::Lengths, 0));
    let mut at = 0.0;
    (0..n)
        .map(|_| {
            at += gaps.exponential() / rate;
            let tokens = if exponential { mean * lengths.exponential() } else { mean };
            (at.round() as u64, request(tokens.ceil() as u32, 1))
        })
        .collect()
}

fn waits(records: &[RequestRecord], spec: &FrontendSpec) -> Vec<u64> {
    let service = |r: &RequestRecord| (spec.per_request_ns + spec.per_prompt_token_ns * f64::from(r.prompt_tokens) + 0.5).round() as u64;
    records.iter().map(|r| r.admitted.since(r.arrived).ns() - service(r)).collect()
}

fn mean(values: &[u64]) -> f64 {
    values.iter().map(|&v| v as f64).sum::<f64>() / values.len() as f64
}

/// Kiefer and Wolfowitz: each request takes the worker that is free first.
fn waits_of_the_recursion(requests: &[(u64, RequestSpec)], spec: &FrontendSpec) -> Vec<u64> {
    let mut free: BinaryHeap<Reverse<u64>> = (0..spec.workers).map(|_| Reverse(0)).collect();
    let waits = requests.iter().map(|&(at, ref request)| {
        let Reverse(next) = free.pop().unwrap();
        let start = next.max(at);
        let service = (spec.per_request_ns + spec.per_prompt_token_ns * f64::from(request.prompt_tokens) + 0.5).round() as u64;
        free.push(Reverse(start + service));
        start - at
    });
    waits.collect()
}

/// Mean wait of M/M/k by Erlang's C formula, in services.
fn erlang_c_wait(k: u32, load: f64) -> f64 {
    let a = load * f64::from(k);
    // Blocking of Erlang's B by its recursion, then C.
    let b = (1..=k).fold(1.0, |b, n| a * b / (f64::from(n) + a * b));
    let c = b / (1.0 - load * (1.0 - b));
    c / (f64::from(k) * (1.0 - load))
}

/// Mean wait of M/D/k, in services, after Crommelin (1932): what is there a service time later are those that `k` workers have not finished
/// and those that have come, so the number inside solves p(n) = Σ p(m) P(n − max(m − k, 0)), P Poisson of mean k·load.
fn crommelin_wait(k: u32, load: f64) -> f64 {
    const MOST: usize = 400;
    let (k, a) = (k as usize, load * f64::from(k));
    let mut arrivals = vec![(-a).exp()];
    for n in 1..MOST {
        arrivals.push(arrivals[n - 1] * a / n as f64);
    }
    let mut inside = vec![0.0; MOST];
    inside[0] = 1.0;
    for _ in 0..4000 {
        let mut next = vec![0.0; MOST];
        for (m, p) in inside.iter().enumerate().filter(|(_, p)| **p > 1e-300) {
            let left = m.saturating_sub(k);
            for n in left..MOST {
                next[n] += p * arrivals[n - left];
            }
        }
        inside = next;
    }
    let waiting: f64 = inside.iter().enumerate().map(|(n, p)| n.saturating_sub(k) as f64 * p).sum();
    // Little's law.
    waiting / a
}

#[test]
fn a_lone_request_takes_the_time_of_its_service() {
    let mut spec = behind(frontend(1, 1, 5e6, 15_000.0), 1e6);
    spec.frontends[0].per_output_token_ns = 10_000.0;
    spec.audit = true;
    let ledger = audited(spec, Listed::new([(1_000_000, request(1000, 20)), (100_000_000, request(0x100, 1))]));
    // 5 ms + 1,000 · 15 µs + 20 · 10 µs.
    assert_eq!(ledger.records[0].admitted, SimTime::from_ns(1_000_000 + 20_200_000));
    assert_eq!(ledger.records[0].first_token.unwrap().ns(), 22_200_000);
    assert_eq!(ledger.records[1].admitted, SimTime::from_ns(100_000_000 + 5_000_000 + 256 * 15_000 + 10_000));
}

#[test]
fn a_station_waits_as_m_m_k_does() {
    // Services of 10 ms on average: 100,000 tokens of 100 ns.
    for (k, load) in [(1, 0.7), (4, 0.8), (16, 0.9)] {
        let spec = behind(frontend(1, k, 0.0, 100.0), 1.0);
        let requests = poisson(200_000, load * f64::from(k) / 10e6, 1e5, true);
        let waits = waits(&run(spec.clone(), Listed::new(requests.iter().cloned())), &spec.frontends[0]);
        assert_eq!(waits, waits_of_the_recursion(&requests, &spec.frontends[0]), "each to the nanosecond");
        approx::assert_relative_eq!(mean(&waits), erlang_c_wait(k, load) * 10e6, max_relative = 0.04);
    }
}

#[test]
fn a_station_waits_as_m_d_k_does() {
    for (k, load) in [(1, 0.7), (4, 0.8), (16, 0.9)] {
        let spec = behind(frontend(1, k, 10e6, 0.0), 1.0);
        let requests = poisson(200_000, load * f64::from(k) / 10e6, 10.0, false);
        let waits = waits(&run(spec.clone(), Listed::new(requests.iter().cloned())), &spec.frontends[0]);
        assert_eq!(waits, waits_of_the_recursion(&requests, &spec.frontends[0]), "each to the nanosecond");
        approx::assert_relative_eq!(mean(&waits), crommelin_wait(k, load) * 10e6, max_relative = 0.04);
    }
    // Pollaczek and Khinchine: ρ / (2 (1 − ρ)).
    approx::assert_relative_eq!(crommelin_wait(1, 0.7), 0.7 / 0.6, max_relative = 1e-6);
}

/// By Burke's theorem what leaves an M/M/1 station is as random as what comes: prefill behind it waits as it would without, and TTFT is longer
/// by the mean time at the station, 1 / (μ − λ), which at 95 % load is 20 services.
#[test]
fn a_station_at_95_percent_load_shifts_ttft_by_20_services() {
    let load = 0.95;
    let spec = behind(frontend(1, 1, 0.0, 100.0), 5e6);
    let requests = poisson(600_000, load / 10e6, 1e5, true);
    let ttft = |records: &[RequestRecord]| mean(&records.iter().map(|r| r.first_token.unwrap().since(r.arrived).ns()).collect::<Vec<_>>());
    let with = run(spec.clone(), Listed::new(requests.iter().cloned()));
    let without = run(ClusterSpec { frontends: Vec::new(), ..spec.clone() }, Listed::new(requests));
    let shift = ttft(&with) - ttft(&without);
    approx::assert_relative_eq!(shift, 20.0 * 10e6, max_relative = 0.1);
    // Of these 600,000 exactly what they spend there, but for what the station's smoothing changes behind it: one in a hundred.
    let at_station = mean(&with.iter().map(|r| r.admitted.since(r.arrived).ns()).collect::<Vec<_>>());
    approx::assert_relative_eq!(shift, at_station, max_relative = 0.01);
}

#[test]
fn requests_go_to_stations_in_turn_and_each_has_its_own_queue() {
    // Two stations of one worker, 10 ms each; five at once: served at 10, 10, 20, 20 and 30 ms.
    let spec = behind(frontend(2, 1, 10e6 - 0.5, 0.0), 1.0);
    let records = run(spec, Listed::new((0..5).map(|_| (0, request(10, 1)))));
    let admitted: Vec<u64> = records.iter().map(|r| r.admitted.ns() / 1_000_000).collect();
    assert_eq!(admitted, [10, 10, 20, 20, 30]);
}

#[test]
fn a_client_that_leaves_frees_its_place_at_once_and_its_worker_when_it_is_done() {
    // One worker, 10 ms; clients stay 15 ms. The second is being served when it leaves; the third has not been; the fourth comes at 12 ms.
    let mut spec = behind(frontend(1, 1, 10e6 - 0.5, 0.0), 1.0);
    spec.classes[0].timeout = Some(SimDuration::from_ns(15_000_000));
    spec.audit = true;
    let ledger = audited(spec, Listed::new([(0, request(10, 1)), (0, request(10, 1)), (0, request(10, 1)), (12_000_000, request(10, 1))]));
    let outcomes: Vec<Outcome> = ledger.records.iter().map(|r| r.outcome).collect();
    assert_eq!(outcomes, [Outcome::Completed, Outcome::TimedOut, Outcome::TimedOut, Outcome::TimedOut]);
    // The second keeps the worker until 20 ms; the fourth is served from then on, and leaves at 27 ms.
    let ends: Vec<u64> = ledger.records.iter().map(|r| r.admitted.ns() / 1_000_000).collect();
    assert_eq!(ends, [10, 15, 15, 27]);
    assert_eq!(ledger.end.ns() / 1_000_000, 30);
}

#[test]
fn the_summary_says_how_busy_a_frontend_was() {
    // Four requests at once on two workers of 10 ms: 20 ms of a run of 40 ms; two wait for 10 ms.
    let mut spec = behind(frontend(1, 2, 10e6 - 0.5, 0.0), 10e6);
    spec.audit = true;
    let (result, _) = recorded(spec, Listed::new((0..4).map(|_| (0, request(10, 1)))));
    // Prefill from 10 ms on, one after the other: 50 ms.
    assert!((result.summary.simulated_s - 0.05).abs() < 1e-9);
    let frontend = &result.summary.frontends[0];
    approx::assert_relative_eq!(frontend.utilization, 0.4, max_relative = 1e-6);
    approx::assert_relative_eq!(frontend.queue_mean, 2.0 * 10.0 / 50.0, max_relative = 1e-6);
    assert_eq!(frontend.queue_peak, 2);
    // Two spend 10 ms there, two 20 ms.
    approx::assert_relative_eq!(result.summary.lifecycle.unwrap().frontend_ms.unwrap(), 15.0, max_relative = 1e-6);
}

#[test]
fn a_station_without_workers_is_refused() {
    let error = Cluster::new(&behind(frontend(1, 0, 1.0, 1.0), 1.0), Silent).unwrap_err();
    assert_eq!(error, SpecError::NoWorkers);
}

proptest! {
    /// Whatever comes when: every request ends once, the stages add up, and the audit finds each request where it says it is.
    #[test]
    fn nothing_is_lost_at_a_station(
        instances in 1u32..4,
        workers in 1u32..4,
        requests in prop::collection::vec((0u64..100, 1u32..3000, 1u32..20), 1..60),
        timeout in prop::option::of(1u64..80),
    ) {
        let mut spec = behind(frontend(instances, workers, 3e6, 2_000.0), 2e6);
        spec.pools[0].engine.max_num_seqs = 8;
        spec.classes[0].timeout = timeout.map(|ms| SimDuration::from_ns(ms * 1_000_000));
        spec.audit = true;
        let mut asked: Vec<(u64, RequestSpec)> = requests.iter().map(|&(at, prompt, output)| (at * 1_000_000, request(prompt, output))).collect();
        asked.sort_by_key(|&(at, _)| at);
        let ledger = audited(spec, Listed::new(asked.clone()));
        prop_assert_eq!(ledger.records.len(), asked.len());
        for record in &ledger.records {
            prop_assert!(record.arrived <= record.admitted && record.admitted <= record.done);
            if record.outcome == Outcome::Completed {
                let sum: u64 = tokenmill::metrics::stages(record).iter().map(|span| span.ns()).sum();
                prop_assert_eq!(sum, record.done.since(record.arrived).ns());
            }
        }
    }
}
