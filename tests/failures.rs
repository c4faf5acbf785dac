//! Instances that fail, drain and come back: what becomes of their requests at every stage, worked out by hand.
//!
//! Two prefill instances (0 and 1) and two decode instances (2 and 3), in turn. A prefill of `n` tokens takes 10 ms + n µs, a decode iteration
//! 10 ms; a token's KV is 1,000 bytes on a port of 10 MB/s, 0.1 ms; 10 µs of set-up follow the last byte.

#![expect(clippy::float_cmp, reason = "times are whole nanoseconds, worked out to the last")]

use proptest::prelude::*;

use tokenmill::cluster::{Cluster, ClusterSpec, FirstToken, Life, Outcome, Overlap, RequestRecord, Role, SpecError};
use tokenmill::policy::{Controller, Fault, FleetView, Order, Signal};
use tokenmill::power::Phase;
use tokenmill::sim::{SimDuration, SimTime};
use tokenmill::workload::RequestSpec;

use crate::support::{Ledger, Linear, Listed, audited, cluster, pool, request};

const MS: u64 = 1_000_000;

fn ms(ms: f64) -> SimDuration {
    SimDuration::from_ns((ms * 1e6).round() as u64)
}

fn fails(instance: usize, at: f64, down: Option<f64>) -> Fault {
    Fault { at: ms(at), instance, down: down.map(ms), start: SimDuration::ZERO, drain: false }
}

fn apart(overlap: Overlap, faults: &[Fault]) -> ClusterSpec {
    let prefill = Linear { base: 10e6, per_prefill_token: 1_000.0, ..Linear::default() };
    let decode = Linear { base: 10e6, ..prefill };
    let mut spec = cluster(vec![pool("prefill", Role::Prefill, 2, prefill), pool("decode", Role::Decode, 2, decode)]);
    for pool in &mut spec.pools {
        pool.port_bytes_per_s = 10e6;
    }
    spec.network.overlap = overlap;
    spec.network.failure_timeout = ms(200.0);
    spec.faults = faults.to_vec();
    spec
}

fn mixed(instances: u32, faults: &[Fault]) -> ClusterSpec {
    let model = Linear { base: 10e6, per_prefill_token: 1_000.0, ..Linear::default() };
    let mut spec = cluster(vec![pool("mixed", Role::Mixed, instances, model)]);
    spec.faults = faults.to_vec();
    spec
}

fn after_prefill(faults: &[Fault], requests: &[(u64, RequestSpec)]) -> Ledger {
    audited(apart(Overlap::AfterPrefill, faults), Listed::new(requests.iter().cloned()))
}

/// One request of 1,000 prompt and 10 output tokens at time zero.
fn lone(overlap: Overlap, faults: &[Fault]) -> (RequestRecord, Ledger) {
    let ledger = audited(apart(overlap, faults), Listed::new([(0, request(1000, 10))]));
    (ledger.records[0], ledger)
}

fn in_ms(at: Option<SimTime>) -> f64 {
    at.unwrap().ns() as f64 / 1e6
}

fn assert_booked(ledger: &Ledger, spec: &ClusterSpec) {
    for (index, pool) in (0u16..).zip(&spec.pools) {
        let books = ledger.pool(index);
        let provided = u128::from(ledger.end.ns()) * u128::from(pool.instances);
        assert_eq!(books.busy_ns + books.idle_ns + books.down_ns, provided, "{}", pool.name);
    }
}

#[test]
fn without_failures_the_times_are_those_of_the_model() {
    let (record, _) = lone(Overlap::AfterPrefill, &[]);
    assert_eq!((in_ms(record.first_token), in_ms(record.delivered)), (11.0, 111.01));
    assert_eq!((in_ms(Some(record.done)), record.failures, record.recovery().ns()), (111.01 + 90.0, 0, 0));
}

