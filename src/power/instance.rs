//! Power of an instance: its chips and its share of the node.

use super::chip::{ChipPowerModel, PowerError};
use super::meter::{Energy, to_pj};
use crate::hardware::{Node, NodeOverhead};
use crate::sim::SimDuration;

/// Power of a node besides its chips.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodePower {
    /// Chips in the node, at least 1.
    pub chips: u32,
    /// Constant draw of the whole node, W.
    pub fixed_w: f64,
    /// Watts per watt of chip power.
    pub proportional: f64,
}

impl NodePower {
    /// From a node profile.
    pub fn from_profile(node: &Node) -> Self {
        let NodeOverhead { fixed, proportional } = &node.overhead;
        Self { chips: node.chips, fixed_w: fixed.value.get(), proportional: proportional.value.get() }
    }

    /// Maximum IT power of the whole node, W: the power a site must provision for it.
    pub fn max_it_w(&self, chip: &ChipPowerModel) -> f64 {
        f64::from(self.chips) * chip.tdp_w() * (1.0 + self.proportional) + self.fixed_w
    }
}

/// Power of `n` chips of nodes of `m` chips each: the chips, `n/m` of the fixed overhead, and the proportional overhead of the chips' power. An
/// instance on several nodes (`n > m`) takes several fixed overheads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InstancePower {
    law: InstanceLaw,
    idle: Milliwatts,
    floor: Milliwatts,
}

/// Power of a computing instance, from the activity of one chip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct InstanceLaw {
    chips: u32,
    pub(super) chip: ChipPowerModel,
    proportional: f64,
    /// The instance's share of the fixed overhead, W.
    fixed_w: f64,
}

impl InstanceLaw {
    /// Energy of the instance if one chip takes `nj` in `ns`, rounded once, to the picojoule.
    pub(super) fn energy_of(&self, nj: f64, ns: u64) -> Energy {
        let chip_nj = f64::from(self.chips) * nj;
        let it_nj = chip_nj * (1.0 + self.proportional) + self.fixed_w * ns as f64;
        Energy { chip_pj: to_pj(chip_nj), it_pj: to_pj(it_nj) }
    }
}

/// Constant power in whole milliwatts: times whole nanoseconds it is whole picojoules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Milliwatts {
    chip: u128,
    it: u128,
}

impl InstancePower {
    /// An instance of `chips` chips of the law `chip` in nodes `node`.
    pub fn new(chips: u32, chip: ChipPowerModel, node: NodePower) -> Result<Self, PowerError> {
        let NodePower { chips: node_chips, fixed_w: fixed, proportional } = node;
        if chips == 0 || node_chips == 0 || !(0.0..=1e12).contains(&fixed) || !(0.0..=1e3).contains(&proportional) {
            return Err(PowerError::Node { chips, node_chips, fixed, proportional });
        }
        let fixed_w = fixed * f64::from(chips) / f64::from(node_chips);
        let constant = |w: f64| {
            let chip_w = f64::from(chips) * w;
            // Picojoules per nanosecond are milliwatts.
            Milliwatts { chip: to_pj(chip_w), it: to_pj(chip_w * (1.0 + proportional) + fixed_w) }
        };
        let law = InstanceLaw { chips, chip, proportional, fixed_w };
        Ok(Self { law, idle: constant(chip.idle_w()), floor: constant(chip.floor_w()) })
    }

    /// Chips of the instance.
    pub const fn chips(&self) -> u32 {
        self.law.chips
    }

    /// The power law of one chip.
    pub const fn chip(&self) -> &ChipPowerModel {
        &self.law.chip
    }

    /// IT power without work, W.
    pub fn idle_it_w(&self) -> f64 {
        self.idle.it as f64 / 1e3
    }

    /// Maximum IT power, W.
    pub fn max_it_w(&self) -> f64 {
        let InstanceLaw { chips, chip, proportional, fixed_w } = &self.law;
        f64::from(*chips) * chip.tdp_w() * (1.0 + proportional) + fixed_w
    }

    /// Energy of waiting, or of KV transfers without computation. Exactly additive for any division of the span.
    pub fn idle_energy(&self, span: SimDuration) -> Energy {
        self.idle.over(span)
    }

    /// Energy of start-up: chips at their busy floor while they load weights and compile. Exactly additive for any division of the span.
    pub fn startup_energy(&self, span: SimDuration) -> Energy {
        self.floor.over(span)
    }

    /// Energy of one iteration; `compute_ns` and `memory_ns` as in [`ChipPowerModel::iteration_nj`]. The arguments refer to the whole instance, whose
    /// chips have the same activity. Rounded once, to the picojoule.
    pub fn busy_energy(&self, duration: SimDuration, compute_ns: f64, memory_ns: f64) -> Energy {
        self.law.energy_of(self.law.chip.iteration_nj(duration.ns(), compute_ns, memory_ns), duration.ns())
    }

    pub(super) const fn law(&self) -> InstanceLaw {
        self.law
    }
}

