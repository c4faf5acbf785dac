//! Policies of a crate outside: named in YAML, with parameters, and equal to their twins inside.

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokenmill::cluster::Silent;
use tokenmill::config::{Input, Library, Scenario};
use tokenmill::policy::{Candidates, Entry, Policies, RequestView, Router, Signal};
use tokenmill::study::Options;

use crate::cli::TINY;
use crate::support::simulate_with;

/// `least-request`, written again by somebody else; or the other signal.
#[derive(Debug)]
struct Twin(Signal);

impl Router for Twin {
    fn route(&mut self, _: &RequestView, candidates: &dyn Candidates) -> Option<usize> {
        let load = |i: usize| if self.0 == Signal::InFlight { candidates.in_flight(i) } else { candidates.pending_tokens(i) };
        (0..candidates.len()).filter(|&i| candidates.eligible(i)).min_by_key(|&i| load(i))
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
    fn route(&mut self, request: &RequestView, candidates: &dyn Candidates) -> Option<usize> {
        self.mask = self.mask.rotate_left(7);
        for i in (0..candidates.len()).filter(|i| self.mask >> (i % 64) & 1 == 1) {
            let _ = (candidates.eligible(i), candidates.in_flight(i), candidates.pending_tokens(i), candidates.prefix_hit(i));
        }
        for signal in [Signal::InFlight, Signal::PendingTokens].into_iter().filter(|_| self.mask & 2 == 2) {
            let _ = candidates.least(signal);
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
        inner in proptest::sample::select(vec!["round-robin", "least-request", "least-tokens", "power-of-two", "prefix-hit"]),
    ) {
        let prefix = format!("workload.chat.synthetic.shared_prefix={{groups: {groups}, tokens: 64}}");
        let pools = if mixed {
            format!("cluster.pools=[{{name: m, role: mixed, node: dgx-h100, instances: 3, engine: {{num_gpu_blocks_override: {blocks}}}, perf: {{affine: {{base: 2 ms, per_prompt_token: 20 us, per_sequence: 100 us}}}}}}]")
        } else {
            format!("cluster.pools.d.engine.num_gpu_blocks_override={blocks}")
        };
        let overlap = format!("cluster.network.kv.overlap={}", if layer_wise { "layer-wise" } else { "after-prefill" });
        let sets: Vec<String> = [prefix, pools, overlap, format!("seed={seed}"), "run.requests=200".to_owned()].to_vec();
        let quiet = told(&sets, inner, 0);
        prop_assert!(quiet == told(&sets, inner, mask), "{:?}", sets);
        prop_assert!(quiet == told(&sets, inner, u64::MAX), "{:?}", sets);
    }
}
