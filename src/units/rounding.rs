//! Rounding without the library call that baseline x86-64 needs for `f64::round`.

/// From 2⁵² every `f64` is whole; up to 2⁵³ adjacent values differ by 1.
const WHOLE: f64 = 4_503_599_627_370_496.0;

/// The nearest whole number, ties away from zero: what `value.round() as u64` gives. Negative values and NaN give 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturation is intended")]
#[inline]
pub fn nearest(value: f64) -> u64 {
    // One bitwise comparison covers large, negative and NaN values.
    if value.to_bits() >= WHOLE.to_bits() {
        return value as u64;
    }
    // The sum has no bits for a fraction, so its last bits are the rounded value, ties to even; ties rounded down are corrected upwards. Converting
    // to an integer and back takes half as long again, and more for saturation.
    let moved = value + WHOLE;
    moved.to_bits() - WHOLE.to_bits() + u64::from(value - (moved - WHOLE) >= 0.5)
}

/// Below this a whole number fits into 64 bits with room to spare: 2⁶³.
const FITS: f64 = 9_223_372_036_854_775_808.0;

/// As [`nearest`], for larger values. Conversion between `f64` and 128 bits is a library call, so smaller values use 64.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturation is intended")]
#[inline]
pub fn nearest_wide(value: f64) -> u128 {
    if value < FITS { u128::from(nearest(value)) } else { value.round() as u128 }
}

#[cfg(test)]
mod tests {
    use super::{nearest, nearest_wide};
    use proptest::prelude::*;

    #[test]
    fn ties_round_up_and_the_largest_value_below_a_tie_rounds_down() {
        let cases = [
            (0.0, 0),
            (0.5, 1),
            (0.499_999_999_999_999_94, 0),
            (1.5, 2),
            (2.5, 3),
            (4_503_599_627_370_495.5, 4_503_599_627_370_496),
            (4_503_599_627_370_494.5, 4_503_599_627_370_495),
            (4_503_599_627_370_497.0, 4_503_599_627_370_497),
            (-0.0, 0),
        ];
        for (value, expected) in cases {
            assert_eq!(nearest(value), expected, "{value}");
        }
        assert_eq!([-1.0, -0.4, f64::NAN, f64::NEG_INFINITY].map(nearest), [0; 4]);
        assert_eq!(nearest(f64::INFINITY), u64::MAX);
        assert_eq!([-1.0, f64::NAN, 2.5, 9_223_372_036_854_775_808.0].map(nearest_wide), [0, 0, 3, 1 << 63]);
        assert_eq!((nearest_wide(f64::INFINITY), nearest_wide(1e30)), (u128::MAX, 1_000_000_000_000_000_019_884_624_838_656));
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the definition, saturation included")]
    fn library(value: f64) -> u64 {
        value.round() as u64
    }

    proptest! {
        #[test]
        fn agrees_with_the_library(bits in any::<u64>(), small in 0.0f64..1e17) {
            for value in [f64::from_bits(bits), small] {
                prop_assert_eq!(nearest(value), library(value));
            }
        }
    }
}
