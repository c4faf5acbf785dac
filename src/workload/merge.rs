//! Merge of several workloads. Owns the order among them: by time, then by class. Must not know their kinds.

use super::SkippedLines;
use super::error::{Problems, WorkloadError, refuse};
use super::request::{ClassId, Ended, RequestSpec, Workload};
use crate::sim::SimTime;

#[derive(Debug)]
struct Part {
    class: ClassId,
    /// True if its position in the order is up to date.
    known: bool,
    workload: Box<dyn Workload>,
}

/// Several workloads, merged by (time, class). Taking a request costs the logarithm of their number: a workload is polled again only after a request
/// was taken from it or an end was reported to it.
#[derive(Debug)]
pub struct MergedWorkload {
    /// Ascending by class.
    parts: Vec<Part>,
    /// Indices of the parts to poll.
    unknown: Vec<usize>,
    order: Order,
}

/// The earliest of the next arrivals: a complete binary tree in which every node holds the winner of its subtree.
#[derive(Debug)]
struct Order {
    /// A power of two.
    size: usize,
    /// (Time, part): the root at 1, the children of `n` at `2n` and `2n + 1`, the leaves from `size` on.
    nodes: Vec<(SimTime, usize)>,
}

/// Later than every arrival: arrivals at the end of the clock win ties by index.
const NOBODY: (SimTime, usize) = (SimTime::NEVER, usize::MAX);

impl Order {
    fn new(parts: usize) -> Self {
        let size = parts.next_power_of_two();
        Self { size, nodes: vec![NOBODY; 2 * size] }
    }

    /// The part with the earliest next arrival; ties go to the lowest class.
    fn first(&self) -> Option<(SimTime, usize)> {
        self.nodes.get(1).copied().filter(|&winner| winner != NOBODY)
    }

    fn set(&mut self, part: usize, at: Option<SimTime>) {
        let mut node = self.size + part;
        let mut winner = at.map_or(NOBODY, |at| (at, part));
        // Nothing changes above a node that keeps its value, as when a report moves no arrival of its workload.
        while self.nodes[node] != winner {
            self.nodes[node] = winner;
            if node == 1 {
                break;
            }
            winner = winner.min(self.nodes[node ^ 1]);
            node /= 2;
        }
    }
}

impl MergedWorkload {
    /// Merges workloads, each with the class of its requests.
    ///
    /// # Errors
    /// [`WorkloadError::Parameters`] if there are none, or if two have the same class.
    pub fn new(workloads: Vec<(ClassId, Box<dyn Workload>)>) -> Result<Self, WorkloadError> {
        let mut problems = Problems::default();
        problems.require(!workloads.is_empty(), "", "no workload", "at least one");
        let mut parts: Vec<Part> = workloads.into_iter().map(|(class, workload)| Part { class, known: false, workload }).collect();
        parts.sort_by_key(|part| part.class);
        for (one, other) in parts.iter().zip(parts.iter().skip(1)) {
            problems.require(one.class != other.class, "", format_args!("two workloads of class {}", one.class.0), "one class for each");
        }
        refuse(problems.into_vec())?;
        Ok(Self { unknown: (0..parts.len()).collect(), order: Order::new(parts.len()), parts })
    }

    /// The earliest next arrival and its part.
    fn earliest(&mut self) -> Result<Option<(SimTime, usize)>, WorkloadError> {
        if !self.unknown.is_empty() {
            self.ask()?;
        }
        Ok(self.order.first())
    }

    /// Polls the parts marked as unknown, lowest class first, so that with several errors the one reported does not depend on the order of the
    /// reports.
    fn ask(&mut self) -> Result<(), WorkloadError> {
        self.unknown.sort_unstable_by(|one, other| other.cmp(one));
        while let Some(&index) = self.unknown.last() {
            let part = &mut self.parts[index];
            self.order.set(index, part.workload.peek()?);
            part.known = true;
            self.unknown.pop();
        }
        Ok(())
    }

    fn forget(&mut self, index: usize) -> &mut dyn Workload {
        let part = &mut self.parts[index];
        if std::mem::replace(&mut part.known, false) {
            self.unknown.push(index);
        }
        &mut part.workload
    }

