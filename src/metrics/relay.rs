//! An observer on its own thread.
//!
//! Owns: the transfer of observations between threads. Must not know: what the observer does with them. Together with the blocks of rows they take
//! less than 8 MiB.

use std::io;
use std::thread::{Builder, Scope, ScopedJoinHandle};

use super::aside::{Near, pair};
use crate::cluster::{KvBlocks, Members, Observation, Observer, PoolId, RequestRecord, RunSegment};
use crate::power::{Energy, Phase};
use crate::sim::SimTime;

/// Bytes after which a block is passed on: large enough that the cost of waking the other thread is small per observation.
const FULL: usize = 768 << 10;

/// Tag of an observation in a block; large observations are stored in separate arrays, in the same order.
#[derive(Debug, Clone, Copy)]
enum Entry {
    /// The next segment, with the lengths of what it borrows.
    Run { members: usize, turn: usize },
    /// The next record.
    Ended,
    /// An idle instance, with the next energy.
    Idle { pool: PoolId, from: SimTime, phase: Phase },
    /// An observation without borrowed data.
    Plain(Observation<'static>),
}

/// Observations are many, so each is small.
const _: () = assert!(size_of::<(SimTime, Entry)>() <= 40);

/// Observations in order.
#[derive(Debug, Default)]
struct Block {
    entries: Vec<(SimTime, Entry)>,
    segments: Vec<RunSegment<'static>>,
    members: Vec<Members>,
    turns: Vec<u32>,
    records: Vec<RequestRecord>,
    energies: Vec<Energy>,
    /// Total size, bytes.
    bytes: usize,
}

impl Block {
    fn is_full(&self) -> bool {
        self.bytes >= FULL
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.segments.clear();
        self.members.clear();
        self.turns.clear();
        self.records.clear();
        self.energies.clear();
        self.bytes = 0;
    }

    fn push(&mut self, at: SimTime, what: &Observation<'_>) {
        let entry = match *what {
            Observation::Run(run) => self.run(run),
            Observation::Ended(record) => self.record(record),
            Observation::Idle { pool, from, phase, energy } => {
                self.bytes += size_of::<Energy>();
                self.energies.push(*energy);
                Entry::Idle { pool, from, phase }
            }
            Observation::Arrived { class } => Entry::Plain(Observation::Arrived { class }),
            Observation::FirstToken { class, prompt, cached } => Entry::Plain(Observation::FirstToken { class, prompt, cached }),
            Observation::Gap { class, ns } => Entry::Plain(Observation::Gap { class, ns }),
            Observation::Gauge { pool, instance, from, running, kv_blocks } => {
                Entry::Plain(Observation::Gauge { pool, instance, from, running, kv_blocks })
            }
            Observation::Reserved { pool, from, kv_blocks } => Entry::Plain(Observation::Reserved { pool, from, kv_blocks }),
            Observation::Queue { pool, from, waiting } => Entry::Plain(Observation::Queue { pool, from, waiting }),
            Observation::HandoffQueue { model, from, waiting } => Entry::Plain(Observation::HandoffQueue { model, from, waiting }),
            Observation::Transfer { from, bytes } => Entry::Plain(Observation::Transfer { from, bytes }),
            Observation::Frontend { frontend, from, waiting, busy } => {
                Entry::Plain(Observation::Frontend { frontend, from, waiting, busy })
            }
            Observation::Token => Entry::Plain(Observation::Token),
            Observation::Down { pool, from } => Entry::Plain(Observation::Down { pool, from }),
            Observation::Life { pool, instance, life } => Entry::Plain(Observation::Life { pool, instance, life }),
            Observation::Preempted { pool } => Entry::Plain(Observation::Preempted { pool }),
            Observation::PrefixLookup { pool, hit, tokens } => Entry::Plain(Observation::PrefixLookup { pool, hit, tokens }),
        };
        self.bytes += size_of::<(SimTime, Entry)>();
        self.entries.push((at, entry));
    }

    // Out of line, as the stack frame of a large copy costs more than a small observation.
    #[inline(never)]
    fn run(&mut self, run: &RunSegment<'_>) -> Entry {
        let (members, turn) = (run.members, run.kv.turn);
        self.members.extend_from_slice(members);
        self.turns.extend_from_slice(turn);
        self.bytes += size_of::<RunSegment<'_>>() + size_of_val(members) + size_of_val(turn);
        self.segments.push(RunSegment { members: &[], kv: KvBlocks { turn: &[], ..run.kv }, ..*run });
        Entry::Run { members: members.len(), turn: turn.len() }
    }

