//! `report.html`: one self-contained page that opens with the answer. Needs no network or scripts, supports light and dark, and prints well.
//!
//! Owns: order and content of the page. Must not know: files, how charts are drawn.

pub(crate) mod kit;
mod provenance;
mod tables;
mod tiles;

pub use kit::PageError;

use minijinja::value::Serde;
use serde::Serialize;

use super::answer::{answer, arrived};
use super::assertion::found;
use super::number::{count, duration_s, number, percent};
use super::plot::{Chart, Section};
use super::requests::rows_note;
use super::text::{capital, glue, shortened};
use super::trust::trust;
use kit::{Figure, SCRIPT, data, environment, figures, sentence, style};

use crate::metrics::{AssertionResult, Definition, RowChoice, RunResult, Summary, definitions};

const TEMPLATE: &str = include_str!("page.html");

/// Input of the page.
#[derive(Debug, Clone, Copy)]
pub struct ReportInput<'a> {
    /// The run.
    pub result: &'a RunResult,
    /// Its charts, from [`charts`](super::charts).
    pub charts: &'a [Chart],
    /// The complete scenario, with files by their bare names.
    pub scenario_yaml: &'a str,
    /// Requests with a row in `requests.csv`.
    pub rows: RowChoice,
    /// True if the rows are compressed.
    pub rows_gzip: bool,
    /// Version of the program.
    pub version: &'a str,
}

/// All values used by the template.
#[derive(Debug, Serialize)]
struct View<'a> {
    style: String,
    script: &'a str,
    data: String,
    scenario: &'a str,
    subject: String,
    run: String,
    version: &'a str,
    hash: &'a str,
    verdict: &'a str,
    headline: &'a str,
    clauses: Vec<String>,
    warnings: Vec<(String, String)>,
    assertions: Vec<Assertion<'a>>,
    trust: Option<String>,
    /// Target of the link in the sentence on trust.
    trust_target: &'static str,
    tiles: [tiles::Tile; 4],
    shares: Vec<Figure>,
    distributions: Vec<Figure>,
    timelines: Vec<Figure>,
    tables: Vec<tables::Table>,
    provenance: Vec<provenance::Group<'a>>,
    step_models: Vec<(String, &'a str)>,
    definitions: &'static [Definition],
    scenario_yaml: &'a str,
    /// Remark on the rows next to the page, unless they are the default.
    rows: Option<String>,
}

/// The bytes of `report.html`; the same input gives the same bytes.
pub fn page(input: ReportInput<'_>) -> Result<String, PageError> {
    let summary = &input.result.summary;
    let answer = answer(summary);
    let trust = trust(summary);
    let environment = environment(TEMPLATE)?;
    let view = View {
        style: style(),
        script: SCRIPT,
        data: data(input.charts)?,
        scenario: &summary.scenario,
        subject: subject(summary),
        run: run_line(summary),
        version: input.version,
        hash: &summary.input_hash,
        verdict: answer.verdict.name(),
        headline: &answer.headline,
        clauses: answer.clauses.iter().map(|clause| capital(&glue(clause))).collect(),
        warnings: summary.warnings.iter().map(|w| (w.code.name().replace('-', " "), sentence(&w.message))).collect(),
        assertions: summary.assertions.iter().map(assertion).collect(),
        trust: trust.sentence().filter(|_| summary.measured_s > 0.0).map(|s| glue(&s)),
        // A link into a closed list opens it.
        trust_target: if trust.assumed + trust.estimated > 0 { "provenance-soft" } else { "provenance" },
        tiles: tiles::tiles(summary),
        shares: figures(input.charts, Section::Shares),
        distributions: figures(input.charts, Section::Distributions),
        timelines: figures(input.charts, Section::Timelines),
        tables: tables::tables(summary),
        provenance: provenance::groups(&summary.provenance),
        step_models: provenance::step_models(&summary.pools),
        definitions: definitions(),
        scenario_yaml: input.scenario_yaml,
        rows: rows_note(input.rows, input.rows_gzip).map(|note| glue(&note)),
    };
    Ok(environment.get_template("page.html")?.render(Serde(&view))?)
}

/// A condition of the scenario in the form used by the template.
#[derive(Debug, Serialize)]
struct Assertion<'a> {
    /// `met` or `missed`.
    state: &'static str,
    word: &'static str,
    text: &'a str,
    found: String,
}

fn assertion(result: &AssertionResult) -> Assertion<'_> {
    let (state, word) = if result.holds { ("met", "holds") } else { ("missed", "fails") };
    Assertion { state, word, text: &result.text, found: found(result) }
}

