//! The tables of the page: latency, classes, pools, energy, cost, network.
//!
//! Owns: rows and columns as text. Must not know: markup.

use serde::Serialize;

use super::super::number::{NONE, count, duration_ms, duration_s, gauge, grams, limit_ms, number, or_none, percent, share, si, usd};
use super::fleet;
use crate::metrics::{Check, ClassSummary, Distribution, Jitter, PoolSummary, SloMetric, Standing, Summary, checks_of};

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
pub(super) struct Cell {
    text: String,
    number: bool,
    /// `missed` or `unsure` for a value with a limit.
    state: Option<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) heading: Heading,
    pub(super) cells: Vec<Cell>,
}

/// A table; `columns` includes the heading of the rows, and is empty if columns need no heading.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// True if it has few columns, so it fits next to another one.
    pub(super) small: bool,
    pub(super) columns: Vec<Heading>,
    pub(super) rows: Vec<Row>,
}

fn heading(text: &str, definition: &'static str) -> Heading {
    Heading {
        text: text.to_owned(),
        definition: (!definition.is_empty()).then_some(definition),
        number: false,
        long: text.chars().count() > 20,
    }
}

pub(super) fn name(text: &str) -> Heading {
    heading(text, "")
}

pub(super) fn value(text: String) -> Cell {
    Cell { text, number: true, state: None }
}

fn word(text: &str) -> Cell {
    Cell { text: text.to_owned(), number: false, state: None }
}

