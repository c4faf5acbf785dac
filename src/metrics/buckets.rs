//! Histogram of nanoseconds in buckets at most 0.1 % wide, those of `hdrhistogram` at three digits, allocated only near recorded values.
//!
//! A histogram of that crate allocates all buckets from 0 to its largest value, 130 kB for gaps of 20 ms, and every class has one.

/// Values below this have one bucket each; above it, every power of two has half as many.
const SINGLE: u64 = 1 << BITS;
const BITS: u32 = 11;
/// Buckets per page, the unit of allocation.
const PAGE: usize = 128;

/// A growing histogram. Its memory depends on the spread of its values, not on their size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Buckets {
    pages: Vec<Option<Box<[u64; PAGE]>>>,
}

/// Number of low bits in which the values of a bucket may differ.
fn shift(value: u64) -> u32 {
    u64::BITS - BITS - (value | (SINGLE - 1)).leading_zeros()
}

/// Bucket index of a value.
#[expect(clippy::cast_possible_truncation, reason = "at most 55 · 2¹⁰")]
fn index(value: u64) -> usize {
    let shift = shift(value);
    ((u64::from(shift) << (BITS - 1)) + (value >> shift)) as usize
}

/// Largest value of a bucket.
#[expect(clippy::cast_possible_truncation, reason = "at most 54")]
fn top(index: usize) -> u64 {
    let half = SINGLE >> 1;
    let shift = (index as u64 / half).saturating_sub(1);
    ((index as u64 - shift * half) << shift) | ((1 << shift as u32) - 1)
}

impl Buckets {
    /// Largest value in the bucket of `value`.
    pub(super) fn top_of(value: u64) -> u64 {
        value | ((1 << shift(value)) - 1)
    }

    /// Records `value` `n` times.
    pub(super) fn record(&mut self, value: u64, n: u64) {
        let index = index(value);
        if let Some(Some(page)) = self.pages.get_mut(index / PAGE) {
            page[index % PAGE] += n;
        } else {
            self.page(index / PAGE)[index % PAGE] += n;
        }
    }

    /// A page, allocated if missing.
    #[cold]
    fn page(&mut self, at: usize) -> &mut [u64; PAGE] {
        if self.pages.len() <= at {
            self.pages.resize(at + 1, None);
        }
        self.pages[at].get_or_insert_with(|| Box::new([0; PAGE]))
    }

    /// Adds the counts of another histogram.
    pub(super) fn merge(&mut self, other: &Self) {
        for (at, theirs) in other.pages.iter().enumerate() {
            let Some(theirs) = theirs else { continue };
            for (mine, theirs) in self.page(at).iter_mut().zip(theirs.iter()) {
                *mine += theirs;
            }
        }
    }

    /// Replaces ascending fractions by nearest-rank percentiles, in one pass: the top of the first bucket such that at least this fraction of all
    /// `count` values is at or below it.
    pub(super) fn look_up(&self, count: u64, fractions: &mut [f64]) {
        let mut buckets = self
            .pages
            .iter()
            .enumerate()
            .filter_map(|(at, page)| Some((at * PAGE, page.as_ref()?)))
            .flat_map(|(base, page)| (base..).zip(page.iter()));
        let (mut below, mut value) = (0u64, 0u64);
        for place in fractions {
            let rank = rank(count, *place);
            while below < rank {
                let Some((index, &n)) = buckets.next() else { break };
                if n > 0 {
                    below += n;
                    value = top(index);
                }
            }
            *place = value as f64;
        }
    }
}

/// The nearest rank: ⌈fraction · count⌉, at least 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of a count")]
fn rank(count: u64, fraction: f64) -> u64 {
    ((fraction.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Vec<(u64, u64)>> {
        let value = prop_oneof![0u64..5000, 0u64..1 << 40, 0u64..1 << 62];
        proptest::collection::vec((value, 1u64..100_000), 1..200)
    }

    fn of(values: &[(u64, u64)]) -> (Buckets, Histogram<u64>) {
        let (mut buckets, mut crate_s) = (Buckets::default(), Histogram::new(3).unwrap());
        for &(value, n) in values {
            buckets.record(value, n);
            crate_s.record_n(value, n).unwrap();
        }
        (buckets, crate_s)
    }

    const FRACTIONS: [f64; 9] = [0.0, 1e-12, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999_999, 1.0];

    fn assert_same(buckets: &Buckets, crate_s: &Histogram<u64>) {
        let mut found = FRACTIONS;
        buckets.look_up(crate_s.len(), &mut found);
        for (fraction, found) in FRACTIONS.into_iter().zip(found).skip(1) {
            assert_eq!(found.to_bits(), (crate_s.value_at_quantile(fraction) as f64).to_bits(), "{fraction}");
        }
    }

    proptest! {
        #[test]
        fn buckets_match_the_crate(values in values(), others in values(), value in any::<u64>()) {
            let (mut one, mut crate_one) = of(&values);
            assert_same(&one, &crate_one);
            let (other, crate_other) = of(&others);
            one.merge(&other);
            crate_one.add(&crate_other).unwrap();
            assert_same(&one, &crate_one);
            let value = value >> 1;
            prop_assert_eq!(Buckets::top_of(value), crate_one.highest_equivalent(value));
            prop_assert_eq!(Buckets::top_of(value), top(index(value)));
        }
    }

    #[test]
    fn every_value_up_to_the_largest_has_a_bucket() {
        let mut buckets = Buckets::default();
        buckets.record(u64::MAX, 3);
        let mut found = [0.5, 1.0];
        buckets.look_up(3, &mut found);
        assert_eq!(found.map(f64::to_bits), [u64::MAX as f64, u64::MAX as f64].map(f64::to_bits));
        let mut found = [0.5];
        Buckets::default().look_up(0, &mut found);
        assert_eq!(found[0].to_bits(), 0.0f64.to_bits());
    }

    #[test]
    fn memory_depends_on_the_spread_of_the_values() {
        let mut buckets = Buckets::default();
        (20_000_000..21_000_000).step_by(1000).for_each(|value| buckets.record(value, 1));
        let held =
            buckets.pages.iter().flatten().count() * size_of::<[u64; PAGE]>() + buckets.pages.len() * size_of::<Option<Box<[u64; PAGE]>>>();
        assert!(held < 4096, "{held} B");
    }
}
