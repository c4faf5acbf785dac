//! Lookup of a number by its path in `summary.json`: `latency.ttft_ms.p99`, `pools.decode.utilization`, `pools[0].queue_peak`.

use thiserror::Error;

use super::super::summary::{ClassSummary, FrontendSummary, PoolOutages, PoolSummary, Summary};
use super::table::{Metric, MetricInfo, MetricValue, Read, Table, rows_of};
use super::{CLASS, FRONTEND, List, POOL, POOL_OUTAGES, RUN, Shape, Statistic};
use crate::units::nearest_word;

/// Maximum number of list items whose paths are suggested.
const PROPOSED: usize = 64;

/// One number of a summary: a row of a table, or one statistic of a distribution.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    row: Row,
    statistic: Option<Statistic>,
}

/// A row, and the index in its list.
#[derive(Debug, Clone, Copy)]
enum Row {
    Run(&'static Metric<Summary>),
    Pool(usize, &'static Metric<PoolSummary>),
    Class(usize, &'static Metric<ClassSummary>),
    Frontend(usize, &'static Metric<FrontendSummary>),
    Fleet(usize, &'static Metric<PoolOutages>),
}

/// Why a path is not that of a number. User error.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem}")]
pub struct NoMetric {
    /// The problem.
    pub problem: String,
    /// A correction.
    pub hint: Option<String>,
}

impl Reading {
    /// The number at a path, in summaries of one shape.
    ///
    /// # Errors
    /// No such summary has the path; suggests the nearest existing one.
    pub fn find(path: &str, shape: &Shape) -> Result<Self, NoMetric> {
        let plain = path.replace('[', ".").replace(']', "");
        let reading = match in_list(&plain, shape) {
            Some((list, place, inner)) => Self::in_item(list, place, inner),
            None => of_table(RUN, &plain).map(|(row, statistic)| Self { row: Row::Run(row), statistic }),
        };
        let reading = reading.ok_or_else(|| unknown(path, &plain, shape))?;
        match reading.info().given {
            Some(given) if !shape.has(given) => {
                Err(NoMetric { problem: format!("`{path}` has no value in this scenario"), hint: Some(given.hint().to_owned()) })
            }
            _ => Ok(reading),
        }
    }

    /// Checks that a path, or the beginning of some, names numbers in summaries of one shape; returns it with names in place of indices.
    ///
    /// # Errors
    /// No such summary has the path; suggests the nearest existing one.
    pub fn beginning(path: &str, shape: &Shape) -> Result<String, NoMetric> {
        let plain = path.replace('[', ".").replace(']', "");
        let plain = plain.trim_end_matches('.');
        let named = by_place(plain, shape).unwrap_or_else(|| plain.to_owned());
        let begins = |path: &str| path.strip_prefix(&named).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        if Self::all(shape).iter().any(|(path, _)| begins(path)) {
            return Ok(named);
        }
        Err(Self::find(path, shape).err().unwrap_or_else(|| unknown(path, plain, shape)))
    }

    fn in_item(list: List, place: usize, inner: &str) -> Option<Self> {
        let (row, statistic) = match list {
            List::Pools => of_table(POOL, inner).map(|(row, statistic)| (Row::Pool(place, row), statistic)),
            List::Classes => of_table(CLASS, inner).map(|(row, statistic)| (Row::Class(place, row), statistic)),
            List::Frontends => of_table(FRONTEND, inner).map(|(row, statistic)| (Row::Frontend(place, row), statistic)),
            List::Fleet => of_table(POOL_OUTAGES, inner).map(|(row, statistic)| (Row::Fleet(place, row), statistic)),
        }?;
        Some(Self { row, statistic })
    }

    /// All numbers of the summaries of one shape, each with its path, in the order of `summary.json`.
    pub fn all(shape: &Shape) -> Vec<(String, Self)> {
        let mut all = Vec::new();
        let run = expanded(RUN).filter(|(row, _)| row.info.given.is_none_or(|given| shape.has(given)));
        all.extend(run.map(|(row, statistic)| (path_of(row, statistic), Self { row: Row::Run(row), statistic })));
        for list in List::ALL {
            for (place, name) in shape.names(list).iter().enumerate() {
                let named = |path: String| format!("{}.{name}.{path}", list.path());
                let add = |row, statistic| Self { row, statistic };
                match list {
                    List::Pools => all.extend(expanded(POOL).map(|(row, s)| (named(path_of(row, s)), add(Row::Pool(place, row), s)))),
                    List::Classes => all.extend(expanded(CLASS).map(|(row, s)| (named(path_of(row, s)), add(Row::Class(place, row), s)))),
                    List::Frontends => {
                        all.extend(expanded(FRONTEND).map(|(row, s)| (named(path_of(row, s)), add(Row::Frontend(place, row), s))));
                    }
                    List::Fleet => {
                        all.extend(expanded(POOL_OUTAGES).map(|(row, s)| (named(path_of(row, s)), add(Row::Fleet(place, row), s))));
                    }
                }
            }
        }
        all
    }

    /// The metadata of its row.
    pub fn info(&self) -> &'static MetricInfo {
        match self.row {
            Row::Run(row) => &row.info,
            Row::Pool(_, row) => &row.info,
            Row::Class(_, row) => &row.info,
            Row::Frontend(_, row) => &row.info,
            Row::Fleet(_, row) => &row.info,
        }
    }

    /// The statistic, for a distribution.
    pub const fn statistic(&self) -> Option<Statistic> {
        self.statistic
    }

    /// Its value; `None` if undefined in the run.
    pub fn of(&self, summary: &Summary) -> Option<f64> {
        match self.row {
            Row::Run(row) => self.number(row.of(summary)),
            Row::Pool(place, row) => self.number(row.of(summary.pools.get(place)?)),
            Row::Class(place, row) => self.number(row.of(summary.classes.get(place)?)),
            Row::Frontend(place, row) => self.number(row.of(summary.frontends.get(place)?)),
            Row::Fleet(place, row) => self.number(row.of(summary.fleet.as_ref()?.pools.get(place)?)),
        }
    }

    fn number(&self, value: MetricValue) -> Option<f64> {
        match value {
            MetricValue::Count(count) => count.map(|count| count as f64),
            MetricValue::Number(number) => number,
            MetricValue::Distribution(values) => Some(self.statistic?.of(&values?)),
        }
    }
}

/// The row at a path within its table, and the statistic; a distribution without a statistic is not a number.
fn of_table<T>(table: Table<T>, path: &str) -> Option<(&'static Metric<T>, Option<Statistic>)> {
    expanded(table).find(|(row, statistic)| match (path.strip_prefix(row.info.id), statistic) {
        (Some(""), None) => true,
        (Some(rest), Some(statistic)) => rest.strip_prefix('.') == Some(statistic.name()),
        _ => false,
    })
}

/// The rows of a table, distributions once per statistic.
fn expanded<T>(table: Table<T>) -> impl Iterator<Item = (&'static Metric<T>, Option<Statistic>)> {
    rows_of(table).flat_map(|row| {
        let (one, many) = match row.read {
            Read::Distribution(_) => (None, &Statistic::ALL[..]),
            _ => (Some(None), &[][..]),
        };
        one.into_iter().chain(many.iter().copied().map(Some)).map(move |statistic| (row, statistic))
    })
}

fn path_of<T>(row: &Metric<T>, statistic: Option<Statistic>) -> String {
    statistic.map_or_else(|| row.info.id.to_owned(), |statistic| format!("{}.{}", row.info.id, statistic.name()))
}

/// The list, index and remaining path of a path into a list.
fn in_list<'p>(path: &'p str, shape: &Shape) -> Option<(List, usize, &'p str)> {
    List::ALL.into_iter().find_map(|list| {
        let rest = path.strip_prefix(list.path())?.strip_prefix('.')?;
        let names = shape.names(list);
        // A name may contain a dot.
        let named = names.iter().enumerate().find_map(|(place, name)| Some((place, rest.strip_prefix(name.as_str())?.strip_prefix('.')?)));
        let (place, inner) = named.or_else(|| {
            let (place, inner) = rest.split_once('.')?;
            let place = place.parse().ok().filter(|&place| place < names.len())?;
            Some((place, inner))
        })?;
        Some((list, place, inner))
    })
}

/// The error for an unknown path.
fn unknown(path: &str, plain: &str, shape: &Shape) -> NoMetric {
    let plain = plain.trim_end_matches('.');
    let some = Shape { pools: first(&shape.pools), classes: first(&shape.classes), frontends: first(&shape.frontends), ..shape.clone() };
    let paths: Vec<String> = Reading::all(&some).into_iter().map(|(path, _)| path).collect();
    // A prefix of other paths is not the path of a number.
    let below = by_place(plain, shape).unwrap_or_else(|| plain.to_owned());
    let mut next: Vec<&str> = paths.iter().filter_map(|p| p.strip_prefix(&below)?.strip_prefix('.')?.split('.').next()).collect();
    next.dedup();
    if !next.is_empty() {
        let problem = format!("`{path}` is not one number");
        return NoMetric { problem, hint: Some(format!("add one of {}", next.join(", "))) };
    }
    let list = List::ALL.into_iter().find(|list| plain == list.path());
    if let Some(given) = list.and_then(|list| match list {
        List::Frontends => Some(super::Given::Frontends),
        List::Fleet => Some(super::Given::Faults),
        List::Pools | List::Classes => None,
    }) {
        return NoMetric { problem: format!("`{path}` has no value in this scenario"), hint: Some(given.hint().to_owned()) };
    }
    // A number given by the end of its path alone, such as `p99` or `ttft_ms.p99`.
    let ends = || paths.iter().find(|p| p.strip_suffix(plain).is_some_and(|before| before.ends_with('.'))).map(String::as_str);
    let near = ends().or_else(|| nearest_word(plain, paths.iter().map(String::as_str)));
    NoMetric { problem: format!("`{path}` is not in summary.json"), hint: near.map(|near| format!("did you mean `{near}`?")) }
}

/// A path into a list by index, with the name in place of the index.
fn by_place(plain: &str, shape: &Shape) -> Option<String> {
    List::ALL.into_iter().find_map(|list| {
        let rest = plain.strip_prefix(list.path())?.strip_prefix('.')?;
        let (place, inner) = rest.split_once('.').unwrap_or((rest, ""));
        let name = shape.names(list).get(place.parse::<usize>().ok()?)?;
        Some(format!("{}.{name}.{inner}", list.path()).trim_end_matches('.').to_owned())
    })
}

fn first(names: &[String]) -> Vec<String> {
    names.iter().take(PROPOSED).cloned().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shape() -> Shape {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Shape {
            pools: names(&["prefill", "decode", "h100.fp8"]),
            classes: names(&["chat"]),
            frontends: Vec::new(),
            slo: false,
            faults: false,
            sessions: false,
        }
    }

    fn told(path: &str) -> String {
        let NoMetric { problem, hint } = Reading::find(path, &shape()).unwrap_err();
        hint.map_or(problem.clone(), |hint| format!("{problem}; {hint}"))
    }

    #[test]
    fn every_path_finds_its_own_row() {
        let mut seen = Vec::new();
        for (path, reading) in Reading::all(&shape()) {
            let found = Reading::find(&path, &shape()).unwrap();
            assert_eq!((found.info(), found.statistic()), (reading.info(), reading.statistic()), "{path}");
            assert!(!seen.contains(&path), "{path} is a duplicate");
            seen.push(path);
        }
        assert!(seen.len() > 250, "{}", seen.len());
        assert!(!seen.iter().any(|path| path.contains("recovery") || path.contains("goodput")), "no faults, no limits");
        assert_eq!(Reading::find("pools[1].queue_mean", &shape()).unwrap().info().id, "queue_mean");
        assert_eq!(Reading::find("pools.2.queue_mean", &shape()).unwrap().info().id, "queue_mean");
        assert_eq!(Reading::find("pools.h100.fp8.queue_mean", &shape()).unwrap().info().id, "queue_mean");
    }

    #[test]
    fn errors_of_unknown_paths_suggest_a_correction() {
        for (path, message) in [
            ("latency.ttft_ms", "`latency.ttft_ms` is not one number; add one of mean, std, min, p50, p90, p95, p99, max, count"),
            ("latency.ttft.p99", "`latency.ttft.p99` is not in summary.json; did you mean `latency.ttft_ms.p99`?"),
            ("ttft_ms.p99", "`ttft_ms.p99` is not in summary.json; did you mean `latency.ttft_ms.p99`?"),
            ("pools.decod.utilization", "`pools.decod.utilization` is not in summary.json; did you mean `pools.decode.utilization`?"),
            ("pools[1].utilisation", "`pools[1].utilisation` is not in summary.json; did you mean `pools.decode.utilization`?"),
            ("pools", "`pools` is not one number; add one of prefill, decode, h100"),
            ("pools[9].chips", "`pools[9].chips` is not in summary.json; did you mean `pools.decode.chips`?"),
            ("goodput.slo_attainment", "`goodput.slo_attainment` has no value in this scenario; give a workload an `slo`"),
            ("lifecycle.recovery_ms", "`lifecycle.recovery_ms` has no value in this scenario; give the scenario `faults`"),
            ("sessions.calls", "`sessions.calls` has no value in this scenario; give it a workload of `sessions`"),
            ("frontends", "`frontends` has no value in this scenario; give the cluster a pool with `role: frontend`"),
            ("banana", "`banana` is not in summary.json"),
            ("scenario", "`scenario` is not in summary.json"),
        ] {
            assert_eq!(told(path), message);
        }
    }

    proptest! {
        #[test]
        fn the_lookup_never_panics(path in "(pools|classes|fleet\\.pools|latency)?[.\\[\\]a-z0-9é]{0,20}") {
            let _ = Reading::find(&path, &shape());
        }
    }
}
