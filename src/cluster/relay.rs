//! An observer on a thread of its own.
//!
//! What happens is copied into blocks, and a full block goes to the thread that observes; an emptied one comes back to be filled again. There
//! are only so many blocks, so a slow observer makes the loop wait instead of taking memory: at most [`BLOCKS`] blocks of [`BLOCK`] entries,
//! under 4 MiB. The order is that of the loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use super::observe::{Observation, Observer, RequestRecord};
use super::segment::{KvBlocks, Members, RunSegment};
use crate::sim::SimTime;

/// Entries of a block.
const BLOCK: usize = 1024;
/// Blocks in all: one that is filled, one that is read, and two between them.
const BLOCKS: usize = 4;

/// What an observation is in a block: those with much to say lie in rows of their own, in the same order.
#[derive(Debug, Clone, Copy)]
enum Entry {
    /// The next segment, with so many classes and blocks taken.
    Run { members: usize, taken: usize },
    /// The next record.
    Ended,
    /// Nothing borrowed.
    Plain(Observation<'static>),
}

/// Observations in order.
#[derive(Debug, Default)]
struct Block {
    entries: Vec<(SimTime, Entry)>,
    segments: Vec<RunSegment<'static>>,
    members: Vec<Members>,
    taken: Vec<u32>,
    records: Vec<RequestRecord>,
}

impl Block {
    fn is_full(&self) -> bool {
        self.entries.len() >= BLOCK
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.segments.clear();
        self.members.clear();
        self.taken.clear();
        self.records.clear();
    }

    fn push(&mut self, at: SimTime, what: &Observation<'_>) {
        let entry = match *what {
            Observation::Run(run) => {
                let (members, taken) = (run.members, run.kv.taken);
                self.members.extend_from_slice(members);
                self.taken.extend_from_slice(taken);
                self.segments.push(RunSegment { members: &[], kv: KvBlocks { taken: &[], ..run.kv }, ..*run });
                Entry::Run { members: members.len(), taken: taken.len() }
            }
            Observation::Ended(record) => {
                self.records.push(*record);
                Entry::Ended
            }
            Observation::Arrived { class } => Entry::Plain(Observation::Arrived { class }),
            Observation::FirstToken { class, prompt, cached } => Entry::Plain(Observation::FirstToken { class, prompt, cached }),
            Observation::Gap { class, ns } => Entry::Plain(Observation::Gap { class, ns }),
            Observation::Idle { pool, from, phase, energy } => Entry::Plain(Observation::Idle { pool, from, phase, energy }),
            Observation::Gauge { pool, instance, from, running, kv_blocks } => {
                Entry::Plain(Observation::Gauge { pool, instance, from, running, kv_blocks })
            }
            Observation::Queue { pool, from, waiting } => Entry::Plain(Observation::Queue { pool, from, waiting }),
            Observation::HandoffQueue { model, from, waiting } => Entry::Plain(Observation::HandoffQueue { model, from, waiting }),
            Observation::Transfer { from, bytes } => Entry::Plain(Observation::Transfer { from, bytes }),
            Observation::Preempted { pool } => Entry::Plain(Observation::Preempted { pool }),
            Observation::PrefixLookup { pool, hit, tokens } => Entry::Plain(Observation::PrefixLookup { pool, hit, tokens }),
        };
        self.entries.push((at, entry));
    }

    /// Tells everything to an observer, in order.
    fn tell<O: Observer>(&self, observer: &mut O) {
        let (mut segments, mut records) = (self.segments.iter(), self.records.iter());
        let (mut members, mut taken) = (self.members.as_slice(), self.taken.as_slice());
        for (at, entry) in &self.entries {
            match entry {
                Entry::Run { members: classes, taken: blocks } => {
                    let Some(segment) = segments.next() else { continue };
                    let ((of_run, more), (kv, rest)) = (members.split_at(*classes), taken.split_at(*blocks));
                    (members, taken) = (more, rest);
                    let run = RunSegment { members: of_run, kv: KvBlocks { taken: kv, ..segment.kv }, ..*segment };
                    observer.on(*at, &Observation::Run(&run));
                }
                Entry::Ended => {
                    let Some(record) = records.next() else { continue };
                    observer.on(*at, &Observation::Ended(record));
                }
                Entry::Plain(what) => observer.on(*at, what),
            }
        }
    }
}

/// Passes everything that happens to an observer on a thread of its own.
#[derive(Debug)]
pub struct Relay<'scope, O> {
    block: Block,
    full: Option<Sender<Block>>,
    empty: Receiver<Block>,
    failed: Arc<AtomicBool>,
    thread: Option<ScopedJoinHandle<'scope, O>>,
}

impl<'scope, O: Observer + Send + 'scope> Relay<'scope, O> {
    /// Starts the thread of `observer`.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(scope: &'scope Scope<'scope, '_>, mut observer: O) -> std::io::Result<Self> {
        let (full, blocks) = channel::<Block>();
        let (emptied, empty) = channel();
        for _ in 1..BLOCKS {
            // The receiver is at hand, so this cannot fail.
            let _ = emptied.send(Block::default());
        }
        let failed = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&failed);
        let thread = Builder::new().name("observer".into()).spawn_scoped(scope, move || {
            for mut block in blocks {
                block.tell(&mut observer);
                if observer.failed() {
                    told.store(true, Ordering::Relaxed);
                }
                block.clear();
                // At the end of a run nobody takes it back.
                let _ = emptied.send(block);
            }
            observer
        })?;
        Ok(Self { block: Block::default(), full: Some(full), empty, failed, thread: Some(thread) })
    }

    /// Waits until everything has been told, and gives the observer back; `None` if its thread has panicked.
    pub fn finish(mut self) -> Option<O> {
        self.pass_on();
        self.full = None;
        self.thread.take()?.join().ok()
    }
}

impl<O> Relay<'_, O> {
    /// Hands the block to the thread and takes an emptied one, which may have to be waited for.
    fn pass_on(&mut self) {
        let full = std::mem::take(&mut self.block);
        let sent = self.full.as_ref().is_some_and(|sender| sender.send(full).is_ok());
        match self.empty.recv() {
            Ok(block) if sent => self.block = block,
            // The thread has panicked: whoever joins it hears of that.
            _ => self.failed.store(true, Ordering::Relaxed),
        }
    }
}

impl<O> Observer for Relay<'_, O> {
    fn on(&mut self, at: SimTime, what: &Observation<'_>) {
        self.block.push(at, what);
        if self.block.is_full() {
            self.pass_on();
        }
    }

    fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}
