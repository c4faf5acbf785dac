//! Gauges over time in equal intervals that double in length as the run gets longer, so that memory stays bounded.
//!
//! All sums are integers: the order of additions does not change the bits, so fast-forwarding does not change results.

use crate::cluster::RunSegment;
use crate::sim::SimTime;

/// Maximum number of intervals; reaching it halves their number.
const MOST: u64 = 1024;

/// Sums of one pool per interval.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PoolBin {
    /// Sequences · ns.
    pub(super) running: u128,
    /// Blocks · ns.
    pub(super) kv_blocks: u128,
    /// Requests · ns.
    pub(super) waiting: u128,
    /// Peak of waiting requests.
    pub(super) waiting_most: u64,
    /// IT picojoules.
    pub(super) it_pj: u128,
}

/// Counts of events per interval.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CountBin {
    pub(super) arrivals: u64,
    pub(super) completions: u64,
    /// Rejected or timed out.
    pub(super) lost: u64,
    pub(super) tokens: u64,
}

/// Extends the intervals to include `index`.
fn grow<T: Clone + Default>(bins: &mut Vec<T>, index: usize) {
    if bins.len() <= index {
        bins.resize(index + 1, T::default());
    }
}

/// Converts a number below [`MOST`] to an index.
#[expect(clippy::cast_possible_truncation, reason = "below `MOST`")]
const fn place(index: u64) -> usize {
    index as usize
}

/// Adds the energy of spans that cover whole intervals, given by the change of their power from one interval to the next.
fn add_steady(bins: &mut Vec<PoolBin>, steady: &[i128], interval_ns: u64) {
    let mut power = 0i128;
    for (index, difference) in steady.iter().enumerate() {
        power += difference;
        if power != 0 {
            grow(bins, index);
            bins[index].it_pj += power.unsigned_abs() * u128::from(interval_ns);
        }
    }
}

/// Adds whole iterations to the interval that contains them.
fn add_iterations(bin: &mut PoolBin, count: &mut CountBin, run: &RunSegment<'_>, from: u64, to: u64) {
    bin.it_pj += run.energy(from, to).it_pj;
    count.tokens += run.tokens_out * (to - from);
    let gauged = from.max(run.gauged_from());
    if gauged < to {
        bin.running += u128::from(run.running) * u128::from(run.span_ns(gauged, to));
        bin.kv_blocks += run.kv_block_ns(gauged, to);
    }
}

/// `whole · share / span` rounded down, for spans of at most 64 bits; the product may be larger than any integer.
pub(super) fn part(whole: u128, share: u128, span: u128) -> u128 {
    whole.checked_mul(share).map_or_else(|| whole / span * share + whole % span * share / span, |product| product / span)
}

/// All intervals of a run.
#[derive(Debug, Clone)]
pub(super) struct Bins {
    interval_ns: u64,
    pools: Vec<Vec<PoolBin>>,
    /// By pool and interval: change in the power of spans that cover whole intervals, pJ per ns, from the previous interval.
    steady: Vec<Vec<i128>>,
    counts: Vec<CountBin>,
    /// The last interval written: index, start, end. Saves a division for most records.
    last: (usize, u64, u64),
}

impl Bins {
    pub(super) fn new(pools: usize, interval_ns: u64) -> Self {
        Self { interval_ns, pools: vec![Vec::new(); pools], steady: vec![Vec::new(); pools], counts: Vec::new(), last: (0, 0, interval_ns) }
    }

    pub(super) fn interval_ns(&self) -> u64 {
        self.interval_ns
    }

    /// The intervals of a pool up to the last one written.
    pub(super) fn pool(&self, pool: usize) -> Vec<PoolBin> {
        let mut bins = self.pools[pool].clone();
        add_steady(&mut bins, &self.steady[pool], self.interval_ns);
        bins
    }

    /// Adds constant power, in whole picojoules per nanosecond, to every interval that a span touches. The cost does not depend on the number of
    /// intervals between its ends: an instance that is idle for the whole run takes two entries.
    pub(super) fn steady_power(&mut self, pool: usize, from: SimTime, to: SimTime, pj_per_ns: u64) {
        let (start, end) = (from.ns(), to.ns());
        if end <= start {
            return;
        }
        // May double the interval, so this comes first.
        let last = self.locate(end - 1);
        let last_begin = self.last.1;
        let first = self.locate(start);
        let first_end = self.last.2.min(end);
        let mut add = |index: usize, ns: u64| {
            grow(&mut self.pools[pool], index);
            self.pools[pool][index].it_pj += u128::from(pj_per_ns) * u128::from(ns);
        };
        add(first, first_end - start);
        if last > first {
            add(last, end - last_begin);
        }
        if last > first + 1 {
            let steady = &mut self.steady[pool];
            grow(steady, last);
            steady[first + 1] += i128::from(pj_per_ns);
            steady[last] -= i128::from(pj_per_ns);
        }
    }