#[test]
fn requests_that_wait_or_are_computed_start_over_elsewhere() {
    // The first is computed on 0, the second on 1, the third waits on 0 when that fails at 5 ms.
    let requests = [(0, request(1000, 2)), (MS, request(1000, 2)), (2 * MS, request(1000, 2))];
    let ledger = after_prefill(&[fails(0, 5.0, None)], &requests);
    let [computed, other, waiting] = &ledger.records[..] else { panic!() };
    // Both are sent again after 50 ms, to 1: 10 ms + 2 ms.
    for record in [computed, waiting] {
        assert_eq!((record.outcome, record.failures, record.recomputed_tokens), (Outcome::Completed, 1, 0));
        assert_eq!((in_ms(record.prefill_start), in_ms(record.first_token)), (55.0, 67.0));
        assert_eq!(record.prefill_instance.unwrap().0, 1);
    }
    // What the failure cost: 5 ms of lost work and the back-off, or the back-off alone.
    assert_eq!((computed.recovery, waiting.recovery), ([ms(55.0), ms(0.0)], [ms(50.0), ms(0.0)]));
    assert_eq!((other.failures, in_ms(other.first_token)), (0, 12.0));
    // In mid-iteration the energy up to the failure is booked, and no token leaves: 5 + 11 + 12 ms of prefill.
    let busy: f64 = ledger.pool(0).busy_ns as f64 / 1e6;
    assert_eq!((busy, ledger.tokens_out, ledger.prefill_tokens), (28.0, 6, 3000));
    // A chip that computes draws 200 W and more, one with nothing to do 100 W: ask the phase, of prefill alone.
    let power = ledger.phases[&Phase::Prefill] as f64 * 1e-12 / 28e-3;
    let whole = after_prefill(&[], &requests[..1]);
    approx::assert_relative_eq!(power, whole.phases[&Phase::Prefill] as f64 * 1e-12 / 11e-3, max_relative = 1e-6);
    // It is off from then on, and every nanosecond is booked.
    assert_eq!(ledger.pool(0).down_ns, u128::from(ledger.end.ns() - 5 * MS));
    assert_booked(&ledger, &apart(Overlap::AfterPrefill, &[]));
}

#[test]
fn a_prompt_that_waits_for_decode_memory_is_computed_again() {
    let mut spec = apart(Overlap::AfterPrefill, &[fails(0, 30.0, None)]);
    // One decode instance, with room for one sequence, which the second request of the first instance's takes at 11 ms.
    spec.pools[1].instances = 1;
    spec.pools[1].engine.max_num_seqs = 1;
    let ledger = audited(spec, Listed::new([(0, request(1000, 40)), (MS, request(1000, 2)), (2 * MS, request(1000, 2))]));
    let record = &ledger.records[2];
    // Computed on 0 from 11 to 22 ms, and lost at 30 ms; again on 1 from 80 ms on, with the token that has left, and beside the first request,
    // whose KV was on the wire: 2,002 tokens, and its second token.
    assert_eq!((in_ms(record.first_token), in_ms(record.second_token)), (22.0, 92.002));
    assert_eq!((record.recomputed_tokens, record.recovery), (1000, [ms(0.0), ms(62.002)]));
    // That was its last: it needs no decode instance.
    assert_eq!((in_ms(Some(record.done)), record.reserved, record.gap_sum_ns), (92.002, None, 70_002_000));
}

#[test]
fn a_sender_that_fails_takes_the_kv_with_it() {
    // On the wire from 11 ms on. At 61 ms half of it has moved.
    let (record, ledger) = lone(Overlap::AfterPrefill, &[fails(0, 61.0, None)]);
    assert_eq!(record.outcome, Outcome::Completed);
    // Sent again after 50 ms to 1, which computes 1,001 tokens: the second token leaves; 100.1 ms and 10 µs later its KV is there.
    assert_eq!((in_ms(record.first_token), in_ms(record.second_token)), (11.0, 122.001));
    assert_eq!((in_ms(record.transfer_start), in_ms(record.delivered)), (122.001, 222.111));
    assert_eq!(in_ms(Some(record.done)), 222.111 + 80.0);
    assert_eq!((record.recomputed_tokens, record.recovery, record.output_tokens), (1000, [ms(0.0), ms(61.001)], 10));
    let bytes: Vec<f64> = ledger.transfers.iter().map(|&(_, _, bytes)| bytes.round()).collect();
    assert_eq!(bytes, [500_000.0, 1_001_000.0]);
}