    fn index(&self, class: ClassId) -> Option<usize> {
        self.parts.binary_search_by_key(&class, |part| part.class).ok()
    }
}

impl Workload for MergedWorkload {
    fn peek(&mut self) -> Result<Option<SimTime>, WorkloadError> {
        Ok(self.earliest()?.map(|(at, _)| at))
    }

    fn next(&mut self) -> Result<Option<(SimTime, RequestSpec)>, WorkloadError> {
        let Some((_, index)) = self.earliest()? else { return Ok(None) };
        self.forget(index).next()
    }

    fn ended(&mut self, end: &Ended) -> bool {
        let Some(index) = self.index(end.class) else { return false };
        let changed = self.parts[index].workload.ended(end);
        if changed {
            self.forget(index);
        }
        changed
    }

    fn is_exhausted(&self) -> bool {
        self.parts.iter().all(|part| part.workload.is_exhausted())
    }

    /// The least progress of all parts, as they share one clock.
    fn handed_out(&self) -> Option<f64> {
        self.parts.iter().map(|part| part.workload.handed_out()).try_fold(1.0, |least: f64, share| Some(least.min(share?)))
    }

    fn block_tokens(&self, class: ClassId) -> Option<u32> {
        self.index(class).and_then(|index| self.parts[index].workload.block_tokens(class))
    }

    fn has_sessions(&self, class: ClassId) -> bool {
        self.index(class).is_some_and(|index| self.parts[index].workload.has_sessions(class))
    }

