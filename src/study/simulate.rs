//! One run of one scenario.

use thiserror::Error;

use super::{money, warnings};
use crate::cluster::{Both, Cluster, Observer, RunError};
use crate::config::Scenario;
use crate::metrics::{AssertionResult, Recorder, RequestSink, RunFacts, RunResult, Summary};
use crate::sim::SimTime;
use crate::workload::{Workload, WorkloadError};

/// How to run; none of it changes a result.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Pass over undisturbed decode iterations without queueing them.
    pub fast_forward: bool,
    /// Check the invariants after every event.
    pub audit: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { fast_forward: true, audit: cfg!(debug_assertions) }
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Simulated time.
    pub now: SimTime,
    /// Requests that have left, whatever became of them, those of the warm-up included.
    pub departed: u64,
    /// Requests inside.
    pub in_flight: u64,
    /// Events handled.
    pub events: u64,
    /// The part of the run that is over, 0 to 1, as far as it can be told; `None` if it cannot.
    pub done: Option<f64>,
}

impl Progress {
    fn of<O: Observer>(cluster: &Cluster<O>, arrivals: u64, handed_out: Option<f64>) -> Self {
        let in_flight = cluster.in_flight();
        let departed = arrivals.saturating_sub(in_flight);
        // Those that wait inside are still to be served, however many have come.
        let done = handed_out.filter(|_| arrivals > 0).map(|share| share * (departed as f64 / arrivals as f64));
        Self { now: cluster.now(), departed, in_flight, events: cluster.events(), done }
    }
}

/// Why there is no result.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StudyError {
    /// The workload cannot be read: user error.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The clock runs out: user error.
    #[error("{0}")]
    BeyondTime(RunError),
    /// Our own error; please report it.
    #[error(transparent)]
    Internal(RunError),
    /// The summary is no JSON: our own error.
    #[error("cannot write the summary: {0}")]
    Summary(serde_json::Error),
    /// Rows of requests are lost; their sink knows why.
    #[error("the run ended at {0} of simulated time, because rows of requests could not be written")]
    RowsLost(SimTime),
    /// The run was stopped from outside.
    #[error("the run was interrupted at {0} of simulated time")]
    Interrupted(SimTime),
}

/// Runs a scenario. Each finished request goes to `sink` as it leaves, every observation to `listener`; `progress` is asked now and then whether to go on.
/// A sink that fails ends the run; to ask it why, pass it as a reference.
///
/// # Errors
/// See [`StudyError`].
pub fn simulate<S: RequestSink, L: Observer>(
    scenario: &Scenario,
    options: Options,
    sink: S,
    listener: L,
    mut progress: impl FnMut(Progress) -> bool,
) -> Result<(RunResult, S, L), StudyError> {
    let mut spec = scenario.cluster.clone();
    spec.fast_forward = options.fast_forward;
    spec.audit = options.audit;
    let mut workload = scenario.workload()?;
    let mut interrupted = false;
    let mut cluster = Cluster::new(spec, Both(Recorder::new(scenario.recorder.clone(), sink), listener));
    let ran = cluster.run(&mut workload, |cluster, workload| {
        let arrivals = cluster.observer().0.arrivals();
        interrupted = !progress(Progress::of(cluster, arrivals, workload.handed_out()));
        !interrupted && !cluster.observer().0.rows_lost()
    });
    match ran {
        Err(RunError::Workload(error)) => return Err(error.into()),
        Err(error @ RunError::BeyondTime) => return Err(StudyError::BeyondTime(error)),
        _ if interrupted => return Err(StudyError::Interrupted(cluster.now())),
        _ if cluster.observer().0.rows_lost() => return Err(StudyError::RowsLost(cluster.now())),
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
    let Both(recorder, listener) = cluster.into_observer();
    let mut result = recorder.result(&facts);
    result.summary.provenance.clone_from(&scenario.provenance);
    money::add(&mut result.summary, scenario, &recorder.pool_uses(facts.end));
    let skipped: Vec<(String, String)> = workload
        .skipped()
        .into_iter()
        .filter(|(_, lines)| !lines.is_empty())
        .map(|(class, lines)| (scenario.recorder.classes[usize::from(class.0)].name.clone(), lines.to_string()))
        .collect();
    result.summary.warnings = warnings::find(&result, scenario, &skipped);
    result.summary.assertions = assertions(scenario, &result.summary)?;
    Ok((result, recorder.into_sink(), listener))
}

/// The conditions of the scenario against what came out.
fn assertions(scenario: &Scenario, summary: &Summary) -> Result<Vec<AssertionResult>, StudyError> {
    let value = serde_json::to_value(summary).map_err(StudyError::Summary)?;
    let outcomes = scenario.assertions.iter().map(|assertion| (assertion, assertion.evaluate(&value)));
    Ok(outcomes
        .map(|(assertion, outcome)| AssertionResult { text: assertion.text.clone(), holds: outcome.holds, value: outcome.value })
        .collect())
}