pub(super) fn headings(columns: &[(&str, &'static str)]) -> Vec<Heading> {
    columns.iter().map(|(text, definition)| heading(text, definition)).collect()
}

/// Rows of a heading and one value.
pub(super) fn pairs(id: &'static str, title: &'static str, rows: Vec<(&str, &'static str, String)>) -> Table {
    let rows = rows.into_iter().map(|(text, definition, v)| Row { heading: heading(text, definition), cells: vec![value(v)] }).collect();
    Table { id, title, small: true, columns: Vec::new(), rows }
}

/// All tables in the order of the page.
pub(super) fn tables(summary: &Summary) -> Vec<Table> {
    let mut tables = vec![
        classes(&summary.classes),
        fates(&summary.classes),
        latency(summary),
        pool_load(&summary.pools),
        pool_memory(&summary.pools),
        pool_energy(&summary.pools),
        network(summary),
        jitter(summary),
        flow(summary),
        energy(summary),
        cost(summary),
    ];
    tables.extend(fleet::frontends(summary));
    tables.extend(fleet::outages(summary));
    for table in &mut tables {
        if let Some(row) = table.rows.first() {
            for (column, cell) in table.columns.iter_mut().skip(1).zip(&row.cells) {
                column.number = cell.number;
            }
        }
    }
    tables
}

/// Limits and results of each class.
fn classes(classes: &[ClassSummary]) -> Table {
    let columns = headings(&[
        ("class", ""),
        ("all limits met", "slo"),
        ("95 % interval", "interval"),
        ("TTFT met", "slo"),
        ("TPOT met", "slo"),
        ("TTFT p99 / limit", "ttft"),
        ("TPOT p99 / limit", "tpot"),
        ("E2E p99 / limit", "e2e"),
    ]);
    let against = |distribution: Option<Distribution>, check: Option<&Check>| Cell {
        text: match check {
            Some(check) => format!("{} / {}", or_none(check.p99_ms, duration_ms), limit_ms(check.limit_ms)),
            None => or_none(distribution.map(|d| d.p99), duration_ms),
        },
        number: true,
        state: check.map(Check::standing).filter(|standing| *standing != Standing::Met).map(Standing::name),
    };
    let rows = classes.iter().map(|class| {
        let shares = [class.slo_attainment, class.ttft_attainment, class.tpot_attainment];
        let mut cells: Vec<Cell> = shares.map(|share| value(or_none(share, percent))).into();
        let interval = class.slo_attainment_95.map_or_else(|| NONE.to_owned(), |i| format!("{} to {}", percent(i.low), percent(i.high)));
        cells.insert(1, value(interval));
        let checks = checks_of(class);
        for (metric, seen) in SloMetric::ALL.into_iter().zip([class.latency.ttft_ms, class.latency.tpot_ms, class.latency.e2e_ms]) {
            cells.push(against(seen, checks.iter().find(|check| check.metric == metric)));
        }
        Row { heading: name(&class.name), cells }
    });
    Table { id: "classes", title: "Classes against their limits", small: false, columns, rows: rows.collect() }
}

/// Outcomes of the requests of each class.
fn fates(classes: &[ClassSummary]) -> Table {
    let names = ["arrived", "completed", "rejected", "timed out", "failed", "in flight", "truncated"];
    let columns = std::iter::once(name("class")).chain(names.iter().map(|text| heading(text, "requests"))).collect();
    let rows = classes.iter().map(|class| {
        let r = class.requests;
        let counts = [r.arrived, r.completed, r.rejected, r.timed_out, r.failed, r.in_flight, r.truncated];
        Row { heading: name(&class.name), cells: counts.map(|n| value(count(n))).into() }
    });
    Table { id: "fates", title: "Requests by class", small: false, columns, rows: rows.collect() }
}

fn latency(summary: &Summary) -> Table {
    let columns = [("", ""), ("mean", ""), ("std", ""), ("min", ""), ("p50", "percentile"), ("p90", "percentile"), ("p95", "percentile")];
    let columns = headings(&[&columns[..], &[("p99", "percentile"), ("max", ""), ("values", "")]].concat());
    let l = &summary.latency;
    let rows = [
        ("TTFT", "ttft", l.ttft_ms),
        ("TTST", "ttst", l.ttst_ms),
        ("TPOT", "tpot", l.tpot_ms),
        ("ITL", "itl", l.itl_ms),
        ("E2E", "e2e", l.e2e_ms),
    ];
    let rows = rows.into_iter().map(|(text, definition, d)| {
        let of = |f: fn(&Distribution) -> f64| value(or_none(d.as_ref().map(f), duration_ms));
        let mut cells =
            vec![of(|d| d.mean), of(|d| d.std), of(|d| d.min), of(|d| d.p50), of(|d| d.p90), of(|d| d.p95), of(|d| d.p99), of(|d| d.max)];
        cells.push(value(d.map_or_else(|| NONE.to_owned(), |d| count(d.count))));
        Row { heading: heading(text, definition), cells }
    });
    Table { id: "latency", title: "Latency, all classes", small: false, columns, rows: rows.collect() }
}

/// A table with one row per pool.
fn of_pools(
    id: &'static str,
    title: &'static str,
    pools: &[PoolSummary],
    columns: &[(&str, &'static str)],
    cells: fn(&PoolSummary) -> Vec<Cell>,
) -> Table {
    let columns = headings(&[&[("pool", "")], columns].concat());
    let rows = pools.iter().map(|pool| Row { heading: name(&pool.name), cells: cells(pool) }).collect();
    Table { id, title, small: false, columns, rows }
}

fn pool_load(pools: &[PoolSummary]) -> Table {
    let columns = [
        ("role", ""),
        ("hardware", ""),
        ("model", ""),
        ("instances", ""),
        ("chips", ""),
        ("busy", "utilization"),
        ("MFU", "mfu"),
        ("MBU", "mbu"),
        ("batch", "batch"),
        ("iteration", "iteration"),
        ("iterations", "iteration"),
    ];
    of_pools("pools", "Pools: load", pools, &columns, |p| {
        vec![
            word(p.role.name()),
            word(&p.hardware),
            word(&p.model),
            value(count(u64::from(p.instances))),
            value(count(u64::from(p.chips))),
            value(percent(p.utilization)),
            value(or_none(p.mfu, percent)),
            value(or_none(p.mbu, percent)),
            value(or_none(p.batch_while_computing(), gauge)),
            value(or_none(p.iteration_ms_mean, duration_ms)),
            value(count(p.iterations)),
        ]
    })
}

fn pool_memory(pools: &[PoolSummary]) -> Table {
    let columns = [
        ("KV per instance", "kv"),
        ("KV in use", "kv"),
        ("KV peak", "kv"),
        ("queue", "queue"),
        ("longest queue", "queue"),
        ("prefix hits", "prefix"),
        ("preemptions", "preemption"),
    ];
    of_pools("pools-memory", "Pools: memory and queues", pools, &columns, |p| {
        vec![
            value(format!("{} tokens", count(p.kv_capacity_tokens))),
            value(share(p.kv_utilization_mean)),
            value(share(p.kv_utilization_peak)),
            value(gauge(p.queue_mean)),
            value(count(p.queue_peak)),
            value(or_none(p.prefix_hit_rate, percent)),
            value(count(p.preemptions)),
        ]
    })
}

fn pool_energy(pools: &[PoolSummary]) -> Table {
    let columns = [
        ("prefill", "energy"),
        ("transfer", "energy"),
        ("decode", "energy"),
        ("start-up", "energy"),
        ("idle", "energy"),
        ("IT energy", "energy"),
        ("mean IT power", "power"),
        ("cost", "cost-per-token"),
    ];
    of_pools("pools-energy", "Pools: energy by phase, and cost", pools, &columns, |p| {
        let e = p.energy_by_phase;
        let mut cells: Vec<Cell> =
            [e.prefill_j, e.transfer_j, e.decode_j, e.startup_j, e.idle_j, p.energy_j].map(|j| value(si(j, "J"))).into();
        cells.push(value(or_none(p.mean_power_w, |w| si(w, "W"))));
        cells.push(value(usd(p.cost_usd)));
        cells
    })
}

fn network(summary: &Summary) -> Table {
    let n = &summary.network;
    pairs(
        "network",
        "Network: KV transfers",
        vec![
            ("transfers", "transfer", count(n.transfers)),
            ("moved", "transfer", si(n.bytes, "B")),
            ("mean transfer", "transfer", or_none(n.transfer_ms_mean, duration_ms)),
            ("p99 transfer", "transfer", or_none(n.transfer_ms_p99, duration_ms)),
            ("busiest port", "port", or_none(n.peak_port_utilization, share)),
        ],
    )
}

/// Jitter of each class and of all gaps together; with a single class one figure per line.
fn jitter(summary: &Summary) -> Table {
    let of = |j: &Jitter| {
        let request = j.request_itl_std_ms;
        [
            ("ITL p99 − p50", or_none(j.itl_p99_minus_p50_ms, duration_ms)),
            ("ITL p99 / p50", or_none(j.itl_p99_over_p50, number)),
            ("ITL standard deviation", or_none(j.itl_std_ms, duration_ms)),
            ("ITL coefficient of variation", or_none(j.itl_cov, gauge)),
            ("longest stall", or_none(j.longest_stall_ms, duration_ms)),
            ("std within a request, mean", or_none(request.map(|r| r.mean), duration_ms)),
            ("std within a request, p99", or_none(request.map(|r| r.p99), duration_ms)),
        ]
    };
    let all = of(&summary.jitter);
    if summary.classes.len() < 2 {
        return pairs("jitter", "Jitter", all.into_iter().map(|(text, v)| (text, "jitter", v)).collect());
    }
    // Seven columns are too many for the full names.
    let short = ["p99 − p50", "p99 / p50", "std", "variation", "longest stall", "request std, mean", "request std, p99"];
    let columns = std::iter::once(name("class")).chain(short.map(|text| heading(text, "jitter"))).collect();
    let row = |text: &str, cells: [(&str, String); 7]| Row { heading: name(text), cells: cells.map(|(_, v)| value(v)).into() };
    let mut rows: Vec<Row> = summary.classes.iter().map(|class| row(&class.name, of(&class.jitter))).collect();
    rows.push(row("all gaps together", all));
    Table { id: "jitter", title: "Jitter by class, gaps between tokens", small: false, columns, rows }
}

fn flow(summary: &Summary) -> Table {
    let (r, k, t) = (&summary.requests, &summary.tokens, &summary.throughput);
    let rate = |v: Option<f64>, what: &str| or_none(v, |v| format!("{} {what}/s", number(v)));
    let mut rows = vec![
        ("offered", "offered", rate(t.offered_requests_per_s, "requests")),
        ("served while arriving", "offered", rate(t.served_requests_per_s, "requests")),
        ("completed", "throughput", rate(t.requests_per_s, "requests")),
        ("output", "throughput", rate(t.output_tokens_per_s, "tokens")),
        ("output per chip", "throughput", rate(t.output_tokens_per_s_per_chip, "tokens")),
        ("prompt and output", "throughput", rate(t.total_tokens_per_s, "tokens")),
    ];
    if let Some(g) = summary.goodput {
        rows.push(("goodput", "goodput", rate(g.requests_per_s, "requests")));
        rows.push(("goodput, output", "goodput", rate(g.output_tokens_per_s, "tokens")));
        rows.push(("met the SLO", "slo", or_none(g.slo_attainment, percent)));
    }
    rows.extend([
        ("prompt tokens", "tokens", count(k.prompt)),
        ("cached prompt", "prefix", count(k.cached_prompt)),
        ("output tokens", "tokens", count(k.output)),
        ("recomputed", "preemption", count(k.recomputed)),
        ("truncated at the context limit", "requests", count(r.truncated)),
        ("preemptions", "preemption", count(r.preemptions)),
    ]);
    pairs("flow", "Throughput and tokens", rows)
}

fn energy(summary: &Summary) -> Table {
    let e = &summary.energy;
    let (output, total) = (e.output_tokens_per_j, e.total_tokens_per_j);
    let columns = headings(&[("", ""), ("chips", "tokens-per-joule"), ("IT", "tokens-per-joule"), ("facility", "tokens-per-joule")]);
    let row = |text: &str, definition: &'static str, cells: [String; 3]| Row {
        heading: heading(text, definition),
        cells: cells.map(value).into(),
    };
    let none = || NONE.to_owned();
    let rows = vec![
        row("energy", "energy", [e.chip_j, e.it_j, e.facility_j].map(|j| si(j, "J"))),
        row("output tokens/J", "tokens-per-joule", [output.chip, output.it, output.facility].map(|v| or_none(v, number))),
        row("all tokens/J", "tokens-per-joule", [total.chip, total.it, total.facility].map(|v| or_none(v, number))),
        row("mean power", "power", [none(), none(), or_none(e.mean_power_w, |w| si(w, "W"))]),
        row(
            &format!("peak, mean of {}", duration_s(e.peak_power_window_s)),
            "power",
            [none(), none(), or_none(e.mean_power_w.map(|_| e.peak_power_w), |w| si(w, "W"))],
        ),
        row("carbon", "carbon", [none(), none(), grams(e.carbon_g)]),
    ];
    Table { id: "energy-table", title: "Energy", small: true, columns, rows }
}

fn cost(summary: &Summary) -> Table {
    let c = &summary.cost;
    pairs(
        "cost-table",
        "Cost",
        vec![
            ("per M output tokens", "cost-per-token", or_none(c.usd_per_m_output_tokens, usd)),
            ("per M tokens in all", "cost-per-token", or_none(c.usd_per_m_total_tokens, usd)),
            ("prefill per M prompt tokens", "cost-per-token", or_none(c.usd_per_m_prompt_tokens_by_phase, usd)),
            ("decode per M output tokens", "cost-per-token", or_none(c.usd_per_m_output_tokens_by_phase, usd)),
            ("cluster per hour", "cost-per-token", or_none(c.usd_per_hour, usd)),
            ("capital", "cost-per-token", usd(c.breakdown.capital)),
            ("energy", "cost-per-token", usd(c.breakdown.energy)),
            ("hosting", "cost-per-token", usd(c.breakdown.hosting)),
            ("rent", "cost-per-token", usd(c.breakdown.rent)),
            ("total", "cost-per-token", usd(c.total_usd)),
        ],
    )
}
