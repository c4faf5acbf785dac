//! The catalogue: profiles compiled into the binary, overlaid by user profiles. One mechanism for all kinds.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use include_dir::{Dir, include_dir};
use serde::Deserialize;
use thiserror::Error;

use super::kind::{Kind, Profile};
use super::profile::{Chip, Link, Node, Site};
use super::validate::{ProfileProblem, validate};
use super::walk::{FigureEntry, figures};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/hardware-profiles");

/// Origin of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Compiled into the binary.
    BuiltIn,
    /// Supplied by the user; overrides a built-in profile of the same name.
    User,
}

/// One line of `list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Name to use in scenarios.
    pub name: String,
    /// One-line description.
    pub description: String,
    /// Its origin.
    pub origin: Origin,
}

/// Why a profile is unavailable. User errors; the catalogue stays usable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// There is no profile of that name.
    #[error("no {kind} is named `{name}`{}", nearest.as_ref().map_or_else(String::new, |n| format!("; did you mean `{n}`?")))]
    Unknown {
        /// Kind requested.
        kind: Kind,
        /// Name requested.
        name: String,
        /// The nearest existing name, if one is near.
        nearest: Option<String>,
    },
    /// The text is not YAML of this kind.
    #[error("{kind} profile `{name}` cannot be read: {message}")]
    Unreadable {
        /// Kind expected.
        kind: Kind,
        /// Name from the file.
        name: String,
        /// The YAML reader's message, with line, column and snippet.
        message: String,
    },
    /// Readable, but with unusable figures.
    #[error("{kind} profile `{name}` is not valid{}", lines(problems))]
    Invalid {
        /// Kind.
        kind: Kind,
        /// Name.
        name: String,
        /// All its problems.
        problems: Vec<ProfileProblem>,
    },
}

fn lines(problems: &[ProfileProblem]) -> String {
    problems.iter().fold(String::new(), |mut text, p| {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {}: {}", p.path, p.message);
        text
    })
}

#[derive(Debug, Clone)]
struct Entry {
    origin: Origin,
    text: Cow<'static, str>,
}

/// All known profiles by kind and name. Texts are parsed on demand.
#[derive(Debug, Clone)]
pub struct Catalogue {
    entries: [BTreeMap<String, Entry>; 4],
}

/// Greatest edit distance at which a name is suggested.
const NEAR: usize = 6;

impl Catalogue {
    /// The profiles compiled into the binary.
    pub fn built_in() -> Self {
        let mut entries: [BTreeMap<String, Entry>; 4] = std::array::from_fn(|_| BTreeMap::new());
        for kind in Kind::ALL {
            let files = FILES.get_dir(kind.folder()).into_iter().flat_map(Dir::files);
            for file in files.filter(|f| f.path().extension().is_some_and(|e| e == "yaml")) {
                if let (Some(stem), Some(text)) = (file.path().file_stem().and_then(|s| s.to_str()), file.contents_utf8()) {
                    entries[kind.index()].insert(stem.to_owned(), Entry { origin: Origin::BuiltIn, text: Cow::Borrowed(text) });
                }
            }
        }
        Self { entries }
    }

    /// Adds the text of a user's file, overriding a built-in profile of the same name. `file_name` may contain folders and an extension; its stem is
    /// the name. The text must parse as `kind`; [`Self::find`] checks ranges and references, since referenced profiles may be added later.
    pub fn add_yaml(&mut self, kind: Kind, file_name: &str, text: String) -> Result<(), CatalogueError> {
        let name = stem(file_name).to_owned();
        match kind {
            Kind::Chip => parse::<Chip>(&name, &text).map(drop),
            Kind::Node => parse::<Node>(&name, &text).map(drop),
            Kind::Link => parse::<Link>(&name, &text).map(drop),
            Kind::Site => parse::<Site>(&name, &text).map(drop),
        }?;
        self.entries[kind.index()].insert(name, Entry { origin: Origin::User, text: Cow::Owned(text) });
        Ok(())
    }

