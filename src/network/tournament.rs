//! The earliest of many times, kept while any of them change: a complete binary tree in which every node names the winner below it.

use super::fabric::TransferId;
use crate::sim::SimTime;

/// Times by transfer. Of equals, the transfer with the lower index wins.
#[derive(Debug, Clone, Default)]
pub(super) struct Tournament {
    /// A power of two, or 0.
    size: usize,
    /// Winner of each node as (time, transfer): the root at 1, the children of `n` at `2n` and `2n + 1`, the leaves from `size` on.
    nodes: Vec<(SimTime, TransferId)>,
}

/// Later than every time that is set: times at the end of the clock lose to none by index.
const NOBODY: (SimTime, TransferId) = (SimTime::NEVER, TransferId(u32::MAX));

impl Tournament {
    /// The transfer with the earliest time.
    pub(super) fn first(&self) -> Option<(SimTime, TransferId)> {
        self.nodes.get(1).copied().filter(|&winner| winner != NOBODY)
    }

    /// Sets or withdraws the time of one transfer.
    pub(super) fn set(&mut self, id: TransferId, at: Option<SimTime>) {
        self.reserve(id);
        let mut node = self.size + id.0 as usize;
        self.nodes[node] = at.map_or(NOBODY, |at| (at, id));
        while node > 1 {
            node /= 2;
            self.play(node);
        }
    }

    /// Sets the times of many.
    pub(super) fn set_all(&mut self, ids: &[TransferId], at: impl Fn(TransferId) -> SimTime) {
        let Some(&last) = ids.iter().max() else { return };
        self.reserve(last);
        // One by one it is the height of the tree for each; all at once it is every node.
        let height = self.size.trailing_zeros() as usize;
        if ids.len() * height <= self.size {
            for &id in ids {
                self.set(id, Some(at(id)));
            }
            return;
        }
        for &id in ids {
            self.nodes[self.size + id.0 as usize] = (at(id), id);
        }
        (1..self.size).rev().for_each(|node| self.play(node));
    }

    fn play(&mut self, node: usize) {
        self.nodes[node] = self.nodes[2 * node].min(self.nodes[2 * node + 1]);
    }

    /// Makes room for a transfer.
    fn reserve(&mut self, id: TransferId) {
        let needed = (id.0 as usize + 1).next_power_of_two();
        if needed <= self.size {
            return;
        }
        let mut nodes = vec![NOBODY; 2 * needed];
        nodes[needed..needed + self.size].copy_from_slice(self.nodes.get(self.size..).unwrap_or_default());
        self.nodes = nodes;
        self.size = needed;
        (1..needed).rev().for_each(|node| self.play(node));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_winner_is_the_least_of_all(rounds in proptest::collection::vec(proptest::collection::vec((0u32..70, proptest::option::of(0u64..40)), 1..40), 1..30)) {
            let mut tournament = Tournament::default();
            let mut times = [None; 70];
            for round in rounds {
                for &(id, at) in &round {
                    times[id as usize] = at;
                    tournament.set(TransferId(id), at.map(SimTime::from_ns));
                }
                let present: Vec<TransferId> = (0..70u32).filter(|&id| times[id as usize].is_some() && id % 3 != 0).map(TransferId).collect();
                for id in &present {
                    times[id.0 as usize] = times[id.0 as usize].map(|at| at / 2);
                }
                tournament.set_all(&present, |id| SimTime::from_ns(times[id.0 as usize].unwrap_or_default()));
                let least = times.iter().zip(0u32..).filter_map(|(at, id)| Some((SimTime::from_ns((*at)?), TransferId(id)))).min();
                prop_assert_eq!(tournament.first(), least);
            }
        }
    }
}
