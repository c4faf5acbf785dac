//! Damaged scenarios and traces: an answer, whatever it is, soon and without a panic.

use std::cell::Cell;
use std::fs;

use proptest::prelude::*;
use tokenmill::cluster::Silent;
use tokenmill::document::Input;
use tokenmill::metrics::NoRows;
use tokenmill::scenario::{Library, Scenario};
use tokenmill::study::{Options, Progress, StudyError, simulate};

use crate::cli::TINY;

/// The run is stopped at this question of the simulation whether to go on; it asks every few thousand events.
const PATIENCE: u32 = 2;

/// Numbers that change what is simulated, and numbers where programs break.
const NUMBERS: [&str; 24] = [
    "1",
    "2",
    "3",
    "5",
    "17",
    "20",
    "64",
    "100",
    "256",
    "300",
    "1000",
    "4096",
    "1e4",
    "0.1",
    "0.5",
    "1e-3",
    "0",
    "-1",
    ".nan",
    ".inf",
    "1e300",
    "18446744073709551616",
    "100 y",
    "1 %",
];

/// Fields of traces where programs break.
const FIELDS: [&str; 8] = ["0", "-1", "1e9", "nan", "", "99999999999999999999", "9223372036854775807", "\u{feff}"];

const TRACES: [(&str, &str); 4] = [
    ("plain", "arrival_s,prompt_tokens,output_tokens\n0,100,10\n0.25,300,2\n0.25,30,12\n1.5,16,1\n2,1000,40\n"),
    (
        "azure",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,374,44\n2023-11-16 18:17:04.0319600,396,109\n2023-11-16 18:17:04.0778490,879,55\n",
    ),
    (
        "burstgpt",
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n45,ChatGPT,1087,230,1317,Conversation log\n118,GPT-4,417,276,693,Conversation log\n",
    ),
    (
        "mooncake",
        "{\"timestamp\": 0, \"input_length\": 1055, \"output_length\": 52, \"hash_ids\": [0, 1, 2]}\n{\"timestamp\": 3000, \"input_length\": 1100, \"output_length\": 5, \"hash_ids\": [0, 1, 9]}\n",
    ),
];

/// A roofline, prefixes, a closed loop, rent, time-outs: what the tiny scenario does not have.
const RICH: &str = "\
name: rich
run: {duration: 30 s}
models: {m: {profile: qwen3-8b, weights: fp8}}
workload:
  - name: chat
    timeout: 5 s
    synthetic:
      arrivals: {gamma: {rate: 20 /s, cv: 2}}
      diurnal: {amplitude: 0.5, period: 10 s}
      prompt_tokens: {lognormal: {median: 300, mean: 400, max: 4000}}
      output_tokens: {empirical: {values: [1, 20, 300]}}
      shared_prefix: {tokens: 64, groups: 3}
  - name: batch
    requests: 50
    closed_loop: {concurrency: 4, think_time: 1 s, prompt_tokens: {fixed: 100}, output_tokens: {fixed: 20}, shared_prefix: {tokens: 64}}
cluster:
  pools:
    - name: all
      role: mixed
      node: dgx-h100
      instances: 2
      pricing: rent
      engine: {max_num_seqs: 64, max_num_batched_tokens: 512, num_gpu_blocks_override: 500, block_size: 16, max_model_len: 8000}
  network: {kv: {link: ib-ndr, overrides: {bandwidth: 1 GB/s, latency: 10 us}}}
policies: {router: power-of-two}
timeline: {interval: 1 s}
";

/// One way to damage a text.
#[derive(Debug, Clone)]
enum Damage {
    Insert(usize, u8),
    Delete(usize, usize),
    Replace(usize, u8),
    Truncate(usize),
    SwapLines(usize, usize),
    /// The n-th number becomes another.
    Number(usize, &'static str),
}

fn damage(words: &'static [&'static str]) -> impl Strategy<Value = Damage> {
    let mark = prop_oneof![prop::sample::select(b"{}[]:,-&*!|>'\"%@`#\n\t .~=".to_vec()), any::<u8>()];
    prop_oneof![
        1 => (any::<usize>(), mark.clone()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        1 => (any::<usize>(), 1usize..20).prop_map(|(at, length)| Damage::Delete(at, length)),
        1 => (any::<usize>(), mark).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        1 => any::<usize>().prop_map(Damage::Truncate),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(one, other)| Damage::SwapLines(one, other)),
        6 => (any::<usize>(), prop::sample::select(words)).prop_map(|(at, word)| Damage::Number(at, word)),
    ]
}

