//! A custom workload: pairs of a draft and its review, which starts when the draft is complete and repeats it.
//!
//! ```sh
//! cargo run --release --example own_workload
//! ```

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use std::collections::VecDeque;

use tokenmill::kv::Blocks;
use tokenmill::sim::{SimDuration, SimTime};
use tokenmill::workload::{ClassId, Ended, Outcome, RequestSpec, Workload, WorkloadError};
use tokenmill::{Simulation, SimulationError};

/// Tokens per block of the identities.
const BLOCK: u32 = 16;
/// Tokens of a task, of a draft and of a review.
const LENGTHS: (u32, u32, u32) = (800, 400, 50);

/// A new draft at fixed intervals; a review after each completed draft.
#[derive(Debug)]
struct DraftAndReview {
    drafts: VecDeque<SimTime>,
    reviews: VecDeque<(SimTime, u64)>,
    next: u64,
    drafting: u64,
}

impl DraftAndReview {
    fn new(drafts: u64, gap: SimDuration) -> Self {
        let at = |number: u64| SimTime::from_ns(number * gap.ns());
        Self { drafts: (0..drafts).map(at).collect(), reviews: VecDeque::new(), next: 0, drafting: 0 }
    }

    /// Text of a task with its draft, not shared with any other.
    fn text(number: u64, tokens: u32) -> Blocks {
        Blocks::run(number << 20, tokens / BLOCK)
    }
}

impl Workload for DraftAndReview {
    fn peek(&mut self) -> Result<Option<SimTime>, WorkloadError> {
        let first = [self.drafts.front().copied(), self.reviews.front().map(|(at, _)| *at)];
        Ok(first.into_iter().flatten().min())
    }

    fn next(&mut self) -> Result<Option<(SimTime, RequestSpec)>, WorkloadError> {
        let (task, draft, review) = LENGTHS;
        let Some(at) = self.peek()? else { return Ok(None) };
        if self.drafts.front() == Some(&at) {
            self.drafts.pop_front();
            let number = self.next;
            (self.next, self.drafting) = (self.next + 1, self.drafting + 1);
            // The blocks after the prompt are the draft: they stay in the cache of the instance that generated it.
            let spec = RequestSpec::new(ClassId(0), task, draft).with_blocks(Self::text(number, task + draft - 1));
            return Ok(Some((at, RequestSpec { tag: number, ..spec })));
        }
        let Some((at, number)) = self.reviews.pop_front() else { return Ok(None) };
        let prompt = task + draft + 100;
        Ok(Some((
            at,
            RequestSpec { tag: u64::MAX, ..RequestSpec::new(ClassId(0), prompt, review).with_blocks(Self::text(number, task + draft)) },
        )))
    }

    fn ended(&mut self, end: &Ended) -> bool {
        if end.tag == u64::MAX {
            return false;
        }
        self.drafting -= 1;
        if end.outcome == Outcome::Completed {
            self.reviews.push_back((end.at, end.tag));
        }
        true
    }

    fn is_exhausted(&self) -> bool {
        self.drafts.is_empty() && self.reviews.is_empty() && self.drafting == 0
    }

    fn block_tokens(&self, _: ClassId) -> Option<u32> {
        Some(BLOCK)
    }
}

fn main() -> Result<(), SimulationError> {
    for router in ["least-request", "prefix-hit"] {
        let drafts = DraftAndReview::new(500, SimDuration::from_ns(250_000_000));
        let simulation = Simulation::shipped("quickstart-colocated").set("run.warmup=0 s").set(format!("policies.router={router}"));
        let result = simulation.workload(drafts).run()?;
        let tokens = &result.summary.tokens;
        println!("{router}: {:.1} % of prompt tokens were in a cache", 100.0 * tokens.cached_prompt as f64 / tokens.prompt as f64);
    }
    Ok(())
}
