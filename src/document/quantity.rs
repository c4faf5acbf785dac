//! Checks of values with a unit.
//!
//! Owns: the wording of errors in quantities. Must not know: the list of units (`units` has it).

use serde_json::Value;

use super::check::{cut, found, list_words};
use super::schema::At;
use super::source::Sources;
use super::tree::{Fault, Kind, Node};
use crate::units::{
    Bytes, BytesPerSecond, Count, Duration, FlopsPerSecond, GramsPerKwh, PerSecond, QuantityError, Ratio, Usd, UsdPerHour, UsdPerKwMonth,
    UsdPerKwh, Watts, check_quantity, show_quantity,
};

/// Checks one node against the quantity `name` and the range that the schema gives.
pub(super) fn check(node: &Node, name: &str, at: At<'_>, path: &str, sources: &Sources) -> Option<Fault> {
    // Most quantities are valid, so the message is built only for a fault.
    let fault = || Fault::new(node.span, format!("found {}", found(node, sources))).at(path).expected(in_words(name, at));
    let text = match &node.kind {
        Kind::Int(value) => value.to_string(),
        Kind::Float(value) if value.is_finite() => value.to_string(),
        Kind::Text(text) => text.clone(),
        _ => return Some(fault()),
    };
    match check_quantity(name, &text) {
        None | Some(Ok(())) => out_of_range(name, &text, at).then(fault),
        Some(Err(QuantityError::UnknownUnit { unit, what, nearest, .. })) => {
            let unit = cut(&unit, 40);
            let near = nearest.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
            Some(fault().hint(format!("`{unit}` is not a unit of {what}{near}")))
        }
        Some(Err(QuantityError::MissingUnit { found, what, .. })) => {
            Some(fault().hint(format!("`{}` has no unit; {what} needs one", cut(&found, 40))))
        }
        Some(Err(QuantityError::OutOfRange { least, most, .. })) => {
            // The bound of the unit is named only on the side that was exceeded.
            let low = text.trim_start().starts_with('-');
            let range = range_words(name, at, low.then_some(least), (!low).then_some(most));
            Some(fault().expected(what_words(name, at, range)))
        }
        Some(Err(_)) => Some(fault()),
    }
}

fn out_of_range(name: &str, text: &str, at: At<'_>) -> bool {
    let Some(value) = value_of(name, text) else { return false };
    let limit = |keyword: &str| at.keyword(keyword).and_then(Value::as_f64);
    limit("x-above").is_some_and(|l| value <= l)
        || limit("x-least").is_some_and(|l| value < l)
        || limit("x-most").is_some_and(|l| value > l)
        || (name == "Count" && value.fract() != 0.0)
}

/// The value in base units.
fn value_of(name: &str, text: &str) -> Option<f64> {
    macro_rules! value {
        ($($quantity:ident),*) => {
            match name {
                $(stringify!($quantity) => text.parse::<$quantity>().ok().map($quantity::get),)*
                _ => None,
            }
        };
    }
    value!(
        Bytes,
        BytesPerSecond,
        Count,
        Duration,
        FlopsPerSecond,
        GramsPerKwh,
        PerSecond,
        Ratio,
        Usd,
        UsdPerHour,
        UsdPerKwMonth,
        UsdPerKwh,
        Watts
    )
}

/// The value expected: "a duration above 0, such as `50 ms`, `2 s` or `10 min`".
pub(super) fn in_words(name: &str, at: At<'_>) -> String {
    what_words(name, at, range_words(name, at, None, None))
}

fn what_words(name: &str, at: At<'_>, range: Option<String>) -> String {
    let (what, examples) = describe(name);
    // Only examples that are valid here.
    let all: Vec<&str> = examples.split('`').skip(1).step_by(2).collect();
    let right: Vec<&str> = all.iter().copied().filter(|example| !out_of_range(name, example, at)).collect();
    let examples = match right.len() {
        0 if !all.is_empty() => example(name, at),
        count if count < all.len() => Some(list_words(&right)),
        _ => Some(examples.to_owned()),
    };
    match (range, examples) {
        (Some(range), Some(examples)) => format!("{what} {range}, such as {examples}"),
        (None, Some(examples)) => format!("{what} such as {examples}"),
        (Some(range), None) => format!("{what} {range}"),
        (None, None) => what.to_owned(),
    }
}

/// A value that is valid here.
pub(super) fn right_value(name: &str, at: At<'_>) -> Option<String> {
    let (_, examples) = describe(name);
    let right = examples.split('`').skip(1).step_by(2).find(|example| !out_of_range(name, example, at));
    right.map(str::to_owned).or_else(|| Some(example(name, at)?.trim_matches('`').to_owned()))
}

/// A value a little above the lower bound, for ranges that exclude all usual examples.
fn example(name: &str, at: At<'_>) -> Option<String> {
    let least = at.keyword("x-least").or_else(|| at.keyword("x-above")).and_then(Value::as_f64)?;
    let shown = show_quantity(name, least * 1.25)?;
    (!out_of_range(name, &shown, at)).then(|| format!("`{shown}`"))
}

/// Name and examples, as in the errors of `units`.
fn describe(name: &str) -> (&'static str, &'static str) {
    match (name, check_quantity(name, "")) {
        ("Count", _) => ("a whole number", "`20000` or `20k`"),
        (_, Some(Err(QuantityError::NotANumber { what, examples, .. }))) => (what, examples),
        _ => ("a value", "one with a unit"),
    }
}

/// The schema's range; a bound that it leaves open is `least` or `most`, if given.
fn range_words(name: &str, at: At<'_>, least: Option<String>, most: Option<String>) -> Option<String> {
    let limit = |keyword: &str| at.keyword(keyword).and_then(Value::as_f64).and_then(|limit| show_quantity(name, limit));
    let most = limit("x-most").or(most);
    if let Some(above) = limit("x-above") {
        return Some(most.map_or_else(|| format!("above {above}"), |most| format!("above {above} and at most {most}")));
    }
    match (limit("x-least").or(least), most) {
        // No quantity is negative.
        (least, Some(most)) => Some(format!("from {} to {most}", least.as_deref().unwrap_or("0"))),
        (Some(least), None) => Some(format!("of at least {least}")),
        (None, None) => None,
    }
}
