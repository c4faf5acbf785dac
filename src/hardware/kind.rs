//! The kinds of profile and their common interface. To add a kind: a struct in `profile`, an arm here, its rules in `validate`.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::figure::Sources;
use super::profile::{Chip, Link, Node, Site};
use super::validate::Checks;

/// A kind of profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One accelerator or CPU package.
    Chip,
    /// A server or rack: the unit of purchase.
    Node,
    /// One direction of one port.
    Link,
    /// Location of nodes.
    Site,
}

impl Kind {
    /// All kinds, in the order of `list`.
    pub const ALL: [Self; 4] = [Self::Chip, Self::Node, Self::Link, Self::Site];

    /// The word used in messages and on the command line: `chip`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chip => "chip",
            Self::Node => "node",
            Self::Link => "link",
            Self::Site => "site",
        }
    }

    /// Subfolder of its files in a profile folder: `chips`.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Chip => "chips",
            Self::Node => "nodes",
            Self::Link => "links",
            Self::Site => "sites",
        }
    }

    /// Position in [`Kind::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The catalogue's view of a profile. Implemented by [`Chip`], [`Node`], [`Link`] and [`Site`] only.
pub trait Profile: Serialize + DeserializeOwned + JsonSchema + Clone + PartialEq + fmt::Debug + sealed::Rules {
    /// Its kind.
    const KIND: Kind;
    /// Its name, equal to the stem of its file.
    fn name(&self) -> &str;
    /// One-line description for `list`.
    fn description(&self) -> &str;
    /// Sources of its figures.
    fn sources(&self) -> &Sources;
}

pub(super) mod sealed {
    use super::Checks;

    /// Range rules of a kind; private, so that [`super::Profile`] cannot be implemented elsewhere.
    pub trait Rules {
        /// Reports every figure that is out of range and every broken reference.
        fn rules(&self, checks: &mut Checks<'_>);
    }
}

macro_rules! profile {
    ($type:ident, $kind:ident) => {
        impl Profile for $type {
            const KIND: Kind = Kind::$kind;
            fn name(&self) -> &str {
                &self.name
            }
            fn description(&self) -> &str {
                &self.description
            }
            fn sources(&self) -> &Sources {
                &self.sources
            }
        }
    };
}

profile!(Chip, Chip);
profile!(Node, Node);
profile!(Link, Link);
profile!(Site, Site);
