//! Random streams: one counter-based generator per (seed, purpose, entity), so that no draw depends on the order of others.
//!
//! All sampling is done here, on `libm`, because the standard library's transcendental functions differ between platforms and `rand_distr` takes
//! whichever the build enables. Normal and exponential deviates come from `rand_distr`'s ziggurat tables; the transforms of them are implemented
//! here. Golden-bit tests below pin the bits.

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, Open01, StandardNormal};

/// Purpose of a stream. The numbers determine the results: never reuse or renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Times between arrivals of one workload.
    Arrivals = 1,
    /// Prompt and output lengths of one workload.
    Lengths = 2,
    /// Choices of the router of one pool.
    Routing = 3,
    /// Shared-prefix identities of one workload.
    Prefixes = 4,
    /// Sample of requests that get a row in `requests.csv`.
    Rows = 5,
    /// Requests drawn in a resample of a finished run.
    Resampling = 6,
    /// Calls of the sessions of one workload.
    Sessions = 7,
    /// Think and tool times of one workload.
    Delays = 8,
    /// Choices of the admission policy of one model.
    Admission = 9,
    /// Choices of one instance's queue order.
    Queue = 10,
    /// Choices of one instance's preemption policy.
    Preemption = 11,
    /// Choices of one instance's batching policy.
    Batching = 12,
    /// Choices of the controller.
    Control = 13,
    /// Choices of one model's decider on disaggregation.
    Disaggregation = 14,
    /// Choices of one instance's eviction policy.
    Eviction = 15,
}

/// Root of all randomness of a run.
#[derive(Debug, Clone, Copy)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// The streams of a seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The stream of one entity for one purpose. Equal arguments give equal draws.
    pub fn stream(&self, purpose: Purpose, entity: u32) -> Stream {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream((u64::from(purpose as u32) << 32) | u64::from(entity));
        Stream { rng }
    }

    /// A uniform number in 0 to 2⁶⁴ − 1 for item `item`, independent of the other draws and their order: output `item` of the generator `SplitMix64`
    /// (Steele, Lea and Flood, 2014) of this seed and purpose.
    pub const fn number(&self, purpose: Purpose, item: u64) -> u64 {
        let state = mixed(mixed(self.seed.wrapping_add(GOLDEN)).wrapping_add(purpose as u64));
        mixed(state.wrapping_add(item.wrapping_add(1).wrapping_mul(GOLDEN)))
    }
}

/// 2⁶⁴ / φ, odd: the step of `SplitMix64`.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of `SplitMix64`, a bijection in which every bit depends on every other.
const fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// One independent sequence of draws.
#[derive(Debug, Clone)]
pub struct Stream {
    rng: ChaCha8Rng,
}

impl Stream {
    /// Uniform in the open interval (0, 1).
    pub fn uniform(&mut self) -> f64 {
        Open01.sample(&mut self.rng)
    }

    /// Uniform integer in `0..n`; 0 for n = 0. Lemire's multiply-shift: the bias is below n / 2⁶⁴.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.rng.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        Exp1.sample(&mut self.rng)
    }

    /// Normal with mean 0 and standard deviation 1.
    pub fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.rng)
    }

    /// Lognormal: exp(mu + sigma·Z).
    pub fn lognormal(&mut self, mu: f64, sigma: f64) -> f64 {
        libm::exp(mu + sigma * self.normal())
    }

    /// Weibull with scale 1 and the given shape (> 0): E^(1/shape) for exponential E.
    pub fn weibull(&mut self, shape: f64) -> f64 {
        let e = self.exponential();
        libm::pow(e, 1.0 / shape)
    }

    /// Gamma with scale 1 and the given shape (> 0), by Marsaglia and Tsang (2000); below shape 1 by their boost U^(1/shape).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = libm::pow(self.uniform(), 1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = 1.0 + c * x;
            if v <= 0.0 {
                continue;
            }
            let v = v * v * v;
            if libm::log(self.uniform()) < 0.5 * x * x + d - d * v + d * libm::log(v) {
                return d * v;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Stream {
        Streams::new(7).stream(Purpose::Arrivals, 0)
    }

    fn moments(mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let n = 200_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..n {
            let x = draw();
            sum += x;
            squares += x * x;
        }
        let mean = sum / f64::from(n);
        (mean, squares / f64::from(n) - mean * mean)
    }

    #[test]
    fn moments_match_the_distributions() {
        let mut s = stream();
        let (mean, variance) = moments(|| s.exponential());
        approx::assert_relative_eq!(mean, 1.0, max_relative = 0.02);
        approx::assert_relative_eq!(variance, 1.0, max_relative = 0.03);
        for shape in [0.3, 1.0, 4.5] {
            let (mean, variance) = moments(|| s.gamma(shape));
            approx::assert_relative_eq!(mean, shape, max_relative = 0.02);
            approx::assert_relative_eq!(variance, shape, max_relative = 0.05);
        }
        // Weibull of shape 2: mean Γ(1.5) = √π/2.
        let (mean, _) = moments(|| s.weibull(2.0));
        approx::assert_relative_eq!(mean, std::f64::consts::PI.sqrt() / 2.0, max_relative = 0.01);
        let (mean, _) = moments(|| s.lognormal(1.0, 0.5));
        approx::assert_relative_eq!(mean, (1.0f64 + 0.125).exp(), max_relative = 0.02);
    }

    #[test]
    fn streams_of_different_purposes_and_entities_differ() {
        let streams = Streams::new(7);
        let mut draws: Vec<u64> = Vec::new();
        for purpose in [Purpose::Arrivals, Purpose::Lengths, Purpose::Routing] {
            for entity in 0..4 {
                draws.push(streams.stream(purpose, entity).below(u64::MAX));
            }
        }
        let total = draws.len();
        draws.sort_unstable();
        draws.dedup();
        assert_eq!(draws.len(), total);
    }

    #[test]
    fn below_covers_exactly_its_range() {
        let mut s = stream();
        let mut seen = [0u32; 5];
        for _ in 0..5000 {
            seen[usize::try_from(s.below(5)).unwrap()] += 1;
        }
        assert!(seen.iter().all(|&n| (850..1150).contains(&n)), "{seen:?}");
        assert_eq!(s.below(0), 0);
    }

    /// The first outputs of the reference implementation (Vigna, `splitmix64.c`) from state 0.
    #[test]
    fn the_mix_is_splitmix64() {
        let outputs = [1u64, 2, 3].map(|step| mixed(GOLDEN.wrapping_mul(step)));
        assert_eq!(outputs, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
    }

    #[test]
    fn golden_numbers() {
        let streams = Streams::new(7);
        let numbers = [0, 1, u64::MAX].map(|item| streams.number(Purpose::Rows, item));
        assert_eq!(numbers, [402_893_309_495_828_655, 4_899_467_198_223_353_985, 17_201_141_943_332_494_646]);
    }

    /// These bits determine every published result: if this test fails, results of the same seed have changed.
    #[test]
    fn golden_bits() {
        let mut s = stream();
        let bits =
            [s.uniform(), s.exponential(), s.normal(), s.lognormal(0.0, 1.0), s.weibull(1.7), s.gamma(0.5), s.gamma(2.5)].map(f64::to_bits);
        insta::assert_debug_snapshot!(bits);
    }
}
