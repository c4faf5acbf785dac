//! Energy of a run of decode iterations, in closed form for the number completed.

use super::instance::{InstanceLaw, InstancePower};
use super::meter::Energy;
use crate::perf::{DecodeRun, Line};
use crate::units::first_where;

/// Relative difference below which two lines count as the same line computed twice: which of them is above is noise.
const SAME: f64 = 1e-12;

/// A run as seen by the law of [`ChipPowerModel`](super::ChipPowerModel): durations and activity, each on a line.
///
/// Energy up to the end of `n` iterations, per chip: `E(n) = floor·T(n) + (tdp − floor)·A(n)`, with `T(n) = elapsed_ns(n)` of the run, in whole
/// nanoseconds, and `A(n) = min(T(n), a(0) + … + a(n−1))` with `a(k) = compute_ns(k) / u_c* + w_m · memory_ns(k)`. The minimum of the sums is the sum
/// of the minima as long as the board limit binds in all iterations or in none: [`iterations`](Self::iterations) gives that number of iterations, at
/// which a run must be split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunPower {
    activity: Line,
    iterations: u64,
    power: InstanceLaw,
}

impl RunPower {
    /// Energy of `run` on chips of the law of `power`.
    pub fn new(power: &InstancePower, run: &DecodeRun) -> Self {
        let (compute, memory) = (run.compute(), run.memory());
        let activity = |compute_ns, memory_ns| power.chip().activity_ns(compute_ns, memory_ns);
        let activity = Line { first: activity(compute.first, memory.first), step: activity(compute.step, memory.step) };
        let durations = run.durations();
        Self { activity, iterations: same_side(&durations, &activity, run.iterations), power: power.law() }
    }

    /// Number of iterations, from the first of the run, for which the form holds: at least 1, at most all of them. The next one is on the other side
    /// of the board limit.
    pub const fn iterations(&self) -> u64 {
        self.iterations
    }

    /// Energy of the first `n` iterations of a run, rounded once, to the picojoule: 0 at `n = 0`, never decreasing, and for `n = 1` equal to
    /// [`InstancePower::busy_energy`]. The energy between two boundaries is the difference, so the total does not depend on how a run is split.
    /// `elapsed`: the duration of these iterations in nanoseconds, `elapsed_ns(n)` of the run.
    pub fn energy(&self, n: u64, elapsed: u64) -> Energy {
        let busy = elapsed as f64;
        self.power.energy_of(self.power.chip.energy_nj(busy, busy.min(self.activity.sum(n))), elapsed)
    }
}

