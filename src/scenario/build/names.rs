//! Names in a scenario: models, sites, nodes with their chips and links.

use super::super::MOST_NUMBERED;
use super::super::checkpoint::import_checkpoint;
use super::super::file::{self, Pool, Profiles, ScenarioFile};
use super::super::library::Library;
use crate::cluster::ModelId;

use crate::document::{Document, Problems, list_words};
use crate::hardware::{Catalogue, Chip, Kind, Link, Node, Profile, Site};
use crate::model::hugging_face::config_file;
use crate::model::{Model, ModelProfile, Precision};

/// A model of the scenario.
pub(super) struct NamedModel {
    pub(super) name: String,
    pub(super) profile: String,
    pub(super) id: ModelId,
    pub(super) model: Model,
}

impl NamedModel {
    /// The profile and its number formats: `gpt-oss-120b (bf16, experts mxfp4, KV bf16)`.
    pub(super) fn label(&self) -> String {
        format!("{} ({})", self.profile, self.model.precision())
    }
}

/// The models that can be built; the others have been noted.
pub(super) fn models(
    file: &ScenarioFile,
    document: &Document,
    library: &Library,
    profiles: &mut Profiles,
    problems: &mut Problems<'_>,
) -> Vec<NamedModel> {
    let mut models = Vec::new();
    for (id, (name, choice)) in (0..MOST_NUMBERED).map(ModelId).zip(&file.models) {
        let path = format!("models.{name}");
        let Some((key, profile)) = model_profile(name, choice, &path, document, library, problems) else { continue };
        let mut precision =
            choice.weights.map_or_else(|| profile.precision.clone(), |weights| Precision::of(weights, profile.precision.kv));
        if choice.experts.is_some() && profile.architecture.experts.is_none() {
            let hint = "leave `experts` out: `weights` is the format of all weights of a dense model";
            problems.note(&format!("{path}.experts"), &format!("`{key}` has no experts"), Some(hint.into()));
        }
        if let Some(experts) = choice.experts {
            precision.experts = Some(experts.into());
            precision.shared_experts = None;
        }
        precision.kv = choice.kv.unwrap_or(precision.kv);
        match Model::new(name.clone(), profile.architecture.clone(), precision) {
            Ok(model) => models.push(NamedModel { name: name.clone(), profile: key.clone(), id, model }),
            Err(error) => problems.note(&path, &error.to_string(), None),
        }
        profiles.models.insert(key, profile);
    }
    models
}

fn model_profile(
    name: &str,
    choice: &file::ModelChoice,
    path: &str,
    document: &Document,
    library: &Library,
    problems: &mut Problems<'_>,
) -> Option<(String, ModelProfile)> {
    if let Some(config) = &choice.hugging_face {
        let key = format!("{path}.hugging_face");
        let file = config_file(&document.resolve(&key, config));
        let profile = import_checkpoint(name, &file, choice.weights).map(|imported| imported.profile);
        return match profile {
            Ok(profile) => Some((name.to_owned(), profile)),
            Err((problem, hint)) => {
                problems.note(&key, &problem, hint);
                None
            }
        };
    }
    let wanted = choice.profile.as_deref()?;
    match library.model(wanted) {
        Ok(profile) => Some((wanted.to_owned(), profile)),
        Err(error) => {
            let known = library.model_names();
            if known.iter().any(|name| name == wanted) {
                problems.note(&format!("{path}.profile"), &error.to_string(), None);
            } else {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let other = Kind::ALL.into_iter().find(|kind| library.hardware().contains(*kind, wanted));
                let hint = other.map(|kind| format!("`{wanted}` is a {}", kind.name()));
                problems.unknown_hinted(&format!("{path}.profile"), "model", wanted, &known, hint);
            }
            None
        }
    }
}

/// Actual kind of a name of the wrong kind, and for a chip, the nodes that have it.
fn other_kind(catalogue: &Catalogue, wanted: Kind, name: &str) -> Option<String> {
    let kind = Kind::ALL.into_iter().find(|kind| *kind != wanted && catalogue.contains(*kind, name))?;
    let mut hint = format!("`{name}` is a {}", kind.name());
    if (wanted, kind) == (Kind::Node, Kind::Chip) {
        let with = |node: &&str| catalogue.find::<Node>(node).is_ok_and(|node| node.chip == name);
        let nodes: Vec<&str> = catalogue.names(Kind::Node).filter(with).collect();
        if !nodes.is_empty() {
            hint = format!("{hint}, which is in the node {}", list_words(&nodes));
        }
    }
    Some(hint)
}

/// A hardware profile by name.
pub(super) fn find<P: Profile>(catalogue: &Catalogue, name: &str, path: &str, problems: &mut Problems<'_>) -> Option<P> {
    match catalogue.find(name) {
        Ok(profile) => Some(profile),
        Err(error) => {
            if problems.touch(&format!("profiles.{}.{name}", P::KIND.folder())) {
                // Written out in the scenario: its problems have been reported.
            } else if catalogue.contains(P::KIND, name) {
                problems.note(path, &error.to_string(), None);
            } else {
                let known: Vec<&str> = catalogue.names(P::KIND).collect();
                problems.unknown_hinted(path, P::KIND.name(), name, &known, other_kind(catalogue, P::KIND, name));
            }
            None
        }
    }
}

/// The site, with the scenario's overrides.
pub(super) fn site(file: &ScenarioFile, library: &Library, profiles: &mut Profiles, problems: &mut Problems<'_>) -> Option<Site> {
    let choice = &file.cluster.site;
    let mut site: Site = find(library.hardware(), &choice.profile, "cluster.site.profile", problems)?;
    profiles.sites.insert(site.name.clone(), site.clone());
    if let Some(value) = choice.electricity {
        site.electricity.value = value;
    }
    if let Some(value) = choice.pue {
        site.pue.value = value;
    }
    if let Some(value) = choice.carbon {
        site.carbon.value = value;
    }
    if let Some(value) = choice.hosting {
        site.hosting.value = value;
    }
    Some(site)
}

/// Hardware of a pool's instances.
pub(super) struct PoolHardware {
    pub(super) node: Node,
    pub(super) chip: Chip,
    pub(super) scale_up: Link,
    pub(super) scale_out: Link,
}

impl PoolHardware {
    /// Profiles loaded for an earlier pool are not read again.
    pub(super) fn find(pool: &Pool, path: &str, catalogue: &Catalogue, kept: &Profiles, problems: &mut Problems<'_>) -> Option<Self> {
        let path = format!("{path}.node");
        let link =
            |name: &str, problems: &mut Problems<'_>| kept.links.get(name).cloned().or_else(|| find(catalogue, name, &path, problems));
        let name = pool.node.as_deref()?;
        let node: Node = kept.nodes.get(name).cloned().or_else(|| find(catalogue, name, &path, problems))?;
        Some(Self {
            chip: kept.chips.get(&node.chip).cloned().or_else(|| find(catalogue, &node.chip, &path, problems))?,
            scale_up: link(&node.scale_up, problems)?,
            scale_out: link(&node.scale_out, problems)?,
            node,
        })
    }

    pub(super) fn keep(self, profiles: &mut Profiles) {
        for link in [self.scale_up, self.scale_out] {
            profiles.links.insert(link.name.clone(), link);
        }
        profiles.chips.insert(self.chip.name.clone(), self.chip);
        profiles.nodes.insert(self.node.name.clone(), self.node);
    }
}
