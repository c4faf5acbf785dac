//! The scenario file: one struct per section, with the same names as in YAML.
//!
//! Owns: the keys, their types, ranges, defaults and descriptions; the JSON Schema is derived from here and everything else (checks,
//! messages, editor support) follows from the schema. Must not know: the use of the values. Nothing below `scenario` sees these
//! structs.
//!
//! Besides the standard keywords the schema has a few custom ones, read by `document`:
//! `x-quantity` (a value with a unit), `x-above`, `x-least` and `x-most` (range of a quantity, base units), `x-aliases` (other spellings of
//! keys or variants), `x-exactly-one` (keys of which exactly one is required) and `x-file-name` (text that can name a file).

mod choice;
mod cluster;
mod faults;
mod network;
mod policies;
mod sessions;
mod workload;

pub use choice::{Admission, Batching, Choice, Controller, Decider, Eviction, Family, Preemption, QueueOrder, Router};
pub use cluster::{Affine, Cluster, Engine, PerfChoice, Pool, Pricing, Role, Roofline, SiteChoice, Station};
pub use faults::Fault;
pub use network::{Handoff, KvNetwork, Network, NetworkOverrides};
pub use policies::{Policies, RouterByRole, RouterChoice};
pub use sessions::{Sessions, Tools, TraceSessions};
pub use workload::{ClosedLoop, Lengths, SharedPrefix, Slo, Synthetic, Trace, WorkloadEntry};

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hardware::{Chip, Link, Node, Site};
use crate::metrics::RowChoice;
use crate::model::ModelProfile;
use crate::sim::SimDuration;
use crate::units::{Count, Dtype};

/// What to simulate: hardware, models, requests, policies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Tokenmill scenario")]
pub struct ScenarioFile {
    /// Name of the scenario; names the output folder. Letters, digits, `-`, `_` and `.`.
    #[schemars(length(min = 1, max = 100), extend("pattern" = "^[A-Za-z0-9][A-Za-z0-9._-]*$", "x-file-name" = true))]
    pub name: String,
    /// The question that the scenario answers; shown in the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Seed of all random streams.
    #[serde(default)]
    pub seed: u64,
    /// Files to start from, relative to this one. Later ones override earlier ones, this file overrides all; maps merge, lists replace, `~` removes
    /// an entry.
    #[serde(default, skip_serializing)]
    pub include: Option<Include>,
    /// Length of the run.
    #[serde(default)]
    pub run: Run,
    /// The models served, by names of your choice.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 65_535))]
    pub models: BTreeMap<String, ModelChoice>,
    /// Streams of requests. Several workloads run concurrently.
    #[schemars(length(min = 1, max = 65_535))]
    pub workload: Vec<WorkloadEntry>,
    /// The machines.
    pub cluster: Cluster,
    /// Routing, admission, scheduling and scaling policies.
    #[serde(default)]
    pub policies: Policies,
    /// Instances that go down, and come back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1_000_000))]
    pub faults: Vec<Fault>,
    /// The time series of the report.
    #[serde(default)]
    pub timeline: TimelineOptions,
    /// Conditions on `summary.json`, checked after the run (exit code 1 if one fails), such as `latency.ttft_ms.p99 < 2000`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assert: Vec<String>,
    /// Profiles written out in full; they override files and built-in profiles of the same name.
    #[serde(default, skip_serializing_if = "Profiles::is_empty")]
    pub profiles: Profiles,
}

/// One file or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Include {
    /// A path.
    One(String),
    /// Several paths.
    Many(Vec<String>),
}

/// Length of the run. Without `requests` and `duration` the run ends when the workloads do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Stop arrivals after this many requests of all workloads together, then finish those in the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0))]
    pub requests: Option<Count>,
    /// Stop arrivals at this simulated time, then finish the requests in the system. An arrival at exactly this time is excluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0))]
    pub duration: Option<SimDuration>,
    /// Requests that arrive earlier are simulated but not measured. Absent: everything is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup: Option<SimDuration>,
    /// Which requests get a row in `requests.csv`. The summary, the report and the time series always cover all requests.
    #[serde(default, skip_serializing_if = "RowChoice::is_all")]
    pub rows: RowChoice,
    /// Compress the rows: the file is `requests.csv.gz`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rows_gzip: bool,
}

/// A served model: an architecture and the number formats it is served in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactly-one" = ["profile", "hugging_face"]))]
pub struct ModelChoice {
    /// Name of a model profile; `tokenmill list models` shows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Path of a Hugging Face `config.json`, relative to this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hugging_face: Option<String>,
    /// Number format of attention and dense weights. Absent: that of the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Dtype>,
    /// Number format of expert weights. Absent: as `weights`, if that is given, else that of the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experts: Option<Dtype>,
    /// Number format of the KV cache. Absent: that of the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kv: Option<Dtype>,
}

/// The time series of the report.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimelineOptions {
    /// Least length of one interval of the time series. It doubles whenever the run would have more than 1,024 intervals. Absent: 100 ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0))]
    pub interval: Option<SimDuration>,
}

/// Profiles written out in full, by name. `resolved.yaml` contains every profile that the run used.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profiles {
    /// Chips.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub chips: BTreeMap<String, Chip>,
    /// Nodes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<String, Node>,
    /// Links.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, Link>,
    /// Sites.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sites: BTreeMap<String, Site>,
    /// Models.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, ModelProfile>,
}

impl Profiles {
    /// True if no profile is written out.
    pub fn is_empty(&self) -> bool {
        self.chips.is_empty() && self.nodes.is_empty() && self.links.is_empty() && self.sites.is_empty() && self.models.is_empty()
    }
}

/// A default written in code.
#[expect(clippy::expect_used, reason = "the argument is a constant of this module, in range; a test builds every default")]
fn constant<T>(value: Option<T>) -> T {
    value.expect("defaults are in range")
}
