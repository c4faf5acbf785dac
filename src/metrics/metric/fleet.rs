//! The metrics of a frontend, and of pools with outages.

use super::super::summary::{FrontendSummary, PoolOutages};
use super::table::Better::{Less, More, Neither};
use super::{Group, Metric, Table};

/// The metrics of a frontend over the measured time.
pub const FRONTEND: Table<FrontendSummary> = &[Group::new(
    "frontends",
    "Frontends",
    &[
        Metric::count("instances", "instances", "stations", Neither, "utilization", "Stations.", |f| Some(f.instances.into())),
        Metric::count(
            "workers",
            "workers each",
            "requests",
            Neither,
            "utilization",
            "Requests that one station serves concurrently.",
            |f| Some(f.workers.into()),
        ),
        Metric::number("utilization", "workers busy", "share", Neither, "utilization", "Share of worker time spent serving.", |f| {
            Some(f.utilization)
        }),
        Metric::number("queue_mean", "queue", "requests", Less, "queue", "Requests waiting in all stations, mean over time.", |f| {
            Some(f.queue_mean)
        }),
        Metric::count("queue_peak", "longest queue", "requests", Less, "queue", "Peak number of waiting requests.", |f| Some(f.queue_peak)),
    ],
)];

/// The metrics of a pool with outages.
pub const POOL_OUTAGES: Table<PoolOutages> = &[Group::new(
    "outages-by-pool",
    "Outages by pool",
    &[
        Metric::count("outages", "outages", "times", Less, "availability", "Times an instance went down, by failure or as planned.", |p| {
            Some(p.outages)
        }),
        Metric::number("down_s", "time off", "s", Less, "availability", "Instance time spent off.", |p| Some(p.down_s)),
        Metric::number(
            "availability",
            "available",
            "share",
            More,
            "availability",
            "Share of instance time in which instances served.",
            |p| Some(p.availability),
        ),
    ],
)];
