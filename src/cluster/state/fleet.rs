//! The instances, their pools, and the routes: which instances serve which model.

use std::collections::VecDeque;

use super::instance::Instance;
use super::list::List;
use super::loads::{Loads, Side};
use super::member::Member;
use super::rules::Schedulers;
use crate::cluster::ids::{InstanceId, ModelId, PoolId};
use crate::cluster::spec::{ClusterSpec, PoolSpec, SpecError};
use crate::kv::SharedIndex;
use crate::network::{NetworkError, PortId};
use crate::perf::{BatchShape, IterationCost, LonePrompts};
use crate::policy::{Role, Signal};
use crate::sim::{Arena, SimTime};

/// A pool and its queue gauge.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(super) spec: PoolSpec,
    lone_prompts: LonePrompts,
    pub(super) waiting: u64,
    pub(super) waiting_since: SimTime,
}

/// An instance that accepts arriving requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) id: InstanceId,
    /// Prompts must be shorter than this: its own limit and, for a prefill instance, the longest limit of any decode instance.
    pub(crate) context: u32,
    /// Upper limit of prompt plus output: its own limit or, for a prefill instance, the longest limit of any decode instance. If the decode
    /// instance chosen later holds less, the output is cut then.
    pub(crate) output_context: u32,
}

impl Entry {
    /// True if a prompt of so many tokens fits its context.
    pub(crate) const fn fits(&self, tokens: u32) -> bool {
        tokens < self.context
    }
}

/// The instances of one model by role, whether they serve now or not, and the requests between prefill and decode.
#[derive(Debug)]
pub(crate) struct Route {
    pub(super) entry: Vec<Entry>,
    pub(super) decode: Vec<InstanceId>,
    pub(super) longest_decode: Option<u32>,
    /// True if the model has prefill instances.
    split: bool,
    /// Finished prompts that wait for memory on the decode side, first come, first served.
    pub(super) handoffs: List,
    /// Number of those that are bound for one instance, in whose list they wait.
    pub(super) bound: u64,
    /// Prefill instances whose first request waits for memory on the decode side (`layer-wise`).
    pub(super) blocked: VecDeque<InstanceId>,
    /// Requests that wait for memory on the decode side in either way, and since when the number is constant.
    pub(super) short_of_memory: u64,
    pub(super) short_since: SimTime,
}

impl Route {
    /// Prefill and mixed instances in order of id; prefill instances only if the model has a decode instance.
    pub(crate) fn entry(&self) -> &[Entry] {
        &self.entry
    }
    pub(crate) fn decode(&self) -> &[InstanceId] {
        &self.decode
    }
    pub(crate) const fn is_split(&self) -> bool {
        self.split
    }
    /// Prefill instances whose first request waits for memory, first come, first served.
    pub(crate) const fn blocked(&self) -> &VecDeque<InstanceId> {
        &self.blocked
    }
    pub(crate) const fn handoffs(&self) -> &List {
        &self.handoffs
    }
    /// True if a request waits for memory on the decode side.
    pub(super) fn has_waiting(&self) -> bool {
        self.handoffs.first().is_some() || self.bound > 0 || !self.blocked.is_empty()
    }
    /// True if finished prompts wait for memory of the instances that they are bound for.
    pub(crate) const fn has_bound(&self) -> bool {
        self.bound > 0
    }
    /// Skips the blocked instance at a position: a busy one blocks again at its next boundary, if at all.
    pub(crate) fn pass_over_blocked(&mut self, position: usize) {
        self.blocked.remove(position);
    }
    pub(crate) fn block(&mut self, id: InstanceId) {
        if !self.blocked.contains(&id) {
            self.blocked.push_back(id);
        }
    }
    /// Removes an instance from the blocked ones. True if it was the first and others remain.
    pub(crate) fn unblock(&mut self, id: InstanceId) -> bool {
        let was_next = self.blocked.front() == Some(&id);
        self.blocked.retain(|&other| other != id);
        was_next && !self.blocked.is_empty()
    }
}

/// All instances, their pools and their routes.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(super) pools: Arena<PoolId, Pool>,
    pub(super) instances: Arena<InstanceId, Instance>,
    /// Role and lifecycle state of the instances.
    pub(super) members: Arena<InstanceId, Member>,
    /// Number of instances that are not active.
    pub(super) absent: u32,
    /// Load signals of the instances.
    pub(super) loads: Loads,
    pub(super) routes: Arena<ModelId, Route>,
    /// The index of prefix caches, and the lists whose members are in it.
    prefixes: SharedIndex,
    indexed: Vec<(ModelId, Side)>,
}

