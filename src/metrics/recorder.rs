//! Observes the cluster and keeps the data of the summary: integers wherever the order of events could matter.
//!
//! Requests are measured if they arrive after the warm-up; gaps, tokens, energy and gauges are measured from the end of the warm-up.

use super::bins::{Bins, part};
use super::outages::Outages;
use super::parameters::RecorderParameters;
use super::record::{ClassRecord, Flow, FrontendRecord, HandoffRecord, PoolRecord, StageTimes};
use super::row::{LimitsMet, RequestRow};
use super::sessions::Sessions;
use super::steps::Gaps;
use super::summary::TokenCounts;
use super::values::Values;
use crate::cluster::{ModelId, Observation, Observer, Outcome, PoolId, RequestRecord, RunSegment};
use crate::power::{Energy, Phase};
use crate::sim::SimTime;
use crate::workload::ClassId;

/// Receives one row per request, in the order in which requests leave.
pub trait RequestSink {
    /// A request has left.
    fn request(&mut self, row: &RequestRow);

    /// True if rows are lost, as when a disk is full; the run should then end.
    fn failed(&self) -> bool {
        false
    }
}

/// A sink that stays with its owner.
impl<S: RequestSink> RequestSink for &mut S {
    fn request(&mut self, row: &RequestRow) {
        (**self).request(row);
    }

    fn failed(&self) -> bool {
        (**self).failed()
    }
}

/// Discards rows.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRows;

impl RequestSink for NoRows {
    fn request(&mut self, _: &RequestRow) {}
}

/// The observer that records a run.
#[derive(Debug)]
pub struct Recorder<S: RequestSink> {
    pub(super) parameters: RecorderParameters,
    pub(super) warmup: SimTime,
    pub(super) classes: Vec<ClassRecord>,
    pub(super) pools: Vec<PoolRecord>,
    pub(super) frontends: Vec<FrontendRecord>,
    /// By model.
    pub(super) handoffs: Vec<HandoffRecord>,
    pub(super) stages: StageTimes,
    pub(super) tokens: TokenCounts,
    /// Prompt tokens of measured requests, and output tokens of the completed ones.
    pub(super) asked: [u64; 2],
    pub(super) transfers: Values,
    pub(super) transfer_bytes: f64,
    pub(super) bins: Bins,
    pub(super) flow: Flow,
    pub(super) outages: Outages,
    pub(super) sessions: Sessions,
    gaps: Gaps,
    sink: S,
}

impl<S: RequestSink> Recorder<S> {
    /// An empty recorder that passes each finished request on to `sink`.
    pub fn new(parameters: RecorderParameters, sink: S) -> Self {
        Self {
            warmup: SimTime::ZERO + parameters.warmup,
            classes: parameters.classes.iter().map(|_| ClassRecord::new()).collect(),
            pools: vec![PoolRecord::default(); parameters.pools.len()],
            frontends: vec![FrontendRecord::default(); parameters.frontends.len()],
            handoffs: Vec::new(),
            stages: StageTimes::default(),
            tokens: TokenCounts::default(),
            asked: [0, 0],
            transfers: Values::default(),
            transfer_bytes: 0.0,
            bins: Bins::new(parameters.pools.len(), parameters.interval.ns().max(1)),
            flow: Flow::default(),
            outages: Outages::default(),
            sessions: Sessions::default(),
            gaps: Gaps::default(),
            parameters,
            sink,
        }
    }

    /// The row sink, to be closed by its owner.
    pub fn into_sink(self) -> S {
        self.sink
    }

    /// The part of a span after the warm-up.
    pub(super) fn measured_ns(&self, from: SimTime, to: SimTime) -> u64 {
        to.since(from.max(self.warmup)).ns()
    }

    /// The part of an energy, spread evenly over a span, that falls after the warm-up.
    fn measured_energy(&self, whole: Energy, from: SimTime, to: SimTime) -> Energy {
        if from >= self.warmup {
            return whole;
        }
        let span = u128::from(to.since(from).ns()).max(1);
        let measured = u128::from(self.measured_ns(from, to));
        Energy { chip_pj: part(whole.chip_pj, measured, span), it_pj: part(whole.it_pj, measured, span) }
    }

    fn add_energy_to_bins(&mut self, pool: PoolId, from: SimTime, to: SimTime, energy: Energy) {
        let span = u128::from(to.since(from).ns());
        let mut given = 0u128;
        self.bins.span(usize::from(pool.0), from, to, |bin, _, until| {
            // Nearly every iteration is within one interval; a 128-bit division takes longer than everything else here.
            let so_far = if u128::from(until) == span { energy.it_pj } else { part(energy.it_pj, until.into(), span) };
            bin.it_pj += so_far - given;
            given = so_far;
        });
    }

    fn limits_met(&self, record: &RequestRecord) -> LimitsMet {
        let slo = &self.parameters.classes[usize::from(record.class.0)].slo;
        LimitsMet::of(record, slo)
    }

