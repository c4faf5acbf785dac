//! Every number of a summary as a row of a table: its path, unit, direction, meaning, and accessor.
//!
//! Owns: the tables, and the lookup of a number by its path. Must not know: how a number is computed or used. `summary.json`, conditions,
//! comparisons, `explain` and the page iterate over these tables, so a new metric is one row.

mod class;
mod fleet;
mod json;
mod path;
mod pool;
mod run;
mod shape;
mod statistic;
mod table;

pub use json::numbers;
pub use path::{NoMetric, Reading};
pub use shape::{Given, List, Shape};
pub use statistic::Statistic;
pub use table::{Better, Metric, MetricInfo, Read, Table};

pub use class::CLASS;
pub use fleet::{FRONTEND, POOL_OUTAGES};
pub use pool::POOL;
pub use run::RUN;

/// All rows, each with its path in `summary.json`; in lists, the path for any item.
pub fn rows() -> impl Iterator<Item = (String, &'static MetricInfo)> {
    let run = infos(RUN).map(|info| (info.id.to_owned(), info));
    let pools = infos(POOL).map(|info| (format!("pools[].{}", info.id), info));
    let classes = infos(CLASS).map(|info| (format!("classes[].{}", info.id), info));
    let frontends = infos(FRONTEND).map(|info| (format!("frontends[].{}", info.id), info));
    let fleet = infos(POOL_OUTAGES).map(|info| (format!("fleet.pools[].{}", info.id), info));
    run.chain(pools).chain(classes).chain(frontends).chain(fleet)
}

fn infos<T>(table: Table<T>) -> impl Iterator<Item = &'static MetricInfo> {
    table.iter().copied().flatten().map(|row| &row.info)
}
