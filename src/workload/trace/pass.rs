//! One pass over a trace's window. Owns the filter and the length of the window; must not know scaling and repetition.

use super::super::WorkloadError;
use super::format::TraceRecord;
use super::parameters::{TraceParameters, TraceWindow};
use super::reader::TraceReader;

/// Reads the records of the window, with times relative to its first.
#[derive(Debug)]
pub(super) struct Pass {
    reader: TraceReader,
    window: TraceWindow,
    /// File time of the trace's first request.
    origin_ns: Option<u64>,
    /// File time of the window's first request.
    first_ns: Option<u64>,
    /// Share of the file before the window.
    share_before: f64,
    /// Time of the latest request relative to the window's first.
    last_ns: u64,
    count: u64,
    /// True if the window has ended before the trace.
    cut: bool,
}

impl Pass {
    pub(super) fn open(parameters: &TraceParameters) -> Result<Self, WorkloadError> {
        let reader = TraceReader::open(&parameters.source, parameters.read)?;
        Ok(Self { reader, window: parameters.window, origin_ns: None, first_ns: None, share_before: 0.0, last_ns: 0, count: 0, cut: false })
    }

    /// The next request of the window and its time relative to the window's first, nanoseconds.
    pub(super) fn next(&mut self) -> Result<Option<(u64, TraceRecord)>, WorkloadError> {
        while !self.cut {
            let Some(record) = self.reader.next_record()? else { return Ok(None) };
            // The reader ensures that times never decrease, so no difference is negative.
            let trace_ns = record.at_ns - *self.origin_ns.get_or_insert(record.at_ns);
            if self.window.to.is_some_and(|to| trace_ns >= to.ns()) {
                self.cut = true;
                break;
            }
            if trace_ns >= self.window.from.ns() {
                if self.first_ns.is_none() {
                    self.share_before = self.reader.share_read().unwrap_or(0.0);
                }
                self.last_ns = record.at_ns - *self.first_ns.get_or_insert(record.at_ns);
                self.count += 1;
                return Ok(Some((self.last_ns, record)));
            }
        }
        Ok(None)
    }

    /// Progress through the window, 0 to 1: by time if it has an end, otherwise by bytes of the file.
    pub(super) fn share(&self) -> Option<f64> {
        let by_time = self.window.to.map(|to| self.last_ns as f64 / (to.ns() - self.window.from.ns()) as f64);
        // At the first request, the whole file may already be in the buffer.
        let by_bytes = self.reader.share_read().filter(|_| self.share_before < 1.0);
        by_time.into_iter().chain(by_bytes.map(|read| (read - self.share_before) / (1.0 - self.share_before))).max_by(f64::total_cmp)
    }

    /// After the last request: offset of the next replay, nanoseconds. See [`TraceParameters::repeat`].
    pub(super) fn period_ns(&self) -> Result<u64, WorkloadError> {
        if let (true, Some(to)) = (self.cut, self.window.to) {
            return Ok(to.ns() - self.window.from.ns());
        }
        if self.count < 2 {
            let problem =
                "a single request has no gap that sets the time of a repeat; give the window an end before the trace's".to_owned();
            return Err(WorkloadError::Trace { file: self.reader.file().to_owned(), problem });
        }
        Ok(self.last_ns + self.last_ns / (self.count - 1))
    }

    /// The error for a window without requests.
    pub(super) fn nothing(&self) -> WorkloadError {
        let skipped = self.reader.skipped();
        let problem = match (self.origin_ns, skipped.is_empty()) {
            (Some(_), _) => "the window contains no request".to_owned(),
            (None, true) => "there is no request in the trace".to_owned(),
            (None, false) => format!("there is no usable request in the trace ({skipped})"),
        };
        WorkloadError::Trace { file: self.reader.file().to_owned(), problem }
    }

    pub(super) const fn reader(&self) -> &TraceReader {
        &self.reader
    }
}
