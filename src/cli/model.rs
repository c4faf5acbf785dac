//! `tokenmill show model`: how a profile or a checkpoint is understood.

use std::path::Path;

use serde_json::{Value, json};

use super::arguments::ShowOptions;
use super::exit::Failure;
use crate::model::hugging_face::{Imported, config_file};
use crate::model::{Mix, Model, catalogue};
use crate::scenario::{Library, import_checkpoint};
use crate::units::grouped;

/// A model by name, or from the files of a checkpoint.
pub(super) fn show(library: &Library, options: &ShowOptions) -> Result<String, Failure> {
    let known = library.model_names();
    let imported = if known.contains(&options.name) {
        let profile = library.model(&options.name).map_err(|error| Failure::input(error.to_string()))?;
        Imported { profile, defaulted: Vec::new(), notes: Vec::new() }
    } else {
        from_path(&options.name, &known)?
    };
    let profile = &imported.profile;
    if options.yaml {
        return match catalogue::text(&options.name) {
            Some(text) => Ok(text.to_owned()),
            None => serde_yaml::to_string(profile)
                .map(|text| format!("{}\n", text.trim_end()))
                .map_err(|error| Failure::Internal(error.to_string())),
        };
    }
    let model = profile.model().map_err(|error| Failure::input(error.to_string()))?;
    if options.json {
        let text = serde_json::to_string_pretty(&as_json(&model, &imported)).map_err(|error| Failure::Internal(error.to_string()))?;
        return Ok(format!("{text}\n"));
    }
    Ok(as_text(&model, &imported))
}

/// A model from a `config.json`, or from its folder.
fn from_path(path: &str, known: &[String]) -> Result<Imported, Failure> {
    let file = config_file(Path::new(path));
    let is_path = path.contains(['/', '\\']) || Path::new(path).extension().is_some_and(|extension| extension == "json");
    if !is_path && !file.exists() {
        return Err(Failure::unknown("model", path, known));
    }
    let folder = file.parent().and_then(Path::file_name).and_then(|name| name.to_str()).filter(|name| *name != ".");
    import_checkpoint(folder.unwrap_or("model"), &file, None).map_err(|(message, hint)| Failure::Input { message, hint })
}

/// Keys are stable: scripts read them.
fn as_json(model: &Model, imported: &Imported) -> Value {
    let (shape, parameters) = (model.architecture(), model.parameters());
    let formats =
        |mix: &Mix| mix.shares().map(|(format, share)| (format.name().to_owned(), json!(share))).collect::<serde_json::Map<_, _>>();
    let parts = model.weights();
    let parts = parts
        .iter()
        .map(|part| json!({"part": part.name, "parameters": part.parameters, "bytes": part.bytes(), "formats": formats(&part.formats)}));
    let defaulted: serde_json::Map<_, _> =
        imported.defaulted.iter().map(|(key, value)| (key.clone(), value.parse().unwrap_or_else(|_| json!(value)))).collect();
    json!({
        "name": imported.profile.name,
        "parameters": parameters.total(),
        "active_parameters": parameters.active(),
        "weight_bytes": model.weight_bytes(),
        "weights": parts.collect::<Vec<_>>(),
        "kv_format": model.precision().kv.name(),
        "kv_bytes_per_token": model.kv_bytes_per_token(),
        "kv_bytes_per_token_beyond_window": model.kv_bytes_per_token_beyond_window(),
        "kv_bytes_per_sequence": model.kv_bytes(shape.max_context.into()),
        "max_context": shape.max_context,
        "layers": shape.layers,
        "hidden": shape.hidden,
        "vocab": shape.vocab,
        "window": shape.window,
        "experts": shape.experts,
        "defaulted": defaulted,
        "notes": imported.notes,
    })
}

fn as_text(model: &Model, imported: &Imported) -> String {
    let (shape, parameters, profile) = (model.architecture(), model.parameters(), &imported.profile);
    let mut lines = vec![
        ("layers", shape.layers.to_string()),
        ("hidden", count(shape.hidden.into())),
        ("context", format!("{} tokens", count(shape.max_context.into()))),
        ("parameters", format!("{:.2} B", parameters.total() as f64 / 1e9)),
        ("active per token", format!("{:.2} B", parameters.active() as f64 / 1e9)),
        ("weights", format!("{} in {}", gigabytes(model.weight_bytes()), model.precision())),
    ];
    lines.extend(model.weights().iter().filter(|part| part.bytes() >= 5_000_000).map(|part| {
        let line = format!("  {:16}{:>9}  {}", part.name, gigabytes(part.bytes()), part.formats);
        ("", line)
    }));
    lines.push(("KV cache", kv(model)));
    lines.extend(shape.experts.map(|e| ("experts", format!("{} routed, {} active, {} shared", e.routed, e.active, e.shared))));
    lines.extend(
        shape.window.map(|w| ("sliding window", format!("{} tokens in {} of {} layers", count(w.tokens.into()), w.layers, shape.layers))),
    );
    if !imported.defaulted.is_empty() {
        let defaulted: Vec<String> = imported.defaulted.iter().map(|(key, value)| format!("{key} {value}")).collect();
        lines.push(("not in the file", defaulted.join(", ")));
    }
    lines.extend(imported.notes.iter().map(|note| ("note", note.clone())));
    lines.extend(profile.sources.values().map(|source| ("source", format!("{} ({})", source.title, source.date))));
    let body: Vec<String> = lines.iter().map(|(name, value)| format!("{name:18}{value}\n")).collect();
    format!("model {}: {}\n\n{}", profile.name, profile.description, body.concat())
}

/// The KV cache of a token, and of the longest sequence.
fn kv(model: &Model) -> String {
    let context = model.architecture().max_context;
    let longest = gigabytes(model.kv_bytes(context.into()));
    let format = model.precision().kv.name();
    format!("{} B per token in {format}, {longest} for {} tokens", count(model.kv_bytes_per_token()), count(context.into()))
}

fn count(number: u64) -> String {
    grouped(&number.to_string())
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.2} GB", bytes as f64 / 1e9)
}
