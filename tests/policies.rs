//! Policies of a crate outside: named in YAML, with parameters, and equal to their twins inside.

use std::collections::BTreeMap;

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokenmill::Simulation;
use tokenmill::cluster::Silent;
use tokenmill::document::Input;
use tokenmill::policy::{
    Admission, Admit, Candidates, Entry, Eviction, Outcome, Pick, Policies, Refusal, RequestView, Router, Served, Signal,
};
use tokenmill::scenario::{Library, Scenario};
use tokenmill::sim::{SimDuration, SimTime};
use tokenmill::study::Options;

use crate::cli::TINY;
use crate::support::simulate_with;

/// `least-request`, written again by somebody else; or the other signal.
#[derive(Debug)]
struct Twin(Signal);

impl Router for Twin {
    fn route(&mut self, _: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
        let load = |i: usize| candidates.read(i, self.0) as u64;
        (0..candidates.len()).filter(|&i| candidates.eligible(i)).min_by_key(|&i| load(i)).into()
    }
}

/// What loads are compared by.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Parameters {
    /// Tokens instead of requests.
    tokens: bool,
}

fn library() -> Library {
    let twin = Entry::<dyn Router>::with("twin", "A twin of another.", |parameters: &Parameters, _| {
        Box::new(Twin(if parameters.tokens { Signal::PendingTokens } else { Signal::InFlight }))
    });
    let mut policies = Policies::default();
    policies.routers = policies.routers.with(twin.also(&["double"]));
    Library::default().with_policies(policies)
}

fn load(router: &str) -> Result<Scenario, String> {
    let sets = [format!("policies.router={router}"), "cluster.pools.p.instances=3".to_owned()];
    Scenario::load(Input::Text { name: "tiny.yaml", text: TINY }, &sets, &library()).map_err(|errors| errors.to_string())
}

fn rows(router: &str) -> String {
    let scenario = load(router).unwrap();
    let (result, rows, _) = simulate_with(&scenario, Options::default(), Silent);
    format!("{rows:?}\n{:?}", result.timeline)
}

#[test]
fn a_router_of_another_crate_decides_as_its_twin_inside() {
    for (outside, inside) in [
        ("twin", "least-request"),
        ("{twin: {}}", "least-request"),
        ("{twin: {tokens: true}}", "least-tokens"),
        ("double", "least-request"),
    ] {
        assert!(rows(outside) == rows(inside), "{outside}");
    }
    assert!(rows("{twin: {tokens: true}}") != rows("twin"), "the parameter has an effect");
}

#[test]
fn a_resolved_scenario_has_every_parameter_and_runs_again() {
    let scenario = load("{prefill: twin, decode: {twin: {tokens: true}}}").unwrap();
    let text = &scenario.resolved_yaml;
    assert!(text.contains("tokens: false") && text.contains("tokens: true"), "{text}");
    let again = Scenario::load(Input::Text { name: "resolved.yaml", text }, &[], &library()).unwrap();
    assert_eq!((&again.resolved_yaml, &again.input_hash), (text, &scenario.input_hash));
    // Without its author's crate the name means nothing.
    let stranger = Scenario::load(Input::Text { name: "resolved.yaml", text }, &[], &Library::default()).unwrap_err();
    assert!(stranger.to_string().contains("twin"), "{stranger}");
}

#[test]
fn what_a_router_has_not_is_told_with_its_place() {
    for (router, told) in [
        ("twinn", "did you mean `twin`?"),
        ("{twin: {token: true}}", "did you mean `tokens`?"),
        ("{twin: {tokens: 3}}", "policies.router.twin.tokens"),
        ("{least-request: {limit: 1}}", "`least-request` has no parameters"),
        ("{twin: {}, random: {}}", "policies.router"),
        ("{prefix-hit: {load_factor: 0.5}}", "expected a number from 1 to 1000000"),
        ("{prefix-hit: {load_factor: -.inf}}", "expected a number from 1 to 1000000"),
        ("{prefix-hit: {load_factor: fast}}", "expected a number from 1 to 1000000"),
        ("{prefix-hit: {load_factr: 2}}", "did you mean `load_factor`?"),
    ] {
        let errors = load(router).err().unwrap_or_default();
        assert!(errors.contains(told) && errors.contains("--set #1:1:"), "{router}: {errors}");
    }
}

