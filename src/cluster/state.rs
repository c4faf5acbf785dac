//! The state of the cluster, and what every handler needs: queues, gauges, scheduling.

use std::collections::VecDeque;

use super::audit::{Rounds, Violation};
use super::deadline::Deadlines;
use super::engine::{run_cost, settle_gauges, settle_idle};
use super::event::{Event, InstanceId, PoolId, Slot};
use super::instance::{Instance, Load};
use super::list::List;
use super::observe::{IterationRecord, Observer};
use super::request::Requests;
use super::spec::{ClusterSpec, ModelId, Overlap, PoolSpec, Role};
use crate::network::{Fabric, NetworkError, PortId};
use crate::policy::Router;
use crate::sim::{EventKey, EventQueue, Generation, LivelockGuard, Purpose, SimDuration, SimTime, Streams};

/// A pool and its gauges.
#[derive(Debug)]
pub(super) struct PoolState {
    pub(super) spec: PoolSpec,
    /// True if its prompts are handed on to decode instances.
    pub(super) hands_on: bool,
    waiting: u64,
    waiting_since: SimTime,
}

/// An instance where requests can begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) id: InstanceId,
    /// Prompts must be shorter: its own limit; where it hands on, also that of the decode instance with the longest.
    pub(super) context: u32,
    /// Prompt and output are at most this long: its own limit, or where it hands on, that of the decode instance with the longest. What
    /// the one that is chosen in the end holds less is cut when it is chosen.
    pub(super) output_context: u32,
}

/// The instances that serve one model, by stage.
#[derive(Debug)]
pub(super) struct ModelRoute {
    /// Prefill and mixed instances, but for prefill instances that have nobody to hand on to.
    pub(super) entry: Vec<Entry>,
    /// Decode instances.
    pub(super) decode: Vec<InstanceId>,
    /// The longest context that one of them holds.
    pub(super) longest_decode: Option<u32>,
    pub(super) entry_router: Box<dyn Router>,
    /// Taken out while it is asked.
    pub(super) decode_router: Option<Box<dyn Router>>,
    /// Prompts that are done and wait for memory on the decode side, first come first served.
    pub(super) handoffs: List,
    /// Prefill instances whose first request waits for memory on the decode side (`layer-wise`).
    pub(super) blocked: VecDeque<InstanceId>,
    /// Requests that wait for memory on the decode side, in either of these ways, and since when it is so many.
    pub(super) short_of_memory: u64,
    short_since: SimTime,
}

/// A cluster in the middle of a run.
#[derive(Debug)]
pub struct Cluster<O: Observer> {
    pub(super) spec: ClusterSpec,
    pub(super) pools: Vec<PoolState>,
    pub(super) instances: Vec<Instance>,
    /// What routers ask of them, by instance.
    pub(super) loads: Vec<Load>,
    pub(super) routes: Vec<ModelRoute>,
    pub(super) requests: Requests,
    pub(super) fabric: Fabric,
    pub(super) fabric_port: Option<PortId>,
    pub(super) network_generation: Generation,
    /// Something has changed on the network at this instant.
    pub(super) network_pending: bool,
    /// The first thing that the network refused: the run ends.
    pub(super) fault: Option<NetworkError>,
    /// The request that each transfer carries, by transfer.
    pub(super) transfer_owner: Vec<Slot>,
    pub(super) queue: EventQueue<Event>,
    pub(super) now: SimTime,
    /// The present place in the order of events; never goes back, even if something is scheduled for this very instant.
    pub(super) order: EventKey,
    pub(super) guard: LivelockGuard,
    pub(super) observer: O,
    pub(super) events: u64,
    /// The first timestamp out of order, if the run is audited.
    /// Clients who will not wait for ever, by workload.
    pub(super) deadlines: Vec<Deadlines>,
    pub(super) violation: Option<Violation>,
    pub(super) rounds: Rounds,
    pub(super) departed: Vec<(crate::workload::ClassId, SimTime)>,
}

/// Events at one instant beyond which the run is considered stuck: far more than instances and requests that can act at once.
const LIVELOCK_LIMIT: u64 = 100_000_000;

