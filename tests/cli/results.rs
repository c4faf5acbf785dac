//! What `run` writes and prints, and that nothing but the inputs decides it.

use std::fs;
use std::path::Path;

use super::Place;
use crate::support::data;

#[test]
fn a_run_writes_every_file() {
    let place = Place::tiny();
    let (name, files) = place.results_of("out", &["tiny.yaml", "--trace-events"]);
    assert!(name.starts_with("tiny-7-") && name.len() == "tiny-7-".len() + 8, "{name}");
    for file in ["summary.json", "requests.csv", "timeline.csv", "report.html", "resolved.yaml", "trace.json"] {
        assert!(files.get(file).is_some_and(|content| content.len() > 100), "{file}");
    }
    assert!(
        files.keys().any(|name| name.starts_with("plots/") && Path::new(name).extension().is_some_and(|e| e == "svg")),
        "{:?}",
        files.keys()
    );
    let json = |name: &str| -> serde_json::Value { serde_json::from_slice(&files[name]).unwrap() };
    assert_eq!(json("summary.json")["scenario"], "tiny");
    assert!(json("trace.json").is_object() || json("trace.json").is_array());
    // 300 requests and the header.
    assert_eq!(String::from_utf8_lossy(&files["requests.csv"]).lines().count(), 301);
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(place.path("out").join(&name).join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["input_hash"].as_str().unwrap()[..8], name["tiny-7-".len()..]);
    let hash = blake3::hash(super::TINY.as_bytes()).to_hex().to_string();
    assert_eq!(manifest["files"], serde_json::json!([{"name": "tiny.yaml", "blake3": hash}]));
    // Nothing of the making is left, and no trace of events where none was asked for.
    assert!(!place.results_of("plain", &["tiny.yaml"]).1.contains_key("trace.json"));
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let place = Place::tiny();
    let first = place.results_of("first", &["tiny.yaml"]);
    let ways: [&[&str]; 6] = [&[], &["--jobs", "1"], &["--jobs", "2"], &["--no-fast-forward"], &["--audit"], &["--seed", "7"]];
    for (number, more) in ways.into_iter().enumerate() {
        let again = place.results_of(&format!("again-{number}"), &[&["tiny.yaml"], more].concat());
        assert!(again == first, "{more:?}");
    }
    // Into the same folder, over the older one.
    assert!(place.results_of("first", &["tiny.yaml"]) == first);
    let other = place.results_of("other", &["tiny.yaml", "--seed", "8"]);
    assert_ne!(other.0, first.0);
    assert_ne!(other.1["summary.json"], first.1["summary.json"]);
}

#[test]
fn the_resolved_scenario_reproduces_the_folder() {
    let place = Place::tiny();
    place.write("trace/a.csv", "arrival_s,prompt_tokens,output_tokens\n0,50,5\n0.5,10,7\n1.0,1000,5\n");
    let replay = "workload.chat.trace={format: plain, path: trace/a.csv, repeat: 3}";
    let cases: [(&str, &[&str]); 3] = [
        ("tiny", &["tiny.yaml", "--set", "cluster.pools.d.pricing=rent"]),
        ("replay", &["tiny.yaml", "--set", replay, "--set", "run.requests=~"]),
        ("quickstart", &["quickstart", "--set", "run={requests: 600, warmup: 5 s}", "--set", "assert=[]"]),
    ];
    for (name, arguments) in cases {
        let first = place.results_of(name, arguments);
        let resolved = format!("{name}/{}/resolved.yaml", first.0);
        let again = place.results_of(&format!("{name}-again"), &[&resolved]);
        assert_eq!(again.0, first.0);
        for (file, content) in &first.1 {
            assert!(again.1[file] == *content, "{name}: {file}");
        }
    }
}

