//! What of a run has a thread of its own.
//!
//! Owns: which parts get one when not all can. Must not know: how many cores there are; results never depend on any of this.

/// The parts of a run that have a thread beside that of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Threads {
    /// Rows of requests are written on one: formatting takes longer than anything else that can wait.
    pub rows: bool,
    /// Metrics are recorded on one.
    pub recorder: bool,
}

impl Threads {
    /// Shares out `jobs` threads, of which the events always have one.
    pub const fn of(jobs: usize) -> Self {
        Self { rows: jobs >= 2, recorder: jobs >= 3 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_threads_are_busy_than_there_are_jobs() {
        for jobs in 0..9 {
            let Threads { rows, recorder } = Threads::of(jobs);
            assert!(1 + usize::from(rows) + usize::from(recorder) <= jobs.max(1));
        }
        assert_eq!(Threads::of(1), Threads::default());
        assert_eq!(Threads::of(2), Threads { rows: true, recorder: false });
        assert_eq!(Threads::of(3), Threads { rows: true, recorder: true });
    }
}
