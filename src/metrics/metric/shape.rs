//! Shape of a summary: the numbers it has, which follow from the scenario.

use super::super::parameters::RecorderParameters;
use super::super::summary::Summary;
use crate::cluster::ClusterSpec;

/// A repeated part of a summary, addressed by name or index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// `pools`
    Pools,
    /// `classes`
    Classes,
    /// `frontends`
    Frontends,
    /// `fleet.pools`
    Fleet,
}

impl List {
    /// All lists, in the order of `summary.json`.
    pub const ALL: [Self; 4] = [Self::Pools, Self::Classes, Self::Frontends, Self::Fleet];

    /// Its path in `summary.json`.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Pools => "pools",
            Self::Classes => "classes",
            Self::Frontends => "frontends",
            Self::Fleet => "fleet.pools",
        }
    }
}

/// Property of a scenario that some metrics require.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// A workload with limits.
    Slo,
    /// Instance failures.
    Faults,
    /// A frontend before the router.
    Frontends,
    /// A workload of sessions.
    Sessions,
}

impl Given {
    /// What to add to a scenario without it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Slo => "give a workload an `slo`",
            Self::Faults => "give the scenario `faults`",
            Self::Frontends => "give the cluster a pool with `role: frontend`",
            Self::Sessions => "give it a workload of `sessions`",
        }
    }
}

/// The names in a summary, and the properties of the scenario.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// Pools in the order of the scenario.
    pub pools: Vec<String>,
    /// Workloads in the order of the scenario.
    pub classes: Vec<String>,
    /// Frontends in the order of the scenario.
    pub frontends: Vec<String>,
    /// True if a workload has limits.
    pub slo: bool,
    /// True if instances fail.
    pub faults: bool,
    /// True if a workload has sessions.
    pub sessions: bool,
}

impl Shape {
    /// The shape of the summaries that a recorder will produce of a cluster.
    pub fn of_parameters(recorder: &RecorderParameters, cluster: &ClusterSpec) -> Self {
        Self {
            pools: recorder.pools.iter().map(|pool| pool.name.clone()).collect(),
            classes: recorder.classes.iter().map(|class| class.name.clone()).collect(),
            frontends: recorder.frontends.iter().map(|frontend| frontend.name.clone()).collect(),
            slo: recorder.classes.iter().any(|class| class.slo.any()),
            faults: !cluster.faults.is_empty(),
            sessions: cluster.classes.iter().any(|class| class.sessions),
        }
    }

    /// The shape of a summary.
    pub fn of(summary: &Summary) -> Self {
        Self {
            pools: summary.pools.iter().map(|pool| pool.name.clone()).collect(),
            classes: summary.classes.iter().map(|class| class.name.clone()).collect(),
            frontends: summary.frontends.iter().map(|frontend| frontend.name.clone()).collect(),
            slo: summary.classes.iter().any(|class| class.slo.any()),
            faults: summary.fleet.is_some(),
            sessions: summary.sessions.is_some(),
        }
    }

    /// True if the scenario has this property.
    pub fn has(&self, given: Given) -> bool {
        match given {
            Given::Slo => self.slo,
            Given::Faults => self.faults,
            Given::Frontends => !self.frontends.is_empty(),
            Given::Sessions => self.sessions,
        }
    }

    /// The names in a list.
    pub fn names(&self, list: List) -> &[String] {
        match list {
            List::Pools => &self.pools,
            List::Classes => &self.classes,
            List::Frontends => &self.frontends,
            List::Fleet if self.faults => &self.pools,
            List::Fleet => &[],
        }
    }
}
