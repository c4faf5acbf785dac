//! Results → bytes: the answer, the terminal summary, JSON, CSV, charts and the page. Pure: data in, strings out.
//!
//! Owns: wording, number formats, charts, layout. Must not know: files, the clock, stdout, the origin of a result.

mod answer;
mod assertion;
mod comparison;
mod csv;
#[cfg(test)]
mod fixture;
mod jitter;
mod json;
mod line;
pub mod number;
#[cfg(feature = "report")]
mod page;
#[cfg(feature = "report")]
mod plot;
mod requests;
mod terminal;
mod text;
mod trace_events;
mod trust;

#[cfg(test)]
use crate::{cluster, metrics, units};

pub use answer::{Answer, answer};
pub use assertion::{doubt, outcome};
pub use comparison::{ComparisonInput, comparison_json, comparison_terminal, seeds_terminal};
#[cfg(feature = "report")]
pub use comparison::{ComparisonPage, comparison_page};
pub use csv::timeline_csv;
pub use json::summary_json;
#[cfg(feature = "report")]
pub use page::{PageError, ReportInput, page};
#[cfg(feature = "report")]
pub use plot::{Chart, PlotError, Section, chart_style, charts};
pub use requests::{ExtraColumns, InstancePrice, RequestsCsv, requests_file};
pub use terminal::{Style, TerminalInput, terminal};
pub use trace_events::TraceEvents;
pub use trust::{Trust, trust};
