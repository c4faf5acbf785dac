//! The conditions of a scenario against the numbers that its run will have.

use super::super::assertion::Assertion;
use super::super::diagnostic::ConfigErrors;
use super::super::load::Problems;
use super::super::scenario::ScenarioFile;
use crate::metrics::{Distribution, MeanAndP99, NoRows, Recorder, RecorderParameters, RunFacts, Summary};
use crate::sim::SimTime;

/// Notes conditions on numbers that `summary.json` will not have.
pub(super) fn check(
    assertions: &[Assertion],
    file: &ScenarioFile,
    recorder: &RecorderParameters,
    problems: &mut Problems<'_>,
) -> Result<(), ConfigErrors> {
    let form = serde_json::to_value(form(recorder)).map_err(|error| ConfigErrors::file(&file.name, &error.to_string(), None))?;
    for assertion in assertions {
        if let Err((problem, hint)) = assertion.check(&form) {
            let index = file.assert.iter().position(|text| text.trim() == assertion.text).unwrap_or_default();
            problems.note(&format!("assert[{index}]"), &problem, hint);
        }
    }
    Ok(())
}

/// A summary with every number that can have a value: that of a run without requests, its distributions filled in.
fn form(recorder: &RecorderParameters) -> Summary {
    let facts = RunFacts {
        scenario: String::new(),
        seed: 0,
        input_hash: String::new(),
        end: SimTime::ZERO,
        events: 0,
        pue: 1.0,
        carbon_g_per_kwh: 0.0,
        peak_port_utilization: None,
    };
    let mut form = Recorder::new(recorder.clone(), NoRows).result(&facts).summary;
    let any = Distribution { mean: 0.0, std: 0.0, min: 0.0, p50: 0.0, p90: 0.0, p95: 0.0, p99: 0.0, max: 0.0, count: 0 };
    let latency = &mut form.latency;
    for distribution in [&mut latency.ttft_ms, &mut latency.ttst_ms, &mut latency.tpot_ms, &mut latency.itl_ms, &mut latency.e2e_ms] {
        *distribution = Some(any);
    }
    form.jitter.request_itl_std_ms = Some(MeanAndP99 { mean: 0.0, p99: 0.0 });
    form
}
