//! `list`, `show`, `schema`, `explain`, `completions`, `man`: the program's catalogue and documentation.

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use serde_json::{Value, json};

use super::arguments::{
    Arguments, CompletionsOptions, ExplainOptions, Explained, ListOptions, Listed, ManOptions, SchemaOptions, ShowOptions, Shown,
};
use super::exit::Failure;
use super::model;
use super::run::library;
use super::terminal::print;
use crate::hardware::{self, Kind};
use crate::metrics::{Definition, definitions, explain as explain_metric, metric};
use crate::policy::{Described, Policies};
use crate::scenario::{Library, schema, shipped_scenario, shipped_scenarios};
use crate::units::nearest_word;

/// Names of the shipped scenarios.
pub(super) fn scenario_names() -> Vec<String> {
    scenario_rows().into_iter().map(|row| row.name).collect()
}

/// The name of the shipped scenario nearest to that of a missing file.
pub(super) fn nearest_scenario(path: &Path) -> Option<String> {
    let known = scenario_names();
    nearest_word(path.file_stem()?.to_str()?, known.iter().map(String::as_str)).map(str::to_owned)
}

struct Row {
    name: String,
    about: String,
}

pub(super) fn list(options: &ListOptions, policies: &Policies) -> Result<ExitCode, Failure> {
    let library = library(&options.library, policies)?;
    let rows = match options.what {
        Listed::Chips => hardware_rows(&library, Kind::Chip)?,
        Listed::Nodes => hardware_rows(&library, Kind::Node)?,
        Listed::Links => hardware_rows(&library, Kind::Link)?,
        Listed::Sites => hardware_rows(&library, Kind::Site)?,
        Listed::Models => model_rows(&library)?,
        Listed::Policies => {
            let row =
                |(family, policy): (&str, Described)| Row { name: format!("{family} {}", policy.name), about: policy.about.to_owned() };
            library.policies().described().into_iter().map(row).collect()
        }
        Listed::Scenarios => scenario_rows(),
    };
    if options.json {
        let rows: Vec<Value> = rows.iter().map(|row| json!({"name": row.name, "description": row.about})).collect();
        print_json(&rows)?;
        return Ok(ExitCode::SUCCESS);
    }
    let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or_default();
    let lines: Vec<String> = rows.iter().map(|row| format!("{:width$}  {}\n", row.name, row.about)).collect();
    print(&lines.concat())?;
    Ok(ExitCode::SUCCESS)
}

fn hardware_rows(library: &Library, kind: Kind) -> Result<Vec<Row>, Failure> {
    let listings = library.hardware().list(kind).map_err(|error| Failure::input(error.to_string()))?;
    Ok(listings.into_iter().map(|listing| Row { name: listing.name, about: listing.description }).collect())
}

fn model_rows(library: &Library) -> Result<Vec<Row>, Failure> {
    let row = |name: String| {
        let profile = library.model(&name).map_err(|error| Failure::input(error.to_string()))?;
        Ok(Row { about: profile.description, name })
    };
    library.model_names().into_iter().map(row).collect()
}

/// The description of a scenario is its first comment line with text.
fn scenario_rows() -> Vec<Row> {
    let row = |(name, text): (&str, &str)| {
        let about = text.lines().find_map(|line| line.strip_prefix("description:"))?.trim().trim_matches('"').to_owned();
        Some(Row { name: name.to_owned(), about })
    };
    shipped_scenarios().into_iter().filter_map(row).collect()
}

