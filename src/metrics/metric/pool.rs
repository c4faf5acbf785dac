//! The metrics of a pool.

use super::super::summary::PoolSummary;
use super::table::Better::{Less, More, Neither};
use super::{Group, Metric, Table};

type Pool = Metric<PoolSummary>;

const SIZE: &[Pool] = &[
    Pool::count("instances", "instances", "instances", Neither, "utilization", "Instances.", |p| Some(p.instances.into())),
    Pool::count("chips", "chips", "chips", Neither, "utilization", "Chips of all instances.", |p| Some(p.chips.into())),
];

const LOAD: &[Pool] = &[
    Pool::number("utilization", "busy", "share", Neither, "utilization", "Share of instance time spent computing.", |p| {
        Some(p.utilization)
    }),
    Pool::number("mfu", "MFU", "share", More, "mfu", "Share of peak arithmetic while computing.", |p| p.mfu),
    Pool::number("mbu", "MBU", "share", More, "mbu", "Share of peak memory bandwidth while computing.", |p| p.mbu),
    Pool::count("iterations", "iterations", "iterations", Neither, "iteration", "Iterations of all instances.", |p| Some(p.iterations)),
    Pool::number("iteration_ms_mean", "iteration", "ms", Neither, "iteration", "Mean duration of an iteration.", |p| p.iteration_ms_mean),
    Pool::number(
        "batch_mean",
        "running",
        "sequences",
        Neither,
        "batch",
        "Running sequences per instance, mean over time, idle time included.",
        |p| Some(p.batch_mean),
    ),
    Pool::count(
        "max_num_seqs",
        "running at most",
        "sequences",
        Neither,
        "batch",
        "Maximum number of running sequences per instance.",
        |p| Some(p.max_num_seqs.into()),
    ),
];

const MEMORY: &[Pool] = &[
    Pool::number("kv_utilization_mean", "KV in use", "share", Neither, "kv", "KV blocks in use / all, mean over time.", |p| {
        Some(p.kv_utilization_mean)
    }),
    Pool::number("kv_utilization_peak", "KV peak", "share", Neither, "kv", "Highest share of KV blocks in use on any instance.", |p| {
        Some(p.kv_utilization_peak)
    }),
    Pool::count("kv_capacity_tokens", "KV tokens", "tokens", Neither, "kv", "KV capacity of one instance.", |p| Some(p.kv_capacity_tokens)),
    Pool::number("queue_mean", "queue", "requests", Less, "queue", "Requests waiting in the whole pool, mean over time.", |p| {
        Some(p.queue_mean)
    }),
    Pool::count("queue_peak", "longest queue", "requests", Less, "queue", "Longest queue of the pool.", |p| Some(p.queue_peak)),
    Pool::number(
        "prefix_hit_rate",
        "prefix hits",
        "share",
        More,
        "prefix",
        "Prompt tokens found in the prefix cache / prompt tokens looked up.",
        |p| p.prefix_hit_rate,
    ),
    Pool::count("preemptions", "preemptions", "times", Less, "preemption", "Preemptions.", |p| Some(p.preemptions)),
];

const ENERGY: &[Pool] = &[
    Pool::number("energy_j", "IT energy", "J", Less, "energy", "IT energy.", |p| Some(p.energy_j)),
    Pool::number("mean_power_w", "mean IT power", "W", Less, "power", "Mean IT power.", |p| p.mean_power_w),
    Pool::number("energy_by_phase.prefill_j", "prefill", "J", Less, "energy", "IT energy of computing prompts.", |p| {
        Some(p.energy_by_phase.prefill_j)
    }),
    Pool::number("energy_by_phase.decode_j", "decode", "J", Less, "energy", "IT energy of generating tokens.", |p| {
        Some(p.energy_by_phase.decode_j)
    }),
    Pool::number("energy_by_phase.transfer_j", "transfer", "J", Less, "energy", "IT energy of waiting for KV transfers.", |p| {
        Some(p.energy_by_phase.transfer_j)
    }),
    Pool::number("energy_by_phase.idle_j", "idle", "J", Less, "energy", "IT energy of idle time.", |p| Some(p.energy_by_phase.idle_j)),
    Pool::number("energy_by_phase.startup_j", "start-up", "J", Less, "energy", "IT energy of start-up.", |p| {
        Some(p.energy_by_phase.startup_j)
    }),
    Pool::number("cost_usd", "cost", "$", Less, "cost-per-token", "Cost of the pool.", |p| Some(p.cost_usd)),
];

/// The metrics of a pool over the measured time.
pub const POOL: Table<PoolSummary> = &[
    Group::new("pools", "Pools", SIZE),
    Group::new("pools-load", "Pools: load", LOAD),
    Group::new("pools-memory", "Pools: memory and queues", MEMORY),
    Group::new("pools-energy", "Pools: energy and cost", ENERGY),
];
