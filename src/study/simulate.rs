//! One run of one scenario.

use std::thread::Scope;

use thiserror::Error;

use super::{money, warnings};
use crate::cluster::{Both, Cluster, Observation, Observer, RunError, SpecError};
use crate::metrics::{Recorder, Relay, RequestSink, RunFacts, RunResult};
use crate::policy::Controller;
use crate::scenario::Scenario;
use crate::sim::{SimTime, TooMany};
use crate::workload::{ClassId, Workload, WorkloadError};

/// Options of a run; none of them changes a result.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Passes over undisturbed decode iterations without queueing them.
    pub fast_forward: bool,
    /// Checks the invariants after every event.
    pub audit: bool,
    /// Records metrics on a separate thread.
    pub aside: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { fast_forward: true, audit: cfg!(debug_assertions), aside: false }
    }
}

/// Progress of a run.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Simulated time.
    pub now: SimTime,
    /// Requests that have left, regardless of outcome, those of the warm-up included.
    pub departed: u64,
    /// Requests in the system.
    pub in_flight: u64,
    /// Events handled.
    pub events: u64,
    /// Completed share of the run, 0 to 1, estimated; `None` if unknown.
    pub done: Option<f64>,
}

impl Progress {
    fn of<O: Observer>(cluster: &Cluster<O>, handed_out: Option<f64>) -> Self {
        let (arrivals, in_flight) = (cluster.arrived(), cluster.in_flight());
        let departed = arrivals.saturating_sub(in_flight);
        // Requests still waiting are yet to be served, even if most have arrived.
        let done = handed_out.filter(|_| arrivals > 0).map(|share| share * (departed as f64 / arrivals as f64));
        Self { now: cluster.now(), departed, in_flight, events: cluster.events(), done }
    }
}

/// Why a run has no result.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StudyError {
    /// The workload is unreadable: user error.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The end of simulated time is reached: user error.
    #[error("{0}")]
    BeyondTime(RunError),
    /// A policy never lets some requests go on: an error of the policy.
    #[error("{0}")]
    Forgotten(RunError),
    /// The scale of the scenario is excessive: user error.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// The cluster cannot be built: user error.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// An internal error; please report it.
    #[error(transparent)]
    Internal(RunError),
    /// Rows of requests are lost; the sink has the reason.
    #[error("the run ended at {0} of simulated time, because rows of requests could not be written")]
    RowsLost(SimTime),
    /// The system cannot create a thread.
    #[error("cannot start a thread: {0}; `--jobs 1` needs only one")]
    NoThread(std::io::Error),
    /// The recorder has panicked and reported the reason: an internal error.
    #[error("the thread of the recorder panicked")]
    Panicked,
    /// The run was interrupted from outside.
    #[error("the run was interrupted at {0} of simulated time")]
    Interrupted(SimTime),
}

/// The recorder, on the event thread or on its own.
#[derive(Debug)]
enum Recording<'scope, S: RequestSink> {
    Here(Box<Recorder<S>>),
    Aside(Box<Relay<'scope, Recorder<S>>>),
}

impl<S: RequestSink> Observer for Recording<'_, S> {
    fn on(&mut self, at: SimTime, what: &Observation<'_>) {
        match self {
            Self::Here(recorder) => recorder.on(at, what),
            Self::Aside(relay) => relay.on(at, what),
        }
    }

    fn failed(&self) -> bool {
        match self {
            Self::Here(recorder) => recorder.failed(),
            Self::Aside(relay) => relay.failed(),
        }
    }
}

impl<'scope, S: RequestSink + Send + 'scope> Recording<'scope, S> {
    fn start(scope: &'scope Scope<'scope, '_>, recorder: Recorder<S>, aside: bool) -> Result<Self, StudyError> {
        if aside {
            Relay::start(scope, recorder).map(|relay| Self::Aside(Box::new(relay))).map_err(StudyError::NoThread)
        } else {
            Ok(Self::Here(Box::new(recorder)))
        }
    }

    fn finish(self) -> Result<Recorder<S>, StudyError> {
        match self {
            Self::Here(recorder) => Ok(*recorder),
            Self::Aside(relay) => relay.finish().map_err(|_| StudyError::Panicked),
        }
    }
}

/// Replaceable parts of a run, besides its scenario.
#[derive(Debug)]
pub(super) struct Parts {
    /// The requests.
    pub(super) workload: Box<dyn Workload>,
    /// Controllers in addition to those of the scenario.
    pub(super) controllers: Vec<Box<dyn Controller>>,
}