/// Where files lie is in `resolved.yaml` and the manifest and nowhere else; what is in them is in the hash.
#[test]
fn files_may_lie_anywhere() {
    const TRACE: &str = "arrival_s,prompt_tokens,output_tokens\n0,50,5\n0.5,10,7\n1.0,1000,5\n";
    let place = Place::tiny();
    let results = |folder: &str, trace: &str, prompts: &str, outputs: &str| {
        place.write(&format!("{folder}/trace.csv"), trace);
        place.write(&format!("{folder}/prompts.txt"), prompts);
        place.write(&format!("{folder}/outputs.txt"), outputs);
        let replay = format!(
            "workload=[{{name: r, trace: {{format: plain, path: {folder}/trace.csv}}}}, {{name: s, requests: 50, synthetic: {{\
            arrivals: {{poisson: {{rate: 9 /s}}}}, prompt_tokens: {{empirical: {{path: {folder}/prompts.txt}}}}, \
            output_tokens: {{empirical: {{path: {folder}/outputs.txt}}}}}}}}]"
        );
        place.results_of(&format!("{folder}-out"), &["tiny.yaml", "--set", &replay, "--set", "run=~"])
    };
    let (name, files) = results("a", TRACE, "5\n6\n", "7\n");
    let (other_name, other_files) = results("b", TRACE, "5\n6\n", "7\n");
    assert_eq!(name, other_name);
    for (file, content) in &files {
        assert_eq!(*content == other_files[file], file != "resolved.yaml", "{file}");
    }
    let manifest = std::fs::read_to_string(place.path("a-out").join(&name).join("manifest.json")).unwrap();
    for (file, content) in [("a/trace.csv", TRACE), ("a/prompts.txt", "5\n6\n"), ("a/outputs.txt", "7\n")] {
        assert!(manifest.contains(file) && manifest.contains(blake3::hash(content.as_bytes()).to_hex().as_str()), "{file}: {manifest}");
    }
    // The same bytes in other files are another input.
    for (folder, trace, prompts, outputs) in
        [("c", TRACE, "7\n", "5\n6\n"), ("d", TRACE, "5\n6\n7\n", "7\n"), ("e", &TRACE.replace("1000", "999"), "5\n6\n", "7\n")]
    {
        assert_ne!(results(folder, trace, prompts, outputs).0, name, "{folder}");
    }
}

/// Tiny KV caches of given coefficients have more blocks than 32 bits count.
#[test]
fn a_resolved_scenario_with_billions_of_blocks_can_be_run() {
    let place = Place::tiny();
    let tiny = ["--set", "cluster.pools.d.perf.affine.kv_bytes_per_token=1 B", "--set", "cluster.pools.d.engine.block_size=1"];
    let first = place.results_of("first", &[&["tiny.yaml"], &tiny[..]].concat());
    let resolved = format!("first/{}/resolved.yaml", first.0);
    assert!(place.results_of("again", &[&resolved]) == first);
}

/// A closed loop whose clients are refused and ask again at the same instant, for ever.
#[test]
fn a_loop_that_stands_still_is_the_users_error() {
    let place = Place::tiny();
    let stuck = "workload=[{name: agents, closed_loop: {concurrency: 4, prompt_tokens: {lognormal: {median: 5000, sigma: 0.01}}, \
        output_tokens: {fixed: 5}}}]";
    let short = "cluster.pools=[{name: m, role: mixed, node: dgx-h100, instances: 1, engine: {max_model_len: 4096}}]";
    let said = place.refused(&["run", "tiny.yaml", "--set", stuck, "--set", short, "--set", "run={duration: 10 s}"]);
    // Four at a time.
    assert!(said.starts_with("error: workload `agents`: 100004 requests in a row left at the instant they arrived"), "{said}");
    assert!(said.contains("\n\nhint: ") && said.contains("max_model_len"), "{said}");
    assert!(std::fs::read_dir(place.path("outputs")).unwrap().next().is_none(), "nothing is left");
}

#[cfg(unix)]
#[test]
fn a_run_that_is_asked_to_end_leaves_nothing() {
    let place = Place::tiny();
    for signal in ["INT", "TERM"] {
        let child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("tokenmill"))
            .current_dir(place.path(""))
            .args(["run", "tiny.yaml", "--quiet", "--out", signal, "--set", "run.requests=1G"])
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let begun = || std::fs::read_dir(place.path(signal)).is_ok_and(|mut entries| entries.next().is_some());
        while !begun() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(std::process::Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{signal}: {said}");
        let at = said.strip_prefix("error: the run was interrupted at ").and_then(|rest| rest.split_once(" of simulated time\n"));
        // As people write durations: three digits and a unit that suits.
        assert!(at.is_some_and(|(at, _)| at.chars().filter(char::is_ascii_digit).count() <= 3 || at.starts_with("1,")), "{said}");
        assert!(!begun(), "{signal}");
    }
}

