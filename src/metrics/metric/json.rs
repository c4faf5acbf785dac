//! The numbers of a summary as JSON, nested by their paths.

use serde_json::{Map, Value};

use super::super::summary::Distribution;
use super::Statistic;
use super::table::{MetricValue, Table, rows_of};

/// Groups that are `null` if none of their numbers has a value: their numbers have no meaning on their own.
const WHOLE: [&str; 4] = ["goodput", "lifecycle", "slo_attainment_95", "jitter.request_itl_std_ms"];
/// Entries left out without a value, because few scenarios have them.
const LEFT_OUT: [&str; 4] = ["fleet", "sessions", "lifecycle.recovery_ms", "lifecycle.frontend_ms"];

/// The numbers of `of`, in the order of its table; numbers without a value are `null`.
pub fn numbers<T>(table: Table<T>, of: &T) -> Map<String, Value> {
    let mut all = Map::new();
    for row in rows_of(table) {
        let value = match row.of(of) {
            MetricValue::Count(count) => count.into(),
            // Non-finite values are not valid JSON numbers, and become `null`.
            MetricValue::Number(number) => number.into(),
            MetricValue::Distribution(values) => values.as_ref().map_or(Value::Null, distribution),
        };
        put(&mut all, row.info.id, value);
    }
    for path in LEFT_OUT {
        if let Some((group, name)) = group_of(&mut all, path)
            && group.get(name).is_some_and(is_empty)
        {
            group.shift_remove(name);
        }
    }
    for path in WHOLE {
        if let Some((group, name)) = group_of(&mut all, path)
            && let Some(whole) = group.get_mut(name)
            && is_empty(whole)
        {
            *whole = Value::Null;
        }
    }
    all
}

fn distribution(distribution: &Distribution) -> Value {
    let statistics = Statistic::ALL.into_iter().map(|statistic| {
        let value = match statistic {
            Statistic::Count => distribution.count.into(),
            _ => statistic.of(distribution).into(),
        };
        (statistic.name().to_owned(), value)
    });
    Value::Object(statistics.collect())
}

/// Inserts a value at a path, creating the groups above it.
fn put(all: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            all.insert(path.to_owned(), value);
        }
        Some((group, rest)) => {
            if let Value::Object(inner) = all.entry(group).or_insert_with(|| Value::Object(Map::new())) {
                put(inner, rest, value);
            }
        }
    }
}

/// The group of a path, and the name within it.
fn group_of<'a, 'p>(all: &'a mut Map<String, Value>, path: &'p str) -> Option<(&'a mut Map<String, Value>, &'p str)> {
    match path.split_once('.') {
        None => Some((all, path)),
        Some((group, rest)) => group_of(all.get_mut(group)?.as_object_mut()?, rest),
    }
}

/// True if it contains no number.
fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(|group| group.values().all(is_empty))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::table::Better::Neither;
    use super::super::{Group, Metric};
    use super::*;

    const TABLE: Table<Option<f64>> = &[Group::new("", "", ROWS)];
    const ROWS: &[Metric<Option<f64>>] = &[
        Metric::number("lifecycle.queue_ms", "", "ms", Neither, "", "", |value| *value),
        Metric::number("lifecycle.recovery_ms", "", "ms", Neither, "", "", |_| None),
        Metric::count("requests.arrived", "", "", Neither, "", "", |value| value.map(|_| 3)),
        Metric::number("requests.rate", "", "", Neither, "", "", |_| Some(f64::INFINITY)),
        Metric::number("fleet.down_s", "", "s", Neither, "", "", |_| None),
    ];

    #[test]
    fn numbers_are_nested_and_empty_groups_are_null_or_left_out() {
        let of = |value: Option<f64>| Value::Object(numbers(TABLE, &value));
        assert_eq!(of(Some(2.0)), json!({"lifecycle": {"queue_ms": 2.0}, "requests": {"arrived": 3, "rate": null}}));
        assert_eq!(of(None), json!({"lifecycle": null, "requests": {"arrived": null, "rate": null}}));
    }
}
