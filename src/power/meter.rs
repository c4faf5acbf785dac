//! Exact energy sums by phase.

use std::ops::{Add, AddAssign, Sub};

use crate::units::nearest_wide;

/// Picojoules per joule.
const PJ_PER_J: f64 = 1e12;
/// Picojoules per nanojoule, which is also milliwatts per watt.
const PJ_PER_NJ: f64 = 1e3;

/// Rounds nanojoules to whole picojoules. A valid power law gives no negative or NaN values; they count as zero.
pub(super) fn to_pj(nj: f64) -> u128 {
    debug_assert!(nj >= 0.0 && nj.is_finite(), "{nj} nJ");
    nearest_wide(nj * PJ_PER_NJ)
}

/// Conversion to a float.
fn float(pj: u128) -> f64 {
    u64::try_from(pj).map_or_else(|_| wide(pj), |pj| pj as f64)
}

/// Conversion of 128 bits takes several times as long as 64: out of line, or it would be computed needlessly up front.
#[cold]
#[inline(never)]
fn wide(pj: u128) -> f64 {
    pj as f64
}

fn joules(pj: u128) -> f64 {
    float(pj) / PJ_PER_J
}

/// An amount of energy at two boundaries, in whole picojoules. `u128` holds 10^26 J.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Energy {
    /// Drawn by the chips, pJ.
    pub chip_pj: u128,
    /// Drawn by chips and their share of the node, pJ; at least `chip_pj`.
    pub it_pj: u128,
}

impl Energy {
    /// Zero energy.
    pub const ZERO: Self = Self { chip_pj: 0, it_pj: 0 };

    /// Energy drawn by the chips, J.
    pub fn chip_j(self) -> f64 {
        joules(self.chip_pj)
    }

    /// Energy drawn by chips and node, J.
    pub fn it_j(self) -> f64 {
        joules(self.it_pj)
    }

    /// Splits off the part `share` (clamped to 0 to 1): `(part, rest)`, which add up to the whole exactly.
    #[must_use]
    pub fn split(self, share: f64) -> (Self, Self) {
        if share <= 0.0 {
            return (Self::ZERO, self);
        }
        if share >= 1.0 {
            return (self, Self::ZERO);
        }
        let part = Self { chip_pj: portion(self.chip_pj, share), it_pj: portion(self.it_pj, share) };
        (part, self - part)
    }
}

fn portion(all: u128, share: f64) -> u128 {
    // Rounding to f64 may have been upwards.
    nearest_wide(float(all) * share).min(all)
}

impl Add for Energy {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { chip_pj: self.chip_pj + other.chip_pj, it_pj: self.it_pj + other.it_pj }
    }
}

impl AddAssign for Energy {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Energy {
    type Output = Self;
    /// The amount between two cumulative sums; `other` is the earlier one.
    fn sub(self, other: Self) -> Self {
        debug_assert!(self.chip_pj >= other.chip_pj && self.it_pj >= other.it_pj, "{self:?} − {other:?}");
        Self { chip_pj: self.chip_pj.saturating_sub(other.chip_pj), it_pj: self.it_pj.saturating_sub(other.it_pj) }
    }
}

/// Use of energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Prefill: computing prompts.
    Prefill,
    /// Decode: generating tokens.
    Decode,
    /// Sending or receiving KV without computation.
    Transfer,
    /// Idle.
    Idle,
    /// Loading weights, compiling.
    Startup,
}

impl Phase {
    /// All phases in the order of reports.
    pub const ALL: [Self; 5] = [Self::Prefill, Self::Decode, Self::Transfer, Self::Idle, Self::Startup];

    /// The word used in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prefill => "prefill",
            Self::Decode => "decode",
            Self::Transfer => "transfer",
            Self::Idle => "idle",
            Self::Startup => "startup",
        }
    }
}

/// Energy booked by phase. Every amount is booked to exactly one phase, or split exactly between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EnergyMeter {
    by_phase: [Energy; 5],
}

impl EnergyMeter {
    /// Books `energy` to `phase`.
    pub fn add(&mut self, phase: Phase, energy: Energy) {
        self.by_phase[phase as usize] += energy;
    }

    /// Books an iteration to prefill and decode; `prefill_share` (0 to 1) is the share caused by prefill.
    pub fn add_iteration(&mut self, energy: Energy, prefill_share: f64) {
        let (prefill, decode) = energy.split(prefill_share);
        self.add(Phase::Prefill, prefill);
        self.add(Phase::Decode, decode);
    }

    /// Adds all amounts booked in `other`.
    pub fn merge(&mut self, other: &Self) {
        for phase in Phase::ALL {
            self.add(phase, other.of(phase));
        }
    }

    /// Energy booked to `phase`.
    pub const fn of(&self, phase: Phase) -> Energy {
        self.by_phase[phase as usize]
    }

    /// Total booked.
    pub fn total(&self) -> Energy {
        self.by_phase.iter().fold(Energy::ZERO, |sum, energy| sum + *energy)
    }

    /// Energy booked since `earlier`, a copy of this meter taken then.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self { by_phase: std::array::from_fn(|i| self.by_phase[i] - earlier.by_phase[i]) }
    }
}

/// Energy at the facility meter, J: IT energy times `pue` (at least 1; cooling, conversion, light).
pub fn facility_j(it_j: f64, pue: f64) -> f64 {
    it_j * pue
}

/// Emissions of `facility_j` at `g_per_kwh`, g.
pub fn carbon_g(facility_j: f64, g_per_kwh: f64) -> f64 {
    facility_j / 3.6e6 * g_per_kwh
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    #[test]
    fn phases_add_up_to_the_total() {
        let mut meter = EnergyMeter::default();
        for (i, phase) in (1u128..).zip(Phase::ALL) {
            meter.add(phase, Energy { chip_pj: i, it_pj: 10 * i });
        }
        let before = meter;
        meter.add_iteration(Energy { chip_pj: 100, it_pj: 201 }, 0.25);
        assert_eq!(meter.total(), Energy { chip_pj: 115, it_pj: 351 });
        assert_eq!(meter.of(Phase::Prefill), Energy { chip_pj: 26, it_pj: 60 });
        assert_eq!(meter.since(&before).of(Phase::Decode), Energy { chip_pj: 75, it_pj: 151 });
        let mut twice = meter;
        twice.merge(&meter);
        assert_eq!(twice.total(), meter.total() + meter.total());
    }

    #[test]
    fn facility_energy_and_carbon_agree_with_arithmetic_by_hand() {
        // 3.6 MJ = 1 kWh of IT at PUE 1.12 and 370 g/kWh: 1.12 kWh, 414.4 g.
        assert_relative_eq!(facility_j(3.6e6, 1.12), 4.032e6);
        assert_relative_eq!(carbon_g(4.032e6, 370.0), 414.4, max_relative = 1e-12);
    }

    proptest! {
        #[test]
        fn parts_sum_exactly_to_the_whole(chip in 0u128..u128::MAX / 4, extra in 0u128..u128::MAX / 4, share in -0.5f64..1.5) {
            let whole = Energy { chip_pj: chip, it_pj: chip + extra };
            let (part, rest) = whole.split(share);
            prop_assert_eq!(part + rest, whole);
        }
    }
}