/// Asks some of the candidates for all that there is to ask, then decides as another router does.
#[derive(Debug)]
struct Nosy {
    inner: Box<dyn Router>,
    /// Which candidates are asked, by bit.
    mask: u64,
}

impl Router for Nosy {
    fn route(&mut self, request: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
        self.mask = self.mask.rotate_left(7);
        for i in (0..candidates.len()).filter(|i| self.mask >> (i % 64) & 1 == 1) {
            let _ = (candidates.eligible(i), candidates.instance(i), Signal::ALL.map(|signal| candidates.read(i, signal)));
        }
        for signal in Signal::ALL.into_iter().filter(|_| self.mask & 2 == 2) {
            let _ = candidates.least(signal);
            let first = candidates.greatest(signal).next();
            let mut all: Vec<(usize, f64)> = (0..candidates.len()).map(|i| (i, candidates.read(i, signal))).collect();
            all.retain(|(_, read)| *read > 0.0);
            all.sort_by(|one, other| other.1.total_cmp(&one.1));
            assert_eq!(first, all.first().copied());
            assert_eq!(candidates.greatest(signal).collect::<Vec<_>>(), all);
        }
        self.inner.route(request, candidates)
    }
}

/// Everything that a run says, under a router which asks the candidates of a mask before it decides.
fn told(sets: &[String], inner: &'static str, mask: u64) -> String {
    let nosy = Entry::<dyn Router>::plain("nosy", "Asks.", move |stream| {
        Box::new(Nosy { inner: crate::support::router(inner).build(stream), mask })
    });
    let mut policies = Policies::default();
    policies.routers = policies.routers.with(nosy);
    let any = Entry::<dyn Eviction>::plain("any", "Ranks without sense, which expire.", |_| Box::new(crate::evictions::Any(1)));
    policies.evictions = policies.evictions.with(any);
    let library = Library::default().with_policies(policies);
    let sets: Vec<String> = sets.iter().cloned().chain(["policies.router=nosy".to_owned()]).collect();
    let scenario = Scenario::load(Input::Text { name: "tiny.yaml", text: TINY }, &sets, &library).unwrap();
    let (result, rows, _) = simulate_with(&scenario, Options { audit: false, ..Options::default() }, Silent);
    format!("{}\n{rows:?}\n{:?}\n{:?}", tokenmill::report::summary_json(&result.summary).unwrap(), result.timeline, result.distributions)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Asking changes nothing, whoever is asked, whenever: prefixes are looked up in the middle of runs that evict as they go.
    #[test]
    fn asking_changes_no_result(
        mask in any::<u64>(),
        mixed in any::<bool>(),
        layer_wise in any::<bool>(),
        blocks in 60u32..200,
        groups in 1u32..6,
        seed in 0u64..1000,
        eviction in proptest::sample::select(vec!["lru", "any"]),
        inner in proptest::sample::select(vec!["round-robin", "least-request", "least-tokens", "power-of-two", "prefix-hit"]),
    ) {
        let prefix = format!("workload.chat.synthetic.shared_prefix={{groups: {groups}, tokens: 64}}");
        let pools = if mixed {
            format!("cluster.pools=[{{name: m, role: mixed, node: dgx-h100, instances: 3, engine: {{num_gpu_blocks_override: {blocks}}}, perf: {{affine: {{base: 2 ms, per_prompt_token: 20 us, per_sequence: 100 us}}}}}}]")
        } else {
            format!("cluster.pools.d.engine.num_gpu_blocks_override={blocks}")
        };
        let overlap = format!("cluster.network.kv.overlap={}", if layer_wise { "layer-wise" } else { "after-prefill" });
        let sets: Vec<String> = [prefix, pools, overlap, format!("seed={seed}"), "run.requests=200".to_owned(), format!("policies.eviction={eviction}")].to_vec();
        let quiet = told(&sets, inner, 0);
        prop_assert!(quiet == told(&sets, inner, mask), "{:?}", sets);
        prop_assert!(quiet == told(&sets, inner, u64::MAX), "{:?}", sets);
    }
}

