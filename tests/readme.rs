//! The README says what is true: its output is the program's, its commands work, the tests it names exist.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The text of each block fenced as `language`.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("\n```{language}\n");
    text.split(&opening).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

/// Runs a line of shell in `folder` with `tokenmill` in its path.
fn shell(folder: &Path, line: &str) -> Output {
    let bin = Path::new(env!("CARGO_BIN_EXE_tokenmill")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    Command::new("sh").args(["-c", line]).current_dir(folder).env("PATH", path).env_remove("COLUMNS").output().unwrap()
}

const RENEW: &str = "renew with `TOKENMILL_RENEW=1 cargo test --test main readme`, and look at the text around it";

/// The charts of the README: scenario and name in `plots/`.
const CHARTS: [(&str, &str); 4] =
    [("quickstart", "itl"), ("quickstart", "timeline"), ("quickstart", "ttft"), ("quickstart-colocated", "itl")];

fn renewing() -> bool {
    std::env::var_os("TOKENMILL_RENEW").is_some()
}

#[test]
fn the_output_in_the_readme_is_what_the_program_prints() {
    let folder = tempfile::tempdir().unwrap();
    let printed = String::from_utf8(shell(folder.path(), "tokenmill run quickstart").stdout).unwrap();
    let (printed, text) = (printed.trim_end(), readme());
    let shown = blocks(&text, "text")[0];
    if renewing() {
        fs::write(root().join("README.md"), text.replace(shown, printed)).unwrap();
        return;
    }
    assert_eq!(shown, printed, "{RENEW}");
}

#[test]
fn the_charts_in_the_readme_are_those_of_the_program() {
    for (scenario, chart) in CHARTS {
        let folder = tempfile::tempdir().unwrap();
        shell(folder.path(), &format!("tokenmill run {scenario} --quiet --out . && mv {scenario}-*/plots/{chart}.svg chart.svg"));
        let drawn = fs::read(folder.path().join("chart.svg")).unwrap();
        let file = root().join("docs").join(format!("{scenario}-{chart}.svg"));
        if renewing() {
            fs::write(&file, &drawn).unwrap();
            continue;
        }
        assert!(fs::read(&file).unwrap() == drawn, "docs/{scenario}-{chart}.svg is out of date; {RENEW}");
    }
}

#[test]
fn the_commands_of_the_readme_work() {
    let text = readme();
    let tasks = text.split("\n## Tasks\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<String> = blocks(tasks, "sh").join("\n").replace("\\\n", " ").lines().map(str::to_owned).collect();
    let mut run = 0;
    for line in &lines {
        // These need files that the repository does not have.
        if ["AzureLLM", "conversation_trace", "BurstGPT", "path/to"].iter().any(|foreign| line.contains(foreign)) {
            continue;
        }
        let expected = i32::from(line.contains("# misses the limit, exit code 1"));
        // Tests build the examples too.
        let own = Path::new(env!("CARGO_BIN_EXE_tokenmill")).with_file_name("examples").join("own_router");
        let line = &line.replace("cargo run --release --example own_router --", &own.display().to_string());
        let output = shell(folder.path(), line);
        assert_eq!(output.status.code(), Some(expected), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
        run += 1;
    }
    assert!(run >= 15, "only {run} commands found");
}

#[test]
fn the_tests_and_files_that_the_readme_names_exist() {
    let text = readme();
    let table = text.split("\n## Why believe it\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let sources: String = ["src", "tests"].iter().map(|folder| all_text(&root().join(folder))).collect();
    let mut names = 0;
    for name in table.split('`').skip(1).step_by(2).filter(|name| name.contains('_') && !name.contains(['/', ' '])) {
        assert!(sources.contains(&format!("fn {name}()")) || sources.contains(&format!("fn {name}(")), "no test `{name}`");
        names += 1;
    }
    assert!(names > 20, "only {names} names found");
    for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).filter(|link| !link.starts_with("http")) {
        assert!(root().join(link).exists(), "{link} does not exist");
    }
}

#[test]
fn every_column_is_described() {
    let described = fs::read_to_string(root().join("docs/results.md")).unwrap();
    let place = tempfile::tempdir().unwrap();
    let output =
        shell(place.path(), "tokenmill run quickstart --set run.requests=50 --set run.warmup='0 s' --set 'assert=[]' --quiet --out .");
    assert_eq!(output.status.code(), Some(0));
    let run = fs::read_dir(place.path()).unwrap().next().unwrap().unwrap().path();
    for file in ["requests.csv", "timeline.csv"] {
        let text = fs::read_to_string(run.join(file)).unwrap();
        for column in text.lines().next().unwrap().split(',') {
            let column = column.replace("prefill.", "POOL.").replace("decode.", "POOL.");
            assert!(described.contains(&format!("`{column}`")), "{file}: {column}");
        }
    }
}

#[test]
fn every_number_of_sessions_is_described() {
    let described = fs::read_to_string(root().join("docs/sessions.md")).unwrap();
    let results = described.split("\n## Results\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let paths = tokenmill::metrics::metric::rows().map(|(path, _)| path);
    let mut found: Vec<String> = paths.filter_map(|path| Some(format!("`{}`", path.strip_prefix("sessions.")?))).collect();
    found.retain(|name| !results.contains(name));
    assert!(found.is_empty(), "{found:?} are missing");
}

fn all_text(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { all_text(&path) } else { fs::read_to_string(&path).unwrap_or_default() }).collect()
}
