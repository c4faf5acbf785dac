//! What is shipped works: scenarios from an empty folder, schemas for editors.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn tokenmill(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenmill"));
    command.current_dir(folder).args(arguments);
    command
}

/// The scenarios and, of those that replay a trace, the workload that does.
fn scenarios() -> Vec<(String, Option<String>)> {
    let mut found: Vec<(String, Option<String>)> = fs::read_dir(root().join("scenarios"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let workload = text.lines().find_map(|line| line.strip_prefix("  - name: ")).map(str::to_owned);
            (name, workload.filter(|_| text.contains("\n    trace: ")))
        })
        .collect();
    found.sort();
    assert!(found.len() >= 6, "{found:?}");
    found
}

/// A trace of each format, of two requests.
fn write_traces(folder: &Path) {
    let azure = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n";
    let burstgpt = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n\
                    45,ChatGPT,1087,230,1317,Conversation log\n";
    let mooncake = "{\"timestamp\": 0, \"input_length\": 600, \"output_length\": 52, \"hash_ids\": [1, 2]}\n\
                    {\"timestamp\": 3000, \"input_length\": 700, \"output_length\": 26, \"hash_ids\": [1, 3]}\n";
    let plain = "arrival_s,prompt_tokens,output_tokens\n0,100,10\n1.5,200,20\n";
    let agents = "{\"block_size\": 64, \"hash_id_scope\": \"local\", \"requests\": [{\"t\": 0, \"in\": 130, \"out\": 9, \"h\": [[1, 2]]}, \
                  {\"t\": 9, \"in\": 230, \"out\": 9, \"think_s\": 5, \"h\": [[1, 3]]}]}\n";
    for (name, text) in [("azure", azure), ("burstgpt", burstgpt), ("mooncake", mooncake), ("plain", plain), ("agents", agents)] {
        fs::write(folder.join(name), text).unwrap();
    }
}

#[test]
fn every_shipped_scenario_runs_by_name_in_an_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    write_traces(folder.path());
    for (name, workload) in scenarios() {
        let format = name.trim_start_matches("trace-");
        let set = workload.as_ref().map(|workload| format!("workload.{workload}.trace.path={format}"));
        let warmup = "run.warmup=0 s";
        let mut arguments = vec!["run", &name, "--quiet"];
        if let Some(set) = &set {
            arguments.extend(["--set", set, "--set", warmup]);
        }
        tokenmill(folder.path(), &arguments).assert().code(0);
    }
}

#[test]
fn the_comments_of_a_scenario_name_itself_and_the_parameter_of_its_trace() {
    for (name, workload) in scenarios() {
        let text = fs::read_to_string(root().join("scenarios").join(format!("{name}.yaml"))).unwrap();
        let command = match &workload {
            Some(workload) => format!("#   tokenmill run scenarios/{name}.yaml --set workload.{workload}.trace.path="),
            None => format!("#   tokenmill run scenarios/{name}.yaml\n"),
        };
        assert!(text.contains(&command), "{name}: no line `{command}`");
        assert!(text.contains("?\n"), "{name}: asks no question");
        assert!(text.contains(&format!("\nname: {name}\n")), "{name}");
    }
}
