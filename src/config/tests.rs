//! What users are told about bad input, word for word, and that no input makes the configuration panic or hang.

use std::fs;

use proptest::prelude::*;

use super::*;

/// A scenario that uses most of the language.
const GOOD: &str = "\
name: chat-pd
seed: 7
run: {requests: 20k, warmup: 60 s}
models:
  chat: {profile: llama-3.3-70b, weights: fp8, kv: fp8}
workload:
  - name: chat
    slo: {ttft: 2 s, tpot: 50 ms}
    synthetic:
      arrivals: {poisson: {rate: 5.5 /s}}
      prompt_tokens: {lognormal: {median: 928, mean: 1155}}
      output_tokens: {uniform: {min: 1, max: 400}}
  - name: replay
    trace: {format: azure, path: conv.csv, window: {to: 10 min}}
cluster:
  site: {profile: us-hyperscale-2026}
  pools:
    - {name: prefill, role: prefill, node: dgx-h100, instances: 4, parallelism: {tp: 4}}
    - name: decode
      role: decode
      node: dgx-h100
      instances: 4
      engine: {max_num_seqs: 256, gpu_memory_utilization: 90 %}
  network: {kv: {link: ib-ndr, overlap: layer-wise}}
policies: {router: {prefill: round_robin, decode: jsq}, queue: fcfs}
assert: [\"latency.ttft_ms.p99 < 2000\"]
";

fn read(text: &str, sets: &[&str]) -> Result<Loaded<scenario::ScenarioFile>, ConfigErrors> {
    let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
    load_scenario(Input::Text { name: "pd.yaml", text }, &sets)
}

fn good(sets: &[&str]) -> scenario::ScenarioFile {
    read(GOOD, sets).unwrap_or_else(|e| panic!("{e}")).value
}

/// The errors of the good scenario after replacements.
fn bad(replacements: &[(&str, &str)]) -> String {
    let mut text = GOOD.to_owned();
    for (old, new) in replacements {
        assert!(text.contains(old), "{old}");
        text = text.replacen(old, new, 1);
    }
    read(&text, &[]).unwrap_err().render()
}

/// The errors of the good scenario with overrides.
fn bad_set(sets: &[&str]) -> String {
    read(GOOD, sets).unwrap_err().render()
}

/// The first lines of the errors.
fn messages(errors: &ConfigErrors) -> Vec<String> {
    errors.diagnostics().iter().map(Diagnostic::message).collect()
}

#[test]
fn an_unknown_key_names_the_nearest_right_one() {
    println!("=== an_unknown_key_names_the_nearest_right_one\n{}\n=END", bad(&[("instances: 4,", "instnaces: 4,")]));
}

#[test]
fn several_errors_of_a_file_are_told_at_once() {
    println!(
        "=== several_errors_of_a_file_are_told_at_once\n{}\n=END",
        bad(&[
            ("seed: 7", "seed: -7"),
            ("rate: 5.5 /s", "rate: 5.5"),
            ("role: decode", "role: decoder"),
            ("tp: 4", "tpp: 4"),
            ("instances: 4\n", "instances: 0\n"),
            ("{to: 10 min}", "{to: 10 mins}")
        ])
    );
}

#[test]
fn numbers_that_mean_nothing_are_refused() {
    println!(
        "=== numbers_that_mean_nothing_are_refused\n{}\n=END",
        bad(&[
            ("fp8, kv", "fp9, kv"),
            ("median: 928", "median: .nan"),
            ("mean: 1155", "mean: 1e300"),
            ("90 %", "-1"),
            ("max_num_seqs: 256", "max_num_seqs: .inf")
        ])
    );
}

#[test]
fn a_misspelt_variant_names_the_nearest_right_one() {
    println!("=== a_misspelt_variant_names_the_nearest_right_one\n{}\n=END", bad(&[("poisson: {", "poison: {")]));
}

#[test]
fn two_variants_at_once_are_refused() {
    println!(
        "=== two_variants_at_once_are_refused\n{}\n=END",
        bad(&[("arrivals: {poisson: {rate: 5.5 /s}}", "arrivals: {poisson: {rate: 5.5 /s}, constant: {rate: 1 /s}}")])
    );
}

#[test]
fn a_variant_without_its_parameters_shows_how_to_write_it() {
    println!(
        "=== a_variant_without_its_parameters_shows_how_to_write_it\n{}\n=END",
        bad(&[("arrivals: {poisson: {rate: 5.5 /s}}", "arrivals: poisson")])
    );
}

#[test]
fn a_key_one_level_too_high_is_sent_where_it_belongs() {
    println!("=== a_key_one_level_too_high_is_sent_where_it_belongs\n{}\n=END", bad(&[("parallelism: {tp: 4}", "tp: 4")]));
}

#[test]
fn exactly_one_source_of_requests_is_allowed() {
    println!(
        "=== exactly_one_source_of_requests_is_allowed\n{}\n=END",
        bad(&[("    trace: {format", "    closed_loop: {concurrency: 0, isl: {fixed: 1.5}, osl: 5}\n    trace: {format")])
    );
}

#[test]
fn a_missing_key_is_shown_where_it_should_be() {
    println!("=== a_missing_key_is_shown_where_it_should_be\n{}\n=END", bad(&[("  - name: replay\n    trace", "  - trace")]));
}

#[test]
fn values_of_the_wrong_type_are_told_in_words() {
    println!(
        "=== values_of_the_wrong_type_are_told_in_words\n{}\n=END",
        bad(&[
            ("ttft: 2 s", "ttft: [2]"),
            ("node: dgx-h100\n", "node: 100\n"),
            ("assert: [\"latency.ttft_ms.p99 < 2000\"]", "assert: latency"),
            ("engine: {", "engine: {enable_prefix_caching: yes, ")
        ])
    );
}

#[test]
fn a_router_that_does_not_exist_is_told() {
    println!(
        "=== a_router_that_does_not_exist_is_told\n{}\n=END",
        bad(&[("prefill: round_robin", "prefill: rund-robin"), ("queue: fcfs", "queue: [fcfs]")])
    );
}

#[test]
fn a_router_with_parameters_that_does_not_exist_is_told() {
    println!(
        "=== a_router_with_parameters_that_does_not_exist_is_told\n{}\n=END",
        bad(&[("router: {prefill: round_robin, decode: jsq}", "router: {least_tokns: {}}")])
    );
}

#[test]
fn duplicate_keys_are_told_with_the_rest() {
    println!("=== duplicate_keys_are_told_with_the_rest\n{}\n=END", bad(&[("seed: 7", "seed: 7\nname: x\nsed: 8")]));
}

#[test]
fn an_override_is_checked_like_the_file() {
    println!(
        "=== an_override_is_checked_like_the_file\n{}\n=END",
        bad_set(&["cluster.pools.decode.instances=0", "cluster.pools[0].engine.block_sizes=3", "run.duration=5", "sed=3"])
    );
}

#[test]
fn an_override_of_what_is_not_there_names_what_is() {
    println!(
        "=== an_override_of_what_is_not_there_names_what_is\n{}\n=END",
        bad_set(&["cluster.pools.decod.instances=1", "cluster.pools[2].instances=1", "seed[0]=3"])
    );
}

#[test]
fn an_override_that_cannot_be_read_is_told() {
    println!("=== an_override_that_cannot_be_read_is_told\n{}\n=END", bad_set(&["seed", "=3", "a..b=3", "seed=[1"]));
}

#[test]
fn other_spellings_mean_the_same() {
    let scenario = good(&["cluster.pools.decode.perf=roofline", "run.requests=1k", "run.warmup=~"]);
    let scenario::RouterChoice::ByRole(by_role) = scenario.policies.router else { panic!("one router for each role") };
    assert_eq!(by_role.prefill, scenario::Router::RoundRobin);
    assert_eq!(by_role.decode, scenario::Router::LeastRequest);
    assert_eq!(scenario.cluster.pools[1].perf, scenario::PerfChoice::default());
    assert_eq!(scenario.run.requests.and_then(crate::units::Count::whole), Some(1000));
    assert_eq!(scenario.run.warmup, None);
}

#[test]
fn an_override_replaces_a_choice_as_a_whole() {
    let scenario = good(&["workload.chat.synthetic.arrivals={gamma: {rate: 3 /s, cv: 2}}", "policies.router=random"]);
    let arrivals = scenario.workload[0].synthetic.as_ref().map(|s| s.arrivals);
    assert!(matches!(arrivals, Some(scenario::Arrivals::Gamma { .. })));
    assert_eq!(scenario.policies.router, scenario::RouterChoice::All(scenario::Router::Random));
    // A variant of the same choice, key by key.
    let scenario = good(&["workload.chat.synthetic.arrivals.constant.rate=3 /s", "workload[0].synthetic.isl={fixed: 8k}"]);
    let synthetic = scenario.workload[0].synthetic.as_ref().unwrap();
    assert!(matches!(synthetic.arrivals, scenario::Arrivals::Constant { .. }));
    assert!(matches!(synthetic.prompt_tokens, scenario::Lengths::Fixed(n) if n.whole() == Some(8000)));
}

/// Writing a scenario with every default and reading it again gives the same scenario: what `resolved.yaml` rests on.
#[test]
fn a_scenario_written_out_reads_back_the_same() {
    let scenario = good(&[]);
    let text = serde_yaml::to_string(&scenario).unwrap();
    let again = read(&text, &[]).unwrap_or_else(|e| panic!("{e}\n{text}")).value;
    assert_eq!(again, scenario);
}

#[test]
fn what_is_no_map_is_no_scenario() {
    for (text, message) in [
        ("", "the file is empty"),
        ("# nothing\n", "the file is empty"),
        ("hello", "found `hello`, expected a map: `key: value` on each line"),
        ("- 1\n", "found a list, expected a map: `key: value` on each line"),
        ("a: [1,\n", "not valid YAML: unclosed bracket '['"),
    ] {
        assert_eq!(messages(&read(text, &[]).unwrap_err()), [message]);
    }
}

#[test]
fn includes_lie_under_the_file_that_names_them() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("base")).unwrap();
    fs::write(folder.path().join("base/all.yaml"), GOOD).unwrap();
    let main = folder.path().join("main.yaml");
    let text = "include: base/all.yaml\nname: mine\npolicies: {router: random}\nrun: {requests: 5}\n";
    fs::write(&main, text).unwrap();
    let loaded = load_scenario(Input::File(&main), &[]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(loaded.value.name, "mine");
    assert_eq!(loaded.value.seed, 7);
    assert_eq!(loaded.value.policies.router, scenario::RouterChoice::All(scenario::Router::Random));
    assert!(loaded.value.run.warmup.is_some());
    // A relative path is relative to the file that names it.
    let trace = loaded.document.resolve("workload[1].trace.path", "conv.csv");
    assert_eq!(trace, folder.path().join("base/conv.csv"));
}