/// Whoever has protected results wants to keep them.
#[cfg(unix)]
#[test]
fn results_that_are_protected_stay() {
    let place = Place::tiny();
    let (name, files) = place.results_of("outputs", &["tiny.yaml"]);
    let folder = place.path(&format!("outputs/{name}"));
    let protect = |readonly| {
        let mut permissions = std::fs::metadata(&folder).unwrap().permissions();
        permissions.set_readonly(readonly);
        std::fs::set_permissions(&folder, permissions).unwrap();
    };
    protect(true);
    let said = place.refused(&["run", "tiny.yaml"]);
    assert!(said.contains("write-protected\n\nhint: "), "{said}");
    protect(false);
    assert!(place.results("outputs") == (name, files));
}

/// As under `nohup`, whose children get HUP when the terminal is closed and are to go on.
#[cfg(unix)]
#[test]
fn a_run_that_is_to_ignore_hangups_does() {
    let place = Place::tiny();
    let program = assert_cmd::cargo::cargo_bin!("tokenmill").display().to_string();
    let script = format!("trap '' HUP; exec '{program}' run tiny.yaml --quiet --set run.requests=30k");
    let mut child = std::process::Command::new("sh").args(["-c", &script]).current_dir(place.path("")).spawn().unwrap();
    while !std::fs::read_dir(place.path("outputs")).is_ok_and(|mut entries| entries.next().is_some()) {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert!(std::process::Command::new("kill").args(["-s", "HUP", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// What a run that was killed could not remove goes with the next one, and what a live one is writing stays.
#[cfg(unix)]
#[test]
fn what_a_killed_run_leaves_goes_with_the_next() {
    let place = Place::tiny();
    let names = || {
        let entries =
            std::fs::read_dir(place.path("outputs")).map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()));
        entries.map(Iterator::collect::<Vec<_>>).unwrap_or_default()
    };
    let begin = || {
        let before = names().len();
        let child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("tokenmill"))
            .current_dir(place.path(""))
            .args(["run", "tiny.yaml", "--quiet", "--set", "run.requests=1G"])
            .spawn()
            .unwrap();
        while names().len() == before {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        child
    };
    let mut child = begin();
    place.good(&["run", "tiny.yaml", "--quiet"]);
    assert_eq!(names().len(), 2, "that of the live run and that of this one: {:?}", names());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(names().len(), 2);
    place.good(&["run", "tiny.yaml", "--quiet"]);
    place.results("outputs");
}

/// What follows from the chips is not frozen: another chip or parallelism in a resolved scenario gives what it gives in the original.
#[test]
fn a_resolved_scenario_can_be_asked_what_if() {
    let place = Place::new();
    let small = ["--set", "run={requests: 200, warmup: 0 s}", "--set", "assert=[]"];
    let (name, _) = place.results_of("first", &[&["quickstart"], &small[..]].concat());
    let resolved = format!("first/{name}/resolved.yaml");
    let change = ["--set", "cluster.pools.decode.node=dgx-h200", "--set", "cluster.pools.decode.parallelism.tp=2"];
    let changed = place.results_of("changed", &[&[resolved.as_str()], &change[..]].concat());
    let original = place.results_of("original", &[&["quickstart"], &small[..], &change[..]].concat());
    assert_eq!(String::from_utf8_lossy(&changed.1["requests.csv"]), String::from_utf8_lossy(&original.1["requests.csv"]));
    let said = place.refused(&["run", "quickstart", "--set", "cluster.pools.decode.engine.num_gpu_blocks_override=1G"]);
    assert!(said.contains("expected at most ") && said.contains(" blocks, the capacity of one instance's memory"), "{said}");
}

/// Shares of instance time and energy, but not the idle time, which is nobody's: less than the whole, and with dear energy most of its
/// energy.
#[test]
fn costs_of_requests_are_shares_of_the_cost_of_the_run() {
    let place = Place::tiny();
    let sums = |parent: &str, arguments: &[&str]| -> (f64, f64) {
        let (_, files) = place.results_of(parent, &[&["tiny.yaml", "--set", "run.warmup=0 s"], arguments].concat());
        let mut reader = csv::Reader::from_reader(files["requests.csv"].as_slice());
        let column = reader.headers().unwrap().iter().position(|name| name == "cost_usd").unwrap();
        let sum = reader.records().map(|record| record.unwrap()[column].parse::<f64>().unwrap()).sum();
        let summary: serde_json::Value = serde_json::from_slice(&files["summary.json"]).unwrap();
        (sum, summary["cost"]["total_usd"].as_f64().unwrap())
    };
    let (requests, run) = sums("plain", &[]);
    assert!(requests > 0.0 && requests < run, "{requests} of {run}");
    let (dear_requests, dear_run) = sums("dear", &["--set", "cluster.site.electricity=1000 $/kWh"]);
    assert!(dear_requests > 10.0 * requests && dear_requests < dear_run, "{dear_requests} of {dear_run}");
}

#[test]
fn json_and_quiet_keep_stdout_for_results() {
    let place = Place::tiny();
    let summary: serde_json::Value = serde_json::from_str(&place.good(&["run", "tiny.yaml", "--json"])).unwrap();
    assert_eq!(summary["requests"]["in_flight"], 0);
    assert_eq!(place.good(&["run", "tiny.yaml", "--quiet"]), "");
    let page = place.good(&["run", "tiny.yaml"]);
    assert!(page.contains("TTFT") && page.contains("report.html"), "{page}");
    assert!(!page.contains('\u{1b}'), "colour in a pipe");
    assert!(place.good(&["run", "tiny.yaml", "--color", "always"]).contains('\u{1b}'));
}

#[test]
fn messages_are_plain_in_a_pipe_and_coloured_on_demand() {
    let place = Place::tiny();
    let plain = place.refused(&["run", "tiny.yaml", "--set", "sed=1"]);
    assert!(plain.starts_with("error: ") && !plain.contains('\u{1b}'), "{plain}");
    assert!(place.refused(&["run", "tiny.yaml", "--set", "sed=1", "--color", "always"]).contains('\u{1b}'));
    let output = place.command(&["run", "tiny.yaml", "--set", "sed=1"]).env("NO_COLOR", "1").output().unwrap();
    assert!(!String::from_utf8(output.stderr).unwrap().contains('\u{1b}'));
}

#[test]
fn an_assertion_that_fails_is_exit_one_and_the_folder_is_there() {
    let place = Place::tiny();
    let sets = ["run", "tiny.yaml", "--quiet", "--set", "assert=[\"latency.ttft_ms.p99 < 0.1\", \"requests.completed > 1\"]"];
    let done = place.run(&sets);
    assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""));
    assert!(done.stderr.starts_with("error: assertion failed: latency.ttft_ms.p99 < 0.1 fails: it is "), "{}", done.stderr);
    assert_eq!(done.stderr.lines().count(), 1, "the one that holds is not mentioned: {}", done.stderr);
    assert!(place.results("outputs").1.contains_key("summary.json"));
    // On stdout there is still nothing but the result.
    let done = place.run(&[&sets[..2], &["--json"], &sets[3..]].concat());
    assert_eq!(done.code, Some(1));
    assert!(serde_json::from_str::<serde_json::Value>(&done.stdout).is_ok());
}

#[test]
fn nobody_listening_is_no_error() {
    let place = Place::tiny();
    for arguments in [&["run", "tiny.yaml"][..], &["schema", "scenario"], &["--help"], &["trace", "generate", "tiny.yaml"]] {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("tokenmill"))
            .current_dir(place.path(""))
            .args(arguments)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()), "{arguments:?}");
    }
}

