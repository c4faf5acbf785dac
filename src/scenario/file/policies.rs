//! The `policies` section: who decides, and how.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choice::{Admission, Batching, Controller, Decider, Eviction, Preemption, QueueOrder, Router};
use crate::cluster::{Reporting, Retry};
use crate::sim::SimDuration;

/// The policies of the cluster. Names in snake case, as other stacks write them, are accepted too.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policies {
    /// Which instance a request goes to.
    #[serde(default)]
    pub router: RouterChoice,
    /// Whether a request is let in.
    #[serde(default)]
    pub admission: Admission,
    /// Whether the prompt of a request is computed apart from its output, where a model has prefill and decode instances.
    #[serde(default)]
    pub disaggregation: Decider,
    /// Which waiting request of an instance starts next.
    #[serde(default)]
    pub queue: QueueOrder,
    /// Which running sequence of an instance gives its memory back when KV blocks run out.
    #[serde(default)]
    pub preemption: Preemption,
    /// How much prompt work an iteration takes on beside the sequences that generate.
    #[serde(default)]
    pub batching: Batching,
    /// Which cached prefix of an instance is evicted first when KV blocks run out.
    #[serde(default)]
    pub eviction: Eviction,
    /// When instances are started, drained and given other roles.
    #[serde(default)]
    pub control: Controller,
    /// What becomes of a request whose instance fails, or that finds none.
    #[serde(default)]
    pub retry: Retry,
    /// Time between two looks of the routers at which instances serve: until the next look a router sends requests to one that has failed,
    /// which it refuses, and none to one that has come back. Absent: routers know at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-above" = 0))]
    pub health_check: Option<SimDuration>,
    /// When policies see what instances report of themselves: running and waiting requests, and free blocks. What a router itself counts, and
    /// what a prefix cache has, is seen as it is. Absent: all is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reports: Option<Reporting>,
}

/// One router for all pools, or one for each role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RouterChoice {
    /// The same for all roles.
    All(Router),
    /// One for each role.
    ByRole(RouterByRole),
}

impl Default for RouterChoice {
    fn default() -> Self {
        Self::All(Router::default())
    }
}

/// Routers by role.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouterByRole {
    /// Between prefill instances. A model that has mixed instances beside them gets one choice among both.
    #[serde(default)]
    pub prefill: Router,
    /// Between decode instances.
    #[serde(default)]
    pub decode: Router,
    /// Between mixed instances of models that have no prefill pool. Absent: as `prefill`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixed: Option<Router>,
}