    pub(super) fn counts(&self) -> &[CountBin] {
        &self.counts
    }

    /// Adds to the interval of an instant. An instant on a border belongs to the interval that ends there, as the last event of the run would
    /// otherwise have none.
    pub(super) fn count(&mut self, at: SimTime, add: impl FnOnce(&mut CountBin)) {
        let at = at.ns().saturating_sub(1);
        let (last, begin, end) = self.last;
        if begin <= at
            && at < end
            && let Some(bin) = self.counts.get_mut(last)
        {
            return add(bin);
        }
        let index = self.locate(at);
        grow(&mut self.counts, index);
        add(&mut self.counts[index]);
    }

    /// Adds to every interval that a span touches. `add` receives the interval, the nanoseconds of the span within it, and those of the whole span
    /// before the end of this part (for dividing a total without loss).
    pub(super) fn span(&mut self, pool: usize, from: SimTime, to: SimTime, mut add: impl FnMut(&mut PoolBin, u64, u64)) {
        let (start, end) = (from.ns(), to.ns());
        if end <= start {
            return;
        }
        // Nearly every span is within the last interval written.
        let (last, begin, limit) = self.last;
        if begin <= start
            && end <= limit
            && let Some(bin) = self.pools[pool].get_mut(last)
        {
            return add(bin, end - start, end - start);
        }
        // May double the interval, so this comes first.
        self.locate(end - 1);
        let mut at = start;
        while at < end {
            let index = self.locate(at);
            let until = end.min(self.last.2);
            let bins = &mut self.pools[pool];
            grow(bins, index);
            add(&mut bins[index], until - at, until - start);
            at = until;
        }
    }

    /// Adds iterations: each to the interval that contains it, or, if it spans several, in parts to each.
    pub(super) fn iterations(&mut self, run: &RunSegment<'_>) {
        let pool = usize::from(run.pool.0);
        let [start, end] = [run.first(), run.end()].map(|n| run.boundary(n).ns());
        if end <= start {
            return;
        }
        let (last, begin, limit) = self.last;
        if begin <= start
            && end <= limit
            && let (Some(bin), Some(count)) = (self.pools[pool].get_mut(last), self.counts.get_mut(last))
        {
            return add_iterations(bin, count, run, run.first(), run.end());
        }
        // May double the interval, so this comes first.
        self.locate(end - 1);
        let mut n = run.first();
        while n < run.end() {
            let index = self.locate(run.boundary(n).ns());
            let ended = run.ended_by(SimTime::from_ns(self.last.2), n);
            if ended == n {
                self.split_iteration(pool, run, n);
                n += 1;
                continue;
            }
            grow(&mut self.pools[pool], index);
            grow(&mut self.counts, index);
            add_iterations(&mut self.pools[pool][index], &mut self.counts[index], run, n, ended);
            n = ended;
        }
    }

    /// Adds an iteration that spans several intervals.
    fn split_iteration(&mut self, pool: usize, run: &RunSegment<'_>, n: u64) {
        let (from, to) = (run.boundary(n), run.boundary(n + 1));
        let (span, energy) = (u128::from(run.span_ns(n, n + 1)), run.energy(n, n + 1));
        let (kv_blocks, mut kv_left) = (u128::from(run.kv_blocks(n)), run.kv_block_ns(n, n + 1));
        let gauged = n >= run.gauged_from();
        let mut given = 0;
        self.span(pool, from, to, |bin, ns, until| {
            let so_far = if u128::from(until) == span { energy.it_pj } else { part(energy.it_pj, until.into(), span) };
            bin.it_pj += so_far - given;
            given = so_far;
            if gauged {
                bin.running += u128::from(run.running) * u128::from(ns);
                // The total is rounded on its own; the last part absorbs the difference.
                let held = if u128::from(until) == span { kv_left } else { (kv_blocks * u128::from(ns)).min(kv_left) };
                bin.kv_blocks += held;
                kv_left -= held;
            }
        });
        self.count(to, |bin| bin.tokens += run.tokens_out);
    }

