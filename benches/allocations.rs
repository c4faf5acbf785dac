//! Allocations of the whole loop in its steady state. Floor: none per event; what a run allocates grows with what lives at once, not with
//! what passes through.
//!
//! Divan prints allocations per run: the longer one must not allocate more than the shorter one plus a few doublings of a buffer.
//!
//! `cargo bench --bench allocations`

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use tokenmill::cluster::Silent;

mod common;

use common::{MID_LOAD, decoders, poisson, recorder, run};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const INSTANCES: u32 = 16;

#[divan::bench(args = [10_000, 100_000], sample_count = 2, sample_size = 1)]
fn silent(bencher: Bencher<'_, '_>, requests: u64) {
    let inputs = || (decoders(INSTANCES, 256), poisson(MID_LOAD * f64::from(INSTANCES), requests));
    bencher.counter(ItemsCount::new(requests)).with_inputs(inputs).bench_local_values(|(spec, workload)| run(spec, workload, Silent));
}

#[divan::bench(args = [10_000, 100_000], sample_count = 2, sample_size = 1)]
fn all_metrics(bencher: Bencher<'_, '_>, requests: u64) {
    let inputs = || {
        let spec = decoders(INSTANCES, 256);
        let recorder = recorder(&spec);
        (spec, poisson(MID_LOAD * f64::from(INSTANCES), requests), recorder)
    };
    bencher
        .counter(ItemsCount::new(requests))
        .with_inputs(inputs)
        .bench_local_values(|(spec, workload, recorder)| run(spec, workload, recorder));
}
