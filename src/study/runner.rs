//! Batches of runs: each run is a cell of a study; cells run in parallel, equal ones once, and results are cached.
//!
//! Owns: the order of work, and the identity of a cell. Must not know: files, the terminal, the use of the results.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use thiserror::Error;

use super::outcome::{Noted, Outcome};
use super::{Options, StudyError, simulate};
use crate::cluster::Silent;
use crate::scenario::Scenario;
use crate::sim::SimTime;

/// Cache of results between studies. An unreadable result counts as missing.
pub trait Store: Sync {
    /// The result of a key, if present and complete.
    fn load(&self, key: &str) -> Option<Outcome>;
    /// Stores a result. A failure to store is not an error of the study: the store reports it itself.
    fn save(&self, key: &str, outcome: &Outcome);
}

/// Stores nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forgetful;

impl Store for Forgetful {
    fn load(&self, _: &str) -> Option<Outcome> {
        None
    }

    fn save(&self, _: &str, _: &Outcome) {}
}

/// Options of the runner; none of them changes a result.
#[derive(Debug, Clone)]
pub struct RunnerOptions {
    /// Options of each run.
    pub run: Options,
    /// Number of concurrent runs, at least one.
    pub jobs: usize,
    /// True to keep single requests.
    pub requests: bool,
    /// The executing program, user code included: results of other programs are not reused.
    pub program: String,
}

/// Progress of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// It is running; progress 0 to 1, if known.
    Runs(Option<f64>),
    /// It has finished running.
    Ran,
    /// Its result was cached, or is that of an equal cell.
    Known,
}

/// Why a study has no results.
#[derive(Debug, Error)]
#[error("{error}")]
pub struct CellError {
    /// Index of the cell.
    pub cell: usize,
    /// The error of its run.
    pub error: StudyError,
}

/// Key of a scenario's result: its resolved input, the content of its files, the program, and the kind of result.
fn key(scenario: &Scenario, options: &RunnerOptions) -> String {
    let mut hasher = blake3::Hasher::new();
    let kept = if options.requests { "requests" } else { "numbers" };
    for part in [&scenario.input_hash, &options.program, kept] {
        hasher.update(part.as_bytes());
        hasher.update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}

/// Runs scenarios; results are in their order. `watch` receives the progress of each cell and returns whether to continue.
///
/// # Errors
/// The error of the first failed cell; the others stop as soon as possible.
pub fn run_cells(
    scenarios: &[&Scenario],
    options: &RunnerOptions,
    store: &dyn Store,
    watch: &(dyn Fn(usize, Step) -> bool + Sync),
) -> Result<Vec<Arc<Outcome>>, CellError> {
    let keys: Vec<String> = scenarios.iter().map(|scenario| key(scenario, options)).collect();
    // Equal cells are run once, at the first of them.
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (cell, key) in keys.iter().enumerate() {
        first.entry(key).or_insert(cell);
    }
    let mut cells: Vec<usize> = first.values().copied().collect();
    cells.sort_unstable();
    let run = Options { aside: options.run.aside && options.jobs >= 2 * cells.len(), ..options.run };
    let failed = AtomicBool::new(false);
    let one = |&cell: &usize| -> Result<(usize, Arc<Outcome>), CellError> {
        if failed.load(Ordering::Relaxed) {
            return Err(CellError { cell, error: StudyError::Interrupted(SimTime::ZERO) });
        }
        if let Some(known) = store.load(&keys[cell]) {
            watch(cell, Step::Known);
            return Ok((cell, Arc::new(known)));
        }
        let noted = Noted::new(options.requests);
        let ran = simulate(scenarios[cell], run, noted, Silent, |progress| {
            watch(cell, Step::Runs(progress.done)) && !failed.load(Ordering::Relaxed)
        });
        let (result, noted, _) = ran.map_err(|error| {
            failed.store(true, Ordering::Relaxed);
            CellError { cell, error }
        })?;
        let (requests, balance) = noted.finish(&scenarios[cell].recorder.pools);
        let outcome = Outcome::new(result, requests, balance);
        store.save(&keys[cell], &outcome);
        watch(cell, Step::Ran);
        Ok((cell, Arc::new(outcome)))
    };
    let pool = ThreadPoolBuilder::new().num_threads(options.jobs.max(1)).build();
    let pool = pool.map_err(|error| CellError { cell: 0, error: StudyError::NoThread(std::io::Error::other(error)) })?;
    let results: Vec<Result<(usize, Arc<Outcome>), CellError>> = pool.install(|| cells.par_iter().with_max_len(1).map(one).collect());
    let mut ran = BTreeMap::new();
    let mut errors = Vec::new();
    for result in results {
        match result {
            Ok((cell, outcome)) => {
                ran.insert(cell, outcome);
            }
            Err(error) => errors.push(error),
        }
    }
    // The original error comes before the interruptions it caused.
    errors.sort_by_key(|error| matches!(error.error, StudyError::Interrupted(_)));
    if let Some(first) = errors.into_iter().next() {
        return Err(first);
    }
    let by_key = |(cell, key): (usize, &String)| {
        let of = first.get(key.as_str()).copied().unwrap_or(cell);
        if of != cell {
            watch(cell, Step::Known);
        }
        ran.get(&of).map(Arc::clone)
    };
    Ok(keys.iter().enumerate().filter_map(by_key).collect())
}
