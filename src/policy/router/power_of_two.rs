//! `power-of-two`: draw two different instances uniformly, take the one with fewer requests in flight (Mitzenmacher 2001).
//!
//! Rule as in `SGLang`'s and vLLM's routers; a tie goes to the first drawn.

use super::super::register::Entry;
use super::super::view::{Candidates, Pick, RequestView, Signal};
use super::{Router, draw};
use crate::sim::Stream;

/// Its line in the register.
pub(super) fn entry() -> Entry<dyn Router> {
    Entry::<dyn Router>::plain("power-of-two", "Of two instances drawn uniformly the one with fewer requests in flight.", |stream| {
        Box::new(PowerOfTwo::new(stream))
    })
    .also(&["p2c", "power-of-two-choices"])
}

#[derive(Debug)]
pub(super) struct PowerOfTwo {
    stream: Stream,
}

impl PowerOfTwo {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream }
    }
}

/// The candidates except one.
struct Without<'a>(&'a dyn Candidates, usize);

impl Candidates for Without<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn eligible(&self, i: usize) -> bool {
        i != self.1 && self.0.eligible(i)
    }
    fn instance(&self, i: usize) -> u32 {
        self.0.instance(i)
    }
    fn pool(&self, i: usize) -> u32 {
        self.0.pool(i)
    }
    fn read(&self, i: usize, signal: Signal) -> f64 {
        self.0.read(i, signal)
    }
}

impl Router for PowerOfTwo {
    fn route(&mut self, _: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
        let Some(first) = draw(candidates, &mut self.stream) else { return Pick::NoneEligible };
        let Some(second) = draw(&Without(candidates, first), &mut self.stream) else { return Pick::To(first) };
        let load = |i| candidates.read(i, Signal::InFlight);
        Pick::To(if load(second) < load(first) { second } else { first })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Plain, chosen, stream};
    use super::*;

    #[test]
    fn the_most_loaded_is_never_chosen() {
        let mut router = PowerOfTwo::new(stream());
        let candidates = Plain(vec![(true, 5, 0), (true, 1, 0), (true, 2, 0)]);
        let mut counts = [0u32; 3];
        for _ in 0..3000 {
            counts[chosen(&mut router, &candidates).unwrap()] += 1;
        }
        // Of the three pairs, instance 1 wins two and instance 2 one.
        assert_eq!(counts[0], 0);
        assert!((1900..2100).contains(&counts[1]), "{counts:?}");
    }
}
