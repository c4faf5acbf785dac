//! `summary.json`: the summary as stable, pretty JSON. Floats keep their shortest exact form, so the file loses nothing.
//!
//! Owns: layout of the file. Must not know: where it is written.

use crate::metrics::Summary;

/// The bytes of `summary.json`: two-space indent, fields in the order of [`Summary`], a final newline; what is not finite prints as `null`.
pub fn summary_json(summary: &Summary) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(summary)?;
    text.push('\n');
    Ok(text)
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
    fn the_fields_promised_to_readers_are_there() {
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
