//! Comparisons of artificial runs.

use std::borrow::Cow;
use std::sync::Arc;

use approx::assert_relative_eq;

use super::super::Requests;
use super::*;
use crate::metrics::{Distributions, Timeline};

fn shape() -> Shape {
    Shape { pools: vec!["p".to_owned()], classes: vec!["chat".to_owned()], slo: true, ..Shape::default() }
}

fn run(numbers: &[(&str, Option<f64>)], requests: Requests) -> Arc<Outcome> {
    Arc::new(Outcome {
        numbers: numbers.iter().map(|&(path, value)| (path.to_owned(), value)).collect(),
        requests,
        timeline: Timeline::default(),
        distributions: Distributions::default(),
        balance: Vec::new(),
        warnings: Vec::new(),
        assertions: Vec::new(),
    })
}

fn variant(name: &str, runs: Vec<Arc<Outcome>>) -> Variant {
    Variant { name: name.to_owned(), shape: shape(), draws: runs.len() > 1, runs }
}

fn seeded(name: &str, values: &[Option<f64>]) -> Variant {
    variant(name, values.iter().map(|&value| run(&[("latency.ttft_ms.p99", value)], Requests::default())).collect())
}

fn difference(variants: &[Variant], path: &str) -> Difference {
    let seeds = (0..variants[0].runs.len() as u64).collect();
    *Comparison::new(variants, seeds).metric(path).unwrap().difference(1).unwrap()
}

#[test]
fn runs_with_the_same_seed_are_pairs() {
    let a = seeded("a", &[Some(100.0), Some(110.0), Some(120.0)]);
    let b = seeded("b", &[Some(90.0), Some(105.0), Some(99.0)]);
    let found = difference(&[a, b], "latency.ttft_ms.p99");
    // −10, −5, −21: mean −12, s² = (4 + 49 + 81) / 2, t of two degrees 4.3027.
    assert_relative_eq!(found.value, -12.0, max_relative = 1e-12);
    assert_relative_eq!(found.relative.unwrap(), -12.0 / 110.0, max_relative = 1e-12);
    let half = 4.302_653 * (67.0_f64 / 3.0).sqrt();
    let Certainty::Interval(interval) = found.certainty else { panic!("{found:?}") };
    assert_relative_eq!(interval.low, -12.0 - half, max_relative = 1e-6);
    assert_relative_eq!(interval.high, -12.0 + half, max_relative = 1e-6);
    assert_eq!(found.finding(), "cannot be told apart");
}

#[test]
fn identical_numbers_are_equal_and_a_constant_gain_is_certain() {
    let a = seeded("a", &[Some(100.0), Some(110.0)]);
    let same = difference(&[a.clone(), seeded("b", &[Some(100.0), Some(110.0)])], "latency.ttft_ms.p99");
    assert_eq!((same.is_sure(), same.finding().as_str()), (true, "equal"));
    let gain = difference(&[a, seeded("b", &[Some(95.0), Some(105.0)])], "latency.ttft_ms.p99");
    assert_eq!((gain.is_sure(), gain.finding().as_str()), (true, "better"));
}

#[test]
fn a_run_without_a_value_gives_no_interval() {
    let a = seeded("a", &[Some(100.0), Some(110.0), Some(105.0)]);
    let found = difference(&[a.clone(), seeded("b", &[Some(90.0), None, Some(95.0)])], "latency.ttft_ms.p99");
    assert_eq!((found.certainty, found.is_sure()), (Certainty::NoValue(1), false));
    let none = [a, seeded("b", &[None, None, None])];
    assert!(Comparison::new(&none, vec![0, 1, 2]).metric("latency.ttft_ms.p99").unwrap().difference(1).is_none());
}

#[test]
fn a_number_missing_in_a_variant_is_none_and_the_others_remain() {
    let path = "pools.p.queue_mean";
    let a = variant("a", vec![run(&[(path, Some(1.0))], Requests::default()), run(&[(path, Some(1.0))], Requests::default())]);
    let b = variant("b", vec![run(&[("pools.q.queue_mean", Some(1.0))], Requests::default()); 2]);
    let comparison = Comparison::new(&[a, b], vec![1, 2]);
    let metric = comparison.metric(path).unwrap();
    assert!(metric.of[0].is_some() && metric.of[1].is_none());
}

/// Requests with these times to first token, all in the same class.
fn requests(ttft: &[f64]) -> Requests {
    let n = ttft.len();
    Requests {
        sessions: false,
        name: (0..).take(ttft.len()).collect(),
        id: (0..n as u64).collect(),
        class: vec![0; n],
        prompt: vec![7; n],
        ttft: ttft.to_vec(),
        ttst: vec![f64::NAN; n],
        tpot: vec![f64::NAN; n],
        e2e: ttft.to_vec(),
        met: ttft.iter().map(|&ttft| f64::from(u8::from(ttft < 50.0))).collect(),
    }
}

