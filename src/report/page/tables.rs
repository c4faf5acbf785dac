//! The tables of the page: the 99th percentiles against their limits, then every group of metrics.
//!
//! Owns: rows and columns as text. Must not know: markup, single metrics.

use serde::Serialize;

use super::super::number::{NONE, count, duration_ms, limit_ms, or_none, quantity};
use crate::metrics::metric::{self, CLASS, FRONTEND, Group, MetricInfo, MetricValue, POOL, POOL_OUTAGES, RUN, Shape, Statistic};
use crate::metrics::{Check, ClassSummary, PoolSummary, SloMetric, Standing, Summary, checks_of};

/// Maximum number of values in a row of a table that fits next to another one.
const SMALL: usize = 3;

/// A heading of a row or column, and its linked definition.
#[derive(Debug, Serialize)]
pub(super) struct Heading {
    text: String,
    definition: Option<&'static str>,
    /// True above numbers.
    number: bool,
    /// True if too long for a narrow column.
    long: bool,
}

/// A cell. Numbers are right-aligned, words left-aligned.
#[derive(Debug, Serialize)]
struct Cell {
    text: String,
    number: bool,
    /// `missed` or `unsure` for a value with a limit.
    state: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Row {
    heading: Heading,
    cells: Vec<Cell>,
}

/// A table; `columns` includes the heading of the rows, and is empty if columns need no heading.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    id: &'static str,
    title: &'static str,
    /// True if it fits next to another one.
    small: bool,
    columns: Vec<Heading>,
    rows: Vec<Row>,
}

/// The values of a group for the run, or for one item of a list.
struct Item<'s> {
    name: &'s str,
    values: Vec<(&'static MetricInfo, MetricValue)>,
}

fn heading(text: &str, definition: &'static str) -> Heading {
    Heading {
        text: text.to_owned(),
        definition: (!definition.is_empty()).then_some(definition),
        number: false,
        long: text.chars().count() > 20,
    }
}

fn name(text: &str) -> Heading {
    heading(text, "")
}

fn value(text: String) -> Cell {
    Cell { text, number: true, state: None }
}

fn word(text: &str) -> Cell {
    Cell { text: text.to_owned(), number: false, state: None }
}

/// All tables in the order of the page; none without measured time.
pub(super) fn tables(summary: &Summary) -> Vec<Table> {
    if summary.measured_s <= 0.0 {
        return Vec::new();
    }
    let shape = &Shape::of(summary);
    let mut pools = of_list(POOL, "pool", &summary.pools, |pool| &pool.name, shape);
    if let Some(table) = pools.first_mut() {
        describe(table, &summary.pools);
    }
    let outages = summary.fleet.as_ref().map_or(&[][..], |fleet| &fleet.pools);
    let mut tables: Vec<Table> = limits(&summary.classes).into_iter().collect();
    tables.extend(of_classes_and_run(summary, shape));
    tables.extend(pools);
    tables.extend(of_list(FRONTEND, "frontend", &summary.frontends, |frontend| &frontend.name, shape));
    tables.extend(of_list(POOL_OUTAGES, "pool", outages, |pool| &pool.name, shape));
    for table in &mut tables {
        if let Some(row) = table.rows.first() {
            for (column, cell) in table.columns.iter_mut().skip(1).zip(&row.cells) {
                column.number = cell.number;
            }
        }
    }
    tables
}

/// The groups of the run and of its classes. Groups that both have are one table; they are the same with a single class.
fn of_classes_and_run(summary: &Summary, shape: &Shape) -> Vec<Table> {
    let shared = |id: &str| RUN.iter().find(|group| group.id == id);
    let several = summary.classes.len() > 1;
    let mut tables = Vec::new();
    for group in CLASS.iter().filter(|group| several || shared(group.id).is_none()) {
        let mut items: Vec<Item<'_>> = summary.classes.iter().map(|class| read(group, &class.name, class, shape)).collect();
        items.extend(shared(group.id).map(|of_run| read(of_run, "all classes", summary, shape)));
        tables.extend(table(group, "class", &items));
    }
    for group in RUN.iter().filter(|group| !several || CLASS.iter().all(|of_class| of_class.id != group.id)) {
        tables.extend(table(group, "", &[read(group, "", summary, shape)]));
    }
    tables
}

/// The groups of the items of a list.
fn of_list<T>(groups: metric::Table<T>, head: &str, list: &[T], name: fn(&T) -> &str, shape: &Shape) -> Vec<Table> {
    let items = |group| list.iter().map(|of| read(group, name(of), of, shape)).collect::<Vec<_>>();
    groups.iter().filter_map(|group| table(group, head, &items(group))).collect()
}