#[test]
fn a_sender_that_fails_layer_by_layer_takes_the_kv_with_it() {
    // Reserved on 2 at once, sent from 1.1 ms on. At 6 ms the sender fails, before the first token.
    let (record, ledger) = lone(Overlap::LayerWise, &[fails(0, 6.0, None)]);
    assert_eq!((record.outcome, record.failures), (Outcome::Completed, 1));
    assert_eq!((in_ms(record.prefill_start), in_ms(record.first_token)), (56.0, 67.0));
    // The last byte 100 ms after the first, which leaves a layer after the start.
    approx::assert_abs_diff_eq!(in_ms(record.delivered), 56.0 + 1.1 + 100.01, epsilon = 1e-3);
    assert_eq!(record.recovery, [ms(56.0), ms(0.0)]);
    approx::assert_abs_diff_eq!(ledger.transfers[0].2, 4.9e-3 * 10e6, epsilon = 1.0);
}

#[test]
fn a_receiver_that_fails_in_flight_costs_the_timeout_of_the_sender() {
    let (record, ledger) = lone(Overlap::AfterPrefill, &[fails(2, 61.0, Some(1000.0))]);
    // The sender keeps the blocks and offers them again at 261 ms, to 3: nothing is computed again.
    assert_eq!((record.failures, record.recomputed_tokens, record.decode_instance.unwrap().0), (0, 0, 3));
    assert_eq!((in_ms(record.reserved), in_ms(record.delivered)), (261.0, 361.01));
    assert_eq!((in_ms(record.first_token), in_ms(Some(record.done))), (11.0, 361.01 + 90.0));
    assert_eq!(ledger.transfers.iter().map(|t| t.2.round()).collect::<Vec<_>>(), [500_000.0, 1e6]);
    assert_eq!(ledger.pool(0).down_ns, 0);
}

#[test]
fn a_reservation_of_which_nothing_was_sent_is_void() {
    // Reserved at 0 on 2, which fails at 0.5 ms, before the first layer is done: the prompt goes on, and all of it goes to 3 at 11 ms.
    let (record, ledger) = lone(Overlap::LayerWise, &[fails(2, 0.5, None)]);
    assert_eq!((record.failures, record.decode_instance.unwrap().0), (0, 3));
    assert_eq!((in_ms(record.reserved), in_ms(record.delivered)), (11.0, 111.01));
    assert_eq!(ledger.transfers.iter().map(|t| t.2.round()).collect::<Vec<_>>(), [1e6]);
}

#[test]
fn a_receiver_that_fails_layer_by_layer_costs_the_timeout_and_the_prompt_goes_on() {
    let (record, _) = lone(Overlap::LayerWise, &[fails(2, 6.0, None)]);
    assert_eq!((in_ms(record.first_token), in_ms(record.reserved)), (11.0, 206.0));
    assert_eq!((in_ms(record.delivered), record.recomputed_tokens, record.decode_instance.unwrap().0), (306.01, 0, 3));
}

#[test]
fn what_has_arrived_or_is_decoded_is_computed_again_with_the_tokens_that_have_left() {
    // Decoded on 2 from 111.01 ms on, tokens at 121.01 and 131.01; fails at 136 ms.
    let (record, ledger) = lone(Overlap::AfterPrefill, &[fails(2, 136.0, None)]);
    assert_eq!(record.outcome, Outcome::Completed);
    // Sent again at 186 ms to 1: 1,003 tokens, then the fourth token.
    let resumed = 186.0 + 11.003;
    assert_eq!((in_ms(record.first_token), in_ms(record.second_token), in_ms(record.resumed)), (11.0, 121.01, resumed));
    assert_eq!((record.recomputed_tokens, record.recovery), (1002, [ms(0.0), ms(resumed - 136.0)]));
    // 1,003 tokens on the wire, then six more of 10 ms.
    assert_eq!(in_ms(record.delivered), resumed + 100.31);
    assert_eq!(in_ms(Some(record.done)), resumed + 100.31 + 60.0);
    // The stall is one gap: Σ of all is the time from the first token to the last, and there is one gap fewer than tokens.
    assert_eq!((record.gap_count, record.gap_sum_ns), (9, record.done.since(record.first_token.unwrap()).ns()));
    assert_eq!((ledger.gaps, ledger.gap_ns, ledger.tokens_out), (9, u128::from(record.gap_sum_ns), 10));
    // 2 computed two whole iterations and 4.99 ms of a third.
    assert_eq!(ledger.pool(1).busy_ns, u128::from(ms(24.99 + 60.0).ns()));
}

