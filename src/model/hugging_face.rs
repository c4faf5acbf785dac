//! Import of a Hugging Face `config.json` as a model profile.
//!
//! Files differ in where they put keys and in what they leave out; what their family adds is in `families`. Families with other layers (state
//! spaces, encoders, linear attention) may have the same keys, so they are rejected, as are structures that the keys do not determine
//! (interleaved expert layers) and quantizations that are not understood.

mod families;
mod keys;
mod matrices;
mod patterns;
mod python;
mod quantization;
mod shape;

use std::path::{Path, PathBuf};

use thiserror::Error;

use self::families::FAMILIES;
use self::keys::Keys;
use self::quantization::Scheme;
use super::{Architecture, ModelError, ModelProfile, Precision};
use crate::units::{Dtype, Source, Sources};

/// Why a `config.json` cannot be read as a model.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HuggingFaceError {
    /// Empty file.
    #[error("the file is empty, expected a Hugging Face config.json")]
    Empty,
    /// Not JSON, or not an object.
    #[error("not a Hugging Face config.json: {0}")]
    NotJson(String),
    /// A required key is missing.
    #[error("the key `{key}` is missing in the configuration of a `{family}` model")]
    MissingKey {
        /// The key, or the alternatives joined by "or".
        key: String,
        /// The `model_type`.
        family: String,
    },
    /// A key has a value of the wrong type or range.
    #[error("the key `{key}` is {found}, expected {expected}")]
    WrongValue {
        /// The key.
        key: String,
        /// What was found.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A family whose layers the simulator does not model.
    #[error("not supported: models of type `{0}`; supported types: `{known}`", known = known())]
    Family(String),
    /// A quantization that is not understood.
    #[error("not supported: {0}, so the number formats of the weights are unknown")]
    Quantization(String),
    /// A quantization of the KV cache that is not understood.
    #[error("the key `{key}` is {found}, expected a format of the KV cache: 8 bits, or NVFP4")]
    KvQuantization {
        /// The key.
        key: &'static str,
        /// What was found.
        found: String,
    },
    /// A structure that the simulator does not model.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// The values are readable but contradict each other.
    #[error(transparent)]
    Invalid(#[from] ModelError),
}

impl HuggingFaceError {
    /// A way out, in words.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Quantization(_) => {
                Some("say the formats beside `hugging_face`, such as `weights: int4, kv: bf16`; `experts:` if theirs differ")
            }
            Self::KvQuantization { .. } => Some("say the formats beside `hugging_face`, such as `weights: fp8, kv: fp8`"),
            _ => None,
        }
    }
}

/// The files of a checkpoint that describe it.
#[derive(Debug, Clone, Copy)]
pub struct Checkpoint<'a> {
    /// Text of `config.json`.
    pub config: &'a str,
    /// Text of `hf_quant_config.json`, in which older releases of `ModelOpt` describe the quantization; `None` if there is none.
    pub quantization: Option<&'a str>,
    /// Number format of the weights if the user gives it: the quantization of the checkpoint is then not read.
    pub weights: Option<Dtype>,
}

/// A model as its checkpoint describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The model.
    pub profile: ModelProfile,
    /// Keys that the file leaves out, with the values that its family gives them.
    pub defaulted: Vec<(String, String)>,
    /// What else was decided on the way, in sentences.
    pub notes: Vec<String>,
}

/// Reads the text of a `config.json`. `name` becomes the name of the profile.
///
/// # Errors
/// As [`Checkpoint::read`].
pub fn read(name: &str, text: &str) -> Result<ModelProfile, HuggingFaceError> {
    Ok(Checkpoint { config: text, quantization: None, weights: None }.read(name)?.profile)
}

impl Checkpoint<'_> {
    /// Reads the model. `name` becomes the name of the profile.
    ///
    /// # Errors
    /// [`HuggingFaceError`]: not a configuration, a family or quantization that is not modelled, or keys that are missing, wrong or contradict each
    /// other.
    pub fn read(&self, name: &str) -> Result<Imported, HuggingFaceError> {
        let document = json(self.config, "config.json")?;
        let keys = Keys::new(&document)?;
        let architecture = shape::architecture(&keys)?;
        architecture.validate()?;
        let source = Source { title: format!("config.json of {name}"), url: None, date: "as given".to_owned() };
        let mut notes = Vec::new();
        let profile = ModelProfile {
            name: name.to_owned(),
            description: format!("{name}, read from a Hugging Face configuration of type {}", keys.family().name),
            precision: self.precision(&keys, &architecture, &mut notes)?,
            architecture,
            published: None,
            sources: Sources::from([("config".to_owned(), source)]),
        };
        Ok(Imported { profile, defaulted: keys.into_defaulted(), notes })
    }

    fn precision(&self, keys: &Keys<'_>, architecture: &Architecture, notes: &mut Vec<String>) -> Result<Precision, HuggingFaceError> {
        let given = keys.text("torch_dtype").or_else(|| keys.text("dtype"));
        let plain = match given {
            // Matrices of 8 bits, everything else in 16.
            None | Some("bfloat16" | "auto" | "float8_e4m3fn") => Dtype::Bf16,
            Some("float32") => {
                notes.push("weights of 32 bits are served in bf16, as engines do".to_owned());
                Dtype::Bf16
            }
            Some("float16") => Dtype::Fp16,
            Some(_) if self.weights.is_some() => Dtype::Bf16,
            Some(other) => return Err(HuggingFaceError::Unsupported(format!("weights of type `{other}` (`torch_dtype`)"))),
        };
        let config = match keys.object("quantization_config") {
            Ok(None) => keys.object("compression_config"),
            config => config,
        };
        let scheme = match (config, self.quantization) {
            (Err(error), _) => Some(Err(error)),
            (Ok(Some(config)), _) => Some(Scheme::read(config)),
            (Ok(None), Some(text)) => match json(text, "hf_quant_config.json") {
                Ok(document) => document.as_object().filter(|config| !config.is_empty()).map(Scheme::read),
                Err(error) => Some(Err(error)),
            },
            (Ok(None), None) => None,
        };
        match scheme {
            None if given == Some("float8_e4m3fn") => Ok(Precision::of(Dtype::Fp8, plain)),
            None => Ok(Precision::of(plain, plain)),
            Some(Ok(scheme)) => Ok(scheme.precision(architecture, keys.family(), plain)),
            Some(Err(error)) if self.weights.is_some() => {
                notes.push(format!("the quantization of the file is not read ({error}): the formats are given"));
                Ok(Precision::of(plain, plain))
            }
            Some(Err(error)) => Err(error),
        }
    }
}

/// The `config.json` of a checkpoint: the file itself, or the one in its folder.
pub fn config_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("config.json") } else { path.to_owned() }
}

/// The `hf_quant_config.json` beside a `config.json`, if there is one.
pub fn quantization_file(config: &Path) -> Option<PathBuf> {
    Some(config.with_file_name("hf_quant_config.json")).filter(|file| file.is_file())
}

/// The supported values of `model_type`.
fn known() -> String {
    FAMILIES.iter().map(|family| family.name).collect::<Vec<_>>().join("`, `")
}

/// A file of JSON, as Python writes it.
fn json(text: &str, file: &str) -> Result<serde_json::Value, HuggingFaceError> {
    if text.trim().is_empty() {
        return Err(HuggingFaceError::Empty);
    }
    serde_json::from_str(&python::as_json(text)).map_err(|error| HuggingFaceError::NotJson(format!("{error} ({file})")))
}

#[cfg(test)]
mod tests;
