//! Properties of an interval from the influence series of a statistic: block length, blocks, widening of the levels.

use super::dependence::Dependence;
use super::interval::Levels;
use crate::metrics::student_t;

/// Parameters for resampling a statistic and its interval.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    /// Mean block length, in units.
    pub(super) length: f64,
    /// Blocks of this length in the series.
    pub(super) blocks: f64,
    dependence: Dependence,
    moments: Moments,
}

impl Evidence {
    /// From the contribution of each unit to the error of a statistic. The block length is the largest of those of `influence` and of its `parts`, so
    /// that a poor weighting of the parts does not shorten it. A series with unlimited memory is one block.
    pub(super) fn of(mut influence: Vec<f64>, parts: &[Vec<f64>]) -> Self {
        scale(&mut influence);
        let count = influence.len() as f64;
        let own = Dependence::of(&influence);
        let others = parts.iter().map(|part| Dependence::of(part));
        let length = std::iter::once(own).chain(others).map(|d| d.map_or(count, |d| d.length(count))).fold(1.0, f64::max);
        let moments = Moments::of(&influence, whole(length));
        Self { length, blocks: count / length, dependence: own.unwrap_or(Dependence { span: 0.0 }), moments }
    }

    /// Levels of the percentile interval: the deviate is Student's t with the degrees of freedom of the block sums, times `√(B/(B−1))`, as the
    /// variance of a resample of `B` blocks is too small by that factor squared (Hesterberg, *What teachers should know about the bootstrap*,
    /// American Statistician 69, 2015), times the factor by which the bootstrap understates the deviation.
    pub(super) fn levels(&self, accelerated: bool) -> Levels {
        let degrees = self.moments.degrees.min(self.blocks - 1.0).floor().max(1.0);
        let few = (self.blocks / (self.blocks - 1.0).max(1.0)).sqrt();
        Levels {
            deviates: student_t(degrees) * few * self.dependence.understated(self.length),
            acceleration: if accelerated { self.moments.acceleration } else { 0.0 },
        }
    }
}

/// A mean block length as an integer number of units.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a length")]
pub(super) fn whole(length: f64) -> usize {
    length.ceil() as usize
}

/// Divides by the largest value, so that no power overflows. A series with an infinite value becomes all zeros.
fn scale(values: &mut [f64]) {
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let usable = largest > 0.0 && largest.is_finite() && values.iter().all(|value| value.is_finite());
    for value in values {
        *value = if usable { *value / largest } else { 0.0 };
    }
}

/// Moments of the sums `S` of consecutive blocks.
#[derive(Debug, Clone, Copy)]
struct Moments {
    /// Degrees of freedom of `ΣS²` as an estimate of the variance, after Satterthwaite (*An approximate distribution of estimates of variance
    /// components*, Biometrics Bulletin 2, 1946): twice its square over its variance, `2(ΣS²)² / (ΣS⁴ − (ΣS²)²/B)`. `B` for normal sums; few if a few
    /// bursts dominate.
    degrees: f64,
    /// `ΣS³ / 6(ΣS²)^(3/2)`.
    acceleration: f64,
}

impl Moments {
    fn of(influence: &[f64], block: usize) -> Self {
        let mean = influence.iter().sum::<f64>() / influence.len() as f64;
        let (mut second, mut third, mut fourth, mut blocks) = (0.0, 0.0, 0.0, 0.0);
        for block in influence.chunks(block.max(1)) {
            let sum: f64 = block.iter().map(|value| value - mean).sum();
            second += sum * sum;
            third += sum * sum * sum;
            fourth += sum * sum * sum * sum;
            blocks += 1.0;
        }
        if second <= 0.0 {
            return Self { degrees: blocks, acceleration: 0.0 };
        }
        let surplus = fourth - second * second / blocks;
        let degrees = if surplus > 0.0 { 2.0 * second * second / surplus } else { blocks };
        Self { degrees, acceleration: third / (6.0 * second * second.sqrt()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_has_few_degrees_of_freedom() {
        // Ten blocks, one of which differs: mean 1, sums −1 nine times and 9: ΣS² = 90, ΣS³ = 720, ΣS⁴ = 6570.
        let mut influence = vec![0.0; 10];
        influence[4] = 10.0;
        let moments = Moments::of(&influence, 1);
        approx::assert_relative_eq!(moments.degrees, 2.0 * 8100.0 / (6570.0 - 810.0), max_relative = 1e-12);
        approx::assert_relative_eq!(moments.acceleration, 720.0 / (6.0 * 90.0_f64.powf(1.5)), max_relative = 1e-12);
    }

    #[test]
    fn levels_are_students_t_widened_for_few_blocks() {
        let alternating: Vec<f64> = (0..100).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let evidence = Evidence::of(alternating, &[]);
        approx::assert_relative_eq!(evidence.length, 1.0);
        // t(99) = 1.984, √(100/99) = 1.005.
        approx::assert_relative_eq!(evidence.levels(true).deviates, 1.984 * 1.005, max_relative = 1e-3);
    }

    #[test]
    fn the_longest_memory_determines_the_block_length() {
        let slow: Vec<f64> = (0..4000).map(|i| if i / 50 % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let alone = Evidence::of(vec![0.0; 4000], &[]);
        let with = Evidence::of(vec![0.0; 4000], &[slow]);
        approx::assert_relative_eq!(alone.blocks, 4000.0);
        assert!(with.blocks < alone.blocks, "{with:?}");
    }

    #[test]
    fn values_too_large_to_be_squared_are_scaled() {
        let huge: Vec<f64> = (0..64).map(|i| f64::from(i % 3) * 1e200).collect();
        assert!(Evidence::of(huge, &[]).levels(true).deviates.is_finite());
        assert!(Evidence::of(vec![f64::INFINITY; 64], &[]).levels(true).deviates.is_finite());
    }
}
