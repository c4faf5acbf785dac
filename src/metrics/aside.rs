//! Blocks that go round between two threads, in order.
//!
//! Owns: how many blocks there are, and who has them. Must not know: what is in them. No more are made than there were at first, so that
//! memory is bounded and the near side waits for a far side that is slower.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Blocks in all: one is filled, one is read, two wait in between.
pub(super) const BLOCKS: usize = 4;

/// The side that fills blocks.
#[derive(Debug)]
pub(super) struct Near<B> {
    pub(super) filling: B,
    /// Blocks on their way to the far side; `None` once no more will come.
    full: Option<SyncSender<B>>,
    /// Blocks on their way back.
    empty: Receiver<B>,
    failed: Arc<AtomicBool>,
}

/// The side that empties them, on a thread of its own.
#[derive(Debug)]
pub(super) struct Far<B> {
    full: Receiver<B>,
    empty: SyncSender<B>,
    failed: Arc<AtomicBool>,
}

/// Both sides, and the blocks between them.
pub(super) fn pair<B: Default>() -> (Near<B>, Far<B>) {
    let (to_far, full) = sync_channel(BLOCKS);
    let (to_near, empty) = sync_channel(BLOCKS);
    for _ in 1..BLOCKS {
        // There is room for all of them and the receiver is at hand, so this cannot fail.
        let _ = to_near.send(B::default());
    }
    let failed = Arc::new(AtomicBool::new(false));
    let near = Near { filling: B::default(), full: Some(to_far), empty, failed: Arc::clone(&failed) };
    (near, Far { full, empty: to_near, failed })
}

impl<B: Default> Near<B> {
    /// Hands the filled block over and takes an emptied one, which may have to be waited for.
    pub(super) fn hand_over(&mut self) {
        let block = std::mem::take(&mut self.filling);
        let sent = self.full.as_ref().is_some_and(|full| full.send(block).is_ok());
        // Neither can fail unless the far side has panicked.
        match self.empty.recv() {
            Ok(block) if sent => self.filling = block,
            _ => self.failed.store(true, Ordering::Relaxed),
        }
    }

    /// Hands over what is left; no more will come.
    pub(super) fn close(&mut self) {
        if let Some(full) = self.full.take() {
            // If nobody takes it, joining says why.
            let _ = full.send(std::mem::take(&mut self.filling));
        }
    }
}

impl<B> Near<B> {
    /// True if the far side has failed or is gone.
    pub(super) fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

impl<B> Far<B> {
    /// Takes blocks until no more come. `empty` is to read a block and leave it empty; true if it has failed.
    pub(super) fn drain(self, mut empty: impl FnMut(&mut B) -> bool) {
        for mut block in self.full {
            if empty(&mut block) {
                self.failed.store(true, Ordering::Relaxed);
            }
            // There is room for all blocks, and who hands them over takes them back until the end.
            if self.empty.send(block).is_err() {
                break;
            }
        }
    }
}
