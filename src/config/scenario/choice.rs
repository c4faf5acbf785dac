//! A policy as a scenario names it: a word, or a word with parameters under it. Which words there are says the register of its family.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::policy::{self, Register, routers};

/// What stands in the place of a name where each role has a router of its own.
const ROLES: [&str; 3] = ["prefill", "decode", "mixed"];

/// Which instance of those that may serve a request gets it.
#[derive(Debug, Clone, PartialEq)]
pub struct Router {
    /// Its name.
    pub name: String,
    /// Its parameters; `None` where none are given.
    pub parameters: Option<Value>,
}

impl Router {
    /// By its name, without parameters.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), parameters: None }
    }
}

impl Router {
    /// The schema of a choice among these routers.
    pub fn schema(routers: &Register<dyn policy::Router>) -> Value {
        schema_of("Which instance of those that may serve a request gets it.", routers)
    }
}

impl Default for Router {
    fn default() -> Self {
        Self::named("least-request")
    }
}

impl Serialize for Router {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.parameters {
            None => serializer.serialize_str(&self.name),
            Some(parameters) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(&self.name, parameters)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Router {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Choice;

        impl<'de> Visitor<'de> for Choice {
            type Value = Router;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a router, or one name with parameters under it")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Router, E> {
                Ok(Router::named(name))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Router, A::Error> {
                let (name, parameters) = map.next_entry::<String, Value>()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
                if ROLES.contains(&name.as_str()) {
                    return Err(de::Error::unknown_field(&name, &[]));
                }
                match map.next_key::<String>()? {
                    None => Ok(Router { name, parameters: Some(parameters) }),
                    Some(_) => Err(de::Error::invalid_length(2, &self)),
                }
            }
        }

        deserializer.deserialize_any(Choice)
    }
}

impl JsonSchema for Router {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Router".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Schema::try_from(Self::schema(&routers())).unwrap_or_default()
    }
}

/// A family as alternatives: words, and maps of one word to its parameters.
fn schema_of<P: ?Sized + 'static>(about: &str, register: &Register<P>) -> Value {
    let mut aliases = Map::new();
    let mut alternatives = Vec::new();
    for entry in register.entries() {
        aliases.extend(entry.aliases.iter().map(|alias| ((*alias).to_owned(), json!(entry.name))));
        alternatives.push(match &entry.parameters {
            None => json!({"type": "string", "const": entry.name, "description": entry.about}),
            // Its parameters all have defaults, so that the word alone is accepted too.
            Some(parameters) => json!({
                "type": "object", "properties": {entry.name: parameters}, "required": [entry.name], "additionalProperties": false, "description": entry.about,
            }),
        });
    }
    json!({"oneOf": alternatives, "description": about, "x-aliases": aliases})
}