    fn count_outcome(&mut self, record: &RequestRecord) {
        let counts = &mut self.classes[usize::from(record.class.0)].counts;
        match record.outcome {
            Outcome::Completed => counts.completed += 1,
            Outcome::RejectedPromptTooLong | Outcome::RejectedNoInstance => counts.rejected += 1,
            Outcome::Refused(_) => (counts.rejected, counts.refused) = (counts.rejected + 1, counts.refused + 1),
            Outcome::TimedOut => counts.timed_out += 1,
            Outcome::Failed => counts.failed += 1,
            Outcome::InFlight => counts.in_flight += 1,
        }
        counts.truncated += u64::from(record.truncated && record.outcome == Outcome::Completed);
        counts.preemptions += u64::from(record.preemptions);
        self.tokens.recomputed += record.recomputed_tokens;
    }

    fn record_latencies(&mut self, record: &RequestRecord) {
        let class = &mut self.classes[usize::from(record.class.0)];
        if let Some(first) = record.first_token {
            class.ttft.record(first.since(record.arrived).ns());
        }
        if let Some(second) = record.second_token {
            class.ttst.record(second.since(record.arrived).ns());
        }
        self.asked[0] += u64::from(record.prompt_tokens);
        if record.outcome != Outcome::Completed {
            return;
        }
        self.asked[1] += u64::from(record.output_tokens);
        class.e2e.record(record.done.since(record.arrived).ns());
        if let Some(tpot) = super::row::tpot_ns(record) {
            class.tpot.record(tpot);
        }
        if let Some(std) = super::row::gap_std_ns(record) {
            class.request_std.record(std);
        }
        self.add_stages(record);
    }

    fn add_stages(&mut self, record: &RequestRecord) {
        let stages = super::row::stages(record);
        let sums = &mut self.stages;
        for (sum, span) in [
            &mut sums.queue,
            &mut sums.prefill,
            &mut sums.reserve,
            &mut sums.transfer,
            &mut sums.decode_queue,
            &mut sums.decode,
            &mut sums.recovery,
            &mut sums.frontend,
        ]
        .into_iter()
        .zip(stages)
        {
            *sum += u128::from(span.ns());
        }
    }
}

impl<S: RequestSink> Recorder<S> {
    fn arrived(&mut self, at: SimTime, class: ClassId) {
        self.bins.count(at, |bin| bin.arrivals += 1);
        if at >= self.warmup {
            self.classes[usize::from(class.0)].counts.arrived += 1;
            let flow = &mut self.flow;
            if flow.arrivals == 0 {
                flow.first_ns = at.ns();
            }
            (flow.last_ns, flow.served) = (at.ns(), flow.since_first);
            flow.arrivals += 1;
        } else {
            self.flow.before += 1;
        }
    }

    /// Iterations that end after the warm-up are counted from the end of the warm-up.
    fn run(&mut self, run: &RunSegment<'_>) {
        self.bins.iterations(run);
        let from = if run.boundary(run.first()) >= self.warmup { run.first() } else { run.ended_by(self.warmup, run.first()) };
        if from == run.end() {
            return;
        }
        self.tokens.output += run.tokens_out * (run.end() - from);
        let cut = run.boundary(from) < self.warmup;
        let record = &mut self.pools[usize::from(run.pool.0)];
        record.iterations += run.end() - from;
        record.iteration_ns += u128::from(run.span_ns(from, run.end()));
        if cut {
            record.add_cut_iteration(run, from, self.warmup);
        }
        record.add_iterations(run, from + u64::from(cut));
        self.gaps.record(run, from, &mut self.classes);
    }

    fn idle(&mut self, pool: PoolId, from: SimTime, to: SimTime, phase: Phase, energy: Energy) {
        // Idle power is whole milliwatts, so the energy per nanosecond is whole picojoules.
        let span = u128::from(to.since(from).ns());
        let power = energy.it_pj.checked_div(span).filter(|power| power * span == energy.it_pj);
        match power.and_then(|power| u64::try_from(power).ok()) {
            Some(power) => self.bins.steady_power(usize::from(pool.0), from, to, power),
            None => self.add_energy_to_bins(pool, from, to, energy),
        }
        let measured = self.measured_energy(energy, from, to);
        let span = self.measured_ns(from, to);
        let record = &mut self.pools[usize::from(pool.0)];
        record.idle_ns += u128::from(span);
        record.energy.add(phase, measured);
    }

    fn gauge(&mut self, pool: PoolId, (from, to): (SimTime, SimTime), running: u64, kv_blocks: u64) {
        if running == 0 && kv_blocks == 0 {
            return;
        }
        self.bins.span(usize::from(pool.0), from, to, |bin, ns, _| {
            bin.running += u128::from(running) * u128::from(ns);
            bin.kv_blocks += u128::from(kv_blocks) * u128::from(ns);
        });
        let span = u128::from(self.measured_ns(from, to));
        if span == 0 {
            return;
        }
        let record = &mut self.pools[usize::from(pool.0)];
        record.running += u128::from(running) * span;
        record.kv_blocks += u128::from(kv_blocks) * span;
        record.kv_peak = record.kv_peak.max(kv_blocks);
    }

