//! When sessions start.

use std::collections::VecDeque;

use super::script::Script;
use super::workload::Pace;
use crate::sim::{Purpose, SimTime, Streams};
use crate::workload::arrivals::ArrivalClock;
use crate::workload::error::Problems;
use crate::workload::{ArrivalProcess, ClassId, DiurnalEnvelope, ParameterProblem};

/// When sessions start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SessionStart {
    /// When the trace says; all at t = 0 where it says nothing.
    AsRecorded,
    /// So many at a time, 1 to 10 million: all at t = 0, and another whenever one is over.
    AtOnce(u32),
    /// At random, whatever the cluster does.
    Arrivals {
        /// Sessions per time.
        process: ArrivalProcess,
        /// A daily rise and fall of the rate, if any.
        envelope: Option<DiurnalEnvelope>,
    },
}

impl SessionStart {
    /// All problems of these parameters; empty if they can be used.
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

/// The starts to come.
#[derive(Debug)]
pub(super) enum Starts {
    Recorded,
    /// Places that are free, and since when.
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

    /// When the next session, which is `script`, may start; `None` if not before another is over.
    pub(super) fn next(&self, script: &Script, pace: &Pace) -> Option<SimTime> {
        match self {
            Self::Recorded => Some(script.start.map_or(SimTime::ZERO, |since| SimTime::ZERO + pace.scaled(since))),
            Self::Places(free) => free.front().copied(),
            Self::Arrivals(_, next) => *next,
        }
    }

    /// True if the clock ends before the next session starts.
    pub(super) const fn is_beyond(&self) -> bool {
        matches!(self, Self::Arrivals(_, None))
    }

    /// That session starts.
    pub(super) fn take(&mut self) {
        match self {
            Self::Recorded => {}
            Self::Places(free) => drop(free.pop_front()),
            Self::Arrivals(clock, next) => *next = clock.next_arrival(),
        }
    }

    /// A session is over. True if another starts at once.
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
