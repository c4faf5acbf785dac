//! Bad input: exit 2, nothing on stdout, and a message that says what to write instead, word for word.
//!
//! Commands run in their folder and name files relative to it, so that no path of the machine is in a message.

use super::{Place, TINY};

/// What `run` says about `bad.yaml` with this content.
fn of_file(content: impl AsRef<[u8]>) -> String {
    let place = Place::new();
    place.write("bad.yaml", content);
    place.refused(&["run", "bad.yaml"])
}

/// What `run` says about the tiny scenario with these values.
fn of_sets(sets: &[&str]) -> String {
    of_sets_in(&Place::tiny(), "tiny.yaml", sets)
}

fn of_sets_in(place: &Place, scenario: &str, sets: &[&str]) -> String {
    let options: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    place.refused(&[&["run", scenario], &options[..]].concat())
}

/// What `run` says about the tiny scenario replaying a trace with this content.
fn of_trace(format: &str, content: &str) -> String {
    let place = Place::tiny();
    place.write("trace", content);
    of_sets_in(&place, "tiny.yaml", &[&format!("workload.chat.trace={{format: {format}, path: trace}}"), "run.requests=~"])
}

#[test]
fn files_that_are_no_scenario() {
    insta::assert_snapshot!(of_file(""), @"");
    insta::assert_snapshot!(of_file([0, 159, 146, 150]), @"");
    insta::assert_snapshot!(of_file(b"name: \xff\xfe"), @"");
    insta::assert_snapshot!(of_file("just words"), @"");
    insta::assert_snapshot!(of_file("name: [tiny\n"), @"");
    let place = Place::tiny();
    insta::assert_snapshot!(place.refused(&["run", "."]), @"");
    insta::assert_snapshot!(place.refused(&["run", "tiny.yml"]), @"");
}

#[test]
fn includes_in_a_circle() {
    let place = Place::new();
    place.write("a.yaml", "include: b.yaml\n");
    place.write("b.yaml", "seed: 1\ninclude: [a.yaml]\n");
    insta::assert_snapshot!(place.refused(&["run", "a.yaml"]), @"");
}

#[test]
fn keys_given_twice_and_keys_unknown() {
    insta::assert_snapshot!(of_file(TINY.replace("seed: 7", "sede: 7\nname: again")), @"");
}

#[test]
fn numbers_that_are_none() {
    insta::assert_snapshot!(of_sets(&["run.requests=.nan", "run.warmup=-3 s", "seed=-1", "cluster.pools.d.instances=0"]), @"");
    insta::assert_snapshot!(of_sets(&["run.requests=1e300", "run.warmup=1e300 s", "cluster.pools.d.instances=1e300"]), @"");
}

#[test]
fn wrong_units() {
    insta::assert_snapshot!(of_sets(&["run.warmup=5 GB", "workload.chat.slo.ttft=50", "workload.chat.synthetic.arrivals.poisson.rate=5 s"]), @"");
}

#[test]
fn traces_that_are_not_there() {
    insta::assert_snapshot!(of_sets(&["workload.chat.trace={format: plain, path: nowhere.csv}"]), @"");
    insta::assert_snapshot!(Place::new().refused(&["run", "trace-mooncake"]), @"");
    let place = Place::tiny();
    place.write("trace.csv", "arrival_s,prompt_tokens,output_tokens\n0,1,1\n");
    insta::assert_snapshot!(of_sets_in(&place, "tiny.yaml", &["workload.chat.trace={format: plain, path: trase.csv}"]), @"");
}

#[test]
fn traces_that_are_damaged() {
    insta::assert_snapshot!(of_trace("plain", "arrival_s,prompt_tokens,output_tokens\n0,10,5\n0.5,10,5\n1,10"), @"");
    insta::assert_snapshot!(of_trace("plain", "arrival_s,prompt_tokens,output_tokens\n0,10,5\n0.5,10,5\n1,10,5"), @"");
    insta::assert_snapshot!(of_trace("mooncake", "{\"timestamp\": 0, \"input_length\": 5, \"output_length\": 5, \"hash_ids\": []}\n{\"timestamp\": 9, \"inp"), @"");
    insta::assert_snapshot!(of_trace("azure", "arrival_s,prompt_tokens,output_tokens\n0,10,5\n"), @"");
    insta::assert_snapshot!(of_trace("plain", ""), @"");
    insta::assert_snapshot!(of_trace("plain", "arrival_s,prompt_tokens,output_tokens\n0,10,0\n"), @"");
}

