//! Documents of several texts, aliases, damaged input.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::document;

#[test]
fn aliases_mean_the_same() {
    let scenario = good(&["cluster.pools.decode.perf=roofline", "run.requests=1k", "run.warmup=~"]);
    let file::RouterChoice::ByRole(by_role) = scenario.policies.router else { panic!("one router for each role") };
    assert_eq!(by_role.prefill, file::Router::named("round-robin"));
    assert_eq!(by_role.decode, file::Router::named("least-request"));
    assert_eq!(scenario.cluster.pools[1].perf, file::PerfChoice::default());
    assert_eq!(scenario.run.requests.and_then(crate::units::Count::whole), Some(1000));
    assert_eq!(scenario.run.warmup, None);
}

#[test]
fn an_override_replaces_a_choice_as_a_whole() {
    let scenario = good(&["workload.chat.synthetic.arrivals={gamma: {rate: 3 /s, cv: 2}}", "policies.router=random"]);
    let arrivals = scenario.workload[0].synthetic.as_ref().map(|s| s.arrivals);
    assert!(matches!(arrivals, Some(crate::workload::ArrivalProcess::Gamma { .. })));
    assert_eq!(scenario.policies.router, file::RouterChoice::All(file::Router::named("random")));
    // A variant of the same choice, key by key.
    let scenario = good(&["workload.chat.synthetic.arrivals.constant.rate=3 /s", "workload[0].synthetic.isl={fixed: 8k}"]);
    let synthetic = scenario.workload[0].synthetic.as_ref().unwrap();
    assert!(matches!(synthetic.arrivals, crate::workload::ArrivalProcess::Constant { .. }));
    assert!(matches!(synthetic.prompt_tokens, file::Lengths::Fixed(n) if n.whole() == Some(8000)));
}

/// Writing a scenario with every default and reading it again gives the same scenario: `resolved.yaml` depends on it.
#[test]
fn a_scenario_written_out_reads_back_the_same() {
    let scenario = good(&[]);
    let text = serde_yaml::to_string(&scenario).unwrap();
    let again = read(&text, &[]).unwrap_or_else(|e| panic!("{e}\n{text}")).value;
    assert_eq!(again, scenario);
}

#[test]
fn a_scenario_is_a_map() {
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
fn a_file_overrides_its_includes() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("base")).unwrap();
    fs::write(folder.path().join("base/all.yaml"), GOOD).unwrap();
    let main = folder.path().join("main.yaml");
    let text = "include: base/all.yaml\nname: mine\npolicies: {router: random}\nrun: {requests: 5}\n";
    fs::write(&main, text).unwrap();
    let loaded = load_file(Input::File(&main), &[]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(loaded.value.name, "mine");
    assert_eq!(loaded.value.seed, 7);
    assert_eq!(loaded.value.policies.router, file::RouterChoice::All(file::Router::named("random")));
    assert!(loaded.value.run.warmup.is_some());
    // A relative path is relative to the file that names it.
    let trace = loaded.document.resolve("workload[1].trace.path", "conv.csv");
    assert_eq!(trace, folder.path().join("base/conv.csv"));
}

#[test]
fn an_included_model_can_be_removed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("all.yaml"), GOOD).unwrap();
    let main = folder.path().join("main.yaml");
    let names = |models: &str| {
        fs::write(&main, format!("include: all.yaml\nmodels: {models}\n")).unwrap();
        load_file(Input::File(&main), &[]).map(|loaded| loaded.value.models.into_keys().collect::<Vec<_>>())
    };
    let all = names("{}").unwrap();
    let first = all.first().unwrap();
    let mut wanted: Vec<String> = all.iter().skip(1).cloned().chain(["b".to_owned()]).collect();
    wanted.sort();
    let mut left = names(&format!("{{{first}: ~, b: {{profile: qwen3-8b}}}}")).unwrap();
    left.sort();
    assert_eq!(left, wanted);
    // A null is not a model.
    assert!(messages(&names("{b: ~}").unwrap_err())[0].starts_with("models.b: found nothing"));
}

#[test]
fn a_circular_include_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    for (name, next) in [("a", "b"), ("b", "c"), ("c", "./b")] {
        fs::write(folder.path().join(format!("{name}.yaml")), format!("include: [{next}.yaml]\n")).unwrap();
    }
    let errors = load_file(Input::File(&folder.path().join("a.yaml")), &[]).unwrap_err();
    let base = folder.path().display();
    assert_eq!(messages(&errors), [format!("include: circular include: {base}/b.yaml → {base}/c.yaml → {base}/./b.yaml")]);
    assert_eq!(errors.diagnostics()[0].file, format!("{base}/c.yaml"));
}