/// A scenario with a router of the test's, on mixed instances or split apart, loaded enough to queue.
fn with_router(mixed: bool, sets: &[&str], make: impl Fn() -> Box<dyn Router> + Send + Sync + 'static) -> Scenario {
    let entry = Entry::<dyn Router>::plain("tested", "Of a test.", move |_| make());
    let mut policies = Policies::default();
    policies.routers = policies.routers.with(entry);
    let pools = "cluster.pools=[{name: m, role: mixed, node: dgx-h100, instances: 3, engine: {num_gpu_blocks_override: 300}, \
                 perf: {affine: {base: 2 ms, per_prompt_token: 20 us, per_sequence: 100 us}}}]";
    let mut all = vec!["policies.router=tested".to_owned(), "run.requests=300".to_owned(), "run.warmup=0 s".to_owned()];
    all.extend(mixed.then(|| pools.to_owned()));
    all.extend(sets.iter().map(|set| (*set).to_owned()));
    let library = Library::default().with_policies(policies);
    Scenario::load(Input::Text { name: "tiny.yaml", text: TINY }, &all, &library).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The rows of a run, the same stepped, audited and recorded aside.
pub(crate) fn every_way(scenario: &Scenario) -> Vec<tokenmill::metrics::RequestRow> {
    let (_, rows, Silent) = simulate_with(scenario, Options::default(), Silent);
    for options in [
        Options { fast_forward: false, ..Options::default() },
        Options { audit: true, ..Options::default() },
        Options { aside: true, ..Options::default() },
    ] {
        let (_, again, Silent) = simulate_with(scenario, options, Silent);
        assert!(format!("{again:?}") == format!("{rows:?}"), "{options:?}");
    }
    rows
}

/// Every request waits for the next whole second; one in five is refused, on arrival or at its handoff.
#[derive(Debug)]
struct Hesitant {
    refuses: bool,
}

impl Router for Hesitant {
    fn route(&mut self, request: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
        let second = SimTime::from_ns(request.now.ns().div_ceil(1_000_000_000) * 1_000_000_000);
        match request.request % 5 {
            0 if self.refuses => Pick::Refuse(Refusal::QueueFull),
            _ if request.now < second => Pick::Wait { until: second },
            _ => candidates.least(Signal::PendingTokens).into(),
        }
    }
}

#[test]
fn a_router_may_have_requests_wait_and_refuse_them() {
    for (mixed, router) in [(true, "tested"), (false, "tested"), (false, "{prefill: tested, decode: round-robin}")] {
        for overlap in ["layer-wise", "after-prefill"] {
            let sets = [format!("policies.router={router}"), format!("cluster.network.kv.overlap={overlap}")];
            let sets: Vec<&str> = sets.iter().map(String::as_str).filter(|set| !mixed || !set.contains("network")).collect();
            let scenario = with_router(mixed, &sets, || Box::new(Hesitant { refuses: true }));
            for row in every_way(&scenario) {
                let record = row.record;
                let expected = if record.id.is_multiple_of(5) { Outcome::Refused(Refusal::QueueFull) } else { Outcome::Completed };
                assert_eq!(record.outcome, expected, "{record:?}");
                if expected == Outcome::Completed {
                    let second = record.arrived.ns().div_ceil(1_000_000_000) * 1_000_000_000;
                    assert!(record.prefill_start.unwrap().ns() >= second, "{record:?}");
                }
            }
        }
    }
}

/// A request that is refused only once its prompt is computed, and one whose client gives up while the router has it wait.
#[test]
fn a_handoff_may_be_refused_and_a_wait_may_outlast_the_client() {
    for overlap in ["layer-wise", "after-prefill"] {
        let sets = ["policies.router={prefill: round-robin, decode: tested}", &format!("cluster.network.kv.overlap={overlap}")];
        let rows = every_way(&with_router(false, &sets, || Box::new(Hesitant { refuses: true })));
        let refused = rows.iter().filter(|row| row.record.outcome == Outcome::Refused(Refusal::QueueFull));
        assert!(refused.clone().count() == 60, "{}", refused.count());
        assert!(refused.clone().all(|row| row.record.prefill_start.is_some() == (overlap == "after-prefill")));
    }
    let rows = every_way(&with_router(true, &["workload.chat.timeout=300 ms"], || Box::new(Hesitant { refuses: false })));
    assert!(rows.iter().any(|row| row.record.outcome == Outcome::TimedOut && row.record.prefill_start.is_none()));
}

/// The fewest requests in flight, by its own count of what it has heard.
#[derive(Debug, Default)]
struct Bookkeeper {
    inside: BTreeMap<u32, u64>,
}

impl Router for Bookkeeper {
    fn route(&mut self, _: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
        let load = |i: usize| self.inside.get(&candidates.instance(i)).copied().unwrap_or_default();
        for i in 0..candidates.len() {
            assert_eq!(load(i), candidates.read(i, Signal::InFlight) as u64);
        }
        (0..candidates.len()).filter(|&i| candidates.eligible(i)).min_by_key(|&i| load(i)).into()
    }
    fn listens(&self) -> bool {
        true
    }
    fn assigned(&mut self, _: &RequestView<'_>, instance: u32) {
        *self.inside.entry(instance).or_default() += 1;
    }
    fn ended(&mut self, request: &Served, _: Outcome) {
        if let Some(inside) = request.prefill.and_then(|instance| self.inside.get_mut(&instance)) {
            *inside -= 1;
        }
    }
}

#[test]
fn a_router_that_listens_counts_as_the_cluster_does() {
    let rows = every_way(&with_router(true, &[], || Box::<Bookkeeper>::default()));
    let twin = with_router(true, &["policies.router=least-request"], || Box::<Bookkeeper>::default());
    assert_eq!(format!("{rows:?}"), format!("{:?}", every_way(&twin)));
}

/// Decides by the times of all first tokens that it has heard of: any that it hears too late changes where requests go.
#[derive(Debug, Default)]
struct Gossip {
    heard: u64,
    first: u64,
    ended: u64,
}

impl Router for Gossip {
    fn route(&mut self, request: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
        let mixed = self.heard.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(request.request);
        let n = candidates.len();
        (0..n).map(|i| (i + (mixed >> 33) as usize) % n).find(|&i| candidates.eligible(i)).into()
    }
    fn listens(&self) -> bool {
        true
    }
    fn first_token(&mut self, request: &Served) {
        self.first += 1;
        self.heard = self.heard.rotate_left(5) ^ request.at.ns() ^ request.request;
    }
    fn ended(&mut self, request: &Served, outcome: Outcome) {
        self.ended += 1;
        assert!(outcome != Outcome::Completed || self.first >= self.ended, "{request:?}");
        self.heard = self.heard.rotate_left(3) ^ u64::from(request.output_tokens) ^ request.at.ns();
    }
}

#[test]
fn first_tokens_are_heard_when_they_leave_wherever_they_leave_from() {
    every_way(&with_router(true, &[], || Box::<Gossip>::default()));
    for first_token in ["immediate", "seeded", "recomputed"] {
        for overlap in ["layer-wise", "after-prefill"] {
            let sets = [format!("cluster.handoff.first_token={first_token}"), format!("cluster.network.kv.overlap={overlap}")];
            every_way(&with_router(false, &[&sets[0], &sets[1]], || Box::<Gossip>::default()));
        }
    }
}

/// The least of one signal, read one by one: what an instance reports is the same whether its iterations are stepped or passed over.
#[derive(Debug)]
struct Least(Signal);

impl Router for Least {
    fn route(&mut self, _: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
        let eligible = (0..candidates.len()).filter(|&i| candidates.eligible(i));
        let found = eligible.min_by(|&a, &b| candidates.read(a, self.0).total_cmp(&candidates.read(b, self.0)));
        assert_eq!(found, candidates.least(self.0));
        found.into()
    }
}

#[test]
fn every_signal_says_the_same_stepped_and_passed_over() {
    let prefix = "workload.chat.synthetic.shared_prefix={groups: 3, tokens: 64}";
    for signal in Signal::ALL {
        for mixed in [true, false] {
            every_way(&with_router(mixed, &[prefix], move || Box::new(Least(signal))));
        }
    }
}

/// An overloaded pool that lets no more in than it can hold, and one whose policy has each request wait.
#[test]
fn admission_bounds_the_queue_or_has_requests_wait() {
    let outcomes = |rows: &[tokenmill::metrics::RequestRow]| {
        let refused = rows.iter().filter(|row| row.record.outcome == Outcome::Refused(Refusal::QueueFull)).count();
        let longest = rows.iter().filter_map(|row| Some(row.record.prefill_start?.since(row.record.arrived).as_secs_f64()));
        (refused, longest.fold(0.0, f64::max))
    };
    let load = "workload.chat.synthetic.arrivals={constant: {rate: 400 /s}}";
    let run = |admission: &str| {
        let sets =
            [load, "cluster.pools.m.engine.max_num_seqs=4", &format!("policies.admission={admission}"), "policies.router=least-request"];
        outcomes(&every_way(&with_router(true, &sets, || Box::<Bookkeeper>::default())))
    };
    let (open, bounded, tight) = (run("always"), run("{queue-depth: {limit: 20}}"), run("{queue_depth: {limit: 1}}"));
    assert_eq!(open.0, 0);
    assert!(bounded.0 > 0 && tight.0 > bounded.0, "{open:?} {bounded:?} {tight:?}");
    assert!(bounded.1 < open.1 && tight.1 < bounded.1, "{open:?} {bounded:?} {tight:?}");
}

/// One request a second is let in: a token bucket of one, whose policy is asked until it says so and not again at a router that waits.
#[derive(Debug, Default)]
struct OnePerSecond {
    next: SimTime,
    asked: u64,
}

impl Admission for OnePerSecond {
    fn admit(&mut self, request: &RequestView<'_>, _: &dyn Candidates) -> Admit {
        self.asked += 1;
        if request.now < self.next {
            return Admit::NotBefore(self.next);
        }
        self.next = request.now + SimDuration::from_ns(1_000_000_000);
        Admit::Now
    }
}

#[test]
fn an_admission_policy_of_another_crate_paces_requests() {
    let mut policies = Policies::default();
    policies.admissions =
        policies.admissions.with(Entry::<dyn Admission>::plain("one-per-second", "One a second.", |_| Box::<OnePerSecond>::default()));
    policies.routers = policies.routers.with(Entry::<dyn Router>::plain("hesitant", "Waits.", |_| Box::new(Hesitant { refuses: false })));
    let library = Library::default().with_policies(policies);
    let sets =
        ["policies={admission: one-per-second, router: {prefill: hesitant, decode: round-robin}}", "run={requests: 20, warmup: 0 s}"];
    let scenario = Scenario::load(Input::Text { name: "tiny.yaml", text: TINY }, &sets.map(str::to_owned), &library).unwrap();
    let rows = every_way(&scenario);
    let mut starts: Vec<u64> = rows.iter().map(|row| row.record.prefill_start.unwrap().ns()).collect();
    starts.sort_unstable();
    // Whole seconds, by the router, and no two in one, by admission.
    assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= 900_000_000), "{starts:?}");
    assert!(scenario.resolved_yaml.contains("admission: one-per-second"));
}

