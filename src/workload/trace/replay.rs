//! A trace as a workload: its window at a scaled rate, once or repeatedly. Owns the mapping from trace time to simulated time.

use super::super::error::refuse;
use super::super::request::{ClassId, RequestSpec, Workload};
use super::super::{SkippedLines, WorkloadError};
use super::format::{TraceFormat, TraceRecord};
use super::kept::Kept;
use super::parameters::TraceParameters;
use super::pass::Pass;
use crate::sim::SimTime;

/// The request read ahead, so that the workload knows if there is one.
#[derive(Debug)]
enum Head {
    Ready(SimTime, RequestSpec),
    Failed(WorkloadError),
    End,
}

/// Requests of a trace, streamed. Memory: one line and one request; for a short repeated trace, its requests.
#[derive(Debug)]
pub struct TraceWorkload {
    class: ClassId,
    parameters: TraceParameters,
    pass: Pass,
    /// The stored requests of the first replay; `None` if there is only one replay, or they are too many.
    kept: Option<Kept>,
    /// Lines skipped in the first replay, once it is over; later replays would count the same lines again.
    skipped: Option<SkippedLines>,
    replays_left: u32,
    left: Option<u64>,
    /// Start of the current replay, nanoseconds of trace time.
    offset_ns: u64,
    taken: u64,
    head: Head,
}

impl TraceWorkload {
    /// Opens the trace and reads its first request.
    ///
    /// # Errors
    /// Parameters out of range, an unreadable file, a wrong header, no request inside the window, or an invalid line before the first.
    pub fn open(class: ClassId, parameters: TraceParameters) -> Result<Self, WorkloadError> {
        refuse(parameters.validate())?;
        let pass = Pass::open(&parameters)?;
        let mut workload = Self {
            class,
            pass,
            kept: (parameters.repeat > 1).then(Kept::default),
            skipped: None,
            replays_left: parameters.repeat - 1,
            left: parameters.limit,
            offset_ns: 0,
            taken: 0,
            head: Head::End,
            parameters,
        };
        match workload.read_ahead()? {
            Some((at, request)) => workload.head = Head::Ready(at, request),
            None => return Err(workload.pass.nothing()),
        }
        Ok(workload)
    }

    /// The format of the trace.
    pub const fn format(&self) -> TraceFormat {
        self.pass.reader().format()
    }

    /// Lines skipped so far, each counted once regardless of repeats.
    pub fn skipped_lines(&self) -> &SkippedLines {
        self.skipped.as_ref().unwrap_or_else(|| self.pass.reader().skipped())
    }

    fn read_ahead(&mut self) -> Result<Option<(SimTime, RequestSpec)>, WorkloadError> {
        if self.left == Some(0) {
            return Ok(None);
        }
        loop {
            if let Some((ns, record)) = self.next_record()? {
                self.left = self.left.map(|left| left - 1);
                self.taken += 1;
                let at = self.simulated_time(ns)?;
                return Ok(Some((at, self.request(record))));
            }
            // A replay without requests would make no progress, however often it is repeated.
            if self.replays_left == 0 || self.taken == 0 {
                return Ok(None);
            }
            self.replays_left -= 1;
            self.offset_ns = self.offset_ns.checked_add(self.pass.period_ns()?).ok_or_else(|| self.beyond())?;
            if let Some(kept) = &mut self.kept {
                kept.rewind();
                continue;
            }
            let finished = std::mem::replace(&mut self.pass, Pass::open(&self.parameters)?);
            self.skipped.get_or_insert_with(|| finished.reader().skipped().clone());
        }
    }

    /// The next request of the replay and its time relative to the first, nanoseconds.
    fn next_record(&mut self) -> Result<Option<(u64, TraceRecord)>, WorkloadError> {
        if let Some(kept) = self.kept.as_mut().filter(|kept| kept.is_replayed()) {
            return Ok(kept.next());
        }
        let next = self.pass.next()?;
        if let (Some(kept), Some((ns, record))) = (&mut self.kept, &next)
            && !kept.keep(*ns, record)
        {
            self.kept = None;
        }
        Ok(next)
    }

    /// Trace time divided by the rate scale, to the nearest nanosecond. Division preserves the order. Beyond 2⁵³ ns (104 days) of trace time and at
    /// scales other than 1, times have the precision of an `f64`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "range checked")]
    fn simulated_time(&self, ns: u64) -> Result<SimTime, WorkloadError> {
        let ns = self.offset_ns.checked_add(ns).ok_or_else(|| self.beyond())?;
        if self.parameters.rate_scale.to_bits() == 1.0f64.to_bits() {
            return Ok(SimTime::from_ns(ns));
        }
        let scaled = (ns as f64 / self.parameters.rate_scale).round();
        if scaled < 9.2e18 { Ok(SimTime::from_ns(scaled as u64)) } else { Err(self.beyond()) }
    }

    const fn beyond(&self) -> WorkloadError {
        WorkloadError::BeyondTime { class: self.class.0, request: self.taken }
    }

    fn request(&self, record: TraceRecord) -> RequestSpec {
        let blocks = record.prefix.shifted(self.class.block_id(0));
        RequestSpec::new(self.class, record.prompt_tokens, record.output_tokens).with_blocks(blocks)
    }

    /// Reports the error from reading ahead, once.
    fn fail_if_failed(&mut self) -> Result<(), WorkloadError> {
        match std::mem::replace(&mut self.head, Head::End) {
            Head::Failed(error) => Err(error),
            head => {
                self.head = head;
                Ok(())
            }
        }
    }
}

impl Workload for TraceWorkload {
    fn peek(&mut self) -> Result<Option<SimTime>, WorkloadError> {
        self.fail_if_failed()?;
        Ok(if let Head::Ready(at, _) = self.head { Some(at) } else { None })
    }

    fn next(&mut self) -> Result<Option<(SimTime, RequestSpec)>, WorkloadError> {
        self.fail_if_failed()?;
        let Head::Ready(at, request) = std::mem::replace(&mut self.head, Head::End) else { return Ok(None) };
        self.head = match self.read_ahead() {
            Ok(Some((at, request))) => Head::Ready(at, request),
            Ok(None) => Head::End,
            Err(error) => Head::Failed(error),
        };
        Ok(Some((at, request)))
    }

    fn is_exhausted(&self) -> bool {
        matches!(self.head, Head::End)
    }

    fn handed_out(&self) -> Option<f64> {
        let of_limit = self.left.map(|left| self.taken as f64 / (self.taken + left) as f64);
        let replays = f64::from(self.parameters.repeat);
        // A file small enough to be read at once gives no progress of its own, but there may be many replays of it.
        let of_pass =
            self.kept.as_ref().and_then(Kept::share).or_else(|| self.pass.share()).or((self.parameters.repeat > 1).then_some(0.0));
        let of_replays = of_pass.map(|share| (replays - f64::from(self.replays_left) - 1.0 + share) / replays);
        of_limit.into_iter().chain(of_replays).max_by(f64::total_cmp)
    }

    fn block_tokens(&self, class: ClassId) -> Option<u32> {
        self.pass.reader().block_tokens().filter(|_| class == self.class)
    }

    fn skipped(&self) -> Vec<(ClassId, &SkippedLines)> {
        let skipped = self.skipped_lines();
        if skipped.is_empty() { Vec::new() } else { vec![(self.class, skipped)] }
    }
}
