//! What of a run has a thread of its own.
//!
//! Owns: which parts get one when not all can. Must not know: how many cores there are; results never depend on any of this.

/// The parts of a run that have a thread beside that of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Threads {
    /// Metrics are recorded on one, and the rows of requests written there too: together they are the larger part of what can wait.
    pub recorder: bool,
    /// Rows are written on one of their own.
    pub rows: bool,
}

impl Threads {
    /// Shares out `jobs` threads, of which the events always have one.
    pub const fn of(jobs: usize) -> Self {
        Self { recorder: jobs >= 2, rows: jobs >= 3 }
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
        assert_eq!(Threads::of(2), Threads { recorder: true, rows: false });
        assert_eq!(Threads::of(3), Threads { recorder: true, rows: true });
    }
}
