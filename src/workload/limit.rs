//! A workload limited to a number of requests or a time. Owns the limits; must not know the workload inside.

use super::{ClassId, Ended, RequestSpec, SkippedLines, Workload, WorkloadError};
use crate::sim::{SimDuration, SimTime};

/// The first requests of another workload.
///
/// An arrival at the limit or later is dropped, but does not end the workload: when a request in the system ends, it may trigger an earlier arrival,
/// as when the users of one closed loop think for less time than those of another.
#[derive(Debug)]
pub struct LimitedWorkload<W> {
    inner: W,
    left: Option<u64>,
    taken: u64,
    until: SimTime,
    latest: SimTime,
    /// Requests taken that have not ended.
    inside: u64,
    /// True if the earliest known arrival is at the limit or later.
    beyond: bool,
}

impl<W: Workload> LimitedWorkload<W> {
    /// At most `requests` requests, and only those that arrive before `duration`. `None`: no such limit.
    pub fn new(inner: W, requests: Option<u64>, duration: Option<SimDuration>) -> Self {
        let until = duration.map_or(SimTime::NEVER, |span| SimTime::ZERO + span);
        Self { inner, left: requests, taken: 0, until, latest: SimTime::ZERO, inside: 0, beyond: false }
    }
}

impl<W: Workload> Workload for LimitedWorkload<W> {
    fn peek(&mut self) -> Result<Option<SimTime>, WorkloadError> {
        if self.left == Some(0) {
            return Ok(None);
        }
        let next = self.inner.peek()?;
        self.beyond = next.is_some_and(|at| at >= self.until);
        Ok(next.filter(|_| !self.beyond))
    }

    fn next(&mut self) -> Result<Option<(SimTime, RequestSpec)>, WorkloadError> {
        let Some(at) = self.peek()? else { return Ok(None) };
        self.latest = at;
        self.left = self.left.map(|left| left - 1);
        self.inside += 1;
        self.taken += 1;
        self.inner.next()
    }

    fn ended(&mut self, end: &Ended) -> bool {
        self.inside = self.inside.saturating_sub(1);
        // Beyond the limit, the end of the last request in the system ends the workload.
        self.inner.ended(end) || self.beyond
    }

    fn is_exhausted(&self) -> bool {
        self.left == Some(0) || self.inner.is_exhausted() || (self.beyond && self.inside == 0)
    }

    /// The larger progress of the limits and of the inner workload.
    fn handed_out(&self) -> Option<f64> {
        let of_limit = self.left.map(|left| self.taken as f64 / (self.taken + left) as f64);
        let of_time = (self.until != SimTime::NEVER).then(|| self.latest.as_secs_f64() / self.until.as_secs_f64());
        of_limit.into_iter().chain(of_time).chain(self.inner.handed_out()).max_by(f64::total_cmp)
    }

    fn block_tokens(&self, class: ClassId) -> Option<u32> {
        self.inner.block_tokens(class)
    }

    fn has_sessions(&self, class: ClassId) -> bool {
        self.inner.has_sessions(class)
    }

    fn remarks(&self) -> Vec<(ClassId, String)> {
        self.inner.remarks()
    }

    fn skipped(&self) -> Vec<(ClassId, &SkippedLines)> {
        self.inner.skipped()
    }
}

#[cfg(test)]
mod tests {
    use super::super::arrivals::ArrivalProcess;
    use super::super::closed_loop::{ClosedLoopParameters, ClosedLoopWorkload};
    use super::super::lengths::LengthDistribution;
    use super::super::merge::MergedWorkload;
    use super::super::request::Outcome;
    use super::super::shape::RequestShape;
    use super::super::synthetic::{SyntheticParameters, SyntheticWorkload};
    use super::*;
    use crate::sim::Streams;

    const SECOND: u64 = 1_000_000_000;
    const TEN_SECONDS: Option<SimDuration> = Some(SimDuration::from_ns(10 * SECOND));

    fn shape() -> RequestShape {
        let tokens = LengthDistribution::Fixed { tokens: 100 };
        RequestShape { prompt: tokens.clone(), output: tokens, shared_prefix: None }
    }

