//! A comparison in the terminal: the sentence, then one table per metric with one line per variant.

use super::super::terminal::Style;
use super::super::text::{clean, shortened, wrapped};
use super::lines::{Line, row};
use super::sentence::{basis, sentences};
use super::write::{between, unit, value};
use super::{matrix, shown, title};
use crate::study::compare::{Caution, Comparison, MetricComparison};

/// Maximum width of a variant's name.
const NAME: usize = 28;
/// Number of variants from which each has only one line.
const MANY: usize = 5;

/// Input of the text.
#[derive(Debug, Clone, Copy)]
pub struct ComparisonInput<'a> {
    /// The comparison.
    pub comparison: &'a Comparison,
    /// The requested numbers, by path or prefix; the headlines if empty.
    pub metrics: &'a [String],
    /// Location of the files, as shown to the user; `None` if none were written.
    pub place: Option<&'a str>,
    /// Columns of the terminal.
    pub width: usize,
}

/// The comparison of variants, with a final newline.
pub fn comparison_terminal(input: ComparisonInput<'_>, style: Style) -> String {
    let ComparisonInput { comparison, metrics, place, width } = input;
    let mut out = Text { out: String::new(), width: width.clamp(60, 120), style };
    let many = comparison.variants.len() >= MANY && metrics.is_empty();
    if !many {
        for sentence in sentences(comparison) {
            out.paragraph(&sentence);
        }
    }
    out.paragraph(&basis(comparison));
    out.line("");
    out.cautions(&comparison.cautions);
    if many {
        out.matrix(comparison);
    } else {
        let widest = comparison.variants.iter().map(|name| name.chars().count()).max().unwrap_or_default().min(NAME);
        let shown = shown(comparison, metrics);
        if shown.is_empty() {
            out.paragraph("None of these numbers has a value in these runs.");
            out.line("");
        }
        for metric in shown {
            out.metric(metric, &comparison.variants, widest);
        }
    }
    out.place(place);
    out.out
}

/// The numbers of one variant over seeds, with a final newline.
pub fn seeds_terminal(input: ComparisonInput<'_>, style: Style) -> String {
    let ComparisonInput { comparison, metrics, place, width } = input;
    let mut out = Text { out: String::new(), width: width.clamp(60, 120), style };
    let name = comparison.variants.first().map_or("", String::as_str);
    out.paragraph(&format!("{name}: {} runs, one per seed, with 95 % intervals of the mean.", comparison.seeds.len()));
    out.line("");
    out.cautions(&comparison.cautions);
    let rows: Vec<[String; 5]> = shown(comparison, metrics).into_iter().filter_map(seeds_row).collect();
    let head = ["", "mean", "95 % interval", "least", "most"].map(str::to_owned);
    out.table(&head, &rows);
    out.place(place);
    out.out
}

fn seeds_row(metric: &MetricComparison) -> Option<[String; 5]> {
    let number = metric.of.first()?.as_ref()?;
    let (info, values) = (metric.info, number.runs.iter().copied().flatten());
    let least = values.clone().fold(f64::INFINITY, f64::min);
    let most = values.fold(f64::NEG_INFINITY, f64::max);
    let head = match unit(info) {
        "" => title(metric),
        unit => format!("{}, {unit}", title(metric)),
    };
    let missing = number.runs.iter().filter(|run| run.is_none()).count();
    let (mean, interval) = match number.estimate {
        Some(estimate) => (value(info, estimate.value), estimate.interval.map_or_else(String::new, |interval| between(info, interval))),
        None => ("–".to_owned(), format!("no value in {missing} runs")),
    };
    Some([head, mean, interval, value(info, least), value(info, most)])
}

struct Text {
    out: String,
    width: usize,
    style: Style,
}

impl Text {
    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn paragraph(&mut self, text: &str) {
        for line in wrapped(&clean(text), self.width) {
            self.line(&line);
        }
    }

    fn cautions(&mut self, cautions: &[Caution]) {
        let mark = "warning: ";
        for caution in cautions {
            for (i, line) in
                wrapped(&clean(&format!("{}: {}", caution.variant, caution.message)), self.width - mark.len()).iter().enumerate()
            {
                let head = if i == 0 { self.style.caution(mark) } else { " ".repeat(mark.len()) };
                self.line(&format!("{head}{line}"));
            }
        }
        if !cautions.is_empty() {
            self.line("");
        }
    }

    /// One line per variant.
    fn matrix(&mut self, comparison: &Comparison) {
        for (i, line) in matrix::lines(comparison, self.width).iter().enumerate() {
            self.line(&if i == 0 { self.style.strong(line.trim_end()) } else { line.clone() });
        }
        self.line("");
        self.paragraph(matrix::LEGEND);
        self.line("");
    }

    /// A title, then one line per variant.
    fn metric(&mut self, metric: &MetricComparison, variants: &[String], widest: usize) {
        let notes: Vec<&str> = [unit(metric.info), metric.info.better.text()].into_iter().filter(|note| !note.is_empty()).collect();
        let head =
            format!("{}{}", clean(&title(metric)), if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) });
        self.line(&self.style.strong(&head));
        let rows = row(metric, variants).lines;
        let width = |of: fn(&Line) -> &str| rows.iter().map(|line| of(line).chars().count()).max().unwrap_or(0);
        let widths = (width(|line| &line.value), width(|line| &line.difference), width(|line| &line.interval));
        for line in &rows {
            let name = shortened(&clean(&line.variant), widest);
            let finding = match line.state {
                "better" => self.style.good(&line.finding),
                "worse" => self.style.bad(&line.finding),
                _ => line.finding.clone(),
            };
            let (a, b, c) = widths;
            let gap = if c > 0 { "  " } else { "" };
            self.line(&format!("  {name:widest$}  {:>a$}  {:b$}{gap}{:c$}  {finding}", line.value, line.difference, line.interval));
        }
        self.line("");
    }

    /// All columns except the first are right-aligned.
    fn table<const N: usize>(&mut self, head: &[String; N], rows: &[[String; N]]) {
        let width = |column: usize| rows.iter().chain([head]).map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..N).map(width).collect();
        for (i, row) in [head].into_iter().chain(rows).enumerate() {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, &w))| if column == 0 { format!("{cell:w$}") } else { format!("{cell:>w$}") })
                .collect();
            let line = cells.join("  ");
            self.line(&if i == 0 { self.style.strong(line.trim_end()) } else { line });
        }
        self.line("");
    }

    fn place(&mut self, place: Option<&str>) {
        if let Some(place) = place {
            let label = self.style.label("report");
            self.line(&format!("{label}  {}", clean(place)));
        }
    }
}