#[test]
fn arrivals_stop_at_the_duration_and_those_inside_are_finished() {
    let place = Place::tiny();
    let run = |more: &[&str]| -> serde_json::Value {
        let steady = "workload.chat.synthetic.arrivals={constant: {rate: 10 /s}}";
        let slow = "cluster.pools.d.perf.affine.base=100 ms";
        let fixed = ["run", "tiny.yaml", "--json", "--set", steady, "--set", slow, "--set", "run.warmup=~"];
        serde_json::from_str(&place.good(&[&fixed, more].concat())).unwrap()
    };
    // The first at 0 s, then ten a second, the last at 1.9 s; the last ones decode for up to 4 s more.
    let stopped = run(&["--set", "run.requests=~", "--set", "run.duration=2 s"]);
    let arrived = stopped["requests"]["arrived"].as_u64().unwrap();
    assert_eq!(arrived, 20);
    assert_eq!((&stopped["requests"]["completed"], &stopped["requests"]["in_flight"]), (&arrived.into(), &0.into()));
    assert!(stopped["simulated_s"].as_f64().unwrap() > 2.1);
    // Whichever limit comes first ends the arrivals.
    assert_eq!(run(&["--set", "run.requests=5", "--set", "run.duration=2 s"])["requests"]["arrived"], 5);
    assert_eq!(run(&["--set", "run.requests=300", "--set", "run.duration=2 s"])["requests"]["arrived"], arrived);
    assert_eq!(run(&["--set", "run=~", "--set", "workload.chat.requests=9"])["requests"]["arrived"], 9);
}

