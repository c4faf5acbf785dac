//! Traces: requests that somebody has logged, streamed from files.
//!
//! Owns: formats, lines, windows, replay. Must not know: what is done with the requests.
//!
//! Rules for every format: files are read line by line and never held whole; gzip is recognised by its first bytes, not by its name;
//! a line that cannot be used (torn, zero or absurd lengths, out of order, …) is refused with file, line and field, or with
//! `skip_bad_lines` left out and counted by reason. Lines of white space are ignored. A wrong header or an empty file is always
//! refused, and so are compressed data that end early or are damaged and a hundred requests in a row that come before one above them:
//! leaving out lines would leave out far too much. CSV columns are found by name, in any order, and others are ignored.
//!
//! A new format is one file with a `LineFormat` and one line in each table of [`TraceFormat`].

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
