//! The event loop.

use super::deciders::Deciders;
use super::error::{LATEST, RunError};
use super::event::{Event, Wake, again_key, arrival_key};
use super::process::arrive::Arrivals;
use super::process::control::Controllers;
use super::process::engine::station::{self, Turns};
use super::process::handoff::Handoffs;
use super::process::{engine, timeout};
use super::spec::{ClusterSpec, SpecError};
use super::state::{Audit, World, failure, leave, life, moves, timeouts, transit, views};
use crate::cluster::observe::Observer;
use crate::policy::Controller;
use crate::sim::{EventKey, LivelockGuard, SimDuration, SimTime};
use crate::workload::Outcome;
use crate::workload::{RequestSpec, Workload, WorkloadError};

/// Events at one instant beyond which the run counts as stuck: far more than instances and requests can cause at once.
const LIVELOCK_LIMIT: u64 = 100_000_000;
/// Events between two progress reports.
const PROGRESS_INTERVAL: u32 = 4096;

/// Steps of a run so far: a measure of its cost that does not depend on the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Arrivals, events (void ones included) and wakes. Iterations that are passed over do not count.
    pub events: u64,
    /// Ports, groups and transfers visited by the network.
    pub network: u64,
    /// Places visited in the orders of instances that routers use.
    pub routing: u64,
}

/// A cluster in the middle of a run.
#[derive(Debug)]
pub struct Cluster<O> {
    world: World<O>,
    turns: Turns,
    arrivals: Arrivals,
    deciders: Deciders,
    handoffs: Handoffs,
    controllers: Controllers,
    guard: LivelockGuard,
    /// Arrivals, events and wakes up to now.
    handled: u64,
    /// `None`: no audit.
    audit: Option<Audit>,
    /// End of the scenario; `None`: when the last request is done.
    end: Option<SimDuration>,
}

impl<O: Observer> Cluster<O> {
    /// An empty cluster at time zero.
    ///
    /// # Errors
    /// [`SpecError`] if the specification is inconsistent, or has more parts than can be numbered.
    pub fn new(spec: &ClusterSpec, observer: O) -> Result<Self, SpecError> {
        let mut world = World::new(spec, observer)?;
        Ok(Self {
            turns: Turns::new(&world),
            arrivals: Arrivals::new(spec, &mut world),
            deciders: Deciders::new(spec, &world),
            handoffs: Handoffs::new(spec, &mut world),
            controllers: Controllers::new(spec, &world)?,
            guard: LivelockGuard::new(LIVELOCK_LIMIT),
            handled: 0,
            audit: spec.audit.then(Audit::default),
            end: spec.end,
            world,
        })
    }

    /// Adds a controller; from now on it sees the fleet and gives it orders.
    ///
    /// # Errors
    /// [`SpecError::TooMany`] controllers.
    pub fn add_controller(&mut self, controller: Box<dyn Controller>) -> Result<(), SpecError> {
        Ok(self.controllers.add(controller)?)
    }

    /// Time of the last event.
    pub fn now(&self) -> SimTime {
        self.world.now()
    }

    /// Events handled so far; an iteration counts as one, whether stepped or run ahead.
    pub fn events(&self) -> u64 {
        self.world.events()
    }

    /// Work done so far, the measure of growth.
    pub fn work(&self) -> Work {
        Work { events: self.handled, network: self.world.wire.fabric().work(), routing: self.world.fleet.loads().work() }
    }

    /// Requests that have arrived so far.
    pub fn arrived(&self) -> u64 {
        self.world.requests.arrived()
    }

    /// Requests in flight.
    pub fn in_flight(&self) -> u64 {
        self.world.requests.in_flight()
    }

    /// The observer.
    pub fn observer(&self) -> &O {
        &self.world.observer
    }

    /// Highest utilisation of any instance's port up to now: bytes carried / (capacity · time). `None` before anything was sent.
    pub fn peak_port_utilization(&self) -> Option<f64> {
        self.world.wire.peak_utilization(&self.world.fleet, self.now())
    }

    /// Ends the run: reports gauges and idle times up to now, and returns the observer.
    pub fn into_observer(self) -> O {
        leave::close(self.world)
    }