#[test]
fn a_token_at_the_instant_of_the_failure_has_left() {
    let (record, _) = lone(Overlap::AfterPrefill, &[fails(2, 131.01, None)]);
    assert_eq!((record.recomputed_tokens, in_ms(record.resumed)), (1002, 192.013));
    assert_eq!((record.gap_count, record.gap_sum_ns), (9, record.done.since(record.first_token.unwrap()).ns()));
}

#[test]
fn a_request_is_sent_again_so_often_and_has_then_failed() {
    // Nothing else serves: lost at 5 ms, refused at 55, 130 and 242.5 ms.
    let spec = mixed(1, &[fails(0, 5.0, None)]);
    let ledger = audited(spec.clone(), Listed::new([(0, request(1000, 2))]));
    let record = ledger.records[0];
    assert_eq!((record.outcome, record.outcome.name(), record.failures), (Outcome::Failed, "failed", 4));
    assert_eq!((in_ms(Some(record.done)), record.recovery()), (242.5, ms(242.5)));
    assert_booked(&ledger, &spec);
    // Without retries at once.
    let mut spec = spec;
    spec.retry.attempts = 0;
    let ledger = audited(spec, Listed::new([(0, request(1000, 2))]));
    assert_eq!((ledger.records[0].outcome, in_ms(Some(ledger.records[0].done))), (Outcome::Failed, 5.0));
}

#[test]
fn back_off_grows_up_to_its_limit() {
    let mut spec = mixed(1, &[fails(0, 0.0, None)]);
    spec.retry.attempts = 6;
    spec.retry.max_back_off = ms(100.0);
    let ledger = audited(spec, Listed::new([(MS, request(1000, 2))]));
    // 50 + 75 + 100 · 4.
    assert_eq!(in_ms(Some(ledger.records[0].done)), 1.0 + 525.0);
}

#[test]
fn an_instance_comes_back_empty_and_serves() {
    let mut fault = fails(0, 20.0, Some(30.0));
    fault.start = ms(20.0);
    let spec = mixed(1, &[fault]);
    let ledger = audited(spec.clone(), Listed::new([(0, request(1000, 5))]));
    let record = ledger.records[0];
    // First token at 11 ms, fails in the first decode iteration. Refused at 70 minus nothing: it is ready again at 70 ms, as the retry comes.
    let lives: Vec<(f64, Life)> = ledger.lives.iter().map(|&(at, _, life)| (in_ms(Some(at)), life)).collect();
    assert_eq!(lives, [(20.0, Life::Down), (50.0, Life::Starting), (70.0, Life::Active)]);
    // A retry at 70 ms precedes the end of the start: refused, and sent again after 75 ms.
    assert_eq!((record.failures, in_ms(record.resumed)), (2, 145.0 + 11.001));
    // While it starts it draws its idle power: (100 W + 50 W) and 10 %.
    assert_eq!(ledger.phases[&Phase::Startup], ledger.phases[&Phase::Startup] / 20_000_000 * 20_000_000);
    assert!(ledger.phases[&Phase::Startup] > 0);
    assert_booked(&ledger, &spec);
}

#[test]
fn routers_learn_of_a_failure_at_the_next_health_check() {
    // Requests in turn every 10 ms; 0 is off from 5 ms on, and known to be from 100 ms on.
    let mut spec = mixed(2, &[fails(0, 5.0, None)]);
    spec.health_check = Some(ms(100.0));
    spec.retry.back_off = ms(1000.0);
    let ledger = audited(spec, Listed::new((1..20).map(|i| (i * 10 * MS, request(100, 1)))));
    let refused: Vec<u64> = ledger.records.iter().filter(|r| r.failures > 0).map(|r| r.arrived.ns() / MS).collect();
    assert_eq!(refused, [10, 30, 50, 70, 90], "every other one, until the routers know");
    assert!(ledger.records.iter().all(|r| r.outcome == Outcome::Completed));
    // One at the instant of the check still comes before it.
    assert_eq!(ledger.records[9].arrived.ns(), 100 * MS);
}