#[test]
fn a_circle_of_includes_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    for (name, next) in [("a", "b"), ("b", "c"), ("c", "./b")] {
        fs::write(folder.path().join(format!("{name}.yaml")), format!("include: [{next}.yaml]\n")).unwrap();
    }
    let errors = load_scenario(Input::File(&folder.path().join("a.yaml")), &[]).unwrap_err();
    let base = folder.path().display();
    assert_eq!(messages(&errors), [format!("include: includes go round in a circle: {base}/b.yaml → {base}/c.yaml → {base}/./b.yaml")]);
    assert_eq!(errors.diagnostics()[0].file, format!("{base}/c.yaml"));
}

#[test]
fn an_include_that_is_not_there_is_told_with_what_else_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("base.yaml"), GOOD).unwrap();
    let main = folder.path().join("main.yaml");
    fs::write(&main, "include: [bass.yaml, 3]\nsed: 1\n").unwrap();
    let errors = load_scenario(Input::File(&main), &[]).unwrap_err();
    let base = folder.path().display();
    let expected = [
        format!("include: `{base}/bass.yaml` does not exist"),
        "include: found `3`, expected the path of a file".to_owned(),
        "unknown key `sed`".to_owned(),
    ];
    assert_eq!(messages(&errors), expected);
    assert_eq!(errors.diagnostics()[0].hint.as_deref(), Some(format!("did you mean `{base}/base.yaml`?").as_str()));
}

