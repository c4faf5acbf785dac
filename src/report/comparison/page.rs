//! `compare.html`: one self-contained page that opens with the differences.
//!
//! Owns: order and content of the page. Must not know: files, how charts are drawn.

use minijinja::value::Serde;
use serde::Serialize;

use super::super::number::number;
use super::super::page::kit::{Figure, PageError, SCRIPT, data, environment, figures, sentence, style};
use super::super::plot::{Section, comparison_charts};
use super::lines::{Row, row};
use super::sentence::{basis, headline, sentences};
use super::{shown, title};
use crate::metrics::{Definition, definitions};
use crate::study::Balance;
use crate::study::compare::{Comparison, Method};

const TEMPLATE: &str = include_str!("compare.html");
const STYLE: &str = include_str!("compare.css");

/// Input of the page.
#[derive(Debug, Clone, Copy)]
pub struct ComparisonPage<'a> {
    /// The comparison.
    pub comparison: &'a Comparison,
    /// The scenario or scenarios, in a few words.
    pub scenario: &'a str,
    /// Version of the program.
    pub version: &'a str,
}

#[derive(Debug, Serialize)]
struct View<'a> {
    style: String,
    script: &'static str,
    data: String,
    version: &'a str,
    scenario: &'a str,
    headline: String,
    clauses: Vec<String>,
    basis: String,
    several_seeds: bool,
    cautions: Vec<(String, String)>,
    sections: Vec<Part>,
    balance: Vec<BalanceRow>,
    /// End of the axis.
    balance_top: String,
    /// Where the mean lies on it, percent.
    balance_mean: String,
    table_note: String,
    tables: Vec<Table>,
    definitions: &'static [Definition],
}

/// Charts under one heading.
#[derive(Debug, Serialize)]
struct Part {
    id: &'static str,
    title: &'static str,
    layout: &'static str,
    note: String,
    figures: Vec<Figure>,
}

/// Distribution of a pool's work under one variant.
#[derive(Debug, Serialize)]
struct BalanceRow {
    pool: String,
    variant: String,
    least: String,
    median: String,
    most: String,
    /// Positions of instances, percent of the axis.
    marks: Vec<String>,
}

/// Numbers with the same kind of finding.
#[derive(Debug, Serialize)]
struct Table {
    title: &'static str,
    open: bool,
    rows: Vec<Row>,
    count: usize,
}

/// The bytes of `compare.html`; the same input gives the same bytes.
///
/// # Errors
/// Internal errors only.
pub fn comparison_page(input: ComparisonPage<'_>) -> Result<String, PageError> {
    let comparison = input.comparison;
    let named: Vec<_> = shown(comparison, &[]).into_iter().map(|metric| (title(metric), metric)).collect();
    let charts = comparison_charts(comparison, &named)?;
    let several_seeds = comparison.method == Method::Seeds;
    let distributions =
        if several_seeds { "All classes together; the mean over the seeds of each quantile." } else { "All classes together." };
    let timelines = if several_seeds { "First seed." } else { "" };
    let part =
        |id, title, layout, note: &str, section| Part { id, title, layout, note: note.to_owned(), figures: figures(&charts, section) };
    let (balance, most) = balance(comparison);
    let view = View {
        style: format!("{}{STYLE}", style()),
        script: SCRIPT,
        data: data(&charts)?,
        version: input.version,
        scenario: input.scenario,
        headline: headline(comparison),
        clauses: sentences(comparison),
        basis: basis(comparison),
        several_seeds,
        cautions: comparison.cautions.iter().map(|caution| (caution.variant.clone(), sentence(&caution.message))).collect(),
        sections: vec![
            part("differences", "What differs", "whole", "", Section::Shares),
            part("distributions", "Distributions", "grid pairs", distributions, Section::Distributions),
            part("timelines", "Over time", "whole", timelines, Section::Timelines),
        ],
        balance,
        balance_top: format!("{}×", number(most)),
        balance_mean: format!("{:.1}", 100.0 / most),
        table_note: format!("Beside {}.", comparison.variants.first().map_or("", String::as_str)),
        tables: tables(comparison),
        definitions: definitions(),
    };
    Ok(environment(TEMPLATE)?.get_template("page.html")?.render(Serde(&view))?)
}

/// Every number, those with certain differences first.
fn tables(comparison: &Comparison) -> Vec<Table> {
    let (mut sure, mut open, mut equal) = (Vec::new(), Vec::new(), Vec::new());
    for metric in &comparison.metrics {
        let differences = || metric.of.iter().flatten().filter_map(|number| number.difference.as_ref());
        if differences().next().is_none() {
            continue;
        }
        let row = row(metric, &comparison.variants);
        if differences().all(|difference| difference.is_sure() && difference.side == crate::study::compare::Side::Same) {
            equal.push(row);
        } else if differences().any(crate::study::compare::Difference::is_sure) {
            sure.push(row);
        } else {
            open.push(row);
        }
    }
    let all = [("Differs", true, sure), ("Cannot be told apart", false, open), ("Equal", false, equal)];
    all.into_iter()
        .filter(|(_, _, rows)| !rows.is_empty())
        .map(|(title, open, rows)| Table { title, open, count: rows.len(), rows })
        .collect()
}

/// The balance of each pool with several instances, for each variant, and the end of the axis in units of the mean.
fn balance(comparison: &Comparison) -> (Vec<BalanceRow>, f64) {
    let mut pools: Vec<&str> = Vec::new();
    let all = || {
        comparison.variants.iter().zip(&comparison.pictures).flat_map(|(name, picture)| picture.balance.iter().map(move |of| (name, of)))
    };
    let drawn = |balance: &Balance| balance.tokens.len() > 1 && balance.mean > 0.0;
    for (_, balance) in all().filter(|(_, balance)| drawn(balance)) {
        if !pools.contains(&balance.pool.as_str()) {
            pools.push(&balance.pool);
        }
    }
    let most = all()
        .filter(|(_, balance)| drawn(balance))
        .filter_map(|(_, balance)| Some(balance.tokens.last()? / balance.mean))
        .fold(2.0, f64::max);
    let of_pool = |pool: &&str| {
        let pool = (*pool).to_owned();
        all()
            .filter(move |(_, balance)| balance.pool == pool && drawn(balance))
            .map(|(name, balance)| balance_row(name, balance, most))
            .collect::<Vec<_>>()
    };
    (pools.iter().flat_map(of_pool).collect(), most)
}

fn balance_row(variant: &str, balance: &Balance, most: f64) -> BalanceRow {
    let over_mean = |tokens: Option<&f64>| tokens.map_or_else(String::new, |tokens| format!("{}×", number(tokens / balance.mean)));
    BalanceRow {
        pool: balance.pool.clone(),
        variant: variant.to_owned(),
        least: over_mean(balance.tokens.first()),
        median: over_mean(balance.tokens.get(balance.tokens.len() / 2)),
        most: over_mean(balance.tokens.last()),
        marks: balance.tokens.iter().map(|tokens| format!("{:.1}", 100.0 * tokens / balance.mean / most)).collect(),
    }
}