/// The values of a group, except those that scenarios of this shape do not have.
fn read<'s, T>(group: &'static Group<T>, name: &'s str, of: &T, shape: &Shape) -> Item<'s> {
    let rows = group.rows.iter().filter(|row| row.info.given.is_none_or(|given| shape.has(given)));
    Item { name, values: rows.map(|row| (&row.info, row.of(of))).collect() }
}

/// The table of a group with a heading of its items, which is empty for the run alone; `None` if no value is defined.
fn table<T>(group: &Group<T>, head: &str, items: &[Item<'_>]) -> Option<Table> {
    let first = &items.iter().flat_map(|item| &item.values).find(|(_, value)| value.is_some())?.1;
    let (columns, rows) = match first {
        MetricValue::Distribution(_) => (statistics(), by_metric(items)),
        _ if head.is_empty() => (group.across.iter().map(|column| name(column)).collect(), by_metric(items)),
        _ => by_item(items),
    };
    let columns = if columns.is_empty() { columns } else { std::iter::once(name(head)).chain(columns).collect() };
    let small = head.is_empty() && rows.iter().all(|row: &Row| row.cells.len() <= SMALL);
    Some(Table { id: group.id, title: group.title, small, columns, rows })
}

/// Columns of metrics, rows of items.
fn by_item(items: &[Item<'_>]) -> (Vec<Heading>, Vec<Row>) {
    let columns = items.first().map_or(&[][..], |item| &item.values).iter().map(|(info, _)| heading(info.label, info.about));
    let rows = items.iter().map(|item| Row { heading: name(item.name), cells: item.values.iter().flat_map(cells).collect() });
    (columns.collect(), rows.collect())
}

/// Rows of metrics, those with the same label in one; for several items one below the other.
fn by_metric(items: &[Item<'_>]) -> Vec<Row> {
    let mut rows: Vec<(usize, Row)> = Vec::new();
    for item in items {
        for (place, line) in item.values.chunk_by(|(a, _), (b, _)| a.label == b.label).enumerate() {
            let info = line[0].0;
            let text = if items.len() > 1 { format!("{}, {}", info.label, item.name) } else { info.label.to_owned() };
            rows.push((place, Row { heading: heading(&text, info.about), cells: line.iter().flat_map(cells).collect() }));
        }
    }
    rows.sort_by_key(|(place, _)| *place);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// A number in one cell, a distribution in one for each statistic.
fn cells((info, read): &(&MetricInfo, MetricValue)) -> Vec<Cell> {
    match read {
        MetricValue::Count(whole) => vec![value(whole.map_or_else(|| NONE.to_owned(), count))],
        MetricValue::Number(number) => vec![value(or_none(*number, |number| quantity(number, info.unit)))],
        MetricValue::Distribution(values) => {
            let of = |statistic: Statistic| match (values, statistic) {
                (None, _) => NONE.to_owned(),
                (Some(values), Statistic::Count) => count(values.count),
                (Some(values), _) => quantity(statistic.of(values), info.unit),
            };
            Statistic::ALL.into_iter().map(|statistic| value(of(statistic))).collect()
        }
    }
}

/// The columns of a distribution.
fn statistics() -> Vec<Heading> {
    let definition = |name: &str| if name.starts_with('p') { "percentile" } else { "" };
    Statistic::ALL.into_iter().map(|statistic| heading(statistic.name(), definition(statistic.name()))).collect()
}

/// Puts what each pool is in front of its numbers.
fn describe(table: &mut Table, pools: &[PoolSummary]) {
    table.columns.splice(1..1, ["role", "hardware", "model"].map(name));
    for (row, pool) in table.rows.iter_mut().zip(pools) {
        row.cells.splice(0..0, [pool.role.name(), &pool.hardware, &pool.model].map(word));
    }
}

/// The 99th percentiles of each class against its limits; `None` without limits.
fn limits(classes: &[ClassSummary]) -> Option<Table> {
    let columns = [("class", ""), ("TTFT p99 / limit", "ttft"), ("TPOT p99 / limit", "tpot"), ("E2E p99 / limit", "e2e")];
    let against = |check: &Check| Cell {
        text: format!("{} / {}", or_none(check.p99_ms, duration_ms), limit_ms(check.limit_ms)),
        number: true,
        state: Some(check.standing()).filter(|standing| *standing != Standing::Met).map(Standing::name),
    };
    let rows = classes.iter().map(|class| {
        let checks = checks_of(class);
        let of = |metric: &SloMetric| checks.iter().find(|check| check.metric == *metric).map_or_else(|| value(NONE.to_owned()), against);
        Row { heading: name(&class.name), cells: SloMetric::ALL.iter().map(of).collect() }
    });
    classes.iter().any(|class| class.slo.any()).then(|| Table {
        id: "limits",
        title: "Classes: 99th percentiles against their limits",
        small: false,
        columns: columns.into_iter().map(|(text, definition)| heading(text, definition)).collect(),
        rows: rows.collect(),
    })
}
