//! Small clusters and workloads for tests.

mod clusters;
mod ledger;
mod scenarios;

pub(crate) use clusters::{Linear, cluster, pool, router, router_names};
pub(crate) use ledger::{Ledger, audited, recorded};
pub(crate) use scenarios::{Rows, data, inline, sets, shipped, simulate_with};

use std::collections::VecDeque;

use tokenmill::cluster::{Cluster, ClusterSpec, Observation, Observer, RequestRecord};
use tokenmill::sim::SimTime;
use tokenmill::workload::{ClassId, RequestSpec, Workload, WorkloadError};

pub(crate) fn request(prompt: u32, output: u32) -> RequestSpec {
    RequestSpec::new(ClassId(0), prompt, output)
}

/// A given list of requests.
#[derive(Debug)]
pub(crate) struct Listed(pub(crate) VecDeque<(SimTime, RequestSpec)>);

impl Listed {
    pub(crate) fn new(requests: impl IntoIterator<Item = (u64, RequestSpec)>) -> Self {
        Self(requests.into_iter().map(|(ns, spec)| (SimTime::from_ns(ns), spec)).collect())
    }
}

impl Workload for Listed {
    fn peek(&mut self) -> Result<Option<SimTime>, WorkloadError> {
        Ok(self.0.front().map(|(at, _)| *at))
    }
    fn next(&mut self) -> Result<Option<(SimTime, RequestSpec)>, WorkloadError> {
        Ok(self.0.pop_front())
    }
    fn is_exhausted(&self) -> bool {
        self.0.is_empty()
    }
}

/// Keeps the record of every request.
#[derive(Debug, Default)]
pub(crate) struct Records(pub(crate) Vec<RequestRecord>);

impl Observer for Records {
    fn on(&mut self, _: SimTime, what: &Observation<'_>) {
        if let Observation::Ended(record) = *what {
            self.0.push(*record);
        }
    }
}

/// Runs and returns the records by request number.
#[expect(clippy::needless_pass_by_value, reason = "a test makes a specification for one run")]
pub(crate) fn run(spec: ClusterSpec, mut workload: impl Workload) -> Vec<RequestRecord> {
    let mut cluster = Cluster::new(&spec, Records::default()).unwrap();
    cluster.run(&mut workload, |_, _| true).unwrap();
    let mut records = cluster.into_observer().0;
    records.sort_by_key(|record| record.id);
    records
}
