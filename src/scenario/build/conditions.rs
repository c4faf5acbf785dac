//! Checks of a scenario's conditions against the numbers in the summary of its run.

use super::super::assertion::Assertion;
use super::super::file::ScenarioFile;
use crate::cluster::ClusterSpec;
use crate::document::Problems;
use crate::metrics::RecorderParameters;
use crate::metrics::metric::{NoMetric, Shape};

/// Notes conditions on numbers that `summary.json` will not have.
pub(super) fn check(
    assertions: &[Assertion],
    file: &ScenarioFile,
    recorder: &RecorderParameters,
    cluster: &ClusterSpec,
    problems: &mut Problems<'_>,
) {
    let shape = Shape::of_parameters(recorder, cluster);
    for assertion in assertions {
        if let Err(NoMetric { problem, hint }) = assertion.reading(&shape) {
            let index = file.assert.iter().position(|text| text.trim() == assertion.text).unwrap_or_default();
            problems.note(&format!("assert[{index}]"), &problem, hint);
        }
    }
}