#[test]
fn models_that_cannot_be_cut_or_do_not_fit() {
    let place = Place::new();
    let decode = "cluster.pools.decode.parallelism.tp";
    insta::assert_snapshot!(of_sets_in(&place, "quickstart", &[&format!("{decode}=3")]), @"");
    insta::assert_snapshot!(of_sets_in(&place, "quickstart", &[&format!("{decode}=1"), "models.chat.weights=bf16"]), @"");
    insta::assert_snapshot!(of_sets_in(&place, "quickstart", &[&format!("{decode}=16")]), @"");
}

#[test]
fn a_prefill_pool_alone() {
    insta::assert_snapshot!(of_sets(&["cluster.pools=[{name: p, role: prefill, node: dgx-h100, instances: 1}]"]), @"");
}

#[test]
fn names_of_the_wrong_kind() {
    insta::assert_snapshot!(of_sets(&["cluster.pools.d.node=h100-sxm", "models.m.profile=dgx-h100", "cluster.network.kv.link=nvlnk-4"]), @"");
}

/// Contradictions, unknown names and conditions on nothing: told together.
#[test]
fn all_that_is_wrong_with_a_scenario() {
    let sets = [
        "cluster.pools.p.name=d",
        "cluster.pools.d.engine.max_model_len=1M",
        "cluster.site.profile=mars",
        "workload.chat.synthetic.output_tokens={uniform: {min: 5, max: 2}}",
    ];
    insta::assert_snapshot!(of_sets(&sets), @"");
    insta::assert_snapshot!(of_sets(&["assert=[\"latency.ttft.p99 < 5\", \"p99 < 1\", \"pools.x.utilization < 1\"]"]), @"");
}

#[test]
fn profiles_that_are_wrong_are_shown_where_they_are() {
    let place = Place::tiny();
    let chip = place.good(&["show", "chip", "h100-sxm", "--yaml"]);
    assert!(chip.contains("\n  bf16:") && chip.contains("\n  fp8:"), "{chip}");
    place.write("prof/chips/h100-sxm.yaml", chip.replace("\n  bf16:", "\n  bf17:").replace("\n  fp8:", "\n  fp9:"));
    let said = place.refused(&["run", "tiny.yaml", "--profiles", "prof"]);
    for word in ["unknown choice `bf17`", "unknown choice `fp9`", "did you mean `bf16`?", " --> prof/chips/h100-sxm.yaml:"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn places_that_cannot_be_written() {
    let place = Place::tiny();
    place.write("file", "");
    insta::assert_snapshot!(place.refused(&["run", "tiny.yaml", "--out", "file"]), @"");
    insta::assert_snapshot!(place.refused(&["run", "tiny.yaml", "--out", "file/below"]), @"");
    let said = place.refused(&["trace", "generate", "tiny.yaml", "--out", "nowhere/t.csv"]);
    assert!(said.starts_with("error: cannot write `nowhere/t.csv`: "), "{said}");
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_read_only() {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    let place = Place::tiny();
    fs::create_dir(place.path("out")).unwrap();
    fs::set_permissions(place.path("out"), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(place.path("out/probe"), "").is_ok() {
        println!("skipped: this user may write to read-only folders");
        return;
    }
    let said = place.refused(&["run", "tiny.yaml", "--out", "out"]);
    assert!(said.starts_with("error: cannot write in `out`: ") && said.contains("--out"), "{said}");
}

#[test]
fn times_beyond_what_a_clock_can_hold() {
    insta::assert_snapshot!(of_sets(&["cluster.pools.p.perf.affine.base=100 y"]), @"");
    insta::assert_snapshot!(of_sets(&["cluster.network.kv.overrides.bandwidth=1e-300 B/s"]), @"");
}

#[test]
fn options_that_are_no_numbers() {
    insta::assert_snapshot!(Place::tiny().refused(&["run", "tiny.yaml", "--seed", "-4"]), @"");
    insta::assert_snapshot!(Place::tiny().refused(&["run", "tiny.yaml", "--jobs", "many"]), @"");
    insta::assert_snapshot!(Place::tiny().refused(&["run", "tiny.yaml", "--set", "seed"]), @"");
}
