//! All figures of a profile with their provenance, found by their shape, so that new fields are included without a list.

use std::fmt::Write as _;

use serde_json::Value;

use super::figure::{Confidence, Sources};
use super::kind::Profile;

/// One figure of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FigureEntry {
    /// Path: `memory.capacity`, `efficiency.gemm_memory.fp8`.
    pub path: String,
    /// The value with its unit, as in YAML: `80 GiB`, `0.3`.
    pub value: String,
    /// Key of the profile's `sources`.
    pub source: String,
    /// Title of that source; `None` if the key does not exist, which validation reports.
    pub title: Option<String>,
    /// Date of that source.
    pub date: Option<String>,
    /// Confidence in the figure.
    pub confidence: Confidence,
    /// Caveats.
    pub note: Option<String>,
}

/// All figures of `profile` in the order of its fields.
pub fn figures<P: Profile>(profile: &P) -> Vec<FigureEntry> {
    let mut found = Vec::new();
    // Profiles have string and number keys only, so this cannot fail; if it did, no figures would be shown, and a test counts them.
    if let Ok(value) = serde_json::to_value(profile) {
        collect(&value, &mut String::new(), profile.sources(), &mut found);
    }
    found
}

fn collect(value: &Value, path: &mut String, sources: &Sources, found: &mut Vec<FigureEntry>) {
    if let Some(entry) = as_figure(value, path, sources) {
        found.push(entry);
        return;
    }
    let length = path.len();
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
                collect(inner, path, sources, found);
                path.truncate(length);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                // Writing to a string cannot fail.
                let _ = write!(path, "[{index}]");
                collect(inner, path, sources, found);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

/// An object with `value`, `source` and `confidence` is a figure; nothing else in a profile has all three.
fn as_figure(value: &Value, path: &str, sources: &Sources) -> Option<FigureEntry> {
    let source = value.get("source")?.as_str()?.to_owned();
    let confidence: Confidence = serde_json::from_value(value.get("confidence")?.clone()).ok()?;
    let text = match value.get("value")? {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let document = sources.get(&source);
    Some(FigureEntry {
        path: path.to_owned(),
        value: text,
        title: document.map(|d| d.title.clone()),
        date: document.map(|d| d.date.clone()),
        source,
        confidence,
        note: value.get("note").and_then(Value::as_str).map(str::to_owned),
    })
}