    /// The profile of that name, parsed and validated, its references included.
    pub fn find<P: Profile>(&self, name: &str) -> Result<P, CatalogueError> {
        let profile: P = parse(name, self.known(P::KIND, name)?)?;
        let problems = validate(&profile, name, self);
        if problems.is_empty() { Ok(profile) } else { Err(CatalogueError::Invalid { kind: P::KIND, name: name.to_owned(), problems }) }
    }

    /// All problems of `profile`, as if it came from a file named `file_name`.
    pub fn validate<P: Profile>(&self, profile: &P, file_name: &str) -> Vec<ProfileProblem> {
        validate(profile, stem(file_name), self)
    }

    /// The figures of a profile with their provenance, for `show`.
    pub fn figures(&self, kind: Kind, name: &str) -> Result<Vec<FigureEntry>, CatalogueError> {
        Ok(match kind {
            Kind::Chip => figures(&self.find::<Chip>(name)?),
            Kind::Node => figures(&self.find::<Node>(name)?),
            Kind::Link => figures(&self.find::<Link>(name)?),
            Kind::Site => figures(&self.find::<Site>(name)?),
        })
    }

    /// The YAML text of a profile as written.
    pub fn text(&self, kind: Kind, name: &str) -> Option<&str> {
        self.entries[kind.index()].get(name).map(|entry| entry.text.as_ref())
    }

    /// True if there is a profile of that name, valid or not.
    pub fn contains(&self, kind: Kind, name: &str) -> bool {
        self.entries[kind.index()].contains_key(name)
    }

    /// Names in alphabetical order.
    pub fn names(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.entries[kind.index()].keys().map(String::as_str)
    }

    /// Names and descriptions, in alphabetical order.
    pub fn list(&self, kind: Kind) -> Result<Vec<Listing>, CatalogueError> {
        #[derive(Deserialize)]
        struct Head {
            description: String,
        }
        let entries = self.entries[kind.index()].iter();
        entries
            .map(|(name, entry)| {
                let head: Head = read(kind, name, &entry.text)?;
                Ok(Listing { name: name.clone(), description: head.description, origin: entry.origin })
            })
            .collect()
    }

    /// The name nearest to `name`, if one is near: first those that contain it (`h100` in `h100-sxm`), then by edit distance.
    pub fn nearest(&self, kind: Kind, name: &str) -> Option<&str> {
        let name = name.trim().to_lowercase();
        let part = |candidate: &str| name.len() >= 3 && candidate.contains(&name);
        self.names(kind)
            .map(|candidate| (!part(candidate), strsim::damerau_levenshtein(&name, candidate), candidate))
            .min()
            .filter(|&(other, distance, candidate)| !other || distance <= NEAR.min(candidate.len().div_ceil(2)))
            .map(|(_, _, candidate)| candidate)
    }

    fn known(&self, kind: Kind, name: &str) -> Result<&str, CatalogueError> {
        self.text(kind, name).ok_or_else(|| CatalogueError::Unknown {
            kind,
            name: name.to_owned(),
            nearest: self.nearest(kind, name).map(str::to_owned),
        })
    }
}

impl Default for Catalogue {
    fn default() -> Self {
        Self::built_in()
    }
}

fn parse<P: Profile>(name: &str, text: &str) -> Result<P, CatalogueError> {
    read(P::KIND, name, text)
}

fn read<T: serde::de::DeserializeOwned>(kind: Kind, name: &str, text: &str) -> Result<T, CatalogueError> {
    serde_yaml::from_str(text).map_err(|error| CatalogueError::Unreadable { kind, name: name.to_owned(), message: error.to_string() })
}