    /// Runs until no request is in flight and none is to come, or until the end of the scenario.
    ///
    /// `progress` is called at regular intervals with the cluster and the workload; if it returns false, the run ends as if the scenario
    /// ended there.
    ///
    /// # Errors
    /// A broken trace line, or an internal error: see [`RunError`].
    pub fn run(&mut self, workload: &mut dyn Workload, mut progress: impl FnMut(&Self, &dyn Workload) -> bool) -> Result<(), RunError> {
        let end = self.end.map_or(SimTime::NEVER, |span| SimTime::ZERO + span);
        // The first event reports at once.
        let mut until_progress = 1;
        self.controllers.schedule(&mut self.world);
        views::schedule_reports(&mut self.world);
        // Time of the workload's next request, once known.
        let mut coming = None;
        loop {
            let now = self.now();
            let at = match coming {
                Some(at) => at,
                None => *coming.insert(workload.peek()?),
            };
            if self.is_instant_open() && at.is_none_or(|at| at > now) && !self.has_event_now() {
                if self.end_instant(workload)? {
                    coming = None;
                }
                continue;
            }
            let arrival = at.map(|at| arrival_key(at.max(now)));
            let event = self.next_event();
            let next = match (arrival, event) {
                (Some(arrival), Some((event, _))) => Some(arrival.min(event)),
                (one, other) => one.or(other.map(|(key, _)| key)),
            };
            let Some(key) = next.filter(|key| key.at() <= end) else { break };
            // No request is left that further fleet events could affect, or none that they would.
            let is_over = |event| self.world.requests.is_empty() && workload.is_exhausted() || self.is_stalled(event);
            if self.end.is_none() && arrival.is_none() && event.is_some_and(|(_, event)| is_over(event)) {
                break;
            }
            if key.at() > LATEST {
                return Err(RunError::BeyondTime);
            }
            if self.audit.is_some() {
                Audit::clock(&self.world, key.at())?;
            }
            self.world.calendar.advance(key);
            self.guard.note(key.at())?;
            self.handled += 1;
            if arrival == Some(key) {
                coming = None;
                if let Some((_, request)) = workload.next()? {
                    self.arrive(request)?;
                }
            } else if let Some((_, event)) = event {
                self.world.calendar.take(event);
                self.handle(event);
            }
            if let Some(audit) = &mut self.audit {
                audit.event(&mut self.world)?;
            }
            until_progress -= 1;
            if until_progress == 0 {
                until_progress = PROGRESS_INTERVAL;
                if !progress(self, workload) {
                    return Ok(());
                }
            }
        }
        self.finish(end, workload.is_exhausted())
    }

    /// Nothing more happens before `end`.
    fn finish(&mut self, end: SimTime, exhausted: bool) -> Result<(), RunError> {
        if self.end.is_some() {
            // The clock advances to the given end all the same.
            self.world.calendar.finish(end);
        } else if let Some((waiting, first)) = views::forgotten(&self.world) {
            return Err(RunError::Forgotten { waiting, first });
        } else if self.audit.is_some() {
            Audit::end(&mut self.world, exhausted)?;
        }
        Ok(())
    }

    /// True if work is left for the end of this instant.
    fn is_instant_open(&self) -> bool {
        !self.world.agenda.is_empty() || self.world.has_departed() || self.world.hearing.is_news_awaited()
    }

    /// True if nothing is to come, from the next event on, that could end the wait of a request: only reports, and controllers while all
    /// requests wait for a router to name them. Both recur without end. `false` while work is left for the end of this instant.
    fn is_stalled(&self, next: Event) -> bool {
        if !matches!(next, Event::Report | Event::Tick { .. }) || self.is_instant_open() {
            return false;
        }
        let unnamed = self.world.hearing.waiters() as u64 == self.in_flight();
        self.world.calendar.has_only(|event| match event {
            Event::Report => true,
            Event::Tick { .. } | Event::Started { .. } | Event::HealthCheck => unnamed,
            _ => false,
        })
    }

    /// A request arrives, at a frontend or directly at the router.
    fn arrive(&mut self, request: RequestSpec) -> Result<(), RunError> {
        let classes = self.world.class_count();
        if usize::from(request.class.0) >= classes {
            return Err(WorkloadError::NoClass { class: request.class.0, classes }.into());
        }
        self.world.count_event();
        let slot = moves::arrive(&mut self.world, request)?;
        if !self.turns.take(&mut self.world, slot) {
            self.arrivals.route(&mut self.world, slot, &mut self.deciders);
        }
        Ok(())
    }

