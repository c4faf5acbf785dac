//! A model profile: an architecture with its published figures. The YAML files under `models/` have exactly these fields.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Architecture, Model, ModelError, Precision};
use crate::units::{Count, Figure, Sources};

/// A published model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelProfile {
    /// Name in kebab-case, equal to the file name.
    pub name: String,
    /// One-line description for `list`.
    pub description: String,
    /// The shape of the transformer.
    pub architecture: Architecture,
    /// Number formats of the published checkpoint; a scenario can choose others.
    pub precision: Precision,
    /// Published parameter counts, to check the recomputed ones against. Absent for imported configurations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
    /// Sources of the figures.
    pub sources: Sources,
}

/// Published parameter counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// All parameters.
    pub total: Figure<Count>,
    /// Parameters used by one token. Absent for dense models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<Figure<Count>>,
    /// True if the publisher's active count includes the input embedding.
    #[serde(default)]
    pub active_counts_embedding: bool,
}

impl ModelProfile {
    /// Reads a profile. `name` identifies it in error messages.
    pub fn from_yaml(name: &str, text: &str) -> Result<Self, ModelError> {
        let profile: Self =
            serde_yaml::from_str(text).map_err(|error| ModelError::Unreadable { name: name.to_owned(), reason: error.to_string() })?;
        profile.validate()?;
        Ok(profile)
    }

    /// Checks the architecture, and that every figure refers to a listed source.
    pub fn validate(&self) -> Result<(), ModelError> {
        self.architecture.validate()?;
        self.precision.validate()?;
        let Some(published) = &self.published else { return Ok(()) };
        let figures = [("published.total", Some(&published.total)), ("published.active", published.active.as_ref())];
        for (figure, value) in figures {
            if let Some(source_key) = value.map(|v| &v.source).filter(|key| !self.sources.contains_key(*key)) {
                return Err(ModelError::UnknownSource { name: self.name.clone(), figure, source_key: source_key.clone() });
            }
        }
        Ok(())
    }

    /// The model in its published number formats.
    pub fn model(&self) -> Result<Model, ModelError> {
        self.model_with(self.precision.clone())
    }

    /// The model in other number formats.
    pub fn model_with(&self, precision: Precision) -> Result<Model, ModelError> {
        Model::new(self.name.clone(), self.architecture.clone(), precision)
    }
}