    #[inline(never)]
    fn record(&mut self, record: &RequestRecord) -> Entry {
        self.bytes += size_of::<RequestRecord>();
        self.records.push(*record);
        Entry::Ended
    }

    /// Replays all observations to an observer, in order.
    fn tell<O: Observer>(&self, observer: &mut O) {
        let (mut segments, mut records, mut energies) = (self.segments.iter(), self.records.iter(), self.energies.iter());
        let (mut members, mut turns) = (self.members.as_slice(), self.turns.as_slice());
        for (at, entry) in &self.entries {
            match entry {
                Entry::Run { members: classes, turn } => {
                    let Some(segment) = segments.next() else { continue };
                    let ((of_run, more), (turn, rest)) = (members.split_at(*classes), turns.split_at(*turn));
                    (members, turns) = (more, rest);
                    let run = RunSegment { members: of_run, kv: KvBlocks { turn, ..segment.kv }, ..*segment };
                    observer.on(*at, &Observation::Run(&run));
                }
                Entry::Ended => {
                    let Some(record) = records.next() else { continue };
                    observer.on(*at, &Observation::Ended(record));
                }
                &Entry::Idle { pool, from, phase } => {
                    let Some(energy) = energies.next() else { continue };
                    observer.on(*at, &Observation::Idle { pool, from, phase, energy });
                }
                Entry::Plain(what) => observer.on(*at, what),
            }
        }
    }
}

/// Passes all observations to an observer on its own thread, in the same order.
#[derive(Debug)]
pub struct Relay<'scope, O> {
    blocks: Near<Block>,
    thread: ScopedJoinHandle<'scope, O>,
}

impl<'scope, O: Observer + Send + 'scope> Relay<'scope, O> {
    /// Starts the thread of `observer`.
    ///
    /// # Errors
    /// The system cannot create a thread.
    pub fn start(scope: &'scope Scope<'scope, '_>, mut observer: O) -> io::Result<Self> {
        let (blocks, far) = pair::<Block>();
        let thread = Builder::new().name("observer".to_owned()).spawn_scoped(scope, move || {
            far.drain(|block| {
                block.tell(&mut observer);
                block.clear();
                observer.failed()
            });
            observer
        })?;
        Ok(Self { blocks, thread })
    }

    /// Waits until all observations are delivered, and returns the observer.
    ///
    /// # Errors
    /// The observer's panic, with its payload.
    pub fn finish(mut self) -> std::thread::Result<O> {
        self.blocks.close();
        self.thread.join()
    }
}

impl<O> Observer for Relay<'_, O> {
    fn on(&mut self, at: SimTime, what: &Observation<'_>) {
        self.blocks.filling.push(at, what);
        if self.blocks.filling.is_full() {
            self.blocks.hand_over();
        }
    }

    fn failed(&self) -> bool {
        self.blocks.failed()
    }
}

#[cfg(test)]
mod tests {
    use super::super::aside::BLOCKS;
    use super::*;
    use crate::cluster::PoolId;

    impl Block {
        /// Memory allocated, filled or not.
        fn capacity(&self) -> usize {
            self.entries.capacity() * size_of::<(SimTime, Entry)>()
                + self.segments.capacity() * size_of::<RunSegment<'_>>()
                + self.members.capacity() * size_of::<Members>()
                + self.turns.capacity() * size_of::<u32>()
                + self.records.capacity() * size_of::<RequestRecord>()
                + self.energies.capacity() * size_of::<Energy>()
        }
    }

    #[test]
    fn observations_in_flight_take_less_than_six_mebibytes() {
        let mut block = Block::default();
        let waits = Observation::Queue { pool: PoolId(0), from: SimTime::ZERO, waiting: 1 };
        while !block.is_full() {
            block.push(SimTime::ZERO, &waits);
        }
        assert!(BLOCKS * block.capacity() < 6 << 20, "{}", block.capacity());
        let entries = block.entries.len();
        assert_eq!(block.bytes, entries * size_of::<(SimTime, Entry)>());
        block.clear();
        assert!(block.bytes == 0 && block.entries.is_empty());
    }
}