/// Number of iterations, from the first, in which the same line is the greater of the two; at most `iterations`.
fn same_side(durations: &Line, activity: &Line, iterations: u64) -> u64 {
    let near = |a: f64, b: f64| (a - b).abs() <= SAME * a.max(b);
    if near(durations.first, activity.first) && near(durations.step, activity.step) {
        return iterations;
    }
    let limited = |n: u64| activity.value(n) > durations.value(n);
    let now = limited(0);
    let last = iterations.saturating_sub(1);
    if limited(last) == now {
        return iterations;
    }
    let crossing = ((durations.first - activity.first) / (activity.step - durations.step)).ceil();
    first_where(crossing, 1, last, |n| limited(n) != now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::IterationCost;
    use crate::power::{ChipPowerModel, NodePower};
    use crate::sim::SimDuration;
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    /// Four of eight chips of 200 to 700 W; 1600 W fixed, 0.125 W/W. Activity is 2 · compute + 0.6 · memory.
    fn power() -> InstancePower {
        let chip = ChipPowerModel::new(100.0, 2.0 / 7.0, 700.0, 0.5, 0.6).unwrap();
        InstancePower::new(4, chip, NodePower { chips: 8, fixed_w: 1600.0, proportional: 0.125 }).unwrap()
    }

    fn cost([duration_ns, compute_ns, memory_ns]: [f64; 3]) -> IterationCost {
        IterationCost { duration_ns, compute_ns, memory_ns, ..IterationCost::default() }
    }

    fn run(first: [f64; 3], step: [f64; 3], iterations: u64) -> DecodeRun {
        DecodeRun { first: cost(first), step: cost(step), iterations }
    }

    /// Sum over the iterations one by one.
    fn one_by_one(run: &DecodeRun, n: u64) -> Energy {
        (0..n).fold(Energy::ZERO, |sum, k| {
            let span = SimDuration::from_ns(run.lines().elapsed_ns(k + 1) - run.lines().elapsed_ns(k));
            sum + power().busy_energy(span, run.compute().value(k), run.memory().value(k))
        })
    }

    #[test]
    fn energy_of_a_run_agrees_with_arithmetic_by_hand() {
        // 10, 11 and 12 ms with 1 ms of arithmetic and 5, 6, 7 ms of traffic: activity 3 · 2 + 0.6 · 18 = 16.8 ms of 33 ms.
        // Four chips: 4 · (200 W · 33 ms + 500 W · 16.8 ms) = 60 J; IT 60 · 1.125 + 800 W · 33 ms = 93.9 J.
        let run = run([10e6, 1e6, 5e6], [1e6, 0.0, 1e6], 100);
        let energy = RunPower::new(&power(), &run).energy(3, 33_000_000);
        assert_eq!((energy.chip_pj, energy.it_pj), (60_000_000_000_000, 93_900_000_000_000));
    }

    #[test]
    fn a_run_ends_where_the_board_limit_starts_or_stops_binding() {
        let of = |first, step| RunPower::new(&power(), &run(first, step, 1000)).iterations();
        // Activity 8 + 2n ms of 10 + n ms: 12 of 12 at n = 2 does not bind yet, 14 of 13 does.
        assert_eq!(of([10e6, 4e6, 0.0], [1e6, 1e6, 0.0]), 3);
        // Activity 12 ms of 10 + 0.5n ms: at n = 4 it no longer binds.
        assert_eq!(of([10e6, 6e6, 0.0], [0.5e6, 0.0, 0.0]), 4);
        // Never, and always.
        assert_eq!(of([10e6, 1e6, 0.0], [1e6, 0.1e6, 0.0]), 1000);
        assert_eq!(of([10e6, 9e6, 0.0], [1e6, 0.9e6, 0.0]), 1000);
        // At the limit throughout, except for rounding.
        assert_eq!(of([10e6 + 1e-9, 5e6, 0.0], [0.1, 0.05 + 1e-17, 0.0]), 1000);
    }

    /// Duration, arithmetic and traffic of an iteration or a step.
    fn costs(most: f64) -> impl Strategy<Value = [f64; 3]> {
        (0.001 * most..most, 0.0f64..1.0, 0.0f64..1.0)
            .prop_map(|(duration, compute, memory)| [duration, compute * duration, memory * duration])
    }

    proptest! {
        #[test]
        fn a_run_of_one_iteration_takes_the_energy_of_the_iteration(first in costs(1e9)) {
            let run = run(first, [0.0; 3], 1);
            let power = power();
            let span = SimDuration::from_ns(run.lines().elapsed_ns(1));
            prop_assert_eq!(RunPower::new(&power, &run).energy(1, span.ns()), power.busy_energy(span, first[1], first[2]));
            prop_assert_eq!(RunPower::new(&power, &run).energy(0, 0), Energy::ZERO);
        }

        #[test]
        fn a_run_takes_the_sum_of_its_iterations(first in costs(1e8), step in costs(1e5), n in 1u64..3000) {
            let run = run(first, step, n);
            let of = RunPower::new(&power(), &run);
            let n = of.iterations();
            let (whole, sum) = (of.energy(n, run.lines().elapsed_ns(n)), one_by_one(&run, n));
            assert_relative_eq!(whole.chip_j(), sum.chip_j(), max_relative = 1e-9);
            assert_relative_eq!(whole.it_j(), sum.it_j(), max_relative = 1e-9);
        }

        #[test]
        fn energy_never_decreases(first in costs(1e3), step in costs(1e1), from in 0u64..1 << 24) {
            let run = run(first, step, 1 << 24);
            let (of, lines) = (RunPower::new(&power(), &run), run.lines());
            for n in from..from + 100 {
                let [before, after] = [n, n + 1].map(|n| of.energy(n, lines.elapsed_ns(n)));
                prop_assert!(before.chip_pj <= after.chip_pj && before.it_pj <= after.it_pj);
            }
        }

        #[test]
        fn the_limit_binds_on_one_side_of_the_split_only(first in costs(1e8), step in costs(1e5)) {
            let run = run(first, step, 1 << 20);
            let n = RunPower::new(&power(), &run).iterations();
            let limited = |k: u64| 2.0 * run.compute().value(k) + 0.6 * run.memory().value(k) - run.durations().value(k);
            // Within rounding: the order of the sums differs here.
            prop_assert!(limited(0) * limited(n - 1) >= -1e-6 * run.durations().value(n));
            if n < run.iterations {
                prop_assert!(limited(0) * limited(n) <= 1e-6 * run.durations().value(n));
            }
        }
    }
}
