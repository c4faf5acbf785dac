//! Indices of ports and routes.

use std::ops::{Index, IndexMut};
use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use super::error::NetworkError;
use super::group::GroupId;

/// Index of a port: one direction of the network attachment of one instance, a link, or a shared fabric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PortId(u32);

impl PortId {
    pub(super) fn new(index: usize) -> Result<Self, NetworkError> {
        u32::try_from(index).map(Self).map_err(|_| NetworkError::TooMany)
    }

    pub(super) const fn index(self) -> u32 {
        self.0
    }

    pub(super) const fn of(index: u32) -> Self {
        Self(index)
    }

    pub(super) const fn at(self) -> usize {
        self.0 as usize
    }
}

/// Index of a route: the ports that its transfers cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteId(u32);

impl RouteId {
    pub(super) const fn at(self) -> usize {
        self.0 as usize
    }
}

/// The ports of a route in order, and the groups on it.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) ports: Arc<[PortId]>,
    /// Groups with transfers, one per limit.
    pub(super) groups: Vec<GroupId>,
}

/// All routes, kept for the whole run.
#[derive(Debug, Clone, Default)]
pub(super) struct Routes {
    all: Vec<Route>,
    known: IndexMap<Arc<[PortId]>, RouteId, FxBuildHasher>,
}

impl Routes {
    /// The route through the given ports, of `ports` in all. Allocates only if it is new.
    pub(super) fn find_or_add(&mut self, through: &[PortId], ports: usize) -> Result<RouteId, NetworkError> {
        if let Some(&route) = self.known.get(through) {
            return Ok(route);
        }
        let unique = through.iter().enumerate().all(|(i, port)| port.at() < ports && !through[..i].contains(port));
        if through.is_empty() || !unique {
            return Err(NetworkError::Route);
        }
        let route = RouteId(u32::try_from(self.all.len()).map_err(|_| NetworkError::TooMany)?);
        let through: Arc<[PortId]> = through.into();
        self.all.push(Route { ports: Arc::clone(&through), groups: Vec::new() });
        self.known.insert(through, route);
        Ok(route)
    }
}

impl Index<RouteId> for Routes {
    type Output = Route;
    fn index(&self, route: RouteId) -> &Route {
        &self.all[route.at()]
    }
}

impl IndexMut<RouteId> for Routes {
    fn index_mut(&mut self, route: RouteId) -> &mut Route {
        &mut self.all[route.at()]
    }
}
