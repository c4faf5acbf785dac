//! Traces: recorded requests, streamed from files.
//!
//! Owns: formats, lines, windows, replay. Must not know: the use of the requests.
//!
//! Rules for every format: files are read line by line and never held as a whole; gzip is detected by its first bytes, not by name; an invalid line
//! (torn, zero or implausible lengths, out of order, …) is an error with file, line and field, or, with `skip_bad_lines`, skipped and counted by
//! reason. Blank lines are ignored. A wrong header or an empty file is always an error, and so are truncated or damaged compressed data and a hundred
//! consecutive requests earlier than one above them: skipping lines would skip far too much. CSV columns are found by name, in any order, and others
//! are ignored.
//!
//! A new format takes one file with a `LineFormat` and one line in each table of [`TraceFormat`].

mod azure;
mod burstgpt;
mod field;
mod format;
mod kept;
mod lines;
mod mooncake;
mod open;
mod parameters;
mod pass;
mod plain;
mod reader;
mod replay;
mod sessions;
mod skipped;
mod source;
mod usable;
mod write;

pub use format::{TraceFormat, TraceRecord};
pub use open::open_trace;
pub use parameters::{ReadOptions, SessionReplay, TraceParameters, TraceWindow};
pub use reader::TraceReader;
pub use replay::TraceWorkload;
pub use sessions::{SessionNotes, SessionOptions, SessionTrace, Turns};
pub use skipped::{SkipReason, SkippedLine, SkippedLines};
pub use source::TraceSource;
pub use write::{PlainWriter, Transcript, generate, import};

#[cfg(test)]
mod tests;