impl<O: Observer> Cluster<O> {
    /// An empty cluster at time zero. `spec` has been validated.
    pub fn new(spec: ClusterSpec, observer: O) -> Self {
        let mut fabric = Fabric::default();
        let mut fault = None;
        // A run with a fault does not start.
        let mut add_port = |rate| fabric.add_port(rate).inspect_err(|&error| _ = fault.get_or_insert(error)).unwrap_or_default();
        let fabric_port = spec.network.fabric_bytes_per_s.map(&mut add_port);
        let mut pools = Vec::new();
        let mut instances = Vec::new();
        for (index, pool) in spec.pools.iter().enumerate() {
            let id = PoolId(u16::try_from(index).unwrap_or(u16::MAX));
            let group = spec
                .classes
                .iter()
                .filter(|class| class.model == pool.model)
                .map(|class| class.prefix_tokens)
                .find(|&tokens| tokens > 0)
                .unwrap_or_default();
            for _ in 0..pool.instances {
                let ports = (add_port(pool.port_bytes_per_s), add_port(pool.port_bytes_per_s));
                let instance = InstanceId(u32::try_from(instances.len()).unwrap_or(u32::MAX));
                instances.push(Instance::new(instance, id, pool, spec.classes.len(), group, ports));
            }
            pools.push(PoolState { spec: pool.clone(), hands_on: pool.role == Role::Prefill, waiting: 0, waiting_since: SimTime::ZERO });
        }
        let routes = build_routes(&spec, &instances);
        Self {
            pools,
            loads: vec![Load::default(); instances.len()],
            instances,
            routes,
            requests: Requests::default(),
            fabric,
            fabric_port,
            network_generation: Generation::default(),
            network_pending: false,
            fault,
            transfer_owner: Vec::new(),
            queue: EventQueue::default(),
            now: SimTime::ZERO,
            order: EventKey::new(SimTime::ZERO, 0, 0),
            guard: LivelockGuard::new(LIVELOCK_LIMIT),
            observer,
            events: 0,
            deadlines: vec![Deadlines::default(); spec.classes.len()],
            violation: None,
            rounds: Rounds::default(),
            departed: Vec::new(),
            spec,
        }
    }

    /// Time of the last event.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// Events handled so far; an iteration counts as one, whether stepped or run ahead.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Requests inside.
    pub fn in_flight(&self) -> u64 {
        self.requests.arrived - self.requests.outcomes.iter().sum::<u64>()
    }

    /// What listens.
    pub fn observer(&self) -> &O {
        &self.observer
    }

    /// Highest utilisation of any instance's port up to now: bytes carried / (capacity · time). `None` before anything was sent.
    pub fn peak_port_utilization(&self) -> Option<f64> {
        let time = self.now.as_secs_f64();
        let ports = self.instances.iter().flat_map(|instance| [instance.egress, instance.ingress]).chain(self.fabric_port);
        ports
            .map(|port| self.fabric.carried_bytes(port) / (self.fabric.capacity(port) * time))
            .filter(|u| u.is_finite() && *u > 0.0)
            .max_by(f64::total_cmp)
    }

    /// Ends the run: reports what the gauges and idle times are up to now, and gives the observer back.
    pub fn into_observer(mut self) -> O {
        let now = self.now;
        for index in 0..self.instances.len() {
            self.catch_up(InstanceId(u32::try_from(index).unwrap_or(u32::MAX)));
        }
        for instance in &mut self.instances {
            settle_gauges(instance, &mut self.observer, now);
            if instance.current.is_none() {
                settle_idle(instance, &self.pools[instance.pool.at()], &mut self.observer, now);
            } else {
                settle_cut_off(instance, &self.pools[instance.pool.at()], &mut self.observer, now);
            }
        }
        self.report_unfinished();
        for index in 0..self.pools.len() {
            self.change_queue(PoolId(u16::try_from(index).unwrap_or(u16::MAX)), 0);
        }
        for model in 0..self.routes.len() {
            self.change_handoff_queue(model, 0);
        }
        self.observer
    }

    /// Schedules an event after `delay`.
    pub(super) fn schedule(&mut self, delay: SimDuration, event: Event) {
        self.queue.push(event.key(self.now + delay), event);
    }

    /// Changes the number of requests that wait in a pool.
    pub(super) fn change_queue(&mut self, id: PoolId, by: i64) {
        let pool = &mut self.pools[id.at()];
        if self.now > pool.waiting_since {
            self.observer.queue(id, pool.waiting_since, self.now, pool.waiting);
            pool.waiting_since = self.now;
        }
        pool.waiting = pool.waiting.saturating_add_signed(by);
    }

