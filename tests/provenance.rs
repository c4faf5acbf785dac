//! A result lists the figures that it rests on, all of them and no others.

use super::support::{inline, sets, shipped};
use tokenmill::scenario::Scenario;

fn listed(scenario: &Scenario) -> Vec<(String, String)> {
    scenario.provenance.iter().map(|entry| (format!("{} {}", entry.profile, entry.figure), entry.confidence.name().to_owned())).collect()
}

fn has(scenario: &Scenario, figure: &str) -> bool {
    listed(scenario).iter().any(|(name, _)| name == figure)
}

fn confidence(scenario: &Scenario, figure: &str) -> String {
    let listed = listed(scenario);
    listed.iter().find(|(name, _)| name == figure).unwrap_or_else(|| panic!("no {figure} in {listed:?}")).1.clone()
}

#[test]
fn only_number_formats_that_the_model_uses_are_listed() {
    let fp8 = shipped("quickstart", &[]);
    assert!(has(&fp8, "chip h100-sxm efficiency.gemm_memory.fp8") && has(&fp8, "chip h100-sxm efficiency.decode_attention.fp8"));
    // The output head stays in 16 bits.
    assert!(has(&fp8, "chip h100-sxm efficiency.gemm_memory.bf16"));
    assert!(!listed(&fp8).iter().any(|(name, _)| name.ends_with("int8") || name.ends_with("fp4") || name.contains("expert")));
    let bf16 = shipped("quickstart", &sets(["models.chat={profile: llama-3.1-8b, weights: bf16, kv: bf16}"]));
    assert!(!listed(&bf16).iter().any(|(name, _)| name.contains("fp8")));
    let experts = shipped("quickstart", &sets(["models.chat={profile: qwen3-30b-a3b}"]));
    assert!(
        has(&experts, "chip h100-sxm efficiency.expert_compute.bf16.256")
            && has(&experts, "chip h100-sxm efficiency.expert_start.bf16")
            && has(&experts, "roofline expert tile")
    );
}

#[test]
fn prices_and_links_are_listed_where_they_are_paid_and_crossed() {
    let owned = shipped("quickstart", &[]);
    assert!(has(&owned, "node dgx-h100 price") && has(&owned, "site us-hyperscale-2026 electricity"));
    assert!(has(&owned, "link nvlink-4 setup") && has(&owned, "chip h100-sxm all_reduce"));
    let rented = shipped("quickstart", &sets(["cluster.pools.prefill.pricing=rent", "cluster.pools.decode.pricing=rent"]));
    assert_eq!(confidence(&rented, "chip h100-sxm price.rent"), "press");
    assert!(!has(&rented, "node dgx-h100 price") && !has(&rented, "site us-hyperscale-2026 hosting"));
    assert!(has(&rented, "site us-hyperscale-2026 carbon"));
    // One chip: nothing crosses a link.
    let alone = inline(
        "{name: one, models: {m: {profile: llama-3.1-8b}}, workload: [{name: w, synthetic: {arrivals: {poisson: {rate: 1 /s}}, \
         prompt_tokens: {fixed: 10}, output_tokens: {fixed: 10}}}], run: {requests: 10}, cluster: {pools: [{name: p, role: mixed, \
         node: dgx-h100, instances: 1}]}}",
    );
    assert!(!listed(&alone).iter().any(|(name, _)| name.starts_with("link") || name.contains("all_reduce")));
}

#[test]
fn what_the_scenario_gives_instead_of_a_profile_is_listed_as_given() {
    let scenario = shipped(
        "quickstart",
        &sets([
            "cluster.site.pue=1.3",
            "cluster.network.kv.overrides={bandwidth: 10 GB/s}",
            "cluster.pools.decode.perf={roofline: {gemm_memory: 0.7}}",
            "cluster.pools.prefill.perf={affine: {base: 1 ms, per_prompt_token: 20 us}}",
            "cluster.pools.prefill.pricing={rent-at: $2/h}",
        ]),
    );
    for given in ["cluster.site pue", "cluster.network.kv bandwidth", "pool decode efficiency.gemm_memory", "pool prefill rent"] {
        assert_eq!(confidence(&scenario, &format!("scenario {given}")), "given");
    }
    for replaced in ["site us-hyperscale-2026 pue", "link nvlink-4 bandwidth", "chip h100-sxm efficiency.gemm_memory.fp8"] {
        // The decode pool's own collectives still cross NVLink at its own rate.
        assert_eq!(has(&scenario, replaced), replaced.starts_with("link"), "{replaced}");
    }
    assert!(has(&scenario, "chip h100-sxm efficiency.gemm_compute.fp8"));
}
