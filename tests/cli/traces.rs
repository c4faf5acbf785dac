//! Traces that are looked into, converted and made: what is written where, and what is said of those that cannot be used.

use super::Place;

const PLAIN: &str = "arrival_s,prompt_tokens,output_tokens\n0.000000000,5,5\n1.000000000,6,7\n";

/// The only names in the folder, sorted.
fn names(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.path("")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn read(place: &Place, name: &str) -> String {
    std::fs::read_to_string(place.path(name)).unwrap()
}

/// The option wins over the scenario's own number, is written like it, and without it the scenario's holds.
#[test]
fn as_many_requests_are_generated_as_are_asked_for() {
    let place = Place::tiny();
    let lines = |arguments: &[&str]| place.good(&[&["trace", "generate", "tiny.yaml"], arguments].concat()).lines().count();
    assert_eq!(lines(&[]), 1 + 300);
    assert_eq!(lines(&["--requests", "7"]), 1 + 7);
    assert_eq!(lines(&["--requests", "2.5k"]), 1 + 2500);
    assert_eq!(lines(&["--requests", "1000000000000000", "--set", "workload.chat.requests=40"]), 1 + 40);
    assert_eq!(
        lines(&["--set", "run={requests: ~, duration: 1 min}", "--set", "workload.chat.synthetic.arrivals.poisson.rate=1 /min"]),
        1 + 1
    );
    for wrong in ["0", "-3", "1.5", "many", "2000000G"] {
        let said = place.refused(&["trace", "generate", "tiny.yaml", "--requests", wrong]);
        assert!(said.contains(&format!("'{wrong}'")) && said.contains("expected a whole number above 0"), "{said}");
    }
}

/// It stands in for the scenario's own limit, also where that has none.
#[test]
fn a_workload_without_end_is_generated_up_to_the_number_asked_for() {
    let place = Place::tiny();
    let said = place.good(&["trace", "generate", "tiny.yaml", "--requests", "3", "--set", "run={warmup: 1 s}"]);
    assert_eq!(said.lines().count(), 1 + 3);
}

/// Whoever reads a trace more than once needs a file; who reads it once may be given a pipe, but not one without a line.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_read_once_or_not_at_all() {
    let place = Place::tiny();
    assert!(std::process::Command::new("mkfifo").arg(place.path("pipe")).status().unwrap().success());
    for (path, what) in [("pipe", "pipe"), ("/dev/zero", "device")] {
        let set = format!("workload.chat.trace={{format: plain, path: {path}}}");
        for command in ["run", "validate"] {
            let said = place.refused(&[command, "tiny.yaml", "--set", &set]);
            assert!(said.contains(&format!("`{path}` is a {what}, and a trace is read more than once")), "{said}");
            assert!(said.ends_with("hint: save it to a file first\n"), "{said}");
        }
    }
    for options in [&["trace", "inspect", "/dev/zero"][..], &["trace", "import", "/dev/zero", "--skip-bad-lines"]] {
        let said = place.refused(options);
        assert_eq!(said, "error: /dev/zero:1: found a line of more than 64 MiB, expected one request\n");
    }
    let program = assert_cmd::cargo::cargo_bin!("tokenmill").display().to_string();
    place.write("t.csv", PLAIN);
    let script = format!("cat t.csv > pipe & '{program}' trace import pipe");
    let output = std::process::Command::new("sh").args(["-c", &script]).current_dir(place.path("")).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), PLAIN);
}

