//! Confidence interval of a share of requests: consecutive requests are correlated, so they are counted in batches by order of arrival, and the
//! spread between batches gives the interval (batch means of a ratio; Law, *Simulation Modeling and Analysis*, chapter 9).

use super::student::student_t;

/// Maximum number of batches; when it is reached, batches are merged in pairs.
const MOST: usize = 64;

/// Ends of a 95 % confidence interval of a share, each 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShareInterval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Requests of one class and those that met all limits, by order of arrival.
#[derive(Debug, Clone)]
pub(super) struct Attainment {
    /// Ids per batch.
    batch: u64,
    /// Requests judged and requests that met all limits.
    counts: Vec<[u64; 2]>,
}

impl Attainment {
    pub(super) const fn new() -> Self {
        Self { batch: 1, counts: Vec::new() }
    }

    /// Counts a request by its number in order of arrival.
    pub(super) fn note(&mut self, id: u64, good: bool) {
        let index = loop {
            match usize::try_from(id / self.batch) {
                Ok(index) if index < MOST => break index,
                _ => self.join(),
            }
        };
        if self.counts.len() <= index {
            self.counts.resize(index + 1, [0, 0]);
        }
        self.counts[index][0] += 1;
        self.counts[index][1] += u64::from(good);
    }

    /// Merges the batches in pairs.
    fn join(&mut self) {
        self.batch *= 2;
        self.counts = self.counts.chunks(2).map(|pair| pair.iter().fold([0, 0], |a, b| [a[0] + b[0], a[1] + b[1]])).collect();
    }

    /// Requests judged.
    pub(super) fn judged(&self) -> u64 {
        self.counts.iter().map(|[judged, _]| judged).sum()
    }

    /// Requests that met all limits.
    pub(super) fn good(&self) -> u64 {
        self.counts.iter().map(|[_, good]| good).sum()
    }

    /// The 95 % interval of the share of good requests; `None` if none was judged.
    ///
    /// With B batches of `n` requests, `k` of them good, `p = Σk/Σn`: the variance of `p` is `B/(B−1) · Σ(k − p·n)² / (Σn)²`, or that of independent
    /// requests if larger; the half-width is Student's t of B − 1 degrees of freedom times its root. If all or none are good, the interval extends
    /// `3/Σn` inwards (rule of three).
    pub(super) fn interval(&self) -> Option<ShareInterval> {
        let (all, good) = (self.judged() as f64, self.good() as f64);
        if all < 1.0 {
            return None;
        }
        let share = good / all;
        let batches: Vec<&[u64; 2]> = self.counts.iter().filter(|[judged, _]| *judged > 0).collect();
        let degrees = batches.len().saturating_sub(1) as f64;
        let squares: f64 = batches.iter().map(|[n, k]| (*k as f64 - share * *n as f64).powi(2)).sum();
        let clustered = if degrees > 0.0 { (degrees + 1.0) / degrees * squares / (all * all) } else { 0.0 };
        let independent = share * (1.0 - share) / all;
        let half = student_t(degrees) * clustered.max(independent).sqrt();
        let unseen = 3.0 / all;
        let (low, high) = match (self.good() == 0, self.good() == self.judged()) {
            (true, _) => (0.0, unseen),
            (_, true) => (1.0 - unseen, 1.0),
            _ => (share - half, share + half),
        };
        Some(ShareInterval { low: low.clamp(0.0, 1.0), high: high.clamp(0.0, 1.0) })
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    fn of(outcomes: impl IntoIterator<Item = bool>) -> Attainment {
        let mut attainment = Attainment::new();
        for (id, good) in (0..).zip(outcomes) {
            attainment.note(id, good);
        }
        attainment
    }

    #[test]
    fn independent_requests_have_the_binomial_interval() {
        // Every hundredth of 64,000 fails, evenly: batches are equal, so p ± t · √(p(1−p)/n) with 62 or 63 degrees of freedom.
        let even = of((0..64_000).map(|i| i % 100 != 0));
        let interval = even.interval().unwrap();
        let half = 1.999 * (0.99 * 0.01 / 64_000.0_f64).sqrt();
        assert_relative_eq!(interval.low, 0.99 - half, max_relative = 1e-5);
        assert_relative_eq!(interval.high, 0.99 + half, max_relative = 1e-5);
    }

    #[test]
    fn clustered_failures_widen_the_interval() {
        let even = of((0..6400).map(|i| i % 100 != 0)).interval().unwrap();
        let burst = of((0..6400).map(|i| !(3000..3064).contains(&i))).interval().unwrap();
        assert!(burst.high - burst.low > 3.0 * (even.high - even.low), "{even:?} {burst:?}");
        // By hand: one batch of 128 ids (of 50) has 64 failures or two share them; here ids 3000 to 3063 are all in batch 23.
        let (p, n) = (6336.0 / 6400.0_f64, 6400.0_f64);
        let squares = 49.0 * (128.0 * (1.0 - p)).powi(2) + (64.0_f64 - 128.0 * p).powi(2);
        let half = student_t(49.0) * (50.0 / 49.0 * squares).sqrt() / n;
        assert_relative_eq!(burst.low, p - half, max_relative = 1e-9);
    }

    #[test]
    fn few_requests_without_failure_give_a_wide_interval() {
        assert_eq!(of([true; 10]).interval(), Some(ShareInterval { low: 0.7, high: 1.0 }));
        assert_eq!(of([false]).interval(), Some(ShareInterval { low: 0.0, high: 1.0 }));
        assert_eq!(Attainment::new().interval(), None);
    }

    #[test]
    fn merging_batches_keeps_the_counts() {
        let mut attainment = Attainment::new();
        for id in (0..10_000_u64).rev() {
            attainment.note(id * 3, id % 7 != 0);
        }
        assert_eq!((attainment.judged(), attainment.good()), (10_000, 10_000 - 1429));
        assert!(attainment.counts.len() <= MOST);
    }

    /// The interval has about its nominal coverage, even if requests come in correlated groups.
    #[test]
    fn the_interval_has_about_its_nominal_coverage() {
        let mut covered = 0;
        for seed in 0..400_u64 {
            let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            let mut draw = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 11) as f64 / (1_u64 << 53) as f64
            };
            // Groups of 20 requests that all fail with probability 5 %: 95 % are good.
            let fates: Vec<bool> = (0..300).map(|_| draw() >= 0.05).collect();
            let interval = of((0..6000).map(|i| fates[i / 20])).interval().unwrap();
            covered += u32::from((interval.low..=interval.high).contains(&0.95));
        }
        assert!((360..=396).contains(&covered), "{covered} of 400");
    }
}
