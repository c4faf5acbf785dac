//! Controllers: their schedule, and the execution of their orders.

use std::cell::RefCell;

use crate::cluster::event::Event;
use crate::cluster::ids::{ControllerId, InstanceId};
use crate::cluster::observe::Observer;
use crate::cluster::spec::{ClusterSpec, SpecError};
use crate::cluster::state::{World, life};
use crate::policy::{Controller, FaultSchedule, FleetView, Life, Order, Role, Signal};
use crate::sim::{Arena, Id, Purpose, SimTime, Streams, TooMany};

/// The controllers of a cluster.
#[derive(Debug, Default)]
pub(crate) struct Controllers {
    all: Arena<ControllerId, Watch>,
    /// Scratch.
    orders: Vec<Order>,
}

/// A controller and its next tick.
#[derive(Debug)]
struct Watch {
    controller: Box<dyn Controller>,
    scheduled: Option<SimTime>,
}

/// The fleet in its present state.
struct Live<'a, O>(RefCell<&'a mut World<O>>);

impl<O: Observer> Live<'_, O> {
    fn id(&self, i: usize) -> Option<InstanceId> {
        id(&self.0.borrow(), i)
    }
}

/// Position `i` of a view is instance `i`; there are no others.
fn id<O: Observer>(world: &World<O>, i: usize) -> Option<InstanceId> {
    InstanceId::from_index(i).filter(|&id| world.fleet.members().get(id).is_some())
}

impl<O: Observer> FleetView for Live<'_, O> {
    fn len(&self) -> usize {
        self.0.borrow().fleet.members().len()
    }
    fn life(&self, i: usize) -> Life {
        self.id(i).map_or(Life::Down, |id| self.0.borrow().fleet.member(id).life())
    }
    fn role(&self, i: usize) -> Role {
        self.id(i).map_or(Role::Mixed, |id| self.0.borrow().fleet.member(id).role())
    }
    fn pool(&self, i: usize) -> u32 {
        self.id(i).map_or(0, |id| self.0.borrow().fleet.instance(id).pool().0.into())
    }
    fn read(&self, i: usize, signal: Signal) -> f64 {
        self.id(i).and_then(|id| self.0.borrow_mut().read_alone(id, signal)).unwrap_or_default()
    }
}

impl Controllers {
    /// The controllers of a specification.
    ///
    /// # Errors
    /// [`SpecError`] for a fault of an instance that does not exist.
    pub(crate) fn new<O: Observer>(spec: &ClusterSpec, world: &World<O>) -> Result<Self, SpecError> {
        let mut controllers = Self::default();
        let instances = world.fleet.members().len();
        if let Some(fault) = spec.faults.iter().find(|fault| fault.instance >= instances) {
            return Err(SpecError::Fault(fault.instance, instances));
        }
        if !spec.faults.is_empty() {
            controllers.add(Box::new(FaultSchedule::new(spec.faults.clone())))?;
        }
        controllers.add(spec.control.build(Streams::new(spec.seed).stream(Purpose::Control, 0)))?;
        Ok(controllers)
    }

    /// Adds a controller.
    ///
    /// # Errors
    /// [`TooMany`] controllers to number.
    pub(crate) fn add(&mut self, controller: Box<dyn Controller>) -> Result<(), TooMany> {
        self.all.push("controllers", Watch { controller, scheduled: None }).map(drop)
    }

    /// True if `at` is the scheduled tick of the controller; any other tick is stale.
    pub(crate) fn is_scheduled(&self, id: ControllerId, at: SimTime) -> bool {
        self.all[id].scheduled == Some(at)
    }

    /// Schedules each controller whose next tick has changed.
    pub(crate) fn schedule<O: Observer>(&mut self, world: &mut World<O>) {
        for id in self.all.ids() {
            let watch = &mut self.all[id];
            let next = watch.controller.next().map(|at| at.max(world.now()));
            if next != watch.scheduled {
                watch.scheduled = next;
                if let Some(at) = next {
                    world.calendar.schedule_at(at, Event::Tick { controller: id });
                }
            }
        }
    }

    /// A controller reads the fleet, and its orders are executed.
    pub(crate) fn tick<O: Observer>(&mut self, world: &mut World<O>, id: ControllerId) {
        let watch = &mut self.all[id];
        watch.scheduled = None;
        watch.controller.tick(world.now(), &Live(RefCell::new(world)), &mut self.orders);
        for order in self.orders.drain(..) {
            carry_out(world, order);
        }
        self.tell(world);
    }

    /// A powered-on instance starts to take requests.
    pub(crate) fn started<O: Observer>(&mut self, world: &mut World<O>, id: InstanceId) {
        life::activate(world, id);
        self.tell(world);
    }

    /// An instance has formed its batch or found nothing to do: a draining one may be done.
    pub(crate) fn look<O: Observer>(&mut self, world: &mut World<O>, id: InstanceId) {
        if life::has_drained(world, id) {
            life::end_drain(world, id);
            self.tell(world);
        }
    }

    /// Notifies the controllers of lifecycle changes.
    fn tell<O: Observer>(&mut self, world: &mut World<O>) {
        let now = world.now();
        for (id, life) in world.take_life_changes() {
            for watch in self.all.values_mut() {
                watch.controller.changed(now, id.index(), life);
            }
        }
        self.schedule(world);
    }
}

fn carry_out<O: Observer>(world: &mut World<O>, order: Order) {
    match order {
        Order::Fail(i) => {
            if let Some(id) = id(world, i) {
                life::fail(world, id);
            }
        }
        Order::Drain(i) => {
            if let Some(id) = id(world, i) {
                life::drain(world, id, None);
            }
        }
        Order::Start { instance, takes } => {
            if let Some(id) = id(world, instance) {
                life::start(world, id, takes);
            }
        }
        Order::Flip { instance, role } => {
            if let Some(id) = id(world, instance) {
                life::drain(world, id, Some(role));
            }
        }
    }
}
