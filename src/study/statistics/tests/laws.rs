//! Invariants of intervals.

use proptest::prelude::*;

use super::super::{Interval, Resampled, Statistic, of_pairs, of_run};
use super::{Purpose, Streams};

const ALL: [Statistic; 4] = [Statistic::Mean, Statistic::Quantile(0.5), Statistic::Quantile(0.9), Statistic::Quantile(0.99)];

fn noise(n: usize, seed: u64) -> Vec<f64> {
    let mut stream = Streams::new(seed).stream(Purpose::Lengths, 0);
    (0..n).map(|_| stream.exponential()).collect()
}

fn compared(a: &[f64], b: &[f64]) -> Vec<Resampled> {
    of_pairs(a, b, &ALL, 11).unwrap()
}

fn close(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan() || (a - b).abs() < 1e-9
}

#[test]
fn equal_runs_differ_by_exactly_zero() {
    let mut a = noise(40, 1);
    a[7] = f64::NAN;
    for result in compared(&a, &a) {
        assert_eq!((result.difference.to_bits(), result.interval), (0, Some(Interval { low: 0.0, high: 0.0 })));
        approx::assert_relative_eq!(result.blocks, 39.0);
    }
}

#[test]
fn a_constant_shift_shifts_the_difference_and_its_interval() {
    let (a, b) = (noise(4000, 1), noise(4000, 2));
    let shifted: Vec<f64> = b.iter().map(|b| b + 5.0).collect();
    for (before, after) in compared(&a, &b).iter().zip(compared(&a, &shifted)) {
        let (old, new) = (before.interval.unwrap(), after.interval.unwrap());
        assert!(close(after.difference, before.difference + 5.0), "{before:?} {after:?}");
        assert!(close(new.low, old.low + 5.0) && close(new.high, old.high + 5.0), "{before:?} {after:?}");
        assert!(!new.contains_zero());
    }
}

#[test]
fn a_result_does_not_depend_on_the_other_statistics() {
    let (a, b) = (noise(3000, 3), noise(3000, 4));
    for (statistic, result) in ALL.iter().zip(compared(&a, &b)) {
        assert_eq!(of_pairs(&a, &b, &[*statistic], 11).unwrap(), [result]);
    }
}

#[test]
fn a_second_run_of_zeros_keeps_the_interval_of_the_first() {
    let b = noise(3000, 5);
    for (alone, paired) in of_run(&b, &ALL, 11).iter().zip(compared(&vec![0.0; 3000], &b)) {
        assert_eq!(alone.value.to_bits(), paired.difference.to_bits());
        // The order of ties is random, so a run of zeros has its own blocks.
        let (alone, paired) = (alone.interval.unwrap(), paired.interval.unwrap());
        assert!((alone.low - paired.low).abs() < 0.2 * (alone.high - alone.low), "{alone:?} {paired:?}");
    }
}

#[test]
fn missing_values_are_left_out() {
    // Every other request has no value in the second run: the mean and the quantiles are those of the others.
    let (a, full) = (noise(6000, 6), noise(6000, 7));
    let half: Vec<f64> = full.iter().zip(0..).map(|(value, i)| if i % 2 == 0 { *value } else { f64::NAN }).collect();
    let kept: Vec<f64> = half.iter().copied().filter(|value| !value.is_nan()).collect();
    for ((result, alone), single) in compared(&a, &half).iter().zip(of_run(&kept, &ALL, 11)).zip(of_run(&half, &ALL, 11)) {
        assert!(close(result.b, alone.value) && close(single.value, alone.value));
        let interval = single.interval.unwrap();
        assert!((interval.low..=interval.high).contains(&single.value) && result.interval.is_some(), "{result:?} {single:?}");
    }
    let nothing = compared(&a, &vec![f64::NAN; 6000]);
    assert!(nothing.iter().all(|result| result.b.is_nan() && result.difference.is_nan() && result.interval.is_none()));
}

