//! A trace as a workload: requests that arrive at given times, or sessions.

use super::super::error::refuse;
use super::super::session::{Pace, SessionWorkload};
use super::super::{ClassId, Workload, WorkloadError};
use super::parameters::{TraceParameters, TraceWindow};
use super::replay::TraceWorkload;
use super::sessions::SessionTrace;
use crate::sim::Streams;

/// Opens a trace of either kind.
///
/// # Errors
/// Parameters out of range or for the other kind of trace, an unreadable file, a wrong header, nothing inside the window, or an invalid line before
/// the first request.
pub fn open_trace(class: ClassId, parameters: &TraceParameters, streams: &Streams) -> Result<Box<dyn Workload>, WorkloadError> {
    refuse(parameters.validate())?;
    let replay = parameters.sessions.unwrap_or_default();
    let trace = SessionTrace::open(&parameters.source, parameters.read, replay.options, parameters.repeat)?;
    let unfit = |problem: &str| WorkloadError::Trace { file: parameters.source.name(), problem: problem.to_owned() };
    let Some(trace) = trace else {
        if parameters.sessions.is_some() {
            return Err(unfit("the trace has no sessions, so `sessions` does not apply"));
        }
        return Ok(Box::new(TraceWorkload::open(class, parameters.clone())?));
    };
    if parameters.window != TraceWindow::default() {
        return Err(unfit("a trace of sessions has no window: most of its calls arrive after earlier answers; limit its `requests`"));
    }
    let pace = Pace { rate_scale: parameters.rate_scale, max_delay: replay.max_delay };
    let mut workload = SessionWorkload::new(class, Box::new(trace), &replay.start, pace, parameters.limit, streams)?;
    if workload.peek()?.is_none() {
        return Err(unfit("there is no usable session in the trace"));
    }
    Ok(Box::new(workload))
}
