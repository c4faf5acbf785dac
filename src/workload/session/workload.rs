//! Sessions as a workload. Owns the ready calls and the sessions in progress.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::live::Live;
use super::script::{Script, SessionSource, Step};
use super::start::{SessionStart, Starts};
use crate::sim::{SimDuration, SimTime, Streams};
use crate::workload::error::{Problems, refuse};
use crate::workload::standstill::Inside;
use crate::workload::{ClassId, Ended, ParameterProblem, RequestSpec, SkippedLines, Turn, Workload, WorkloadError};

/// Replay speed of sessions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Divides recorded starts and all delays: 2 plays twice as fast. 10⁻⁶ to 10⁶.
    pub rate_scale: f64,
    /// Cap on delays, before scaling.
    pub max_delay: Option<SimDuration>,
}

impl Default for Pace {
    /// As recorded.
    fn default() -> Self {
        Self { rate_scale: 1.0, max_delay: None }
    }
}

impl Pace {
    /// All problems of these parameters; empty if valid.
    pub fn validate(&self) -> Vec<ParameterProblem> {
        let mut problems = Problems::default();
        problems.require((1e-6..=1e6).contains(&self.rate_scale), "rate_scale", self.rate_scale, "a number from 1e-6 to 1e6");
        problems.into_vec()
    }

    pub(super) fn delay(&self, delay: SimDuration) -> SimDuration {
        self.scaled(self.max_delay.map_or(delay, |most| delay.min(most)))
    }

    pub(super) fn scaled(&self, span: SimDuration) -> SimDuration {
        if self.rate_scale.to_bits() == 1.0f64.to_bits() {
            return span;
        }
        SimDuration::from_secs_f64(span.as_secs_f64() / self.rate_scale).unwrap_or(LONGEST)
    }
}

/// Longer than any run.
const LONGEST: SimDuration = SimDuration::from_ns(u64::MAX / 4);

/// The next session to start, read ahead so that the workload knows if there is one.
#[derive(Debug)]
enum Head {
    Ready(Script),
    Failed(WorkloadError),
    End,
}

/// A ready call: its arrival time, the number of its session, its number in the session, and the slot of the session.
type Ready = Reverse<(SimTime, u64, u32, u32)>;

/// Requests of sessions. Memory: the sessions in progress.
#[derive(Debug)]
pub struct SessionWorkload {
    class: ClassId,
    source: Box<dyn SessionSource>,
    pace: Pace,
    starts: Starts,
    head: Head,
    live: Vec<Option<Live>>,
    vacant: Vec<u32>,
    ready: BinaryHeap<Ready>,
    /// Calls of the sessions in progress that have not been sent.
    unsent: u64,
    taken: u64,
    left: Option<u64>,
    inside: Inside,
}

impl SessionWorkload {
    /// Plays the sessions of `source` as the workload `class`, at most `requests` calls of them. The draws of starts depend only on the seed of
    /// `streams` and on the class.
    ///
    /// # Errors
    /// Parameters out of range, or a source whose first session cannot be read.
    pub fn new(
        class: ClassId,
        mut source: Box<dyn SessionSource>,
        start: &SessionStart,
        pace: Pace,
        requests: Option<u64>,
        streams: &Streams,
    ) -> Result<Self, WorkloadError> {
        let mut problems = Problems::default();
        problems.within("", start.validate());
        problems.within("", pace.validate());
        problems.require(requests != Some(0), "requests", 0, "at least 1 request");
        refuse(problems.into_vec())?;
        let head = source.next_script()?.map_or(Head::End, Head::Ready);
        Ok(Self {
            class,
            source,
            pace,
            starts: Starts::new(start, class, *streams),
            head,
            live: Vec::new(),
            vacant: Vec::new(),
            ready: BinaryHeap::new(),
            unsent: 0,
            taken: 0,
            left: requests,
            inside: Inside::default(),
        })
    }

    /// Starts the sessions whose start is not after the first ready call.
    fn start_sessions(&mut self) -> Result<(), WorkloadError> {
        loop {
            let at = match &self.head {
                Head::Ready(script) => self.starts.next(script, &self.pace),
                // All earlier calls have been sent.
                Head::Failed(_) if self.ready.is_empty() => match std::mem::replace(&mut self.head, Head::End) {
                    Head::Failed(error) => return Err(error),
                    Head::Ready(_) | Head::End => None,
                },
                Head::Failed(_) | Head::End => None,
            };
            let Some(at) = at.filter(|&at| self.ready.peek().is_none_or(|&Reverse((first, ..))| at <= first)) else { return Ok(()) };
            let next = match self.source.next_script() {
                Ok(next) => next.map_or(Head::End, Head::Ready),
                Err(error) => Head::Failed(error),
            };
            if let Head::Ready(script) = std::mem::replace(&mut self.head, next) {
                self.starts.take();
                self.begin(script, at.max(self.inside.last()))?;
            }
        }
    }

