//! `compare` and `run --seeds`: pairs of runs, what is kept of them, and what is refused.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::{Done, Place, TINY};

/// Two decode instances, three routers.
const ROUTERS: &str = "policies.router=least-request,round-robin,random";

impl Place {
    /// The runs that are kept.
    fn kept(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path("outputs/.runs")) else { return Vec::new() };
        let mut all: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        all.sort();
        all
    }
}

fn json(done: &Done) -> Value {
    assert_eq!(done.code, Some(0), "{done:?}");
    serde_json::from_str(&done.stdout).unwrap()
}

fn metric<'v>(comparison: &'v Value, path: &str) -> &'v Value {
    comparison["metrics"].as_array().unwrap().iter().find(|metric| metric["path"] == path).unwrap()
}

#[test]
fn a_comparison_is_printed_and_written() {
    let place = Place::tiny();
    let done = place.run(&["compare", "tiny.yaml", "--vary", ROUTERS, "--seeds", "3"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
    let shown = done.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        shown.contains("router=random against router=least-request: ") && shown.contains("3 seeds, the same for every variant"),
        "{shown}"
    );
    assert!(done.stdout.contains("TTFT p99 (ms, less is better)\n  router=least-request "), "{}", done.stdout);
    let folder = fs::read_dir(place.path("outputs")).unwrap().map(|e| e.unwrap().path()).find(|p| !p.ends_with(".runs")).unwrap();
    for name in ["compare.json", "compare.html", "manifest.json", "variants/0.yaml", "variants/2.yaml"] {
        assert!(folder.join(name).is_file(), "{name}");
    }
    assert!(folder.file_name().unwrap().to_str().unwrap().starts_with("tiny-compare-"));
    assert_eq!(place.kept().len(), 9);
    // A variant runs by itself.
    let alone = place.run(&["run", folder.join("variants/2.yaml").to_str().unwrap(), "--json"]);
    let alone: Value = serde_json::from_str(&alone.stdout).unwrap();
    let compared: Value = serde_json::from_str(&fs::read_to_string(folder.join("compare.json")).unwrap()).unwrap();
    let of = &metric(&compared, "latency.ttft_ms.p99")["of"][2];
    assert_eq!((&of["variant"], &of["runs"][0]), (&"router=random".into(), &alone["latency"]["ttft_ms"]["p99"]));
}

#[test]
fn runs_are_paired_by_seed_and_no_result_depends_on_jobs_or_on_what_is_kept() {
    let place = Place::tiny();
    let arguments = ["compare", "tiny.yaml", "--vary", ROUTERS, "--seeds", "4", "--json"];
    let first = place.run(&arguments);
    let comparison = json(&first);
    assert_eq!(comparison["seeds"], serde_json::json!([7, 8, 9, 10]));
    let arrived = metric(&comparison, "requests.arrived");
    for other in [1, 2] {
        assert_eq!(arrived["of"][0]["runs"], arrived["of"][other]["runs"], "the same requests");
        assert_eq!(arrived["of"][other]["difference"]["finding"], "equal");
    }
    assert_ne!(arrived["of"][0]["runs"][0], arrived["of"][0]["runs"][1]);
    for more in [&["--jobs", "1"][..], &["--jobs", "3", "--fresh"], &["--audit", "--fresh"]] {
        let again = place.run(&[&arguments[..], more].concat());
        assert_eq!(again.stdout, first.stdout, "{more:?}");
    }
    // What is damaged is run again.
    let kept = place.kept();
    fs::write(&kept[0], "no run").unwrap();
    fs::remove_file(&kept[1]).unwrap();
    assert_eq!(place.run(&arguments).stdout, first.stdout);
    assert_eq!(place.kept(), kept);
    assert!(fs::metadata(&kept[0]).unwrap().len() > 100);
}

#[test]
fn equal_cells_are_run_once() {
    let place = Place::tiny();
    place.write("twin.yaml", TINY);
    // What is kept of a lone run has its requests too.
    for (seeds, kept) in [("2", 2), ("1", 3)] {
        let compare = |more: &[&str]| place.run(&[&["compare", "tiny.yaml", "twin.yaml", "--seeds", seeds], more].concat());
        let comparison = json(&compare(&["--json"]));
        assert_eq!(comparison["variants"], serde_json::json!(["tiny.yaml", "twin.yaml"]));
        assert_eq!(place.kept().len(), kept);
        let differences = comparison["metrics"].as_array().unwrap().iter().map(|metric| &metric["of"][1]["difference"]);
        assert!(differences.clone().count() > 50);
        assert!(differences.clone().all(|difference| difference.is_null() || difference["finding"] == "equal"), "{seeds}");
        assert!(compare(&[]).stdout.starts_with("twin.yaml against tiny.yaml: equal.\n"), "{seeds}");
    }
}

#[test]
fn seeds_give_means_with_intervals_and_a_condition_that_fails_in_some_is_told() {
    let place = Place::tiny();
    let done = place.run(&["run", "tiny.yaml", "--seeds", "5"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
    assert!(done.stdout.starts_with("tiny: 5 runs, one per seed, with 95 % intervals of the mean.\n"), "{}", done.stdout);
    let seeds = json(&place.run(&["run", "tiny.yaml", "--seeds", "5", "--json"]));
    let of = &metric(&seeds, "latency.ttft_ms.mean")["of"][0];
    let runs: Vec<f64> = of["runs"].as_array().unwrap().iter().map(|run| run.as_f64().unwrap()).collect();
    approx::assert_relative_eq!(of["mean"].as_f64().unwrap(), runs.iter().sum::<f64>() / 5.0, max_relative = 1e-12);
    let (low, high) = (of["mean_95"]["low"].as_f64().unwrap(), of["mean_95"]["high"].as_f64().unwrap());
    assert!(low < of["mean"].as_f64().unwrap() && high > of["mean"].as_f64().unwrap());
    let mut sorted = runs.clone();
    sorted.sort_by(f64::total_cmp);
    // Above all but one of the runs, below all others.
    let limit = f64::midpoint(sorted[3], sorted[4]);
    let failed = place.run(&["run", "tiny.yaml", "--seeds", "5", "--set", &format!("assert=[\"latency.ttft_ms.mean < {limit}\"]")]);
    assert_eq!(failed.code, Some(1));
    assert!(failed.stderr.starts_with("error: assertion failed in 1 of 5 runs, first: latency.ttft_ms.mean < "), "{}", failed.stderr);
}

#[test]
fn a_trace_is_compared_request_by_request() {
    let place = Place::tiny();
    let done = place.run(&["trace", "generate", "tiny.yaml", "--out", "t.csv", "--requests", "1200"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let from = TINY.find("    synthetic:").unwrap();
    let to = TINY.find("cluster:").unwrap();
    place.write(
        "trace.yaml",
        format!("{}    trace: {{format: plain, path: t.csv}}\n{}", &TINY[..from], &TINY[to..])
            .replace("run: {requests: 300, warmup: 1 s}", "run: {}"),
    );
    let comparison = json(&place.run(&["compare", "trace.yaml", "--vary", ROUTERS, "--json"]));
    assert_eq!((&comparison["intervals_from"], &comparison["seeds"]), (&"requests".into(), &serde_json::json!([7])));
    let ttft = &metric(&comparison, "latency.e2e_ms.mean")["of"][2]["difference"];
    assert!(ttft["certainty"] == "interval" || ttft["certainty"] == "few-blocks", "{ttft}");
    assert_eq!(metric(&comparison, "cost.total_usd")["of"][2]["difference"]["certainty"], "exact");
    let seeds = place.run(&["compare", "trace.yaml", "--vary", ROUTERS, "--seeds", "3"]);
    assert_eq!(seeds.code, Some(2));
    assert!(seeds.stderr.starts_with("error: all requests come from traces: every seed gives the same ones\n"), "{}", seeds.stderr);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let place = Place::tiny();
    for (arguments, message) in [
        (&["compare", "tiny.yaml"][..], "error: only one variant, nothing to compare it with\n"),
        (&["compare", "tiny.yaml", "--vary", "policies.router"], "error: no `=` in `--vary policies.router`\n"),
        (&["compare", "tiny.yaml", "--vary", "policies.router=a,b"], "error: "),
        (&["compare", "tiny.yaml", "missing.yaml"], "error: "),
        (
            &["compare", "tiny.yaml", "--vary", ROUTERS, "--seeds", "0"],
            "error: invalid value '0' for '--seeds <N>': expected a whole number from 1 to 10000",
        ),
        (
            &["compare", "tiny.yaml", "--vary", ROUTERS, "--seed", "18446744073709551615"],
            "error: there are no 10 seeds from 18446744073709551615 on\n",
        ),
        (&["run", "tiny.yaml", "--seeds", "-1"], "error: invalid value '-1'"),
    ] {
        let done = place.run(arguments);
        assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{done:?}");
        assert!(done.stderr.starts_with(message), "{}", done.stderr);
    }
    let wrong = place.run(&["compare", "tiny.yaml", "--vary", "policies.router=least-reqest,random"]);
    assert!(wrong.stderr.contains("least-reqest") && wrong.stderr.contains("did you mean `least-request`?"), "{}", wrong.stderr);
    assert!(!place.path("outputs").exists(), "nothing was begun");
}

#[test]
fn numbers_that_no_summary_has_are_refused_before_any_run() {
    let place = Place::tiny();
    let compare = |metric: &str| place.run(&["compare", "tiny.yaml", "--vary", ROUTERS, "--seeds", "2", "--metric", metric]);
    for (metric, message) in [
        ("nonsense", "`nonsense` is not in summary.json"),
        ("pools.p.prefix_hit_rat", "did you mean `pools.p.prefix_hit_rate`?"),
        ("ttft_ms.p99", "did you mean `latency.ttft_ms.p99`?"),
        ("latency.ttft", "`latency.ttft` is not in summary.json"),
        ("fleet.pools", "give the scenario `faults`"),
        ("", "is not"),
    ] {
        let done = compare(metric);
        assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{metric}");
        assert!(done.stderr.starts_with("error: --metric: ") && done.stderr.contains(message), "{metric}: {}", done.stderr);
    }
    let two = place.run(&["compare", "tiny.yaml", "--vary", ROUTERS, "--metric", "nonsense", "--metric", "latency", "--metric", "cots"]);
    assert!(two.code == Some(2) && two.stderr.contains("`nonsense`") && two.stderr.contains("`cots`"), "{}", two.stderr);
    assert!(!place.path("outputs").exists(), "nothing was begun");
    let (named, numbered) = (compare("pools.d.kv_utilization_mean"), compare("pools[1].kv_utilization_mean"));
    assert_eq!((named.code, &named.stdout), (Some(0), &numbered.stdout), "{}", numbered.stderr);
    assert!(named.stdout.contains("pools.d.kv_utilization_mean"), "{}", named.stdout);
}

#[test]
fn results_that_cannot_be_kept_are_no_reason_to_fail() {
    let place = Place::tiny();
    place.write("outputs/.runs", "a file");
    let done = place.run(&["compare", "tiny.yaml", "--vary", ROUTERS, "--seeds", "2", "--quiet"]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), ""));
    assert!(done.stderr.starts_with("note: finished runs are not kept: `outputs/.runs`: "), "{}", done.stderr);
}

#[cfg(unix)]
#[test]
fn an_interrupted_comparison_goes_on_where_it_stopped() {
    use std::process::{Command, Stdio};
    let place = Place::tiny();
    let arguments = ["compare", "tiny.yaml", "--vary", "run.requests=300,3000000,400", "--seeds", "2", "--jobs", "1"];
    let mut started = Command::new(assert_cmd::cargo::cargo_bin!("tokenmill"));
    let child = started.args(arguments).current_dir(place.path("")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while place.kept().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.starts_with("error: interrupted: ") && said.ends_with(" of 6 runs are done\n\nhint: the same command continues from there\n"),
        "{said}"
    );
    let kept = place.kept();
    assert!(!kept.is_empty() && kept.iter().all(|path| path.extension().is_some_and(|end| end == "run")), "{kept:?}");
    let folders = fs::read_dir(place.path("outputs")).unwrap().count();
    assert_eq!(folders, 1, "no half folder is left");
}

/// What is wrong with one run is told, and the others, which it ends, are no reason for another message.
#[test]
fn a_run_that_fails_ends_the_others_and_is_the_one_that_is_told() {
    let place = Place::tiny();
    let lines: Vec<String> = (0..2000).map(|i| format!("{},100,10\n", f64::from(i) / 40.0)).collect();
    place.write("t.csv", format!("arrival_s,prompt_tokens,output_tokens\n{}99,many,10\n", lines.concat()));
    let (from, to) = (TINY.find("    synthetic:").unwrap(), TINY.find("cluster:").unwrap());
    let trace = format!("{}    trace: {{format: plain, path: t.csv}}\n{}", &TINY[..from], &TINY[to..]);
    place.write("broken.yaml", trace.replace("requests: 300", "requests: 3M").replace("name: tiny", "name: broken"));
    let done = place.run(&["compare", "tiny.yaml", "broken.yaml", "--set", "run.requests=3M", "--seeds", "2", "--jobs", "2"]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{}", done.stderr);
    assert!(done.stderr.contains("t.csv") && done.stderr.contains("many"), "{}", done.stderr);
}
