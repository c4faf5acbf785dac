//! A session in progress.

use super::script::{Script, Step};
use super::workload::Pace;
use crate::sim::SimTime;

/// Dependencies of a call that are still open.
#[derive(Debug, Clone, Copy)]
struct Wait {
    /// Missing answers.
    answers: u32,
    /// Time of the latest answer.
    since: SimTime,
}

/// The calls not yet sent, and those whose answers are missing.
#[derive(Debug)]
pub(super) struct Live {
    session: u64,
    start: SimTime,
    steps: Vec<Step>,
    waits: Vec<Wait>,
    /// Pairs (a call, a call that waits for it), sorted.
    followers: Vec<(u32, u32)>,
    /// Calls that have not ended.
    left: u32,
}

/// Indices of a session's calls. There are fewer than 2³²: each takes memory.
fn numbered(steps: &[Step]) -> impl Iterator<Item = (u32, &Step)> {
    (0..).zip(steps)
}

impl Live {
    /// Starts a valid script.
    pub(super) fn begin(script: Script, at: SimTime) -> Self {
        let Script { session, steps, .. } = script;
        let mut followers: Vec<(u32, u32)> =
            numbered(&steps).flat_map(|(number, step)| step.after.iter().map(move |&before| (before, number))).collect();
        followers.sort_unstable();
        followers.dedup();
        let mut waits = vec![Wait { answers: 0, since: at }; steps.len()];
        for &(_, number) in &followers {
            waits[number as usize].answers += 1;
        }
        let left = numbered(&steps).map(|(number, _)| number + 1).last().unwrap_or_default();
        Self { session, start: at, steps, waits, followers, left }
    }

    /// Its number in its workload.
    pub(super) const fn session(&self) -> u64 {
        self.session
    }

    /// Number of its calls.
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// The calls that wait only for the start, with their arrival times.
    pub(super) fn first(&self, pace: &Pace) -> impl Iterator<Item = (u32, SimTime)> {
        let waiting = numbered(&self.steps).zip(&self.waits).filter(|(_, wait)| wait.answers == 0);
        waiting.map(|((number, _), _)| (number, self.arrival(number, pace)))
    }

    /// Arrival time of a call without open dependencies.
    fn arrival(&self, number: u32, pace: &Pace) -> SimTime {
        let (step, wait) = (&self.steps[number as usize], &self.waits[number as usize]);
        (wait.since + pace.delay(step.delay)).max(self.start + pace.scaled(step.not_before))
    }

    /// Takes a call to be sent; its blocks move with it.
    pub(super) fn send(&mut self, number: u32) -> Step {
        let step = &mut self.steps[number as usize];
        Step { after: Box::default(), blocks: std::mem::take(&mut step.blocks), ..*step }
    }

    /// Ends a call at `at`. Reports to `ready` the calls whose dependencies are now complete, with their arrival times.
    pub(super) fn end(&mut self, number: u32, at: SimTime, pace: &Pace, mut ready: impl FnMut(u32, SimTime)) {
        self.left = self.left.saturating_sub(1);
        let from = self.followers.partition_point(|&(before, _)| before < number);
        let to = self.followers.partition_point(|&(before, _)| before <= number);
        for index in from..to {
            let follower = self.followers[index].1;
            let wait = &mut self.waits[follower as usize];
            wait.answers -= 1;
            wait.since = wait.since.max(at);
            if wait.answers == 0 {
                ready(follower, self.arrival(follower, pace));
            }
        }
    }

    /// True if all of its calls have ended.
    pub(super) const fn is_over(&self) -> bool {
        self.left == 0
    }
}
