//! Many runs: each a cell of a study, several at once, equal ones once, finished ones kept.
//!
//! Owns: the order of work, and what a cell is known by. Must not know: files, the terminal; what is made of the results.

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

/// Where results are kept between studies. A result that cannot be read is none.
pub trait Store: Sync {
    /// The result of a key, if it is there and whole.
    fn load(&self, key: &str) -> Option<Outcome>;
    /// Keeps a result. That it cannot be kept is no reason to lose it: the store says so itself.
    fn save(&self, key: &str, outcome: &Outcome);
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forgetful;

impl Store for Forgetful {
    fn load(&self, _: &str) -> Option<Outcome> {
        None
    }

    fn save(&self, _: &str, _: &Outcome) {}
}

/// How to run cells; none of it changes a result.
#[derive(Debug, Clone)]
pub struct RunnerOptions {
    /// How each is run.
    pub run: Options,
    /// Runs at a time, at least one.
    pub jobs: usize,
    /// Whether single requests are kept.
    pub requests: bool,
    /// The program that runs them, user code included: results of another are not taken for its own.
    pub program: String,
}

/// What happens to a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// It runs, and this part is over, 0 to 1, as far as it can be told.
    Runs(Option<f64>),
    /// It has just been run.
    Ran,
    /// It had been run before, or is that of another.
    Known,
}

/// Why there are no results.
#[derive(Debug, Error)]
#[error("{error}")]
pub struct CellError {
    /// The cell, by its place.
    pub cell: usize,
    /// What went wrong in it.
    pub error: StudyError,
}

/// What a scenario's result is known by: its resolved input, the content of its files, the program, and what is kept.
fn key(scenario: &Scenario, options: &RunnerOptions) -> String {
    let mut hasher = blake3::Hasher::new();
    let kept = if options.requests { "requests" } else { "numbers" };
    for part in [&scenario.input_hash, &options.program, kept] {
        hasher.update(part.as_bytes());
        hasher.update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}

/// Runs scenarios; results come in their order. `watch` hears what happens to each cell and says whether to go on.
///
/// # Errors
/// That of the first cell that failed; the others end as soon as they can.
pub fn run_cells(
    scenarios: &[&Scenario],
    options: &RunnerOptions,
    store: &dyn Store,
    watch: &(dyn Fn(usize, Step) -> bool + Sync),
) -> Result<Vec<Arc<Outcome>>, CellError> {
    let keys: Vec<String> = scenarios.iter().map(|scenario| key(scenario, options)).collect();
    // Equal cells are run once, under the first of them.
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
    // What ended the others comes before what was ended by it.
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
