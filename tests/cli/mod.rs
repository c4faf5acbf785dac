//! The command line as its users see it: files, streams, exit codes, messages.

mod bad_input;
mod commands;
mod compare;
mod results;
mod rows;
mod traces;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use tempfile::TempDir;

/// A few hundred requests on two instances with given step times: milliseconds to simulate.
pub(crate) const TINY: &str = "\
name: tiny
seed: 7
run: {requests: 300, warmup: 1 s}
models:
  m: {profile: llama-3.1-8b}
workload:
  - name: chat
    slo: {ttft: 1 s, tpot: 50 ms}
    synthetic:
      arrivals: {poisson: {rate: 40 /s}}
      prompt_tokens: {uniform: {min: 10, max: 200}}
      output_tokens: {uniform: {min: 2, max: 40}}
cluster:
  pools:
    - {name: p, role: prefill, node: dgx-h100, instances: 1, perf: {affine: {base: 1 ms, per_prompt_token: 20 us}}}
    - {name: d, role: decode, node: dgx-h100, instances: 2, perf: {affine: {base: 2 ms, per_sequence: 100 us}}}
";

/// An empty folder to run in.
pub(crate) struct Place(TempDir);

/// What a command did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With the tiny scenario in `tiny.yaml`.
    pub(crate) fn tiny() -> Self {
        let place = Self::new();
        place.write("tiny.yaml", TINY);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tokenmill"));
        command.current_dir(self.0.path()).args(arguments).env_remove("NO_COLOR").timeout(std::time::Duration::from_secs(60));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Done { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Runs what must succeed without a word on stderr.
    pub(crate) fn good(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        done.stdout
    }

    /// Runs what must be refused as bad input, without a result on stdout; what it says.
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{arguments:?}: {}", done.stderr);
        done.stderr
    }

    /// The name of the only folder in `parent`, and its files but for the manifest.
    pub(crate) fn results(&self, parent: &str) -> (String, BTreeMap<String, Vec<u8>>) {
        let folders: Vec<PathBuf> = fs::read_dir(self.path(parent)).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [folder] = folders.as_slice() else { panic!("one folder, found {folders:?}") };
        let mut files = BTreeMap::new();
        collect(folder, folder, &mut files);
        assert!(files.remove("manifest.json").is_some(), "every run writes a manifest");
        (folder.file_name().unwrap().to_str().unwrap().to_owned(), files)
    }

    /// Runs a scenario into `parent` and returns its results.
    pub(crate) fn results_of(&self, parent: &str, arguments: &[&str]) -> (String, BTreeMap<String, Vec<u8>>) {
        self.good(&[&["run", "--quiet", "--out", parent], arguments].concat());
        self.results(parent)
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}
