//! Threads of a run.
//!
//! Owns: the choice of parts that get a thread if not all can. Must not know: the number of cores; results never depend on threads.

/// The parts of a run with their own thread, besides the event thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Threads {
    /// Metrics are recorded on one thread, and request rows written there too: together they are most of the work that can be deferred.
    pub recorder: bool,
    /// Rows are written on their own thread.
    pub rows: bool,
}

impl Threads {
    /// Distributes `jobs` threads, one of which is always for events.
    pub const fn of(jobs: usize) -> Self {
        Self { recorder: jobs >= 2, rows: jobs >= 3 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_busy_threads_never_exceeds_jobs() {
        for jobs in 0..9 {
            let Threads { rows, recorder } = Threads::of(jobs);
            assert!(1 + usize::from(rows) + usize::from(recorder) <= jobs.max(1));
        }
        assert_eq!(Threads::of(1), Threads::default());
        assert_eq!(Threads::of(2), Threads { recorder: true, rows: false });
        assert_eq!(Threads::of(3), Threads { recorder: true, rows: true });
    }
}