    /// Changes the number of requests of a model that wait for memory on the decode side.
    pub(super) fn change_handoff_queue(&mut self, model: usize, by: i64) {
        let route = &mut self.routes[model];
        if self.now > route.short_since && !route.decode.is_empty() {
            let id = ModelId(u16::try_from(model).unwrap_or(u16::MAX));
            self.observer.handoff_queue(id, route.short_since, self.now, route.short_of_memory);
            route.short_since = self.now;
        }
        route.short_of_memory = route.short_of_memory.saturating_add_signed(by);
    }

    /// Brings an instance to the present and reports its gauges, before its memory changes outside of forming a batch.
    pub(super) fn settle(&mut self, id: InstanceId) {
        self.catch_up(id);
        let now = self.now;
        settle_gauges(&mut self.instances[id.at()], &mut self.observer, now);
    }

    /// Changes the number of transfers that keep an instance waiting.
    pub(super) fn change_transfers(&mut self, id: InstanceId, by: i32) {
        let now = self.now;
        let instance = &mut self.instances[id.at()];
        if instance.current.is_none() {
            settle_idle(instance, &self.pools[instance.pool.at()], &mut self.observer, now);
        }
        instance.transfers = instance.transfers.saturating_add_signed(by);
    }

    pub(super) fn layer_wise(&self) -> bool {
        self.spec.network.overlap == Overlap::LayerWise
    }

    /// The route of a request's model.
    pub(super) fn model_of(&self, slot: Slot) -> usize {
        usize::from(self.spec.classes[usize::from(self.requests[slot].class.0)].model.0)
    }
}

/// Reports the part of an iteration that had been run when the run ended. None of its tokens has left.
fn settle_cut_off<O: Observer>(instance: &Instance, pool: &PoolState, observer: &mut O, now: SimTime) {
    let Some(current) = instance.current.filter(|current| current.start < now) else { return };
    let Some(cost) = current.cost.or_else(|| instance.run.as_ref().map(run_cost)) else { return };
    let span = now.since(current.start);
    let part = span.ns() as f64 / current.end.since(current.start).ns() as f64;
    let (compute_ns, memory_ns) = (cost.compute_ns * part, cost.memory_ns * part);
    observer.iteration(&IterationRecord {
        pool: instance.pool,
        instance: instance.id,
        start: current.start,
        end: now,
        prefill_tokens: 0,
        decode_sequences: 0,
        tokens_out: 0,
        prefill_share: cost.prefill_share,
        compute_ns,
        memory_ns,
        energy: pool.spec.power.busy_energy(span, compute_ns, memory_ns),
    });
}

fn build_routes(spec: &ClusterSpec, instances: &[Instance]) -> Vec<ModelRoute> {
    let models = spec
        .pools
        .iter()
        .map(|pool| pool.model)
        .chain(spec.classes.iter().map(|class| class.model))
        .max()
        .map_or(0, |ModelId(last)| u32::from(last) + 1);
    let streams = Streams::new(spec.seed);
    let of = |model: u32, role: Role| {
        let serves = move |instance: &&Instance| {
            let pool = &spec.pools[instance.pool.at()];
            u32::from(pool.model.0) == model && pool.role == role
        };
        instances.iter().filter(serves)
    };
    (0..models)
        .map(|model| {
            let longest_decode = of(model, Role::Decode).map(|instance| instance.engine.max_model_len).max();
            let mixed = of(model, Role::Mixed).map(|instance| {
                let context = instance.engine.max_model_len;
                Entry { id: instance.id, context, output_context: context }
            });
            let prefill = of(model, Role::Prefill).filter_map(|instance| {
                let output_context = longest_decode?;
                Some(Entry { id: instance.id, context: output_context.min(instance.engine.max_model_len), output_context })
            });
            let mut entry: Vec<Entry> = mixed.chain(prefill).collect();
            entry.sort_unstable_by_key(|entry| entry.id);
            let decode: Vec<InstanceId> = of(model, Role::Decode).map(|instance| instance.id).collect();
            let split = of(model, Role::Prefill).next().is_some();
            let entry_router = if split { spec.routers.prefill } else { spec.routers.mixed };
            ModelRoute {
                entry,
                longest_decode,
                short_of_memory: 0,
                short_since: SimTime::ZERO,
                decode,
                entry_router: entry_router.build(streams.stream(Purpose::Routing, 2 * model)),
                decode_router: Some(spec.routers.decode.build(streams.stream(Purpose::Routing, 2 * model + 1))),
                handoffs: List::default(),
                blocked: VecDeque::new(),
            }
        })
        .collect()
}
