//! Which requests have a row in `requests.csv`, and in what form.

use std::collections::BTreeMap;
use std::io::Read;

use super::Place;
use super::bad_input::of_sets;

type Files = BTreeMap<String, Vec<u8>>;

fn run(place: &Place, parent: &str, sets: &[&str]) -> Files {
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    place.results_of(parent, &[&["tiny.yaml"], &sets[..]].concat()).1
}

fn lines(bytes: &[u8]) -> Vec<&str> {
    std::str::from_utf8(bytes).unwrap().lines().collect()
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut text).unwrap();
    text
}

/// The id of each row.
fn ids(bytes: &[u8]) -> Vec<u64> {
    let id = |line: &str| line.split(',').next().unwrap().parse().unwrap();
    lines(bytes)[1..].iter().map(|line| id(line)).collect()
}

/// All but the scenario itself and the hash of it: that is in the summary and on the page.
fn numbers(files: &Files) -> BTreeMap<String, serde_json::Value> {
    let mut summary: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&files["summary.json"]).unwrap();
    assert!(summary.remove("input_hash").is_some());
    summary
}

fn same_results(files: &Files, all: &Files) {
    assert_eq!(numbers(files), numbers(all));
    for (name, content) in all {
        if !["summary.json", "report.html", "resolved.yaml", "requests.csv"].contains(&name.as_str()) {
            assert!(files[name] == *content, "{name}");
        }
    }
}

#[test]
fn rows_that_are_not_asked_for_are_not_written_and_nothing_else_changes() {
    let place = Place::tiny();
    let all = run(&place, "all", &[]);
    assert!(run(&place, "default", &["run.rows=all", "run.rows_gzip=false"]) == all);
    let none = run(&place, "none", &["run.rows=none"]);
    assert!(!none.contains_key("requests.csv") && none.len() + 1 == all.len(), "{:?}", none.keys());
    same_results(&none, &all);
    let text = |files: &Files, name: &str| String::from_utf8(files[name].clone()).unwrap();
    assert!(text(&none, "report.html").contains("there is no requests.csv."));
    assert!(text(&none, "resolved.yaml").contains("  rows: none\n"));
    assert!(!text(&all, "report.html").contains("requests.csv") && !text(&all, "resolved.yaml").contains("rows:"));
}

#[test]
fn a_sample_is_rows_of_the_whole_in_their_order_whatever_the_policy_and_the_way() {
    let place = Place::tiny();
    let many = ["run={requests: 3k, warmup: 1 s}", "workload.chat.timeout=80 ms"];
    let sample = [&many[..], &["run.rows={sample: 10 %}"]].concat();
    let (all, part) = (run(&place, "all", &many), run(&place, "part", &sample));
    same_results(&part, &all);
    let (rows, chosen) = (lines(&all["requests.csv"]), ids(&part["requests.csv"]));
    // Binomial: 300 ± 16.
    assert!((240..360).contains(&chosen.len()), "{}", chosen.len());
    let kept = lines(&part["requests.csv"]);
    assert_eq!(rows.iter().filter(|row| kept.contains(row)).collect::<Vec<_>>(), kept.iter().collect::<Vec<_>>());
    for outcome in ["completed", "timed_out"] {
        let of = |rows: &[&str]| rows.iter().filter(|row| row.contains(outcome)).count();
        assert!(of(&kept) > 0 && of(&kept) < of(&rows) / 4, "{outcome}: {} of {}", of(&kept), of(&rows));
    }
    assert!(String::from_utf8_lossy(&part["report.html"]).contains("requests.csv has the rows of a sample: 10.0\u{a0}% of all requests."));
    let mut sorted = chosen;
    sorted.sort_unstable();
    let other = run(&place, "other", &[&sample[..], &["policies.router=random"]].concat());
    let mut of_other = ids(&other["requests.csv"]);
    of_other.sort_unstable();
    assert_eq!(of_other, sorted, "another policy, the same requests");
    let seed = run(&place, "seed", &[&sample[..], &["seed=8"]].concat());
    assert_ne!(ids(&seed["requests.csv"]), ids(&part["requests.csv"]));
    assert_eq!(ids(&run(&place, "whole", &[&many[..], &["run.rows={sample: 1}"]].concat())["requests.csv"]).len(), 3000);
}

#[test]
fn compressed_rows_are_the_same_rows() {
    let place = Place::tiny();
    let all = run(&place, "all", &[]);
    let packed = run(&place, "packed", &["run.rows_gzip=true"]);
    assert!(!packed.contains_key("requests.csv"));
    same_results(&packed, &all);
    let bytes = &packed["requests.csv.gz"];
    assert!(unpacked(bytes) == all["requests.csv"]);
    assert!(bytes.len() < all["requests.csv"].len() / 2);
    // Neither a name nor a time: RFC 1952, flags and MTIME.
    assert_eq!(bytes[3..8], [0; 5]);
    assert!(run(&place, "again", &["run.rows_gzip=true"]) == packed);
    assert!(String::from_utf8_lossy(&packed["report.html"]).contains("in requests.csv.gz."));
}