/// `prefix-hit`, written again by somebody else: the most cached tokens within twice the mean load, then the fewest requests, then the first.
#[derive(Debug)]
struct PrefixTwin;

impl Router for PrefixTwin {
    fn route(&mut self, _: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
        let eligible: Vec<usize> = (0..candidates.len()).filter(|&i| candidates.eligible(i)).collect();
        let load = |i: usize| candidates.read(i, Signal::InFlight);
        let bound = 2.0 * (eligible.iter().map(|&i| load(i)).sum::<f64>() + 1.0) / eligible.len() as f64;
        let mut best: Option<(f64, f64, usize)> = None;
        for i in eligible.into_iter().filter(|&i| load(i) <= bound) {
            let (hit, load) = (candidates.read(i, Signal::PrefixHit), load(i));
            if best.is_none_or(|(most, least, _)| hit > most || (hit >= most && load < least)) {
                best = Some((hit, load, i));
            }
        }
        best.map(|(_, _, i)| i).into()
    }
}

/// Everything that `requests.csv` and `timeline.csv` are made of, of a crate outside and of the library.
#[test]
fn prefix_hit_of_another_crate_is_that_of_the_library() {
    let trace = crate::support::data("traces/mooncake/conversation_trace_first_half.jsonl.gz");
    let trace = trace.map(|path| format!("workload.mooncake-conversation.trace.path={}", path.canonicalize().unwrap().display()));
    let chats = ("chat-sessions", vec!["run={duration: 5 min, warmup: 0 s}".to_owned()]);
    for (scenario, sets) in [Some(chats), trace.map(|set| ("trace-mooncake", vec![set]))].into_iter().flatten() {
        let run = |router: &str| {
            let twin = Entry::<dyn Router>::plain("twin", "A twin.", |_| Box::new(PrefixTwin));
            let simulation = Simulation::shipped(scenario).router(twin).audit(false).set(format!("policies.router={router}"));
            let simulation = sets.iter().fold(simulation, |simulation, set| simulation.set(set.as_str()));
            let (result, rows, Silent) = simulation.run_with(Vec::new(), Silent).unwrap();
            format!("{rows:?}\n{:?}", result.timeline)
        };
        let library = run("prefix-hit");
        assert!(library == run("twin"), "{scenario}");
        assert!(library != run("least-request"), "{scenario}");
    }
}

