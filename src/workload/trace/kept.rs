//! The requests of the first replay, stored for later ones if they are few. Must not know their source.

use super::format::TraceRecord;

/// Maximum bytes stored: many times the size of the short traces that are worth repeating.
const MOST: usize = 4 << 20;

/// Requests in order, with their time since the first.
#[derive(Debug, Default)]
pub(super) struct Kept {
    records: Vec<(u64, TraceRecord)>,
    bytes: usize,
    /// The next request of a later replay; `None` during the first replay.
    next: Option<usize>,
}

impl Kept {
    /// Stores a request of the first replay; false if there are too many to store.
    pub(super) fn keep(&mut self, ns: u64, record: &TraceRecord) -> bool {
        self.bytes += size_of::<(u64, TraceRecord)>() + record.prefix.memory();
        let fits = self.bytes <= MOST;
        if fits {
            self.records.push((ns, record.clone()));
        }
        fits
    }

    /// Goes from the end of a replay to the beginning of the next.
    pub(super) const fn rewind(&mut self) {
        self.next = Some(0);
    }

    /// True if requests come from the store.
    pub(super) const fn is_replayed(&self) -> bool {
        self.next.is_some()
    }

    /// The next request of a replay.
    pub(super) fn next(&mut self) -> Option<(u64, TraceRecord)> {
        let next = self.next.as_mut()?;
        let record = self.records.get(*next)?;
        *next += 1;
        Some(record.clone())
    }

    /// Progress of the replay, 0 to 1; `None` during the first.
    pub(super) fn share(&self) -> Option<f64> {
        self.next.map(|next| next as f64 / self.records.len().max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(at_ns: u64, blocks: usize) -> TraceRecord {
        TraceRecord { at_ns, prompt_tokens: 1, output_tokens: 2, prefix: vec![at_ns; blocks].as_slice().into() }
    }

    #[test]
    fn replays_repeat_the_stored_requests() {
        let mut kept = Kept::default();
        assert!((0..3).all(|ns| kept.keep(ns, &record(ns, 2))));
        assert_eq!((kept.next(), kept.share()), (None, None));
        for _ in 0..2 {
            kept.rewind();
            let replay: Vec<_> = std::iter::from_fn(|| kept.next()).collect();
            assert_eq!(replay, (0..3).map(|ns| (ns, record(ns, 2))).collect::<Vec<_>>());
            assert_eq!(kept.share(), Some(1.0));
        }
    }

    #[test]
    fn too_many_requests_are_not_stored() {
        let mut kept = Kept::default();
        assert!(kept.keep(0, &record(0, 1000)));
        assert!(!kept.keep(1, &record(1, MOST / 8)));
    }
}
