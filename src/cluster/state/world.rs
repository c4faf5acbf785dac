//! All stores of a cluster, and the operations that bring an instance up to date.

use super::agenda::Agenda;
use super::calendar::Calendar;
use super::deadlines::Deadlines;
use super::fleet::Fleet;
use super::flight::InFlight;
use super::hearing::Hearing;
use super::ledger::{Ledger, settle_gauges, settle_idle};
use super::member::HealthCheck;
use super::reports::Reports;
use super::requests::Requests;
use super::snapshot::Snapshot;
use super::station::Frontends;
use super::wire::Wire;
use crate::cluster::event::{Wake, iteration_key};
use crate::cluster::ids::{InstanceId, ModelId, PoolId, Slot};
use crate::cluster::observe::{Observation, Observer};
use crate::cluster::spec::{ClassSpec, ClusterSpec, FirstToken, Overlap, Retry, SpecError};
use crate::perf::IterationCost;
use crate::policy::{Life, Role};
use crate::sim::{Arena, SimDuration, SimTime};
use crate::workload::{ClassId, Ended};

/// The state of a cluster.
#[derive(Debug)]
pub(crate) struct World<O> {
    pub(crate) frontends: Frontends,
    pub(crate) fleet: Fleet,
    pub(crate) requests: Requests,
    pub(crate) wire: Wire,
    pub(crate) calendar: Calendar,
    pub(crate) agenda: Agenda,
    pub(crate) deadlines: Arena<ClassId, Deadlines>,
    pub(super) classes: Arena<ClassId, ClassSpec>,
    pub(crate) observer: O,
    /// Events handled so far; an iteration counts as one, whether stepped or passed over.
    events: u64,
    /// Requests that have left and are not yet reported to the workload.
    pub(super) departed: Vec<Ended>,
    /// What routers that listen have not yet heard.
    pub(crate) hearing: Hearing,
    /// Message about the first request with timestamps out of order, if the run is audited.
    pub(super) disorder: Option<String>,
    layer_wise: bool,
    pub(super) first_token: FirstToken,
    fast_forward: bool,
    pub(super) audit: bool,
    pub(super) failure_timeout: SimDuration,
    pub(super) retry: Retry,
    pub(super) health_check: HealthCheck,
    pub(super) reports: Reports,
    /// Lifecycle changes not yet reported to the controllers.
    pub(super) life_changes: Vec<(InstanceId, Life)>,
}

impl<O: Observer> World<O> {
    /// An empty cluster at time zero.
    ///
    /// # Errors
    /// [`SpecError`] if the specification is inconsistent, or has more parts than can be numbered.
    pub(crate) fn new(spec: &ClusterSpec, observer: O) -> Result<Self, SpecError> {
        let mut wire = Wire::new(spec.network.fabric_bytes_per_s)?;
        let fleet = Fleet::new(spec, &mut |bytes_per_s| wire.add_port(bytes_per_s))?;
        let classes = Arena::from_items("workloads", spec.classes.iter().cloned())?;
        Ok(Self {
            agenda: Agenda::new(Arena::mirror(fleet.routes(), |_, _| false), Arena::mirror(fleet.instances(), |_, _| false)),
            calendar: Calendar::new(fleet.instances.len()),
            frontends: Frontends::new(&spec.frontends)?,
            reports: Reports::new(spec.reports, &fleet.instances),
            fleet,
            requests: Requests::default(),
            wire,
            deadlines: Arena::mirror(&classes, |_, _| Deadlines::default()),
            classes,
            observer,
            events: 0,
            departed: Vec::new(),
            hearing: Hearing::default(),
            disorder: None,
            layer_wise: spec.network.overlap == Overlap::LayerWise,
            first_token: spec.network.first_token,
            fast_forward: spec.fast_forward,
            audit: spec.audit,
            failure_timeout: spec.network.failure_timeout,
            retry: spec.retry,
            health_check: HealthCheck::every(spec.health_check),
            life_changes: Vec::new(),
        })
    }

