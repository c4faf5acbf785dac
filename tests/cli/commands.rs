//! The commands beside `run`: each does its work, and each refuses an unknown word with the nearest one.

use super::Place;

/// `said` offers `word`, as ours or as clap's messages do.
fn offers(said: &str, word: &str) -> bool {
    said.contains(&format!("did you mean `{word}`?"))
        || said.contains(&format!("similar value exists: '{word}'"))
        || said.contains(&format!("similar subcommand exists: '{word}'"))
}

#[test]
fn help_and_version_are_answers() {
    let place = Place::new();
    let help = place.good(&["--help"]);
    assert!(help.contains("Exit codes: 0 done, 1") && help.contains("trace"), "{help}");
    for command in ["run", "validate", "init", "list", "show", "schema", "explain", "trace", "completions", "man"] {
        assert!(help.contains(&format!("\n  {command} ")), "{command}: {help}");
        assert!(place.good(&[command, "--help"]).contains("Usage: tokenmill"), "{command}");
    }
    assert_eq!(place.good(&["--version"]), format!("tokenmill {}\n", env!("CARGO_PKG_VERSION")));
    assert!(place.refused(&[]).contains("Usage:"));
}

#[test]
fn a_word_that_is_none_is_refused_with_the_nearest() {
    let place = Place::tiny();
    place.write("a.csv", "arrival_s,prompt_tokens,output_tokens\n0,5,5\n");
    let cases: [(&[&str], &str); 17] = [
        (&["init", "--from", "quikstart"], "quickstart"),
        (&["rum"], "run"),
        (&["list", "chip"], "chips"),
        (&["show", "chp", "h100-sxm"], "chip"),
        (&["show", "chip", "h100-sx"], "h100-sxm"),
        (&["show", "node", "dgx-h10"], "dgx-h100"),
        (&["show", "model", "llama-3.3-70"], "llama-3.3-70b"),
        (&["show", "scenario", "quickstrat"], "quickstart"),
        (&["schema", "scnario"], "scenario"),
        (&["explain", "metrik"], "metric"),
        (&["explain", "metric", "tft"], "ttft"),
        (&["trace", "inspct"], "inspect"),
        (&["trace", "inspect", "a.csv", "--format", "plane"], "plain"),
        (&["trace", "generate", "tiny.yaml", "--workload", "chta"], "chat"),
        (&["completions", "bsh"], "bash"),
        (&["validate", "tiny.yaml", "--kind", "scenari"], "scenario"),
        (&["run", "tiny.yaml", "--set", "cluster.pools.d.instnaces=3"], "instances"),
    ];
    for (arguments, word) in cases {
        let said = place.refused(arguments);
        assert!(offers(&said, word), "{arguments:?}: {said}");
    }
    let said = place.refused(&["run", "quikstart"]);
    assert!(said.contains("did you mean the shipped scenario `quickstart`"), "{said}");
    let said = place.refused(&["show", "chip", "potato"]);
    assert!(said.contains("known: a100-80gb, b200"), "{said}");
}

#[test]
fn lists_have_what_shows_can_show() {
    let place = Place::new();
    for (plural, singular, least) in [
        ("chips", "chip", 7),
        ("nodes", "node", 5),
        ("links", "link", 8),
        ("sites", "site", 1),
        ("models", "model", 12),
        ("scenarios", "scenario", 6),
    ] {
        let listed: serde_json::Value = serde_json::from_str(&place.good(&["list", plural, "--json"])).unwrap();
        let rows = listed.as_array().unwrap();
        assert!(rows.len() >= least, "{plural}");
        assert_eq!(place.good(&["list", plural]).lines().count(), rows.len());
        for row in rows {
            let name = row["name"].as_str().unwrap();
            assert!(!row["description"].as_str().unwrap().is_empty(), "{name}");
            assert!(place.good(&["show", singular, name]).contains(name));
        }
    }
    assert!(place.good(&["list", "policies"]).contains("power-of-two"));
    assert!(place.good(&["show", "policy", "prefix_hit"]).contains("\nload_factor (default 2.0): "));
    assert!(place.good(&["show", "policy", "least-request"]).contains("\nalso          lor, jsq, "));
    // Two families have one of this name.
    assert_eq!(place.good(&["show", "policy", "always", "--yaml"]), "policies: {admission: always, disaggregation: always}\n");
    assert!(place.good(&["show", "policy", "always"]).contains("\n\ndisaggregation always: "));
    assert!(place.refused(&["show", "policy", "prefix-hits"]).contains("did you mean `prefix-hit`?"));
    assert!(place.good(&["explain", "metric", "pools.decode.queue_mean"]).contains("\n  pools[].queue_mean (requests, less is better): "));
    let yaml = place.good(&["show", "chip", "h100-sxm", "--yaml"]);
    assert!(yaml.contains("name: h100-sxm"), "{yaml}");
}

