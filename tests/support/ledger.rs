//! A second set of books: keeps, in whole nanoseconds and picojoules, what the recorder must arrive at by its own way.

use std::collections::BTreeMap;

use tokenmill::cluster::{Both, Cluster, ClusterSpec, InstanceId, IterationRecord, ModelId, Observer, Outcome, PoolId, RequestRecord};
use tokenmill::metrics::{ClassParameters, NoRows, PoolParameters, Recorder, RecorderParameters, RunFacts, RunResult, SloLimits};
use tokenmill::power::{Energy, Phase};
use tokenmill::sim::{SimDuration, SimTime};
use tokenmill::workload::{ClassId, Workload};

/// What one pool adds up to.
#[derive(Debug, Default, Clone)]
pub(crate) struct PoolBooks {
    /// ∫ requests waiting dt, ns.
    pub(crate) waiting: u128,
    /// ∫ sequences running dt, ns.
    pub(crate) running: u128,
    pub(crate) busy_ns: u128,
    pub(crate) idle_ns: u128,
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

impl Observer for Ledger {
    fn arrived(&mut self, _: SimTime, _: ClassId) {
        self.arrived += 1;
    }

    fn iteration(&mut self, record: &IterationRecord) {
        assert!(record.end > record.start);
        let last = self.ends.iteration.insert(record.instance.0, record.end).unwrap_or_default();
        assert!(record.start >= last, "iterations of one instance overlap");
        let pool = self.pools.entry(record.pool.0).or_default();
        pool.busy_ns += u128::from(record.end.since(record.start).ns());
        pool.energy += record.energy;
        pool.iterations += 1;
        self.iteration_energy += record.energy;
        let (prefill, decode) = record.energy.split(record.prefill_share);
        *self.phases.entry(Phase::Prefill).or_default() += prefill.it_pj;
        *self.phases.entry(Phase::Decode).or_default() += decode.it_pj;
        self.tokens_out += record.tokens_out;
        self.prefill_tokens += record.prefill_tokens;
    }

    fn gaps(&mut self, _: SimTime, _: ClassId, gap_ns: u64, n: u64) {
        self.gaps += n;
        self.gap_ns += u128::from(gap_ns) * u128::from(n);
    }

    fn idle(&mut self, pool: PoolId, from: SimTime, to: SimTime, phase: Phase, energy: Energy) {
        let pool = self.pools.entry(pool.0).or_default();
        pool.idle_ns += u128::from(to.since(from).ns());
        pool.energy += energy;
        *self.phases.entry(phase).or_default() += energy.it_pj;
    }

    fn gauges(&mut self, pool: PoolId, instance: InstanceId, from: SimTime, to: SimTime, running: u64, _: u64) {
        let last = self.ends.gauges.insert(instance.0, to).unwrap_or_default();
        assert_eq!(last, from, "gauges of an instance leave no gap and do not overlap");
        self.pools.entry(pool.0).or_default().running += u128::from(running) * u128::from(to.since(from).ns());
    }

    fn queue(&mut self, pool: PoolId, from: SimTime, to: SimTime, waiting: u64) {
        let last = self.ends.queue.insert(pool.0, to).unwrap_or_default();
        assert_eq!(last, from, "the queue of a pool leaves no gap and does not overlap");
        self.pools.entry(pool.0).or_default().waiting += u128::from(waiting) * u128::from(to.since(from).ns());
    }

    fn handoff_queue(&mut self, model: ModelId, from: SimTime, to: SimTime, waiting: u64) {
        let last = self.ends.handoff_queue.insert(model.0, to).unwrap_or_default();
        assert_eq!(last, from, "the handoffs of a model leave no gap and do not overlap");
        *self.short_of_memory.entry(model.0).or_default() += u128::from(waiting) * u128::from(to.since(from).ns());
    }

    fn transfer(&mut self, from: SimTime, to: SimTime, bytes: f64) {
        self.transfers.push((from, to, bytes));
    }

    fn done(&mut self, record: &RequestRecord) {
        self.records.push(*record);
    }
}

/// Runs with the ledger alone.
pub(crate) fn audited(spec: ClusterSpec, mut workload: impl Workload) -> Ledger {
    let mut cluster = Cluster::new(spec, Ledger::default()).unwrap();
    cluster.run(&mut workload, |_, _| true).unwrap();
    let (end, events) = (cluster.now(), cluster.events());
    let mut ledger = cluster.into_observer();
    ledger.records.sort_by_key(|record| record.id);
    Ledger { end, events, ..ledger }
}

/// Runs with the recorder and the ledger side by side; PUE 1, no warm-up.
pub(crate) fn recorded(spec: ClusterSpec, mut workload: impl Workload) -> (RunResult, Ledger) {
    let pools = spec.pools.iter().map(|pool| PoolParameters {
        name: pool.name.clone(),
        role: pool.role.name().into(),
        hardware: "test".into(),
        model: "test".into(),
        instances: pool.instances,
        chips_per_instance: pool.chips,
        kv_blocks: pool.engine.kv_blocks,
        max_num_seqs: pool.engine.max_num_seqs,
        block_size: pool.engine.block_size,
        perf: pool.perf.provenance(),
    });
    let parameters = RecorderParameters {
        classes: spec.classes.iter().map(|_| ClassParameters { name: "test".into(), slo: SloLimits::default() }).collect(),
        pools: pools.collect(),
        warmup: SimDuration::ZERO,
        interval: SimDuration::from_ns(7_000_000),
    };
    let mut cluster = Cluster::new(spec, Both(Recorder::new(parameters, NoRows), Ledger::default())).unwrap();
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
    let Both(recorder, mut ledger) = cluster.into_observer();
    ledger.records.sort_by_key(|record| record.id);
    (recorder.result(&facts), Ledger { end: facts.end, events: facts.events, ..ledger })
}
