//! A single run from a program: a scenario, overrides, and custom code.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::simulate::{Options, Parts, StudyError, simulate_parts};
use crate::cluster::{Observer, Silent};
use crate::document::{ConfigErrors, Input};
use crate::metrics::{RequestRow, RequestSink, RunResult};
use crate::perf::PerfModel;
use crate::policy::{Controller, Entry, Policies, Router};
use crate::scenario::{Library, LibraryError, Scenario, shipped_scenario};
use crate::workload::{ClassId, LimitedWorkload, Workload};

/// Source of a scenario.
#[derive(Debug, Clone)]
enum Source {
    File(PathBuf),
    Text {
        name: String,
        text: String,
    },
    /// A built-in scenario.
    Shipped(String),
}

/// Builder of one run: a scenario, overrides as with `--set`, and custom policies, workloads, performance models, controllers and observers.
///
/// ```
/// use tokenmill::Simulation;
///
/// let result = Simulation::shipped("quickstart").set("run.requests=200").set("run.warmup=0 s").seed(3).run()?;
/// assert_eq!(result.summary.requests.completed, 200);
/// # Ok::<(), tokenmill::SimulationError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct Simulation {
    source: Source,
    sets: Vec<String>,
    folders: Vec<PathBuf>,
    policies: Policies,
    perf: Vec<(String, Arc<dyn PerfModel>)>,
    workload: Option<Box<dyn Workload>>,
    controllers: Vec<Box<dyn Controller>>,
    options: Options,
}

/// Why a run has no result.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// The scenario is invalid: user error, with place and remedy.
    #[error(transparent)]
    Scenario(#[from] ConfigErrors),
    /// A folder of profiles is invalid.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// Unknown built-in scenario.
    #[error("there is no shipped scenario `{0}`")]
    NotShipped(String),
    /// A performance model for a pool that is not in the scenario.
    #[error("there is no pool `{name}`, expected one of {}", known.join(", "))]
    NoPool {
        /// The name.
        name: String,
        /// Pools of the scenario.
        known: Vec<String>,
    },
    /// The run cannot start or continue.
    #[error(transparent)]
    Run(#[from] StudyError),
}

impl Simulation {
    fn of(source: Source) -> Self {
        Self {
            source,
            sets: Vec::new(),
            folders: Vec::new(),
            policies: Policies::default(),
            perf: Vec::new(),
            workload: None,
            controllers: Vec::new(),
            options: Options::default(),
        }
    }

    /// The scenario in a file.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self::of(Source::File(path.as_ref().to_owned()))
    }

    /// A scenario as text; `name` is for messages. Its relative paths are relative to the current folder.
    pub fn text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::of(Source::Text { name: name.into(), text: text.into() })
    }

    /// A built-in scenario, such as `quickstart`.
    pub fn shipped(name: impl Into<String>) -> Self {
        Self::of(Source::Shipped(name.into()))
    }

    /// Overrides one value, as `--set` on the command line: `PATH=VALUE`, with units.
    pub fn set(mut self, assignment: impl Into<String>) -> Self {
        self.sets.push(assignment.into());
        self
    }

    /// Sets the seed.
    pub fn seed(self, seed: u64) -> Self {
        self.set(format!("seed={seed}"))
    }

    /// Adds a folder of profiles, as `--profiles` on the command line.
    pub fn profiles(mut self, folder: impl AsRef<Path>) -> Self {
        self.folders.push(folder.as_ref().to_owned());
        self
    }

    /// Registers a router. It is used once a setting or the scenario names it.
    pub fn router(mut self, entry: Entry<dyn Router>) -> Self {
        self.policies.routers = self.policies.routers.with(entry);
        self
    }

    /// Replaces the policies that the scenario can name: those that come with the library, and some of the program's own.
    pub fn policies(mut self, policies: Policies) -> Self {
        self.policies = policies;
        self
    }

    /// Replaces the requests of the scenario. The classes of the workload are those of the scenario, whose limits and timeouts apply, and so do
    /// `run.requests` and `run.duration`.
    pub fn workload(mut self, workload: impl Workload + 'static) -> Self {
        self.workload = Some(Box::new(workload));
        self
    }

    /// Replaces the performance model of a pool.
    pub fn perf(mut self, pool: impl Into<String>, model: impl PerfModel + 'static) -> Self {
        self.perf.push((pool.into(), Arc::new(model)));
        self
    }

    /// Adds a controller, which observes the fleet and gives it orders.
    pub fn controller(mut self, controller: impl Controller + 'static) -> Self {
        self.controllers.push(Box::new(controller));
        self
    }

    /// Checks the invariants of the cluster after every event: slow, without effect on results.
    pub const fn audit(mut self, audit: bool) -> Self {
        self.options.audit = audit;
        self
    }

    /// The resolved scenario.
    ///
    /// # Errors
    /// All problems of the scenario at once.
    pub fn scenario(&self) -> Result<Scenario, SimulationError> {
        let mut library = Library::default().with_policies(self.policies.clone());
        for folder in &self.folders {
            library.add_folder(folder)?;
        }
        let shipped;
        let input = match &self.source {
            Source::File(path) => Input::File(path),
            Source::Text { name, text } => Input::Text { name, text },
            Source::Shipped(name) => {
                shipped = shipped_scenario(Path::new(name)).ok_or_else(|| SimulationError::NotShipped(name.clone()))?;
                Input::Text { name: &shipped.0, text: shipped.1 }
            }
        };
        let mut scenario = Scenario::load(input, &self.sets, &library)?;
        for (name, model) in &self.perf {
            let pools = &mut scenario.cluster.pools;
            let known = || pools.iter().map(|pool| pool.name.clone()).collect();
            match pools.iter().position(|pool| pool.name == *name) {
                Some(index) => pools[index].perf = Arc::clone(model),
                None => return Err(SimulationError::NoPool { name: name.clone(), known: known() }),
            }
        }
        if let Some(workload) = &self.workload {
            for (index, class) in (0..).zip(&mut scenario.cluster.classes) {
                class.prefix_tokens = workload.block_tokens(ClassId(index)).unwrap_or_default();
                class.sessions = workload.has_sessions(ClassId(index));
            }
        }
        Ok(scenario)
    }

    /// Runs the simulation.
    ///
    /// # Errors
    /// See [`SimulationError`].
    pub fn run(self) -> Result<RunResult, SimulationError> {
        self.run_with(Vec::new(), Silent).map(|(result, _, _)| result)
    }

    /// Runs the simulation; every finished request goes to `sink` as it leaves, such as a `Vec`, and every observation to `observer`.
    ///
    /// # Errors
    /// See [`SimulationError`].
    pub fn run_with<S: RequestSink + Send, L: Observer>(self, sink: S, observer: L) -> Result<(RunResult, S, L), SimulationError> {
        let scenario = self.scenario()?;
        let workload: Box<dyn Workload> = match self.workload {
            Some(workload) => Box::new(LimitedWorkload::new(workload, scenario.requests, scenario.duration)),
            None => Box::new(scenario.workload().map_err(StudyError::from)?),
        };
        let parts = Parts { workload, controllers: self.controllers };
        Ok(simulate_parts(&scenario, parts, self.options, sink, observer, |_| true)?)
    }
}

impl RequestSink for Vec<RequestRow> {
    fn request(&mut self, row: &RequestRow) {
        self.push(*row);
    }
}
