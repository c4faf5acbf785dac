//! The schemas in `schemas/` are those that the program prints, and editors find them from every shipped file.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokenmill::scenario::schema;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_schema_files_are_up_to_date() {
    let stale: Vec<&str> = schema::KINDS
        .into_iter()
        .filter(|kind| {
            let printed = serde_json::to_string_pretty(&schema::published(kind).unwrap()).unwrap() + "\n";
            fs::read_to_string(root().join(format!("schemas/{kind}.json"))).ok() != Some(printed)
        })
        .collect();
    let commands: Vec<String> = stale.iter().map(|kind| format!("\n    cargo run -- schema {kind} > schemas/{kind}.json")).collect();
    assert!(stale.is_empty(), "schemas are out of date; write them anew with{}", commands.concat());
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

#[test]
fn every_shipped_file_names_the_schema_of_its_kind() {
    let kinds = [("scenarios", "scenario"), ("models", "model")].into_iter().chain([
        ("chips", "chip"),
        ("nodes", "node"),
        ("links", "link"),
        ("sites", "site"),
    ]);
    let kinds: Vec<(&str, &str)> = kinds.collect();
    let mut files = Vec::new();
    for folder in ["scenarios", "models", "hardware-profiles"] {
        yaml_files(&root().join(folder), &mut files);
    }
    assert!(files.len() > 40);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let modeline = text.lines().next().unwrap_or_default();
        let Some(target) = modeline.strip_prefix("# yaml-language-server: $schema=") else {
            panic!("{}: the first line is no modeline: {modeline}", file.display())
        };
        let folder = file.parent().unwrap();
        let target = folder.join(target);
        let name = folder.file_name().unwrap().to_str().unwrap();
        let kind = kinds.iter().find(|(folder, _)| *folder == name).expect("a folder of known kind").1;
        assert!(target.is_file(), "{}: {} does not exist", file.display(), target.display());
        assert_eq!(target.file_stem().unwrap().to_str(), Some(kind), "{}", file.display());
    }
}

/// Calls `visit` with the path and the schema of every property.
fn properties(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get("properties") {
                properties.iter().for_each(|(name, property)| visit(&format!("{path}.{name}"), property));
            }
            map.iter().for_each(|(key, value)| properties(value, &format!("{path}.{key}"), visit));
        }
        Value::Array(items) => items.iter().for_each(|item| properties(item, path, visit)),
        _ => {}
    }
}

/// What an editor shows: every key says what it is, and a value with a unit says how it is written.
#[test]
fn every_key_is_described_and_quantities_show_their_units() {
    for kind in schema::KINDS {
        let published = schema::published(kind).unwrap();
        let (mut count, mut quantities, mut missing) = (0, 0, Vec::new());
        properties(&published, "", &mut |path, property| {
            count += 1;
            let described = property.get("description").and_then(Value::as_str).is_some_and(|text| !text.is_empty());
            let described = described || referred(&published, property).is_some_and(|inner| inner.get("description").is_some());
            if !described {
                missing.push(path.to_owned());
            }
            if let Some(quantity) = property.get("x-quantity").and_then(Value::as_str) {
                quantities += 1;
                let text = property.get("description").and_then(Value::as_str).unwrap_or_default();
                if !text.contains(" such as `") {
                    missing.push(format!("{path} ({quantity}): no example with a unit in `{text}`"));
                }
            }
        });
        assert!(count > 5 && missing.is_empty(), "{kind}: {missing:#?}");
        assert!(kind != "scenario" || quantities > 30, "{quantities}");
    }
}

fn referred<'s>(root: &'s Value, property: &Value) -> Option<&'s Value> {
    let reference = property.get("$ref")?.as_str()?;
    root.pointer(reference.strip_prefix('#')?)
}
