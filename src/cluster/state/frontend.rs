//! The moves of a request at a frontend, before routing.

use super::request::Stage;
use super::world::World;
use crate::cluster::event::Event;
use crate::cluster::ids::{FrontendId, Slot, StationId};
use crate::cluster::observe::{Observation, Observer};

/// Queues a request at a station.
pub(crate) fn join<O: Observer>(world: &mut World<O>, slot: Slot, id: StationId) {
    let World { frontends, requests, .. } = world;
    requests[slot].progress.stage = Stage::AtFrontend;
    requests[slot].progress.station = Some(id);
    frontends.stations[id].queue.push_back(requests, slot);
    change(world, id, 1, 0);
}

/// Free workers of a station take the requests at the head of its queue. The service time is known when service begins.
pub(crate) fn serve<O: Observer>(world: &mut World<O>, id: StationId) {
    while let Some(slot) = world.frontends.stations[id].queue.first() {
        let World { frontends, requests, .. } = world;
        let (spec, station) = (&frontends.pools[frontends.stations[id].frontend].spec, &mut frontends.stations[id]);
        if station.busy >= spec.workers {
            return;
        }
        let takes = spec.service(requests[slot].ask.prompt, requests[slot].ask.output);
        station.busy += 1;
        station.queue.remove(requests, slot);
        requests[slot].progress.stage = Stage::InFrontend;
        let epoch = requests[slot].progress.epoch;
        world.calendar.schedule(takes, Event::Served { slot, epoch });
        change(world, id, -1, 1);
    }
}

/// A worker finishes a request. Returns its station, and whether the request continues; one that has timed out is removed.
pub(crate) fn end_service<O: Observer>(world: &mut World<O>, slot: Slot) -> Option<(StationId, bool)> {
    let now = world.now();
    let request = &mut world.requests[slot];
    let id = request.progress.station.take()?;
    request.timeline.admitted = now;
    let stays = !request.progress.reported;
    if stays {
        request.progress.stage = Stage::Arrived;
    } else {
        world.requests.remove(slot);
    }
    world.frontends.stations[id].busy -= 1;
    change(world, id, 0, -1);
    Some((id, stays))
}

/// Removes a request from the queue of its station.
pub(super) fn out_of_station<O: Observer>(world: &mut World<O>, slot: Slot) {
    let World { frontends, requests, .. } = world;
    if let Some(id) = requests[slot].progress.station.take() {
        frontends.stations[id].queue.remove(requests, slot);
        change(world, id, -1, 0);
    }
}

/// Changes the gauges of a frontend, after reporting them for the time since the last change.
fn change<O: Observer>(world: &mut World<O>, station: StationId, waiting: i64, busy: i64) {
    let id = world.frontends.stations[station].frontend;
    settle(world, id);
    let frontend = &mut world.frontends.pools[id];
    frontend.waiting = frontend.waiting.saturating_add_signed(waiting);
    frontend.busy = frontend.busy.saturating_add_signed(busy);
}

/// Reports the gauges of a frontend up to now.
pub(super) fn settle<O: Observer>(world: &mut World<O>, id: FrontendId) {
    let now = world.now();
    let frontend = &mut world.frontends.pools[id];
    if now > frontend.since {
        let (from, waiting, busy) = (frontend.since, frontend.waiting, frontend.busy);
        frontend.since = now;
        world.observer.on(now, &Observation::Frontend { frontend: id, from, waiting, busy });
    }
}
