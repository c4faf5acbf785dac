//! The closed loop: a fixed number of users, each waiting for an answer before sending the next request. Owns the users' think times; must not know
//! the causes of latency.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::error::{ParameterProblem, Problems, WorkloadError, refuse};
use super::request::{ClassId, Ended, RequestSpec, Workload};
use super::shape::{RequestDraws, RequestShape};
use super::standstill::Inside;
use crate::sim::{SimDuration, SimTime, Streams};

/// Parameters of a closed loop.
#[derive(Debug, Clone, PartialEq)]
pub struct ClosedLoopParameters {
    /// Users, each with at most one request in the system; all start at t = 0. 1 to 10 million.
    pub concurrency: u32,
    /// Time between an answer and the user's next request; 0 keeps `concurrency` requests in the system.
    pub think_time: SimDuration,
    /// Shape of the requests.
    pub shape: RequestShape,
    /// Maximum number of requests, at least 1. Without it the workload never ends, so the run must be limited.
    pub requests: Option<u64>,
}

impl ClosedLoopParameters {
    /// All problems of these parameters; empty if valid.
    pub fn validate(&self) -> Vec<ParameterProblem> {
        let mut problems = Problems::default();
        problems.require((1..=10_000_000).contains(&self.concurrency), "concurrency", self.concurrency, "1 to 10000000 users");
        problems.within("", self.shape.validate());
        problems.require(self.requests != Some(0), "requests", 0, "at least 1 request");
        problems.into_vec()
    }
}

/// Requests of a closed loop. Memory: one time per thinking user.
#[derive(Debug)]
pub struct ClosedLoopWorkload {
    class: ClassId,
    draws: RequestDraws,
    think_time: SimDuration,
    /// Requests left to schedule.
    left: Option<u64>,
    taken: u64,
    /// Known arrivals: of users who start or are thinking.
    scheduled: BinaryHeap<Reverse<SimTime>>,
    inside: Inside,
}

impl ClosedLoopWorkload {
    /// The workload of `class`; its draws depend only on the seed of `streams` and on the class.
    ///
    /// # Errors
    /// [`WorkloadError::Parameters`] with all problems.
    pub fn new(class: ClassId, parameters: &ClosedLoopParameters, streams: &Streams) -> Result<Self, WorkloadError> {
        refuse(parameters.validate())?;
        let mut workload = Self {
            class,
            draws: RequestDraws::new(class, &parameters.shape, *streams),
            think_time: parameters.think_time,
            left: parameters.requests,
            taken: 0,
            scheduled: BinaryHeap::new(),
            inside: Inside::default(),
        };
        for _ in 0..parameters.concurrency {
            workload.schedule(SimTime::ZERO);
        }
        Ok(workload)
    }

    /// Schedules one more request, up to the maximum number of requests.
    fn schedule(&mut self, at: SimTime) {
        if self.left == Some(0) {
            return;
        }
        self.left = self.left.map(|left| left - 1);
        self.scheduled.push(Reverse(at));
    }
}

impl Workload for ClosedLoopWorkload {
    fn peek(&mut self) -> Result<Option<SimTime>, WorkloadError> {
        if let Some(error) = self.inside.standstill(self.class) {
            self.scheduled.clear();
            return Err(error);
        }
        Ok(self.scheduled.peek().map(|&Reverse(at)| at))
    }

    fn next(&mut self) -> Result<Option<(SimTime, RequestSpec)>, WorkloadError> {
        if self.peek()?.is_none() {
            return Ok(None);
        }
        let Some(Reverse(at)) = self.scheduled.pop() else { return Ok(None) };
        self.inside.enter(at);
        self.taken += 1;
        Ok(Some((at, self.draws.next())))
    }

    /// A request of another class, or more ends than requests in the system, changes nothing.
    fn ended(&mut self, end: &Ended) -> bool {
        let Ended { class, at, .. } = *end;
        if class != self.class || self.inside.count() == 0 {
            return false;
        }
        self.inside.leave(at, self.think_time == SimDuration::ZERO);
        // Arrivals never go back in time: think time after an answer reported late starts at the latest arrival.
        self.schedule(at.max(self.inside.last()) + self.think_time);
        true
    }

    fn is_exhausted(&self) -> bool {
        // A request in the system may trigger another, unless all have been scheduled.
        self.scheduled.is_empty() && (self.inside.count() == 0 || self.left == Some(0))
    }

    fn handed_out(&self) -> Option<f64> {
        let to_come = self.left? + self.scheduled.len() as u64;
        Some(self.taken as f64 / (self.taken + to_come) as f64)
    }

    fn block_tokens(&self, class: ClassId) -> Option<u32> {
        self.draws.block_tokens().filter(|_| class == self.class)
    }
}

#[cfg(test)]
mod tests {
    use super::super::lengths::LengthDistribution;
    use super::super::request::Outcome;
    use super::*;

    const MS: u64 = 1_000_000;

    fn end(class: ClassId, at: SimTime) -> Ended {
        Ended::of(&RequestSpec::new(class, 1, 1), at, Outcome::Completed)
    }

