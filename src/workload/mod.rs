//! Who asks for what, when: arrivals, lengths, traces.
//!
//! Owns: the stream of requests. Must not know: the cluster, policies. Its draws depend on the seed alone, so that two policies
//! are compared on the same requests.

mod request;

pub use request::{ClassId, RequestSpec, Workload};

use thiserror::Error;

/// Why a workload cannot go on. User error unless it says otherwise.
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
    },
    /// The file cannot be read.
    #[error("{file}: {source}")]
    Io {
        /// The trace file.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
}
