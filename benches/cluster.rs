//! The whole loop. Floors, on one core of a small cloud machine:
//!
//! * `decode_only`: 1 M simulated requests per second. Affine step time, about 27 sequences running on each instance, 256 output tokens a
//!   request, nobody listens.
//! * `all_metrics` and `quickstart`: 5 M events per second with every metric recorded.
//! * `decode_iteration`: 100 ns an iteration whatever the batch, with the recorder listening; run ahead and stepped.
//!
//! `cargo bench --bench cluster`

use divan::Bencher;
use divan::counter::ItemsCount;
use tokenmill::cluster::Silent;
use tokenmill::metrics::NoRows;
use tokenmill::sim::{SimDuration, SimTime};
use tokenmill::study::{Options, simulate};
use tokenmill::workload::{ClassId, RequestSpec, Workload, WorkloadError};

mod common;

use common::{MID_LOAD, decoders, poisson, recorder, run};

fn main() {
    divan::main();
}

const REQUESTS: u64 = 100_000;

#[divan::bench(args = [16, 64], sample_count = 10)]
fn decode_only(bencher: Bencher<'_, '_>, instances: u32) {
    let inputs = || (decoders(instances, 256), poisson(MID_LOAD * f64::from(instances), REQUESTS));
    bencher.counter(ItemsCount::new(REQUESTS)).with_inputs(inputs).bench_local_values(|(spec, workload)| run(spec, workload, Silent));
}

#[divan::bench(args = [16, 64], sample_count = 10)]
fn all_metrics(bencher: Bencher<'_, '_>, instances: u32) {
    let inputs = || {
        let spec = decoders(instances, 256);
        let recorder = recorder(&spec);
        (spec, poisson(MID_LOAD * f64::from(instances), REQUESTS), recorder)
    };
    let (spec, workload, listener) = inputs();
    let events = run(spec, workload, listener);
    bencher
        .counter(ItemsCount::new(events))
        .with_inputs(inputs)
        .bench_local_values(|(spec, workload, recorder)| run(spec, workload, recorder));
}

/// Prefill and decode apart, roofline, handoffs, paged KV: what `tokenmill run` does, without files.
#[divan::bench(sample_count = 10)]
#[expect(clippy::unwrap_used, reason = "what cannot run cannot be measured")]
fn quickstart(bencher: Bencher<'_, '_>) {
    let scenario = common::scenario("quickstart", &["run.requests=20k"]);
    let options = Options { fast_forward: true, audit: false, aside: false };
    let events = || simulate(&scenario, options, NoRows, Silent, |_| true).unwrap().0.summary.events;
    bencher.counter(ItemsCount::new(events())).bench_local(events);
}

const ITERATIONS: u32 = 200_000;

/// Requests that come at once and leave at once.
#[derive(Debug)]
struct Cohort {
    left: u32,
    output: u32,
}

impl Workload for Cohort {
    fn peek(&mut self) -> Result<Option<SimTime>, WorkloadError> {
        Ok((self.left > 0).then_some(SimTime::ZERO))
    }
    fn next(&mut self) -> Result<Option<(SimTime, RequestSpec)>, WorkloadError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        Ok(Some((SimTime::ZERO, RequestSpec::new(ClassId(0), 1, self.output))))
    }
    fn is_exhausted(&self) -> bool {
        self.left == 0
    }
}

#[expect(clippy::unwrap_used, reason = "what cannot run cannot be measured")]
fn iterations(bencher: Bencher<'_, '_>, batch: u32, fast_forward: bool) {
    let inputs = || {
        let mut spec = decoders(1, 1024);
        spec.fast_forward = fast_forward;
        spec.pools[0].engine.kv_blocks = 1 << 30;
        let recorder = recorder(&spec);
        (spec, recorder)
    };
    bencher.counter(ItemsCount::new(ITERATIONS)).with_inputs(inputs).bench_local_values(|(spec, recorder)| {
        let mut cluster = tokenmill::cluster::Cluster::new(&spec, recorder).unwrap();
        cluster.run(&mut Cohort { left: batch, output: ITERATIONS }, |_, _| true).unwrap();
        assert!(cluster.now() > SimTime::ZERO + SimDuration::from_ns(u64::from(ITERATIONS)));
        cluster.into_observer()
    });
}

#[divan::bench(args = [1, 32, 256, 1024], sample_count = 10)]
fn decode_iteration_ahead(bencher: Bencher<'_, '_>, batch: u32) {
    iterations(bencher, batch, true);
}

#[divan::bench(args = [1, 32, 256, 1024], sample_count = 10)]
fn decode_iteration_stepped(bencher: Bencher<'_, '_>, batch: u32) {
    iterations(bencher, batch, false);
}
