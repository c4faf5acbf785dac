//! Scenarios: from the file that a user writes to the typed parameters that a run is built from.
//!
//! Owns: which keys exist (`file/`), what must fit together (`meaning.rs`), profiles by name (`library.rs`), and the composition (`build/`):
//! defaults, checks that need hardware and models, provenance, the resolved scenario and its hash. Must not know: how anything is
//! simulated, how documents are read, or where results go.

mod assertion;
mod build;
pub mod file;
mod library;
mod load;
mod meaning;
pub mod schema;
mod shipped;
#[cfg(test)]
mod tests;

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

/// Most pools, models and workloads: they are numbered in 16 bits. The schema refuses more.
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
    /// When arrivals stop.
    pub duration: Option<SimDuration>,
    /// The cluster.
    pub cluster: ClusterSpec,
    /// Workloads by class.
    pub workloads: Vec<WorkloadSource>,
    /// What is recorded.
    pub recorder: RecorderParameters,
    /// Which requests get a row in `requests.csv`.
    pub rows: RowChoice,
    /// Whether the rows are compressed.
    pub rows_gzip: bool,
    /// Facility energy per IT energy.
    pub pue: f64,
    /// Grams of CO2 equivalent per kWh.
    pub carbon_g_per_kwh: f64,
    /// What the nodes of each pool cost.
    pub node_costs: Vec<NodeCost>,
    /// A link that cannot join what it is asked to join, in a sentence.
    pub caution: Option<String>,
    /// Conditions to check after the run.
    pub assertions: Vec<Assertion>,
    /// Where the figures come from.
    pub provenance: Vec<ProvenanceEntry>,
    /// The complete scenario: running it gives the same result.
    pub resolved_yaml: String,
    /// Hash of everything that determines the result, hexadecimal.
    pub input_hash: String,
    /// The same for people: files by their names, wherever they lie.
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

    /// Whether requests are drawn, so that another seed gives others.
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