#[test]
fn a_missing_include_is_reported_with_other_problems() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("base.yaml"), GOOD).unwrap();
    let main = folder.path().join("main.yaml");
    fs::write(&main, "include: [bass.yaml, 3]\nsed: 1\n").unwrap();
    let errors = load_file(Input::File(&main), &[]).unwrap_err();
    let base = folder.path().display();
    let expected = [
        format!("include: no such file: `{base}/bass.yaml`"),
        "include: found `3`, expected the path of a file".to_owned(),
        "unknown key `sed`".to_owned(),
    ];
    assert_eq!(messages(&errors), expected);
    assert_eq!(errors.diagnostics()[0].hint.as_deref(), Some(format!("did you mean `{base}/base.yaml`?").as_str()));
}

#[test]
fn files_that_are_not_text_are_reported_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let errors = load_file(Input::File(folder.path()), &[]).unwrap_err();
    assert_eq!(errors.render(), format!("error: is a directory, expected a YAML file\n --> {}\n", folder.path().display()));
}

#[test]
fn problems_of_meaning_point_at_the_line() {
    let loaded = read(GOOD, &[]).unwrap();
    let mut problems = loaded.document.problems();
    problems.at("cluster.pools[0].parallelism.tp", "`4`", "a divisor of 6 (attention heads of `tiny`)", None);
    problems.unknown("cluster.pools.decode.node", "node", "dgx-h100", &["dgx-a100", "gb200-nvl72"]);
    problems.at("cluster.pools[1].parallelism.tp", "`1`", "at least 2", Some("add `parallelism: {tp: 2}`".into()));
    insta::assert_snapshot!(problems.finish().unwrap_err(), @r#"
    error: cluster.pools[0].parallelism.tp: found `4`, expected a divisor of 6 (attention heads of `tiny`)
      --> pd.yaml:18:86
       |
    18 |     - {name: prefill, role: prefill, node: dgx-h100, instances: 4, parallelism: {tp: 4}}
       |                                                                                      ^

    error: cluster.pools[1].parallelism.tp: found `1`, expected at least 2
      --> pd.yaml:19:7
       |
    19 |     - name: decode
       |       ^^^^
       |
    hint: add `parallelism: {tp: 2}`

    error: cluster.pools.decode.node: unknown node `dgx-h100`, expected one of `dgx-a100` or `gb200-nvl72`
      --> pd.yaml:21:13
       |
    21 |       node: dgx-h100
       |             ^^^^^^^^
       |
    hint: did you mean `dgx-a100`?

    3 problems found
    "#);
}

#[test]
fn every_shipped_scenario_is_valid() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "yaml") {
            let loaded = load_file(Input::File(&path), &[]).unwrap_or_else(|e| panic!("{e}"));
            let mut problems = loaded.document.problems();
            check_meaning(&loaded.value, &mut problems);
            problems.finish().unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(path.file_stem().and_then(|s| s.to_str()), Some(loaded.value.name.as_str()));
            count += 1;
        }
    }
    assert!(count >= 6);
}

