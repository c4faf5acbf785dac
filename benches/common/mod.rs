//! Clusters and workloads that several benchmarks share.

#![expect(dead_code, reason = "each benchmark takes what it needs")]
#![expect(clippy::unwrap_used, reason = "what cannot be built cannot be measured")]

#[path = "../../tests/support/clusters.rs"]
mod clusters;

use std::path::Path;
use std::sync::Arc;

use clusters::parameters;
pub(crate) use clusters::{Linear, cluster, engine, pool};
use tokenmill::cluster::{ClassSpec, Cluster, ClusterSpec, EngineSpec, ModelId, Observer, Role};
use tokenmill::document::Input;
use tokenmill::metrics::{NoRows, Recorder, SloLimits};
use tokenmill::perf::PerfModel;
use tokenmill::policy::Limits;
use tokenmill::scenario::{Library, Scenario};
use tokenmill::sim::{SimDuration, Streams};
use tokenmill::workload::{ArrivalProcess, ClassId, LengthDistribution, RequestShape, SyntheticParameters, SyntheticWorkload};

/// A shipped scenario with some values changed.
pub(crate) fn scenario(name: &str, sets: &[&str]) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(format!("{name}.yaml"));
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    Scenario::load(Input::File(&path), &sets, &Library::default()).unwrap()
}

/// The performance model of quickstart's pools.
pub(crate) fn roofline() -> Arc<dyn PerfModel> {
    Arc::clone(&scenario("quickstart", &[]).cluster.pools[0].perf)
}

/// Instances that decode: prompts of one token that cost nothing, so all work is in the output. 10 ms an iteration and 0.1 ms a sequence.
pub(crate) fn decoders(instances: u32, max_num_seqs: u32) -> ClusterSpec {
    let mut pool = pool("decode", Role::Mixed, instances, Linear { base: 10e6, per_sequence: 0.1e6, ..Linear::default() });
    pool.engine = EngineSpec { max_num_seqs, prefix_caching: false, max_model_len: 1 << 20, kv_blocks: 1 << 22, ..engine() };
    let classes = vec![ClassSpec { model: ModelId(0), timeout: None, prefix_tokens: 0, sessions: false, limits: Limits::default() }];
    ClusterSpec { seed: 7, classes, audit: false, ..cluster(vec![pool]) }
}

/// Poisson arrivals, prompts of one token, 1 to 511 output tokens.
pub(crate) fn poisson(rate: f64, requests: u64) -> SyntheticWorkload {
    let parameters = SyntheticParameters {
        arrivals: ArrivalProcess::Poisson { rate },
        envelope: None,
        shape: RequestShape {
            prompt: LengthDistribution::Fixed { tokens: 1 },
            output: LengthDistribution::Uniform { min: 1, max: 511 },
            shared_prefix: None,
        },
        requests: Some(requests),
    };
    SyntheticWorkload::new(ClassId(0), &parameters, &Streams::new(7)).unwrap()
}

/// Arrivals per second and instance that keep about 27 sequences running: 256 tokens of 12.7 ms are 3.25 s, 27 / 3.25 s = 8.3 /s.
pub(crate) const MID_LOAD: f64 = 8.3;

/// A recorder of everything.
pub(crate) fn recorder(spec: &ClusterSpec) -> Recorder<NoRows> {
    let slo = SloLimits { ttft_ms: Some(1e3), tpot_ms: Some(50.0), e2e_ms: None };
    Recorder::new(parameters(spec, slo, SimDuration::from_ns(1_000_000_000)), NoRows)
}

/// Runs to the end; returns the events handled.
#[expect(clippy::needless_pass_by_value, reason = "what a run is made of goes with it")]
pub(crate) fn run<O: Observer>(spec: ClusterSpec, mut workload: SyntheticWorkload, observer: O) -> u64 {
    let mut cluster = Cluster::new(&spec, observer).unwrap();
    cluster.run(&mut workload, |_, _| true).unwrap();
    let events = cluster.events();
    divan::black_box(cluster.into_observer());
    events
}
