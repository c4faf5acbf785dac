//! A small part of `examples/coverage`, which has the full experiment and its figures.

use super::super::{LEAST_BLOCKS, Statistic, of_pairs, of_replications, of_run};
use super::queue::Queue;

const QUEUE: Queue = Queue { load: 0.3, speed: 1.2, burst: None, independent: false };

/// Binomial bounds for intervals with a coverage of 92 to 98 %, three deviations wide.
fn assert_covers(held: u32, repeats: u32) {
    let share = f64::from(held) / f64::from(repeats);
    let slack = 3.0 * (0.05 * 0.95 / f64::from(repeats)).sqrt();
    assert!((0.92 - slack..=0.98 + slack).contains(&share), "{held} of {repeats}");
}

#[test]
fn intervals_of_replications_cover_the_difference_of_two_servers() {
    let [first, second] = QUEUE.means();
    let mut held = 0;
    for repeat in 0..100 {
        let differences: Vec<f64> = (0..10)
            .map(|seed| {
                let (a, b) = QUEUE.pairs(1000, 10 * repeat + seed);
                (b.iter().sum::<f64>() - a.iter().sum::<f64>()) / 1000.0
            })
            .collect();
        let interval = of_replications(&differences).unwrap().interval.unwrap();
        held += u32::from((interval.low..=interval.high).contains(&(second - first)));
    }
    assert_covers(held, 100);
}

#[test]
fn intervals_of_one_trace_cover_the_difference_of_two_servers() {
    let [first, second] = QUEUE.means();
    let truths = [second - first, (second - first) * libm::log(10.0)];
    let mut held = [0; 2];
    for repeat in 0..100 {
        let (a, b) = QUEUE.pairs(2000, repeat);
        let results = of_pairs(&a, &b, &[Statistic::Mean, Statistic::Quantile(0.9)], repeat).unwrap();
        for ((held, truth), result) in held.iter_mut().zip(truths).zip(results) {
            let interval = result.interval.unwrap();
            *held += u32::from((interval.low..=interval.high).contains(&truth));
        }
    }
    for held in held {
        assert_covers(held, 100);
    }
}

/// From a trace within one quiet period no method can detect bursts.
#[test]
fn a_short_bursty_trace_is_inconclusive_unless_it_has_no_burst() {
    let bursty = Queue { load: 0.5, burst: Some(300.0), ..QUEUE };
    let mut told = 0;
    for seed in 0..20 {
        let (a, b) = bursty.pairs(500, seed);
        let results = of_pairs(&a, &b, &[Statistic::Mean, Statistic::Quantile(0.99)], 1).unwrap();
        assert!(results.iter().all(|result| result.interval.is_none() || result.blocks >= LEAST_BLOCKS));
        assert!(results[1].interval.is_none(), "{results:?}");
        told += u32::from(results[0].interval.is_some());
    }
    assert!(told <= 4, "{told} of 20");
}

#[test]
fn a_quantile_of_independent_values_has_nearly_its_exact_interval() {
    // Of 2,000 values, 20 ± √19.8 are above the 99th percentile: those of rank 1,971 and 1,989 bound it.
    let values: Vec<f64> = (0..2000_u32).map(|i| f64::from(i.wrapping_mul(1_234_567) % 2003)).collect();
    let result = of_run(&values, &[Statistic::Quantile(0.99)], 7)[0];
    let interval = result.interval.unwrap();
    assert!((1967.0..1976.0).contains(&interval.low) && (1985.0..1997.0).contains(&interval.high), "{result:?}");
}
