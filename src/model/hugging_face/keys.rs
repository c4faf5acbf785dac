//! Typed lookup of keys in a configuration.

use serde_json::{Map, Value};

use super::HuggingFaceError;

/// The object that holds the language model's keys.
#[derive(Debug)]
pub(super) struct Keys<'a> {
    object: &'a Map<String, Value>,
    family: &'a str,
}

impl<'a> Keys<'a> {
    /// Multimodal configurations nest the language model under `text_config`.
    pub(super) fn new(document: &'a Value) -> Result<Self, HuggingFaceError> {
        let top = document.as_object().ok_or_else(|| HuggingFaceError::NotJson("the document is not an object".to_owned()))?;
        let object = top.get("text_config").and_then(Value::as_object).unwrap_or(top);
        let family = object.get("model_type").or_else(|| top.get("model_type")).and_then(Value::as_str);
        let family = family.ok_or_else(|| HuggingFaceError::NotJson("the key `model_type` is missing".to_owned()))?;
        Ok(Self { object, family })
    }

    /// The `model_type`.
    pub(super) const fn family(&self) -> &'a str {
        self.family
    }

    /// The first of `names` that is present and not null.
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
        Ok(None)
    }

    /// As [`find`](Self::find), but one of the keys is required.
    pub(super) fn need(&self, names: &[&str]) -> Result<u32, HuggingFaceError> {
        self.find(names)?.ok_or_else(|| self.missing(&names.join("` or `")))
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, HuggingFaceError> {
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_bool().map(Some).ok_or_else(|| wrong(name, value, "true or false")),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.object.get(name).and_then(Value::as_str)
    }

    /// The list of that name; empty if absent.
    pub(super) fn list(&self, name: &str) -> &'a [Value] {
        self.object.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// A text inside `quantization_config`.
    pub(super) fn quantization(&self, name: &str) -> Option<String> {
        self.object.get("quantization_config")?.get(name)?.as_str().map(str::to_owned)
    }

    /// Bits and type of the weights of the first group of a compressed-tensors configuration.
    pub(super) fn compressed_weights(&self) -> Option<(u64, String)> {
        let groups = self.object.get("quantization_config")?.get("config_groups")?.as_object()?;
        let weights = groups.values().next()?.get("weights")?;
        Some((weights.get("num_bits")?.as_u64()?, weights.get("type")?.as_str()?.to_owned()))
    }

    pub(super) fn missing(&self, key: &str) -> HuggingFaceError {
        HuggingFaceError::MissingKey { key: key.to_owned(), family: self.family.to_owned() }
    }
}

/// A value that contradicts another one.
pub(super) fn contradicts(key: &str, found: &str, expected: &'static str) -> HuggingFaceError {
    HuggingFaceError::WrongValue { key: key.to_owned(), found: found.to_owned(), expected }
}

fn wrong(key: &str, value: &Value, expected: &'static str) -> HuggingFaceError {
    HuggingFaceError::WrongValue { key: key.to_owned(), found: value.to_string(), expected }
}