pub(super) fn show(options: &ShowOptions, policies: &Policies) -> Result<ExitCode, Failure> {
    let library = library(&options.library, policies)?;
    if options.json && options.kind != Shown::Model {
        return Err(Failure::hinted("`--json` is for models", "`--yaml` prints the file of any item"));
    }
    let text = match options.kind {
        Shown::Chip => show_hardware(&library, Kind::Chip, options)?,
        Shown::Node => show_hardware(&library, Kind::Node, options)?,
        Shown::Link => show_hardware(&library, Kind::Link, options)?,
        Shown::Site => show_hardware(&library, Kind::Site, options)?,
        Shown::Model => model::show(&library, options)?,
        Shown::Policy => show_policy(&library, options)?,
        Shown::Scenario => {
            let Some((_, text)) = shipped_scenario(Path::new(&options.name)) else {
                return Err(Failure::unknown("scenario", &options.name, &scenario_names()));
            };
            text.to_owned()
        }
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The policies of a name, one for each family that has it, with aliases and parameters, or as YAML.
fn show_policy(library: &Library, options: &ShowOptions) -> Result<String, Failure> {
    let (known, name) = (library.policies().described(), options.name.replace('_', "-"));
    let mut found: Vec<_> = known.iter().filter(|(_, policy)| policy.name == name).collect();
    if found.is_empty() {
        found.extend(known.iter().filter(|(_, policy)| policy.aliases.contains(&name.as_str())));
    }
    if found.is_empty() {
        return Err(Failure::unknown("policy", &options.name, &known.iter().map(|(_, policy)| policy.name).collect::<Vec<_>>()));
    }
    if options.yaml {
        let named: Vec<String> = found.iter().map(|(family, policy)| format!("{family}: {}", policy.name)).collect();
        return Ok(format!("policies: {{{}}}\n", named.join(", ")));
    }
    Ok(found.iter().map(|(family, policy)| described(family, policy)).collect::<Vec<_>>().join("\n"))
}

/// A policy with its aliases and parameters.
fn described(family: &str, policy: &Described) -> String {
    let mut lines = vec![format!("{family} {}: {}\n", policy.name, policy.about)];
    if !policy.aliases.is_empty() {
        lines.push(format!("\nalso          {}\n", policy.aliases.join(", ")));
    }
    let defaults = &policy.defaults;
    let properties = policy.parameters.as_ref().and_then(|schema| schema.get("properties")?.as_object());
    for (name, schema) in properties.into_iter().flatten() {
        let default = defaults.as_ref().and_then(|defaults| defaults.get(name)).map(Value::to_string).unwrap_or_default();
        let about = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        lines.push(format!("\n{name} (default {default}): {about}\n"));
    }
    lines.concat()
}

fn show_hardware(library: &Library, kind: Kind, options: &ShowOptions) -> Result<String, Failure> {
    let catalogue = library.hardware();
    if !catalogue.contains(kind, &options.name) {
        return Err(Failure::unknown(kind.name(), &options.name, &catalogue.names(kind).collect::<Vec<_>>()));
    }
    let figures = catalogue.figures(kind, &options.name).map_err(|error| Failure::input(error.to_string()))?;
    if options.yaml {
        return Ok(catalogue.text(kind, &options.name).unwrap_or_default().to_owned());
    }
    let about = catalogue.list(kind).map_err(|error| Failure::input(error.to_string()))?;
    let about = about.into_iter().find(|listing| listing.name == options.name).map(|listing| listing.description).unwrap_or_default();
    let wide = |of: fn(&hardware::FigureEntry) -> usize| figures.iter().map(of).max().unwrap_or_default();
    let (paths, values) = (wide(|f| f.path.chars().count()), wide(|f| f.value.chars().count()));
    let lines: Vec<String> = figures
        .iter()
        .map(|figure| {
            let confidence = figure.confidence.name();
            let source = figure.title.as_deref().unwrap_or(&figure.source);
            let note = figure.note.as_ref().map_or_else(String::new, |note| format!("\n{:paths$}  {note}", ""));
            format!("{:paths$}  {:>values$}  {confidence:9} {source}{note}\n", figure.path, figure.value)
        })
        .collect();
    Ok(format!("{} {}: {about}\n\n{}", kind.name(), options.name, lines.concat()))
}

/// Prints pretty JSON with a final newline.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::Internal(error.to_string()))?;
    print(&format!("{text}\n"))
}

pub(super) fn schema(options: &SchemaOptions, policies: &Policies) -> Result<ExitCode, Failure> {
    let Some(schema) = schema::published_with(&options.kind, policies) else {
        return Err(Failure::unknown("kind", &options.kind, &schema::KINDS));
    };
    print_json(&schema)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn explain(options: &ExplainOptions) -> Result<ExitCode, Failure> {
    let Explained::Metric { name } = &options.what;
    let Some(name) = name else {
        let texts: Vec<String> = definitions().iter().map(defined).collect();
        print(&texts.join("\n"))?;
        return Ok(ExitCode::SUCCESS);
    };
    let explanation = explain_metric(name).ok_or_else(|| {
        let ids: Vec<&str> = definitions().iter().map(|d| d.id).collect();
        let all = ids.iter().copied().chain(metric::rows().map(|(_, info)| info.id));
        let known = nearest_word(name, all).map_or(ids.clone(), |near| vec![near]);
        Failure::unknown("metric", name, &known)
    })?;
    let mut lines = vec![defined(explanation.definition)];
    if !explanation.rows.is_empty() {
        lines.push("\nIn summary.json:\n".to_owned());
    }
    for (path, info) in explanation.rows {
        let notes: Vec<&str> = [info.unit, info.better.text()].into_iter().filter(|note| !note.is_empty()).collect();
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
        lines.push(format!("  {path}{notes}: {}\n", info.text));
    }
    print(&lines.concat())?;
    Ok(ExitCode::SUCCESS)
}

fn defined(definition: &Definition) -> String {
    format!("{} [{}]\n{}\n", definition.name, definition.unit, definition.text)
}

pub(super) fn completions(options: &CompletionsOptions) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "tokenmill", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man(options: &ManOptions) -> Result<ExitCode, Failure> {
    let mut program = Arguments::command();
    // Gives commands their full names, such as `tokenmill-trace-import`, and their global options.
    program.build();
    let mut command = &program;
    for word in &options.command {
        command = command.find_subcommand(word).ok_or_else(|| no_command(command, word))?;
    }
    let mut page = Vec::new();
    let version = concat!("tokenmill ", env!("CARGO_PKG_VERSION"));
    let rendered = clap_mangen::Man::new(command.clone()).source(version).render(&mut page);
    rendered.map_err(|error| Failure::Internal(error.to_string()))?;
    print(&String::from_utf8_lossy(&page))?;
    Ok(ExitCode::SUCCESS)
}

/// `word` is not a command of `above`.
fn no_command(above: &clap::Command, word: &str) -> Failure {
    let known: Vec<&str> = above.get_subcommands().map(clap::Command::get_name).collect();
    if known.is_empty() {
        let name = above.get_bin_name().unwrap_or_else(|| above.get_name());
        let page = name.replacen("tokenmill", "tokenmill man", 1);
        return Failure::hinted(format!("`{name}` has no command `{word}`"), format!("see `{page}`"));
    }
    Failure::unknown("command", word, &known)
}
