//! What a run costs as it grows: steps of the whole loop, counted, at a size and at several times that.
//!
//! A step is an observation, an event or wake, a part of the network visited, or a place looked at in the order of a router. None depends
//! on the machine. The tables are checked first: with longer outputs, more requests and more classes the steps of a request may not grow by
//! half; an instance that idles, and one that is down, may each add a few steps to the run and none to a request.
//!
//! `cargo bench --bench growth`; `cargo test --bench growth` checks the tables and times nothing.

#![expect(clippy::unwrap_used, reason = "what cannot run cannot be measured")]
#![expect(clippy::print_stdout, reason = "the tables of steps are a result")]

use divan::Bencher;
use divan::counter::ItemsCount;
use tokenmill::cluster::{
    ClassSpec, Cluster, ClusterSpec, EngineSpec, ModelId, NetworkSpec, Observation, Observer, Role, RouterSpec, Silent, Work,
};
use tokenmill::policy::{Fault, Limits};
use tokenmill::sim::{SimDuration, SimTime, Streams};
use tokenmill::workload::{
    ArrivalProcess, ClassId, LengthDistribution, MergedWorkload, RequestShape, SyntheticParameters, SyntheticWorkload, Workload,
};

mod common;

use common::{Linear, cluster, decoders, engine, pool};

const OUTPUTS: [u32; 4] = [100, 400, 1_600, 8_000];
const REQUESTS: [u32; 3] = [2_000, 8_000, 32_000];
const CLASSES: [u16; 4] = [1, 32, 128, 512];
const IDLE: [u32; 4] = [100, 400, 1_600, 10_000];
const DOWN: [u32; 4] = [0, 100, 400, 1_600];

/// By how much the steps of a request may grow from the first size to any other.
const MOST_GROWTH: f64 = 1.5;
/// Steps that an instance with nothing to do may add to a run: it is put in order, and is reported idle.
const PER_IDLE: f64 = 10.0;
/// Steps that an instance which goes down and comes back may add to a run: besides, it leaves the order of the router and returns to it, and
/// each change of its life is an event, or part of one, and reported.
const PER_DOWN: f64 = 30.0;

fn main() {
    bound_per_request(OUTPUTS.map(long_outputs));
    bound_per_request(REQUESTS.map(saturated_network));
    bound_per_request(CLASSES.map(many_classes));
    bound_per_instance(IDLE.map(idle_instances), PER_IDLE);
    bound_per_instance(DOWN.map(instances_down), PER_DOWN);
    divan::main();
}

/// Counts what it hears.
#[derive(Debug, Default)]
struct Heard(u64);

impl Observer for Heard {
    fn on(&mut self, _: SimTime, _: &Observation<'_>) {
        self.0 += 1;
    }
}

/// One run that is to be counted or timed.
struct Case {
    name: &'static str,
    /// What grows.
    size: u32,
    requests: u32,
    spec: ClusterSpec,
    workload: Box<dyn Workload>,
}

/// What a case has cost.
struct Row {
    size: u32,
    requests: u32,
    steps: u64,
}

impl Case {
    fn run<O: Observer>(&mut self, observer: O) -> (Work, O) {
        let mut cluster = Cluster::new(&self.spec, observer).unwrap();
        cluster.run(&mut self.workload, |_, _| true).unwrap();
        assert_eq!(cluster.arrived(), u64::from(self.requests));
        (cluster.work(), cluster.into_observer())
    }

    /// Counts the steps, and prints them by kind, per request.
    fn count(mut self) -> Row {
        let (Work { events, network, routing }, Heard(heard)) = self.run(Heard::default());
        let steps = heard + events + network + routing;
        let [all, heard, events, network, routing] =
            [steps, heard, events, network, routing].map(|steps| steps as f64 / f64::from(self.requests));
        println!(
            "{:>6} {:<28} {all:7.2} steps per request: {heard:5.2} heard, {events:5.2} events, {network:5.2} network, {routing:6.2} routing",
            self.size, self.name
        );
        Row { size: self.size, requests: self.requests, steps }
    }
}

/// The steps of a request do not grow with the size.
fn bound_per_request(cases: impl IntoIterator<Item = Case>) {
    let rows: Vec<Row> = cases.into_iter().map(Case::count).collect();
    let per_request = |row: &Row| row.steps as f64 / f64::from(row.requests);
    for row in &rows[1..] {
        assert!(per_request(row) < MOST_GROWTH * per_request(&rows[0]), "the steps of a request grow");
    }
}

/// Each instance adds at most so many steps to the run.
fn bound_per_instance(cases: impl IntoIterator<Item = Case>, most: f64) {
    let rows: Vec<Row> = cases.into_iter().map(Case::count).collect();
    for row in &rows[1..] {
        let more = row.steps as f64 - MOST_GROWTH * rows[0].steps as f64;
        assert!(more < most * f64::from(row.size - rows[0].size), "an instance adds more than {most} steps");
    }
}