    fn reserved(&mut self, pool: PoolId, from: SimTime, to: SimTime, kv_blocks: u64) {
        self.bins.span(usize::from(pool.0), from, to, |bin, ns, _| bin.kv_blocks += u128::from(kv_blocks) * u128::from(ns));
        self.pools[usize::from(pool.0)].kv_blocks += u128::from(kv_blocks) * u128::from(self.measured_ns(from, to));
    }

    fn queue(&mut self, pool: PoolId, from: SimTime, to: SimTime, waiting: u64) {
        self.bins.span(usize::from(pool.0), from, to, |bin, ns, _| {
            bin.waiting += u128::from(waiting) * u128::from(ns);
            bin.waiting_most = bin.waiting_most.max(waiting);
        });
        let span = u128::from(self.measured_ns(from, to));
        if span > 0 {
            let record = &mut self.pools[usize::from(pool.0)];
            record.waiting += u128::from(waiting) * span;
            record.queue_peak = record.queue_peak.max(waiting);
        }
    }

    fn token(&mut self, at: SimTime) {
        self.bins.count(at, |bin| bin.tokens += 1);
        self.tokens.output += u64::from(at > self.warmup);
    }

    fn handoff_queue(&mut self, model: ModelId, from: SimTime, to: SimTime, waiting: u64) {
        let index = usize::from(model.0);
        if self.handoffs.len() <= index {
            self.handoffs.resize(index + 1, HandoffRecord::default());
        }
        let span = u128::from(self.measured_ns(from, to));
        let record = &mut self.handoffs[index];
        record.waiting += u128::from(waiting) * span;
        record.blocked += if waiting > 0 { span } else { 0 };
    }

    fn ended(&mut self, record: &RequestRecord) {
        if record.outcome == Outcome::Completed {
            self.bins.count(record.done, |bin| bin.completions += 1);
            let flow = &mut self.flow;
            flow.completions += u64::from(record.done > self.warmup);
            flow.since_first += u64::from(flow.arrivals > 0);
        } else if record.outcome != Outcome::InFlight {
            self.bins.count(record.done, |bin| bin.lost += 1);
        }
        let measured = record.arrived >= self.warmup;
        let limits = self.limits_met(record);
        if measured {
            self.count_outcome(record);
            self.record_latencies(record);
            self.sessions.ended(record);
            self.outages.ended(record, record.outcome == Outcome::Completed);
            let class = &mut self.classes[usize::from(record.class.0)];
            if let Some(good) = limits.all {
                class.attainment.note(record.id, good);
            }
            class.ttft_met += u64::from(limits.ttft == Some(true));
            class.tpot_met += u64::from(limits.tpot == Some(true));
            if limits.all == Some(true) {
                class.good_tokens += u64::from(record.output_tokens);
            }
        }
        self.sink.request(&RequestRow { record: *record, limits, measured });
    }
}

impl<S: RequestSink> Observer for Recorder<S> {
    fn on(&mut self, at: SimTime, what: &Observation<'_>) {
        match *what {
            Observation::Arrived { class } => self.arrived(at, class),
            Observation::FirstToken { prompt, cached, .. } => {
                if at > self.warmup {
                    self.tokens.prompt += u64::from(prompt);
                    self.tokens.cached_prompt += u64::from(cached);
                }
            }
            Observation::Run(run) => self.run(run),
            Observation::Gap { class, ns } => {
                if at > self.warmup {
                    self.classes[usize::from(class.0)].itl.record(ns);
                }
            }
            Observation::Idle { pool, from, phase, energy } => self.idle(pool, from, at, phase, *energy),
            Observation::Gauge { pool, from, running, kv_blocks, .. } => self.gauge(pool, (from, at), running, kv_blocks),
            Observation::Reserved { pool, from, kv_blocks } => self.reserved(pool, from, at, kv_blocks),
            Observation::Queue { pool, from, waiting } => self.queue(pool, from, at, waiting),
            Observation::HandoffQueue { model, from, waiting } => self.handoff_queue(model, from, at, waiting),
            Observation::Transfer { from, bytes } => {
                if at > self.warmup {
                    self.transfers.record(at.since(from).ns());
                    self.transfer_bytes += bytes;
                }
            }
            Observation::Frontend { frontend, from, waiting, busy } => self.frontend(frontend, (from, at), waiting, busy),
            Observation::Token => self.token(at),
            Observation::Down { pool, from } => self.outages.down(pool, self.measured_ns(from, at)),
            Observation::Life { pool, instance, life } => self.outages.life(at, pool, instance, life, at >= self.warmup),
            Observation::Preempted { pool } => {
                if at >= self.warmup {
                    self.pools[usize::from(pool.0)].preemptions += 1;
                }
            }
            Observation::PrefixLookup { pool, hit, tokens } => {
                if at >= self.warmup {
                    let record = &mut self.pools[usize::from(pool.0)];
                    record.lookup_tokens += tokens;
                    record.hit_tokens += hit;
                }
            }
            Observation::Ended(record) => self.ended(record),
        }
    }

    /// True if rows are lost.
    fn failed(&self) -> bool {
        self.sink.failed()
    }
}
