//! A second set of books: keeps, in whole nanoseconds and picojoules, what the recorder must arrive at by its own way.

use std::collections::BTreeMap;

use tokenmill::cluster::{Both, Cluster, ClusterSpec, InstanceId, Life, Observation, Observer, Outcome, RequestRecord, RunSegment};
use tokenmill::metrics::{NoRows, Recorder, RunFacts, RunResult, SloLimits};
use tokenmill::power::{Energy, Phase};
use tokenmill::sim::{SimDuration, SimTime};
use tokenmill::workload::Workload;

use super::clusters::parameters;

/// What one pool adds up to.
#[derive(Debug, Default, Clone)]
pub(crate) struct PoolBooks {
    /// ∫ requests waiting dt, ns.
    pub(crate) waiting: u128,
    /// ∫ sequences running dt, ns.
    pub(crate) running: u128,
    pub(crate) busy_ns: u128,
    pub(crate) idle_ns: u128,
    pub(crate) down_ns: u128,
    pub(crate) energy: Energy,
    pub(crate) iterations: u64,
}

/// Where the last report about something ended.
#[derive(Debug, Default)]
struct Ends {
    gauges: BTreeMap<u32, SimTime>,
    handoff_queue: BTreeMap<u16, SimTime>,
    queue: BTreeMap<u16, SimTime>,
    iteration: BTreeMap<u32, SimTime>,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) pools: BTreeMap<u16, PoolBooks>,
    pub(crate) phases: BTreeMap<Phase, u128>,
    pub(crate) iteration_energy: Energy,
    pub(crate) tokens_out: u64,
    pub(crate) prefill_tokens: u64,
    pub(crate) gaps: u64,
    pub(crate) gap_ns: u128,
    pub(crate) arrived: u64,
    /// ∫ requests that wait for decode memory dt, by model, ns.
    pub(crate) short_of_memory: BTreeMap<u16, u128>,
    pub(crate) transfers: Vec<(SimTime, SimTime, f64)>,
    pub(crate) records: Vec<RequestRecord>,
    pub(crate) lives: Vec<(SimTime, InstanceId, Life)>,
    pub(crate) end: SimTime,
    pub(crate) events: u64,
    ends: Ends,
}

impl Ledger {
    pub(crate) fn pool(&self, index: u16) -> PoolBooks {
        self.pools.get(&index).cloned().unwrap_or_default()
    }

    pub(crate) fn count(&self, wanted: impl Fn(Outcome) -> bool) -> u64 {
        self.records.iter().filter(|record| wanted(record.outcome)).count() as u64
    }

    /// Σ over the requests of a span of theirs, ns.
    pub(crate) fn total(&self, of: impl Fn(&RequestRecord) -> Option<SimDuration>) -> u128 {
        self.records.iter().filter_map(of).map(|span| u128::from(span.ns())).sum()
    }

    pub(crate) fn energy(&self) -> Energy {
        self.pools.values().fold(Energy::ZERO, |sum, pool| sum + pool.energy)
    }
}

impl Ledger {
    /// Books the iterations of a segment one by one.
    fn iteration(&mut self, run: &RunSegment<'_>, n: u64) {
        let (start, end, energy) = (run.boundary(n), run.boundary(n + 1), run.energy(n, n + 1));
        assert!(end > start);
        let last = self.ends.iteration.insert(run.instance.0, end).unwrap_or_default();
        assert!(start >= last, "iterations of one instance overlap");
        let pool = self.pools.entry(run.pool.0).or_default();
        pool.busy_ns += u128::from(end.since(start).ns());
        pool.energy += energy;
        pool.iterations += 1;
        self.iteration_energy += energy;
        let (prefill, decode) = energy.split(run.prefill_share);
        *self.phases.entry(Phase::Prefill).or_default() += prefill.it_pj;
        *self.phases.entry(Phase::Decode).or_default() += decode.it_pj;
        self.tokens_out += run.tokens_out;
        self.prefill_tokens += run.prefill_tokens;
        if n >= run.gauged_from() {
            self.gauge(run.pool.0, run.instance.0, (start, end), run.running);
        }
        for members in run.members {
            let count = if n == run.first() { members.on_time } else { members.count };
            self.gaps += u64::from(count);
            self.gap_ns += u128::from(end.since(start).ns()) * u128::from(count);
        }
    }

