//! Blocks that circulate between two threads, in order.
//!
//! Owns: the number of blocks, and which side has them. Must not know: their content. The number of blocks is fixed, so memory is bounded and the
//! near side waits for a slower far side.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Total number of blocks: one is being filled, one read, two are queued.
pub(super) const BLOCKS: usize = 4;

/// The side that fills blocks.
#[derive(Debug)]
pub(super) struct Near<B> {
    pub(super) filling: B,
    /// Filled blocks for the far side; `None` once closed.
    full: Option<SyncSender<B>>,
    /// Emptied blocks on their way back.
    empty: Receiver<B>,
    failed: Arc<AtomicBool>,
}

/// The side that empties them, on its own thread.
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
        // The channel has room for all blocks and the receiver exists, so this cannot fail.
        let _ = to_near.send(B::default());
    }
    let failed = Arc::new(AtomicBool::new(false));
    let near = Near { filling: B::default(), full: Some(to_far), empty, failed: Arc::clone(&failed) };
    (near, Far { full, empty: to_near, failed })
}

impl<B: Default> Near<B> {
    /// Passes on the filled block and takes an emptied one, waiting if necessary.
    pub(super) fn hand_over(&mut self) {
        let block = std::mem::take(&mut self.filling);
        let sent = self.full.as_ref().is_some_and(|full| full.send(block).is_ok());
        // Neither can fail unless the far side has panicked.
        match self.empty.recv() {
            Ok(block) if sent => self.filling = block,
            _ => self.failed.store(true, Ordering::Relaxed),
        }
    }

    /// Passes on the last block and closes the channel.
    pub(super) fn close(&mut self) {
        if let Some(full) = self.full.take() {
            // If the far side is gone, joining its thread reports why.
            let _ = full.send(std::mem::take(&mut self.filling));
        }
    }
}

impl<B> Near<B> {
    /// True if the far side has failed or ended.
    pub(super) fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

impl<B> Far<B> {
    /// Takes blocks until the channel is closed. `empty` reads a block and leaves it empty; it returns true on failure.
    pub(super) fn drain(self, mut empty: impl FnMut(&mut B) -> bool) {
        for mut block in self.full {
            if empty(&mut block) {
                self.failed.store(true, Ordering::Relaxed);
            }
            // There is room for all blocks, and the near side takes them back until the end.
            if self.empty.send(block).is_err() {
                break;
            }
        }
    }
}
