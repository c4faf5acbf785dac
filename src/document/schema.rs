//! JSON Schemas of the types that documents are read into, and the cursor that the checks move through them.
//!
//! Owns: the meaning of schema keywords. The Rust types are the only source of schemas. Must not know: documents.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// Schema of a type, in the form the checks use.
pub(crate) fn schema_of<T: JsonSchema>() -> Value {
    SchemaGenerator::new(SchemaSettings::draft2020_12()).into_root_schema_for::<T>().to_value()
}

/// Replaces custom keywords by standard ones, so that editors accept the same documents, and describes the checks that editors lack.
pub(crate) fn for_editors(schema: &mut Value) {
    let written = schema.get("x-quantity").and_then(Value::as_str).map(|name| super::quantity::in_words(name, At::root(schema)));
    match schema {
        Value::Array(items) => items.iter_mut().for_each(for_editors),
        Value::Object(map) => {
            map.values_mut().for_each(for_editors);
            if let Some(written) = written {
                let said = map.get("description").and_then(Value::as_str).filter(|text| !text.contains(", such as `"));
                let said = said.map_or_else(String::new, |text| format!("{text} "));
                map.insert("description".into(), json!(format!("{said}Write {written}.")));
            }
            describe_variant(map);
            spell_aliases(map);
            if let Some(Value::Array(keys)) = map.get("x-exactly-one") {
                let one: Vec<Value> = keys.iter().map(|k| json!({"required": [k]})).collect();
                map.insert("oneOf".into(), Value::Array(one));
            }
        }
        _ => {}
    }
}

/// The single key of a variant gets the variant's description.
fn describe_variant(map: &mut Map<String, Value>) {
    let Some(description) = map.get("description").and_then(Value::as_str).map(str::to_owned) else { return };
    let Some(properties) = map.get_mut("properties").and_then(Value::as_object_mut).filter(|properties| properties.len() == 1) else {
        return;
    };
    for property in properties.values_mut().filter_map(Value::as_object_mut) {
        let own = property.get("description").and_then(Value::as_str);
        let both = own.map_or_else(|| description.clone(), |own| format!("{description} {own}"));
        property.insert("description".into(), json!(both));
    }
}

/// Aliases of keys become keys; aliases of variants and their snake case become variants.
fn spell_aliases(map: &mut Map<String, Value>) {
    let aliases = map.get("x-aliases").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(properties) = map.get_mut("properties").and_then(Value::as_object_mut) {
        let mut either = Vec::new();
        for (alias, name) in &aliases {
            let Some(name) = name.as_str() else { continue };
            if let Some(property) = properties.get(name).cloned() {
                properties.insert(alias.clone(), property);
                either.push((alias.clone(), name.to_owned()));
            }
        }
        let Some(required) = map.get_mut("required").and_then(Value::as_array_mut) else { return };
        either.retain(|(_, name)| required.iter().any(|r| r == name));
        required.retain(|r| !either.iter().any(|(_, name)| r == name));
        let any: Vec<Value> = either.iter().map(|(a, n)| json!({"anyOf": [{"required": [n]}, {"required": [a]}]})).collect();
        if !any.is_empty() {
            map.insert("allOf".into(), Value::Array(any));
        }
        return;
    }
    let Some(variants) = map.get_mut("oneOf").and_then(Value::as_array_mut) else { return };
    let units: Vec<String> = variants.iter().filter_map(|v| v.get("const")?.as_str().map(str::to_owned)).collect();
    let snake = units.iter().filter(|u| u.contains('-')).map(|u| u.replace('-', "_"));
    let more: Vec<String> = snake.chain(aliases.keys().cloned()).filter(|s| !units.contains(s)).collect();
    if !more.is_empty() {
        variants.push(json!({"description": "Other spellings.", "type": "string", "enum": more}));
    }
}

/// A place in a schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'s> {
    root: &'s Value,
    here: &'s Value,
}

/// One variant of an enum: a word, or a map with one key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variant<'s> {
    /// The word.
    pub(super) name: &'s str,
    /// Schema of its value; `None` for a plain word.
    pub(super) inner: Option<At<'s>>,
}

