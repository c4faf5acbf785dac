//! Writes traces in Tokenmill's own format. Owns `import` (any format → plain) and `generate` (any workload → plain); must not know files.

use std::io::{self, Write};

use serde::Serialize;

use super::super::WorkloadError;
use super::super::request::{ClassId, Workload};
use super::parameters::ReadOptions;
use super::plain::{NAMES, PREFIX_IDS};
use super::reader::TraceReader;
use super::skipped::SkippedLines;
use super::source::TraceSource;
use crate::kv::Blocks;

/// Counts of a written trace.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Transcript {
    /// Requests written.
    pub requests: u64,
    /// Skipped lines of the original.
    pub skipped: SkippedLines,
}

/// Writes the plain format line by line. Use a buffered writer.
#[derive(Debug)]
pub struct PlainWriter<W: Write> {
    out: W,
    has_prefixes: bool,
}

impl<W: Write> PlainWriter<W> {
    /// Writes the header. `block_tokens`: tokens per block of the prefix ids, `None` to leave them out.
    ///
    /// # Errors
    /// The writer fails.
    pub fn new(mut out: W, block_tokens: Option<u32>) -> io::Result<Self> {
        out.write_all(NAMES.join(",").as_bytes())?;
        if let Some(block_tokens) = block_tokens {
            write!(out, ",{PREFIX_IDS}{block_tokens}")?;
        }
        out.write_all(b"\n")?;
        Ok(Self { out, has_prefixes: block_tokens.is_some() })
    }

    /// Writes one request, `at_ns` nanoseconds after the start.
    ///
    /// # Errors
    /// The writer fails.
    pub fn write(&mut self, at_ns: u64, prompt_tokens: u32, output_tokens: u32, prefix: &Blocks) -> io::Result<()> {
        let (seconds, ns) = (at_ns / 1_000_000_000, at_ns % 1_000_000_000);
        write!(self.out, "{seconds}.{ns:09},{prompt_tokens},{output_tokens}")?;
        if self.has_prefixes {
            for (i, id) in prefix.ids().enumerate() {
                write!(self.out, "{}{id:x}", if i == 0 { ',' } else { ' ' })?;
            }
            if prefix.is_empty() {
                self.out.write_all(b",")?;
            }
        }
        self.out.write_all(b"\n")
    }

    /// Returns the writer, flushed.
    ///
    /// # Errors
    /// The writer fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Converts a trace of any format to a plain one whose first request arrives at 0.
///
/// # Errors
/// The trace cannot be read, has no request, or `out` fails.
pub fn import(source: &TraceSource, options: ReadOptions, out: impl Write) -> Result<Transcript, WorkloadError> {
    let mut reader = TraceReader::open(source, options)?;
    let mut writer = PlainWriter::new(out, reader.block_tokens()).map_err(WorkloadError::Write)?;
    let (mut origin_ns, mut requests) = (None, 0);
    while let Some(record) = reader.next_record()? {
        let at_ns = record.at_ns - *origin_ns.get_or_insert(record.at_ns);
        writer.write(at_ns, record.prompt_tokens, record.output_tokens, &record.prefix).map_err(WorkloadError::Write)?;
        requests += 1;
    }
    writer.finish().map_err(WorkloadError::Write)?;
    let skipped = reader.skipped().clone();
    if requests == 0 {
        let problem = format!("there is no usable request in the trace ({skipped})");
        return Err(WorkloadError::Trace { file: reader.file().to_owned(), problem });
    }
    Ok(Transcript { requests, skipped })
}

/// Writes the requests of a workload as a plain trace, until it ends. A closed loop offers only requests that wait for no answer. Prefix ids are
/// those of `class`, the workload's own.
///
/// # Errors
/// The workload has sessions, has no requests or fails, or `out` fails.
pub fn generate(workload: &mut dyn Workload, class: ClassId, out: impl Write) -> Result<Transcript, WorkloadError> {
    if workload.has_sessions(class) {
        return Err(WorkloadError::Sessions);
    }
    // Known before anything is written.
    if workload.peek()?.is_none() {
        return Err(WorkloadError::NoRequest);
    }
    let mut writer = PlainWriter::new(out, workload.block_tokens(class)).map_err(WorkloadError::Write)?;
    let mut requests = 0;
    while let Some((at, request)) = workload.next()? {
        writer.write(at.ns(), request.prompt_tokens, request.output_tokens, &request.blocks).map_err(WorkloadError::Write)?;
        requests += 1;
    }
    writer.finish().map_err(WorkloadError::Write)?;
    Ok(Transcript { requests, skipped: SkippedLines::default() })
}
