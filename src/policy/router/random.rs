//! `random`: any instance that can take the request, uniformly.

use super::super::register::Entry;
use super::super::view::{Candidates, Pick, RequestView};
use super::{Router, draw};
use crate::sim::Stream;

/// Its line in the register.
pub(super) fn entry() -> Entry<dyn Router> {
    Entry::<dyn Router>::plain("random", "Any instance, uniformly.", |stream| Box::new(Random::new(stream)))
}

#[derive(Debug)]
pub(super) struct Random {
    stream: Stream,
}

impl Random {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream }
    }
}

impl Router for Random {
    fn route(&mut self, _: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
        draw(candidates, &mut self.stream).into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Plain, chosen, stream};
    use super::*;

    #[test]
    fn every_instance_gets_its_share() {
        let mut router = Random::new(stream());
        let candidates = Plain(vec![(true, 0, 0); 4]);
        let mut counts = [0u32; 4];
        for _ in 0..4000 {
            counts[chosen(&mut router, &candidates).unwrap()] += 1;
        }
        // Binomial(4000, 1/4): mean 1000, standard deviation 27.
        assert!(counts.iter().all(|n| (880..1120).contains(n)), "{counts:?}");
    }

    /// Three of a hundred are eligible: most choices end with the scan, some with a draw.
    #[test]
    fn eligible_instances_get_equal_shares() {
        let mut router = Random::new(stream());
        let candidates = Plain((0..100).map(|i| (i % 40 == 7, 0, 0)).collect());
        let mut counts = [0u32; 100];
        for _ in 0..3000 {
            counts[chosen(&mut router, &candidates).unwrap()] += 1;
        }
        assert_eq!(counts[7] + counts[47] + counts[87], 3000);
        // Binomial(3000, 1/3): mean 1000, standard deviation 26.
        assert!([7, 47, 87].iter().all(|&i| (890..1110).contains(&counts[i])), "{counts:?}");
    }
}
