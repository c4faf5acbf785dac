//! Decimation without visible change: the minimum and maximum of every few pixels are kept, and so are spikes.
//!
//! Owns: the selection of points. Must not know: axes, colours.

/// A bucket of a line: position, minimum, mean, maximum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    pub(super) at: f64,
    pub(super) least: f64,
    pub(super) mean: f64,
    pub(super) greatest: f64,
}

/// At most `most` buckets of equally many points; non-finite values are left out.
pub(super) fn buckets(at: &[f64], values: &[f64], most: usize) -> Vec<Bucket> {
    let size = at.len().div_ceil(most.max(1)).max(1);
    let mut out = Vec::new();
    for (xs, ys) in at.chunks(size).zip(values.chunks(size)) {
        let finite: Vec<f64> = ys.iter().copied().filter(|y| y.is_finite()).collect();
        let (Some(first), Some(last)) = (xs.first(), xs.last()) else { continue };
        if finite.is_empty() {
            continue;
        }
        out.push(Bucket {
            at: f64::midpoint(*first, *last),
            least: finite.iter().copied().fold(f64::INFINITY, f64::min),
            mean: finite.iter().sum::<f64>() / finite.len() as f64,
            greatest: finite.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_spike_survives_and_points_are_bounded() {
        let at: Vec<f64> = (0..100_000).map(f64::from).collect();
        let mut values = vec![1.0; at.len()];
        values[54_321] = 99.0;
        values[12_345] = -5.0;
        let b = buckets(&at, &values, 352);
        assert!(b.len() <= 352);
        assert_eq!(b.iter().filter(|b| b.greatest > 98.9).count(), 1);
        assert_eq!(b.iter().filter(|b| b.least < -4.9).count(), 1);
        assert!(b.windows(2).all(|w| w[0].at < w[1].at));
    }

    #[test]
    fn buckets_hold_the_envelope_and_the_mean() {
        let b = buckets(&[0.0, 1.0, 2.0, 3.0], &[1.0, 3.0, f64::NAN, 7.0], 2);
        assert_eq!(b.len(), 2);
        approx::assert_relative_eq!(b[0].mean, 2.0);
        approx::assert_relative_eq!(b[0].at, 0.5);
        approx::assert_relative_eq!(b[1].least, 7.0);
        approx::assert_relative_eq!(b[1].greatest, 7.0);
    }
}
