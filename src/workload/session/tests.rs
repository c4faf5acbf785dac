//! Sessions played against a server of given speed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use proptest::prelude::*;

use super::*;
use crate::kv::Blocks;
use crate::sim::{SimDuration, SimTime, Streams};
use crate::workload::{ArrivalProcess, ClassId, Ended, Outcome, RequestSpec, SkippedLines, Turn, Workload, WorkloadError};

const MS: u64 = 1_000_000;

fn ms(n: u64) -> SimDuration {
    SimDuration::from_ns(n * MS)
}

fn step(after: &[u32], delay_ms: u64) -> Step {
    Step {
        after: after.into(),
        delay: ms(delay_ms),
        not_before: SimDuration::ZERO,
        prompt_tokens: 10,
        output_tokens: 5,
        blocks: Blocks::default(),
    }
}

/// Given sessions.
#[derive(Debug)]
struct Given(std::vec::IntoIter<Result<Script, &'static str>>);

impl SessionSource for Given {
    fn next_script(&mut self) -> Result<Option<Script>, WorkloadError> {
        let failed = |problem: &str| WorkloadError::Trace { file: "given".to_owned(), problem: problem.to_owned() };
        self.0.next().transpose().map_err(failed)
    }
    fn handed_out(&self) -> Option<f64> {
        None
    }
    fn block_tokens(&self) -> Option<u32> {
        Some(64)
    }
    fn skipped(&self) -> Option<&SkippedLines> {
        None
    }
}

fn play(scripts: Vec<Vec<Step>>, start: &SessionStart, pace: Pace, limit: Option<u64>) -> SessionWorkload {
    let scripts = (0..).zip(scripts).map(|(session, steps)| Ok(Script { session, start: None, steps })).collect::<Vec<_>>();
    SessionWorkload::new(ClassId(3), Box::new(Given(scripts.into_iter())), start, pace, limit, &Streams::new(1)).unwrap()
}

/// Answers every request after `answer_ms`; returns arrivals in ms, with session and call.
fn serve(workload: &mut SessionWorkload, mut answer_ms: impl FnMut(&RequestSpec) -> (u64, Outcome)) -> Vec<(u64, u64, u32)> {
    let (mut arrivals, mut inside) = (Vec::new(), BinaryHeap::new());
    let mut requests: BTreeMap<u64, (RequestSpec, Outcome)> = BTreeMap::new();
    loop {
        let (arrival, answer) = (workload.peek().unwrap(), inside.peek().map(|&Reverse((at, _))| at));
        match (arrival, answer) {
            (Some(at), answer) if answer.is_none_or(|answer| at < answer) => {
                let (taken, request) = workload.next().unwrap().unwrap();
                assert_eq!(taken, at);
                let Turn { session, number } = request.turn.unwrap();
                arrivals.push((at.ns() / MS, session, number));
                let (span, outcome) = answer_ms(&request);
                let id = arrivals.len() as u64;
                inside.push(Reverse((at + ms(span), id)));
                requests.insert(id, (request, outcome));
            }
            (_, Some(_)) => {
                let Reverse((at, id)) = inside.pop().unwrap();
                let (request, outcome) = requests.remove(&id).unwrap();
                workload.ended(&Ended::of(&request, at, outcome));
            }
            (_, None) => break,
        }
    }
    assert!(workload.is_exhausted() && workload.next().unwrap().is_none());
    arrivals
}

#[test]
fn a_call_arrives_after_the_answer_and_its_delay() {
    let mut workload = play(vec![vec![step(&[], 0), step(&[0], 30), step(&[1], 0)]], &SessionStart::AsRecorded, Pace::default(), None);
    assert_eq!(serve(&mut workload, |_| (100, Outcome::Completed)), [(0, 0, 0), (130, 0, 1), (230, 0, 2)]);
}

#[test]
fn a_call_with_a_time_arrives_then_or_after_the_answer() {
    let at = |after: &[u32], not_before| Step { not_before: ms(not_before), ..step(after, 0) };
    let steps = vec![step(&[], 0), at(&[0], 60), at(&[1], 500)];
    let mut workload = play(vec![steps.clone(), steps], &SessionStart::AtOnce(1), Pace::default(), None);
    let arrivals = serve(&mut workload, |_| (100, Outcome::Completed));
    assert_eq!(arrivals, [(0, 0, 0), (100, 0, 1), (500, 0, 2), (600, 1, 0), (700, 1, 1), (1100, 1, 2)]);
}

#[test]
fn parallel_calls_join_at_the_last_answer() {
    // Two sub-agents, of one and of two calls; no call waits for the third one.
    let steps = vec![step(&[], 0), step(&[0], 5), step(&[0], 7), step(&[2], 0), step(&[0], 1), step(&[0, 1, 3], 20)];
    let arrivals = serve(&mut play(vec![steps], &SessionStart::AsRecorded, Pace::default(), None), |_| (100, Outcome::Completed));
    assert_eq!(arrivals, [(0, 0, 0), (101, 0, 4), (105, 0, 1), (107, 0, 2), (207, 0, 3), (327, 0, 5)]);
}

#[test]
fn another_session_starts_when_one_ends() {
    let sessions = || (0..4).map(|_| vec![step(&[], 0), step(&[0], 10)]).collect::<Vec<_>>();
    let arrivals = serve(&mut play(sessions(), &SessionStart::AtOnce(2), Pace::default(), None), |_| (100, Outcome::Completed));
    assert_eq!(arrivals, [(0, 0, 0), (0, 1, 0), (110, 0, 1), (110, 1, 1), (210, 2, 0), (210, 3, 0), (320, 2, 1), (320, 3, 1)]);
    let process = ArrivalProcess::Constant { rate: 4.0 };
    let arrivals = serve(&mut play(sessions(), &SessionStart::Arrivals { process, envelope: None }, Pace::default(), None), |_| {
        (1, Outcome::Completed)
    });
    assert_eq!(arrivals.iter().filter(|arrival| arrival.2 == 0).map(|arrival| arrival.0).collect::<Vec<_>>(), [0, 250, 500, 750]);
}

#[test]
fn a_session_goes_on_after_failed_calls() {
    let steps = vec![step(&[], 0), step(&[0], 10), step(&[1], 10)];
    for outcome in [Outcome::TimedOut, Outcome::Failed, Outcome::RejectedPromptTooLong, Outcome::RejectedNoInstance] {
        let mut workload = play(vec![steps.clone()], &SessionStart::AsRecorded, Pace::default(), None);
        assert_eq!(serve(&mut workload, |_| (0, outcome)), [(0, 0, 0), (10, 0, 1), (20, 0, 2)]);
    }
}

#[test]
fn delays_are_capped_and_delays_and_starts_scaled() {
    let script = |session, start_ms, steps| Ok(Script { session, start: Some(ms(start_ms)), steps });
    let source = Given(vec![script(0, 0, vec![step(&[], 0), step(&[0], 900)]), script(1, 300, vec![step(&[], 0)])].into_iter());
    let pace = Pace { rate_scale: 2.0, max_delay: Some(ms(400)) };
    let mut workload = SessionWorkload::new(ClassId(0), Box::new(source), &SessionStart::AsRecorded, pace, None, &Streams::new(1)).unwrap();
    assert_eq!(serve(&mut workload, |_| (10, Outcome::Completed)), [(0, 0, 0), (150, 1, 0), (210, 0, 1)]);
}

#[test]
fn the_limit_counts_calls() {
    let sessions = || vec![vec![step(&[], 0), step(&[0], 0), step(&[1], 0)]; 5];
    for limit in 1..=4 {
        let mut workload = play(sessions(), &SessionStart::AtOnce(1), Pace::default(), Some(limit));
        assert_eq!(serve(&mut workload, |_| (1, Outcome::Completed)).len() as u64, limit);
    }
}

#[test]
fn sessions_without_progress_are_an_error() {
    let mut workload = play(vec![vec![step(&[], 0), step(&[0], 0)]; 60_000], &SessionStart::AtOnce(3), Pace::default(), None);
    let error = loop {
        match workload.next() {
            Ok(Some((at, request))) => assert!(workload.ended(&Ended::of(&request, at, Outcome::RejectedNoInstance))),
            Ok(None) => panic!("unexpected end of the workload"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, WorkloadError::Standstill { class: 3, at: SimTime::ZERO, .. }), "{error}");
    assert!(workload.is_exhausted() && workload.next().unwrap().is_none());
}

#[test]
fn an_error_of_the_source_is_reported_after_earlier_calls() {
    let scripts = vec![Ok(Script { session: 0, start: None, steps: vec![step(&[], 0)] }), Err("torn")];
    let source = Box::new(Given(scripts.into_iter()));
    let mut workload = SessionWorkload::new(ClassId(0), source, &SessionStart::AtOnce(1), Pace::default(), None, &Streams::new(1)).unwrap();
    assert!(workload.next().unwrap().is_some() && !workload.is_exhausted());
    assert_eq!(workload.peek().unwrap_err().to_string(), "given: torn");
    assert!(workload.peek().unwrap().is_none() && workload.is_exhausted());
}

#[test]
fn an_unexpected_end_changes_nothing() {
    let mut workload = play(vec![vec![step(&[], 0), step(&[0], 0)]], &SessionStart::AsRecorded, Pace::default(), None);
    let (at, request) = workload.next().unwrap().unwrap();
    for other in [
        RequestSpec { class: ClassId(0), ..request.clone() },
        RequestSpec { turn: None, ..request.clone() },
        RequestSpec { tag: 7 << 32, ..request.clone() },
        RequestSpec { turn: Some(Turn { session: 1, number: 0 }), ..request.clone() },
    ] {
        assert!(!workload.ended(&Ended::of(&other, at, Outcome::Completed)));
    }
    assert!(workload.peek().unwrap().is_none());
    assert!(workload.ended(&Ended::of(&request, at, Outcome::Completed)) && workload.peek().unwrap().is_some());
}

#[test]
fn a_script_that_waits_for_itself_is_rejected() {
    let mut workload = play(vec![vec![step(&[0], 0)]], &SessionStart::AsRecorded, Pace::default(), None);
    assert!(workload.peek().unwrap_err().to_string().contains("session 0: found a call (0) that waits for itself"));
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

proptest! {
    /// For any dependencies and answer times: every call arrives once, and none before the answers it waits for.
    #[test]
    fn no_call_arrives_before_its_answers_and_none_is_lost(
        shapes in prop::collection::vec(prop::collection::vec((prop::collection::vec(0u32..8, 0..3), 0u64..50), 1..8), 1..8),
        at_once in 1u32..4,
        spans in prop::collection::vec(0u64..60, 1..20),
    ) {
        let scripts: Vec<Vec<Step>> = shapes
            .iter()
            .map(|steps| {
                let before = |after: &[u32], number: u32| after.iter().filter(|_| number > 0).map(|k| k % number.max(1)).collect::<Vec<_>>();
                (0..).zip(steps).map(|(number, (after, delay))| step(&before(after, number), *delay)).collect()
            })
            .collect();
        let mut workload = play(scripts.clone(), &SessionStart::AtOnce(at_once), Pace::default(), None);
        let mut served = 0;
        let mut ends: BTreeMap<(u64, u32), u64> = BTreeMap::new();
        let span = |request: &RequestSpec| spans[(index(request.turn.unwrap().session) * 7 + index(request.turn.unwrap().number.into())) % spans.len()];
        let arrivals = serve(&mut workload, |request| {
            served += 1;
            (span(request), if served % 3 == 0 { Outcome::TimedOut } else { Outcome::Completed })
        });
        for &(at, session, number) in &arrivals {
            let request = RequestSpec { turn: Some(Turn { session, number }), ..RequestSpec::new(ClassId(3), 1, 1) };
            ends.insert((session, number), at + span(&request));
        }
        prop_assert_eq!(arrivals.len(), scripts.iter().map(Vec::len).sum::<usize>());
        prop_assert_eq!(ends.len(), arrivals.len());
        for (at, session, number) in arrivals {
            let step = &scripts[index(session)][index(number.into())];
            if let Some(last) = step.after.iter().map(|&before| ends[&(session, before)]).max() {
                prop_assert_eq!(at, last + step.delay.ns() / MS);
            }
        }
    }
}