impl Fleet {
    /// The fleet of a scenario, idle. `add_port` adds a network port of a bandwidth in bytes per second.
    ///
    /// # Errors
    /// [`SpecError`] if the specification is inconsistent, or has more parts than can be numbered.
    pub(super) fn new(spec: &ClusterSpec, add_port: &mut dyn FnMut(f64) -> Result<PortId, NetworkError>) -> Result<Self, SpecError> {
        let mut pools = Arena::default();
        let mut instances = Arena::default();
        let mut schedulers = Schedulers::new(spec);
        for pool in &spec.pools {
            let id = pools.push(
                "pools",
                Pool { spec: pool.clone(), lone_prompts: LonePrompts::default(), waiting: 0, waiting_since: SimTime::ZERO },
            )?;
            let of_model = spec.classes.iter().filter(|class| class.model == pool.model);
            let group_tokens = of_model.map(|class| class.prefix_tokens).find(|&tokens| tokens > 0).unwrap_or_default();
            for _ in 0..pool.instances {
                let ports = (add_port(pool.port_bytes_per_s)?, add_port(pool.port_bytes_per_s)?);
                instances.push("instances", Instance::new(id, pool, group_tokens, ports, schedulers.make())?)?;
            }
        }
        let loads = Loads::new(&instances);
        let members = Arena::mirror(&instances, |_, instance| Member::new(pools[instance.pool].spec.role));
        let mut fleet = Self {
            pools,
            instances,
            members,
            absent: 0,
            loads,
            routes: Arena::default(),
            prefixes: SharedIndex::default(),
            indexed: Vec::new(),
        };
        let asked = spec.classes.iter().map(|class| class.model);
        if let Some(ModelId(last)) = spec.pools.iter().map(|pool| pool.model).chain(asked).max() {
            let routes: Vec<Route> = (0..=last).map(|model| fleet.route_of(ModelId(model))).collect();
            fleet.routes = Arena::from_items("models", routes)?;
        }
        Ok(fleet)
    }

    fn route_of(&self, model: ModelId) -> Route {
        let of = |role: Role| {
            self.instances
                .iter()
                .filter(move |&(id, instance)| self.pools[instance.pool].spec.model == model && self.members[id].role == role)
        };
        let longest_decode = of(Role::Decode).map(|(_, instance)| instance.engine.max_model_len).max();
        let mixed = of(Role::Mixed).map(|(id, instance)| {
            let context = instance.engine.max_model_len;
            Entry { id, context, output_context: context }
        });
        let prefill = of(Role::Prefill).filter_map(|(id, instance)| {
            let output_context = longest_decode?;
            Some(Entry { id, context: output_context.min(instance.engine.max_model_len), output_context })
        });
        let mut entry: Vec<Entry> = mixed.chain(prefill).collect();
        entry.sort_unstable_by_key(|entry| entry.id);
        Route {
            entry,
            decode: of(Role::Decode).map(|(id, _)| id).collect(),
            longest_decode,
            split: of(Role::Prefill).next().is_some(),
            handoffs: List::default(),
            bound: 0,
            blocked: VecDeque::new(),
            short_of_memory: 0,
            short_since: SimTime::ZERO,
        }
    }

    /// Rebuilds the route of a model after a change of roles.
    pub(super) fn assign_roles(&mut self, model: ModelId) {
        let Route { entry, decode, longest_decode, split, .. } = self.route_of(model);
        self.loads.forget(model, Side::Entry);
        self.loads.forget(model, Side::Decode);
        self.indexed.retain(|(other, _)| *other != model);
        let route = &mut self.routes[model];
        (route.entry, route.decode, route.longest_decode, route.split) = (entry, decode, longest_decode, split);
    }

    /// True if an active decode instance of a model has a context of at least `tokens`.
    pub(super) fn can_receive(&self, model: ModelId, tokens: u32) -> bool {
        let longer = |id: InstanceId| self.instances[id].engine.max_model_len >= tokens;
        self.routes[model].decode.iter().any(|&id| self.members[id].serves() && longer(id))
    }