fn apply(text: &str, damages: &[Damage]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for damage in damages {
        let place = |at: usize| at % bytes.len().max(1);
        match *damage {
            Damage::Insert(at, byte) => bytes.insert(place(at).min(bytes.len()), byte),
            Damage::Delete(at, length) => {
                let from = place(at).min(bytes.len());
                let to = (from + length).min(bytes.len());
                bytes.drain(from..to);
            }
            Damage::Replace(at, byte) => {
                let at = place(at);
                bytes.get_mut(at).into_iter().for_each(|old| *old = byte);
            }
            Damage::Truncate(at) => bytes.truncate(place(at)),
            Damage::SwapLines(one, other) => {
                let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
                let count = lines.len();
                lines.swap(one % count, other % count);
                bytes = lines.join(&b'\n');
            }
            Damage::Number(at, word) => bytes = replace_number(&bytes, at, word),
        }
    }
    bytes
}

fn replace_number(bytes: &[u8], at: usize, word: &str) -> Vec<u8> {
    let digit = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let starts: Vec<usize> = (0..bytes.len()).filter(|&i| bytes[i].is_ascii_digit() && (i == 0 || !digit(&bytes[i - 1]))).collect();
    let Some(&start) = starts.get(at % starts.len().max(1)) else { return bytes.to_vec() };
    let end = bytes[start..].iter().position(|byte| !digit(byte)).map_or(bytes.len(), |length| start + length);
    [&bytes[..start], word.as_bytes(), &bytes[end..]].concat()
}

thread_local! {
    static OUTCOMES: Cell<[u32; 4]> = const { Cell::new([0; 4]) };
}

/// Counts what came of the cases, so that a test can tell that it tests something: refused, failed, stopped, run to the end.
fn count(outcome: usize) {
    let mut all = OUTCOMES.get();
    all[outcome] += 1;
    OUTCOMES.set(all);
}

/// Loads and runs for a while; our own errors are failures of the test.
fn try_to_run(name: &str, text: &str, sets: &[String]) -> Result<(), TestCaseError> {
    let scenario = match Scenario::load(Input::Text { name, text }, sets, &Library::default()) {
        Ok(scenario) => scenario,
        Err(errors) => {
            prop_assert!(!errors.render().is_empty());
            count(0);
            return Ok(());
        }
    };
    let mut asked = 0;
    let patient = |_: Progress| {
        asked += 1;
        asked < PATIENCE
    };
    match simulate(&scenario, Options::default(), NoRows, Silent, patient) {
        Ok((result, ..)) => {
            count(3);
            prop_assert!(tokenmill::report::summary_json(&result.summary).is_ok());
            prop_assert!(tokenmill::report::charts(&result).is_ok());
        }
        Err(StudyError::Internal(error)) => prop_assert!(false, "our own error: {error}"),
        Err(StudyError::Interrupted(_)) => count(2),
        Err(error) => {
            prop_assert!(!error.to_string().is_empty());
            count(1);
        }
    }
    Ok(())
}

/// Instances cost memory and audits, however few events there are.
fn few_instances(text: &str) -> bool {
    !text.lines().any(|line| line.split("instances:").skip(1).any(|rest| rest.trim_start().starts_with("4096")))
}

#[test]
fn damaged_scenarios_get_an_answer() {
    let strategy = (prop::sample::select(vec![TINY, RICH]), prop::collection::vec(damage(&NUMBERS), 1..3));
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |((text, damages) in strategy)| {
        let bytes = apply(text, &damages);
        let damaged = String::from_utf8_lossy(&bytes);
        if few_instances(&damaged) {
            try_to_run("damaged.yaml", &damaged, &[])?;
        }
    });
    let [refused, _, stopped, finished] = OUTCOMES.get();
    assert!(refused > 20 && stopped + finished > 20, "outcomes {:?}", OUTCOMES.get());
}

#[test]
fn damaged_traces_get_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    let strategy = (prop::sample::select(TRACES.to_vec()), prop::collection::vec(damage(&FIELDS), 0..3), any::<bool>(), 1u32..3);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(((format, text), damages, skip, repeat) in strategy)| {
        fs::write(&path, apply(text, &damages)).unwrap();
        let trace = format!("workload.chat.trace={{format: {format}, path: {}, skip_bad_lines: {skip}, repeat: {repeat}}}", path.display());
        try_to_run("tiny.yaml", TINY, &[trace, "run.requests=~".into(), "run.warmup=~".into()])?;
    });
    let [refused, failed, _, finished] = OUTCOMES.get();
    assert!(refused > 5 && failed > 5 && finished > 20, "outcomes {:?}", OUTCOMES.get());
}
