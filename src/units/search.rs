//! Search for the point where a condition begins to hold, from a good guess: closed forms inverted in floating point are exact except for rounding.

/// The least of `low..=high` at which `holds`, which must be monotonic; `high` if it holds at none below. Tests the guess, then grows the stride from
/// there: a correct guess takes two evaluations, one that is off by `d` about `2·log d`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range")]
pub fn first_where(guess: f64, mut low: u64, mut high: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let guess = (guess as u64).clamp(low, high);
    let mut stride = 1u64;
    if guess == high || holds(guess) {
        high = guess;
        while low < high {
            let probe = high.saturating_sub(stride).max(low);
            if !holds(probe) {
                low = probe + 1;
                break;
            }
            (high, stride) = (probe, stride.saturating_mul(2));
        }
    } else {
        low = guess + 1;
        while low < high {
            let probe = low.saturating_add(stride - 1);
            if probe >= high || holds(probe) {
                high = high.min(probe);
                break;
            }
            (low, stride) = (probe + 1, stride.saturating_mul(2));
        }
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::first_where;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_the_boundary_from_any_guess(low in 0u64..1000, length in 0u64..1000, at in 0u64..3000, guess in -10.0f64..3000.0) {
            let high = low + length;
            for guess in [guess, at as f64] {
                prop_assert_eq!(first_where(guess, low, high, |n| n >= at), at.clamp(low, high));
            }
        }
    }

    #[test]
    fn handles_the_full_64_bit_range_and_guesses_that_are_nan() {
        for guess in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, 1e12] {
            assert_eq!(first_where(guess, 0, u64::MAX, |n| n >= 1 << 40), 1 << 40);
            assert_eq!(first_where(guess, u64::MAX, u64::MAX, |_| false), u64::MAX);
        }
    }

    #[test]
    fn a_good_guess_takes_few_evaluations() {
        for (guess, most) in [(500.0, 2), (499.0, 2), (501.0, 4), (400.0, 14)] {
            let looks = Cell::new(0);
            let holds = |n| {
                looks.set(looks.get() + 1);
                n >= 500
            };
            assert_eq!(first_where(guess, 0, 1 << 40, holds), 500);
            assert!(looks.get() <= most, "{guess}: {}", looks.get());
        }
    }
}