/// What is missing is no bad line, at whatever point of a run it is missed.
#[test]
fn a_compressed_trace_that_is_cut_is_refused_however_it_is_read() {
    use std::io::Write;
    let place = Place::tiny();
    let lines: Vec<String> = (0..20_000).map(|i| format!("{i},{},{}\n", 1 + i * i % 997, 1 + i * 7 % 31)).collect();
    let text = format!("arrival_s,prompt_tokens,output_tokens\n{}", lines.concat());
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    place.write("cut.gz", &whole[..whole.len() / 2]);
    let set = "workload.chat.trace={format: plain, path: cut.gz, rate_scale: 1000, skip_bad_lines: true}";
    let run: &[&str] = &["run", "tiny.yaml", "--set", set, "--set", "run={}"];
    for arguments in [run, &["trace", "inspect", "cut.gz"], &["trace", "import", "cut.gz", "--skip-bad-lines", "--out", "o.csv"]] {
        let said = place.refused(arguments);
        assert!(said.starts_with("error: cut.gz: the compressed data end after line "), "{said}");
        assert!(said.ends_with("; the rest is missing\n\nhint: download the file again: a complete gzip file is needed\n"), "{said}");
    }
    assert_eq!(names(&place).iter().filter(|name| name.contains("o.csv")).count(), 0);
}

#[test]
fn a_trace_without_a_request_is_not_written() {
    let place = Place::tiny();
    let said = place.refused(&["trace", "generate", "tiny.yaml", "--set", "run={requests: ~, duration: 1 ns}", "--out", "g.csv"]);
    assert!(said.starts_with("error: no request to write") && said.contains("hint: use a longer `run.duration`"), "{said}");
    assert_eq!(names(&place), ["tiny.yaml"]);
}

/// The input is whole until all of the output is: a line that cannot be used leaves it as it was, by whatever name it is written over.
#[test]
fn a_trace_is_written_over_itself_whole_or_not_at_all() {
    let place = Place::new();
    let bad = format!("{PLAIN}2,x,5\n3,8,9\n");
    for out in ["t.csv", "./t.csv", "sub/../t.csv"] {
        place.write("sub/other", "");
        place.write("t.csv", &bad);
        place.refused(&["trace", "import", "t.csv", "--out", out]);
        assert_eq!(read(&place, "t.csv"), bad);
        assert_eq!(place.run(&["trace", "import", "t.csv", "--skip-bad-lines", "--out", out]).code, Some(0));
        assert_eq!(read(&place, "t.csv"), format!("{PLAIN}3.000000000,8,9\n"), "{out}");
        assert_eq!(names(&place), ["sub", "t.csv"]);
    }
}

/// A link stays one, and what it points at is written as any other file.
#[cfg(unix)]
#[test]
fn a_trace_is_written_through_a_link() {
    let place = Place::tiny();
    let bad = format!("{PLAIN}2,x,5\n");
    place.write("sub/t.csv", &bad);
    std::os::unix::fs::symlink("sub/t.csv", place.path("link.csv")).unwrap();
    place.refused(&["trace", "import", "sub/t.csv", "--out", "link.csv"]);
    assert_eq!(read(&place, "sub/t.csv"), bad);
    assert_eq!(place.run(&["trace", "import", "link.csv", "--skip-bad-lines", "--out", "link.csv"]).code, Some(0));
    assert_eq!(read(&place, "sub/t.csv"), PLAIN);
    assert!(std::fs::symlink_metadata(place.path("link.csv")).unwrap().is_symlink());
    assert_eq!(std::fs::read_dir(place.path("sub")).unwrap().count(), 1);
    // Also where there is nothing yet.
    std::fs::remove_file(place.path("sub/t.csv")).unwrap();
    assert_eq!(place.run(&["trace", "generate", "tiny.yaml", "--requests", "2", "--out", "link.csv"]).code, Some(0));
    assert_eq!(read(&place, "sub/t.csv").lines().count(), 3);
    assert!(std::fs::symlink_metadata(place.path("link.csv")).unwrap().is_symlink());
}

