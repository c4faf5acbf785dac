//! The result of a condition, in a sentence.
//!
//! Owns: its wording, and the digits of its number. Must not know: its evaluation.

use super::answer::{ENOUGH, judged};
use super::number::{number, percent, telling_number};
use crate::metrics::{AssertionResult, ClassSummary, ShareInterval, Summary};
use crate::scenario::{Assertion, Op};

/// One line with the result of a condition and its reason: `latency.ttft_ms.p99 < 2000 fails: it is 2,310`.
pub fn outcome(result: &AssertionResult) -> String {
    let verb = if result.holds { "holds" } else { "fails" };
    format!("{} {verb}: {}", result.text, found(result))
}

/// The number checked by a condition, if the run has it.
pub(super) fn found(result: &AssertionResult) -> String {
    result.value.map_or_else(|| "no value in this run".to_owned(), |value| it_is(&result.text, value))
}

/// The number checked by the condition `text`, never rounded onto the limit, nor to a value that would change the result of the condition.
fn it_is(text: &str, value: f64) -> String {
    let number = match text.parse::<Assertion>() {
        Ok(assertion) => {
            let on_limit = |number: f64| number.total_cmp(&assertion.limit).is_eq();
            let beside = |rounded| assertion.op == Op::Equal || !on_limit(rounded) || on_limit(value);
            telling_number(value, |rounded| assertion.is_met_by(rounded) == assertion.is_met_by(value) && beside(rounded))
        }
        Err(_) => number(value),
    };
    format!("it is {number}")
}

/// A caveat for a condition on attainment that holds, but might not for another sample of as many requests.
pub fn doubt(result: &AssertionResult, summary: &Summary) -> Option<String> {
    let assertion: Assertion = result.text.parse().ok().filter(|assertion: &Assertion| result.holds && assertion.op != Op::Equal)?;
    let classes = classes_of(&assertion.path, summary)?;
    let ShareInterval { low, high } = together(&classes)?;
    if assertion.is_met_by(low) && assertion.is_met_by(high) {
        return None;
    }
    let why = if judged(&classes) < ENOUGH { "too few requests to judge" } else { "too close to call" };
    Some(format!("assertion holds, but {why}: {}: {}, 95 % interval {} to {}", result.text, found(result), percent(low), percent(high)))
}

/// The classes with limits covered by the share at `path`; `None` for any other number.
fn classes_of<'s>(path: &str, summary: &'s Summary) -> Option<Vec<&'s ClassSummary>> {
    let steps: Vec<&str> = path.split(['.', '[', ']']).filter(|step| !step.is_empty()).collect();
    let limited = |class: &&ClassSummary| class.slo.any();
    match steps[..] {
        ["goodput", "slo_attainment"] => Some(summary.classes.iter().filter(limited).collect()),
        ["classes", class, "slo_attainment"] => {
            let by_place = class.parse::<usize>().ok().and_then(|place| summary.classes.get(place));
            Some(by_place.or_else(|| summary.classes.iter().find(|c| c.name == class)).filter(limited).into_iter().collect())
        }
        _ => None,
    }
}

