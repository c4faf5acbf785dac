//! Small clusters, for tests and benchmarks.

use std::sync::Arc;

use tokenmill::cluster::{
    ClassSpec, ClusterSpec, EngineSpec, FirstToken, ModelId, NetworkSpec, Overlap, PoolSpec, Retry, Role, RouterSpec, SchedulerSpec,
};
use tokenmill::metrics::{ClassParameters, FrontendParameters, PoolParameters, RecorderParameters, SloLimits};
use tokenmill::perf::{Activity, Affine, AffineParameters};
use tokenmill::policy::{
    Configured, Limits, Router, admissions, batchings, controllers, deciders, evictions, preemptions, queues, routers,
};
use tokenmill::power::{ChipPowerModel, InstancePower, NodePower};
use tokenmill::sim::SimDuration;
use tokenmill::units::Duration;

/// Coefficients of the affine performance model, all in nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Linear {
    pub(crate) base: f64,
    pub(crate) per_prefill_token: f64,
    pub(crate) per_sequence: f64,
    pub(crate) per_context: f64,
}

impl Linear {
    fn model(self) -> Affine {
        let span = |ns: f64| Duration::new(ns * 1e-9).unwrap();
        let activity = Activity { compute: 0.3, memory: 0.5 };
        Affine::new(AffineParameters {
            base: span(self.base),
            per_prefill_token: span(self.per_prefill_token),
            per_prefill_pair: Duration::ZERO,
            per_decode_sequence: span(self.per_sequence),
            per_decode_context: span(self.per_context),
            prefill_activity: activity,
            decode_activity: activity,
        })
        .unwrap()
    }
}

pub(crate) fn engine() -> EngineSpec {
    EngineSpec {
        max_num_seqs: 256,
        max_num_batched_tokens: 8192,
        block_size: 16,
        chunked_prefill: true,
        reserve_full_isl: true,
        prefix_caching: true,
        max_model_len: 100_000,
        kv_blocks: 10_000,
    }
}

pub(crate) fn pool(name: &str, role: Role, instances: u32, perf: Linear) -> PoolSpec {
    PoolSpec {
        name: name.into(),
        role,
        model: ModelId(0),
        instances,
        chips: 1,
        perf: Arc::new(perf.model()),
        engine: engine(),
        power: power(),
        kv_bytes_per_token: 1000.0,
        kv_windowed_bytes_per_token: 0.0,
        layers: 10,
        window: None,
        port_bytes_per_s: 10e9,
        groups: 1,
        handoff_overhead: SimDuration::from_ns(10_000),
    }
}

pub(crate) fn power() -> InstancePower {
    // One chip: 100 W idle, 200 W as soon as it is busy, 700 W at full activity; a node of one chip with 50 W and 10 % on top.
    let chip = ChipPowerModel::new(100.0, 2.0 / 7.0, 700.0, 0.5, 0.6).unwrap();
    InstancePower::new(1, chip, NodePower { chips: 1, fixed_w: 50.0, proportional: 0.1 }).unwrap()
}

pub(crate) fn cluster(pools: Vec<PoolSpec>) -> ClusterSpec {
    ClusterSpec {
        seed: 1,
        pools,
        network: NetworkSpec {
            overlap: Overlap::AfterPrefill,
            first_token: FirstToken::Immediate,
            fabric_bytes_per_s: None,
            failure_timeout: SimDuration::from_ns(10_000_000_000),
        },
        frontends: Vec::new(),
        classes: vec![ClassSpec { model: ModelId(0), timeout: None, prefix_tokens: 64, sessions: false, limits: Limits::default() }],
        routers: RouterSpec::named("round-robin").unwrap(),
        reports: None,
        admission: admissions().configure("always", None).unwrap(),
        scheduler: SchedulerSpec {
            queue: queues().configure("fcfs", None).unwrap(),
            preemption: preemptions().configure("last-admitted", None).unwrap(),
            batching: batchings().configure("vllm-v1", None).unwrap(),
            eviction: evictions().configure("lru", None).unwrap(),
        },
        disaggregation: deciders().configure("always", None).unwrap(),
        control: controllers().configure("fixed", None).unwrap(),
        faults: Vec::new(),
        retry: Retry {
            attempts: 3,
            back_off: SimDuration::from_ns(50_000_000),
            multiplier: 1.5,
            max_back_off: SimDuration::from_ns(30_000_000_000),
        },
        health_check: None,
        end: None,
        fast_forward: true,
        audit: true,
    }
}

/// What a recorder must know of a cluster: no warm-up, one limit for all classes.
pub(crate) fn parameters(spec: &ClusterSpec, slo: SloLimits, interval: SimDuration) -> RecorderParameters {
    RecorderParameters {
        classes: spec.classes.iter().map(|_| ClassParameters { name: "test".into(), slo }).collect(),
        pools: spec.pools.iter().map(|pool| PoolParameters::new(pool, "test".into(), "test".into())).collect(),
        frontends: spec.frontends.iter().map(FrontendParameters::from).collect(),
        warmup: SimDuration::ZERO,
        interval,
    }
}

/// A router by name, without parameters.
pub(crate) fn router(name: &str) -> Configured<dyn Router> {
    routers().configure(name, None).unwrap()
}

/// The names of all routers.
pub(crate) fn router_names() -> Vec<&'static str> {
    routers().entries().map(|entry| entry.name).collect()
}
