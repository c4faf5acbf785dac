//! What became of a condition, in a sentence.
//!
//! Owns: its words, and how many digits its number needs. Must not know: how it was found out.

use super::number::{number, telling_number};
use crate::config::{Assertion, Op, Outcome};

/// One line that says whether a condition holds and why: `latency.ttft_ms.p99 < 2000 fails: it is 2,310`.
pub fn outcome(assertion: &Assertion, outcome: &Outcome) -> String {
    match (outcome.value, &outcome.problem) {
        (Some(value), _) => {
            let verb = if outcome.holds { "holds" } else { "fails" };
            format!("{} {verb}: {}", assertion.text, it_is(&assertion.text, value))
        }
        (None, Some(problem)) => format!("{}: {problem}", assertion.text),
        (None, None) => format!("{}: no value", assertion.text),
    }
}

/// The number that the condition `text` was checked against, never rounded onto the limit, nor to where the condition would hold if it does
/// not or the other way round.
pub(super) fn it_is(text: &str, value: f64) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn told(text: &str, value: f64) -> String {
        let assertion: Assertion = text.parse().unwrap();
        outcome(&assertion, &assertion.evaluate(&json!({"a": value})))
    }

    #[test]
    fn a_condition_is_told_with_its_number_as_the_report_writes_it() {
        assert_eq!(told("a < 2000", 1800.5), "a < 2000 holds: it is 1,800");
        assert_eq!(told("a > 0.5", 0.483_123_451_234_5), "a > 0.5 fails: it is 0.483");
        assert_eq!(told("a == 2M", 2e6), "a == 2M holds: it is 2.00 M");
        let none: Assertion = "b < 1".parse().unwrap();
        assert_eq!(outcome(&none, &none.evaluate(&json!({"b": null}))), "b < 1: `b` has no value in this run");
    }

    #[test]
    fn a_number_near_the_limit_has_the_digits_that_tell_it_from_there() {
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

    proptest! {
        #[test]
        fn what_is_told_is_on_the_side_where_it_is(limit in 1.0f64..1e5, off in -1e-3f64..1e-3, op in prop::sample::select(vec!["<", "<=", ">", ">="])) {
            let (text, value) = (format!("a {op} {limit}"), limit * (1.0 + off));
            let assertion: Assertion = text.parse().unwrap();
            let told: f64 = it_is(&text, value).trim_start_matches("it is ").replace(',', "").parse().unwrap();
            prop_assert_eq!(assertion.is_met_by(told), assertion.is_met_by(value), "{} {}", text, told);
        }
    }
}
