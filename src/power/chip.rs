//! Power of one chip as a function of its activity.

use thiserror::Error;

use crate::hardware::ChipPower;

/// Invalid parameters of a power law. User error.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PowerError {
    /// The powers are out of order or not finite.
    #[error("chip power: found idle {idle} W, busy floor {floor} W, tdp {tdp} W, expected 0 ≤ idle ≤ floor ≤ tdp and tdp > 0")]
    Order {
        /// W.
        idle: f64,
        /// W.
        floor: f64,
        /// W.
        tdp: f64,
    },
    /// The activity weights are out of range.
    #[error("chip power: found compute saturation {saturation} and memory weight {weight}, expected more than 0 and at least 0")]
    Weights {
        /// Fraction of peak compute.
        saturation: f64,
        /// Factor.
        weight: f64,
    },
    /// Chips, node or overhead out of range.
    #[error("instance power: found {chips} chips of a node of {node_chips}, {fixed} W and {proportional} W/W of overhead")]
    Node {
        /// Chips of the instance.
        chips: u32,
        /// Chips of the node.
        node_chips: u32,
        /// W.
        fixed: f64,
        /// W per W.
        proportional: f64,
    },
}

/// The power law of one chip.
///
/// An idle chip draws `idle`. With any activity it draws `floor`: clocks are up, the fabric and the memory interface are awake. On top of that,
/// compute and memory traffic each add power in proportion to the fraction of peak in use, up to the board limit:
///
/// ```text
/// P(t) = floor + (tdp − floor) · min(1, u_c / u_c* + w_m · u_m)
/// ```
///
/// `u_c*` is the fraction of peak compute at which compute alone reaches the limit; matrix products reach it well below the peak, as the limit
/// throttles them. `w_m` is the share of the rise caused by full memory bandwidth.
/// Basis: power measured on isolated kernels (`ai-dynamo/aiconfigurator`) gives the shape and the cap at TDP; the ML.ENERGY v3 serving runs give the
/// parameters of H100 and B200 (RMS error 7.6 and 5.5 % of TDP). The law describes averages over an iteration, not transients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChipPowerModel {
    idle_w: f64,
    floor_w: f64,
    tdp_w: f64,
    compute_saturation: f64,
    memory_weight: f64,
}

impl ChipPowerModel {
    /// From watts; `busy_floor` is a fraction of `tdp_w`, `compute_saturation` in (0, 1], `memory_weight` ≥ 0.
    pub fn new(idle_w: f64, busy_floor: f64, tdp_w: f64, compute_saturation: f64, memory_weight: f64) -> Result<Self, PowerError> {
        let floor_w = busy_floor * tdp_w;
        let ordered = idle_w >= 0.0 && idle_w <= floor_w && floor_w <= tdp_w && tdp_w > 0.0 && tdp_w.is_finite();
        if !ordered {
            return Err(PowerError::Order { idle: idle_w, floor: floor_w, tdp: tdp_w });
        }
        if !(compute_saturation > 0.0 && compute_saturation.is_finite() && memory_weight >= 0.0 && memory_weight.is_finite()) {
            return Err(PowerError::Weights { saturation: compute_saturation, weight: memory_weight });
        }
        Ok(Self { idle_w, floor_w, tdp_w, compute_saturation, memory_weight })
    }

    /// From the `power` block of a chip profile.
    pub fn from_profile(power: &ChipPower) -> Result<Self, PowerError> {
        Self::new(
            power.idle.value.get(),
            power.busy_floor.value.get(),
            power.tdp.value.get(),
            power.compute_saturation.value.get(),
            power.memory_weight.value.get(),
        )
    }

    /// Power with a model loaded and no work, W.
    pub const fn idle_w(&self) -> f64 {
        self.idle_w
    }

    /// Power at the onset of any activity, W.
    pub const fn floor_w(&self) -> f64 {
        self.floor_w
    }

    /// Board limit, W.
    pub const fn tdp_w(&self) -> f64 {
        self.tdp_w
    }

    /// Energy of one iteration, watt-nanoseconds (= nanojoules), not rounded.
    ///
    /// `compute_ns` and `memory_ns` are the times of its arithmetic and its memory traffic at the peaks, so `u_c = compute_ns / duration_ns` and `u_m
    /// = memory_ns / duration_ns`; multiplied by the duration `T`, the law needs no division: `E = floor·T + (tdp − floor)·min(T, compute_ns / u_c* +
    /// w_m · memory_ns)`. Hence `floor·T ≤ E ≤ tdp·T`.
    pub fn iteration_nj(&self, duration_ns: u64, compute_ns: f64, memory_ns: f64) -> f64 {
        let duration = duration_ns as f64;
        self.energy_nj(duration, duration.min(self.activity_ns(compute_ns, memory_ns)))
    }

    /// Activity times duration, below the board limit: `compute_ns / u_c* + w_m · memory_ns`, nanoseconds.
    pub(super) fn activity_ns(&self, compute_ns: f64, memory_ns: f64) -> f64 {
        compute_ns / self.compute_saturation + self.memory_weight * memory_ns
    }

