//! Profiles by name: built in, from a user's folder, or written out in the scenario. Later ones take precedence.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::file::Profiles;
use crate::document::{ConfigErrors, Input, Problems, load};
use crate::hardware::{self, Catalogue, CatalogueError, Chip, Kind, Link, Node, Profile, Site};
use crate::model::{self, ModelError, ModelProfile};
use crate::policy::Policies;

/// Why a folder of profiles cannot be used. User error.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// The folder or a file in it cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The path.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// Invalid hardware profile.
    #[error(transparent)]
    Hardware(#[from] CatalogueError),
    /// Invalid model profile.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Malformed profile file.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// Missing folder.
    #[error("no such folder: `{path}`")]
    NoFolder {
        /// The path.
        path: String,
    },
    /// None of the profile subfolders is in the folder.
    #[error("found none of the folders `chips`, `nodes`, `links`, `sites` and `models` in `{path}`")]
    Empty {
        /// The path.
        path: String,
    },
}

/// All profiles and policies that a scenario may name.
#[derive(Debug, Clone, Default)]
pub struct Library {
    hardware: Catalogue,
    models: BTreeMap<String, ModelProfile>,
    policies: Policies,
}

impl Library {
    /// Replaces the policies that scenarios may name, for example by the built-in ones plus custom ones.
    #[must_use]
    pub fn with_policies(mut self, policies: Policies) -> Self {
        self.policies = policies;
        self
    }

    /// The policies that scenarios may name.
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

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
        if !folder.is_dir() {
            return Err(LibraryError::NoFolder { path: folder.display().to_string() });
        }
        let mut found = false;
        let mut added = Vec::new();
        for kind in hardware::Kind::ALL {
            for file in yaml_files(&folder.join(kind.folder()), &mut found)? {
                // Read with all checks, for the messages; the catalogue takes the text.
                match kind {
                    Kind::Chip => load::<Chip>(Input::File(&file), &[]).map(drop)?,
                    Kind::Node => load::<Node>(Input::File(&file), &[]).map(drop)?,
                    Kind::Link => load::<Link>(Input::File(&file), &[]).map(drop)?,
                    Kind::Site => load::<Site>(Input::File(&file), &[]).map(drop)?,
                }
                let text = fs::read_to_string(&file).map_err(|error| unreadable(&file, error))?;
                self.hardware.add_yaml(kind, &name_of(&file), text)?;
                added.push((kind, file));
            }
        }
        // After all have been added, because they may name each other.
        for (kind, file) in &added {
            self.check_profile(*kind, file)?;
        }
        for file in yaml_files(&folder.join("models"), &mut found)? {
            let loaded = load::<ModelProfile>(Input::File(&file), &[])?;
            loaded.value.validate()?;
            self.models.insert(name_of(&file), loaded.value);
        }
        if found { Ok(()) } else { Err(LibraryError::Empty { path: folder.display().to_string() }) }
    }

    /// Checks a file of a hardware profile; its references must be among the known profiles.
    ///
    /// # Errors
    /// All problems of the file, each with its place.
    pub fn check_profile(&self, kind: Kind, file: &Path) -> Result<(), ConfigErrors> {
        match kind {
            Kind::Chip => self.check::<Chip>(file),
            Kind::Node => self.check::<Node>(file),
            Kind::Link => self.check::<Link>(file),
            Kind::Site => self.check::<Site>(file),
        }
    }

    fn check<P: Profile + DeserializeOwned + JsonSchema>(&self, file: &Path) -> Result<(), ConfigErrors> {
        let loaded = load::<P>(Input::File(file), &[])?;
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut problems = loaded.document.problems();
        for problem in &self.hardware.validate(&loaded.value, &name) {
            problems.note(&problem.path, &problem.message, None);
        }
        problems.finish()
    }

    /// Adds the profiles written out in a scenario.
    pub(super) fn with_inline(&self, profiles: &Profiles, problems: &mut Problems<'_>) -> Self {
        let mut library = self.clone();
        library.add_inline(&profiles.chips, problems);
        library.add_inline(&profiles.links, problems);
        library.add_inline(&profiles.nodes, problems);
        library.add_inline(&profiles.sites, problems);
        library.check_inline(&profiles.chips, problems);
        library.check_inline(&profiles.links, problems);
        library.check_inline(&profiles.nodes, problems);
        library.check_inline(&profiles.sites, problems);
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
            // JSON is YAML, so the catalogue has a single input format.
            let added = serde_json::to_string(profile)
                .map_err(|error| error.to_string())
                .and_then(|text| self.hardware.add_yaml(P::KIND, &format!("{name}.yaml"), text).map_err(|error| error.to_string()));
            if let Err(problem) = added {
                problems.note(&path, &problem, None);
            }
        }
    }
}

impl Library {
    /// Their references may be written out as well, so this runs after all have been added.
    fn check_inline<P: Profile>(&self, profiles: &BTreeMap<String, P>, problems: &mut Problems<'_>) {
        for (name, profile) in profiles {
            for found in self.hardware.validate(profile, name) {
                problems.note(&format!("profiles.{}.{name}.{}", P::KIND.folder(), found.path), &found.message, None);
            }
        }
    }
}

/// Name of a profile: its file name without the extension.
fn name_of(file: &Path) -> String {
    file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn unreadable(path: &Path, source: std::io::Error) -> LibraryError {
    LibraryError::Io { path: path.display().to_string(), source }
}

/// The YAML files in a folder, in order of name; none if there is no such folder.
fn yaml_files(folder: &Path, found: &mut bool) -> Result<Vec<PathBuf>, LibraryError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    *found = true;
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