#[test]
fn choices_of_rows_that_make_no_sense() {
    insta::assert_snapshot!(of_sets(&["run.rows={sample: 0 %}"]), @"
    error: run.rows.sample: found `0 %`, expected a number above 0 and at most 1, such as `0.9` or `90 %`
     --> --set #1:1:19
      |
    1 | run.rows={sample: 0 %}
      |                   ^^^
    ");
    insta::assert_snapshot!(of_sets(&["run.rows={sample: 101 %}"]), @"
    error: run.rows.sample: found `101 %`, expected a number above 0 and at most 1, such as `0.9` or `90 %`
     --> --set #1:1:19
      |
    1 | run.rows={sample: 101 %}
      |                   ^^^^^
    ");
    insta::assert_snapshot!(of_sets(&["run.rows=some"]), @"
    error: run.rows: unknown choice `some`, expected one of `all`, `none` or `sample`
     --> --set #1:1:10
      |
    1 | run.rows=some
      |          ^^^^
    ");
    insta::assert_snapshot!(of_sets(&["run.rows=5 %"]), @"
    error: run.rows: unknown choice `5 %`, expected one of `all`, `none` or `sample`
     --> --set #1:1:10
      |
    1 | run.rows=5 %
      |          ^^^
    ");
    insta::assert_snapshot!(of_sets(&["run.rows=0.05"]), @"
    error: run.rows: found `0.05`, expected one of `all`, `none` or `sample`
     --> --set #1:1:10
      |
    1 | run.rows=0.05
      |          ^^^^
      |
    hint: write `{sample: 0.05}`
    ");
    insta::assert_snapshot!(of_sets(&["run.rows=sample"]), @"
    error: run.rows: found `sample` alone, expected `sample: …` with a number above 0 and at most 1, such as `0.9` or `90 %`
     --> --set #1:1:10
      |
    1 | run.rows=sample
      |          ^^^^^^
    ");
    insta::assert_snapshot!(of_sets(&["run.rows=false"]), @"
    error: run.rows: found `false`, expected one of `all`, `none` or `sample`
     --> --set #1:1:10
      |
    1 | run.rows=false
      |          ^^^^^
    ");
}

#[test]
fn rows_in_a_form_that_makes_no_sense() {
    insta::assert_snapshot!(of_sets(&["run.rows={sample: {share: 1}}"]), @"
    error: run.rows.sample: found a map, expected a number above 0 and at most 1, such as `0.9` or `90 %`
     --> --set #1:1:19
      |
    1 | run.rows={sample: {share: 1}}
      |                   ^
    ");
    insta::assert_snapshot!(of_sets(&["run={requests: 5, rows: none, rows_gzip: true}"]), @"
    error: run.rows_gzip: there are no rows to compress: `rows: none`
     --> --set #1:1:42
      |
    1 | run={requests: 5, rows: none, rows_gzip: true}
      |                                          ^^^^
      |
    hint: leave `rows_gzip` out, or remove it with `--set run.rows_gzip=~`
    ");
    insta::assert_snapshot!(of_sets(&["run.rows_gzip=9"]), @"
    error: run.rows_gzip: found `9`, expected `true` or `false`
     --> --set #1:1:15
      |
    1 | run.rows_gzip=9
      |               ^
    ");
}

/// Several blocks of rows, so that they are handed over while the simulation goes on.
#[test]
fn rows_are_the_same_bytes_however_many_threads_there_are() {
    let place = Place::tiny();
    for (name, rows) in [("all", "all"), ("part", "{sample: 30 %}"), ("none", "none")] {
        let set = format!("run={{requests: 5k, rows: {rows}, rows_gzip: {}}}", name == "part");
        let of = |jobs: &str| place.results_of(&format!("{name}-{jobs}"), &["tiny.yaml", "--set", &set, "--jobs", jobs]);
        let alone = of("1");
        for jobs in ["2", "4", "1024"] {
            assert!(of(jobs) == alone, "{rows}: --jobs {jobs}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_more_threads_are_started_than_there_are_jobs() {
    let place = Place::tiny();
    for (jobs, threads) in [("1", 1), ("2", 2)] {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("tokenmill"))
            .current_dir(place.path(""))
            .args(["run", "tiny.yaml", "--quiet", "--out", jobs, "--set", "run.requests=1G", "--jobs", jobs])
            .spawn()
            .unwrap();
        let rows = || {
            let mut folders = std::fs::read_dir(place.path(jobs)).ok()?;
            std::fs::metadata(folders.next()?.ok()?.path().join("requests.csv")).ok()
        };
        // Once there are rows, all threads are there.
        while rows().is_none_or(|file| file.len() == 0) {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(std::fs::read_dir(format!("/proc/{}/task", child.id())).unwrap().count(), threads, "--jobs {jobs}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// The limit on the size of files stands for a disk that is full: the run has requests for hours and is to end at once, one way or another.
#[cfg(unix)]
#[test]
fn a_full_disk_ends_the_run() {
    let place = Place::tiny();
    let program = assert_cmd::cargo::cargo_bin!("tokenmill").display().to_string();
    for (parent, more) in [("plain", "--jobs 1"), ("aside", "--jobs 2"), ("packed", "--jobs 2 --set run.rows_gzip=true")] {
        let run = format!("'{program}' run tiny.yaml --quiet --out {parent} --set run.requests=1G {more}");
        let output = assert_cmd::Command::new("sh")
            .args(["-c", &format!("trap '' XFSZ; ulimit -f 400; exec {run}")])
            .current_dir(place.path(""))
            .timeout(std::time::Duration::from_secs(60))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(74), "{more}: {said}");
        assert!(said.starts_with(&format!("error: cannot write `{parent}/tiny-7-")) && said.contains("/requests.csv"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert_eq!(std::fs::read_dir(place.path(parent)).unwrap().count(), 0, "nothing is left");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_not_the_fault_of_the_input() {
    let place = Place::tiny();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for arguments in [&["run", "tiny.yaml", "--json"][..], &["trace", "generate", "tiny.yaml"], &["schema", "scenario"]] {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("tokenmill"));
        let output = command.current_dir(place.path("")).args(arguments).stdout(full()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(74), "{arguments:?}: {said}");
        assert!(said.starts_with("error: cannot write "), "{said}");
    }
}