/// The interval of the share over all these classes, taken as independent: their errors add in quadrature.
fn together(classes: &[&ClassSummary]) -> Option<ShareInterval> {
    let all = judged(classes) as f64;
    let (mut share, mut below, mut above) = (0.0, 0.0, 0.0);
    for class in classes {
        let (Some(of_class), Some(interval)) = (class.slo_attainment, class.slo_attainment_95) else { continue };
        let weight = class.requests.arrived as f64 / all;
        share += weight * of_class;
        below += (weight * (of_class - interval.low)).powi(2);
        above += (weight * (interval.high - of_class)).powi(2);
    }
    (all > 0.0).then(|| ShareInterval { low: (share - below.sqrt()).max(0.0), high: (share + above.sqrt()).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(text: &str, value: f64) -> String {
        let assertion: Assertion = text.parse().unwrap();
        outcome(&AssertionResult { text: text.to_owned(), holds: assertion.is_met_by(value), value: Some(value) })
    }

    #[test]
    fn conditions_show_their_number_in_report_format() {
        assert_eq!(told("a < 2000", 1800.5), "a < 2000 holds: it is 1,800");
        assert_eq!(told("a > 0.5", 0.483_123_451_234_5), "a > 0.5 fails: it is 0.483");
        assert_eq!(told("a == 2M", 2e6), "a == 2M holds: it is 2.00 M");
        let none = AssertionResult { text: "b < 1".to_owned(), holds: false, value: None };
        assert_eq!(outcome(&none), "b < 1 fails: no value in this run");
    }

    #[test]
    fn a_number_near_the_limit_has_enough_digits_to_differ_from_it() {
        assert_eq!(told("a <= 450", 450.0004), "a <= 450 fails: it is 450.0004");
        assert_eq!(told("a < 450", 449.9), "a < 450 holds: it is 449.9");
        assert_eq!(told("a < 450", 450.0), "a < 450 fails: it is 450");
        assert_eq!(told("a < 450", 450.0004), "a < 450 fails: it is 450.0004");
        assert_eq!(told("a == 0.3", 0.1 + 0.2), "a == 0.3 holds: it is 0.300");
        assert_eq!(told("a >= 97 %", 0.969_96), "a >= 97 % fails: it is 0.96996");
        assert_eq!(told("a <= 1M", 1_000_400.0), "a <= 1M fails: it is 1,000,400");
        assert_eq!(told("a == 450", 450.2), "a == 450 fails: it is 450.2");
        assert_eq!(told("a < 0.00001", 0.000_010_004), "a < 0.00001 fails: it is 1.0004e-5");
    }

    fn doubted(text: &str, share: f64, (low, high): (f64, f64), arrived: u64) -> Option<String> {
        let mut summary = super::super::fixture::missed().summary;
        let class = &mut summary.classes[0];
        (class.slo_attainment, class.slo_attainment_95) = (Some(share), Some(ShareInterval { low, high }));
        class.requests.arrived = arrived;
        summary.goodput.as_mut().unwrap().slo_attainment = Some(share);
        let assertion: Assertion = text.parse().unwrap();
        doubt(&assertion.evaluate(&summary), &summary)
    }

    #[test]
    fn a_condition_that_may_hold_by_chance_gets_a_caveat() {
        let over = "goodput.slo_attainment > 99 %";
        assert_eq!(
            doubted(over, 1.0, (0.4, 1.0), 5).unwrap(),
            "assertion holds, but too few requests to judge: goodput.slo_attainment > 99 %: it is 1.00, 95 % interval 40.0 % to 100 %"
        );
        for path in ["goodput.slo_attainment", "classes.chat.slo_attainment", "classes[0].slo_attainment"] {
            let told = doubted(&format!("{path} >= 0.99"), 0.993, (0.988, 0.997), 4_684).unwrap();
            assert!(told.starts_with("assertion holds, but too close to call: ") && told.ends_with("98.8 % to 99.7 %"), "{told}");
        }
        // Certain, failed anyway, or about another number.
        assert_eq!(doubted(over, 0.998, (0.995, 0.999), 4_684), None);
        assert_eq!(doubted(over, 0.98, (0.97, 0.995), 4_684), None);
        assert_eq!(doubted("latency.ttft_ms.p99 < 1M", 0.993, (0.988, 0.997), 4_684), None);
    }

    #[test]
    fn errors_of_classes_add_in_quadrature() {
        let mut summary = super::super::fixture::twelve_pools().summary;
        for class in &mut summary.classes {
            (class.slo_attainment, class.slo_attainment_95) = (Some(0.99), Some(ShareInterval { low: 0.98, high: 1.0 }));
        }
        // Five equal classes: ± 0.01 / √5.
        let all: Vec<&ClassSummary> = summary.classes.iter().collect();
        approx::assert_relative_eq!(together(&all).unwrap().low, 0.99 - 0.01 / 5f64.sqrt(), max_relative = 1e-12);
        assert_eq!(together(&[]), None);
    }

    proptest! {
        #[test]
        fn the_shown_number_is_on_the_true_side_of_the_limit(limit in 1.0f64..1e5, off in -1e-3f64..1e-3, op in prop::sample::select(vec!["<", "<=", ">", ">="])) {
            let (text, value) = (format!("a {op} {limit}"), limit * (1.0 + off));
            let assertion: Assertion = text.parse().unwrap();
            let told: f64 = it_is(&text, value).trim_start_matches("it is ").replace(',', "").parse().unwrap();
            prop_assert_eq!(assertion.is_met_by(told), assertion.is_met_by(value), "{} {}", text, told);
        }
    }
}