/// The memory of Linux under `/dev` holds files like any other place, and whoever could read a file still can.
#[cfg(target_os = "linux")]
#[test]
fn a_file_in_shared_memory_is_a_file() {
    use std::os::unix::fs::PermissionsExt;
    let Ok(memory) = tempfile::tempdir_in("/dev/shm") else {
        println!("skipped: /dev/shm cannot be written");
        return;
    };
    let path = memory.path().join("t.csv");
    std::fs::write(&path, format!("{PLAIN}2,x,5\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let name = path.display().to_string();
    let place = Place::new();
    place.refused(&["trace", "import", &name, "--out", &name]);
    assert_eq!(place.run(&["trace", "import", &name, "--skip-bad-lines", "--out", &name]).code, Some(0));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), PLAIN);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

/// What the shell has opened stays open for those who write after us.
#[cfg(unix)]
#[test]
fn a_trace_is_written_to_an_open_file_without_replacing_it() {
    let place = Place::tiny();
    let program = assert_cmd::cargo::cargo_bin!("tokenmill").display().to_string();
    let script = format!("{{ '{program}' trace generate tiny.yaml --requests 2 --out /dev/stdout 2> /dev/null; echo more; }} >> out.csv");
    assert!(std::process::Command::new("sh").args(["-c", &script]).current_dir(place.path("")).status().unwrap().success());
    let written = read(&place, "out.csv");
    assert_eq!(written.lines().count(), 4, "{written}");
    assert!(written.starts_with("arrival_s,") && written.ends_with("\nmore\n"), "{written}");
}

/// Whether it is busy writing or waits for its input, which here never comes.
#[cfg(unix)]
#[test]
fn what_is_asked_to_end_leaves_no_file_and_an_old_one_as_it_was() {
    let place = Place::tiny();
    place.write("out.csv", "precious");
    assert!(std::process::Command::new("mkfifo").arg(place.path("pipe")).status().unwrap().success());
    let before = names(&place);
    let generate: &[&str] = &["trace", "generate", "tiny.yaml", "--requests", "1G", "--out", "out.csv"];
    let import: &[&str] = &["trace", "import", "pipe", "--out", "out.csv"];
    for (signal, arguments) in [("INT", generate), ("TERM", generate), ("TERM", import), ("INT", import)] {
        let child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("tokenmill"))
            .current_dir(place.path(""))
            .args(arguments)
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        while names(&place) == before {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(std::process::Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {said}");
        assert_eq!(said, "error: interrupted before the trace was complete\n\nhint: nothing was written\n");
        assert_eq!((names(&place), read(&place, "out.csv").as_str()), (before.clone(), "precious"));
    }
}

/// Leaving out lines is offered where it helps, and what a trace begins with where it does not.
#[test]
fn what_is_no_trace_is_told_how_one_begins() {
    let place = Place::new();
    place.write("empty.csv", "");
    place.write("other.csv", "a,b\n1,2\n");
    place.write("line.jsonl", "{\"timestamp\": 0, \"input_length\": 0, \"output_length\": 5, \"hash_ids\": []}\n");
    for file in ["empty.csv", "other.csv"] {
        let said = place.refused(&["trace", "inspect", file]);
        assert!(!said.contains("skip") && said.contains("\n  mooncake        {\"timestamp\": 0,"), "{said}");
        assert!(said.ends_with("\n  plain           arrival_s,prompt_tokens,output_tokens\n"), "{said}");
        assert_eq!(place.refused(&["trace", "import", file, "--skip-bad-lines"]), said);
    }
    let said = place.refused(&["trace", "inspect", "empty.csv", "--format", "azure"]);
    assert!(said.ends_with("hint: a trace in the format `azure` begins like `TIMESTAMP,ContextTokens,GeneratedTokens`\n"), "{said}");
    let said = place.refused(&["trace", "inspect", "other.csv", "--format", "plain"]);
    assert!(said.ends_with("as in `arrival_s,prompt_tokens,output_tokens`\n"), "{said}");
    // The first line of this format is a request like any other.
    assert!(place.refused(&["trace", "inspect", "line.jsonl"]).contains("--skip-bad-lines"));
}

#[test]
fn sessions_are_inspected_and_not_taken_for_requests_with_times() {
    let place = Place::new();
    let line = "{\"block_size\": 64, \"hash_id_scope\": \"local\", \"requests\": [{\"t\": 0, \"in\": 130, \"out\": 9, \"h\": [[1, 2]]}, \
                {\"t\": 9, \"in\": 230, \"out\": 9, \"think_s\": 5, \"h\": [[1, 3]]}]}\n";
    place.write("agents.jsonl", line);
    let said = place.good(&["trace", "inspect", "agents.jsonl"]);
    for expected in ["(kv-cache-tester)", "sessions        1\n", "requests        2\n", "35.6 % of prompt tokens repeat"] {
        assert!(said.contains(expected), "{said}");
    }
    assert!(place.good(&["trace", "inspect", "agents.jsonl", "--json"]).contains("\"span_s\": null"));
    assert!(place.refused(&["trace", "import", "agents.jsonl"]).contains("its lines are sessions"));
    assert!(place.refused(&["trace", "generate", "chat-sessions", "--requests", "9"]).contains("a plain trace cannot hold them"));
    place.write("plain.csv", PLAIN);
    let path = "workload.own.trace.path=plain.csv";
    let said = place.refused(&["run", "trace-plain", "--set", path, "--set", "workload.own.trace.sessions={at_once: 2}"]);
    assert!(said.contains("the trace has no sessions"), "{said}");
    let path = "workload.agents.trace.path=agents.jsonl";
    let both = "workload.agents.trace.sessions={at_once: 2, arrivals: {poisson: {rate: 1 /s}}}";
    assert!(place.refused(&["validate", "trace-agents", "--set", path, "--set", both]).contains("`arrivals` or `at_once`, not both"));
    let said = place.refused(&["run", "trace-agents", "--set", path, "--set", "workload.agents.trace.window={to: 5 s}"]);
    assert!(said.contains("a trace of sessions has no window"), "{said}");
    place.good(&["run", "trace-agents", "--quiet", "--set", path, "--set", "run.warmup=0 s", "--out", "out"]);
    let folder = std::fs::read_dir(place.path("out")).unwrap().next().unwrap().unwrap().path();
    let rows = std::fs::read_to_string(folder.join("requests.csv")).unwrap();
    let lines: Vec<&str> = rows.lines().collect();
    assert!(lines[0].ends_with(",session,call") && lines[1].ends_with(",0,0") && lines[2].ends_with(",0,1"), "{rows}");
}

#[test]
fn a_trace_that_is_not_there_is_told_with_what_is() {
    let place = Place::new();
    place.write("traces/chat.csv", PLAIN);
    for command in ["inspect", "import"] {
        let said = |file: &str| place.refused(&["trace", command, file]);
        assert_eq!(said("traces/chta.csv"), "error: no such file: `traces/chta.csv`\n\nhint: did you mean `traces/chat.csv`?\n");
        assert_eq!(said("nowhere.csv"), "error: no such file: `nowhere.csv`\n");
        assert_eq!(said("data/chat.csv"), "error: no such file: `data/chat.csv`\n\nhint: there is no folder `data`\n");
        assert_eq!(said("traces"), "error: `traces` is a directory, expected a trace file\n");
    }
    // The path of a scenario begins at the scenario.
    let (workload, cluster) = (super::TINY.split_once("    synthetic:").unwrap().0, super::TINY.split_once("cluster:").unwrap().1);
    place.write("sub/s.yaml", format!("{workload}    trace: {{format: plain, path: ../trace/chat.csv}}\ncluster:{cluster}"));
    let said = place.refused(&["run", "sub/s.yaml"]);
    assert!(said.contains("no such file: `sub/../trace/chat.csv`"), "{said}");
    assert!(said.contains("there is no folder `sub/../trace`; did you mean `sub/../traces`?"), "{said}");
}

#[test]
fn a_mean_length_is_told_to_the_token_as_the_percentiles_beside_it() {
    let place = Place::new();
    place.write("chat.csv", "arrival_s,prompt_tokens,output_tokens\n0,1000,2\n1,1474,3\n2,1237,2\n");
    let said = place.good(&["trace", "inspect", "chat.csv"]);
    let row = |name: &str| said.lines().find(|line| line.starts_with(name)).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(row("prompt tokens"), "prompt tokens 1,237 mean 1,237 p50 1,474 p90 1,474 p99 1,474 max");
    assert!(row("output tokens").starts_with("output tokens 2.33 mean 2 p50"), "{said}");
}