#[test]
fn without_any_limit_a_workload_never_ends() {
    let place = Place::tiny();
    let said = place.refused(&["run", "tiny.yaml", "--set", "run.requests=~"]);
    assert!(said.contains("this workload never ends") && said.contains("add `run: {requests: 10k}`"), "{said}");
}

#[test]
fn files_of_the_user_in_the_folder_of_a_run_stay() {
    let place = Place::tiny();
    let (name, _) = place.results_of("out", &["tiny.yaml", "--trace-events"]);
    place.write(&format!("out/{name}/notes/today.txt"), "mine");
    let (_, files) = place.results_of("out", &["tiny.yaml"]);
    assert_eq!(files["notes/today.txt"], b"mine");
    assert!(!files.contains_key("trace.json"), "a file of the older run is left");
}

#[test]
fn the_same_run_may_be_made_several_times_at_once() {
    let place = Place::tiny();
    let alone = place.results_of("alone", &["tiny.yaml"]);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| place.good(&["run", "--quiet", "--out", "crowd", "tiny.yaml"]));
        }
    });
    assert!(place.results("crowd") == alone);
}

/// Steps of given durations say nothing about arithmetic and bytes; a zero would look measured.
#[test]
fn what_a_step_model_does_not_know_is_no_zero() {
    let place = Place::tiny();
    let (_, files) = place.results_of("out", &["tiny.yaml"]);
    let summary: serde_json::Value = serde_json::from_slice(&files["summary.json"]).unwrap();
    for pool in summary["pools"].as_array().unwrap() {
        assert!(pool["utilization"].as_f64().unwrap() > 0.0 && pool["mfu"].is_null() && pool["mbu"].is_null(), "{pool}");
    }
    let said = place.good(&["run", "tiny.yaml"]);
    assert!(said.contains("of the time") && !said.contains("bandwidth") && !said.contains("arithmetic"), "{said}");
}

#[test]
fn an_assertion_that_holds_by_chance_is_noted_even_where_nothing_else_is_said() {
    let place = Place::tiny();
    let few = ["--set", "run={requests: 5}", "--set", "assert=[goodput.slo_attainment > 99 %]"];
    let done = place.run(&[&["run", "tiny.yaml", "--quiet"], &few[..]].concat());
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), ""));
    assert!(done.stderr.starts_with("note: assertion holds, but too few requests to judge: goodput.slo_attainment"), "{}", done.stderr);
    assert!(done.stderr.ends_with("95 % interval 40.0 % to 100 %\n"), "{}", done.stderr);
}

/// The whole folder of a real trace: twice, with one and two jobs, stepped and passed over.
#[test]
fn real_traces_give_the_same_bytes_in_every_way() {
    let traces = [
        ("trace-azure", "azure-conversation", "traces/azure_llm_2023/AzureLLMInferenceTrace_conv_first_half.csv"),
        ("trace-azure", "azure-conversation", "traces/azure_llm_2023/AzureLLMInferenceTrace_code_first_half.csv"),
        ("trace-mooncake", "mooncake-conversation", "traces/mooncake/conversation_trace_first_half.jsonl.gz"),
    ];
    for (number, (scenario, workload, file)) in traces.into_iter().enumerate() {
        let Some(path) = data(file) else { continue };
        let path = path.canonicalize().unwrap();
        let place = Place::new();
        let trace = format!("workload.{workload}.trace.path={}", path.display());
        let arguments = [scenario, "--set", &trace, "--set", "assert=[]"];
        let first = place.results_of("first", &arguments);
        let ways: [&[&str]; 3] = [&["--jobs", "1"], &["--jobs", "2"], &["--no-fast-forward"]];
        for (way, more) in ways.into_iter().enumerate() {
            let again = place.results_of(&format!("again-{number}-{way}"), &[&arguments[..], more].concat());
            assert!(again == first, "{file}: {more:?}");
        }
    }
}