    fn remarks(&self) -> Vec<(ClassId, String)> {
        self.parts.iter().flat_map(|part| part.workload.remarks()).collect()
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
    use super::super::request::Outcome;
    use super::super::shape::{RequestShape, SharedPrefix};
    use super::super::synthetic::{SyntheticParameters, SyntheticWorkload};
    use super::*;
    use crate::sim::{SimDuration, Streams};
    use proptest::prelude::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

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
    fn requests_are_ordered_by_time_then_class() {
        let constant = |rate| ArrivalProcess::Constant { rate };
        let mut merged = MergedWorkload::new(vec![open(2, constant(2.0), 3), open(1, constant(1.0), 2)]).unwrap();
        let order: Vec<_> =
            std::iter::from_fn(|| merged.next().unwrap()).map(|(at, request)| (at.ns() / 100_000_000, request.class.0)).collect();
        assert_eq!(order, [(0, 1), (0, 2), (5, 2), (10, 1), (10, 2)]);
        assert!(merged.is_exhausted());
    }

    #[test]
    fn a_merge_keeps_each_workload_complete_and_unchanged() {
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
    fn an_answer_advances_only_its_own_closed_loop() {
        let mut merged = MergedWorkload::new(vec![closed(0, 2), closed(5, 2)]).unwrap();
        assert_eq!(merged.next().unwrap().unwrap().1.class, ClassId(0));
        assert_eq!(merged.next().unwrap().unwrap().1.class, ClassId(5));
        assert!(merged.peek().unwrap().is_none() && !merged.is_exhausted());
        merged.ended(&Ended::of(&RequestSpec::new(ClassId(5), 1, 1), SimTime::from_ns(10), Outcome::Completed));
        let (at, request) = merged.next().unwrap().unwrap();
        assert_eq!((at.ns(), request.class), (1_000_010, ClassId(5)));
        assert!(merged.next().unwrap().is_none());
        merged.ended(&Ended::of(&RequestSpec::new(ClassId(7), 1, 1), SimTime::from_ns(10), Outcome::Completed));
        merged.ended(&Ended::of(&RequestSpec::new(ClassId(0), 1, 1), SimTime::from_ns(20), Outcome::Completed));
        assert_eq!(merged.next().unwrap().unwrap().0.ns(), 1_000_020);
        assert!(merged.is_exhausted());
    }

    #[test]
    fn block_sizes_are_per_class() {
        let merged = MergedWorkload::new(vec![closed(0, 2), open(1, ArrivalProcess::Poisson { rate: 1.0 }, 2)]).unwrap();
        assert_eq!([0, 1, 2].map(|class| merged.block_tokens(ClassId(class))), [None, Some(32), None]);
    }

    #[test]
    fn empty_merges_and_duplicate_classes_are_rejected() {
        assert!(MergedWorkload::new(vec![]).is_err());
        let error = MergedWorkload::new(vec![closed(3, 1), closed(3, 1)]).unwrap_err();
        assert_eq!(error.to_string(), "found two workloads of class 3, expected one class for each");
    }

    /// Requests at given times, and one more for every answer; counts its polls.
    #[derive(Debug)]
    struct Listed {
        class: ClassId,
        times: Vec<u64>,
        asked: Arc<AtomicU64>,
    }

    impl Listed {
        fn of(class: u16, mut times: Vec<u64>, asked: &Arc<AtomicU64>) -> (ClassId, Box<dyn Workload>) {
            times.sort_unstable_by(|one, other| other.cmp(one));
            (ClassId(class), Box::new(Self { class: ClassId(class), times, asked: Arc::clone(asked) }))
        }
    }

    impl Workload for Listed {
        fn peek(&mut self) -> Result<Option<SimTime>, WorkloadError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            Ok(self.times.last().map(|&at| SimTime::from_ns(at)))
        }
        fn next(&mut self) -> Result<Option<(SimTime, RequestSpec)>, WorkloadError> {
            let request = RequestSpec::new(self.class, 1, 1);
            Ok(self.times.pop().map(|at| (SimTime::from_ns(at), request)))
        }
        fn ended(&mut self, end: &Ended) -> bool {
            self.times.push(end.at.ns());
            self.times.sort_unstable_by(|one, other| other.cmp(one));
            true
        }
        fn is_exhausted(&self) -> bool {
            self.times.is_empty()
        }
    }

    #[test]
    fn the_number_of_polls_per_request_does_not_depend_on_the_number_of_workloads() {
        for classes in [1u16, 512] {
            let asked = Arc::default();
            let mut merged =
                MergedWorkload::new((0..classes).map(|class| Listed::of(class, (0..10_000).collect(), &asked)).collect()).unwrap();
            for n in 1..=5000u64 {
                // The loop of a run peeks more often than it takes.
                for _ in 0..3 {
                    merged.peek().unwrap();
                }
                let (at, request) = merged.next().unwrap().unwrap();
                assert_eq!((at.ns(), u64::from(request.class.0)), ((n - 1) / u64::from(classes), (n - 1) % u64::from(classes)));
                // First all of them, then only the one a request was taken from.
                assert_eq!(asked.load(Ordering::Relaxed), u64::from(classes) + n - 1);
            }
        }
    }

    proptest! {
        #[test]
        fn the_order_agrees_with_a_linear_scan(
            mut times in proptest::collection::vec(proptest::collection::vec(0u64..50, 0..10), 1..20),
            turns in proptest::collection::vec((any::<bool>(), 0u16..25, 0u64..60), 0..200),
        ) {
            let asked = Arc::default();
            let listed = (0u16..).zip(&times).map(|(class, times)| Listed::of(class, times.clone(), &asked)).collect();
            let mut merged = MergedWorkload::new(listed).unwrap();
            for (take, class, at) in turns {
                let first = (0u16..).zip(&times).filter_map(|(class, times)| Some((*times.iter().min()?, class))).min();
                prop_assert_eq!(merged.peek().unwrap().map(SimTime::ns), first.map(|(at, _)| at));
                if take {
                    prop_assert_eq!(merged.next().unwrap().map(|(at, request)| (at.ns(), request.class.0)), first);
                    if let Some((at, class)) = first {
                        let of = &mut times[usize::from(class)];
                        of.swap_remove(of.iter().position(|&other| other == at).unwrap());
                    }
                } else {
                    merged.ended(&Ended::of(&RequestSpec::new(ClassId(class), 1, 1), SimTime::from_ns(at), Outcome::Completed));
                    times.iter_mut().skip(usize::from(class)).take(1).for_each(|times| times.push(at));
                }
            }
        }
    }
}