    /// Energy of `busy_ns` at the floor, of which `active_ns` (at most `busy_ns`) count as at the limit, watt-nanoseconds.
    pub(super) fn energy_nj(&self, busy_ns: f64, active_ns: f64) -> f64 {
        self.floor_w * busy_ns + (self.tdp_w - self.floor_w) * active_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::{Catalogue, Chip};
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    // idle 100 W, floor 200 W, tdp 700 W, u_c* = 0.5, w_m = 0.6.
    fn model() -> ChipPowerModel {
        ChipPowerModel::new(100.0, 2.0 / 7.0, 700.0, 0.5, 0.6).unwrap()
    }

    fn share_of_tdp(chip: &str, mfu: f64, mbu: f64) -> f64 {
        let chip: Chip = Catalogue::built_in().find(chip).unwrap();
        let power = ChipPowerModel::from_profile(&chip.power).unwrap();
        power.iteration_nj(1_000_000, mfu * 1e6, mbu * 1e6) / 1e6 / power.tdp_w()
    }

    #[test]
    fn energy_agrees_with_arithmetic_by_hand() {
        // 10 ms, u_c = 0.1, u_m = 0.5: 200 + 500 · (0.1/0.5 + 0.6·0.5) = 200 + 500 · 0.5 = 450 W; · 10 ms = 4.5 J = 4.5e9 nJ.
        assert_relative_eq!(model().iteration_nj(10_000_000, 1e6, 5e6), 4.5e9, max_relative = 1e-12);
        // No work: the floor. 200 W · 1 µs = 200 µJ = 2e5 nJ.
        assert_relative_eq!(model().iteration_nj(1000, 0.0, 0.0), 2e5, max_relative = 1e-12);
        assert_relative_eq!(model().iteration_nj(0, 0.0, 0.0), 0.0);
    }

    #[test]
    fn power_is_capped_at_tdp() {
        // u_c = 0.9 would give 200 + 500 · 1.8; the limit is 700 W. 700 W · 1 ms = 0.7 J.
        assert_relative_eq!(model().iteration_nj(1_000_000, 9e5, 1e6), 7e8, max_relative = 1e-12);
    }

    #[test]
    fn on_an_h100_decode_draws_about_half_and_prefill_nearly_all_of_tdp() {
        // Decode of a small batch: a few percent of compute, half of the bandwidth.
        let decode = share_of_tdp("h100-sxm", 0.02, 0.50);
        assert!((0.45..=0.65).contains(&decode), "{decode}");
        // Prefill of long chunks: 45 to 60 % of compute.
        for mfu in [0.40, 0.45, 0.60] {
            let prefill = share_of_tdp("h100-sxm", mfu, 0.10);
            assert!((0.9..=1.0).contains(&prefill), "{prefill}");
        }
    }

    #[test]
    fn the_law_agrees_with_public_serving_measurements() {
        // ML.ENERGY v3, Llama-3.1-8B bf16 on one H100: at batch 32 it writes 32 tokens in 9.4 ms on average, at 0.80 of TDP. Weights
        // 15 GB and 32 · 0.5k tokens of KV · 131 kB ≈ 2 GB read: u_m = 17 GB / 9.4 ms / 3.35 TB/s = 0.54; u_c with prompts ≈ 0.09.
        assert_relative_eq!(share_of_tdp("h100-sxm", 0.09, 0.54), 0.80, epsilon = 0.08);
        // Llama-3.3-70B bf16 on two B200 at batch 32: 0.88 of TDP at u_m = 0.47, u_c = 0.09.
        assert_relative_eq!(share_of_tdp("b200", 0.09, 0.47), 0.88, epsilon = 0.08);
    }

    #[test]
    fn invalid_parameters_are_rejected() {
        assert!(matches!(ChipPowerModel::new(300.0, 0.3, 700.0, 0.5, 0.5), Err(PowerError::Order { .. })));
        assert!(matches!(ChipPowerModel::new(100.0, 0.3, f64::NAN, 0.5, 0.5), Err(PowerError::Order { .. })));
        assert!(matches!(ChipPowerModel::new(0.0, 0.0, 0.0, 0.5, 0.5), Err(PowerError::Order { .. })));
        assert!(matches!(ChipPowerModel::new(100.0, 0.3, 700.0, 0.0, 0.5), Err(PowerError::Weights { .. })));
        assert!(matches!(ChipPowerModel::new(100.0, 0.3, 700.0, 0.5, f64::NAN), Err(PowerError::Weights { .. })));
    }

    proptest! {
        #[test]
        fn power_rises_with_activity_and_stays_within_floor_and_tdp(
            t in 1u64..10_000_000_000, c in 0.0f64..1.0, m in 0.0f64..1.0, dc in 0.0f64..0.5, dm in 0.0f64..0.5,
        ) {
            let duration = t as f64;
            let energy = |c: f64, m: f64| model().iteration_nj(t, c * duration, m * duration);
            prop_assert!(energy(c + dc, m) >= energy(c, m));
            prop_assert!(energy(c, m + dm) >= energy(c, m));
            let power = energy(c, m) / duration;
            prop_assert!((199.999..=700.001).contains(&power), "{}", power);
        }
    }
}
