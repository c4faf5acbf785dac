//! Records of frontends, and their part of the summary.

use super::recorder::{Recorder, RequestSink};
use super::summary::FrontendSummary;
use crate::cluster::FrontendId;
use crate::sim::SimTime;

impl<S: RequestSink> Recorder<S> {
    /// Records waiting requests and busy workers, constant over a span.
    pub(super) fn frontend(&mut self, id: FrontendId, (from, to): (SimTime, SimTime), waiting: u64, busy: u64) {
        let span = u128::from(self.measured_ns(from, to));
        if let Some(record) = self.frontends.get_mut(usize::from(id.0)).filter(|_| span > 0) {
            record.waiting += u128::from(waiting) * span;
            record.busy += u128::from(busy) * span;
            record.queue_peak = record.queue_peak.max(waiting);
        }
    }

    /// One entry per frontend, over `measured_s` seconds.
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
