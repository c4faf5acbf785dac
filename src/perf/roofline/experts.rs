//! How many routed experts a batch wakes, and how many rows each sees.

use super::work::Quantities;

/// Expected number of distinct experts that `tokens` tokens use when each picks `active` of `routed` uniformly:
/// `E·(1 − (1 − k/E)^T)`.
pub fn expected_distinct_experts(routed: u32, active: u32, tokens: f64) -> f64 {
    if tokens <= 0.0 {
        return 0.0;
    }
    distinct(f64::from(routed), missed_log(routed, active), tokens)
}

/// ln(1 − k/E): logarithm of the chance that one token misses a given expert; −∞ if every token uses all.
fn missed_log(routed: u32, active: u32) -> f64 {
    libm::log1p(-f64::from(active) / f64::from(routed))
}

fn distinct(routed: f64, missed_log: f64, tokens: f64) -> f64 {
    -routed * libm::expm1(tokens * missed_log)
}

/// The routed experts as they lie on the chips of an instance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ExpertSpread {
    /// Experts on one chip, whole or in part.
    per_chip: f64,
    missed_log: f64,
    /// Rows on the mean chip per token of the batch: k / ep.
    rows_per_token: f64,
    hot_rank: f64,
    tile: f64,
}

/// Least rows of a tile.
const LEAST_TILE: f64 = 16.0;

impl ExpertSpread {
    pub(super) fn new(routed: u32, active: u32, ep: u32, hot_rank: f64, tile: u32) -> Self {
        Self {
            per_chip: f64::from(routed) / f64::from(ep),
            missed_log: missed_log(routed, active),
            rows_per_token: f64::from(active) / f64::from(ep),
            hot_rank: if ep == 1 { 1.0 } else { hot_rank },
            tile: f64::from(tile),
        }
    }

    /// Routing sees all `tokens` of the instance, whichever group they come from.
    pub(super) fn fill(&self, tokens: f64, busy: &mut Quantities, mean: &mut Quantities) {
        let active = distinct(self.per_chip, self.missed_log, tokens);
        let rows = tokens * self.rows_per_token;
        mean.expert_rows = rows;
        mean.active_experts = active;
        busy.expert_rows = rows * self.hot_rank;
        busy.active_experts = active;
        // Half a tile is wasted per active expert; kernels choose tiles no larger than the rows call for.
        let tile = (busy.expert_rows / active).min(self.tile).max(LEAST_TILE.min(self.tile));
        busy.expert_padding = 0.5 * tile * active;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_number_of_experts_is_that_of_uniform_routing() {
        // 256·(1 − (1 − 8/256)^T): T = 1 → 8 exactly, then 30.5, 102, 222, 255.9.
        for (tokens, expected, tolerance) in
            [(1.0, 8.0, 1e-9), (4.0, 30.5, 0.1), (16.0, 102.0, 0.5), (64.0, 222.0, 0.5), (256.0, 255.9, 0.1)]
        {
            approx::assert_abs_diff_eq!(expected_distinct_experts(256, 8, tokens), expected, epsilon = tolerance);
        }
        approx::assert_abs_diff_eq!(expected_distinct_experts(8, 8, 1.0), 8.0);
        approx::assert_abs_diff_eq!(expected_distinct_experts(8, 2, 0.0), 0.0);
    }
}