/// The system simulated: models, pools, and their load.
fn subject(summary: &Summary) -> String {
    let mut models: Vec<&str> = summary.pools.iter().map(|pool| pool.model.as_str()).collect();
    models.dedup();
    let pools = summary.pools.iter().map(|pool| {
        let chips = pool.chips / pool.instances.max(1);
        format!(
            "{} {} × {chips} {} of {}",
            shortened(&pool.name, 24),
            count(pool.instances.into()),
            if chips == 1 { "chip" } else { "chips" },
            pool.hardware
        )
    });
    let mut named: Vec<String> = pools.take(POOLS).collect();
    if summary.pools.len() > POOLS {
        let more = summary.pools.len() - POOLS;
        named.push(format!("{more} more {}", if more == 1 { "pool" } else { "pools" }));
    }
    let mut parts = vec![models.join(" and "), named.join(", ")];
    parts.extend(summary.throughput.offered_requests_per_s.map(|rate| format!("{} requests/s offered", number(rate))));
    let (prompts, outputs) = (summary.lengths.prompt_mean, summary.lengths.output_mean);
    parts.extend(
        prompts.zip(outputs).map(|(prompt, output)| format!("{} prompt and {} output tokens per request", number(prompt), number(output))),
    );
    glue(&parts.join(" · "))
}

/// Maximum number of pools named in the subject line.
const POOLS: usize = 4;

/// Facts of the run, in a line under the title.
fn run_line(summary: &Summary) -> String {
    let r = summary.requests;
    let warmup = &summary.warmup;
    let left_out = if warmup.s > 0.0 {
        format!("; {} {} of a warm-up of {} left out", count(warmup.requests), requests_word(warmup.requests), duration_s(warmup.s))
    } else {
        String::new()
    };
    let completed = if r.arrived > 0 {
        format!(", {} completed ({})", count(r.completed), percent(r.completed as f64 / r.arrived as f64))
    } else {
        String::new()
    };
    glue(&format!("{}{completed}{left_out}; seed {}", capital(&arrived(summary, requests_word(r.arrived))), summary.seed))
}

const fn requests_word(n: u64) -> &'static str {
    if n == 1 { "request" } else { "requests" }
}

#[cfg(test)]
mod tests {
    use super::super::{charts, fixture};
    use super::*;
    use crate::metrics::metric::{CLASS, FRONTEND, Group, POOL, POOL_OUTAGES, RUN, Table, rows};

    fn render(result: &RunResult) -> String {
        let charts = charts(result).unwrap();
        page(ReportInput {
            result,
            charts: &charts,
            scenario_yaml: "name: chat # <b>\nseed: 7\n",
            rows: RowChoice::All,
            rows_gzip: false,
            version: "0.1.0",
        })
        .unwrap()
    }

    #[test]
    fn the_page_opens_with_the_answer_and_keeps_the_order() {
        let html = render(&fixture::two_pools());
        let body = html.split_once("<body").unwrap().1;
        let places: Vec<usize> = [
            "Holds the SLO",
            "id=\"trust\"",
            "id=\"headline\"",
            "id=\"shares\"",
            "id=\"distributions\"",
            "id=\"timelines\"",
            "id=\"tables\"",
            "id=\"scenario\"",
            "id=\"provenance\"",
            "id=\"definitions\"",
        ]
        .iter()
        .map(|mark| body.find(mark).unwrap_or_else(|| panic!("{mark} is missing")))
        .collect();
        assert!(places.is_sorted(), "{places:?}");
    }

    /// File names on the page are bare, unlike the paths in `resolved.yaml`, so the page must not call its scenario by that name.
    #[test]
    fn the_scenario_on_the_page_is_not_called_resolved_yaml() {
        let html = render(&fixture::two_pools());
        let (_, section) = html.split_once("<section id=\"scenario\">").unwrap();
        let (section, _) = section.split_once("</section>").unwrap();
        assert!(section.contains("<summary>The complete scenario</summary>"), "{section}");
        assert!(section.contains("files by their bare names") && section.contains("name: chat # &lt;b&gt;"), "{section}");
    }

    #[test]
    fn the_page_makes_no_network_requests() {
        let html = render(&fixture::two_pools());
        for word in ["src=", "url(http", "@import", "fetch(", "XMLHttpRequest", "<link rel=\"stylesheet\""] {
            assert!(!html.contains(word), "{word}");
        }
    }

    #[test]
    fn a_page_too_close_to_call_never_says_missed() {
        let mut result = fixture::missed();
        let class = &mut result.summary.classes[0];
        (class.slo_attainment, class.slo_attainment_95) = (Some(0.986), Some(crate::metrics::ShareInterval { low: 0.981, high: 0.991 }));
        let html = render(&result);
        let (_, main) = html.split_once("<main>").unwrap();
        assert!(main.contains("<span class=\"state\">unsure</span>") && main.contains("class=\"number unsure\""));
        assert!(!main.contains("number missed") && !main.contains(">missed<"));
    }