    fn parameters() -> ClosedLoopParameters {
        ClosedLoopParameters {
            concurrency: 3,
            think_time: SimDuration::ZERO,
            shape: RequestShape {
                prompt: LengthDistribution::Uniform { min: 1, max: 2000 },
                output: LengthDistribution::Fixed { tokens: 10 },
                shared_prefix: None,
            },
            requests: Some(5),
        }
    }

    fn workload(parameters: &ClosedLoopParameters) -> ClosedLoopWorkload {
        ClosedLoopWorkload::new(ClassId(0), parameters, &Streams::new(1)).unwrap()
    }

    fn ms(n: u64) -> SimTime {
        SimTime::from_ns(n * MS)
    }

    #[test]
    fn all_users_start_at_zero_and_send_again_when_answered() {
        let mut workload = workload(&parameters());
        for _ in 0..3 {
            assert_eq!(workload.next().unwrap().unwrap().0, SimTime::ZERO);
        }
        assert!(workload.peek().unwrap().is_none() && !workload.is_exhausted());
        workload.ended(&end(ClassId(0), ms(10)));
        workload.ended(&end(ClassId(0), ms(12)));
        assert_eq!(workload.next().unwrap().unwrap().0, ms(10));
        assert_eq!(workload.next().unwrap().unwrap().0, ms(12));
        // Five requests have arrived: none of their answers triggers a sixth.
        assert!(workload.is_exhausted());
        workload.ended(&end(ClassId(0), ms(13)));
        assert!(workload.next().unwrap().is_none());
    }

    #[test]
    fn users_think_before_the_next_request() {
        let mut workload = workload(&ClosedLoopParameters { think_time: SimDuration::from_ns(100 * MS), ..parameters() });
        assert_eq!(workload.next().unwrap().unwrap().0, ms(0));
        workload.ended(&end(ClassId(0), ms(5)));
        let times: Vec<_> = std::iter::from_fn(|| workload.next().unwrap()).map(|(at, _)| at).collect();
        assert_eq!(times, [ms(0), ms(0), ms(105)]);
    }

    #[test]
    fn requests_in_the_system_never_exceed_users_and_memory_is_bounded() {
        let mut workload = workload(&ClosedLoopParameters { requests: Some(100_000), ..parameters() });
        let (mut count, mut in_system) = (0, std::collections::VecDeque::new());
        while !workload.is_exhausted() {
            while let Some((at, _)) = workload.next().unwrap() {
                in_system.push_back(at);
                count += 1;
            }
            assert!(in_system.len() <= 3);
            let at = in_system.pop_front().unwrap();
            workload.ended(&end(ClassId(0), at + SimDuration::from_ns(MS)));
        }
        assert_eq!(count, 100_000);
        assert!(workload.scheduled.capacity() <= 16);
    }

    /// Serves every `served`-th request in one millisecond and rejects the others; returns the first error, or the number of arrivals.
    fn serve(workload: &mut ClosedLoopWorkload, served: u64, requests: u64) -> Result<u64, WorkloadError> {
        let (mut count, mut inside) = (0, std::collections::VecDeque::new());
        while count < requests {
            match workload.next()? {
                Some((at, _)) if count % served == served - 1 => inside.push_back(at + SimDuration::from_ns(MS)),
                Some((at, _)) => {
                    workload.ended(&end(ClassId(0), at));
                }
                None => {
                    workload.ended(&end(ClassId(0), inside.pop_front().unwrap()));
                }
            }
            count += 1;
        }
        Ok(count)
    }

    #[test]
    fn a_loop_whose_requests_are_all_rejected_is_soon_an_error() {
        let endless = ClosedLoopParameters { requests: None, ..parameters() };
        let mut stuck = workload(&endless);
        let error = serve(&mut stuck, u64::MAX, u64::MAX).unwrap_err();
        assert!(matches!(error, WorkloadError::Standstill { class: 0, requests: 100_001, at: SimTime::ZERO }), "{error}");
        assert!(stuck.peek().unwrap().is_none() && stuck.next().unwrap().is_none());
        // Think time lets the clock advance.
        let thinking = ClosedLoopParameters { think_time: SimDuration::from_ns(1), ..endless };
        assert_eq!(serve(&mut workload(&thinking), u64::MAX, 300_000).unwrap(), 300_000);
    }

    #[test]
    fn a_loop_with_few_served_requests_goes_on() {
        let mut workload = workload(&ClosedLoopParameters { concurrency: 1000, requests: None, ..parameters() });
        assert_eq!(serve(&mut workload, 1000, 1_000_000).unwrap(), 1_000_000);
    }

    #[test]
    fn answers_to_other_workloads_change_nothing() {
        let mut workload = workload(&parameters());
        workload.ended(&end(ClassId(0), ms(1)));
        workload.next().unwrap();
        workload.ended(&end(ClassId(9), ms(1)));
        assert_eq!((workload.inside.count(), workload.scheduled.len()), (1, 2));
    }

    #[test]
    fn invalid_parameters_are_rejected() {
        let bad = ClosedLoopParameters { concurrency: 0, requests: Some(0), ..parameters() };
        assert_eq!(bad.validate().len(), 2);
    }
}
