//! Several workloads as one. Owns the order among them: by time, then by class. Must not know what they are.

use super::SkippedLines;
use super::error::{Problems, WorkloadError, refuse};
use super::request::{ClassId, RequestSpec, Workload};
use crate::sim::SimTime;

/// What is known of a workload's next arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// It must be asked.
    Unknown,
    /// It has said so.
    Known(Option<SimTime>),
}

#[derive(Debug)]
struct Part {
    class: ClassId,
    head: Head,
    workload: Box<dyn Workload>,
}

/// Several workloads, merged by (time, class). Taking a request is linear in the number of workloads, not of requests.
#[derive(Debug)]
pub struct MergedWorkload {
    /// Ascending by class.
    parts: Vec<Part>,
}

impl MergedWorkload {
    /// Merges workloads, each of which makes requests of the class given with it.
    ///
    /// # Errors
    /// [`WorkloadError::Parameters`] if there are none, or if two have the same class.
    pub fn new(workloads: Vec<(ClassId, Box<dyn Workload>)>) -> Result<Self, WorkloadError> {
        let mut problems = Problems::default();
        problems.require(!workloads.is_empty(), "", "no workload", "at least one");
        let mut parts: Vec<Part> = workloads.into_iter().map(|(class, workload)| Part { class, head: Head::Unknown, workload }).collect();
        parts.sort_by_key(|part| part.class);
        for (one, other) in parts.iter().zip(parts.iter().skip(1)) {
            problems.require(one.class != other.class, "", format_args!("two workloads of class {}", one.class.0), "one class for each");
        }
        refuse(problems.into_vec())?;
        Ok(Self { parts })
    }

    /// The part with the earliest next arrival; of equals, the one with the lowest class.
    fn earliest(&mut self) -> Result<Option<(SimTime, &mut Part)>, WorkloadError> {
        let mut earliest: Option<(SimTime, &mut Part)> = None;
        for part in &mut self.parts {
            if part.head == Head::Unknown {
                part.head = Head::Known(part.workload.peek()?);
            }
            if let Head::Known(Some(at)) = part.head
                && earliest.as_ref().is_none_or(|(best, _)| at < *best)
            {
                earliest = Some((at, part));
            }
        }
        Ok(earliest)
    }

    fn part(&self, class: ClassId) -> Option<&Part> {
        self.parts.binary_search_by_key(&class, |part| part.class).ok().and_then(|index| self.parts.get(index))
    }
}

impl Workload for MergedWorkload {
    fn peek(&mut self) -> Result<Option<SimTime>, WorkloadError> {
        Ok(self.earliest()?.map(|(at, _)| at))
    }

    fn next(&mut self) -> Result<Option<(SimTime, RequestSpec)>, WorkloadError> {
        let Some((_, part)) = self.earliest()? else { return Ok(None) };
        part.head = Head::Unknown;
        part.workload.next()
    }

    fn request_done(&mut self, class: ClassId, at: SimTime) {
        if let Ok(index) = self.parts.binary_search_by_key(&class, |part| part.class)
            && let Some(part) = self.parts.get_mut(index)
        {
            part.head = Head::Unknown;
            part.workload.request_done(class, at);
        }
    }

    fn is_exhausted(&self) -> bool {
        self.parts.iter().all(|part| part.workload.is_exhausted())
    }

    /// Of the part that has most before it: they all run through the same time.
    fn handed_out(&self) -> Option<f64> {
        self.parts.iter().map(|part| part.workload.handed_out()).try_fold(1.0, |least: f64, share| Some(least.min(share?)))
    }

    fn prefix_block_tokens(&self, class: ClassId) -> Option<u32> {
        self.part(class).and_then(|part| part.workload.prefix_block_tokens(class))
    }

