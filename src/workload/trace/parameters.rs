//! What one can ask of a trace. Owns the parameters and their ranges; must not know files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::error::{ParameterProblem, Problems};
use super::super::session::SessionStart;
use super::format::TraceFormat;
use super::sessions::SessionOptions;
use super::source::TraceSource;
use crate::sim::SimDuration;

/// How a trace is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// Its format; recognised by the first line if not given.
    pub format: Option<TraceFormat>,
    /// Leave out and count lines that cannot be used, instead of refusing the trace.
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
    /// How it is read.
    pub read: ReadOptions,
    /// Divides the times between arrivals: 2 makes a trace twice as fast. 10⁻⁶ to 10⁶.
    pub rate_scale: f64,
    /// The part of the trace that is replayed.
    pub window: TraceWindow,
    /// How often the window is replayed, back to back, at least 1. One replay after the other starts the window's length later if the
    /// window ends before the trace does, otherwise the time of the last arrival and one mean gap later. Prefix ids stay the same: the same
    /// prompts are sent again, and prefix caches will remember them.
    pub repeat: u32,
    /// At most so many requests over all replays, at least 1.
    pub limit: Option<u64>,
    /// How its sessions are played, if it has any; `None` for the defaults.
    pub sessions: Option<SessionReplay>,
}

/// How the sessions of a trace are played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SessionReplay {
    /// When they start.
    pub start: SessionStart,
    /// Longer times between an answer and the next call are cut to this one, before scaling.
    pub max_delay: Option<SimDuration>,
    /// How they are read.
    pub options: SessionOptions,
}

impl Default for SessionReplay {
    /// As recorded.
    fn default() -> Self {
        Self { start: SessionStart::AsRecorded, max_delay: None, options: SessionOptions::default() }
    }
}

impl TraceParameters {
    /// The whole trace, once, at its own speed; broken lines are refused.
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

    /// All problems of these parameters; empty if they can be used. Whether the trace can be read is not looked at.
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
    fn all_problems_are_named_at_once() {
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