#[test]
fn profiles_of_a_folder_win_over_built_in_ones() {
    let place = Place::tiny();
    let mine = place.good(&["show", "site", "us-hyperscale-2026", "--yaml"]).replace("us-hyperscale-2026", "mine");
    place.write("prof/sites/mine.yaml", mine);
    assert!(place.good(&["list", "sites", "--profiles", "prof"]).contains("mine"));
    place.good(&["run", "tiny.yaml", "--quiet", "--profiles", "prof", "--set", "cluster.site.profile=mine"]);
    let said = place.refused(&["run", "tiny.yaml", "--profiles", "porf"]);
    assert!(said.starts_with("error: no such folder: `porf`"), "{said}");
}

#[test]
fn validate_checks_every_file_and_says_which_are_wrong() {
    let place = Place::tiny();
    place.write("sites/a.yaml", place.good(&["show", "site", "us-hyperscale-2026", "--yaml"]).replace("us-hyperscale-2026", "a"));
    assert_eq!(place.good(&["validate", "tiny.yaml", "sites/a.yaml"]), "tiny.yaml: valid scenario\nsites/a.yaml: valid site\n");
    place.write("bad.yaml", "nam: x\n");
    let done = place.run(&["validate", "bad.yaml", "tiny.yaml"]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(2), "tiny.yaml: valid scenario\n"));
    assert!(done.stderr.contains("bad.yaml:1:1"), "{}", done.stderr);
    let done = place.run(&["validate", "bad.yaml", "tiny.yaml", "--json"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(2), ""));
    let found: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(found[1], serde_json::json!({"file": "tiny.yaml", "kind": "scenario", "valid": true, "problems": []}));
    assert_eq!((&found[0]["file"], &found[0]["valid"]), (&"bad.yaml".into(), &false.into()));
    let problem = &found[0]["problems"][0];
    assert_eq!((&problem["file"], &problem["line"], &problem["column"]), (&"bad.yaml".into(), &1.into(), &1.into()));
    assert_eq!((&problem["message"], &problem["hint"]), (&"unknown key `nam`".into(), &"did you mean `name`?".into()));
}

#[test]
fn explanations_completions_and_the_manual_print() {
    let place = Place::new();
    assert!(place.good(&["explain", "metric", "ttft"]).contains("arrival"));
    assert!(place.good(&["explain", "metric"]).contains("\n\n"));
    assert!(place.good(&["completions", "bash"]).contains("_tokenmill"));
    assert!(place.good(&["man"]).contains(".TH tokenmill 1 "));
}

/// Every command that the page of the program or of another command names has a page of its own.
#[test]
fn every_command_has_a_manual_page() {
    let place = Place::new();
    let mut waiting = vec![vec!["man".to_owned()]];
    let mut seen = Vec::new();
    while let Some(words) = waiting.pop() {
        let page = place.good(&words.iter().map(String::as_str).collect::<Vec<_>>()).replace("\\-", "-");
        let name = [&["tokenmill".to_owned()], &words[1..]].concat().join("-");
        let title = format!(".TH {name} 1  \"tokenmill {}\"", env!("CARGO_PKG_VERSION"));
        assert!(page.contains(&title), "{title}: {page}");
        let below = page.lines().filter_map(|line| line.strip_prefix(&format!("{name}-"))?.strip_suffix("(1)"));
        waiting.extend(below.filter(|command| *command != "help").map(|command| [&words[..], &[command.to_owned()]].concat()));
        seen.push(name);
    }
    for name in ["tokenmill-run", "tokenmill-trace-import", "tokenmill-explain-metric", "tokenmill-man"] {
        assert!(seen.iter().any(|seen| seen == name), "{name}: {seen:?}");
    }
    assert!(place.good(&["man", "trace", "import"]).contains("skip"));
    assert!(offers(&place.refused(&["man", "rum"]), "run"));
    assert!(offers(&place.refused(&["man", "trace", "imprt"]), "import"));
    let said = place.refused(&["man", "run", "fast"]);
    assert_eq!(said, "error: `tokenmill run` has no command `fast`\n\nhint: see `tokenmill man run`\n");
}

