//! Every number of a summary as a row of a table: its path, label, unit, direction, meaning, and accessor.
//!
//! Owns: the tables, and the lookup of a number by its path. Must not know: how a number is computed or used. `summary.json`, conditions,
//! comparisons, `explain` and the page iterate over these tables, so a new metric is one row.

mod class;
mod energy;
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
pub use table::{Better, Group, Metric, MetricInfo, MetricValue, Read, Table, rows_of};

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
    rows_of(table).map(|row| &row.info)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the groups of a table; returns their ids.
    fn checked<T>(table: Table<T>) -> Vec<&'static str> {
        for group in table {
            let labels: Vec<&str> = group.rows.iter().map(|row| row.info.label).collect();
            assert!(labels.iter().all(|label| (1..=24).contains(&label.chars().count())), "{}: {labels:?}", group.id);
            let lines: Vec<usize> = labels.chunk_by(|a, b| a == b).map(<[_]>::len).collect();
            assert!(lines.iter().all(|&columns| columns == group.across.len().max(1)), "{}: {labels:?}", group.id);
            let distributions = group.rows.iter().filter(|row| matches!(row.read, Read::Distribution(_))).count();
            assert!(distributions == 0 || distributions == group.rows.len(), "{}: a table is of numbers or of distributions", group.id);
        }
        table.iter().map(|group| group.id).collect()
    }

    #[test]
    fn groups_have_distinct_ids_and_rows_their_own_labels() {
        let of_classes = checked(CLASS).into_iter().filter(|id| !checked(RUN).contains(id));
        let mut ids: Vec<&str> = of_classes.collect();
        ids.extend([checked(RUN), checked(POOL), checked(FRONTEND), checked(POOL_OUTAGES)].concat());
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
