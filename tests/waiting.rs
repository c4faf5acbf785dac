//! Routers of a crate outside that keep the queue themselves: requests wait before the instances until an end is heard.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tokenmill::cluster::Silent;
use tokenmill::document::Input;
use tokenmill::metrics::RequestRow;
use tokenmill::policy::{Candidates, Controller, Entry, FleetView, Order, Outcome, Pick, Policies, RequestView, Router, Served, Signal};
use tokenmill::scenario::{Library, Scenario};
use tokenmill::sim::{SimDuration, SimTime};
use tokenmill::study::{Options, StudyError, simulate};

use crate::cli::TINY;
use crate::policies::every_way;
use crate::support::Rows;

/// So many requests an instance; the others wait, the shortest prompt first.
#[derive(Debug)]
struct ShortestFirst {
    places: usize,
    waiting: BTreeSet<(u32, u64)>,
    /// The instance of each request inside.
    inside: BTreeMap<u64, u32>,
    /// Requests named and not yet routed.
    named: BTreeSet<u64>,
}

impl ShortestFirst {
    fn new(places: usize) -> Self {
        Self { places, waiting: BTreeSet::new(), inside: BTreeMap::new(), named: BTreeSet::new() }
    }

    fn free(&self, candidates: &dyn Candidates) -> Option<usize> {
        let load = |i: usize| self.inside.values().filter(|&&instance| instance == candidates.instance(i)).count();
        (0..candidates.len()).filter(|&i| candidates.eligible(i) && load(i) < self.places).min_by_key(|&i| load(i))
    }
}

impl Router for ShortestFirst {
    fn route(&mut self, request: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
        // One whose instance has failed is inside no longer.
        self.inside.remove(&request.request);
        let named = self.named.remove(&request.request);
        let place = self.free(candidates).filter(|_| named || self.waiting.is_empty());
        for i in 0..candidates.len() {
            assert!(Signal::ALL.iter().all(|&signal| candidates.read(i, signal) >= 0.0));
        }
        if let Some(place) = place {
            return Pick::To(place);
        }
        self.waiting.insert((request.prompt_tokens, request.request));
        Pick::Wait { until: SimTime::NEVER }
    }
    fn listens(&self) -> bool {
        true
    }
    fn assigned(&mut self, request: &RequestView<'_>, instance: u32) {
        self.inside.insert(request.request, instance);
    }
    fn ended(&mut self, request: &Served, _: Outcome) {
        self.waiting.retain(|&(_, id)| id != request.request);
        self.inside.remove(&request.request);
    }
    fn ready(&mut self) -> Option<u64> {
        // One for each place: three instances.
        let free = (3 * self.places).saturating_sub(self.inside.len() + self.named.len());
        if free == 0 {
            return None;
        }
        let (_, id) = self.waiting.pop_first()?;
        self.named.insert(id);
        Some(id)
    }
}

fn load(places: usize, sets: &[&str]) -> Scenario {
    let mut policies = Policies::default();
    let entry = Entry::<dyn Router>::plain("shortest-first", "A queue of its own.", move |_| Box::new(ShortestFirst::new(places)));
    policies.routers = policies.routers.with(entry);
    let pools =
        "cluster.pools=[{name: m, role: mixed, node: dgx-h100, instances: 3, perf: {affine: {base: 2 ms, per_prompt_token: 20 us}}}]";
    let sets: Vec<String> =
        ["policies.router=shortest-first", "run.warmup=0 s", pools].iter().chain(sets).map(|&set| set.to_owned()).collect();
    let library = Library::default().with_policies(policies);
    Scenario::load(Input::Text { name: "tiny.yaml", text: TINY }, &sets, &library).unwrap_or_else(|errors| panic!("{errors}"))
}

fn rows(places: usize, sets: &[&str]) -> Vec<RequestRow> {
    every_way(&load(places, sets))
}

/// Ticks for ever and gives no orders.
#[derive(Debug)]
struct Metronome {
    next: SimTime,
}

impl Controller for Metronome {
    fn next(&self) -> Option<SimTime> {
        Some(self.next)
    }
    fn tick(&mut self, now: SimTime, _: &dyn FleetView, _: &mut Vec<Order>) {
        self.next = now + SimDuration::from_ns(1_000_000);
    }
}

/// Has everything wait for good.
#[derive(Debug)]
struct Forgetful;

impl Router for Forgetful {
    fn route(&mut self, _: &RequestView<'_>, _: &dyn Candidates) -> Pick {
        Pick::Wait { until: SimTime::NEVER }
    }
}

