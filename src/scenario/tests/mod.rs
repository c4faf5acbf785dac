//! Error messages for bad input, verbatim; no input makes the configuration panic or hang.

mod documents;
mod messages;

use super::*;
use crate::document::{Diagnostic, Loaded};

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

fn read(text: &str, sets: &[&str]) -> Result<Loaded<file::ScenarioFile>, ConfigErrors> {
    let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
    load_file(Input::Text { name: "pd.yaml", text }, &sets)
}

fn good(sets: &[&str]) -> file::ScenarioFile {
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