#[test]
fn files_that_are_no_text_are_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let errors = load_scenario(Input::File(folder.path()), &[]).unwrap_err();
    assert_eq!(errors.render(), format!("error: is a directory, expected a YAML file\n --> {}\n", folder.path().display()));
}

#[test]
fn problems_of_meaning_point_at_the_line() {
    let loaded = read(GOOD, &[]).unwrap();
    let mut problems = loaded.document.problems();
    problems.at("cluster.pools[0].parallelism.tp", "`4`", "a divisor of 6 (attention heads of `tiny`)", None);
    problems.unknown("cluster.pools.decode.node", "node", "dgx-h100", &["dgx-a100", "gb200-nvl72"]);
    problems.at("cluster.pools[1].parallelism.tp", "`1`", "at least 2", Some("add `parallelism: {tp: 2}`".into()));
    insta::assert_snapshot!(problems.finish().unwrap_err(), @r#"@@PROBLEMS@@"#);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Bytes deleted, inserted, replaced; blocks doubled: an answer, whatever it is.
    #[test]
    fn no_damage_to_a_scenario_makes_it_panic(edits in prop::collection::vec((0usize..GOOD.len(), 0u8..4, any::<u8>(), 1usize..40), 1..8)) {
        let mut bytes = GOOD.as_bytes().to_vec();
        for (at, kind, byte, length) in edits {
            let at = at.min(bytes.len());
            let end = (at + length).min(bytes.len());
            match kind {
                0 => drop(bytes.drain(at..end)),
                1 => bytes.insert(at, byte),
                2 => bytes[at..end].fill(b"{}[]:,-&*!|>'\"%@`#\n\t .~"[usize::from(byte) % 24]),
                _ => {
                    let block = bytes[at..end].to_vec();
                    bytes.splice(at..at, block);
                }
            }
        }
        if let Err(errors) = read(&String::from_utf8_lossy(&bytes), &[]) {
            prop_assert!(!errors.diagnostics().is_empty());
            prop_assert!(!errors.render().is_empty());
        }
    }

    #[test]
    fn no_override_makes_it_panic(path in "[a-z.\\[\\]0-9_é]{0,24}", value in ".{0,24}") {
        let _ = read(GOOD, &[&format!("{path}={value}"), &path, &format!("cluster.pools[0].{path}={value}")]).map_err(|e| e.render());
    }
}
