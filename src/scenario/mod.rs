//! Scenarios: from the user's file to the typed parameters of a run.
//!
//! Owns: the keys (`file/`), consistency checks (`meaning.rs`), profiles by name (`library.rs`), and the composition (`build/`):
//! defaults, checks that need hardware and models, provenance, the resolved scenario and its hash. Must not know: how anything is
//! simulated, how documents are read, or the destination of results.

mod assertion;
mod build;
mod checkpoint;
pub mod file;
mod library;
mod load;
mod meaning;
pub mod schema;
mod shipped;
#[cfg(test)]
mod tests;

#[cfg(feature = "cli")]
pub(crate) use checkpoint::import_checkpoint;

pub use assertion::{Assertion, AssertionError, Op};
pub use build::{InputFile, WorkloadSource};
pub use library::{Library, LibraryError};
pub use load::load_file;
pub use meaning::{assertions, check_meaning, model_of};
pub use shipped::{shipped_scenario, shipped_scenarios};

use load::try_load_file;

use crate::cluster::ClusterSpec;
use crate::cost::NodeCost;
use crate::document::{ConfigErrors, Input};
use crate::metrics::{ProvenanceEntry, RecorderParameters, RowChoice};
use crate::sim::{SimDuration, Streams};
use crate::workload::{ClassId, LimitedWorkload, MergedWorkload, SessionReplay, SessionStart, Workload, WorkloadError};

/// Most pools, models and workloads: their indices have 16 bits. The schema refuses more.
const MOST_NUMBERED: u16 = u16::MAX;

/// A scenario ready to run.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Name.
    pub name: String,
    /// The question it answers.
    pub description: Option<String>,
    /// Seed of all random streams.
    pub seed: u64,
    /// Most requests of all workloads together.
    pub requests: Option<u64>,
    /// Time at which arrivals stop.
    pub duration: Option<SimDuration>,
    /// The cluster.
    pub cluster: ClusterSpec,
    /// Workloads by class.
    pub workloads: Vec<WorkloadSource>,
    /// Parameters of the recorder.
    pub recorder: RecorderParameters,
    /// Which requests get a row in `requests.csv`.
    pub rows: RowChoice,
    /// Whether the rows are compressed.
    pub rows_gzip: bool,
    /// Facility energy per IT energy.
    pub pue: f64,
    /// Grams of CO2 equivalent per kWh.
    pub carbon_g_per_kwh: f64,
    /// Node cost of each pool.
    pub node_costs: Vec<NodeCost>,
    /// Warning about a link that does not reach between its pools, in a sentence.
    pub caution: Option<String>,
    /// Conditions to check after the run.
    pub assertions: Vec<Assertion>,
    /// Provenance of the figures.
    pub provenance: Vec<ProvenanceEntry>,
    /// The complete scenario: running it gives the same result.
    pub resolved_yaml: String,
    /// Hash of everything that determines the result, hexadecimal.
    pub input_hash: String,
    /// The same for readers: files by name, without their folders.
    pub portable_yaml: String,
    /// Files read, for the manifest.
    pub files: Vec<InputFile>,
}

impl Scenario {
    /// Reads, checks and resolves a scenario.
    ///
    /// # Errors
    /// All problems at once, each with its place.
    pub fn load(input: Input<'_>, sets: &[String], library: &Library) -> Result<Self, ConfigErrors> {
        let built = |loaded| build::scenario(loaded, library);
        try_load_file(input, sets, library.policies()).map_err(|refused| refused.with_meaning(|rest| built(rest).err())).and_then(built)
    }

    /// Whether requests are drawn at random, so that they depend on the seed.
    pub fn draws_requests(&self) -> bool {
        self.workloads.iter().any(|source| match source {
            WorkloadSource::Trace(parameters) => {
                matches!(parameters.sessions, Some(SessionReplay { start: SessionStart::Arrivals { .. }, .. }))
            }
            _ => true,
        })
    }

    /// The stream of requests, from its start.
    ///
    /// # Errors
    /// A trace that cannot be read.
    pub fn workload(&self) -> Result<LimitedWorkload<MergedWorkload>, WorkloadError> {
        let streams = Streams::new(self.seed);
        let mut parts: Vec<(ClassId, Box<dyn Workload>)> = Vec::new();
        for (class, source) in (0..MOST_NUMBERED).map(ClassId).zip(&self.workloads) {
            parts.push((class, source.open(class, &streams)?));
        }
        Ok(LimitedWorkload::new(MergedWorkload::new(parts)?, self.requests, self.duration))
    }
}