#[test]
fn a_generated_trace_is_inspected_and_imported() {
    let place = Place::tiny();
    let text = place.good(&["trace", "generate", "tiny.yaml"]);
    assert_eq!(text.lines().count(), 301);
    let done = place.run(&["trace", "generate", "tiny.yaml", "--requests", "20", "--out", "g.csv"]);
    assert_eq!((done.code, done.stdout.as_str(), done.stderr.as_str()), (Some(0), "", "20 requests written\n"));
    let generated = std::fs::read_to_string(place.path("g.csv")).unwrap();
    assert!(text.starts_with(&generated));
    assert!(place.good(&["trace", "inspect", "g.csv"]).contains("requests        20"));
    let statistics: serde_json::Value = serde_json::from_str(&place.good(&["trace", "inspect", "g.csv", "--json"])).unwrap();
    assert_eq!((&statistics["requests"], &statistics["format"]), (&20.into(), &"plain".into()));
    assert!(place.good(&["trace", "generate", "tiny.yaml", "--seed", "7"]) == text);
    assert!(place.good(&["trace", "generate", "tiny.yaml", "--seed", "8"]) != text);
    // Imported traces begin at 0; what is imported again stays as it is.
    let imported = place.good(&["trace", "import", "g.csv"]);
    let lengths = |text: &str| text.lines().filter_map(|line| Some(line.split_once(',')?.1.to_owned())).collect::<Vec<_>>();
    assert_eq!(lengths(&imported), lengths(&generated));
    assert!(imported.contains("\n0.000000000,"), "{imported}");
    // Over the file it reads from.
    for _ in 0..2 {
        assert_eq!(place.run(&["trace", "import", "g.csv", "--out", "g.csv"]).code, Some(0));
        assert_eq!(std::fs::read_to_string(place.path("g.csv")).unwrap(), imported);
    }
}

#[test]
fn lines_that_are_skipped_are_counted() {
    let place = Place::new();
    place.write("a.csv", "arrival_s,prompt_tokens,output_tokens\n0,5,5\n1,x,5\n2,5,0\n3,5,5\n");
    let said = place.refused(&["trace", "inspect", "a.csv"]);
    assert!(said.starts_with("error: a.csv:3: prompt_tokens: found `x`"), "{said}");
    assert!(said.contains("\n  |\n3 | 1,x,5\n\nhint: ") && said.contains("--skip-bad-lines"), "{said}");
    let done = place.run(&["trace", "import", "a.csv", "--skip-bad-lines"]);
    assert_eq!((done.code, done.stdout.lines().count()), (Some(0), 3));
    assert!(done.stderr.starts_with("skipped: 2"), "{}", done.stderr);
}

#[test]
fn init_writes_a_scenario_and_never_over_one() {
    let place = Place::new();
    assert_eq!(place.run(&["init", "mine.yaml"]).code, Some(0));
    assert_eq!(place.good(&["validate", "mine.yaml"]), "mine.yaml: valid scenario\n");
    place.write("other.yaml", "precious");
    let said = place.refused(&["init", "other.yaml"]);
    assert!(said.starts_with("error: `other.yaml` already exists"), "{said}");
    assert_eq!(std::fs::read_to_string(place.path("other.yaml")).unwrap(), "precious");
}

