//! Clusters and workloads that several benchmarks share.

#![expect(dead_code, reason = "each benchmark takes what it needs")]
#![expect(clippy::unwrap_used, reason = "what cannot be built cannot be measured")]

use std::path::Path;
use std::sync::Arc;

use tokenmill::cluster::{
    ClassSpec, Cluster, ClusterSpec, EngineSpec, FirstToken, ModelId, NetworkSpec, Observer, Overlap, PoolSpec, Retry, Role, RouterSpec,
};
use tokenmill::config::{Input, Library, Scenario};
use tokenmill::metrics::{ClassParameters, NoRows, PoolParameters, Recorder, RecorderParameters, SloLimits};
use tokenmill::perf::{Activity, Affine, AffineParameters, PerfModel};
use tokenmill::power::{ChipPowerModel, InstancePower, NodePower};
use tokenmill::sim::{SimDuration, Streams};
use tokenmill::units::Duration;
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

/// 10 ms an iteration and 0.1 ms a sequence; prompts cost nothing.
fn affine() -> Affine {
    let seconds = |s: f64| Duration::new(s).unwrap();
    let activity = Activity { compute: 0.1, memory: 0.6 };
    Affine::new(AffineParameters {
        base: seconds(10e-3),
        per_prefill_token: seconds(0.0),
        per_prefill_pair: seconds(0.0),
        per_decode_sequence: seconds(0.1e-3),
        per_decode_context: seconds(0.0),
        prefill_activity: activity,
        decode_activity: activity,
    })
    .unwrap()
}

/// Instances that decode: prompts of one token that cost nothing, so all work is in the output.
pub(crate) fn decoders(instances: u32, max_num_seqs: u32) -> ClusterSpec {
    let chip = ChipPowerModel::new(100.0, 0.3, 700.0, 0.5, 0.6).unwrap();
    let pool = PoolSpec {
        name: "decode".into(),
        role: Role::Mixed,
        model: ModelId(0),
        instances,
        chips: 4,
        perf: Arc::new(affine()),
        engine: EngineSpec {
            max_num_seqs,
            max_num_batched_tokens: 8192,
            block_size: 16,
            chunked_prefill: true,
            reserve_full_isl: true,
            prefix_caching: false,
            max_model_len: 1 << 20,
            kv_blocks: 1 << 22,
        },
        power: InstancePower::new(4, chip, NodePower { chips: 8, fixed_w: 1600.0, proportional: 0.1 }).unwrap(),
        kv_bytes_per_token: 1e5,
        kv_windowed_bytes_per_token: 0.0,
        layers: 80,
        window: None,
        port_bytes_per_s: 50e9,
        groups: 1,
        handoff_overhead: SimDuration::ZERO,
    };
    ClusterSpec {
        seed: 7,
        pools: vec![pool],
        network: NetworkSpec {
            overlap: Overlap::AfterPrefill,
            first_token: FirstToken::Immediate,
            fabric_bytes_per_s: None,
            failure_timeout: SimDuration::from_ns(10_000_000_000),
        },
        frontends: Vec::new(),
        classes: vec![ClassSpec { model: ModelId(0), timeout: None, prefix_tokens: 0 }],
        routers: RouterSpec::default(),
        faults: Vec::new(),
        retry: Retry { attempts: 3, back_off: SimDuration::ZERO, multiplier: 1.0, max_back_off: SimDuration::ZERO },
        health_check: None,
        end: None,
        fast_forward: true,
        audit: false,
    }
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

/// A recorder of everything, for the one pool of [`decoders`].
pub(crate) fn recorder(spec: &ClusterSpec) -> Recorder<NoRows> {
    let pool = &spec.pools[0];
    let parameters = RecorderParameters {
        frontends: Vec::new(),
        classes: vec![ClassParameters { name: "all".into(), slo: SloLimits { ttft_ms: Some(1e3), tpot_ms: Some(50.0), e2e_ms: None } }],
        pools: vec![PoolParameters {
            name: pool.name.clone(),
            role: Role::Mixed,
            hardware: "bench".into(),
            model: "bench".into(),
            instances: pool.instances,
            chips_per_instance: pool.chips,
            kv_blocks: pool.engine.kv_blocks,
            max_num_seqs: pool.engine.max_num_seqs,
            block_size: pool.engine.block_size,
            perf: "affine".into(),
        }],
        warmup: SimDuration::ZERO,
        interval: SimDuration::from_ns(1_000_000_000),
    };
    Recorder::new(parameters, NoRows)
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
