//! `summary.json`: the summary as stable, pretty JSON. Floats are printed in their shortest exact form, so the file is lossless.
//!
//! Owns: layout of the file. Must not know: its location.

use serde_json::{Map, Value, json, to_value};

use crate::metrics::Summary;
use crate::metrics::metric::{CLASS, FRONTEND, POOL, POOL_OUTAGES, RUN, numbers};

/// The bytes of `summary.json`: two-space indent, numbers in the order of their tables, a final newline; non-finite values print as `null`.
pub fn summary_json(summary: &Summary) -> Result<String, serde_json::Error> {
    let mut all = Map::new();
    all.insert("schema_version".to_owned(), json!(summary.schema_version));
    all.insert("scenario".to_owned(), json!(summary.scenario));
    all.insert("seed".to_owned(), json!(summary.seed));
    all.insert("input_hash".to_owned(), json!(summary.input_hash));
    all.append(&mut numbers(RUN, summary));
    let pools = summary.pools.iter().map(|pool| {
        let names = json!({"name": pool.name, "role": pool.role, "hardware": pool.hardware, "model": pool.model});
        joined(joined(names, numbers(POOL, pool)), Map::from_iter([("perf".to_owned(), json!(pool.perf))]))
    });
    all.insert("pools".to_owned(), pools.collect());
    let classes = summary.classes.iter().map(|class| joined(json!({"name": class.name}), numbers(CLASS, class)));
    all.insert("classes".to_owned(), classes.collect());
    if !summary.frontends.is_empty() {
        let frontends = summary.frontends.iter().map(|frontend| joined(json!({"name": frontend.name}), numbers(FRONTEND, frontend)));
        all.insert("frontends".to_owned(), frontends.collect());
    }
    if let (Some(fleet), Some(Value::Object(group))) = (&summary.fleet, all.get_mut("fleet")) {
        let pools = fleet.pools.iter().map(|pool| joined(json!({"name": pool.name}), numbers(POOL_OUTAGES, pool)));
        group.insert("pools".to_owned(), pools.collect());
    }
    all.insert("provenance".to_owned(), to_value(&summary.provenance)?);
    all.insert("assertions".to_owned(), to_value(&summary.assertions)?);
    all.insert("warnings".to_owned(), to_value(&summary.warnings)?);
    let mut text = serde_json::to_string_pretty(&all)?;
    text.push('\n');
    Ok(text)
}

/// An object with further entries.
fn joined(mut object: Value, mut more: Map<String, Value>) -> Value {
    if let Value::Object(entries) = &mut object {
        entries.append(&mut more);
    }
    object
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn floats_keep_every_bit_and_absent_values_are_null() {
        let mut summary = fixture::nothing_completed().summary;
        summary.simulated_s = 0.1 + 0.2;
        let text = summary_json(&summary).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["simulated_s"].as_f64().unwrap().to_bits(), (0.1f64 + 0.2).to_bits());
        assert!(value["latency"]["ttft_ms"].is_null());
        assert!(text.ends_with("}\n"));
        assert_eq!(text, summary_json(&summary).unwrap());
    }

    #[test]
    fn the_documented_fields_exist() {
        let value: serde_json::Value = serde_json::from_str(&summary_json(&fixture::two_pools().summary).unwrap()).unwrap();
        for pointer in [
            "/schema_version",
            "/requests/in_flight",
            "/tokens/cached_prompt",
            "/latency/ttst_ms/p99",
            "/jitter/request_itl_std_ms/p99",
            "/goodput/slo_attainment",
            "/energy/output_tokens_per_j/facility",
            "/cost/breakdown/hosting",
            "/pools/0/kv_utilization_peak",
            "/provenance/0/confidence",
            "/warnings/0/code",
        ] {
            assert!(value.pointer(pointer).is_some_and(|v| !v.is_null()), "{pointer}");
        }
        assert_eq!(value["warnings"][0]["code"], "kv-saturation");
    }
}
