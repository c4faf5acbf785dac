//! Minimum of many numbers that change one at a time.

/// Numbers by position, in a tree where each node holds the smaller of its two children. Update and minimum are O(log n); the position of the
/// minimum is found once until it may have changed.
#[derive(Debug, Clone, Default)]
pub struct Tournament {
    /// Rows from the root, at index 1, to the leaves, which hold the numbers; unused leaves hold [`Tournament::NONE`].
    nodes: Vec<u64>,
    /// Position of the smallest number, the first in a tie, if known.
    first: Option<usize>,
    /// Nodes visited so far.
    work: u64,
}

impl Tournament {
    /// Marks an empty position; as a number it would be the largest.
    pub const NONE: u64 = u64::MAX;

    /// Builds the tree from the numbers in order.
    pub fn new(numbers: impl IntoIterator<Item = u64>) -> Self {
        let numbers: Vec<u64> = numbers.into_iter().collect();
        let width = numbers.len().next_power_of_two();
        let mut nodes = vec![Self::NONE; width];
        nodes.extend(numbers);
        nodes.resize(2 * width, Self::NONE);
        for node in (1..width).rev() {
            nodes[node] = nodes[2 * node].min(nodes[2 * node + 1]);
        }
        Self { nodes, first: None, work: 0 }
    }

    /// The smallest number; `None` if all positions are empty.
    #[inline]
    pub fn least(&self) -> Option<u64> {
        self.nodes.get(1).copied().filter(|&least| least != Self::NONE)
    }

    /// The position of the smallest number, the first in a tie; `None` if all positions are empty.
    #[inline]
    pub fn smallest(&mut self) -> Option<usize> {
        if self.first.is_some() {
            return self.first;
        }
        let width = self.nodes.len() / 2;
        let least = self.least()?;
        let mut node = 1;
        while node < width {
            self.work += 1;
            node *= 2;
            node += usize::from(self.nodes[node] != least);
        }
        self.first = Some(node - width);
        self.first
    }

    /// Replaces the number at a position.
    #[inline]
    pub fn set(&mut self, position: usize, number: u64) {
        let least = self.nodes[1];
        if number < least {
            self.first = Some(position);
        } else if self.first.is_some_and(|first| first == position || (number == least && position < first)) {
            self.first = None;
        }
        let mut node = self.nodes.len() / 2 + position;
        let mut smaller = number;
        while self.nodes[node] != smaller {
            self.work += 1;
            self.nodes[node] = smaller;
            if node == 1 {
                break;
            }
            smaller = smaller.min(self.nodes[node ^ 1]);
            node /= 2;
        }
    }

    /// Nodes visited so far, by searches and updates.
    pub const fn work(&self) -> u64 {
        self.work
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ties_go_to_the_first_position() {
        let mut tournament = Tournament::new([3, 1, 2, 1, 1]);
        let mut order = Vec::new();
        while let Some(position) = tournament.smallest() {
            order.push(position);
            tournament.set(position, Tournament::NONE);
        }
        assert_eq!(order, [1, 3, 4, 2, 0]);
        tournament.set(4, 7);
        assert_eq!(tournament.smallest(), Some(4));
    }

    #[test]
    fn an_empty_tournament_has_no_smallest() {
        assert_eq!(Tournament::default().smallest(), None);
        assert_eq!(Tournament::new([]).smallest(), None);
        let mut one = Tournament::new([0]);
        assert_eq!(one.smallest(), Some(0));
        one.set(0, Tournament::NONE);
        assert_eq!(one.smallest(), None);
    }

    proptest! {
        #[test]
        fn agrees_with_a_linear_scan(
            numbers in prop::collection::vec(0_u64..6, 1..40),
            changes in prop::collection::vec((0_usize..40, prop::option::weighted(0.8, 0_u64..6)), 0..60),
        ) {
            let mut numbers = numbers;
            let mut tournament = Tournament::new(numbers.iter().copied());
            for (position, number) in changes {
                let position = position % numbers.len();
                numbers[position] = number.unwrap_or(Tournament::NONE);
                tournament.set(position, numbers[position]);
                let expected = (0..numbers.len()).filter(|&i| numbers[i] != Tournament::NONE).min_by_key(|&i| numbers[i]);
                prop_assert_eq!(tournament.smallest(), expected);
            }
        }
    }
}
