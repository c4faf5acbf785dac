//! `compare.json`: every number of every run, the differences and their interpretation.

use serde_json::{Value, json};

use crate::study::compare::{Certainty, Comparison, Difference, Method, MetricComparison, VariantNumber};
use crate::study::statistics::Interval;

/// Version of the layout; raised when a field changes meaning or is removed.
const SCHEMA_VERSION: u32 = 1;

/// The bytes of `compare.json`, with a final newline. Non-finite values print as `null`.
///
/// # Errors
/// Internal errors only.
pub fn comparison_json(comparison: &Comparison) -> Result<String, serde_json::Error> {
    let metrics: Vec<Value> = comparison.metrics.iter().map(|row| metric(row, &comparison.variants)).collect();
    let all = json!({
        "schema_version": SCHEMA_VERSION,
        "baseline": comparison.variants.first(),
        "variants": comparison.variants,
        "seeds": comparison.seeds,
        "intervals_from": match comparison.method { Method::Seeds => "seeds", Method::Requests => "requests" },
        "confidence": 0.95,
        "cautions": comparison.cautions.iter().map(|caution| json!({"variant": caution.variant, "message": caution.message})).collect::<Vec<_>>(),
        "metrics": metrics,
    });
    let mut text = serde_json::to_string_pretty(&all)?;
    text.push('\n');
    Ok(text)
}

fn metric(metric: &MetricComparison, variants: &[String]) -> Value {
    let of: Vec<Value> = metric.of.iter().zip(variants).filter_map(|(number, name)| Some(variant(name, number.as_ref()?))).collect();
    json!({
        "path": metric.path,
        "unit": metric.info.unit,
        "better": metric.info.better.name(),
        "text": metric.info.text,
        "of": of,
    })
}

fn variant(name: &str, number: &VariantNumber) -> Value {
    json!({
        "variant": name,
        "runs": number.runs,
        "mean": number.estimate.map(|estimate| estimate.value),
        "mean_95": number.estimate.and_then(|estimate| estimate.interval).map(interval),
        "difference": number.difference.as_ref().map(difference),
    })
}

fn difference(difference: &Difference) -> Value {
    json!({
        "value": difference.value,
        "relative": difference.relative,
        "interval_95": match difference.certainty { Certainty::Interval(found) => interval(found), _ => Value::Null },
        "certainty": difference.certainty.name(),
        "side": difference.side.name(),
        "sure": difference.is_sure(),
        "finding": difference.finding(),
    })
}

fn interval(interval: Interval) -> Value {
    json!({"low": interval.low, "high": interval.high})
}
