//! A sink on its own thread.
//!
//! Owns: the blocks that carry rows between threads. Must not know: what the sink does with a row.

use std::io;
use std::thread::{self, JoinHandle};

use super::aside::{Near, pair};
use super::recorder::RequestSink;
use super::row::RequestRow;

/// Rows per block: enough that the cost of waking the other thread is small per row, few enough to stay in the cache.
const ROWS: usize = 512;

/// Passes rows to a sink on another thread, in order. A failure of that sink shows in [`failed`](RequestSink::failed) here at most a few blocks
/// later. [`into_inner`](Self::into_inner) waits for the last row; dropping also waits, and then drops the sink.
#[derive(Debug)]
pub struct Threaded<S> {
    rows: Near<Vec<RequestRow>>,
    thread: Option<JoinHandle<S>>,
}

impl<S: RequestSink + Send + 'static> Threaded<S> {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system cannot create a thread.
    pub fn new(mut sink: S) -> io::Result<Self> {
        let (rows, far) = pair::<Vec<RequestRow>>();
        let drain = move || {
            far.drain(|block| {
                block.drain(..).for_each(|row| sink.request(&row));
                sink.failed()
            });
            sink
        };
        let thread = thread::Builder::new().name("rows".to_owned()).spawn(drain)?;
        Ok(Self { rows, thread: Some(thread) })
    }
}

impl<S> Threaded<S> {
    /// Passes on the remaining rows, waits until all are written and returns the sink.
    ///
    /// # Errors
    /// The sink's panic, with its payload.
    pub fn into_inner(mut self) -> thread::Result<S> {
        self.close().unwrap_or_else(|| Err(Box::new("the thread has ended")))
    }

    fn close(&mut self) -> Option<thread::Result<S>> {
        self.rows.close();
        self.thread.take().map(JoinHandle::join)
    }
}

impl<S> RequestSink for Threaded<S> {
    fn request(&mut self, row: &RequestRow) {
        if self.failed() {
            return;
        }
        self.rows.filling.push(*row);
        if self.rows.filling.len() == ROWS {
            self.rows.hand_over();
        }
    }

    fn failed(&self) -> bool {
        self.rows.failed()
    }
}

impl<S> Drop for Threaded<S> {
    fn drop(&mut self) {
        // A panic has been reported on its own thread.
        let _ = self.close();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::aside::BLOCKS;
    use super::*;
    use crate::cluster::{Outcome, RequestRecord};
    use crate::metrics::LimitsMet;
    use crate::sim::{SimDuration, SimTime};
    use crate::workload::ClassId;

    fn row(id: u64) -> RequestRow {
        let record = RequestRecord {
            id,
            class: ClassId(0),
            turn: None,
            outcome: Outcome::TimedOut,
            truncated: false,
            prompt_tokens: 1,
            cached_tokens: 0,
            output_tokens: 0,
            preemptions: 0,
            failures: 0,
            recomputed_tokens: 0,
            prefill_instance: None,
            decode_instance: None,
            arrived: SimTime::ZERO,
            admitted: SimTime::ZERO,
            prefill_start: None,
            prefill_end: None,
            first_token: None,
            second_token: None,
            recovery: [SimDuration::ZERO; 2],
            resumed: None,
            reserved: None,
            memory_wait: SimDuration::ZERO,
            transfer_start: None,
            delivered: None,
            decode_start: None,
            done: SimTime::ZERO,
            gap_count: 0,
            gap_sum_ns: 0,
            gap_squares_ns2: 0,
            prefill_energy_j: 0.0,
            decode_energy_j: 0.0,
            prefill_s: 0.0,
            decode_s: 0.0,
        };
        RequestRow { record, limits: LimitsMet::default(), measured: true }
    }

    /// Stores ids, slowly, up to a row at which it fails or panics.
    #[derive(Debug, Default)]
    struct Ids {
        seen: Vec<u64>,
        fails_at: Option<u64>,
        panics_at: Option<u64>,
        pause: Duration,
    }

    impl RequestSink for Ids {
        fn request(&mut self, row: &RequestRow) {
            assert!(self.panics_at != Some(row.record.id), "panic requested by the test");
            if !self.failed() {
                self.seen.push(row.record.id);
            }
            std::thread::sleep(self.pause);
        }

        fn failed(&self) -> bool {
            self.fails_at.is_some_and(|at| self.seen.last().is_some_and(|last| *last >= at))
        }
    }

    /// Passes `rows` rows through `sink`; returns the sink and the number of rows passed on before the failure was seen.
    fn through(sink: Ids, rows: u64) -> (thread::Result<Ids>, u64) {
        let mut threaded = Threaded::new(sink).unwrap();
        let mut handed = 0;
        while handed < rows && !threaded.failed() {
            threaded.request(&row(handed));
            handed += 1;
        }
        (threaded.into_inner(), handed)
    }

    #[test]
    fn every_row_arrives_in_order() {
        let block = ROWS as u64;
        for rows in [0, 1, block - 1, block, block + 1, 10 * block + 7] {
            let (sink, _) = through(Ids::default(), rows);
            assert_eq!(sink.unwrap().seen, (0..rows).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_slow_sink_blocks_the_sender() {
        let rows = 3 * ROWS as u64;
        let (sink, _) = through(Ids { pause: Duration::from_micros(10), ..Ids::default() }, rows);
        assert_eq!(sink.unwrap().seen.len() as u64, rows);
    }

    #[test]
    fn a_failure_of_the_sink_is_seen_within_the_circulating_blocks() {
        let (sink, handed) = through(Ids { fails_at: Some(700), ..Ids::default() }, u64::MAX);
        assert_eq!(sink.unwrap().seen.last(), Some(&700));
        assert!(handed <= 700 + ((BLOCKS + 1) * ROWS) as u64, "{handed}");
    }

    #[test]
    fn a_panic_of_the_sink_does_not_block_the_sender() {
        let (sink, handed) = through(Ids { panics_at: Some(700), ..Ids::default() }, u64::MAX);
        assert_eq!(sink.unwrap_err().downcast_ref::<&str>(), Some(&"panic requested by the test"));
        assert!(handed <= 700 + ((BLOCKS + 1) * ROWS) as u64, "{handed}");
        // In the last block, and dropped without `into_inner`.
        let (sink, _) = through(Ids { panics_at: Some(3), ..Ids::default() }, 10);
        assert!(sink.is_err());
        let mut dropped = Threaded::new(Ids { panics_at: Some(0), ..Ids::default() }).unwrap();
        dropped.request(&row(0));
    }

    #[test]
    fn rows_in_flight_take_less_than_two_mebibytes() {
        assert!(BLOCKS * ROWS * size_of::<RequestRow>() < 2 << 20, "{}", size_of::<RequestRow>());
    }
}