    #[test]
    fn a_page_without_measured_time_is_consistent() {
        let mut result = fixture::nothing_completed();
        let summary = &mut result.summary;
        (summary.requests, summary.measured_s, summary.arriving_s) = (crate::metrics::RequestCounts::default(), 0.0, 0.0);
        summary.warmup = crate::metrics::Warmup { s: 60.0, requests: 3 };
        summary.energy = crate::metrics::Energy { peak_power_w: 7500.0, ..Default::default() };
        (summary.cost.usd_per_hour, summary.cost.breakdown) = (None, crate::metrics::CostBreakdown::default());
        let html = render(&result);
        let text = html.split_once("<main>").unwrap().1.split_once("id=\"tables\"").unwrap().0;
        assert!(text.contains("No requests arrived after the warm-up; 3 requests of a warm-up"), "{text}");
        for said in ["peak", "–\u{a0}mean", "0\u{a0}ms", "per hour", "figures behind this result"] {
            assert!(!text.contains(said), "{said}");
        }
        assert!(!html.contains("7.50 kW"));
    }

    #[test]
    fn every_metric_is_in_the_table_of_its_group() {
        /// The number of rows whose label is in a heading of the table of their group.
        fn shown<T>(html: &str, table: Table<T>) -> usize {
            let count = |group: &Group<T>| {
                let (_, below) =
                    html.split_once(&format!("id=\"table-{}\"", group.id)).unwrap_or_else(|| panic!("{} is missing", group.id));
                let of_group = below.split("</table>").next().unwrap();
                for row in group.rows {
                    let label = row.info.label.replace('/', "&#x2f;");
                    let headings = [format!(">{label}</a></th>"), format!(">{label}, all classes</a></th>")];
                    assert!(headings.iter().any(|heading| of_group.contains(heading)), "{}: {label}", group.id);
                }
                group.rows.len()
            };
            table.iter().map(count).sum()
        }
        let [all, single] = [fixture::everything(), fixture::missed()].map(|result| render(&result));
        let of_lists = shown(&all, CLASS) + shown(&all, POOL) + shown(&all, FRONTEND) + shown(&all, POOL_OUTAGES);
        assert_eq!(shown(&all, RUN) + of_lists, rows().count());
        assert!(single.contains("id=\"table-requests\"") && !single.contains("all classes<"), "one class is the run");
        assert!(!single.contains("id=\"table-outages\""), "no failures");
    }

    #[test]
    fn tables_are_at_most_eleven_columns_wide() {
        for (name, result) in fixture::all() {
            let html = render(&result);
            for row in html.split("<tr>").skip(1).map(|row| row.split("</tr>").next().unwrap()) {
                assert!(row.matches("<th").count() + row.matches("<td").count() <= 11, "{name}: {row}");
            }
        }
    }

    #[test]
    fn markup_in_names_stays_text() {
        let html = render(&fixture::hostile_names());
        assert!(!html.contains("<script>alert"));
        assert!(!html.contains("{{ 7 * 7 }}</script>"));
        assert!(html.contains("&lt;script&gt;alert"));
        assert!(html.contains("name: chat # &lt;b&gt;"));
        assert_eq!(html.matches("<script").count(), 2, "our data and our code");
    }

    #[test]
    fn every_link_inside_the_page_has_a_target() {
        for (name, result) in fixture::all() {
            let html = render(&result);
            for link in html.split("href=\"#").skip(1) {
                let id = link.split_once('"').unwrap().0;
                assert!(html.contains(&format!("id=\"{id}\"")), "{name}: {id}");
            }
        }
    }

    #[test]
    fn ids_are_unique() {
        let html = render(&fixture::two_pools());
        let mut ids: Vec<&str> = html.split(" id=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
        let n = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(n, ids.len());
    }

    #[test]
    fn no_fixture_shows_a_raw_float_or_nan() {
        for (name, result) in fixture::all() {
            let html = render(&result);
            let text = html.split_once("<main").unwrap().1.split_once("id=\"scenario\"").unwrap().0;
            for bad in [">NaN", ">inf", ">None", " NaN ", "Some("] {
                assert!(!text.contains(bad), "{name}: {bad}");
            }
            assert_eq!(html, render(&result), "{name}");
        }
    }

    /// Writes pages and charts for inspection: `cargo test --lib report -- --ignored write_samples`.
    #[test]
    #[ignore = "writes files for inspection into target/report-samples"]
    fn write_samples() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/report-samples");
        std::fs::create_dir_all(&folder).unwrap();
        for (name, result) in fixture::all() {
            std::fs::write(folder.join(format!("{name}.html")), render(&result)).unwrap();
            for chart in charts(&result).unwrap() {
                if let Some(svg) = chart.file() {
                    std::fs::write(folder.join(format!("{name}-{}.svg", chart.id)), svg).unwrap();
                }
            }
        }
    }
}
