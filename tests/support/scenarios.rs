//! Scenarios for tests: the shipped ones with changes, and ones written in a test.

use std::path::{Path, PathBuf};

use tokenmill::cluster::Observer;
use tokenmill::document::Input;
use tokenmill::metrics::{RequestRow, RequestSink, RunResult};
use tokenmill::scenario::{Library, Scenario};
use tokenmill::study::{Options, simulate};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A list of `--set` options.
pub(crate) fn sets<const N: usize>(options: [&str; N]) -> Vec<String> {
    options.map(str::to_owned).to_vec()
}

/// A shipped scenario with `--set` options.
pub(crate) fn shipped(name: &str, sets: &[String]) -> Scenario {
    let path = root().join("scenarios").join(format!("{name}.yaml"));
    Scenario::load(Input::File(&path), sets, &Library::default()).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A scenario written in a test.
pub(crate) fn inline(text: &str) -> Scenario {
    Scenario::load(Input::Text { name: "test.yaml", text }, &[], &Library::default()).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

/// Every row, in the order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Rows(pub(crate) Vec<RequestRow>);

impl RequestSink for Rows {
    fn request(&mut self, row: &RequestRow) {
        self.0.push(*row);
    }
}

/// Runs a scenario with a listener of the test's.
pub(crate) fn simulate_with<L: Observer>(scenario: &Scenario, options: Options, listener: L) -> (RunResult, Vec<RequestRow>, L) {
    let (result, mut rows, listener) = simulate(scenario, options, Rows::default(), listener, |_| true).unwrap();
    rows.0.sort_by_key(|row| row.record.id);
    (result, rows.0, listener)
}

/// A real trace or table beside the repository; `None`, with a word about it, where there is none.
pub(crate) fn data(relative: &str) -> Option<PathBuf> {
    let path = root().join("../shared/data").join(relative);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {relative} is not beside the repository");
    None
}
