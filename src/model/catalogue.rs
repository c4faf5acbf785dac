//! The models compiled into the binary: everything under `models/`.

use include_dir::{Dir, include_dir};

use super::{ModelError, ModelProfile};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/models");

/// Greatest edit distance at which a name is suggested.
const NEAR: usize = 6;

/// Names of the built-in models in alphabetical order.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = yaml_files().map(|(name, _)| name).collect();
    names.sort_unstable();
    names
}

/// The YAML text of a built-in model.
pub fn text(name: &str) -> Option<&'static str> {
    yaml_files().find(|(stem, _)| *stem == name).map(|(_, text)| text)
}

/// A built-in model by name; the error for an unknown name suggests the nearest one.
pub fn find(name: &str) -> Result<ModelProfile, ModelError> {
    match text(name) {
        Some(text) => ModelProfile::from_yaml(name, text),
        None => Err(ModelError::UnknownModel { name: name.to_owned(), nearest: nearest(name) }),
    }
}

/// The built-in name nearest to `name`, if one is near.
pub fn nearest(name: &str) -> Option<&'static str> {
    names()
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .min()
        .filter(|&(distance, _)| distance <= NEAR)
        .map(|(_, candidate)| candidate)
}

fn yaml_files() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.files().filter(|file| file.path().extension().is_some_and(|e| e == "yaml")).filter_map(|file| {
        let stem = file.path().file_stem()?.to_str()?;
        Some((stem, file.contents_utf8()?))
    })
}