    fn skipped(&self) -> Vec<(ClassId, &SkippedLines)> {
        self.parts.iter().flat_map(|part| part.workload.skipped()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::arrivals::ArrivalProcess;
    use super::super::closed_loop::{ClosedLoopParameters, ClosedLoopWorkload};
    use super::super::lengths::LengthDistribution;
    use super::super::shape::{RequestShape, SharedPrefix};
    use super::super::synthetic::{SyntheticParameters, SyntheticWorkload};
    use super::*;
    use crate::sim::{SimDuration, Streams};

    fn shape() -> RequestShape {
        let tokens = LengthDistribution::Fixed { tokens: 100 };
        RequestShape { prompt: tokens.clone(), output: tokens, shared_prefix: None }
    }

    fn open(class: u16, arrivals: ArrivalProcess, requests: u64) -> (ClassId, Box<dyn Workload>) {
        let shape = RequestShape { shared_prefix: Some(SharedPrefix { groups: 1, tokens: 64, block_tokens: 32 }), ..shape() };
        let parameters = SyntheticParameters { arrivals, envelope: None, shape, requests: Some(requests) };
        (ClassId(class), Box::new(SyntheticWorkload::new(ClassId(class), &parameters, &Streams::new(1)).unwrap()))
    }

    fn closed(class: u16, requests: u64) -> (ClassId, Box<dyn Workload>) {
        let parameters =
            ClosedLoopParameters { concurrency: 1, think_time: SimDuration::from_ns(1_000_000), shape: shape(), requests: Some(requests) };
        (ClassId(class), Box::new(ClosedLoopWorkload::new(ClassId(class), &parameters, &Streams::new(1)).unwrap()))
    }

    #[test]
    fn requests_come_by_time_and_then_by_class() {
        let constant = |rate| ArrivalProcess::Constant { rate };
        let mut merged = MergedWorkload::new(vec![open(2, constant(2.0), 3), open(1, constant(1.0), 2)]).unwrap();
        let order: Vec<_> =
            std::iter::from_fn(|| merged.next().unwrap()).map(|(at, request)| (at.ns() / 100_000_000, request.class.0)).collect();
        assert_eq!(order, [(0, 1), (0, 2), (5, 2), (10, 1), (10, 2)]);
        assert!(merged.is_exhausted());
    }

    #[test]
    fn a_merge_takes_each_workload_whole_and_unchanged() {
        let poisson = ArrivalProcess::Poisson { rate: 10.0 };
        let (_, mut alone) = open(1, poisson, 500);
        let mut merged = MergedWorkload::new(vec![open(0, poisson, 700), open(1, poisson, 500), open(2, poisson, 1)]).unwrap();
        let (mut last, mut count) = (SimTime::ZERO, 0);
        while let Some(next) = merged.next().unwrap() {
            assert!(next.0 >= last);
            (last, count) = (next.0, count + 1);
            if next.1.class == ClassId(1) {
                assert_eq!(Some(next), alone.next().unwrap());
            }
        }
        assert_eq!(count, 1201);
        assert!(alone.is_exhausted());
    }

    #[test]
    fn an_answer_wakes_the_closed_loop_it_belongs_to_and_no_other() {
        let mut merged = MergedWorkload::new(vec![closed(0, 2), closed(5, 2)]).unwrap();
        assert_eq!(merged.next().unwrap().unwrap().1.class, ClassId(0));
        assert_eq!(merged.next().unwrap().unwrap().1.class, ClassId(5));
        assert!(merged.peek().unwrap().is_none() && !merged.is_exhausted());
        merged.request_done(ClassId(5), SimTime::from_ns(10));
        let (at, request) = merged.next().unwrap().unwrap();
        assert_eq!((at.ns(), request.class), (1_000_010, ClassId(5)));
        assert!(merged.next().unwrap().is_none());
        merged.request_done(ClassId(7), SimTime::from_ns(10));
        merged.request_done(ClassId(0), SimTime::from_ns(20));
        assert_eq!(merged.next().unwrap().unwrap().0.ns(), 1_000_020);
        assert!(merged.is_exhausted());
    }

    #[test]
    fn block_sizes_are_those_of_the_class() {
        let merged = MergedWorkload::new(vec![closed(0, 2), open(1, ArrivalProcess::Poisson { rate: 1.0 }, 2)]).unwrap();
        assert_eq!([0, 1, 2].map(|class| merged.prefix_block_tokens(ClassId(class))), [None, Some(32), None]);
    }

    #[test]
    fn no_workload_and_two_of_one_class_are_refused() {
        assert!(MergedWorkload::new(vec![]).is_err());
        let error = MergedWorkload::new(vec![closed(3, 1), closed(3, 1)]).unwrap_err();
        assert_eq!(error.to_string(), "found two workloads of class 3, expected one class for each");
    }
}
