//! Conditions on the results: `latency.ttft_ms.p99 < 2000`.
//!
//! Owns: their syntax and what it means to hold. Must not know: where results come from; it reads a JSON value.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use thiserror::Error;

use super::diagnostic::nearest;

/// How the value is compared with the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
}

/// A condition on one number of `summary.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    /// The condition as written.
    pub text: String,
    /// Path of the number, such as `pools.decode.utilization` or `latency.ttft_ms.p99`.
    pub path: String,
    /// The comparison.
    pub op: Op,
    /// The limit, in the unit of the number.
    pub limit: f64,
}

/// Why a text is not a condition. User error.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AssertionError {
    /// No comparison in it.
    #[error("`{0}` has no comparison, expected one such as `latency.ttft_ms.p99 < 2000`")]
    NoComparison(String),
    /// Nothing, or more than a path, on the left.
    #[error("`{0}` is not the path of a number in summary.json, expected one such as `latency.ttft_ms.p99`")]
    BadPath(String),
    /// Not a number on the right.
    #[error("`{0}` is not a number, expected one such as `2000`, `20k`, `1.5M` or `95 %`")]
    BadNumber(String),
}

/// What became of a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Whether it holds.
    pub holds: bool,
    /// The number it was checked against, if there is one.
    pub value: Option<f64>,
    /// Why there is no number.
    pub problem: Option<String>,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
        })
    }
}

impl FromStr for Assertion {
    type Err = AssertionError;

    fn from_str(text: &str) -> Result<Self, AssertionError> {
        // Two-character operators first: `<=` also contains `<`.
        let ops =
            [("<=", Op::LessOrEqual), (">=", Op::GreaterOrEqual), ("==", Op::Equal), ("<", Op::Less), (">", Op::Greater), ("=", Op::Equal)];
        let parts = ops.iter().find_map(|(sign, op)| text.split_once(sign).map(|(l, r)| (l.trim(), *op, r.trim())));
        let Some((path, op, number)) = parts else { return Err(AssertionError::NoComparison(text.trim().into())) };
        if path.is_empty() || path.contains(char::is_whitespace) {
            return Err(AssertionError::BadPath(path.into()));
        }
        let limit = number_of(number).ok_or_else(|| AssertionError::BadNumber(number.into()))?;
        Ok(Self { text: text.trim().into(), path: path.into(), op, limit })
    }
}

fn number_of(text: &str) -> Option<f64> {
    let (digits, factor) = [("%", 0.01), ("k", 1e3), ("M", 1e6), ("G", 1e9)]
        .into_iter()
        .find_map(|(suffix, factor)| text.strip_suffix(suffix).map(|d| (d.trim_end(), factor)))
        .unwrap_or((text, 1.0));
    let plain = digits.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) && !digits.contains(char::is_whitespace);
    let value: f64 = digits.parse().ok().filter(|_| plain)?;
    Some(value * factor).filter(|v| v.is_finite())
}

impl Assertion {
    /// Checks that `form`, a summary with all that can be in one, has the number; else the problem and what to write instead.
    pub fn check(&self, form: &Value) -> Result<(), (String, Option<String>)> {
        match lookup(form, &self.path)? {
            Value::Number(_) | Value::Null => Ok(()),
            Value::Object(map) => {
                let keys: Vec<&str> = map.keys().map(String::as_str).collect();
                Err((format!("`{}` is not one number", self.path), Some(format!("add one of {}", keys.join(", ")))))
            }
            Value::Array(items) => {
                let names: Vec<&str> = items.iter().filter_map(|item| item.get("name")?.as_str()).collect();
                Err((format!("`{}` is a list", self.path), (!names.is_empty()).then(|| format!("add one of {}", names.join(", ")))))
            }
            _ => Err((format!("`{}` is not a number", self.path), None)),
        }
    }

    /// Checks the condition on a summary. A number that is not there does not hold.
    pub fn evaluate(&self, summary: &Value) -> Outcome {
        let fail = |problem: String| Outcome { holds: false, value: None, problem: Some(problem) };
        let value = match lookup(summary, &self.path) {
            Ok(Value::Number(n)) => n.as_f64(),
            Ok(Value::Null) => return fail(format!("`{}` has no value in this run", self.path)),
            Ok(Value::Object(map)) => {
                let keys: Vec<&str> = map.keys().map(String::as_str).collect();
                return fail(format!("`{}` is not one number, add one of {}", self.path, keys.join(", ")));
            }
            Ok(other) => return fail(format!("`{}` is {other}, not a number", self.path)),
            Err((problem, hint)) => {
                let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                return fail(format!("{problem}{hint}"));
            }
        };
        let Some(value) = value else { return fail(format!("`{}` is too large", self.path)) };
        Outcome { holds: self.is_met_by(value), value: Some(value), problem: None }
    }

    /// Whether the condition holds for a number.
    pub fn is_met_by(&self, value: f64) -> bool {
        match self.op {
            Op::Less => value < self.limit,
            Op::LessOrEqual => value <= self.limit,
            Op::Greater => value > self.limit,
            Op::GreaterOrEqual => value >= self.limit,
            // Written by a person, printed by a machine: equal to the last few bits.
            Op::Equal => (value - self.limit).abs() <= 1e-9 * self.limit.abs(),
        }
    }
}