/// Reads what instances report, and asserts that it changes only when a report is seen.
#[derive(Debug, Default)]
struct Reader {
    seen: BTreeMap<(u64, u32), Vec<u64>>,
}

const REPORTED: [Signal; 3] = [Signal::Running, Signal::Waiting, Signal::FreeBlocks];

impl Router for Reader {
    fn route(&mut self, request: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
        // Reports every 100 ms are seen 30 ms later; before the first of them, what was there at the start.
        let report = (request.now.ns() + 70_000_000) / 100_000_000;
        for i in 0..candidates.len() {
            let read: Vec<u64> = REPORTED.map(|signal| candidates.read(i, signal) as u64).to_vec();
            assert_eq!(self.seen.entry((report, candidates.instance(i))).or_insert_with(|| read.clone()), &read);
        }
        candidates.least(Signal::Waiting).into()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let different: std::collections::BTreeSet<&Vec<u64>> = self.seen.values().collect();
        assert!(different.len() > 5 || self.seen.is_empty() || std::thread::panicking(), "{different:?}");
    }
}

#[test]
fn reports_are_seen_late_and_change_only_then() {
    let load = ["workload.chat.synthetic.arrivals={constant: {rate: 200 /s}}", "policies.reports={period: 100 ms, delay: 30 ms}"];
    let late = every_way(&with_router(true, &load, || Box::<Reader>::default()));
    let live = every_way(&with_router(true, &load[..1], || Box::new(Least(Signal::Waiting))));
    assert_ne!(format!("{late:?}"), format!("{live:?}"), "a late view decides otherwise");
}
