//! What can be wrong with a workload: parameters, trace files, trace lines. All are user errors, and a run cannot go on after one.

use std::fmt;

use thiserror::Error;

use super::trace::TraceFormat;
use crate::sim::SimTime;

/// One parameter that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterProblem {
    /// Path of the parameter inside its structure, such as `prompt.min`; empty for the structure itself.
    pub field: String,
    /// What was found.
    pub found: String,
    /// What was expected instead.
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

/// Why a workload cannot go on. User error unless it says otherwise; none is resumable.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkloadError {
    /// A trace line that cannot be used.
    #[error("{file}:{line}: {problem}")]
    BadLine {
        /// The trace file.
        file: String,
        /// Line number, from 1.
        line: u64,
        /// Field, what was found and what was expected.
        problem: String,
        /// The line, cut to a readable length, control characters escaped; empty if the problem shows it or it cannot be shown.
        text: String,
    },
    /// A file that does not begin as a trace does: it is empty, or its first line is none. Leaving out lines cannot help.
    #[error("{file}:1: {problem}")]
    BadStart {
        /// The trace file.
        file: String,
        /// What was found and what was expected.
        problem: String,
        /// Formats one of which was expected; empty if the problem says it.
        formats: Vec<TraceFormat>,
    },
    /// The file cannot be read.
    #[error("{file}: {source}")]
    Io {
        /// The trace file.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The trace as a whole cannot be used, such as one without a request inside the window.
    #[error("{file}: {problem}")]
    Trace {
        /// The trace file.
        file: String,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A trace of which a part is missing or in disorder, so that leaving out lines would leave out far too much.
    #[error("{file}: {problem}")]
    Damaged {
        /// The trace file.
        file: String,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Parameters out of range: all problems at once.
    #[error("{}", join(.0))]
    Parameters(Vec<ParameterProblem>),
    /// An arrival later than simulated time can hold (292 years).
    #[error("workload {class}: request {request} arrives after more than 292 years, which simulated time cannot hold")]
    BeyondTime {
        /// The workload.
        class: u16,
        /// Which request, from 1.
        request: u64,
    },
    /// The users of a closed loop ask and are turned away without time passing: it would go on for ever.
    #[error("workload {class}: {requests} requests in a row left at the instant they arrived, {at}, so its clients ask again for ever")]
    Standstill {
        /// The workload.
        class: u16,
        /// How many.
        requests: u64,
        /// Where simulated time stands still.
        at: SimTime,
    },
    /// A session that cannot be played.
    #[error("workload {class}: {problem}")]
    Script {
        /// The workload.
        class: u16,
        /// The session, what was found and what was expected.
        problem: String,
    },
    /// A request of a class that the cluster does not have.
    #[error("found a request of workload {class}, expected one of the {classes} that the cluster serves")]
    NoClass {
        /// The class.
        class: u16,
        /// Workloads of the cluster.
        classes: usize,
    },
    /// Sessions cannot be written as requests with times.
    #[error("calls of sessions arrive when answers are there, which only a run can say: a plain trace cannot hold them")]
    Sessions,
    /// A trace without a request would be written.
    #[error("there is no request to write: the workload ends before its first")]
    NoRequest,
    /// A trace cannot be written.
    #[error("cannot write the trace: {0}")]
    Write(#[source] std::io::Error),
}

impl WorkloadError {
    /// The workload as messages name it, by its number from 0, for those who know its name; `None` if the message names a file instead.
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

/// Collects problems, so that all of them are reported at once.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<ParameterProblem>);

impl Problems {
    /// Notes a problem unless `fine`.
    pub(super) fn require(&mut self, fine: bool, field: &str, found: impl fmt::Display, expected: &str) {
        if !fine {
            self.0.push(ParameterProblem { field: field.to_owned(), found: found.to_string(), expected: expected.to_owned() });
        }
    }

    /// Takes over the problems of a part, under its name; without a name, as they are.
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

/// `Ok` if there are no problems, all of them otherwise.
pub(super) fn refuse(problems: Vec<ParameterProblem>) -> Result<(), WorkloadError> {
    if problems.is_empty() { Ok(()) } else { Err(WorkloadError::Parameters(problems)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_of_parts_carry_the_path_of_the_part() {
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