    fn begin(&mut self, script: Script, at: SimTime) -> Result<(), WorkloadError> {
        if let Some(problem) = script.fault() {
            let problem = format!("session {}: {problem}", script.session);
            return Err(WorkloadError::Script { class: self.class.0, problem });
        }
        let session = Live::begin(script, at);
        self.unsent += session.len() as u64;
        let place = if let Some(place) = self.vacant.pop() {
            place
        } else {
            self.live.push(None);
            // Each session takes memory: there are fewer than 2³².
            u32::try_from(self.live.len() - 1).map_err(|_| self.beyond())?
        };
        for (number, arrival) in session.first(&self.pace) {
            self.ready.push(Reverse((arrival, session.session(), number, place)));
        }
        self.live[place as usize] = Some(session);
        Ok(())
    }

    fn request(&self, session: u64, number: u32, place: u32, step: Step) -> RequestSpec {
        RequestSpec {
            tag: u64::from(place) << 32 | u64::from(number),
            class: self.class,
            turn: Some(Turn { session, number }),
            prompt_tokens: step.prompt_tokens,
            output_tokens: step.output_tokens,
            blocks: step.blocks.shifted(self.class.block_id(0)),
        }
    }

    const fn beyond(&self) -> WorkloadError {
        WorkloadError::BeyondTime { class: self.class.0, request: self.taken + 1 }
    }

    /// The earliest ready call and its session.
    fn first(&mut self) -> Option<(SimTime, u64, u32, u32)> {
        self.ready.peek().map(|&Reverse(first)| first).filter(|_| self.left != Some(0))
    }
}

impl Workload for SessionWorkload {
    fn peek(&mut self) -> Result<Option<SimTime>, WorkloadError> {
        if let Some(error) = self.inside.standstill(self.class) {
            self.left = Some(0);
            return Err(error);
        }
        if self.left == Some(0) {
            return Ok(None);
        }
        self.start_sessions()?;
        let first = self.first();
        if first.is_none() && matches!(self.head, Head::Ready(_)) && self.starts.is_beyond() {
            self.left = Some(0);
            return Err(self.beyond());
        }
        Ok(first.map(|(at, ..)| at))
    }

    fn next(&mut self) -> Result<Option<(SimTime, RequestSpec)>, WorkloadError> {
        self.peek()?;
        let Some((at, session, number, place)) = self.first() else { return Ok(None) };
        self.ready.pop();
        let Some(live) = &mut self.live[place as usize] else { return Ok(None) };
        let step = live.send(number);
        self.inside.enter(at);
        self.unsent -= 1;
        self.taken += 1;
        self.left = self.left.map(|left| left - 1);
        Ok(Some((at, self.request(session, number, place, step))))
    }

    /// However a call ended, calls that waited for it arrive after their delay. A call of no session in progress changes nothing.
    fn ended(&mut self, end: &Ended) -> bool {
        let (place, number) = (end.tag >> 32, end.tag & u64::from(u32::MAX));
        let of = |index: u64| usize::try_from(index).ok();
        let (Some(place), Ok(number)) = (of(place), u32::try_from(number)) else { return false };
        let Some(Some(session)) = self.live.get_mut(place) else { return false };
        if end.class != self.class || end.turn.is_none_or(|turn| turn.session != session.session() || turn.number != number) {
            return false;
        }
        // Arrivals never go back in time.
        let at = end.at.max(self.inside.last());
        let (mut changed, mut at_once) = (false, false);
        let (ready, name) = (&mut self.ready, session.session());
        session.end(number, at, &self.pace, |follower, arrival| {
            (changed, at_once) = (true, at_once || arrival <= at);
            #[expect(clippy::cast_possible_truncation, reason = "a slot from the high 32 bits of a tag")]
            ready.push(Reverse((arrival, name, follower, place as u32)));
        });
        if session.is_over() {
            self.live[place] = None;
            #[expect(clippy::cast_possible_truncation, reason = "a slot from the high 32 bits of a tag")]
            self.vacant.push(place as u32);
            let another = self.starts.over(at) && !matches!(self.head, Head::End);
            (changed, at_once) = (changed || another, at_once || another);
        }
        self.inside.leave(at, at_once);
        changed
    }

    fn is_exhausted(&self) -> bool {
        self.left == Some(0) || (self.unsent == 0 && matches!(self.head, Head::End))
    }

    fn handed_out(&self) -> Option<f64> {
        let of_limit = self.left.map(|left| self.taken as f64 / (self.taken + left) as f64);
        // Sessions already read but not yet played are still to come.
        let played = self.taken as f64 / (self.taken + self.unsent).max(1) as f64;
        of_limit.into_iter().chain(self.source.handed_out().map(|share| share * played)).max_by(f64::total_cmp)
    }

    fn block_tokens(&self, class: ClassId) -> Option<u32> {
        self.source.block_tokens().filter(|_| class == self.class)
    }

    fn has_sessions(&self, class: ClassId) -> bool {
        class == self.class
    }

    fn remarks(&self) -> Vec<(ClassId, String)> {
        self.source.remarks().into_iter().map(|remark| (self.class, remark)).collect()
    }

    fn skipped(&self) -> Vec<(ClassId, &SkippedLines)> {
        self.source.skipped().filter(|skipped| !skipped.is_empty()).map(|skipped| (self.class, skipped)).into_iter().collect()
    }
}
