//! Draws that depend only on seed and index, and on no crate: the same at every commit.

/// `SplitMix64` (Steele, Lea and Flood 2014).
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64, index: u64) -> Self {
        let mut rng = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ index.wrapping_mul(0xD1B5_4A32_D192_ED03));
        // Neighbouring indices differ in few bits, so the first output is skipped.
        rng.next();
        rng
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    pub(crate) fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// From `low` to `high`, small values as often as large ones, for ranges over several orders of magnitude.
    pub(crate) fn spread(&mut self, low: u64, high: u64) -> u64 {
        let mut top = low;
        let mut steps = 0;
        while top < high {
            top = top.saturating_mul(2).min(high);
            steps += 1;
        }
        let step = self.range(1, steps.max(1));
        let (bottom, top) = ((low << (step - 1)).min(high), (low << step).min(high));
        self.range(bottom, top)
    }

    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.range(1, 100) <= chance
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let last = of.len().saturating_sub(1) as u64;
        &of[usize::try_from(self.range(0, last)).unwrap_or(0)]
    }
}