    /// True if every instance serves.
    pub(crate) const fn is_whole(&self) -> bool {
        self.absent == 0
    }

    /// True if the routers list a decode instance of the model.
    pub(crate) fn lists_receiver(&self, model: ModelId) -> bool {
        self.routes[model].decode.iter().any(|&id| self.members[id].listed)
    }

    /// Position of the least loaded instance in a list of a model; ties go to the first. If that one is `refused`, the next, and so on.
    pub(crate) fn least(&mut self, model: ModelId, side: Side, signal: Signal, refused: Option<usize>) -> Option<usize> {
        let Self { routes, loads, .. } = self;
        let Route { entry, decode, .. } = &routes[model];
        match (side, refused) {
            (Side::Entry, None) => loads.least(model, side, signal, entry.iter().map(|entry| entry.id)),
            (Side::Decode, None) => loads.least(model, side, signal, decode.iter().copied()),
            (Side::Entry, Some(refused)) => loads.least_without(model, side, entry[refused].id),
            (Side::Decode, Some(refused)) => loads.least_without(model, side, decode[refused]),
        }
    }

    /// The index of prefix caches. Those of a list are in it from the first query on.
    pub(super) fn prefixes(&mut self, model: ModelId, side: Side) -> &SharedIndex {
        if !self.indexed.contains(&(model, side)) {
            self.indexed.push((model, side));
            for i in 0..self.places(model, side) {
                let id = self.place(model, side, i).id;
                self.instances[id].kv.enter(&self.prefixes, id.0);
            }
        }
        &self.prefixes
    }

    /// Position of an instance in a list of a model, if it is there.
    pub(crate) fn position(&self, model: ModelId, side: Side, id: InstanceId) -> Option<usize> {
        let Route { entry, decode, .. } = &self.routes[model];
        match side {
            Side::Entry => entry.binary_search_by_key(&id, |entry| entry.id).ok(),
            Side::Decode => decode.binary_search(&id).ok(),
        }
    }

    /// Number of instances of a side of a model.
    pub(crate) fn places(&self, model: ModelId, side: Side) -> usize {
        match side {
            Side::Entry => self.routes[model].entry.len(),
            Side::Decode => self.routes[model].decode.len(),
        }
    }
    /// Instance `i` of a side of a model, as one that accepts arriving requests.
    pub(crate) fn place(&self, model: ModelId, side: Side, i: usize) -> Entry {
        match side {
            Side::Entry => self.routes[model].entry[i],
            Side::Decode => {
                let id = self.routes[model].decode[i];
                let context = self.instances[id].engine.max_model_len;
                Entry { id, context, output_context: context }
            }
        }
    }
    pub(crate) fn member(&self, id: InstanceId) -> &Member {
        &self.members[id]
    }
    pub(crate) const fn members(&self) -> &Arena<InstanceId, Member> {
        &self.members
    }
    pub(crate) fn instance(&self, id: InstanceId) -> &Instance {
        &self.instances[id]
    }
    pub(crate) fn instance_mut(&mut self, id: InstanceId) -> &mut Instance {
        &mut self.instances[id]
    }
    pub(crate) const fn instances(&self) -> &Arena<InstanceId, Instance> {
        &self.instances
    }
    pub(crate) const fn loads(&self) -> &Loads {
        &self.loads
    }
    pub(crate) const fn routes(&self) -> &Arena<ModelId, Route> {
        &self.routes
    }
    pub(crate) fn route(&self, model: ModelId) -> &Route {
        &self.routes[model]
    }
    pub(crate) fn route_mut(&mut self, model: ModelId) -> &mut Route {
        &mut self.routes[model]
    }
    /// The pool of an instance.
    pub(crate) fn pool_of(&self, id: InstanceId) -> &Pool {
        &self.pools[self.instances[id].pool]
    }
    /// The cost of an iteration of an instance.
    pub(crate) fn cost(&mut self, id: InstanceId, batch: &BatchShape) -> IterationCost {
        let Pool { spec, lone_prompts, .. } = &mut self.pools[self.instances[id].pool];
        lone_prompts.iteration(&*spec.perf, batch)
    }
    /// True if prompts computed on an instance are handed off.
    pub(crate) fn hands_on(&self, id: InstanceId) -> bool {
        self.members[id].role == Role::Prefill
    }
}
