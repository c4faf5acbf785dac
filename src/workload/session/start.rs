//! Start times of sessions.

use std::collections::VecDeque;

use super::script::Script;
use super::workload::Pace;
use crate::sim::{Purpose, SimTime, Streams};
use crate::workload::arrivals::ArrivalClock;
use crate::workload::error::Problems;
use crate::workload::{ArrivalProcess, ClassId, DiurnalEnvelope, ParameterProblem};

/// Start times of sessions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SessionStart {
    /// As recorded in the trace; all at t = 0 if it records none.
    AsRecorded,
    /// A fixed number of concurrent sessions, 1 to 10 million: all start at t = 0, and another when one ends.
    AtOnce(u32),
    /// At random, independent of the cluster.
    Arrivals {
        /// Arrival process of sessions.
        process: ArrivalProcess,
        /// Diurnal variation of the rate, if any.
        envelope: Option<DiurnalEnvelope>,
    },
}

impl SessionStart {
    /// All problems of these parameters; empty if valid.
    pub fn validate(&self) -> Vec<ParameterProblem> {
        let mut problems = Problems::default();
        match self {
            Self::AsRecorded => {}
            Self::AtOnce(count) => problems.require((1..=10_000_000).contains(count), "at_once", count, "1 to 10000000 sessions"),
            Self::Arrivals { process, envelope } => {
                problems.within("arrivals", process.validate());
                problems.within("diurnal", envelope.map(|envelope| envelope.validate()).unwrap_or_default());
            }
        }
        problems.into_vec()
    }
}

/// Future starts.
#[derive(Debug)]
pub(super) enum Starts {
    Recorded,
    /// Free slots, with the time since when they are free.
    Places(VecDeque<SimTime>),
    /// The next arrival; `None` beyond the end of the clock.
    Arrivals(Box<ArrivalClock>, Option<SimTime>),
}

impl Starts {
    /// `start` must be valid.
    pub(super) fn new(start: &SessionStart, class: ClassId, streams: Streams) -> Self {
        match start {
            SessionStart::AsRecorded => Self::Recorded,
            SessionStart::AtOnce(count) => Self::Places((0..*count).map(|_| SimTime::ZERO).collect()),
            SessionStart::Arrivals { process, envelope } => {
                let stream = streams.stream(Purpose::Arrivals, u32::from(class.0));
                let mut clock = Box::new(ArrivalClock::new(process, envelope.as_ref(), stream));
                let first = clock.next_arrival();
                Self::Arrivals(clock, first)
            }
        }
    }

    /// Start time of the next session, `script`; `None` if it must wait for another to end.
    pub(super) fn next(&self, script: &Script, pace: &Pace) -> Option<SimTime> {
        match self {
            Self::Recorded => Some(script.start.map_or(SimTime::ZERO, |since| SimTime::ZERO + pace.scaled(since))),
            Self::Places(free) => free.front().copied(),
            Self::Arrivals(_, next) => *next,
        }
    }

    /// True if the clock ends before the start of the next session.
    pub(super) const fn is_beyond(&self) -> bool {
        matches!(self, Self::Arrivals(_, None))
    }

    /// Starts that session.
    pub(super) fn take(&mut self) {
        match self {
            Self::Recorded => {}
            Self::Places(free) => drop(free.pop_front()),
            Self::Arrivals(clock, next) => *next = clock.next_arrival(),
        }
    }

    /// Ends a session. Returns true if another starts in its place.
    pub(super) fn over(&mut self, at: SimTime) -> bool {
        match self {
            Self::Places(free) => {
                free.push_back(at);
                true
            }
            Self::Recorded | Self::Arrivals(..) => false,
        }
    }
}