#[test]
fn a_planned_restart_loses_nothing() {
    let fault = Fault { drain: true, ..fails(0, 5.0, Some(100.0)) };
    let spec = mixed(2, &[fault]);
    // Two on each when the restart is asked for, and one after it.
    let mut requests: Vec<(u64, RequestSpec)> = (0..4).map(|i| (i * MS, request(1000, 10))).collect();
    requests.push((6 * MS, request(1000, 10)));
    let ledger = audited(spec.clone(), Listed::new(requests));
    assert!(ledger.records.iter().all(|r| r.outcome == Outcome::Completed && r.failures == 0));
    assert_eq!(ledger.records[4].prefill_instance.unwrap().0, 1);
    let last = ledger.records.iter().filter(|r| r.prefill_instance.unwrap().0 == 0).map(|r| r.done).max().unwrap();
    let lives: Vec<(SimTime, u32, Life)> = ledger.lives.iter().map(|&(at, id, life)| (at, id.0, life)).collect();
    let at = |ms| SimTime::from_ns(ms * MS);
    assert_eq!(lives[..2], [(at(5), 0, Life::Draining), (last, 0, Life::Down)]);
    assert_booked(&ledger, &spec);
}

#[test]
fn without_a_decode_instance_prompts_are_sent_again_and_not_left_behind() {
    // Both decode instances are off from 20 ms to 120 ms, when the prompt is on the wire or waits: nothing is stuck, nothing is lost.
    let faults = [fails(2, 20.0, Some(100.0)), fails(3, 20.0, Some(100.0))];
    for overlap in [Overlap::AfterPrefill, Overlap::LayerWise] {
        let ledger = audited(apart(overlap, &faults), Listed::new((0..6).map(|i| (i * 4 * MS, request(1000, 3)))));
        assert!(ledger.records.iter().all(|r| r.outcome == Outcome::Completed), "{overlap:?}");
        let for_good = [fails(2, 20.0, None), fails(3, 20.0, None)];
        let ledger = audited(apart(overlap, &for_good), Listed::new((0..6).map(|i| (i * 4 * MS, request(1000, 3)))));
        assert!(ledger.records.iter().all(|r| r.outcome == Outcome::Failed), "{overlap:?}");
    }
}

#[test]
fn clients_that_have_left_hold_nothing_after_a_failure() {
    // The client leaves at 60 ms, while its KV is on the wire; then either end fails.
    for (instance, overlap) in [(0, Overlap::AfterPrefill), (2, Overlap::AfterPrefill), (0, Overlap::LayerWise), (2, Overlap::LayerWise)] {
        for timeout in [5.0, 60.0, 115.0] {
            let mut spec = apart(overlap, &[fails(instance, timeout + 1.0, None)]);
            spec.classes[0].timeout = Some(ms(timeout));
            let ledger = audited(spec, Listed::new([(0, request(1000, 10))]));
            assert_eq!(ledger.records[0].outcome, Outcome::TimedOut);
        }
        // A client that leaves during the back-off, or while the sender waits for its timeout.
        let mut spec = apart(overlap, &[fails(instance, 9.0, None)]);
        spec.classes[0].timeout = Some(ms(30.0));
        let ledger = audited(spec, Listed::new([(0, request(1000, 10))]));
        assert_eq!((ledger.records[0].outcome, in_ms(Some(ledger.records[0].done))), (Outcome::TimedOut, 30.0));
    }
}

#[test]
fn a_fault_of_an_instance_that_there_is_not_is_refused() {
    let error = Cluster::new(&mixed(2, &[fails(2, 1.0, None)]), tokenmill::cluster::Silent).unwrap_err();
    assert_eq!(error, SpecError::Fault(2, 2));
}

#[test]
fn a_fault_after_the_last_request_does_not_prolong_the_run() {
    let ledger = audited(mixed(1, &[fails(0, 1e6, None)]), Listed::new([(0, request(1000, 2))]));
    assert_eq!(in_ms(Some(ledger.end)), 21.0);
}

/// Turns instance 1 into a decode instance at 30 ms.
#[derive(Debug)]
struct Turn(Option<SimTime>);

impl Controller for Turn {
    fn next(&self) -> Option<SimTime> {
        self.0
    }
    fn tick(&mut self, _: SimTime, fleet: &dyn FleetView, orders: &mut Vec<Order>) {
        assert_eq!((fleet.len(), fleet.role(1), fleet.life(1)), (4, Role::Prefill, Life::Active));
        assert!(fleet.read(1, Signal::InFlight) > 0.0);
        orders.push(Order::Flip { instance: 1, role: Role::Decode });
        self.0 = None;
    }
}

