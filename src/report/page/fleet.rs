//! Optional tables: frontends, and outages of instances.

use super::super::number::{count, duration_ms, gauge, or_none, percent, share};
use super::tables::{Row, Table, headings, name, pairs, value};
use crate::metrics::Summary;

/// The frontends; `None` without frontends.
pub(super) fn frontends(summary: &Summary) -> Option<Table> {
    if summary.frontends.is_empty() {
        return None;
    }
    let columns = headings(&[
        ("frontend", ""),
        ("instances", ""),
        ("workers each", ""),
        ("workers busy", "utilization"),
        ("queue", "queue"),
        ("longest queue", "queue"),
    ]);
    let rows = summary.frontends.iter().map(|frontend| Row {
        heading: name(&frontend.name),
        cells: vec![
            value(count(frontend.instances.into())),
            value(count(frontend.workers.into())),
            value(share(frontend.utilization)),
            value(gauge(frontend.queue_mean)),
            value(count(frontend.queue_peak)),
        ],
    });
    Some(Table { id: "frontends", title: "Frontends", small: false, columns, rows: rows.collect() })
}

/// Outages of instances; `None` without outages.
pub(super) fn outages(summary: &Summary) -> Option<Table> {
    let fleet = summary.fleet.as_ref()?;
    let mut rows = vec![
        ("requests hit by failures", "recovery", count(fleet.hit_requests)),
        ("their recovery", "recovery", or_none(fleet.recovery_ms_mean, duration_ms)),
    ];
    for pool in &fleet.pools {
        let text = format!("{} of {}, off for {}", percent(pool.availability), pool.name, duration_ms(pool.down_s * 1e3));
        rows.push(("served", "availability", text));
    }
    Some(pairs("outages", "Outages", rows))
}