    /// Requests at 0, 1 / rate, 2 / rate, …
    fn open(class: u16, rate: f64) -> Box<dyn Workload> {
        let arrivals = ArrivalProcess::Constant { rate };
        let parameters = SyntheticParameters { arrivals, envelope: None, shape: shape(), requests: None };
        Box::new(SyntheticWorkload::new(ClassId(class), &parameters, &Streams::new(1)).unwrap())
    }

    /// One user with a think time in seconds.
    fn closed(class: u16, think_s: u64) -> Box<dyn Workload> {
        let think_time = SimDuration::from_ns(think_s * SECOND);
        let parameters = ClosedLoopParameters { concurrency: 1, think_time, shape: shape(), requests: None };
        Box::new(ClosedLoopWorkload::new(ClassId(class), &parameters, &Streams::new(1)).unwrap())
    }

    /// Answers every request after one second, in order of time; returns arrivals in seconds, with their class.
    fn serve(workload: &mut dyn Workload) -> Vec<(u64, u16)> {
        let (mut arrivals, mut inside) = (Vec::new(), std::collections::VecDeque::new());
        loop {
            let (arrival, answer) = (workload.peek().unwrap(), inside.front().map(|&(at, _)| at));
            match (arrival, answer) {
                (Some(at), answer) if answer.is_none_or(|answer| at < answer) => {
                    let (at, request) = workload.next().unwrap().unwrap();
                    arrivals.push((at.ns() / SECOND, request.class.0));
                    inside.push_back((at + SimDuration::from_ns(SECOND), request.class));
                }
                (_, Some(_)) => {
                    let (at, class) = inside.pop_front().unwrap();
                    workload.ended(&Ended::of(&RequestSpec::new(class, 1, 1), at, Outcome::Completed));
                }
                (_, None) => break,
            }
        }
        assert!(workload.is_exhausted() && workload.next().unwrap().is_none());
        arrivals
    }

    fn merged(parts: Vec<Box<dyn Workload>>) -> MergedWorkload {
        MergedWorkload::new((0..).map(ClassId).zip(parts).collect()).unwrap()
    }

    #[test]
    fn a_request_arriving_at_the_limit_is_dropped() {
        let arrivals = serve(&mut LimitedWorkload::new(open(0, 1.0), None, TEN_SECONDS));
        assert_eq!(arrivals.iter().map(|&(at, _)| at).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn an_arrival_beyond_the_limit_does_not_end_other_workloads() {
        // The open loop sends at 0 s and 20 s, the closed one every second: at 0, 1, …, 9 s.
        let mut limited = LimitedWorkload::new(merged(vec![closed(0, 0), open(1, 0.05)]), None, TEN_SECONDS);
        let arrivals = serve(&mut limited);
        assert_eq!(arrivals.iter().filter(|&&(_, class)| class == 0).count(), 10);
        assert_eq!(arrivals.iter().filter(|&&(_, class)| class == 1).count(), 1);
    }

    #[test]
    fn a_user_who_thinks_beyond_the_limit_does_not_end_other_workloads() {
        let mut limited = LimitedWorkload::new(merged(vec![closed(0, 60), closed(1, 2)]), None, TEN_SECONDS);
        // The first sends at 0 s and would send again at 61 s; the other sends every three seconds.
        assert_eq!(serve(&mut limited), [(0, 0), (0, 1), (3, 1), (6, 1), (9, 1)]);
    }

    #[test]
    fn the_request_limit_covers_all_parts() {
        let mut limited = LimitedWorkload::new(merged(vec![closed(0, 1), open(1, 1.0)]), Some(5), TEN_SECONDS);
        assert_eq!(serve(&mut limited).len(), 5);
    }

    #[test]
    fn a_request_in_the_system_may_still_trigger_another() {
        let mut limited = LimitedWorkload::new(closed(0, 2), None, TEN_SECONDS);
        limited.next().unwrap();
        assert!(limited.peek().unwrap().is_none() && !limited.is_exhausted());
        limited.ended(&Ended::of(&RequestSpec::new(ClassId(0), 1, 1), SimTime::from_ns(9 * SECOND), Outcome::Completed));
        // The next one would be sent at 11 s.
        assert!(limited.peek().unwrap().is_none() && limited.is_exhausted());
    }
}