    pub(crate) const fn now(&self) -> SimTime {
        self.calendar.now()
    }
    pub(crate) const fn events(&self) -> u64 {
        self.events
    }
    pub(crate) const fn count_event(&mut self) {
        self.events += 1;
    }
    /// True if KV is sent layer by layer while later layers are computed.
    pub(crate) const fn layer_wise(&self) -> bool {
        self.layer_wise
    }
    pub(crate) fn class_count(&self) -> usize {
        self.classes.len()
    }
    pub(crate) fn class(&self, class: ClassId) -> &ClassSpec {
        &self.classes[class]
    }
    pub(crate) const fn disorder(&self) -> Option<&String> {
        self.disorder.as_ref()
    }
    /// True if departures are not yet reported to the workload.
    pub(crate) const fn has_departed(&self) -> bool {
        !self.departed.is_empty()
    }
    /// Takes the requests that have left since the last call.
    pub(crate) fn take_departed(&mut self) -> std::vec::Drain<'_, Ended> {
        self.departed.drain(..)
    }
    /// The model that a request asks for.
    pub(crate) fn model_of(&self, slot: Slot) -> ModelId {
        self.classes[self.requests[slot].ask.class].model
    }

    /// Ends an instance's plan at its next boundary, where a new batch is formed. Iterations until now are booked then, with the rest.
    pub(crate) fn touch(&mut self, id: InstanceId) {
        let (now, through) = (self.now(), self.through(id));
        let flight = &self.fleet.instances[id].flight;
        let mut ended = through.map_or(0, |through| flight.ended_by(through));
        if ended > 0 && flight.boundary_after(ended) == Some(now) {
            // The batch of this instant may be still to be formed.
            self.catch_up(id);
            ended = 0;
        }
        let flight = &mut self.fleet.instances[id].flight;
        if flight.planned > ended + 1 && flight.current.is_some() {
            flight.planned = ended + 1;
            self.schedule_plan(id);
        }
    }

    /// Latest time at which an iteration of an instance may have ended before the present position in the order of events.
    fn through(&self, id: InstanceId) -> Option<SimTime> {
        let now = self.now();
        let ended_now = iteration_key(now, id) < self.calendar.order();
        now.ns().checked_sub(u64::from(!ended_now)).map(SimTime::from_ns)
    }

    /// Cuts the plan of an up-to-date instance where its blocks run out, after memory has been reserved. Nothing else that a batch is
    /// formed from has changed, so its next boundary is passed over as before.
    pub(super) fn shorten(&mut self, id: InstanceId) {
        let instance = &mut self.fleet.instances[id];
        let planned = instance.flight.planned;
        let within = instance.batch.decode.iterations_within(instance.kv.free(), planned).saturating_add(1);
        if within < planned {
            instance.flight.planned = within;
            self.schedule_plan(id);
        }
    }

    /// Completes the iterations of a run that end before the present position in the order of events. At every boundary passed, the same
    /// batch is formed again; at a boundary of the present instant, formation may be still to come. Cached blocks that have expired go.
    pub(crate) fn catch_up(&mut self, id: InstanceId) {
        self.expire(id);
        let (now, order) = (self.now(), self.calendar.order());
        let Some(through) = self.through(id) else { return };
        let flight = &mut self.fleet.instances[id].flight;
        let iterations = flight.ended_by(through);
        if iterations == 0 {
            return;
        }
        flight.planned -= iterations;
        self.complete(id, iterations);
        let instance = &mut self.fleet.instances[id];
        if instance.gauges_since == now && Wake::Instance(id).key(now) >= order {
            self.calendar.cancel_plan(id);
            return self.reach_boundary(id);
        }
        instance.flight.next_of_run();
        let grown = instance.grow_decode();
        debug_assert!(grown, "a run ends before its blocks run out");
    }

    /// Evicts cached blocks that have expired: before every look at the prefix cache of an instance.
    pub(super) fn expire(&mut self, id: InstanceId) {
        let now = self.now();
        let instance = &mut self.fleet.instances[id];
        if let Some(floor) = instance.rules.floor(now) {
            instance.kv.expire(floor);
        }
    }

    /// Completes all iterations of a plan at its scheduled end.
    pub(crate) fn complete_plan(&mut self, id: InstanceId) {
        let planned = self.fleet.instances[id].flight.planned;
        self.complete(id, planned);
        debug_assert_eq!(self.fleet.instances[id].gauges_since, self.now());
        self.reach_boundary(id);
    }

    fn reach_boundary(&mut self, id: InstanceId) {
        self.fleet.instances[id].flight.reach_boundary();
        self.wake(id);
    }

    /// Books `iterations`, starting with the one in flight.
    fn complete(&mut self, id: InstanceId, iterations: u64) {
        self.events += iterations;
        let keeps_token = self.keeps_token(id);
        let Self { fleet, requests, observer, .. } = self;
        let instance = &mut fleet.instances[id];
        instance.iterations += iterations;
        let mut ledger = Ledger { id, pool: &fleet.pools[instance.pool].spec, keeps_token, requests, observer };
        match instance.flight.current {
            Some(current @ InFlight { cost: Some(cost), .. }) => ledger.book_single(instance, current, &cost),
            Some(InFlight { cost: None, .. }) => ledger.book_run(instance, iterations),
            None => {}
        }
        if self.hearing.listens() {
            // Those that wait for their second token have just sent the first.
            for slot in instance.batch.second.clone() {
                self.hearing.first_token(&requests[slot]);
            }
        }
    }

    /// Begins a single iteration, with prefill.
    pub(crate) fn begin_single(&mut self, id: InstanceId, cost: IterationCost) {
        self.settle_idle(id);
        let now = self.now();
        self.fleet.instances[id].flight.start_single(now, cost);
        self.schedule_plan(id);
    }

    /// Begins the next iteration of the current run, and plans as many iterations as run undisturbed.
    pub(crate) fn begin_decode(&mut self, id: InstanceId) {
        self.settle_idle(id);
        let Self { fleet, requests, hearing, fast_forward, .. } = self;
        let instance = &mut fleet.instances[id];
        // A router hears of a first token when it leaves, which is the end of an iteration.
        let is_heard = hearing.listens() && instance.batch.fresh.iter().any(|&slot| requests[slot].timeline.first_token.is_none());
        let planned = if *fast_forward && !instance.batch.look_again && !is_heard {
            let milestone = instance.batch.decode.iterations_to_milestone(|slot, epoch| requests.is_current(slot, epoch));
            let most = milestone.min(instance.flight.left());
            instance.batch.decode.iterations_within(instance.kv.free(), most).saturating_add(1).min(most).min(instance.batch.holds)
        } else {
            1
        };
        instance.flight.plan(planned);
        self.schedule_plan(id);
    }

    /// Starts a run for the coming batch, unless the current run continues.
    pub(crate) fn start_run_unless_one_goes_on(&mut self, id: InstanceId) {
        let now = self.now();
        let instance = &mut self.fleet.instances[id];
        if !instance.run_goes_on() {
            let decode = &instance.batch.decode;
            let pool = &self.fleet.pools[instance.pool].spec;
            let cost = pool.perf.decode_run(&decode.shape(), decode.windowed_growth());
            let base = Snapshot { step: decode.step(), ..instance.totals };
            let batch = &mut instance.batch;
            batch.decode.blocks_to_come(&mut batch.turn);
            instance.flight.start_run(now, cost, &pool.power, base);
        }
    }

    fn schedule_plan(&mut self, id: InstanceId) {
        if let Some(end) = self.fleet.instances[id].flight.planned_end() {
            self.calendar.set_plan(id, end);
        }
    }

    /// An instance becomes idle.
    pub(crate) fn stop(&mut self, id: InstanceId) {
        let now = self.now();
        let instance = &mut self.fleet.instances[id];
        if instance.flight.stop() {
            instance.idle_since = now;
        }
    }

    /// Cuts an instance off in the middle of its iteration: the energy up to now is booked, no token leaves. Returns the end of the last
    /// completed iteration.
    pub(super) fn cut_off(&mut self, id: InstanceId) -> SimTime {
        self.settle(id);
        self.settle_idle(id);
        let (now, keeps_token) = (self.now(), self.keeps_token(id));
        let Self { fleet, requests, observer, .. } = self;
        let instance = &mut fleet.instances[id];
        let began = instance.flight.began();
        if began.is_some() {
            Ledger { id, pool: &fleet.pools[instance.pool].spec, keeps_token, requests, observer }.book_cut_off(instance, now);
        }
        self.calendar.cancel_plan(id);
        if instance.flight.abort() {
            instance.idle_since = now;
        }
        instance.batch.chunks.clear();
        began.unwrap_or(now)
    }

    /// True if the prompt of a request is handed off from an instance that computes it.
    pub(crate) fn hands_on(&self, id: InstanceId, slot: Slot) -> bool {
        self.fleet.hands_on(id) && !self.requests[slot].is_kept()
    }

    /// True if first tokens of prompts computed on an instance leave from the decode side, once they are handed off.
    pub(super) fn keeps_token(&self, id: InstanceId) -> bool {
        self.first_token != FirstToken::Immediate && self.fleet.hands_on(id)
    }

    /// Minimum number of tokens that follow the received KV, the first token included.
    pub(super) fn tokens_to_come(&self) -> u32 {
        if self.first_token == FirstToken::Immediate { 2 } else { 1 }
    }

    /// Tokens beyond the received KV that a decode instance must have blocks for.
    pub(super) fn next_token(&self) -> u32 {
        u32::from(self.first_token != FirstToken::Recomputed)
    }

    /// True if an active decode instance could receive the KV of a request, given room; always true while every instance is active.
    pub(crate) fn has_receiver(&self, slot: Slot) -> bool {
        let model = self.model_of(slot);
        self.fleet.absent == 0 || self.fleet.can_receive(model, self.requests[slot].progress.target.saturating_add(self.tokens_to_come()))
    }

    /// Takes the lifecycle changes since the last call.
    pub(crate) fn take_life_changes(&mut self) -> Vec<(InstanceId, Life)> {
        std::mem::take(&mut self.life_changes)
    }

    /// Brings an instance up to date and reports its gauges, before its memory or batch changes.
    pub(crate) fn settle(&mut self, id: InstanceId) {
        self.catch_up(id);
        let now = self.now();
        settle_gauges(id, &mut self.fleet.instances[id], &mut self.observer, now);
    }

    pub(super) fn settle_idle(&mut self, id: InstanceId) {
        let now = self.now();
        let instance = &mut self.fleet.instances[id];
        if instance.is_idle() {
            settle_idle(instance, &self.fleet.pools[instance.pool].spec, self.fleet.members[id].life, &mut self.observer, now);
        }
    }

    /// Posts a wake for an instance, after a change that lets it compute something. A busy one forms its next batch at its next boundary
    /// anyway.
    pub(crate) fn wake(&mut self, id: InstanceId) {
        if self.fleet.instances[id].is_free() {
            self.agenda.post(Wake::Instance(id));
        }
    }

    /// Posts a wake for requests that wait for memory or a place in the batch, after either may have been freed. While events are handled, no
    /// wake is posted if no request waits: it would be worked off before any batch of the instant is formed, and only batch formation makes
    /// further requests wait without a wake of their own.
    pub(crate) fn memory_freed(&mut self, id: InstanceId) {
        if self.fleet.members[id].role == Role::Decode {
            let model = self.fleet.pool_of(id).spec.model;
            if self.agenda.has_begun() || self.fleet.routes[model].has_waiting() {
                self.agenda.post(Wake::Memory(model));
            }
        }
    }

    /// Changes the number of waiting requests of a pool, after reporting it for the time since the last change.
    pub(super) fn change_queue(&mut self, id: PoolId, by: i64) {
        let now = self.now();
        let pool = &mut self.fleet.pools[id];
        if now > pool.waiting_since {
            self.observer.on(now, &Observation::Queue { pool: id, from: pool.waiting_since, waiting: pool.waiting });
            pool.waiting_since = now;
        }
        pool.waiting = pool.waiting.saturating_add_signed(by);
    }

    /// Changes the number of requests of a model that wait for decode memory, after reporting it for the time since the last change.
    pub(super) fn change_handoff_queue(&mut self, model: ModelId, by: i64) {
        let now = self.now();
        let route = &mut self.fleet.routes[model];
        if now > route.short_since && !route.decode.is_empty() {
            self.observer.on(now, &Observation::HandoffQueue { model, from: route.short_since, waiting: route.short_of_memory });
            route.short_since = now;
        }
        route.short_of_memory = route.short_of_memory.saturating_add_signed(by);
    }
}
