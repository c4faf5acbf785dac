//! The event loop.

use thiserror::Error;

use super::event::{Event, Wake, again_key, arrival_key};
use super::observe::{Observer, Outcome};
use super::process::arrive::Arrivals;
use super::process::control::Controllers;
use super::process::engine::station::{self, Turns};
use super::process::handoff::Handoffs;
use super::process::{engine, timeout};
use super::spec::{ClusterSpec, SpecError};
use super::state::{Audit, Violation, World, failure, leave, life, moves, timeouts, transit};
use crate::network::NetworkError;
use crate::policy::Controller;
use crate::sim::{EventKey, Livelock, LivelockGuard, SimDuration, SimTime, TooMany};
use crate::workload::{RequestSpec, Workload, WorkloadError};

/// The latest time that a run may reach: later than any arrival, and early enough that no sum of times or of their squares overflows.
const LATEST: SimTime = SimTime::from_ns(u64::MAX / 2);
/// The same for people, rounded down.
const MAX_YEARS: u32 = 292;

/// Why a run ended early. What was observed until then has been reported.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The workload cannot go on: user error.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The clock runs out: user error, for no cluster needs so long.
    #[error(
        "simulated time passes {} years, more than it can hold; look for a rate, bandwidth or step time that is out of scale",
        MAX_YEARS
    )]
    BeyondTime,
    /// More requests are inside at once than can be numbered: user error.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// The simulation stands still: our error.
    #[error(transparent)]
    Livelock(#[from] Livelock),
    /// The network was asked for nonsense: our error.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// An invariant is broken: our error.
    #[error(transparent)]
    Violation(#[from] Violation),
}

/// Events at one instant beyond which the run is considered stuck: far more than instances and requests that can act at once.
const LIVELOCK_LIMIT: u64 = 100_000_000;
/// Events from one look at the progress to the next.
const PROGRESS_INTERVAL: u32 = 4096;

/// A cluster in the middle of a run.
#[derive(Debug)]
pub struct Cluster<O> {
    world: World<O>,
    turns: Turns,
    arrivals: Arrivals,
    handoffs: Handoffs,
    controllers: Controllers,
    guard: LivelockGuard,
    /// `None`: the invariants are not checked.
    audit: Option<Audit>,
    /// Where the clock stops.
    end: Option<SimDuration>,
}

impl<O: Observer> Cluster<O> {
    /// An empty cluster at time zero.
    ///
    /// # Errors
    /// [`SpecError`] if the parts do not fit together, or are too many to be numbered.
    pub fn new(spec: &ClusterSpec, observer: O) -> Result<Self, SpecError> {
        let world = World::new(spec, observer)?;
        Ok(Self {
            turns: Turns::new(&world),
            arrivals: Arrivals::new(spec, &world),
            handoffs: Handoffs::new(spec, &world),
            controllers: Controllers::new(spec, &world)?,
            guard: LivelockGuard::new(LIVELOCK_LIMIT),
            audit: spec.audit.then(Audit::default),
            end: spec.end,
            world,
        })
    }

    /// Adds a controller, which from now on sees and changes the fleet.
    ///
    /// # Errors
    /// [`SpecError::TooMany`] of them.
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

    /// Requests that have come so far.
    pub fn arrived(&self) -> u64 {
        self.world.requests.arrived()
    }

    /// Requests inside.
    pub fn in_flight(&self) -> u64 {
        self.world.requests.in_flight()
    }

    /// What listens.
    pub fn observer(&self) -> &O {
        &self.world.observer
    }

    /// Highest utilisation of any instance's port up to now: bytes carried / (capacity · time). `None` before anything was sent.
    pub fn peak_port_utilization(&self) -> Option<f64> {
        self.world.wire.peak_utilization(&self.world.fleet, self.now())
    }

    /// Ends the run: reports what the gauges and idle times are up to now, and gives the observer back.
    pub fn into_observer(self) -> O {
        leave::close(self.world)
    }

    /// Runs until no request is left and none will come, or until the end of the scenario.
    ///
    /// `progress` is called now and then with the cluster and the workload; returning false ends the run as if the scenario ended there.
    ///
    /// # Errors
    /// A broken trace line, or an error of ours: see [`RunError`].
    pub fn run(&mut self, workload: &mut dyn Workload, mut progress: impl FnMut(&Self, &dyn Workload) -> bool) -> Result<(), RunError> {
        let end = self.end.map_or(SimTime::NEVER, |span| SimTime::ZERO + span);
        // The first event reports at once.
        let mut until_progress = 1;
        self.controllers.schedule(&mut self.world);
        // When the workload's next request comes, as long as it is known.
        let mut coming = None;
        loop {
            let now = self.now();
            let at = match coming {
                Some(at) => at,
                None => *coming.insert(workload.peek()?),
            };
            let arrival = at.map(|at| arrival_key(at.max(now)));
            let next = match (arrival, self.next_event()) {
                (Some(arrival), Some(event)) => Some(arrival.min(event)),
                (one, other) => one.or(other),
            };
            if next.is_none_or(|key| key.at() > now) && self.is_instant_open() {
                if self.end_instant(workload)? {
                    coming = None;
                }
                continue;
            }
            let Some(key) = next.filter(|key| key.at() <= end) else { break };
            // What only concerns the fleet matters to nobody any more.
            if self.end.is_none() && arrival.is_none() && self.world.requests.is_empty() && workload.is_exhausted() {
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
            if arrival == Some(key) {
                coming = None;
                if let Some((_, request)) = workload.next()? {
                    self.arrive(request)?;
                }
            } else if let Some(event) = self.world.calendar.pop() {
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
        if self.end.is_some() {
            // The clock runs on to a given end, although nothing happens any more.
            self.world.calendar.finish(end);
        } else if self.audit.is_some() {
            Audit::end(&mut self.world, workload.is_exhausted())?;
        }
        Ok(())
    }

    /// True if something is left to do at this instant when it has no events left.
    fn is_instant_open(&self) -> bool {
        !self.world.agenda.is_empty() || self.world.has_departed()
    }

    /// A request comes, to a frontend or at once to the router.
    fn arrive(&mut self, request: RequestSpec) -> Result<(), TooMany> {
        self.world.count_event();
        let slot = moves::arrive(&mut self.world, request)?;
        if !self.turns.take(&mut self.world, slot) {
            self.arrivals.route(&mut self.world, slot);
        }
        Ok(())
    }

    /// The instant has no events left: the agenda is worked off, then the workload hears which requests have left. A client without think
    /// time sends its next request when the batches of the instant have been formed: no answer crosses a network in no time. True if the
    /// workload has heard something.
    fn end_instant(&mut self, workload: &mut dyn Workload) -> Result<bool, RunError> {
        if !self.world.agenda.is_empty() {
            self.work_off_agenda()?;
            return Ok(false);
        }
        // All batches of the instant have been formed, also those that are passed over.
        self.world.calendar.advance(again_key(self.now()));
        for (class, at) in self.world.take_departed() {
            workload.request_done(class, at);
        }
        Ok(true)
    }

    /// The key of the earliest live event; stale ones are dropped.
    fn next_event(&mut self) -> Option<EventKey> {
        let world = &mut self.world;
        while let Some((key, event)) = world.calendar.peek() {
            let live = match event {
                Event::IterationFinished { instance, generation } => world.fleet.instance(instance).is_current(generation),
                Event::TransferFinished { generation } => world.wire.is_current(generation),
                Event::LayerReady { slot, epoch }
                | Event::Delivered { slot, epoch }
                | Event::Retry { slot, epoch }
                | Event::Served { slot, epoch } => world.requests.is_current(slot, epoch),
                Event::SenderTimeout { slot, epoch } => world.requests.is_current(slot, epoch) && world.requests[slot].is_on_offer(),
                Event::Tick { controller } => self.controllers.is_scheduled(controller, key.at()),
                Event::Started { instance, generation } => world.fleet.member(instance).is_starting(generation),
                Event::HealthCheck => true,
                Event::Deadline { class } => timeouts::first_deadline(world, class) == Some(key.at()),
            };
            if live {
                return Some(key);
            }
            world.calendar.pop();
            if let Event::Deadline { class } = event {
                timeouts::schedule_deadline(world, class);
            }
        }
        None
    }

    fn handle(&mut self, event: Event) {
        let Self { world, arrivals, controllers, .. } = self;
        match event {
            // Its iterations are counted one by one.
            Event::IterationFinished { instance, .. } => return engine::finish(world, instance),
            Event::TransferFinished { .. } => transit::end_transfer(world),
            Event::LayerReady { slot, .. } => transit::send_layers_of_chunk(world, slot),
            Event::Delivered { slot, .. } => {
                if transit::activate(world, slot) {
                    leave::leave(world, slot, Outcome::Completed);
                }
            }
            Event::Retry { slot, .. } => arrivals.route(world, slot),
            Event::Served { slot, .. } => {
                if station::finish(world, slot) {
                    arrivals.route(world, slot);
                }
            }
            Event::SenderTimeout { slot, .. } => failure::end_wait_for_receiver(world, slot),
            Event::Tick { controller } => controllers.tick(world, controller),
            Event::Started { instance, .. } => controllers.started(world, instance),
            Event::HealthCheck => life::check_health(world),
            Event::Deadline { class } => timeout::expire(world, class),
        }
        world.count_event();
    }

    /// The end of an instant: memory first, then batches, then the network, again until the agenda is empty.
    fn work_off_agenda(&mut self) -> Result<(), RunError> {
        let Self { world, handoffs, controllers, guard, .. } = self;
        while let Some((wake, key)) = world.agenda.next(world.calendar.now()) {
            world.calendar.advance(key);
            guard.note(key.at())?;
            match wake {
                Wake::Memory(model) => handoffs.retry(world, model),
                Wake::Instance(id) => {
                    engine::form(world, id, &mut |world, id, slot| handoffs.may_start(world, id, slot));
                    controllers.look(world, id);
                }
                Wake::Network => transit::share_wire(world),
            }
        }
        // What happens later at this instant finds all batches formed, also those that are passed over and had no wake.
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