/// A request that waits for good ends the run with a word about the policy, though reports and ticks go on for ever.
#[test]
fn requests_that_wait_for_good_are_an_error_of_the_policy() {
    let all = "(300 of them, the first is number 0)";
    // Handoffs wait in one queue, whose first is the only one that the router has been asked about.
    let first = "(1 of them, the first is number 0)";
    let cases: [(&str, &[&str], &str); 6] = [
        ("{prefill: forgetful}", &[], all),
        ("{prefill: forgetful}", &["policies.reports={period: 10 ms}"], all),
        ("{prefill: forgetful}", &["policies.reports={period: 10 ms}", "policies.control=metronome"], all),
        ("{prefill: forgetful}", &["faults=[{at: 1 s, instance: p/0, down: 500 ms}]"], all),
        ("{decode: forgetful}", &[], first),
        ("{decode: forgetful}", &["policies.reports={period: 10 ms}", "cluster.network.kv.overlap=after-prefill"], first),
    ];
    for (router, sets, waiting) in cases {
        let mut policies = Policies::default();
        policies.routers = policies.routers.with(Entry::<dyn Router>::plain("forgetful", "Never.", |_| Box::new(Forgetful)));
        let metronome = Entry::<dyn Controller>::plain("metronome", "Ticks.", |_| Box::new(Metronome { next: SimTime::ZERO }));
        policies.controllers = policies.controllers.with(metronome);
        let sets: Vec<String> = [format!("policies.router={router}")].into_iter().chain(sets.iter().map(|&set| set.to_owned())).collect();
        let library = Library::default().with_policies(policies);
        let scenario =
            Scenario::load(Input::Text { name: "tiny.yaml", text: TINY }, &sets, &library).unwrap_or_else(|errors| panic!("{errors}"));
        let error = simulate(&scenario, Options::default(), Rows::default(), Silent, |_| true).unwrap_err();
        assert!(matches!(error, StudyError::Forgotten(_)), "{sets:?}: {error:?}");
        assert_eq!(
            error.to_string(),
            format!(
                "the router has requests wait for good {waiting}: nothing is to come at which it is asked about them, and it does not name them by `ready`"
            )
        );
    }
}

/// Clients that give up end the wait.
#[test]
fn timeouts_end_a_wait_for_good() {
    let rows = rows(0, &["workload.chat.timeout=2 s", "policies.reports={period: 10 ms}"]);
    assert!(rows.len() == 300 && rows.iter().all(|row| row.record.outcome == Outcome::TimedOut));
}

/// One request an instance: work conserving, and the shortest prompt is served next, at the very instant of an end.
#[test]
fn a_queue_before_the_instances_is_served_when_an_end_is_heard() {
    let mut records: Vec<_> =
        rows(1, &["workload.chat.synthetic.arrivals={constant: {rate: 60 /s}}"]).into_iter().map(|row| row.record).collect();
    records.sort_unstable_by_key(|record| record.prefill_start);
    let mut waited = 0;
    for record in &records {
        let start = record.prefill_start.unwrap();
        let inside = |at: SimTime| records.iter().filter(|other| other.prefill_start.unwrap() <= at && other.done > at).count();
        assert!(inside(start) <= 3, "{record:?}");
        if start > record.arrived {
            waited += 1;
            assert!(records.iter().any(|other| other.done == start), "{record:?}");
            let overtaken = records.iter().find(|other| {
                other.arrived < start
                    && other.prefill_start.unwrap() > start
                    && (other.prompt_tokens, other.id) < (record.prompt_tokens, record.id)
            });
            assert!(overtaken.is_none(), "{record:?} {overtaken:?}");
        }
    }
    assert!(waited > 100, "{waited}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    /// Nothing is lost where clients give up and instances fail while requests wait.
    #[test]
    fn requests_that_wait_for_news_are_not_lost(places in 1usize..4, timeout in 200u32..3000, failing in 0u32..3, seed in 0u64..1000) {
        let sets = [
            "workload.chat.synthetic.arrivals={constant: {rate: 60 /s}}".to_owned(),
            format!("workload.chat.timeout={timeout} ms"),
            format!("faults=[{{at: 1 s, instance: m/{failing}, down: 500 ms}}]"),
            "policies.retry={attempts: 20}".to_owned(),
            format!("seed={seed}"),
        ];
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        let rows = rows(places, &sets);
        prop_assert!(rows.len() == 300);
        for row in rows {
            prop_assert!(matches!(row.record.outcome, Outcome::Completed | Outcome::TimedOut), "{:?}", row.record);
        }
    }
}