/// Finds `path` in a summary; the problem and the nearest path if it is not there.
fn lookup<'v>(summary: &'v Value, path: &str) -> Result<&'v Value, (String, Option<String>)> {
    let mut here = summary;
    let mut done = String::new();
    for step in path.split(['.', '[', ']']).filter(|s| !s.is_empty()) {
        let next = match here {
            Value::Object(map) => map.get(step),
            Value::Array(items) => step
                .parse::<usize>()
                .ok()
                .and_then(|i| items.get(i))
                .or_else(|| items.iter().find(|i| i.get("name").is_some_and(|n| n == step))),
            _ => None,
        };
        let Some(next) = next else { return Err(unknown(summary, here, path, &done, step)) };
        if !done.is_empty() {
            done.push('.');
        }
        done.push_str(step);
        here = next;
    }
    Ok(here)
}

fn unknown(summary: &Value, here: &Value, path: &str, done: &str, step: &str) -> (String, Option<String>) {
    if here.is_null() {
        let hint = (done == "goodput").then(|| "give a workload an `slo`".to_owned());
        return (format!("`{done}` has no value in this scenario"), hint);
    }
    let problem = format!("`{path}` is not in summary.json");
    let meant = |near: &str| Some(format!("did you mean `{near}`?"));
    let names: Vec<&str> = match here {
        Value::Object(map) => map.keys().map(String::as_str).collect(),
        Value::Array(items) => items.iter().filter_map(|i| i.get("name")?.as_str()).collect(),
        _ => Vec::new(),
    };
    let prefix = if done.is_empty() { String::new() } else { format!("{done}.") };
    if let Some(near) = nearest(step, names.iter().copied()) {
        return (problem, meant(&format!("{prefix}{near}")));
    }
    let mut paths = Vec::new();
    collect(summary, "", &mut paths);
    // A number known by its last word alone, such as `p99` or `ttft_ms.p99`.
    if let Some(full) = paths.iter().find(|p| p.ends_with(&format!(".{path}"))) {
        return (problem, meant(full));
    }
    let near = nearest(path, paths.iter().map(String::as_str)).and_then(meant);
    (problem, near)
}

/// The paths of all numbers.
fn collect(value: &Value, path: &str, out: &mut Vec<String>) {
    let inner = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(k, v)| collect(v, &inner(k), out)),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate().take(64) {
                let name = item.get("name").and_then(Value::as_str).map_or_else(|| i.to_string(), str::to_owned);
                collect(item, &inner(&name), out);
            }
        }
        Value::Number(_) | Value::Null => out.push(path.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn summary() -> Value {
        json!({
            "latency": {"ttft_ms": {"p50": 120.0, "p99": 1800.5}, "tpot_ms": null},
            "goodput": {"slo_attainment": 0.97},
            "tokens": {"output": 2_000_000},
            "pools": [{"name": "prefill", "utilization": 0.5}, {"name": "decode", "utilization": 0.8}]
        })
    }

    fn outcome(text: &str) -> Outcome {
        text.parse::<Assertion>().unwrap().evaluate(&summary())
    }

    #[test]
    fn conditions_hold_or_fail_with_the_number() {
        let of = |text: &str| (outcome(text).holds, outcome(text).value);
        assert_eq!(of("latency.ttft_ms.p99 < 2000"), (true, Some(1800.5)));
        assert_eq!(of("latency.ttft_ms.p99 < 1.5k"), (false, Some(1800.5)));
        assert!(outcome("goodput.slo_attainment >= 97 %").holds);
        assert!(!outcome("goodput.slo_attainment > 97%").holds);
        assert!(outcome("tokens.output == 2M").holds);
        assert!(outcome("pools.decode.utilization<=0.8").holds);
        assert!(outcome("pools[0].utilization > 0.4").holds);
    }

    #[test]
    fn a_number_that_is_not_there_fails_and_says_why() {
        for (text, message) in [
            ("latency.tpot_ms < 50", "`latency.tpot_ms` has no value in this run"),
            ("latency.ttft_ms < 50", "`latency.ttft_ms` is not one number, add one of p50, p99"),
            ("latency.ttft.p99 < 50", "`latency.ttft.p99` is not in summary.json; did you mean `latency.ttft_ms`?"),
            ("ttft_ms.p99 < 50", "`ttft_ms.p99` is not in summary.json; did you mean `latency.ttft_ms.p99`?"),
            ("pools.decod.utilization < 1", "`pools.decod.utilization` is not in summary.json; did you mean `pools.decode`?"),
            ("banana > 1", "`banana` is not in summary.json"),
        ] {
            let outcome = outcome(text);
            assert!(!outcome.holds);
            assert_eq!(outcome.problem.as_deref(), Some(message));
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        assert!(matches!("p99".parse::<Assertion>(), Err(AssertionError::NoComparison(_))));
        assert!(matches!("< 5".parse::<Assertion>(), Err(AssertionError::BadPath(_))));
        for number in ["", "fast", "nan", "inf", "1e999", "5 ms", "1 2"] {
            assert!(matches!(format!("a.b < {number}").parse::<Assertion>(), Err(AssertionError::BadNumber(_))), "{number}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            if let Ok(assertion) = text.parse::<Assertion>() {
                let _ = assertion.evaluate(&summary());
            }
        }
    }
}
