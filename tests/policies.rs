//! Policies of a crate outside: named in YAML, with parameters, and equal to their twins inside.

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
    ] {
        let errors = load(router).err().unwrap_or_default();
        assert!(errors.contains(told) && errors.contains("--set #1:1:"), "{router}: {errors}");
    }
}
