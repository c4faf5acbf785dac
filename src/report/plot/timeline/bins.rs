//! Intervals as drawn: a short remainder at the end is merged with the previous interval.
//!
//! Owns: the widths of intervals. Must not know: the gauges.

use crate::metrics::{PoolTimeline, Timeline};

/// The timeline and the length of each interval in s. A run ends within an interval; a last one shorter than half of the others is merged with the
/// previous one, as a single event in a very short interval would appear as a high rate.
pub(super) fn whole_bins(timeline: &Timeline, end_s: f64) -> (Timeline, Vec<f64>) {
    let mut out = timeline.clone();
    let interval = timeline.interval_s;
    let mut widths = vec![interval; timeline.at_s.len()];
    let Some(&last) = timeline.at_s.last() else { return (out, widths) };
    let rest = end_s - last;
    if !(rest > 0.0 && rest < interval) {
        return (out, widths);
    }
    if rest >= interval / 2.0 || widths.len() < 2 {
        if let Some(width) = widths.last_mut() {
            *width = rest;
        }
        return (out, widths);
    }
    out.at_s.pop();
    widths.pop();
    if let Some(width) = widths.last_mut() {
        *width += rest;
    }
    let merge = |column: &mut Vec<f64>| {
        if column.len() > widths.len()
            && let Some(tail) = column.pop()
            && let Some(before) = column.last_mut()
        {
            *before = (*before * interval + tail * rest) / (interval + rest);
        }
    };
    [&mut out.arrivals_per_s, &mut out.completions_per_s, &mut out.lost_per_s, &mut out.output_tokens_per_s].into_iter().for_each(merge);
    for PoolTimeline { queue, queue_most, running, kv_utilization, power_w, instances, .. } in &mut out.pools {
        [queue, running, kv_utilization, power_w, instances].into_iter().for_each(merge);
        if queue_most.len() > widths.len()
            && let Some(tail) = queue_most.pop()
            && let Some(before) = queue_most.last_mut()
        {
            *before = before.max(tail);
        }
    }
    (out, widths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completions(rates: &[f64], end_s: f64) -> (Timeline, Vec<f64>) {
        let at_s = (0..rates.len()).map(|i| i as f64).collect();
        whole_bins(&Timeline { interval_s: 1.0, at_s, completions_per_s: rates.to_vec(), ..Timeline::default() }, end_s)
    }

    #[test]
    fn one_completion_in_a_short_remainder_is_not_a_burst() {
        // One request completed 48 ms into the third second: 1 / 0.048 = 20.8 per second there, 1 / 1.048 after the merge.
        let (timeline, widths) = completions(&[0.0, 0.0, 1.0 / 0.048], 2.048);
        assert_eq!(widths.len(), 2);
        approx::assert_relative_eq!(widths[1], 1.048, max_relative = 1e-9);
        approx::assert_relative_eq!(timeline.completions_per_s[1], 1.0 / 1.048, max_relative = 1e-9);
    }

    #[test]
    fn a_longer_remainder_is_not_merged() {
        let (timeline, widths) = completions(&[3.0, 4.0], 1.75);
        assert_eq!((timeline.completions_per_s, widths), (vec![3.0, 4.0], vec![1.0, 0.75]));
        assert_eq!(completions(&[3.0, 4.0], 2.0).1, vec![1.0, 1.0]);
    }
}
