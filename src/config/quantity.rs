//! Checks of values with a unit.
//!
//! Owns: how a quantity out of place is told. Must not know: which units there are (`units` does).

use serde_json::Value;

use super::check::{cut, found};
use super::schema::At;
use super::source::Sources;
use super::tree::{Fault, Kind, Node};
use crate::units::{
    Bytes, BytesPerSecond, Count, Duration, FlopsPerSecond, GramsPerKwh, PerSecond, QuantityError, Ratio, Usd, UsdPerHour, UsdPerKwMonth,
    UsdPerKwh, Watts, check_quantity,
};

/// Checks one node against the quantity `name` and the range that the schema gives.
pub(super) fn check(node: &Node, name: &str, at: At<'_>, path: &str, sources: &Sources) -> Option<Fault> {
    let as_found = format!("found {}", found(node, sources));
    let fault = Fault::new(node.span, as_found).at(path).expected(in_words(name, at));
    let text = match &node.kind {
        Kind::Int(value) => value.to_string(),
        Kind::Float(value) if value.is_finite() => value.to_string(),
        Kind::Text(text) => text.clone(),
        _ => return Some(fault),
    };
    match check_quantity(name, &text) {
        None | Some(Ok(())) => out_of_range(name, &text, at).then_some(fault),
        Some(Err(QuantityError::UnknownUnit { unit, what, nearest, .. })) => {
            let unit = cut(&unit, 40);
            let near = nearest.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
            Some(fault.hint(format!("`{unit}` is not a unit of {what}{near}")))
        }
        Some(Err(QuantityError::MissingUnit { found, what, .. })) => {
            Some(fault.hint(format!("`{}` has no unit; {what} needs one", cut(&found, 40))))
        }
        Some(Err(QuantityError::OutOfRange { .. })) if text.trim_start().starts_with('-') && range_words(at).is_some() => Some(fault),
        Some(Err(QuantityError::OutOfRange { least, most, .. })) => {
            let limits = match range_words(at) {
                Some(range) if at.keyword("x-most").is_some() => range,
                Some(range) => format!("{range} and at most {most}"),
                None => format!("from {least} to {most}"),
            };
            let (what, examples) = describe(name);
            Some(fault.expected(format!("{what} {limits}, such as {examples}")))
        }
        Some(Err(_)) => Some(fault),
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

/// What is asked for: "a duration above 0, such as `50 ms`, `2 s` or `10 min`".
pub(super) fn in_words(name: &str, at: At<'_>) -> String {
    let (what, examples) = describe(name);
    match range_words(at) {
        Some(range) => format!("{what} {range}, such as {examples}"),
        None => format!("{what} such as {examples}"),
    }
}

/// Name and examples, as `units` has them in its own errors.
fn describe(name: &str) -> (&'static str, &'static str) {
    match (name, check_quantity(name, "")) {
        ("Count", _) => ("a whole number", "`20000` or `20k`"),
        (_, Some(Err(QuantityError::NotANumber { what, examples, .. }))) => (what, examples),
        _ => ("a value", "one with a unit"),
    }
}

fn range_words(at: At<'_>) -> Option<String> {
    let limit = |keyword: &str| at.keyword(keyword).and_then(Value::as_f64);
    let least = limit("x-above").map(|l| format!("above {l}")).or_else(|| limit("x-least").map(|l| format!("of at least {l}")));
    let most = limit("x-most").map(|m| format!("at most {m}"));
    match (least, most) {
        (Some(least), Some(most)) => Some(format!("{least} and {most}")),
        (Some(one), None) => Some(one),
        (None, Some(most)) => Some(format!("of {most}")),
        (None, None) => None,
    }
}
