//! Parameters of a trace and their ranges. Must not know files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::error::{ParameterProblem, Problems};
use super::super::session::SessionStart;
use super::format::TraceFormat;
use super::sessions::SessionOptions;
use super::source::TraceSource;
use crate::sim::SimDuration;

/// Options for reading a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// Its format; detected from the first line if not given.
    pub format: Option<TraceFormat>,
    /// Skip and count invalid lines, instead of rejecting the trace.
    pub skip_bad_lines: bool,
}

/// A part of a trace, in trace time before any scaling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TraceWindow {
    /// Start, from the first request of the trace; included.
    #[serde(default)]
    pub from: SimDuration,
    /// End, from the first request of the trace; not included. Absent: the end of the trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0))]
    pub to: Option<SimDuration>,
}

/// Parameters of a workload that replays a trace. Its time 0 is the first request of the window.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceParameters {
    /// The trace.
    pub source: TraceSource,
    /// Options for reading it.
    pub read: ReadOptions,
    /// Divides the times between arrivals: 2 plays the trace twice as fast. 10⁻⁶ to 10⁶.
    pub rate_scale: f64,
    /// The part to replay.
    pub window: TraceWindow,
    /// Number of replays of the window, back to back, at least 1. A replay starts the window's length after the previous one if the window ends
    /// before the trace does, otherwise one mean gap after the last arrival. Prefix ids stay the same: the same prompts are sent again, so prefix
    /// caches will hold them.
    pub repeat: u32,
    /// Maximum number of requests over all replays, at least 1.
    pub limit: Option<u64>,
    /// Replay of its sessions, if it has any; `None` for the defaults.
    pub sessions: Option<SessionReplay>,
}

/// Parameters of the replay of sessions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SessionReplay {
    /// Start times.
    pub start: SessionStart,
    /// Cap on the times from an answer to the next call, before scaling.
    pub max_delay: Option<SimDuration>,
    /// Options for reading them.
    pub options: SessionOptions,
}

impl Default for SessionReplay {
    /// As recorded.
    fn default() -> Self {
        Self { start: SessionStart::AsRecorded, max_delay: None, options: SessionOptions::default() }
    }
}

impl TraceParameters {
    /// The whole trace, once, at its own speed; invalid lines are errors.
    pub fn new(source: TraceSource) -> Self {
        Self {
            source,
            read: ReadOptions::default(),
            rate_scale: 1.0,
            window: TraceWindow::default(),
            repeat: 1,
            limit: None,
            sessions: None,
        }
    }

    /// All problems of these parameters; empty if valid. Does not check that the trace is readable.
    pub fn validate(&self) -> Vec<ParameterProblem> {
        let mut problems = Problems::default();
        problems.require((1e-6..=1e6).contains(&self.rate_scale), "rate_scale", self.rate_scale, "a number from 1e-6 to 1e6");
        if let Some(to) = self.window.to {
            let from = self.window.from;
            let expected = format!("a time after the window's start, which is {} s", from.as_secs_f64());
            problems.require(to > from, "window.to", format_args!("{} s", to.as_secs_f64()), &expected);
        }
        problems.require(self.repeat >= 1, "repeat", self.repeat, "at least 1");
        problems.require(self.limit != Some(0), "limit", 0, "at least 1 request");
        problems.within("sessions", self.sessions.map(|sessions| sessions.start.validate()).unwrap_or_default());
        problems.into_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_reported_at_once() {
        let source = TraceSource::Memory { name: "t".to_owned(), bytes: Vec::new().into() };
        let fine = TraceParameters::new(source);
        assert_eq!(fine.validate(), []);
        let at = SimDuration::from_ns(5);
        let window = TraceWindow { from: at, to: Some(at) };
        let bad = TraceParameters { rate_scale: f64::NAN, window, repeat: 0, limit: Some(0), ..fine };
        let fields: Vec<_> = bad.validate().into_iter().map(|p| p.field).collect();
        assert_eq!(fields, ["rate_scale", "window.to", "repeat", "limit"]);
    }
}
