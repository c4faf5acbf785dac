//! What the summary says of frontends.

use super::recorder::{Recorder, RequestSink};
use super::summary::FrontendSummary;

impl<S: RequestSink> Recorder<S> {
    /// One entry a frontend, over `measured_s` seconds.
    pub(super) fn frontends(&self, measured_s: f64) -> Vec<FrontendSummary> {
        let mean = |integral: u128| if measured_s > 0.0 { integral as f64 * 1e-9 / measured_s } else { 0.0 };
        let summaries = self.frontends.iter().zip(&self.parameters.frontends).map(|(record, frontend)| FrontendSummary {
            name: frontend.name.clone(),
            instances: frontend.instances,
            workers: frontend.workers,
            utilization: mean(record.busy) / (f64::from(frontend.instances) * f64::from(frontend.workers)),
            queue_mean: mean(record.waiting),
            queue_peak: record.queue_peak,
        });
        summaries.collect()
    }
}