#[test]
fn a_controller_turns_a_prefill_instance_into_a_decode_instance() {
    let spec = apart(Overlap::AfterPrefill, &[]);
    let mut cluster = Cluster::new(&spec, Ledger::default()).unwrap();
    cluster.add_controller(Box::new(Turn(Some(SimTime::from_ns(30 * MS))))).unwrap();
    cluster.run(&mut Listed::new((0..60).map(|i| (i * 10 * MS, request(500, 20)))), |_, _| true).unwrap();
    let ledger = cluster.into_observer();
    assert!(ledger.records.iter().all(|r| r.outcome == Outcome::Completed && r.failures == 0));
    let turned = ledger.lives.iter().find(|(_, id, life)| id.0 == 1 && *life == Life::Active).unwrap().0;
    let late = || ledger.records.iter().filter(|r| r.arrived > turned);
    assert!(late().all(|r| r.prefill_instance.unwrap().0 == 0));
    assert!(late().any(|r| r.decode_instance.unwrap().0 == 1));
}

fn any_fault() -> impl Strategy<Value = Fault> {
    (0u32..600, 0usize..4, prop::option::of(1u32..300), 0u32..50, any::<bool>()).prop_map(|(at, instance, down, start, drain)| Fault {
        at: ms(at.into()),
        instance,
        down: down.map(|down| ms(down.into())),
        start: ms(start.into()),
        drain,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    /// Whatever fails whenever: every request ends once, every nanosecond is booked, no invariant breaks, and passing over iterations changes
    /// nothing.
    #[test]
    fn nothing_leaves_the_books(
        faults in prop::collection::vec(any_fault(), 0..8),
        layer_wise in any::<bool>(),
        requests in prop::collection::vec((0u64..500, 1u32..3000, 1u32..60, 0u64..3), 1..40),
        tight in any::<bool>(),
        timeout in prop::option::of(20u32..2000),
        health in prop::option::of(1u32..100),
        first_token in prop::sample::select(vec![FirstToken::Immediate, FirstToken::Seeded, FirstToken::Recomputed]),
    ) {
        let mut spec = apart(if layer_wise { Overlap::LayerWise } else { Overlap::AfterPrefill }, &faults);
        for pool in &mut spec.pools {
            if tight {
                pool.engine.kv_blocks = 260;
                pool.engine.max_num_batched_tokens = 700;
                pool.engine.max_model_len = 260 * 16;
            }
            pool.port_bytes_per_s = 50e6;
        }
        spec.classes[0].timeout = timeout.map(|at| ms(at.into()));
        spec.network.first_token = first_token;
        spec.health_check = health.map(|period| ms(period.into()));
        let mut asked: Vec<(u64, RequestSpec)> = requests
            .iter()
            .map(|&(at, prompt, output, family)| {
                let ids = (0..u64::from(prompt) / 64).map(|i| if family == 0 { at * 1000 + i } else { family * 100 + i }).collect();
                (at * MS, request(prompt, output).with_blocks(ids))
            })
            .collect();
        asked.sort_by_key(|&(at, _)| at);
        let ledger = audited(spec.clone(), Listed::new(asked.clone()));
        prop_assert_eq!(ledger.records.len(), asked.len());
        for record in &ledger.records {
            prop_assert!(record.outcome != Outcome::InFlight);
            prop_assert!(record.outcome != Outcome::Completed || record.output_tokens >= 1);
            prop_assert!(record.outcome != Outcome::Completed || record.second_token.is_some() == (record.output_tokens > 1));
            prop_assert!(record.gap_count == u64::from(record.output_tokens.saturating_sub(1)));
            if let Some(first) = record.first_token && record.outcome == Outcome::Completed {
                prop_assert_eq!(record.gap_sum_ns, record.done.since(first).ns());
                let stages = tokenmill::metrics::stages(record);
                let sum: u64 = stages.iter().map(|span| span.ns()).sum();
                prop_assert_eq!(sum, record.done.since(record.arrived).ns());
            }
        }
        let tokens: u64 = ledger.records.iter().map(|record| u64::from(record.output_tokens)).sum();
        prop_assert_eq!(ledger.tokens_out, tokens);
        assert_booked(&ledger, &spec);
        let stepped = audited(ClusterSpec { fast_forward: false, ..spec }, Listed::new(asked));
        prop_assert_eq!(format!("{:?}", ledger.records), format!("{:?}", stepped.records));
        prop_assert_eq!(ledger.energy(), stepped.energy());
    }
}
