//! Common parts of all pages: the template engine, the style sheet, charts, sentences.

use minijinja::{AutoEscape, Environment, HtmlEscape, UndefinedBehavior, Value};
use serde::Serialize;

use super::super::plot::{Chart, PlotError, Section, chart_style};
use super::super::text::{capital, glue};

const STYLE: &str = include_str!("page.css");
/// The script of every page with charts.
pub(crate) const SCRIPT: &str = include_str!("page.js");

/// The page could not be created. An internal error: no input should lead here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// The template failed.
    #[error("cannot fill in the page: {0}")]
    Template(#[from] minijinja::Error),
    /// A chart failed.
    #[error(transparent)]
    Chart(#[from] PlotError),
    /// The values for the script failed.
    #[error("cannot write the values for the script: {0}")]
    Data(#[from] serde_json::Error),
}

/// A chart in the form used by the template.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    id: &'static str,
    title: String,
    description: String,
    /// Generated markup; empty if a sentence replaces the chart.
    svg: String,
}

/// Templates that escape their values and reject unknown names; the page is `page.html`. `code` is a filter for texts with names in backticks.
pub(crate) fn environment(template: &'static str) -> Result<Environment<'static>, PageError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("code", code);
    environment.add_template("page.html", template)?;
    Ok(environment)
}

/// The style sheet of a page with charts.
pub(crate) fn style() -> String {
    format!("{}{STYLE}", chart_style())
}

/// A message with an initial capital and a final stop.
pub(crate) fn sentence(message: &str) -> String {
    let stop = if message.ends_with(['.', '!', '?']) { "" } else { "." };
    glue(&format!("{}{stop}", capital(message)))
}

/// Markup of a text; parts between backticks are names in code.
fn code(text: &str) -> Value {
    if !text.matches('`').count().is_multiple_of(2) {
        return Value::from_safe_string(HtmlEscape(text).to_string());
    }
    let part = |(place, part)| {
        let escaped = HtmlEscape(part);
        if place % 2 == 1 { format!("<code>{escaped}</code>") } else { escaped.to_string() }
    };
    Value::from_safe_string(text.split('`').enumerate().map(part).collect())
}

pub(crate) fn figures(charts: &[Chart], section: Section) -> Vec<Figure> {
    let of_section = charts.iter().filter(|chart| chart.section == section);
    of_section
        .map(|chart| Figure { id: chart.id, title: chart.title.clone(), description: chart.description.clone(), svg: chart.inline() })
        .collect()
}

/// Values for the script as JSON that cannot end its enclosing element.
pub(crate) fn data(charts: &[Chart]) -> Result<String, serde_json::Error> {
    let mut map = serde_json::Map::new();
    for chart in charts {
        if let Some(data) = chart.data() {
            map.insert(chart.id.to_owned(), data.clone());
        }
    }
    Ok(serde_json::to_string(&map)?.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029"))
}
