//! Profiles by name: built in, from a folder of the user's, or written out in the scenario. Later ones win.

use std::collections::BTreeMap;
use std::path::Path;

use thiserror::Error;

use super::super::load::Problems;
use super::super::scenario::Profiles;
use crate::hardware::{self, Catalogue, CatalogueError, Profile};
use crate::model::{self, ModelError, ModelProfile};

/// Why a folder of profiles cannot be used. User error.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// The folder or a file in it cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A hardware profile is wrong.
    #[error(transparent)]
    Hardware(#[from] CatalogueError),
    /// A model profile is wrong.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The folder has none of the folders that profiles live in.
    #[error("{path}: found no folder `chips`, `nodes`, `links`, `sites` or `models` in it")]
    Empty {
        /// Which.
        path: String,
    },
}

/// All profiles that a scenario may name.
#[derive(Debug, Clone, Default)]
pub struct Library {
    hardware: Catalogue,
    models: BTreeMap<String, ModelProfile>,
}

impl Library {
    /// The hardware profiles.
    pub fn hardware(&self) -> &Catalogue {
        &self.hardware
    }

    /// Names of all models.
    pub fn model_names(&self) -> Vec<String> {
        let mut names: Vec<String> = model::catalogue::names().into_iter().map(str::to_owned).collect();
        names.extend(self.models.keys().filter(|name| model::catalogue::text(name).is_none()).cloned());
        names.sort();
        names
    }

    /// A model profile by name.
    ///
    /// # Errors
    /// An unknown name, with the nearest known one, or a profile that cannot be used.
    pub fn model(&self, name: &str) -> Result<ModelProfile, ModelError> {
        self.models.get(name).map_or_else(|| model::catalogue::find(name), |profile| Ok(profile.clone()))
    }

    /// Adds the profiles of a folder with the layout `chips/`, `nodes/`, `links/`, `sites/`, `models/`.
    ///
    /// # Errors
    /// A file that cannot be read or used.
    pub fn add_folder(&mut self, folder: &Path) -> Result<(), LibraryError> {
        let mut found = false;
        for kind in hardware::Kind::ALL {
            for (name, text) in yaml_files(&folder.join(kind.folder()), &mut found)? {
                self.hardware.add_yaml(kind, &name, text)?;
            }
        }
        for (name, text) in yaml_files(&folder.join("models"), &mut found)? {
            let name = name.trim_end_matches(".yaml").trim_end_matches(".yml").to_owned();
            let profile = ModelProfile::from_yaml(&name, &text)?;
            self.models.insert(name, profile);
        }
        if found { Ok(()) } else { Err(LibraryError::Empty { path: folder.display().to_string() }) }
    }

    /// With the profiles that a scenario writes out.
    pub(super) fn with_inline(&self, profiles: &Profiles, problems: &mut Problems<'_>) -> Self {
        let mut library = self.clone();
        library.add_inline(&profiles.chips, problems);
        library.add_inline(&profiles.links, problems);
        library.add_inline(&profiles.nodes, problems);
        library.add_inline(&profiles.sites, problems);
        for (name, profile) in &profiles.models {
            if let Err(error) = profile.validate() {
                problems.note(&format!("profiles.models.{name}"), &error.to_string(), None);
            }
            library.models.insert(name.clone(), profile.clone());
        }
        library
    }

    fn add_inline<P: Profile>(&mut self, profiles: &BTreeMap<String, P>, problems: &mut Problems<'_>) {
        for (name, profile) in profiles {
            let path = format!("profiles.{}.{name}", P::KIND.folder());
            // JSON is YAML, so the catalogue has one way in.
            let added = serde_json::to_string(profile)
                .map_err(|error| error.to_string())
                .and_then(|text| self.hardware.add_yaml(P::KIND, &format!("{name}.yaml"), text).map_err(|error| error.to_string()));
            if let Err(problem) = added {
                problems.note(&path, &problem, None);
            }
        }
    }
}

/// Names and texts of the YAML files in a folder, in order of name; none if there is no such folder.
fn yaml_files(folder: &Path, found: &mut bool) -> Result<Vec<(String, String)>, LibraryError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    *found = true;
    let failed = |path: &Path, source| LibraryError::Io { path: path.display().to_string(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| failed(folder, e))? {
        let path = entry.map_err(|e| failed(folder, e))?.path();
        if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            files.push((name, std::fs::read_to_string(&path).map_err(|e| failed(&path, e))?));
        }
    }
    files.sort();
    Ok(files)
}
