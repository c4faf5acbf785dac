//! Typed lookup of keys in a configuration.

use std::cell::RefCell;

use serde_json::{Map, Value};

use super::HuggingFaceError;
use super::families::{self, Family};

/// The object that holds the language model's keys, and the one around it.
#[derive(Debug)]
pub(super) struct Keys<'a> {
    object: &'a Map<String, Value>,
    /// The same, unless the language model is one part of several.
    top: &'a Map<String, Value>,
    family: &'static Family,
    /// Values that the file leaves to its family, in the order of their use.
    defaulted: RefCell<Vec<(String, String)>>,
}

impl<'a> Keys<'a> {
    /// Multimodal configurations nest the language model under `text_config`.
    pub(super) fn new(document: &'a Value) -> Result<Self, HuggingFaceError> {
        let top = document.as_object().ok_or_else(|| HuggingFaceError::NotJson("the document is not an object".to_owned()))?;
        let object = top.get("text_config").and_then(Value::as_object).unwrap_or(top);
        let name = object.get("model_type").or_else(|| top.get("model_type")).and_then(Value::as_str);
        let name = name.ok_or_else(|| HuggingFaceError::NotJson("the key `model_type` is missing".to_owned()))?;
        let family = families::find(name).ok_or_else(|| HuggingFaceError::Family(name.to_owned()))?;
        Ok(Self { object, top, family, defaulted: RefCell::default() })
    }

    pub(super) const fn family(&self) -> &'static Family {
        self.family
    }

    /// The first of `names` that is present and not null, otherwise the default of the family.
    pub(super) fn find(&self, names: &[&str]) -> Result<Option<u32>, HuggingFaceError> {
        for name in names {
            match self.object.get(*name) {
                None | Some(Value::Null) => {}
                Some(value) => {
                    let whole = value.as_u64().and_then(|n| u32::try_from(n).ok());
                    return whole.map(Some).ok_or_else(|| wrong(name, value, "a whole number below 2^32"));
                }
            }
        }
        Ok(self.default(names))
    }

    /// The default of the family for a key that the file does not have; `null` is a value.
    fn default(&self, names: &[&str]) -> Option<u32> {
        let absent = !names.iter().any(|name| self.object.contains_key(*name));
        let (key, value) = self.family.defaults.iter().find(|(key, _)| absent && names.contains(key))?;
        Some(self.defaulted(key, *value))
    }

    /// Notes a value that the file does not have.
    pub(super) fn defaulted<T: ToString>(&self, key: &str, value: T) -> T {
        let entry = (key.to_owned(), value.to_string());
        let mut all = self.defaulted.borrow_mut();
        if !all.contains(&entry) {
            all.push(entry);
        }
        value
    }

    /// Values that the file does not have, with their keys.
    pub(super) fn into_defaulted(self) -> Vec<(String, String)> {
        self.defaulted.into_inner()
    }

    /// As [`find`](Self::find), but one of the keys is required.
    pub(super) fn need(&self, names: &[&str]) -> Result<u32, HuggingFaceError> {
        self.find(names)?.ok_or_else(|| self.missing(&names.join("` or `")))
    }

    /// True or false beside the keys of the language model, or around them.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, HuggingFaceError> {
        match self.anywhere(name) {
            None => Ok(None),
            Some(value) => value.as_bool().map(Some).ok_or_else(|| wrong(name, value, "true or false")),
        }
    }

    /// A text beside the keys of the language model, or around them.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.anywhere(name).and_then(Value::as_str)
    }

    /// An object beside the keys of the language model, or around them; `None` if it is empty.
    pub(super) fn object(&self, name: &str) -> Result<Option<&'a Map<String, Value>>, HuggingFaceError> {
        match self.anywhere(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object).filter(|object| !object.is_empty())),
            Some(other) => Err(wrong(name, other, "an object")),
        }
    }

    /// A value that is not null: files differ in what they put around `text_config`.
    fn anywhere(&self, name: &str) -> Option<&'a Value> {
        [self.object, self.top].iter().find_map(|object| object.get(name).filter(|value| !value.is_null()))
    }

    /// The list of that name; empty if absent.
    pub(super) fn list(&self, name: &str) -> &'a [Value] {
        self.object.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn missing(&self, key: &str) -> HuggingFaceError {
        HuggingFaceError::MissingKey { key: key.to_owned(), family: self.family.name.to_owned() }
    }
}

/// A value that contradicts another one.
pub(super) fn contradicts(key: &str, found: &str, expected: &'static str) -> HuggingFaceError {
    HuggingFaceError::WrongValue { key: key.to_owned(), found: found.to_owned(), expected }
}

fn wrong(key: &str, value: &Value, expected: &'static str) -> HuggingFaceError {
    HuggingFaceError::WrongValue { key: key.to_owned(), found: value.to_string(), expected }
}