    fn gauge(&mut self, pool: u16, instance: u32, (from, to): (SimTime, SimTime), running: u64) {
        let last = self.ends.gauges.insert(instance, to).unwrap_or_default();
        assert_eq!(last, from, "gauges of an instance leave no gap and do not overlap");
        self.pools.entry(pool).or_default().running += u128::from(running) * u128::from(to.since(from).ns());
    }

    fn idle(&mut self, pool: u16, span: SimDuration, phase: Phase, energy: Energy) {
        let pool = self.pools.entry(pool).or_default();
        pool.idle_ns += u128::from(span.ns());
        pool.energy += energy;
        *self.phases.entry(phase).or_default() += energy.it_pj;
    }

    fn queue(&mut self, pool: u16, from: SimTime, to: SimTime, waiting: u64) {
        let last = self.ends.queue.insert(pool, to).unwrap_or_default();
        assert_eq!(last, from, "the queue of a pool leaves no gap and does not overlap");
        self.pools.entry(pool).or_default().waiting += u128::from(waiting) * u128::from(to.since(from).ns());
    }

    fn handoff_queue(&mut self, model: u16, from: SimTime, to: SimTime, waiting: u64) {
        let last = self.ends.handoff_queue.insert(model, to).unwrap_or_default();
        assert_eq!(last, from, "the handoffs of a model leave no gap and do not overlap");
        *self.short_of_memory.entry(model).or_default() += u128::from(waiting) * u128::from(to.since(from).ns());
    }
}

impl Observer for Ledger {
    fn on(&mut self, at: SimTime, what: &Observation<'_>) {
        match *what {
            Observation::Arrived { .. } => self.arrived += 1,
            Observation::Run(run) => (run.first()..run.end()).for_each(|n| self.iteration(run, n)),
            Observation::Gap { ns, .. } => {
                self.gaps += 1;
                self.gap_ns += u128::from(ns);
            }
            Observation::Idle { pool, from, phase, energy } => self.idle(pool.0, at.since(from), phase, *energy),
            Observation::Gauge { pool, instance, from, running, .. } => self.gauge(pool.0, instance.0, (from, at), running),
            Observation::Queue { pool, from, waiting } => self.queue(pool.0, from, at, waiting),
            Observation::HandoffQueue { model, from, waiting } => self.handoff_queue(model.0, from, at, waiting),
            Observation::Transfer { from, bytes } => self.transfers.push((from, at, bytes)),
            Observation::Down { pool, from } => self.pools.entry(pool.0).or_default().down_ns += u128::from(at.since(from).ns()),
            Observation::Life { instance, life, .. } => self.lives.push((at, instance, life)),
            Observation::Token => self.tokens_out += 1,
            Observation::Ended(record) => self.records.push(*record),
            Observation::Frontend { .. }
            | Observation::Reserved { .. }
            | Observation::FirstToken { .. }
            | Observation::Preempted { .. }
            | Observation::PrefixLookup { .. } => {}
        }
    }
}

/// Runs with the ledger alone.
#[expect(clippy::needless_pass_by_value, reason = "a test makes a specification for one run")]
pub(crate) fn audited(spec: ClusterSpec, mut workload: impl Workload) -> Ledger {
    let mut cluster = Cluster::new(&spec, Ledger::default()).unwrap();
    cluster.run(&mut workload, |_, _| true).unwrap();
    let (end, events) = (cluster.now(), cluster.events());
    let mut ledger = cluster.into_observer();
    ledger.records.sort_by_key(|record| record.id);
    Ledger { end, events, ..ledger }
}

/// Runs with the recorder and the ledger side by side; PUE 1, no warm-up.
#[expect(clippy::needless_pass_by_value, reason = "a test makes a specification for one run")]
pub(crate) fn recorded(spec: ClusterSpec, mut workload: impl Workload) -> (RunResult, Ledger) {
    let parameters = parameters(&spec, SloLimits::default(), SimDuration::from_ns(7_000_000));
    let mut cluster = Cluster::new(&spec, Both(Recorder::new(parameters, NoRows), Ledger::default())).unwrap();
    cluster.run(&mut workload, |_, _| true).unwrap();
    let facts = RunFacts {
        scenario: "test".into(),
        seed: 0,
        input_hash: String::new(),
        end: cluster.now(),
        events: cluster.events(),
        pue: 1.0,
        carbon_g_per_kwh: 0.0,
        peak_port_utilization: cluster.peak_port_utilization(),
    };
    let Both(mut recorder, mut ledger) = cluster.into_observer();
    ledger.records.sort_by_key(|record| record.id);
    (recorder.result(&facts), Ledger { end: facts.end, events: facts.events, ..ledger })
}