/// Runs a scenario. Each finished request goes to `sink` as it leaves, every observation to `listener`, on this thread; `progress` is called
/// periodically and returns whether to continue. A failed sink or listener ends the run; pass it by reference to query the reason.
///
/// # Errors
/// See [`StudyError`].
pub fn simulate<S: RequestSink + Send, L: Observer>(
    scenario: &Scenario,
    options: Options,
    sink: S,
    listener: L,
    progress: impl FnMut(Progress) -> bool,
) -> Result<(RunResult, S, L), StudyError> {
    let parts = Parts { workload: Box::new(scenario.workload()?), controllers: Vec::new() };
    simulate_parts(scenario, parts, options, sink, listener, progress)
}

/// As [`simulate`], with other requests and additional controllers.
pub(super) fn simulate_parts<S: RequestSink + Send, L: Observer>(
    scenario: &Scenario,
    Parts { mut workload, controllers }: Parts,
    options: Options,
    sink: S,
    listener: L,
    progress: impl FnMut(Progress) -> bool,
) -> Result<(RunResult, S, L), StudyError> {
    let (facts, mut recorder, listener) = std::thread::scope(|scope| {
        let recording = Recording::start(scope, Recorder::new(scenario.recorder.clone(), sink), options.aside)?;
        let (facts, observers) = run(scenario, options, (&mut *workload, controllers), Both(recording, listener), progress)?;
        let Both(recording, listener) = observers;
        Ok::<_, StudyError>((facts, recording.finish()?, listener))
    })?;
    let mut result = recorder.result(&facts);
    result.summary.provenance.clone_from(&scenario.provenance);
    money::add(&mut result.summary, scenario, &recorder.pool_uses(facts.end));
    let name = |class: ClassId| scenario.recorder.classes[usize::from(class.0)].name.clone();
    let skipped = workload.skipped().into_iter().filter(|(_, lines)| !lines.is_empty());
    let reading = warnings::Reading {
        skipped: skipped.map(|(class, lines)| (name(class), lines.to_string())).collect(),
        remarks: workload.remarks().into_iter().map(|(class, remark)| (name(class), remark)).collect(),
    };
    result.summary.warnings = warnings::find(&result, scenario, &reading);
    result.summary.assertions = scenario.assertions.iter().map(|assertion| assertion.evaluate(&result.summary)).collect();
    Ok((result, recorder.into_sink(), listener))
}

/// Runs the cluster of a scenario to its end.
fn run<O: Observer>(
    scenario: &Scenario,
    options: Options,
    (workload, controllers): (&mut dyn Workload, Vec<Box<dyn Controller>>),
    observer: O,
    mut progress: impl FnMut(Progress) -> bool,
) -> Result<(RunFacts, O), StudyError> {
    let mut spec = scenario.cluster.clone();
    spec.fast_forward = options.fast_forward;
    spec.audit = options.audit;
    let mut cluster = Cluster::new(&spec, observer)?;
    for controller in controllers {
        cluster.add_controller(controller)?;
    }
    let mut interrupted = false;
    let ran = cluster.run(workload, |cluster, workload| {
        interrupted = !progress(Progress::of(cluster, workload.handed_out()));
        !interrupted && !cluster.observer().failed()
    });
    match ran {
        Err(RunError::Workload(error)) => return Err(error.into()),
        Err(RunError::TooMany(error)) => return Err(error.into()),
        Err(error @ RunError::BeyondTime) => return Err(StudyError::BeyondTime(error)),
        Err(error @ RunError::Forgotten { .. }) => return Err(StudyError::Forgotten(error)),
        _ if interrupted => return Err(StudyError::Interrupted(cluster.now())),
        _ if cluster.observer().failed() => return Err(StudyError::RowsLost(cluster.now())),
        Err(error) => return Err(StudyError::Internal(error)),
        Ok(()) => {}
    }
    let facts = RunFacts {
        scenario: scenario.name.clone(),
        seed: scenario.seed,
        input_hash: scenario.input_hash.clone(),
        end: cluster.now(),
        events: cluster.events(),
        pue: scenario.pue,
        carbon_g_per_kwh: scenario.carbon_g_per_kwh,
        peak_port_utilization: cluster.peak_port_utilization(),
    };
    Ok((facts, cluster.into_observer()))
}