/// Shape of the value at a place in a schema.
#[derive(Debug, Clone)]
pub(super) enum Shape<'s> {
    /// A map.
    Map,
    /// A list, with the schema of its items.
    List(Option<At<'s>>),
    /// One of several variants.
    Variants(Vec<Variant<'s>>),
    /// One of several unrelated shapes.
    AnyOf(Vec<At<'s>>),
    /// A value with a unit.
    Quantity(&'s str),
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// Text.
    Text,
    /// `true` or `false`.
    Bool,
    /// Any value.
    Anything,
}

impl<'s> At<'s> {
    /// Root of a schema.
    pub(super) fn root(schema: &'s Value) -> Self {
        Self { root: schema, here: schema }.resolved()
    }

    fn to(self, here: &'s Value) -> Self {
        Self { root: self.root, here }.resolved()
    }

    /// Follows references, and looks through `anyOf: [X, null]`.
    fn resolved(mut self) -> Self {
        for _ in 0..16 {
            if let Some(pointer) = self.keyword("$ref").and_then(Value::as_str) {
                match self.definition(pointer) {
                    Some(next) => self.here = next,
                    None => return self,
                }
                continue;
            }
            let mut alternatives = self.alternatives().into_iter().flatten();
            match (alternatives.next(), alternatives.next()) {
                (Some(one), None) => self.here = one,
                _ => return self,
            }
        }
        self
    }

    /// Target of a reference.
    fn definition(self, pointer: &str) -> Option<&'s Value> {
        match pointer.strip_prefix("#/$defs/") {
            Some(name) if !name.contains(['/', '~']) => self.root.get("$defs")?.get(name),
            _ => self.root.pointer(pointer.trim_start_matches('#')),
        }
    }

    /// The members of `anyOf` other than null.
    fn alternatives(self) -> Option<impl Iterator<Item = &'s Value>> {
        let all = self.keyword("anyOf")?.as_array()?;
        Some(all.iter().filter(|s| s.get("type").is_none_or(|t| t != "null")))
    }

    /// A keyword of this place.
    pub(super) fn keyword(self, name: &str) -> Option<&'s Value> {
        // Keywords are few: a linear search is faster than a hash, and every check of a node looks up several.
        self.here.as_object()?.iter().find(|(keyword, _)| *keyword == name).map(|(_, value)| value)
    }

    /// Shape of the value here.
    pub(super) fn shape(self) -> Shape<'s> {
        if let Some(name) = self.keyword("x-quantity").and_then(Value::as_str) {
            return Shape::Quantity(name);
        }
        if let Some(all) = self.alternatives() {
            return Shape::AnyOf(all.map(|s| self.to(s)).collect());
        }
        if self.keyword("oneOf").is_some() || self.keyword("enum").is_some() {
            return Shape::Variants(self.variants());
        }
        match self.type_name() {
            Some("object") => Shape::Map,
            Some("array") => Shape::List(self.keyword("items").map(|i| self.to(i))),
            Some("integer") => Shape::Integer,
            Some("number") => Shape::Number,
            Some("string") => Shape::Text,
            Some("boolean") => Shape::Bool,
            _ => Shape::Anything,
        }
    }

    fn type_name(self) -> Option<&'s str> {
        match self.keyword("type")? {
            Value::String(name) => Some(name),
            Value::Array(names) => names.iter().filter_map(Value::as_str).find(|n| *n != "null"),
            _ => None,
        }
    }

    fn variants(self) -> Vec<Variant<'s>> {
        let words = |s: &'s Value| s.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let unit = |name| Variant { name, inner: None };
        let mut out: Vec<Variant<'s>> = words(self.here).map(unit).collect();
        for one in self.keyword("oneOf").and_then(Value::as_array).into_iter().flatten() {
            out.extend(one.get("const").and_then(Value::as_str).map(unit));
            out.extend(words(one).map(unit));
            let properties = one.get("properties").and_then(Value::as_object).into_iter().flatten();
            out.extend(properties.map(|(name, inner)| Variant { name, inner: Some(self.to(inner)) }));
        }
        out
    }

    /// The names of a map's known keys.
    pub(super) fn keys(self) -> impl Iterator<Item = &'s str> {
        self.keyword("properties").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str())
    }

    /// Schema under a known key.
    pub(super) fn key(self, name: &str) -> Option<Self> {
        self.keyword("properties")?.get(name).map(|s| self.to(s))
    }

    /// Schema under `name`: a known key, or any key if the map's keys are free.
    pub(super) fn under(self, name: &str) -> Option<Self> {
        self.key(name).or_else(|| self.free_keys())
    }

    /// Schema under free keys, if this map has them.
    pub(super) fn free_keys(self) -> Option<Self> {
        let patterns = self.keyword("patternProperties").and_then(Value::as_object).and_then(|p| p.values().next());
        let any = self.keyword("additionalProperties").filter(|a| a.is_object());
        patterns.or(any).map(|s| self.to(s))
    }

    /// Schema of the keys themselves, if given.
    pub(super) fn key_names(self) -> Option<Self> {
        self.keyword("propertyNames").map(|s| self.to(s))
    }

    /// True if free keys are whole numbers.
    pub(super) fn numeric_keys(self) -> bool {
        self.keyword("patternProperties").is_some()
    }

    /// True if keys that are not listed are refused.
    pub(super) fn closed(self) -> bool {
        self.keyword("additionalProperties") == Some(&Value::Bool(false)) && !self.numeric_keys()
    }

    /// Required keys.
    pub(super) fn required(self) -> impl Iterator<Item = &'s str> {
        self.words("required")
    }

    /// Keys of which exactly one is required.
    pub(super) fn exactly_one(self) -> Vec<&'s str> {
        self.words("x-exactly-one").collect()
    }

    fn words(self, keyword: &str) -> impl Iterator<Item = &'s str> {
        self.keyword(keyword).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// The word among `right` for which `word` is an alias or the snake case.
    pub(super) fn right_spelling(self, word: &str, right: &[&'s str]) -> Option<&'s str> {
        let kebab = word.replace('_', "-");
        if let Some(hit) = right.iter().find(|r| **r == kebab) {
            return Some(hit);
        }
        let aliases = self.keyword("x-aliases")?;
        aliases.get(word).or_else(|| aliases.get(&kebab))?.as_str()
    }
}