/// What is wrong with a profile of one's own is told with its file and line by `run` as by `validate`, once.
#[test]
fn a_wrong_profile_is_told_with_its_place() {
    let place = Place::new();
    let link = place.good(&["show", "link", "ib-ndr", "--yaml"]).replacen("bandwidth: {value: 400 Gb/s", "bandwidth: {value: 0 Gb/s", 1);
    assert!(link.contains("0 Gb/s"), "{link}");
    place.write("mine/links/ib-ndr.yaml", &link);
    let said = place.refused(&["run", "quickstart", "--profiles", "mine"]);
    assert!(said.contains("bandwidth: found 0, expected more than zero") && said.contains("--> mine/links/ib-ndr.yaml:"), "{said}");
    assert_eq!(said.matches("expected more than zero").count(), 1, "{said}");
    assert_eq!(place.refused(&["validate", "mine/links/ib-ndr.yaml"]), said);
    place.write("t.csv", "arrival_s,prompt_tokens,output_tokens,prefix_id_16\n0,16,5,a\n");
    let said = place.refused(&["trace", "inspect", "t.csv"]);
    assert!(said.contains("found the column `prefix_id_16`, expected `prefix_ids_512`") && !said.contains("looks like"), "{said}");
}

/// An option that could not change anything is refused, not ignored.
#[test]
fn options_without_effect_are_refused() {
    let place = Place::new();
    for arguments in [&["list", "chips", "--set", "a=1"][..], &["show", "scenario", "quickstart", "--set", "seed=3"]] {
        assert!(place.refused(arguments).contains("unexpected argument '--set'"), "{arguments:?}");
    }
    let chip = place.good(&["show", "chip", "h100-sxm", "--yaml"]);
    place.write("mine/chips/h100-sxm.yaml", chip);
    assert!(place.refused(&["validate", "mine/chips/h100-sxm.yaml", "--set", "a=1"]).contains("`--set` changes scenarios"));
    assert_eq!(place.good(&["validate", "mine/chips/h100-sxm.yaml"]), "mine/chips/h100-sxm.yaml: valid chip\n");
}

/// What `init` writes finds what it includes among what is compiled in, and so does a file of the user's.
#[test]
fn every_scenario_to_start_from_works_in_an_empty_folder() {
    let place = Place::new();
    place.write("own.yaml", "include: quickstart\nname: own\n");
    assert_eq!(place.good(&["validate", "own.yaml"]), "own.yaml: valid scenario\n");
    assert_eq!(place.run(&["init", "mine.yaml", "--from", "quickstart-colocated"]).code, Some(0));
    place.good(&["run", "mine.yaml", "--quiet", "--set", "run.requests=60", "--set", "assert=[]"]);
    assert!(!std::fs::read_to_string(place.path("mine.yaml")).unwrap().contains("yaml-language-server"));
    place.write("a.csv", "arrival_s,prompt_tokens,output_tokens\n0,5,5\n");
    assert_eq!(place.run(&["init", "replay.yaml", "--from", "trace-plain"]).code, Some(0));
    place.good(&["run", "replay.yaml", "--quiet", "--set", "workload.own.trace.path=a.csv", "--set", "assert=[]"]);
    // A file on disk wins over what is compiled in.
    place.write("quickstart.yaml", "nonsense: 1\n");
    assert!(place.refused(&["run", "replay.yaml"]).contains("quickstart.yaml:1:1"));
}

/// What is shipped runs anywhere: includes are found, and a trace that is not there is asked for.
#[test]
fn shipped_scenarios_work_in_an_empty_folder() {
    let place = Place::new();
    let assertions = ["--set", "assert=[]", "--set", "run.requests=60", "--quiet"];
    for name in ["quickstart", "scenarios/quickstart.yaml", "quickstart-colocated"] {
        place.good(&[&["run", name], &assertions[..]].concat());
    }
    place.write("a.csv", "arrival_s,prompt_tokens,output_tokens\n0,5,5\n");
    for name in ["trace-azure", "trace-mooncake", "trace-burstgpt", "trace-plain"] {
        let said = place.refused(&["run", name]);
        assert!(said.contains(".trace.path: no such file: `../traces/"), "{said}");
        assert!(said.contains(&format!("\n  --> scenarios/{name}.yaml:")), "{said}");
        // The hint is a command that works.
        let (_, hint) = said.split_once("hint: give its path with `--set ").unwrap();
        let (path, _) = hint.split_once(".path=…`").unwrap();
        let sets = [format!("{path}.path=a.csv"), format!("{path}.format=plain")];
        place.good(&["run", name, "--quiet", "--set", &sets[0], "--set", &sets[1], "--set", "assert=[]"]);
    }
}

