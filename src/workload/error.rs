//! Errors of workloads: parameters, trace files, trace lines. All are user errors, and fatal to the run.

use std::fmt;

use thiserror::Error;

use super::trace::TraceFormat;
use crate::sim::SimTime;

/// An invalid parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterProblem {
    /// Path of the parameter in its structure, such as `prompt.min`; empty for the structure itself.
    pub field: String,
    /// The value found.
    pub found: String,
    /// The valid values.
    pub expected: String,
}

impl fmt::Display for ParameterProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        write!(f, "found {}, expected {}", self.found, self.expected)
    }
}

/// Why a workload cannot continue. User error unless stated otherwise; none is resumable.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkloadError {
    /// An invalid trace line.
    #[error("{file}:{line}: {problem}")]
    BadLine {
        /// The trace file.
        file: String,
        /// Line number, from 1.
        line: u64,
        /// Field, found and expected values.
        problem: String,
        /// The line, truncated, control characters escaped; empty if the problem shows it or it cannot be shown.
        text: String,
    },
    /// A file that does not begin like a trace: it is empty, or its first line is not that of a trace. Skipping lines cannot help.
    #[error("{file}:1: {problem}")]
    BadStart {
        /// The trace file.
        file: String,
        /// Found and expected values.
        problem: String,
        /// The expected formats; empty if the problem names them.
        formats: Vec<TraceFormat>,
    },
    /// The file cannot be read.
    #[error("{file}: {source}")]
    Io {
        /// The trace file.
        file: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// The trace as a whole is unusable, such as one without a request inside the window.
    #[error("{file}: {problem}")]
    Trace {
        /// The trace file.
        file: String,
        /// The problem and its remedy.
        problem: String,
    },
    /// A trace with missing or disordered parts, where skipping lines would skip far too much.
    #[error("{file}: {problem}")]
    Damaged {
        /// The trace file.
        file: String,
        /// The problem.
        problem: String,
        /// The remedy.
        remedy: &'static str,
    },
    /// Parameters out of range; all problems are reported at once.
    #[error("{}", join(.0))]
    Parameters(Vec<ParameterProblem>),
    /// An arrival beyond the range of simulated time (292 years).
    #[error("workload {class}: request {request} arrives after more than 292 years, the limit of simulated time")]
    BeyondTime {
        /// The workload.
        class: u16,
        /// Number of the request, from 1.
        request: u64,
    },
    /// The users of a closed loop are rejected without time passing: the loop would never end.
    #[error(
        "workload {class}: {requests} requests in a row left at the instant they arrived, {at}, so its clients would send new ones without end"
    )]
    Standstill {
        /// The workload.
        class: u16,
        /// The number of requests.
        requests: u64,
        /// Simulated time of the stall.
        at: SimTime,
    },
    /// An invalid session.
    #[error("workload {class}: {problem}")]
    Script {
        /// The workload.
        class: u16,
        /// The session, found and expected values.
        problem: String,
    },
    /// A request of a class unknown to the cluster.
    #[error("found a request of workload {class}, expected one of the {classes} that the cluster serves")]
    NoClass {
        /// The class.
        class: u16,
        /// Number of workloads of the cluster.
        classes: usize,
    },
    /// Sessions cannot be written as requests with times.
    #[error("the calls of a session arrive after earlier answers, at times that only a run determines: a plain trace cannot hold them")]
    Sessions,
    /// Nothing to write: the workload has no request.
    #[error("no request to write: the workload ends before its first")]
    NoRequest,
    /// A trace cannot be written.
    #[error("cannot write the trace: {0}")]
    Write(#[source] std::io::Error),
}

impl WorkloadError {
    /// Index of the workload in the message, from 0, for callers that know its name; `None` if the message names a file instead.
    pub const fn class(&self) -> Option<u16> {
        match self {
            Self::BeyondTime { class, .. } | Self::Standstill { class, .. } | Self::Script { class, .. } => Some(*class),
            _ => None,
        }
    }
}

fn join(problems: &[ParameterProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Collects problems, so that all are reported at once.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<ParameterProblem>);

impl Problems {
    /// Adds a problem unless `fine`.
    pub(super) fn require(&mut self, fine: bool, field: &str, found: impl fmt::Display, expected: &str) {
        if !fine {
            self.0.push(ParameterProblem { field: field.to_owned(), found: found.to_string(), expected: expected.to_owned() });
        }
    }

    /// Adds the problems of a part under its name; without a name, unchanged.
    pub(super) fn within(&mut self, part: &str, problems: Vec<ParameterProblem>) {
        self.0.extend(problems.into_iter().map(|mut problem| {
            let between = if part.is_empty() || problem.field.is_empty() { "" } else { "." };
            problem.field = format!("{part}{between}{}", problem.field);
            problem
        }));
    }

    /// All problems found.
    pub(super) fn into_vec(self) -> Vec<ParameterProblem> {
        self.0
    }
}

/// `Ok` without problems, otherwise an error with all of them.
pub(super) fn refuse(problems: Vec<ParameterProblem>) -> Result<(), WorkloadError> {
    if problems.is_empty() { Ok(()) } else { Err(WorkloadError::Parameters(problems)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_of_parts_include_the_path_of_the_part() {
        let mut inner = Problems::default();
        inner.require(false, "min", 0, "at least 1");
        inner.require(false, "", "nothing", "something");
        inner.require(true, "max", 0, "never seen");
        let mut outer = Problems::default();
        outer.within("prompt", inner.into_vec());
        let error = refuse(outer.into_vec()).unwrap_err();
        assert_eq!(error.to_string(), "prompt.min: found 0, expected at least 1; prompt: found nothing, expected something");
    }
}
