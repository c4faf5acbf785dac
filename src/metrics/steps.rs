//! The gaps of a run of iterations, assigned to buckets once for all classes with sequences in it.

use super::buckets::Buckets;
use super::record::ClassRecord;
use crate::cluster::{Members, RunSegment};
use crate::perf::Line;
use crate::units::first_where;

/// One value for each of some iterations, by bucket.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub(super) least: u64,
    pub(super) most: u64,
    pub(super) count: u64,
    pub(super) sum_ns: u128,
    pub(super) squares: u128,
    /// One value per bucket, and its count.
    pub(super) runs: Vec<(u64, u64)>,
}

impl Steps {
    /// Replaces the content by the values `line.at(n)` for `n` in `from..to`. Their sum and sum of squares are given. The cost depends on the number
    /// of buckets, not of iterations. The line must not decrease.
    pub(super) fn take(&mut self, line: &Line, from: u64, to: u64, (sum_ns, squares): (u128, u128)) {
        debug_assert!(line.step >= 0.0, "{line:?}");
        self.runs.clear();
        (self.count, self.sum_ns, self.squares) = (to.saturating_sub(from), sum_ns, squares);
        if self.count == 0 {
            return;
        }
        (self.least, self.most) = (line.at(from), line.at(to - 1));
        let (mut n, mut value) = (from, self.least);
        loop {
            let next = self.first_beyond(value, line, n, to);
            self.runs.push((value, next - n));
            if next == to {
                return;
            }
            (n, value) = (next, line.at(next));
        }
    }

    /// The first iteration in `n + 1..to` whose value on `line` is too large for the bucket of `value`; `to` if there is none.
    fn first_beyond(&self, value: u64, line: &Line, n: u64, to: u64) -> u64 {
        let top = Buckets::top_of(value);
        if self.most <= top {
            return to;
        }
        let guess = ((top as f64 + 0.5 - line.first) / line.step).ceil();
        first_where(guess, n + 1, to - 1, |m| line.at(m) > top)
    }
}

/// Scratch for the gaps of a segment: all, and all but the first.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    all: Steps,
    later: Steps,
}

impl Gaps {
    /// Records the gaps of a segment's iterations, starting with `from`, by the class of each sequence.
    pub(super) fn record(&mut self, run: &RunSegment<'_>, from: u64, classes: &mut [ClassRecord]) {
        if run.members.is_empty() {
            return;
        }
        let (line, end) = (run.gaps(), run.end());
        let sums = |from, to| (u128::from(run.span_ns(from, to)), run.squared_gaps(from, to));
        let Self { all, later } = self;
        all.take(&line, from, end, sums(from, end));
        let mut parted = false;
        for &Members { class, count, on_time } in run.members {
            let itl = &mut classes[usize::from(class.0)].itl;
            let with_first = if from == run.first() { on_time } else { count };
            itl.record_steps(all, with_first.into());
            if with_first == count {
                continue;
            }
            if !std::mem::replace(&mut parted, true) {
                later.take(&line, from + 1, end, sums(from + 1, end));
            }
            itl.record_steps(later, (count - with_first).into());
        }
    }
}