/// Llama 3.1 8B with attention left in 16 bits and an fp8 cache.
const CONFIG: &str = r#"{"model_type": "some_vlm", "torch_dtype": "bfloat16", "quantization_config": {"quant_method": "compressed-tensors",
    "ignore": ["lm_head", "re:.*self_attn.*"], "kv_cache_scheme": {"num_bits": 8, "type": "float"},
    "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float"}}}},
    "text_config": {"model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 131072}}"#;

#[test]
fn a_checkpoint_is_shown_as_it_is_understood() {
    let place = Place::new();
    place.write("llama/config.json", CONFIG);
    for path in ["llama", "llama/config.json"] {
        let shown: serde_json::Value = serde_json::from_str(&place.good(&["show", "model", path, "--json"])).unwrap();
        assert_eq!(shown["name"], "llama");
        assert_eq!(shown["parameters"], 8_030_261_248_u64);
        assert_eq!(shown["active_parameters"], 8_030_261_248_u64);
        // 32 feed-forward layers of 176,160,768 at 1 byte, everything else at 2.
        assert_eq!(shown["weight_bytes"], 2 * 8_030_261_248_u64 - 32 * 176_160_768);
        assert_eq!(shown["kv_bytes_per_token"], 65_536);
        assert_eq!(shown["max_context"], 131_072);
        assert_eq!(shown["defaulted"]["tie_word_embeddings"], false);
        let bytes: u64 = shown["weights"].as_array().unwrap().iter().map(|part| part["bytes"].as_u64().unwrap()).sum();
        assert_eq!(shown["weight_bytes"], bytes);
    }
    let text = place.good(&["show", "model", "llama"]);
    assert!(text.contains("10.42 GB in fp8, attention bf16, KV fp8") && text.contains("tie_word_embeddings false"), "{text}");
    // What it prints as YAML is a profile.
    place.write("own/models/llama.yaml", place.good(&["show", "model", "llama", "--yaml"]));
    let again = place.good(&["show", "model", "llama", "--profiles", "own", "--json"]);
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["weight_bytes"], 2 * 8_030_261_248_u64 - 32 * 176_160_768);

    assert!(place.refused(&["show", "model", "none/config.json"]).contains("no such file"));
    assert!(place.refused(&["show", "chip", "h100-sxm", "--json"]).contains("`--json` is for models"));
    place.write("hqq/config.json", CONFIG.replace("compressed-tensors", "hqq"));
    let said = place.refused(&["show", "model", "hqq"]);
    assert!(said.contains("the method `hqq`") && said.contains("weights: int4"), "{said}");
}

#[test]
fn the_kv_cache_of_a_checkpoint_is_what_crosses_the_network() {
    let place = Place::new();
    place.write("config.json", CONFIG);
    place.write("hqq.json", CONFIG.replace("compressed-tensors", "hqq"));
    let tokens = |model: &str| {
        let sets = format!("models.chat={model}");
        let run = ["quickstart", "--set", &sets, "--set", "run.requests=20", "--set", "run.warmup=0 s", "--set", "assert=[]"];
        let (_, files) = place.results_of(if model.contains("hqq") { "hqq" } else { "llama" }, &run);
        let summary: serde_json::Value = serde_json::from_slice(&files["summary.json"]).unwrap();
        summary["network"]["bytes"].as_f64().unwrap() / summary["tokens"]["prompt"].as_f64().unwrap()
    };
    approx::assert_relative_eq!(tokens("{hugging_face: config.json}"), 65_536.0, max_relative = 0.01);
    // With the formats given, the quantization of the file is not needed.
    approx::assert_relative_eq!(tokens("{hugging_face: hqq.json, weights: int4, kv: bf16}"), 131_072.0, max_relative = 0.01);
}
