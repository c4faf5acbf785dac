//! The metrics of a pool.

use super::super::summary::PoolSummary;
use super::table::Better::{Less, More, Neither};
use super::{Metric, Table};

/// The metrics of a pool over the measured time.
pub const POOL: Table<PoolSummary> = &[&[
    Metric::count("instances", "instances", Neither, "utilization", "Instances.", |p| Some(p.instances.into())),
    Metric::count("chips", "chips", Neither, "utilization", "Chips of all instances.", |p| Some(p.chips.into())),
    Metric::number("utilization", "share", Neither, "utilization", "Share of instance time spent computing.", |p| Some(p.utilization)),
    Metric::number("mfu", "share", More, "mfu", "Share of peak arithmetic while computing.", |p| p.mfu),
    Metric::number("mbu", "share", More, "mbu", "Share of peak memory bandwidth while computing.", |p| p.mbu),
    Metric::count("iterations", "iterations", Neither, "iteration", "Iterations of all instances.", |p| Some(p.iterations)),
    Metric::number("iteration_ms_mean", "ms", Neither, "iteration", "Mean duration of an iteration.", |p| p.iteration_ms_mean),
    Metric::number(
        "batch_mean",
        "sequences",
        Neither,
        "batch",
        "Running sequences per instance, mean over time, idle time included.",
        |p| Some(p.batch_mean),
    ),
    Metric::count("max_num_seqs", "sequences", Neither, "batch", "Maximum number of running sequences per instance.", |p| {
        Some(p.max_num_seqs.into())
    }),
    Metric::number("kv_utilization_mean", "share", Neither, "kv", "KV blocks in use / all, mean over time.", |p| {
        Some(p.kv_utilization_mean)
    }),
    Metric::number("kv_utilization_peak", "share", Neither, "kv", "Highest share of KV blocks in use on any instance.", |p| {
        Some(p.kv_utilization_peak)
    }),
    Metric::count("kv_capacity_tokens", "tokens", Neither, "kv", "KV capacity of one instance.", |p| Some(p.kv_capacity_tokens)),
    Metric::number("queue_mean", "requests", Less, "queue", "Requests waiting in the whole pool, mean over time.", |p| Some(p.queue_mean)),
    Metric::count("queue_peak", "requests", Less, "queue", "Longest queue of the pool.", |p| Some(p.queue_peak)),
    Metric::number("prefix_hit_rate", "share", More, "prefix", "Prompt tokens found in the prefix cache / prompt tokens looked up.", |p| {
        p.prefix_hit_rate
    }),
    Metric::count("preemptions", "times", Less, "preemption", "Preemptions.", |p| Some(p.preemptions)),
    Metric::number("energy_j", "J", Less, "energy", "IT energy.", |p| Some(p.energy_j)),
    Metric::number("mean_power_w", "W", Less, "power", "Mean IT power.", |p| p.mean_power_w),
    Metric::number("energy_by_phase.prefill_j", "J", Less, "energy", "IT energy of computing prompts.", |p| {
        Some(p.energy_by_phase.prefill_j)
    }),
    Metric::number("energy_by_phase.decode_j", "J", Less, "energy", "IT energy of generating tokens.", |p| {
        Some(p.energy_by_phase.decode_j)
    }),
    Metric::number("energy_by_phase.transfer_j", "J", Less, "energy", "IT energy of waiting for KV transfers.", |p| {
        Some(p.energy_by_phase.transfer_j)
    }),
    Metric::number("energy_by_phase.idle_j", "J", Less, "energy", "IT energy of idle time.", |p| Some(p.energy_by_phase.idle_j)),
    Metric::number("energy_by_phase.startup_j", "J", Less, "energy", "IT energy of start-up.", |p| Some(p.energy_by_phase.startup_j)),
    Metric::number("cost_usd", "$", Less, "cost-per-token", "Cost of the pool.", |p| Some(p.cost_usd)),
]];
