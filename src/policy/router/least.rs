//! Candidates by a signal: the least eligible one by a scan, or from an order that the view keeps; the greatest first by a sort.

use super::super::view::{Candidates, Signal};

/// The eligible candidate with the smallest signal, by a scan of all; ties go to the first.
pub fn scan<C: Candidates + ?Sized>(candidates: &C, signal: Signal) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for i in 0..candidates.len() {
        let load = candidates.read(i, signal);
        // Eligibility may depend on memory and prefix cache, so it is checked only for candidates that would be chosen.
        if best.is_none_or(|(_, least)| load < least) && candidates.eligible(i) {
            best = Some((i, load));
            if load <= 0.0 {
                // No load is lower, and ties go to the first.
                break;
            }
        }
    }
    best.map(|(i, _)| i)
}

/// The candidates, eligible or not, whose signal is not 0, the greatest first; ties in order of position.
pub fn sorted<C: Candidates + ?Sized>(candidates: &C, signal: Signal) -> impl Iterator<Item = (usize, f64)> + use<C> {
    let mut signals: Vec<(usize, f64)> =
        (0..candidates.len()).map(|i| (i, candidates.read(i, signal))).filter(|(_, read)| *read > 0.0).collect();
    signals.sort_by(|one, other| other.1.total_cmp(&one.1));
    signals.into_iter()
}

/// One in so many candidates may turn out to be ineligible before the scan. A step down the order costs 2 log₂ n nodes, the scan n, so that
/// the steps add little to the scan where most are ineligible.
const STEPS: usize = 32;

/// As [`scan`], for candidates in an order: `next` returns the one with the smallest signal, except for those passed back; ties go to the
/// first.
pub fn first_in_order<C: Candidates>(
    candidates: &C,
    signal: Signal,
    mut next: impl FnMut(Option<usize>) -> Option<usize>,
) -> Option<usize> {
    if candidates.len() == 1 {
        // A single candidate needs no order.
        return scan(candidates, signal);
    }
    let mut refused = None;
    for _ in 0..=candidates.len() / STEPS {
        let i = next(refused)?;
        if candidates.eligible(i) {
            return Some(i);
        }
        refused = Some(i);
    }
    scan(candidates, signal)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::super::testing::Plain;
    use super::*;

    /// Counts the checks of eligibility.
    struct Asked {
        plain: Plain,
        eligible: Cell<usize>,
    }

    impl Candidates for Asked {
        fn len(&self) -> usize {
            self.plain.len()
        }
        fn eligible(&self, i: usize) -> bool {
            self.eligible.set(self.eligible.get() + 1);
            self.plain.eligible(i)
        }
        fn instance(&self, i: usize) -> u32 {
            self.plain.instance(i)
        }
        fn pool(&self, i: usize) -> u32 {
            self.plain.pool(i)
        }
        fn read(&self, i: usize, signal: Signal) -> f64 {
            self.plain.read(i, signal)
        }
    }

    /// The choice by order, and the number of eligibility checks.
    fn in_order(loads: Vec<(bool, u64, u64)>, signal: Signal) -> (Option<usize>, usize) {
        let mut order: Vec<usize> = (0..loads.len()).collect();
        order.sort_by_key(|&i| if signal == Signal::InFlight { loads[i].1 } else { loads[i].2 });
        let candidates = Asked { plain: Plain(loads), eligible: Cell::new(0) };
        let chosen = first_in_order(&candidates, signal, |refused| match refused {
            None => order.first().copied(),
            Some(refused) => order.iter().copied().skip_while(|&i| i != refused).nth(1),
        });
        (chosen, candidates.eligible.get())
    }

    #[test]
    fn ties_in_order_go_to_the_first_eligible() {
        let mut loads = vec![(true, 2, 0); 100];
        loads[60..80].fill((true, 1, 0));
        loads[60..62].fill((false, 1, 0));
        assert_eq!(in_order(loads, Signal::InFlight), (Some(62), 3));
    }

    /// Few checks if the least loaded are eligible, and little more than a scan if none is.
    #[test]
    fn eligibility_checks_are_few_or_one_scan() {
        assert_eq!(in_order(vec![(true, 1, 1); 3200], Signal::PendingTokens), (Some(0), 1));
        assert_eq!(in_order(vec![(false, 1, 1); 3200], Signal::PendingTokens), (None, 3200 + 101));
        let mut loads = vec![(false, 0, 0); 3200];
        loads[3000] = (true, 9, 9);
        assert_eq!(in_order(loads, Signal::InFlight).0, Some(3000));
    }

    proptest! {
        #[test]
        fn the_choice_by_order_equals_that_of_a_scan(
            loads in prop::collection::vec((prop::bool::weighted(0.3), 0_u64..5, 0_u64..5), 0..150),
        ) {
            for signal in [Signal::InFlight, Signal::PendingTokens] {
                prop_assert_eq!(in_order(loads.clone(), signal).0, scan(&Plain(loads.clone()), signal));
            }
        }
    }
}
