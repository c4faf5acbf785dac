//! JSON Schemas of all user-written files, for editors and for the checks.

use serde_json::{Value, json};

use super::file::{Admission, Batching, Controller, Decider, Eviction, Preemption, QueueOrder, Router, ScenarioFile};
use crate::document::{for_editors, schema_of};
use crate::hardware::{Chip, Link, Node, Site};
use crate::model::ModelProfile;
use crate::policy::Policies;

/// Kinds of files that have a schema, for `tokenmill schema KIND`.
pub const KINDS: [&str; 6] = ["scenario", "chip", "node", "link", "site", "model"];

/// The published schema of a kind, with `$id` and title; `None` for an unknown kind.
pub fn published(kind: &str) -> Option<Value> {
    published_with(kind, &Policies::default())
}

/// The same, for scenarios that may name these policies.
pub fn published_with(kind: &str, policies: &Policies) -> Option<Value> {
    let mut schema = match kind {
        "scenario" => scenario(policies),
        "chip" => schema_of::<Chip>(),
        "node" => schema_of::<Node>(),
        "link" => schema_of::<Link>(),
        "site" => schema_of::<Site>(),
        "model" => schema_of::<ModelProfile>(),
        _ => return None,
    };
    if let Value::Object(map) = &mut schema {
        map.insert("$id".into(), json!(format!("https://tokenmill.dev/schema/{kind}.json")));
        map.insert("title".into(), json!(format!("Tokenmill {kind}")));
    }
    for_editors(&mut schema);
    Some(schema)
}

/// The schema of a scenario that may name these policies.
pub fn scenario(policies: &Policies) -> Value {
    let mut schema = schema_of::<ScenarioFile>();
    for (name, choice) in [
        Router::schema(policies),
        Admission::schema(policies),
        QueueOrder::schema(policies),
        Preemption::schema(policies),
        Batching::schema(policies),
        Eviction::schema(policies),
        Controller::schema(policies),
        Decider::schema(policies),
    ] {
        if let Some(definition) = schema.pointer_mut(&format!("/$defs/{name}")) {
            *definition = choice;
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_schema_with_title_and_id() {
        for kind in KINDS {
            let schema = published(kind).unwrap();
            assert_eq!(schema["title"], format!("Tokenmill {kind}"));
            assert!(schema["$id"].as_str().unwrap().ends_with(&format!("/{kind}.json")));
            assert!(schema["description"].is_string());
        }
        assert!(published("banana").is_none());
    }

    /// Every key has a description in the schema, and so in editors.
    #[test]
    fn every_property_has_a_description() {
        fn walk(schema: &Value, path: &str, missing: &mut Vec<String>) {
            match schema {
                Value::Object(map) => {
                    if let Some(Value::Object(properties)) = map.get("properties") {
                        // The single property of a variant is described by the variant.
                        if properties.len() > 1 {
                            let bare = properties.iter().filter(|(_, p)| p.get("description").is_none());
                            missing.extend(bare.map(|(name, _)| format!("{path}.{name}")));
                        }
                    }
                    map.iter().for_each(|(key, value)| walk(value, &format!("{path}.{key}"), missing));
                }
                Value::Array(items) => items.iter().for_each(|i| walk(i, path, missing)),
                _ => {}
            }
        }
        let mut missing = Vec::new();
        walk(&schema_of::<ScenarioFile>(), "", &mut missing);
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn quantities_keep_their_unit_in_the_schema() {
        let schema = published("scenario").unwrap();
        let ttft = &schema["$defs"]["Slo"]["properties"]["ttft"];
        assert_eq!(ttft["x-quantity"], "Duration");
        assert_eq!(schema["$defs"]["Synthetic"]["properties"]["isl"], schema["$defs"]["Synthetic"]["properties"]["prompt_tokens"]);
    }
}