/// A chip written out in a scenario, with maps whose keys are numbers and number formats.
#[test]
fn profiles_can_be_written_out_in_a_scenario() {
    let figure = |value: &str| format!("{{value: {value}, source: s, confidence: official}}");
    let chip = format!(
        "name: tiny
description: a chip
kind: gpu
vendor: nobody
launched: '2026'
memory: {{technology: HBM, capacity: {gb}, bandwidth: {bw}}}
compute: {{bf16: {flops}}}
power: {{tdp: {w}, idle: {w}, busy_floor: {half}, compute_saturation: {half}, memory_weight: {half}}}
all_reduce: [{{size: 16 kB, time: {{2: 8 us, 4: 9 us}}}}]
price: {{}}
sources: {{s: {{title: t, date: 2026-01}}}}",
        gb = figure("80 GB"),
        bw = figure("2 TB/s"),
        flops = figure("1 PFLOP/s"),
        w = figure("700 W"),
        half = figure("0.5"),
    );
    let inside = chip.replace('\n', "\n      ");
    let text = format!("{GOOD}profiles:\n  chips:\n    tiny:\n      {inside}\n");
    let scenario = read(&text, &[]).unwrap_or_else(|e| panic!("{e}")).value;
    assert_eq!(scenario.profiles.chips["tiny"].all_reduce[0].time.len(), 2);
    let again = read(&serde_yaml::to_string(&scenario).unwrap(), &[]).unwrap_or_else(|e| panic!("{e}")).value;
    assert_eq!(again, scenario);
    let errors = read(&text.replace("bf16:", "bf17:").replace("2: 8 us", "two: 8 us"), &[]).unwrap_err();
    let expected = [
        "profiles.chips.tiny.compute.bf17: unknown choice `bf17`, expected one of `fp32`, `fp16`, `bf16`, `fp8`, `int8`, `fp4`, `mxfp4`, `int4`, `int4-g64`, `int4-g32` or `w8a16`",
        "profiles.chips.tiny.all_reduce[0].time.two: found the key `two`, expected a whole number as key",
    ];
    assert_eq!(messages(&errors), expected);
    let errors = read(&text.replace("bf16:", "bf17:"), &[]).unwrap_err();
    assert_eq!(errors.diagnostics()[0].path, "profiles.chips.tiny.compute.bf17");
    assert_eq!((errors.diagnostics()[0].line, errors.diagnostics()[0].column), (36, 17));
    // The same file as a profile of its own.
    let chip =
        document::load::<crate::hardware::Chip>(Input::Text { name: "tiny.yaml", text: &chip }, &[]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(Some(&chip.value), scenario.profiles.chips.get("tiny"));
}

#[test]
fn lists_with_16_bit_indices_are_limited_by_the_schema() {
    let schema = schema::scenario(&crate::policy::Policies::default());
    assert_eq!(schema["properties"]["workload"]["maxItems"], 65_535);
    assert_eq!(schema["properties"]["models"]["maxProperties"], 65_535);
    assert_eq!(schema["$defs"]["Cluster"]["properties"]["pools"]["maxItems"], 65_535);
}

#[test]
fn contradictions_are_reported_at_once() {
    let text = GOOD
        .replace("run: {requests: 20k, warmup: 60 s}\n", "")
        .replace("{ttft: 2 s, tpot: 50 ms}", "{ttft: 2 s, e2e: 1 s}")
        .replace("name: replay", "name: chat\n    model: chatt")
        .replace("window: {to: 10 min}", "window: {from: 1 h, to: 10 min}")
        .replace("{min: 1, max: 400}", "{min: 500, max: 400}")
        .replace("median: 928, mean: 1155", "median: 928")
        .replace("role: decode", "role: mixed")
        .replace("p99 < 2000", "p99 below 2000");
    let loaded = read(&text, &[]).unwrap_or_else(|e| panic!("{e}"));
    let mut problems = loaded.document.problems();
    check_meaning(&loaded.value, &mut problems);
    let expected = [
        "workload[0]: this workload never ends",
        "workload[0].slo.e2e: found `1 s`, expected at least `ttft: 2 s`",
        "workload[0].synthetic.prompt_tokens.lognormal: neither `mean` nor `sigma` is given",
        "workload[0].synthetic.output_tokens.uniform.max: found `400`, expected at least `min: 500`",
        "workload[1].name: the name `chat` is given twice",
        "workload[1].model: unknown model `chatt`, expected one of `chat`",
        "workload[1].trace.window.to: found `10 min`, expected a time after `from: 1 h`",
        "cluster.pools[0].role: a prefill pool without a decode pool for the same model",
        "assert[0]: `latency.ttft_ms.p99 below 2000` has no comparison, expected one such as `latency.ttft_ms.p99 < 2000`",
    ];
    assert_eq!(messages(&problems.finish().unwrap_err()), expected);
}

/// 100,000 mistakes on one line of two megabytes are reported in bounded time and memory.
#[test]
fn a_flood_of_mistakes_is_cut_short() {
    let keys: Vec<String> = (0..100_000).map(|i| format!("mistake_{i}: []")).collect();
    let errors = read(&format!("{{{}}}", keys.join(", ")), &[]).unwrap_err();
    assert_eq!(errors.diagnostics().len(), 1000);
    let text = errors.render();
    assert!(text.len() < 100_000);
    // The keys and what is missing: name, models, workload, cluster.
    assert!(text.ends_with("… and 99954 more\n\n100004 problems found\n"), "{}", &text[text.len() - 200..]);
}

/// Characters with a meaning in YAML.
const MARKS: &[u8] = b"{}[]:,-&*!|>'\"%@`#\n\t .~";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Bytes deleted, inserted, replaced; blocks doubled: the load returns, with or without errors.
    #[test]
    fn no_damage_to_a_scenario_makes_it_panic(edits in prop::collection::vec((0usize..GOOD.len(), 0u8..4, any::<u8>(), 1usize..40), 1..8)) {
        let mut bytes = GOOD.as_bytes().to_vec();
        for (at, kind, byte, length) in edits {
            let at = at.min(bytes.len());
            let end = (at + length).min(bytes.len());
            match kind {
                0 => drop(bytes.drain(at..end)),
                1 => bytes.insert(at, byte),
                2 => bytes[at..end].fill(MARKS[usize::from(byte) % MARKS.len()]),
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

#[test]
fn a_choice_among_prefill_and_mixed_instances_has_one_router() {
    let beside = "    - {name: extra, role: mixed, node: dgx-h100, instances: 1}\n  network: {kv";
    let text = |router: &str| GOOD.replace("  network: {kv", beside).replace("{prefill: round_robin, decode: jsq}", router);
    let told = |router: &str| {
        let loaded = read(&text(router), &[]).unwrap_or_else(|e| panic!("{e}"));
        let mut problems = loaded.document.problems();
        check_meaning(&loaded.value, &mut problems);
        problems.finish().map_err(|errors| messages(&errors))
    };
    assert_eq!(
        told("{prefill: round_robin, mixed: random}").unwrap_err(),
        ["policies.router.mixed: pool `extra` serves a model that has prefill pools too, and `prefill` chooses among all of them"]
    );
    for fine in ["{prefill: round_robin}", "{prefill: random, mixed: random}", "random"] {
        assert!(told(fine).is_ok(), "{fine}");
    }
}