    /// The instant has no events left: the agenda is worked off, then departures are reported to the workload. A client without think time
    /// sends its next request after the batches of the instant have been formed, because no answer crosses a network in zero time. True if
    /// the next arrival may have changed.
    #[inline]
    fn end_instant(&mut self, workload: &mut dyn Workload) -> Result<bool, RunError> {
        if self.world.hearing.is_news_awaited() {
            self.world.agenda.post(Wake::Heard);
        }
        if !self.world.agenda.is_empty() {
            self.work_off_agenda()?;
            return Ok(false);
        }
        // All batches of the instant have been formed, including those passed over in fast-forward.
        self.world.calendar.advance(again_key(self.now()));
        let mut changed = false;
        for end in self.world.take_departed() {
            changed |= workload.ended(&end);
        }
        Ok(changed)
    }

    /// True if there is a live event at the present instant.
    fn has_event_now(&mut self) -> bool {
        let now = self.now();
        self.world.calendar.has_more_now() && self.next_event().is_some_and(|(key, _)| key.at() <= now)
    }

    /// The earliest live event; stale events are dropped.
    fn next_event(&mut self) -> Option<(EventKey, Event)> {
        let world = &mut self.world;
        while let Some((key, event)) = world.calendar.peek() {
            let live = match event {
                Event::LayerReady { slot, epoch }
                | Event::Delivered { slot, epoch }
                | Event::Retry { slot, epoch }
                | Event::Refused { slot, epoch }
                | Event::Served { slot, epoch } => world.requests.is_current(slot, epoch),
                Event::SenderTimeout { slot, epoch } => world.requests.is_current(slot, epoch) && world.requests[slot].is_on_offer(),
                Event::Tick { controller } => self.controllers.is_scheduled(controller, key.at()),
                Event::Started { instance, generation } => world.fleet.member(instance).is_starting(generation),
                Event::TransferFinished | Event::IterationFinished { .. } | Event::HealthCheck | Event::Report | Event::Look { .. } => true,
                Event::Deadline { class } => timeouts::first_deadline(world, class) == Some(key.at()),
            };
            if live {
                return Some((key, event));
            }
            world.calendar.take(event);
            self.handled += 1;
            if let Event::Deadline { class } = event {
                timeouts::schedule_deadline(world, class);
            }
        }
        None
    }

    fn handle(&mut self, event: Event) {
        let Self { world, arrivals, deciders, controllers, .. } = self;
        match event {
            // Iterations are counted one by one, as they are booked.
            Event::IterationFinished { instance } => {
                deciders.after_prefill(world, instance);
                return engine::finish(world, instance);
            }
            Event::TransferFinished => transit::end_transfer(world),
            Event::LayerReady { slot, .. } => transit::send_layers_of_chunk(world, slot),
            Event::Delivered { slot, .. } => {
                if transit::activate(world, slot) {
                    leave::leave(world, slot, Outcome::Completed);
                }
            }
            Event::Retry { slot, .. } => arrivals.route(world, slot, deciders),
            Event::Refused { slot, .. } => leave::refuse(world, slot),
            Event::Look { model } => world.agenda.post(Wake::Memory(model)),
            Event::Served { slot, .. } => {
                if station::finish(world, slot) {
                    arrivals.route(world, slot, deciders);
                }
            }
            Event::SenderTimeout { slot, .. } => failure::end_wait_for_receiver(world, slot),
            Event::Tick { controller } => controllers.tick(world, controller),
            Event::Started { instance, .. } => controllers.started(world, instance),
            Event::HealthCheck => life::check_health(world),
            Event::Report => views::take_reports(world),
            Event::Deadline { class } => timeout::expire(world, class),
        }
        world.count_event();
    }

    /// Works off the agenda at the end of an instant: memory, then batches, then the network, repeated until the agenda is empty.
    #[inline]
    fn work_off_agenda(&mut self) -> Result<(), RunError> {
        let Self { world, arrivals, deciders, handoffs, controllers, guard, handled, .. } = self;
        while let Some((wake, key)) = world.agenda.next(world.calendar.now()) {
            world.calendar.advance(key);
            guard.note(key.at())?;
            *handled += 1;
            match wake {
                Wake::Heard => arrivals.recall(world, deciders),
                Wake::Memory(model) => handoffs.retry(world, model),
                Wake::Instance(id) => {
                    engine::form(world, id, &mut |world, id, slot| {
                        deciders.before_prefill(world, id, slot);
                        handoffs.may_start(world, id, slot)
                    });
                    controllers.look(world, id);
                }
                Wake::Network => transit::share_wire(world),
            }
        }
        // Later work at this instant comes after all batches, including those that were passed over and had no wake.
        world.calendar.advance(again_key(world.calendar.now()));
        if let Some(fault) = world.wire.take_fault() {
            return Err(fault.into());
        }
        if let Some(audit) = &mut self.audit {
            audit.instant(&mut self.world)?;
        }
        Ok(())
    }
}
