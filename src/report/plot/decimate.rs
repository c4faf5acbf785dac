//! Fewer points that look the same: the least and the greatest of each pixel survive, so spikes do.
//!
//! Owns: the choice of points. Must not know: axes, colours.

/// Most points of a line.
pub(super) const MOST_POINTS: usize = 2000;

/// The points of a line for a plot of `pixels` columns: all of them if they are few, else least and greatest of each column in their order.
/// What is not finite is left out.
pub(super) fn line(at: &[f64], values: &[f64], pixels: usize) -> Vec<(f64, f64)> {
    let points: Vec<(f64, f64)> = at.iter().copied().zip(values.iter().copied()).filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    let columns = pixels.clamp(1, MOST_POINTS / 2);
    if points.len() <= 2 * columns {
        return points;
    }
    let mut out = Vec::with_capacity(2 * columns);
    for column in 0..columns {
        let bucket = &points[column * points.len() / columns..(column + 1) * points.len() / columns];
        let least = bucket.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1));
        let greatest = bucket.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
        if let (Some(a), Some(b)) = (least, greatest) {
            out.extend(if a.0 <= b.0 { [a, b] } else { [b, a] });
        }
    }
    out
}

/// A bucket of a line: where, least, mean, greatest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    pub(super) at: f64,
    pub(super) least: f64,
    pub(super) mean: f64,
    pub(super) greatest: f64,
}

/// At most `most` buckets of equally many points; what is not finite is left out.
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
        let points = line(&at, &values, 5_000);
        assert!(points.len() <= MOST_POINTS);
        assert!(points.contains(&(54_321.0, 99.0)) && points.contains(&(12_345.0, -5.0)));
        assert!(points.windows(2).all(|w| w[0].0 <= w[1].0));
    }

    #[test]
    fn few_points_stay_as_they_are_but_for_what_is_not_a_number() {
        assert_eq!(line(&[0.0, 1.0, 2.0], &[3.0, f64::NAN, 5.0], 10), [(0.0, 3.0), (2.0, 5.0)]);
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