/// Requests of one class in an open loop.
fn requests(class: u16, rate: f64, requests: u32, prompt: u32, output: u32) -> SyntheticWorkload {
    let fixed = |tokens| LengthDistribution::Fixed { tokens };
    let parameters = SyntheticParameters {
        arrivals: ArrivalProcess::Poisson { rate },
        envelope: None,
        shape: RequestShape { prompt: fixed(prompt), output: fixed(output), shared_prefix: None },
        requests: Some(u64::from(requests)),
    };
    SyntheticWorkload::new(ClassId(class), &parameters, &Streams::new(7)).unwrap()
}

/// Four instances that run about 27 sequences each, whatever the length.
fn long_outputs(size: u32) -> Case {
    let (rate, count) = (4.0 * 27.0 / (0.0127 * f64::from(size)), 2_000);
    Case { name: "output tokens", size, requests: count, spec: decoders(4, 256), workload: Box::new(requests(0, rate, count, 1, size)) }
}

/// Prompts are done a hundred times faster than a fabric takes their KV, so that nearly all of it is on the way at once.
fn saturated_network(size: u32) -> Case {
    let roomy = EngineSpec { max_num_seqs: 1 << 16, max_num_batched_tokens: 1 << 17, kv_blocks: 1 << 30, ..engine() };
    let pools = [("prefill", Role::Prefill), ("decode", Role::Decode)].map(|(name, role)| {
        let mut pool = pool(name, role, 8, Linear { base: 1e6, ..Linear::default() });
        pool.engine = roomy;
        pool
    });
    let spec = cluster(pools.into());
    let network = NetworkSpec { fabric_bytes_per_s: Some(1e6), ..spec.network };
    let spec = ClusterSpec { network, audit: false, ..spec };
    Case { name: "requests, saturated network", size, requests: size, spec, workload: Box::new(requests(0, 1_000.0, size, 100, 20)) }
}

/// The same load from one class or from many, each of which has a time-out.
fn many_classes(size: u16) -> Case {
    let (rate, count) = (4.0 * common::MID_LOAD, 8_192 / u32::from(size));
    let part = |class| {
        let part: Box<dyn Workload> = Box::new(requests(class, rate / f64::from(size), count, 1, 256));
        (ClassId(class), part)
    };
    let class = ClassSpec {
        model: ModelId(0),
        timeout: Some(SimDuration::from_ns(5_000_000_000)),
        prefix_tokens: 0,
        sessions: false,
        limits: Limits::default(),
    };
    let spec = ClusterSpec { classes: vec![class; usize::from(size)], ..decoders(4, 256) };
    let workload = Box::new(MergedWorkload::new((0..size).map(part).collect()).unwrap());
    Case { name: "classes", size: size.into(), requests: count * u32::from(size), spec, workload }
}

/// About 20 requests at once, each on an instance of its own.
fn sparse(name: &'static str, size: u32, instances: u32) -> Case {
    let spec = ClusterSpec { routers: RouterSpec::named("least-request").unwrap(), ..decoders(instances, 256) };
    let count = 4_000;
    Case { name, size, requests: count, spec, workload: Box::new(requests(0, 20.0, count, 1, 100)) }
}

fn idle_instances(size: u32) -> Case {
    sparse("instances, most of them idle", size, size)
}

/// The first instances go down together, and come back one after the other until the last request comes.
fn instances_down(size: u32) -> Case {
    let mut case = sparse("instances down at once", size, 2 * DOWN[DOWN.len() - 1]);
    let span = |ns: u64| SimDuration::from_ns(ns);
    let fault = |instance: u32| Fault {
        at: span(1_000_000_000),
        instance: usize::try_from(instance).unwrap(),
        down: Some(span(100_000_000_000 + u64::from(instance) * 50_000_000)),
        start: span(1_000_000_000),
        drain: false,
    };
    case.spec.faults = (0..size).map(fault).collect();
    case
}

fn time<T>(bencher: Bencher<'_, '_>, case: fn(T) -> Case, size: T)
where
    T: Copy + Sync,
{
    let requests = case(size).requests;
    bencher.counter(ItemsCount::new(requests)).with_inputs(|| case(size)).bench_local_values(|mut case| case.run(Silent).0);
}

#[divan::bench(args = OUTPUTS, sample_count = 5)]
fn output_tokens(bencher: Bencher<'_, '_>, size: u32) {
    time(bencher, long_outputs, size);
}

#[divan::bench(args = REQUESTS, sample_count = 5)]
fn requests_on_a_saturated_network(bencher: Bencher<'_, '_>, size: u32) {
    time(bencher, saturated_network, size);
}

#[divan::bench(args = CLASSES, sample_count = 5)]
fn classes(bencher: Bencher<'_, '_>, size: u16) {
    time(bencher, many_classes, size);
}

#[divan::bench(args = IDLE, sample_count = 5)]
fn instances_idle(bencher: Bencher<'_, '_>, size: u32) {
    time(bencher, idle_instances, size);
}

#[divan::bench(args = DOWN, sample_count = 5)]
fn down_at_once(bencher: Bencher<'_, '_>, size: u32) {
    time(bencher, instances_down, size);
}