#[test]
fn unfinished_requests_make_the_mean_infinite_and_are_above_every_quantile() {
    let (a, mut b) = (noise(4000, 8), noise(4000, 9));
    b[5] = f64::INFINITY;
    let [mean, median, ..] = compared(&a, &b)[..] else { panic!() };
    assert!(mean.difference.is_infinite() && mean.interval.is_none());
    assert!(median.interval.is_some_and(|interval| interval.low.is_finite() && interval.high.is_finite()));
    // Of 4,000, fifty are unfinished: p99 is infinite, p90 is not.
    b.iter_mut().step_by(80).for_each(|b| *b = f64::INFINITY);
    let results = compared(&a, &b);
    assert!(results[2].interval.is_some_and(|interval| interval.high.is_finite()), "{results:?}");
    assert!(results[3].difference.is_infinite() && results[3].interval.is_none_or(|interval| interval.high.is_infinite()));
    let both = compared(&b, &b);
    assert!(both[0].difference.is_nan() && both[0].interval.is_none() && both[3].difference.is_nan() && both[3].interval.is_none());
}

#[test]
fn ties_are_no_evidence_of_a_burst() {
    // All but the first tenth are equal; p99 is one of them, and their order must not be that of the trace.
    let mut a = vec![20.0; 5000];
    a[..500].iter_mut().zip(noise(500, 10)).for_each(|(a, noise)| *a = noise);
    let result = of_run(&a, &[Statistic::Quantile(0.99)], 3)[0];
    assert!(result.blocks > 20.0, "{result:?}");
    let interval = result.interval.unwrap();
    assert_eq!((interval.low.to_bits(), result.value.to_bits()), (20.0_f64.to_bits(), 20.0_f64.to_bits()));
}

#[test]
fn few_requests_have_no_interval() {
    assert_eq!(of_pairs(&[1.0], &[], &ALL, 0), None);
    for n in 0..3 {
        for result in compared(&noise(n, 1), &noise(n, 2)) {
            assert!(result.interval.is_none(), "{result:?}");
            assert_eq!(result.difference.is_nan(), n == 0);
        }
    }
    // One p99 of 500 independent values: the upper end has five values beyond it, too few.
    assert!(of_run(&noise(500, 1), &[Statistic::Quantile(0.99)], 0)[0].interval.is_none());
}

#[test]
fn the_seed_changes_the_ends_only_slightly() {
    let (a, b) = (noise(4000, 1), noise(4000, 2));
    let [one, two] = [1, 2].map(|seed| of_pairs(&a, &b, &[Statistic::Mean], seed).unwrap()[0].interval.unwrap());
    assert!(one != two && (one.low - two.low).abs() < 0.15 * (one.high - one.low), "{one:?} {two:?}");
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![4 => 0.0..100.0, 1 => Just(1.0), 1 => Just(f64::INFINITY), 1 => Just(f64::NAN), 1 => proptest::num::f64::ANY]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_input_panics_and_the_ends_are_ordered(
        pairs in proptest::collection::vec((any_value(), any_value()), 0..300),
        fraction in proptest::num::f64::ANY,
        seed in any::<u64>(),
    ) {
        let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let statistics = [Statistic::Mean, Statistic::Quantile(fraction), Statistic::Quantile(0.9)];
        for result in of_pairs(&a, &b, &statistics, seed).unwrap() {
            prop_assert!(result.interval.is_none_or(|interval| interval.low <= interval.high), "{result:?}");
        }
        of_run(&a, &statistics, seed);
    }

    #[test]
    fn exchanging_the_runs_mirrors_the_interval(seed in any::<u64>(), n in 30_usize..200, base in 0.0..3.0) {
        let (a, b) = (noise(n, seed), noise(n, seed ^ 1));
        let b: Vec<f64> = a.iter().zip(b).map(|(a, b)| base * a + b).collect();
        for (there, back) in compared(&a, &b).iter().zip(compared(&b, &a)) {
            prop_assert!(close(there.difference, -back.difference) && close(there.blocks, back.blocks));
            prop_assert_eq!(there.interval.map(|i| (-i.high, -i.low)), back.interval.map(|i| (i.low, i.high)));
        }
    }
}