fn traced(name: &str, ttft: &[f64]) -> Variant {
    let numbers = [
        ("latency.ttft_ms.mean", Some(1.0)),
        ("classes.chat.latency.ttft_ms.mean", Some(1.0)),
        ("latency.ttft_ms.p99", Some(1.0)),
        ("cost.total_usd", Some(ttft.len() as f64)),
        ("latency.tpot_ms.p50", None),
    ];
    variant(name, vec![run(&numbers, requests(ttft))])
}

#[test]
fn one_run_each_is_compared_request_by_request() {
    let fast: Vec<f64> = (0..2000).map(|i| f64::from(i * 7919 % 100)).collect();
    let slow: Vec<f64> = fast.iter().map(|ttft| ttft + 10.0).collect();
    let variants = [traced("a", &fast), traced("b", &slow)];
    let found = difference(&variants, "latency.ttft_ms.mean");
    let Certainty::Interval(interval) = found.certainty else { panic!("{found:?}") };
    assert_relative_eq!(found.value, 10.0, max_relative = 1e-9);
    assert!(interval.low > 9.9 && interval.high < 10.1 && found.finding() == "worse", "{found:?}");
    assert_eq!(difference(&variants, "classes.chat.latency.ttft_ms.mean"), found, "of the only class");
    // The values are computed from the requests, not taken from the summary.
    assert_relative_eq!(
        Comparison::new(&variants, vec![1]).metric("latency.ttft_ms.mean").unwrap().of[0].as_ref().unwrap().estimate.unwrap().value,
        49.5
    );
    assert_eq!(difference(&variants, "cost.total_usd").finding(), "equal");
    assert!(Comparison::new(&variants, vec![1]).metric("latency.tpot_ms.p50").unwrap().difference(1).is_none());
}

/// Calls of sessions arrive in a different order in each run, and some are measured in one of the runs only.
#[test]
fn calls_of_sessions_are_paired_by_session_and_call() {
    let fast: Vec<f64> = (0..2000).map(|i| f64::from(i * 7919 % 100)).collect();
    let backwards = |count: usize, added: f64| {
        let mut run = requests(&fast.iter().rev().take(count).map(|ttft| ttft + added).collect::<Vec<_>>());
        run.name = (0..2000).rev().take(count).collect();
        run.sessions = true;
        run
    };
    let ahead = Requests { sessions: true, ..requests(&fast) };
    let [one, other] = ahead.paired(&backwards(1950, 10.0)).map(|pair| pair.map(Cow::into_owned)).unwrap();
    assert_eq!((one.len(), &one.name), (1950, &other.name));
    assert!(one.ttft.iter().zip(&other.ttft).all(|(a, b)| (a + 10.0 - b).abs() < 1e-9));
    assert!(ahead.paired(&backwards(1800, 0.0)).is_none(), "too few are in both");
    let others = Requests { prompt: vec![8; 2000], ..backwards(2000, 0.0) };
    assert!(ahead.paired(&others).is_none() && requests(&fast).paired(&backwards(2000, 0.0)).is_none());
}

#[test]
fn unfinished_requests_are_the_worst() {
    let a: Vec<f64> = (0..1000).map(|i| f64::from(i % 10)).collect();
    let mut b = a.clone();
    b[5] = f64::INFINITY;
    let found = difference(&[traced("a", &a), traced("b", &b)], "latency.ttft_ms.mean");
    assert_eq!((found.certainty, found.side, found.is_sure()), (Certainty::Unfinished, Side::Worse, true));
    // One in a thousand does not affect the 99th percentile.
    assert_relative_eq!(difference(&[traced("a", &a), traced("b", &b)], "latency.ttft_ms.p99").value, 0.0);
}

#[test]
fn other_requests_and_single_draws_are_inconclusive() {
    let a: Vec<f64> = (0..1000).map(|i| f64::from(i % 10)).collect();
    let others = difference(&[traced("a", &a), traced("b", &a[..900])], "latency.ttft_ms.mean");
    assert_eq!((others.certainty, others.is_sure()), (Certainty::OtherRequests, false));
    let exact = difference(&[traced("a", &a), traced("b", &a[..900])], "cost.total_usd");
    assert_eq!(exact.finding(), "better, exact for this trace");
    let mut drawn = [traced("a", &a), traced("b", &a[..900])];
    drawn[0].draws = true;
    assert_eq!(difference(&drawn, "cost.total_usd").certainty, Certainty::OneRun);
    drawn[1] = traced("b", &a);
    assert_eq!(difference(&drawn, "cost.total_usd").finding(), "equal", "the runs are the same in every number");
}