    /// The interval that contains `ns`.
    fn locate(&mut self, ns: u64) -> usize {
        let (index, begin, end) = self.last;
        if begin <= ns && ns < end {
            return index;
        }
        let mut index = ns / self.interval_ns;
        while index >= MOST {
            self.double();
            index = ns / self.interval_ns;
        }
        let begin = index * self.interval_ns;
        self.last = (place(index), begin, begin.saturating_add(self.interval_ns));
        self.last.0
    }

    fn double(&mut self) {
        for (bins, steady) in self.pools.iter_mut().zip(&mut self.steady) {
            add_steady(bins, &std::mem::take(steady), self.interval_ns);
        }
        self.interval_ns = self.interval_ns.saturating_mul(2);
        self.counts = self
            .counts
            .chunks(2)
            .map(|pair| {
                pair.iter().fold(CountBin::default(), |a, b| CountBin {
                    arrivals: a.arrivals + b.arrivals,
                    completions: a.completions + b.completions,
                    lost: a.lost + b.lost,
                    tokens: a.tokens + b.tokens,
                })
            })
            .collect();
        for bins in &mut self.pools {
            *bins = bins
                .chunks(2)
                .map(|pair| {
                    pair.iter().fold(PoolBin::default(), |a, b| PoolBin {
                        running: a.running + b.running,
                        kv_blocks: a.kv_blocks + b.kv_blocks,
                        waiting: a.waiting + b.waiting,
                        waiting_most: a.waiting_most.max(b.waiting_most),
                        it_pj: a.it_pj + b.it_pj,
                    })
                })
                .collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ns: u64) -> SimTime {
        SimTime::from_ns(ns)
    }

    #[test]
    fn shares_of_huge_energies_are_exact() {
        assert_eq!(part(1000, 1, 3), 333);
        assert_eq!(part(u128::MAX, 7, 7), u128::MAX);
        // (3 · 2^100 + 5) · 2^40 / 2^50 = 3 · 2^90 + 5 / 2^10, rounded down; the product does not fit into 128 bits.
        assert_eq!(part(3 * (1 << 100) + 5, 1 << 40, 1 << 50), 3 * (1 << 90));
    }

    #[test]
    fn spans_are_divided_at_interval_borders() {
        let mut bins = Bins::new(1, 10);
        bins.span(0, at(5), at(25), |bin, ns, _| bin.running += u128::from(ns) * 3);
        let running: Vec<u128> = bins.pool(0).iter().map(|bin| bin.running).collect();
        assert_eq!(running, [15, 30, 15]);
    }

    proptest! {
        /// Steady power by differences agrees with a loop over the intervals, with or without doublings in between.
        #[test]
        fn steady_power_agrees_with_a_loop(spans in proptest::collection::vec((0u64..100_000, 1u64..50_000, 0u64..9_000), 1..40)) {
            let (mut steady, mut looped) = (Bins::new(1, 7), Bins::new(1, 7));
            for &(from, length, power) in &spans {
                steady.steady_power(0, at(from), at(from + length), power);
                looped.span(0, at(from), at(from + length), |bin, ns, _| bin.it_pj += u128::from(power) * u128::from(ns));
                prop_assert_eq!(steady.interval_ns(), looped.interval_ns());
            }
            let joules = |bins: &Bins| bins.pool(0).iter().map(|bin| bin.it_pj).collect::<Vec<_>>();
            prop_assert_eq!(joules(&steady), joules(&looped));
        }

        /// Doubling keeps the sums, and the order of the records does not matter.
        #[test]
        fn sums_do_not_depend_on_the_order(mut spans in proptest::collection::vec((0u64..100_000, 1u64..5000, 1u64..9), 1..50)) {
            let fill = |spans: &[(u64, u64, u64)]| {
                let mut bins = Bins::new(1, 7);
                for &(from, length, value) in spans {
                    bins.span(0, at(from), at(from + length), |bin, ns, _| bin.running += u128::from(ns) * u128::from(value));
                    bins.count(at(from), |bin| bin.arrivals += value);
                }
                bins
            };
            let a = fill(&spans);
            let total: u128 = spans.iter().map(|&(_, length, value)| u128::from(length) * u128::from(value)).sum();
            prop_assert_eq!(a.pool(0).iter().map(|bin| bin.running).sum::<u128>(), total);
            prop_assert_eq!(a.counts().iter().map(|bin| bin.arrivals).sum::<u64>(), spans.iter().map(|s| s.2).sum::<u64>());
            spans.reverse();
            let b = fill(&spans);
            prop_assert_eq!(a.interval_ns(), b.interval_ns());
            prop_assert!(a.pool(0).iter().zip(b.pool(0)).all(|(x, y)| x.running == y.running));
        }
    }
}
