//! How far a run says that it is, against how far it is.

use std::io::Write;

use tokenmill::cluster::Silent;
use tokenmill::metrics::NoRows;
use tokenmill::study::{Options, Progress, simulate};

use crate::support::inline;

/// Requests of every scenario here; a run reports every 4,096 events.
const REQUESTS: u32 = 20_000;

/// A cluster that serves 200 requests a second of one prompt token and one output token.
fn reports(run: &str, workload: &str) -> Vec<Progress> {
    let scenario = inline(&format!(
        "
name: far
run: {run}
models: {{chat: {{profile: llama-3.1-8b}}}}
workload:
  - {workload}
cluster:
  pools:
    - {{name: mixed, role: mixed, node: dgx-h100, instances: 1, engine: {{max_num_seqs: 1}}, perf: {{affine: {{base: 5 ms}}}}}}
"
    ));
    let mut seen = Vec::new();
    simulate(&scenario, Options { audit: false, ..Options::default() }, NoRows, Silent, |now| {
        seen.push(now);
        true
    })
    .unwrap();
    assert!(seen.len() > 5, "{} reports", seen.len());
    seen
}

/// What every run owes: the part that is over never differs from the part of its requests that have left by more than `slack`, which is
/// what the buffers of a file hold, and so never shrinks by more.
fn follows_the_requests(seen: &[Progress], slack: f64) {
    let mut last = 0.0;
    for now in seen {
        let done = now.done.unwrap();
        let by_requests = now.departed as f64 / f64::from(REQUESTS);
        assert!((done - by_requests).abs() < slack, "{done} at {by_requests}");
        assert!(done <= 1.0 && done >= last - slack, "{done} after {last}");
        last = done;
    }
    assert!(last > 0.7, "{last}");
}

fn plain_trace(compressed: bool, per_second: f64) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    let mut text = b"arrival_s,prompt_tokens,output_tokens\n".to_vec();
    for i in 0..REQUESTS {
        // Long lines: a file of several hundred kilobytes.
        writeln!(text, "{:.20},1,1", f64::from(i) / per_second).unwrap();
    }
    let mut file = std::fs::File::create(&path).unwrap();
    if compressed {
        flate2::write::GzEncoder::new(file, flate2::Compression::none()).write_all(&text).unwrap();
    } else {
        file.write_all(&text).unwrap();
    }
    (folder, path)
}

#[test]
fn a_run_of_so_many_requests_is_as_far_as_its_requests() {
    let synthetic = "{name: w, synthetic: {arrivals: {poisson: {rate: 100 /s}}, prompt_tokens: {fixed: 1}, output_tokens: {fixed: 1}}}";
    follows_the_requests(&reports("{requests: 20k}", synthetic), 1e-9);
    let closed = "{name: w, requests: 20k, closed_loop: {concurrency: 8, prompt_tokens: {fixed: 1}, output_tokens: {fixed: 1}}}";
    follows_the_requests(&reports("{}", closed), 1e-3);
}

#[test]
fn a_trace_is_as_far_as_its_file() {
    for compressed in [false, true] {
        let (_folder, path) = plain_trace(compressed, 150.0);
        follows_the_requests(&reports("{}", &format!("{{name: w, trace: {{format: plain, path: {}}}}}", path.display())), 0.15);
    }
}

#[test]
fn requests_that_wait_inside_are_still_to_be_served() {
    // Twice as many arrive as are served: when all have come, half of them wait.
    let (_folder, path) = plain_trace(false, 400.0);
    follows_the_requests(&reports("{}", &format!("{{name: w, trace: {{format: plain, path: {}}}}}", path.display())), 0.1);
}

#[test]
fn a_window_of_a_trace_is_as_far_as_its_time() {
    let (_folder, path) = plain_trace(false, 150.0);
    let seen =
        reports("{}", &format!("{{name: w, trace: {{format: plain, path: {}, window: {{from: 30 s, to: 100 s}}}}}}", path.display()));
    for now in seen {
        let by_time = now.now.as_secs_f64() / 70.0;
        assert!((now.done.unwrap() - by_time).abs() < 0.02, "{:?} at {by_time}", now.done);
    }
}

#[test]
fn a_run_of_so_long_is_as_far_as_its_time() {
    let endless = "{name: w, synthetic: {arrivals: {poisson: {rate: 100 /s}}, prompt_tokens: {fixed: 1}, output_tokens: {fixed: 1}}}";
    for now in reports("{duration: 200 s}", endless) {
        let by_time = now.now.as_secs_f64() / 200.0;
        assert!((now.done.unwrap() - by_time).abs() < 0.01, "{:?} at {by_time}", now.done);
    }
}
