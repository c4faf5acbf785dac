//! Frontends: pools of equal stations, each with one queue and a fixed number of workers.

use super::list::List;
use crate::cluster::ids::{FrontendId, ModelId, StationId};
use crate::cluster::spec::{FrontendSpec, SpecError};
use crate::sim::{Arena, SimTime};

/// A pool of equal stations, and its gauges.
#[derive(Debug)]
pub(crate) struct Frontend {
    pub(super) spec: FrontendSpec,
    pub(super) waiting: u64,
    pub(super) busy: u64,
    pub(super) since: SimTime,
}

/// One station.
#[derive(Debug)]
pub(crate) struct Station {
    pub(super) frontend: FrontendId,
    /// Requests waiting for a worker, first come, first served.
    pub(super) queue: List,
    /// Busy workers.
    pub(super) busy: u32,
}

/// All stations.
#[derive(Debug, Default)]
pub(crate) struct Frontends {
    pub(super) pools: Arena<FrontendId, Frontend>,
    pub(super) stations: Arena<StationId, Station>,
    /// The stations of each model.
    by_model: Vec<Vec<StationId>>,
}

impl Frontends {
    /// The stations of a specification, empty.
    ///
    /// # Errors
    /// [`SpecError`] for a station without workers, or too many stations to number.
    pub(super) fn new(specs: &[FrontendSpec]) -> Result<Self, SpecError> {
        let mut frontends = Self::default();
        for spec in specs {
            if spec.workers == 0 {
                return Err(SpecError::NoWorkers);
            }
            let id = frontends.pools.push("frontends", Frontend { spec: spec.clone(), waiting: 0, busy: 0, since: SimTime::ZERO })?;
            let model = usize::from(spec.model.0);
            if frontends.by_model.len() <= model {
                frontends.by_model.resize(model + 1, Vec::new());
            }
            for _ in 0..spec.instances {
                let station = frontends.stations.push("stations", Station { frontend: id, queue: List::default(), busy: 0 })?;
                frontends.by_model[model].push(station);
            }
        }
        Ok(frontends)
    }

    /// The stations that serve requests of a model.
    pub(crate) fn of(&self, model: ModelId) -> &[StationId] {
        self.by_model.get(usize::from(model.0)).map_or(&[], Vec::as_slice)
    }

    /// The pool of a station.
    pub(super) fn pool_of(&self, id: StationId) -> &Frontend {
        &self.pools[self.stations[id].frontend]
    }
}
