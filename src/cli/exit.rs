//! How a command ends badly.

use std::process::ExitCode;

use super::terminal::Terminal;
use crate::config::ConfigErrors;
use crate::study::StudyError;

/// A gate or assertion failed.
pub(super) const FAILED: u8 = 1;
/// Bad input or usage.
pub(super) const BAD_INPUT: u8 = 2;
/// Interrupted before the end.
pub(super) const INCOMPLETE: u8 = 3;
/// Our own error.
pub(super) const INTERNAL: u8 = 70;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// The user's input, with everything that is wrong with it.
    Config(ConfigErrors),
    /// The user's input or surroundings, in a sentence.
    Input { message: String, hint: Option<String> },
    /// Stopped from outside.
    Interrupted(String),
    /// Ours.
    Internal(String),
    /// Nobody reads our output any more: not worth a word.
    ClosedPipe,
}

impl Failure {
    pub(super) fn input(message: impl Into<String>) -> Self {
        Self::Input { message: message.into(), hint: None }
    }

    pub(super) fn hinted(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Input { message: message.into(), hint: Some(hint.into()) }
    }

    /// A file that cannot be written.
    pub(super) fn write(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::input(format!("cannot write `{}`: {error}", path.display()))
    }

    /// Says what happened and chooses the exit code.
    pub(super) fn report(self, terminal: &Terminal) -> ExitCode {
        match self {
            Self::Config(errors) => {
                terminal.config_errors(&errors);
                ExitCode::from(BAD_INPUT)
            }
            Self::Input { message, hint } => {
                terminal.error(&message, hint.as_deref());
                ExitCode::from(BAD_INPUT)
            }
            Self::Interrupted(message) => {
                terminal.error(&message, Some("nothing was written"));
                ExitCode::from(INCOMPLETE)
            }
            Self::Internal(message) => {
                terminal
                    .error(&message, Some("this is an error of Tokenmill, please report it with the scenario and the manifest of the run"));
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

impl From<StudyError> for Failure {
    fn from(error: StudyError) -> Self {
        match error {
            StudyError::Workload(error) => Self::input(error.to_string()),
            StudyError::Interrupted(_) => Self::Interrupted(error.to_string()),
            StudyError::Internal(_) => Self::Internal(error.to_string()),
        }
    }
}