impl Milliwatts {
    const fn over(self, span: SimDuration) -> Energy {
        let ns = span.ns() as u128;
        Energy { chip_pj: self.chip * ns, it_pj: self.it * ns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::{Catalogue, Chip};
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    fn model() -> ChipPowerModel {
        ChipPowerModel::new(100.0, 2.0 / 7.0, 700.0, 0.5, 0.6).unwrap()
    }

    /// Four of eight chips; 1600 W fixed, 0.125 W/W.
    fn half_node() -> InstancePower {
        InstancePower::new(4, model(), NodePower { chips: 8, fixed_w: 1600.0, proportional: 0.125 }).unwrap()
    }

    fn shipped(node: &str, chips: u32) -> (InstancePower, NodePower) {
        let catalogue = Catalogue::built_in();
        let node: Node = catalogue.find(node).unwrap();
        let chip: Chip = catalogue.find(&node.chip).unwrap();
        let power = NodePower::from_profile(&node);
        (InstancePower::new(chips, ChipPowerModel::from_profile(&chip.power).unwrap(), power).unwrap(), power)
    }

    #[test]
    fn an_instance_draws_its_share_of_the_node() {
        // Idle for 2 s: chips 4 · 100 W = 400 W → 800 J; IT 400 · 1.125 + 1600 · 4/8 = 450 + 800 = 1250 W → 2500 J.
        let idle = half_node().idle_energy(SimDuration::from_ns(2_000_000_000));
        assert_eq!((idle.chip_pj, idle.it_pj), (800_000_000_000_000, 2_500_000_000_000_000));
        // 10 ms at 450 W a chip: 4 · 450 · 0.01 = 18 J; IT 18 · 1.125 + 800 · 0.01 = 20.25 + 8 = 28.25 J.
        let busy = half_node().busy_energy(SimDuration::from_ns(10_000_000), 1e6, 5e6);
        assert_relative_eq!(busy.chip_j(), 18.0, max_relative = 1e-12);
        assert_relative_eq!(busy.it_j(), 28.25, max_relative = 1e-12);
        // Start-up at the floor for 1 s: 4 · 200 W = 800 J; IT 800 · 1.125 + 800 = 1700 J.
        let start = half_node().startup_energy(SimDuration::from_ns(1_000_000_000));
        assert_eq!((start.chip_pj, start.it_pj), (800_000_000_000_000, 1_700_000_000_000_000));
    }

    #[test]
    fn two_halves_draw_as_much_as_the_whole_node() {
        let whole = InstancePower::new(8, model(), NodePower { chips: 8, fixed_w: 1600.0, proportional: 0.125 }).unwrap();
        assert_relative_eq!(2.0 * half_node().max_it_w(), whole.max_it_w());
        assert_relative_eq!(2.0 * half_node().idle_it_w(), whole.idle_it_w());
    }

    #[test]
    fn shipped_nodes_at_full_load_draw_less_than_rated() {
        // Rated: DGX H100 10.2 kW, DGX A100 6.5 kW, DGX B200 about 14.3 kW, the NVL72 rack 115 to 132 kW.
        for (name, chips, least, most) in [
            ("dgx-h100", 8, 7.5e3, 10.2e3),
            ("dgx-a100", 8, 4.5e3, 6.5e3),
            ("dgx-b200", 8, 10e3, 14.3e3),
            ("gb200-nvl72", 72, 105e3, 132e3),
        ] {
            let (instance, node) = shipped(name, chips);
            assert!((least..=most).contains(&instance.max_it_w()), "{name}: {} W", instance.max_it_w());
            assert_relative_eq!(node.max_it_w(instance.chip()), instance.max_it_w(), max_relative = 1e-12);
        }
    }

    #[test]
    fn centuries_of_a_rack_do_not_overflow() {
        let (rack, _) = shipped("gb200-nvl72", 72);
        let span = SimDuration::from_ns(9_200_000_000_000_000_000);
        let seconds = span.as_secs_f64();
        let busy = rack.busy_energy(span, 9.2e18, 9.2e18);
        assert_relative_eq!(busy.it_j(), rack.max_it_w() * seconds, max_relative = 1e-12);
        assert_relative_eq!(rack.idle_energy(span).it_j(), rack.idle_it_w() * seconds, max_relative = 1e-12);
    }

    #[test]
    fn invalid_parameters_are_rejected() {
        let node = |chips, fixed_w, proportional| NodePower { chips, fixed_w, proportional };
        assert!(InstancePower::new(0, model(), node(8, 0.0, 0.0)).is_err());
        assert!(InstancePower::new(1, model(), node(0, 0.0, 0.0)).is_err());
        assert!(InstancePower::new(1, model(), node(1, f64::NAN, 0.0)).is_err());
        assert!(InstancePower::new(1, model(), node(1, 0.0, -0.1)).is_err());
    }

    proptest! {
        #[test]
        fn idle_energy_is_additive_over_spans(a in 0u64..10_000_000_000_000, b in 0u64..10_000_000_000_000) {
            let idle = |ns| half_node().idle_energy(SimDuration::from_ns(ns));
            let mut sum = idle(a);
            sum += idle(b);
            prop_assert_eq!(sum, idle(a + b));
        }
    }
}