/// `profiles/chips/h100.yaml` → `h100`.
fn stem(file_name: &str) -> &str {
    let base = file_name.rsplit(['/', '\\']).next().unwrap_or(file_name);
    base.strip_suffix(".yaml").or_else(|| base.strip_suffix(".yml")).unwrap_or(base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::Confidence;
    use crate::units::{Dtype, Ratio};

    fn chip(name: &str) -> Chip {
        Catalogue::built_in().find(name).unwrap()
    }

    fn check_all<P: Profile>(expected: &[&str]) {
        let catalogue = Catalogue::built_in();
        let names: Vec<_> = catalogue.names(P::KIND).collect();
        assert_eq!(names, expected);
        for name in names {
            let profile: P = catalogue.find(name).unwrap_or_else(|error| panic!("{error}"));
            let yaml = serde_yaml::to_string(&profile).unwrap();
            assert_eq!(serde_yaml::from_str::<P>(&yaml).unwrap(), profile, "{name} through YAML");
            let json = serde_json::to_value(&profile).unwrap();
            assert_eq!(serde_json::from_value::<P>(json).unwrap(), profile, "{name} through JSON");
            let figures = catalogue.figures(P::KIND, name).unwrap();
            assert!(figures.len() >= 4 && figures.iter().all(|f| f.date.is_some() && f.title.is_some()), "{name}: {figures:#?}");
            let first = catalogue.text(P::KIND, name).unwrap().lines().next().unwrap();
            assert_eq!(first, format!("# yaml-language-server: $schema=../../schemas/{}.json", P::KIND));
        }
        assert_eq!(catalogue.list(P::KIND).unwrap().len(), expected.len());
    }

    #[test]
    fn every_shipped_profile_is_valid_and_round_trips() {
        check_all::<Chip>(&["a100-80gb", "b200", "gb200", "groq-3-lpu", "h100-sxm", "h200-sxm", "rtx-5090"]);
        check_all::<Node>(&["dgx-a100", "dgx-b200", "dgx-h100", "dgx-h200", "gb200-nvl72", "workstation-rtx-5090"]);
        check_all::<Link>(&[
            "ethernet-10",
            "ethernet-400",
            "ethernet-800",
            "ib-ndr",
            "ib-xdr",
            "nvlink-3",
            "nvlink-4",
            "nvlink-5",
            "pcie-4",
            "pcie-5",
        ]);
        check_all::<Site>(&["us-hyperscale-2026"]);
    }

    #[test]
    fn unpublished_figures_are_not_official() {
        let lpu = chip("groq-3-lpu");
        let power = &lpu.power;
        for confidence in [power.tdp.confidence, power.idle.confidence, lpu.price.new.unwrap().confidence] {
            assert_eq!(confidence, Confidence::Estimate);
        }
    }

    #[test]
    fn figures_of_the_h100_match_its_data_sheet() {
        let h100 = chip("h100-sxm");
        approx::assert_relative_eq!(h100.memory.bandwidth.value.get(), 3.35e12);
        approx::assert_relative_eq!(h100.compute[&Dtype::Fp8].value.get(), 1.978e15);
        assert!(!h100.compute.contains_key(&Dtype::Fp4));
        let figures = figures(&h100);
        let capacity = figures.iter().find(|f| f.path == "memory.capacity").unwrap();
        assert_eq!((capacity.value.as_str(), capacity.confidence), ("80 GiB", Confidence::Official));
        assert!(figures.iter().any(|f| f.path == "efficiency.gemm_memory.fp8"));
    }

    #[test]
    fn an_unknown_name_suggests_the_nearest() {
        let error = Catalogue::built_in().find::<Chip>("h100").unwrap_err();
        assert_eq!(error.to_string(), "no chip is named `h100`; did you mean `h100-sxm`?");
        let error = Catalogue::built_in().find::<Link>("nvlink4").unwrap_err();
        assert_eq!(error.to_string(), "no link is named `nvlink4`; did you mean `nvlink-4`?");
        let error = Catalogue::built_in().find::<Site>("mars").unwrap_err();
        assert_eq!(error.to_string(), "no site is named `mars`");
    }

    #[test]
    fn a_user_profile_overrides_and_may_refer_to_another() {
        let mut catalogue = Catalogue::built_in();
        let text = catalogue.text(Kind::Node, "dgx-h100").unwrap().replace("chip: h100-sxm", "chip: h100-pcie");
        catalogue.add_yaml(Kind::Node, "mine/nodes/dgx-h100.yaml", text).unwrap();
        assert!(matches!(catalogue.find::<Node>("dgx-h100"), Err(CatalogueError::Invalid { .. })));
        let text = catalogue.text(Kind::Chip, "h100-sxm").unwrap().replace("name: h100-sxm", "name: h100-pcie");
        catalogue.add_yaml(Kind::Chip, "h100-pcie.yml", text).unwrap();
        assert_eq!(catalogue.find::<Node>("dgx-h100").unwrap().chip, "h100-pcie");
        let origins: Vec<_> = catalogue.list(Kind::Node).unwrap().into_iter().map(|l| (l.name, l.origin)).collect();
        assert!(origins.contains(&("dgx-h100".into(), Origin::User)) && origins.contains(&("dgx-b200".into(), Origin::BuiltIn)));
    }

    #[test]
    fn an_unreadable_text_keeps_the_parser_message() {
        let mut catalogue = Catalogue::built_in();
        let text = catalogue.text(Kind::Site, "us-hyperscale-2026").unwrap().replace("0.09 $/kWh", "0.09");
        let message = catalogue.add_yaml(Kind::Site, "us-hyperscale-2026.yaml", text).unwrap_err().to_string();
        assert!(message.contains("has no unit") && message.contains("line 4"), "{message}");
        assert!(catalogue.add_yaml(Kind::Site, "x.yaml", String::new()).is_err());
        assert!(catalogue.add_yaml(Kind::Site, "x.yaml", "\u{0}\u{1}binary".into()).is_err());
        assert!(!catalogue.contains(Kind::Site, "x"), "a rejected profile is not added");
    }

    #[test]
    fn all_problems_of_a_profile_are_reported_at_once() {
        let mut broken = chip("h100-sxm");
        broken.power.idle.value = crate::units::Watts::new(800.0).unwrap();
        broken.power.tdp.source = "nowhere".into();
        broken.memory.bandwidth.value = crate::units::BytesPerSecond::new(0.0).unwrap();
        broken.all_reduce.swap(0, 1);
        broken.sources.insert("again".into(), broken.sources["aic"].clone());
        broken.sources.get_mut("general").unwrap().date = "last year".into();
        if let Some(e) = &mut broken.efficiency {
            e.decode_attention_compute.value = Ratio::new(1.2).unwrap();
        }
        let problems = Catalogue::built_in().validate(&broken, "other.yaml");
        let paths: Vec<_> = problems.iter().map(|p| p.path.as_str()).collect();
        let expected = [
            "name",
            "power.tdp.source",
            "sources.aic",
            "sources.general.date",
            "memory.bandwidth",
            "power.idle",
            "power.busy_floor",
            "efficiency.decode_attention_compute",
            "all_reduce[1].size",
        ];
        for path in expected {
            assert!(paths.contains(&path), "{path} is missing in {problems:#?}");
        }
        assert_eq!(paths.len(), expected.len(), "{problems:#?}");
    }

    #[test]
    fn sites_and_nodes_out_of_range_are_rejected() {
        let catalogue = Catalogue::built_in();
        let mut site: Site = catalogue.find("us-hyperscale-2026").unwrap();
        site.pue.value = Ratio::new(0.9).unwrap();
        assert_eq!(catalogue.validate(&site, "us-hyperscale-2026")[0].message, "found 0.9, expected 1 to 5");
        let mut node: Node = catalogue.find("dgx-h100").unwrap();
        (node.chips, node.scale_up) = (0, "nvlink-44".into());
        let paths: Vec<_> = catalogue.validate(&node, "dgx-h100").into_iter().map(|p| p.path).collect();
        assert_eq!(paths, ["scale_up", "chips", "scale_up_chips"]);
    }
}
