//! Failures of commands.

use std::process::ExitCode;

use super::terminal::Terminal;
use crate::document::ConfigErrors;
use crate::report::number::duration_s;
use crate::scenario::{LibraryError, Scenario};
use crate::study::StudyError;
use crate::units::nearest_word;
use crate::workload::{TraceFormat, WorkloadError};

/// A gate or assertion failed.
pub(super) const FAILED: u8 = 1;
/// Bad input or usage.
pub(super) const BAD_INPUT: u8 = 2;
/// Interrupted before the end.
pub(super) const INCOMPLETE: u8 = 3;
/// Internal error.
pub(super) const INTERNAL: u8 = 70;
/// Output could not be written, as when a disk is full; the number is that of `sysexits.h`.
pub(super) const NOT_WRITTEN: u8 = 74;

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// User input, with all problems found.
    Config(ConfigErrors),
    /// User input or environment, in a sentence.
    Input { message: String, hint: Option<String> },
    /// Several problems of user input.
    Inputs(Vec<Self>),
    /// Interrupted from outside.
    Interrupted { message: String, hint: String },
    /// Environment: output already begun could not be written.
    NotWritten(String),
    /// Internal error.
    Internal(String),
    /// The reader of the output is gone: no message needed.
    ClosedPipe,
}

impl Failure {
    pub(super) fn input(message: impl Into<String>) -> Self {
        Self::Input { message: message.into(), hint: None }
    }

    pub(super) fn hinted(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Input { message: message.into(), hint: Some(hint.into()) }
    }

    /// Interrupted from outside, without results.
    pub(super) fn interrupted(message: impl Into<String>) -> Self {
        Self::Interrupted { message: message.into(), hint: "nothing was written".to_owned() }
    }

    /// An unknown word.
    pub(super) fn unknown(what: &str, word: &str, known: &[impl AsRef<str>]) -> Self {
        let hint = match nearest_word(word, known.iter().map(AsRef::as_ref)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known: {}", known.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")),
        };
        Self::hinted(format!("unknown {what} `{word}`"), hint)
    }

    /// The error that ended a run, with workloads identified by name.
    pub(super) fn of_run(error: StudyError, scenario: &Scenario) -> Self {
        let class = if let StudyError::Workload(error) = &error { error.class() } else { None };
        let name = class.and_then(|class| scenario.recorder.classes.get(usize::from(class))).map(|class| &class.name);
        match (Self::from(error), name, class) {
            (Self::Input { message, hint }, Some(name), Some(class)) => {
                Self::Input { message: message.replacen(&format!("workload {class}:"), &format!("workload `{name}`:"), 1), hint }
            }
            (failure, ..) => failure,
        }
    }

    /// A file that cannot be created at the requested path.
    pub(super) fn create(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::input(format!("cannot write `{}`: {error}", path.display()))
    }

    /// A file that was begun but cannot be written.
    pub(super) fn write(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::NotWritten(format!("cannot write `{}`: {error}", path.display()))
    }

    /// Prints the message and returns the exit code.
    pub(super) fn report(self, terminal: Terminal) -> ExitCode {
        match self {
            Self::Config(errors) => {
                terminal.config_errors(&errors);
                ExitCode::from(BAD_INPUT)
            }
            Self::Input { message, hint } => {
                terminal.error(&message, hint.as_deref());
                ExitCode::from(BAD_INPUT)
            }
            Self::Inputs(problems) => {
                for problem in problems {
                    problem.report(terminal);
                }
                ExitCode::from(BAD_INPUT)
            }
            Self::Interrupted { message, hint } => {
                terminal.error(&message, Some(&hint));
                ExitCode::from(INCOMPLETE)
            }
            Self::NotWritten(message) => {
                terminal.error(&message, None);
                ExitCode::from(NOT_WRITTEN)
            }
            Self::Internal(message) => {
                terminal.error(
                    &message,
                    Some("this is an internal error of Tokenmill; please report it with the scenario and the manifest of the run"),
                );
                ExitCode::from(INTERNAL)
            }
            Self::ClosedPipe => ExitCode::SUCCESS,
        }
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::Config(errors)
    }
}

impl From<LibraryError> for Failure {
    fn from(error: LibraryError) -> Self {
        match error {
            LibraryError::Config(errors) => Self::Config(errors),
            LibraryError::NoFolder { .. } => {
                Self::hinted(error.to_string(), "`--profiles` takes a folder with `chips/`, `nodes/`, `links/`, `sites/` or `models/`")
            }
            LibraryError::Empty { .. } => {
                Self::hinted(error.to_string(), "`--profiles` takes a folder with these subfolders, whose YAML files are profiles")
            }
            error => Self::input(error.to_string()),
        }
    }
}

impl From<StudyError> for Failure {
    fn from(error: StudyError) -> Self {
        match error {
            StudyError::Workload(error) => {
                let mut message = error.to_string();
                let hint = match error {
                    WorkloadError::BadLine { line, text, .. } => {
                        if !text.is_empty() {
                            let gutter = " ".repeat(line.to_string().len());
                            message = format!("{message}\n{gutter} |\n{line} | {text}");
                        }
                        "correct the line, or skip and count such lines: `skip_bad_lines: true` under `trace`, or `--skip-bad-lines` of `tokenmill trace`"
                    }
                    WorkloadError::BadStart { formats, .. } => {
                        return Self::Input { message, hint: TraceFormat::beginnings(&formats) };
                    }
                    WorkloadError::Write(_) => return Self::NotWritten(message),
                    WorkloadError::Damaged { remedy, .. } => remedy,
                    WorkloadError::NoRequest => "use a longer `run.duration`",
                    WorkloadError::Standstill { .. } => {
                        "use prompts that fit (`prompt_tokens`, `max_model_len`), a longer `timeout`, or a `think_time` between requests"
                    }
                    _ => return Self::input(message),
                };
                Self::hinted(message, hint)
            }
            StudyError::BeyondTime(_)
            | StudyError::Forgotten(_)
            | StudyError::TooMany(_)
            | StudyError::Spec(_)
            | StudyError::NoThread(_) => Self::input(error.to_string()),
            StudyError::RowsLost(_) => Self::NotWritten(error.to_string()),
            StudyError::Interrupted(at) => {
                let at = duration_s(at.as_secs_f64());
                Self::interrupted(format!("the run was interrupted at {at} of simulated time"))
            }
            StudyError::Internal(_) | StudyError::Panicked => Self::Internal(error.to_string()),
        }
    }
}
