//! Summary of the recorded data.

use super::record::ClassRecord;
use super::recorder::{Recorder, RequestSink};
use super::summary::{
    AtBoundary, Cdf, ClassSummary, Cost, Distribution, Distributions, Energy, EnergyByPhase, Goodput, HandoffSummary, Jitter, Latency,
    Lengths, Lifecycle, MeanAndP99, NetworkSummary, PoolSummary, PoolTimeline, RequestCounts, RunResult, SCHEMA_VERSION, Summary,
    Throughput, Timeline, Warmup,
};
use super::values::Values;
use crate::power::{self, EnergyMeter, Phase, carbon_g, facility_j};
use crate::sim::SimTime;

/// Facts about a run from outside the recorder.
#[derive(Debug, Clone)]
pub struct RunFacts {
    /// Name of the scenario.
    pub scenario: String,
    /// Seed.
    pub seed: u64,
    /// Hash of all inputs.
    pub input_hash: String,
    /// End of the run.
    pub end: SimTime,
    /// Events handled.
    pub events: u64,
    /// Facility energy per IT energy, ≥ 1.
    pub pue: f64,
    /// Grams of CO2 equivalent per kWh at the facility.
    pub carbon_g_per_kwh: f64,
    /// See `Cluster::peak_port_utilization`.
    pub peak_port_utilization: Option<f64>,
}

/// Usage of one pool over the measured time: the basis of its cost.
#[derive(Debug, Clone, Copy)]
pub struct PoolUse {
    /// Instance-seconds provided.
    pub instance_s: f64,
    /// Share of the busy time caused by prefill; `None` if never busy.
    pub prefill_share: Option<f64>,
    /// IT joules.
    pub it_j: f64,
}

const CDF_POINTS: u32 = 400;

fn seconds(ns: u128) -> f64 {
    ns as f64 * 1e-9
}

/// A ratio, undefined if the denominator is zero.
fn ratio(a: f64, b: f64) -> Option<f64> {
    (b > 0.0).then(|| a / b)
}

/// A ratio that is 0 if the denominator is zero.
fn share(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

/// Jitter of the gaps; `spread`: standard deviations within single requests.
fn jitter(gaps: Option<Distribution>, spread: &Values) -> Jitter {
    let request_itl_std_ms =
        (spread.count() > 0).then(|| MeanAndP99 { mean: spread.mean() / 1e6, p99: spread.percentiles([0.99])[0] / 1e6 });
    let Some(itl) = gaps else { return Jitter { request_itl_std_ms, ..Jitter::default() } };
    Jitter {
        itl_std_ms: Some(itl.std),
        itl_cov: ratio(itl.std, itl.mean),
        itl_p99_minus_p50_ms: Some(itl.p99 - itl.p50),
        itl_p99_over_p50: ratio(itl.p99, itl.p50),
        longest_stall_ms: Some(itl.max),
        request_itl_std_ms,
    }
}

impl<S: RequestSink> Recorder<S> {
    /// The result of the run, except money, provenance and warnings, which are added elsewhere.
    pub fn result(&mut self, facts: &RunFacts) -> RunResult {
        self.classes.iter_mut().for_each(ClassRecord::sort);
        self.transfers.sort();
        let measured_s = facts.end.since(self.warmup).as_secs_f64();
        let requests = self.counts();
        let latency = self.latency();
        let summary = Summary {
            schema_version: SCHEMA_VERSION,
            scenario: facts.scenario.clone(),
            seed: facts.seed,
            input_hash: facts.input_hash.clone(),
            simulated_s: facts.end.as_secs_f64(),
            measured_s,
            arriving_s: self.arriving_s(),
            warmup: Warmup { s: self.parameters.warmup.as_secs_f64(), requests: self.flow.before },
            events: facts.events,
            requests,
            tokens: self.tokens,
            lengths: Lengths {
                prompt_mean: ratio(self.asked[0] as f64, requests.arrived as f64),
                output_mean: ratio(self.asked[1] as f64, requests.completed as f64),
            },
            throughput: self.throughput(measured_s),
            latency,
            jitter: jitter(latency.itl_ms, &self.pooled(|class| &class.request_std)),
            goodput: self.goodput(measured_s),
            lifecycle: self.lifecycle(),
            energy: self.energy(facts, measured_s),
            cost: Cost::default(),
            pools: self.pool_summaries(measured_s),
            classes: self.class_summaries(),
            frontends: self.frontends(measured_s),
            fleet: self.outages.summary(&self.parameters.pools, self.warmup, facts.end),
            handoff: self.handoff(measured_s),
            network: self.network(facts),
            sessions: self.sessions.summary(),
            provenance: Vec::new(),
            assertions: Vec::new(),
            warnings: Vec::new(),
        };
        RunResult { summary, timeline: self.timeline(facts.end), distributions: self.distributions() }
    }

    /// Usage of each pool.
    pub fn pool_uses(&self, end: SimTime) -> Vec<PoolUse> {
        let measured_s = end.since(self.warmup).as_secs_f64();
        self.pools
            .iter()
            .zip(&self.parameters.pools)
            .map(|(record, pool)| PoolUse {
                instance_s: f64::from(pool.instances) * measured_s,
                prefill_share: ratio(seconds(record.prefill_ns), seconds(record.busy_ns)),
                it_j: record.energy.total().it_j(),
            })
            .collect()
    }

    fn counts(&self) -> RequestCounts {
        self.classes.iter().map(|class| &class.counts).fold(RequestCounts::default(), |a, b| RequestCounts {
            arrived: a.arrived + b.arrived,
            completed: a.completed + b.completed,
            rejected: a.rejected + b.rejected,
            refused: a.refused + b.refused,
            timed_out: a.timed_out + b.timed_out,
            failed: a.failed + b.failed,
            in_flight: a.in_flight + b.in_flight,
            truncated: a.truncated + b.truncated,
            preemptions: a.preemptions + b.preemptions,
        })
    }

    fn throughput(&self, measured_s: f64) -> Throughput {
        let chips: u32 = self.parameters.pools.iter().map(|pool| pool.instances * pool.chips_per_instance).sum();
        let output = ratio(self.tokens.output as f64, measured_s);
        let arriving_s = (self.flow.last_ns - self.flow.first_ns) as f64 * 1e-9;
        Throughput {
            offered_requests_per_s: ratio(self.flow.arrivals.saturating_sub(1) as f64, arriving_s),
            served_requests_per_s: ratio(self.flow.served as f64, arriving_s),
            requests_per_s: ratio(self.flow.completions as f64, measured_s),
            output_tokens_per_s: output,
            total_tokens_per_s: ratio((self.tokens.prompt + self.tokens.output) as f64, measured_s),
            output_tokens_per_s_per_chip: output.map(|output| output / f64::from(chips)),
        }
    }

    /// Seconds from the end of the warm-up to the last arrival.
    fn arriving_s(&self) -> f64 {
        SimTime::from_ns(self.flow.last_ns).since(self.warmup).as_secs_f64()
    }

    fn pooled(&self, of: impl Fn(&ClassRecord) -> &Values) -> Values {
        let mut all = Values::default();
        for class in &self.classes {
            all.merge(of(class));
        }
        all
    }

    fn latency(&self) -> Latency {
        Latency {
            ttft_ms: self.pooled(|class| &class.ttft).distribution_ms(),
            ttst_ms: self.pooled(|class| &class.ttst).distribution_ms(),
            tpot_ms: self.pooled(|class| &class.tpot).distribution_ms(),
            itl_ms: self.pooled(|class| &class.itl).distribution_ms(),
            e2e_ms: self.pooled(|class| &class.e2e).distribution_ms(),
        }
    }

    fn goodput(&self, measured_s: f64) -> Option<Goodput> {
        let with_limits =
            || self.classes.iter().zip(&self.parameters.classes).filter(|(_, class)| class.slo.any()).map(|(record, _)| record);
        with_limits().next()?;
        let good: u64 = with_limits().map(|class| class.attainment.good()).sum();
        let judged: u64 = with_limits().map(|class| class.attainment.judged()).sum();
        Some(Goodput {
            requests_per_s: ratio(good as f64, measured_s),
            output_tokens_per_s: ratio(with_limits().map(|class| class.good_tokens).sum::<u64>() as f64, measured_s),
            slo_attainment: ratio(good as f64, judged as f64),
        })
    }

    fn lifecycle(&self) -> Option<Lifecycle> {
        let completed: u64 = self.classes.iter().map(|class| class.counts.completed).sum();
        let mean_ms = |sum: u128| sum as f64 / 1e6 / completed as f64;
        let stages = &self.stages;
        (completed > 0).then(|| Lifecycle {
            queue_ms: mean_ms(stages.queue),
            prefill_ms: mean_ms(stages.prefill),
            reserve_ms: mean_ms(stages.reserve),
            transfer_ms: mean_ms(stages.transfer),
            decode_queue_ms: mean_ms(stages.decode_queue),
            decode_ms: mean_ms(stages.decode),
            frontend_ms: (stages.frontend > 0).then(|| mean_ms(stages.frontend)),
            recovery_ms: (stages.recovery > 0).then(|| mean_ms(stages.recovery)),
        })
    }

    fn energy(&self, facts: &RunFacts, measured_s: f64) -> Energy {
        let mut meter = EnergyMeter::default();
        self.pools.iter().for_each(|pool| meter.merge(&pool.energy));
        let (chip_j, it_j) = (meter.total().chip_j(), meter.total().it_j());
        let facility_j = facility_j(it_j, facts.pue);
        let at = |tokens: u64| AtBoundary {
            chip: ratio(tokens as f64, chip_j),
            it: ratio(tokens as f64, it_j),
            facility: ratio(tokens as f64, facility_j),
        };
        let output_tokens_per_j = at(self.tokens.output);
        Energy {
            chip_j,
            it_j,
            facility_j,
            by_phase: by_phase(&meter, power::Energy::it_j),
            chip_by_phase: by_phase(&meter, power::Energy::chip_j),
            output_tokens_per_j,
            total_tokens_per_j: at(self.tokens.prompt + self.tokens.output),
            mean_power_w: ratio(facility_j, measured_s),
            peak_power_w: self.peak_it_power_w(facts.end) * facts.pue,
            peak_power_window_s: self.bins.interval_ns() as f64 * 1e-9,
            output_tokens_per_s_per_mw: output_tokens_per_j.facility.map(|per_j| per_j * 1e6),
            carbon_g: carbon_g(facility_j, facts.carbon_g_per_kwh),
        }
    }

    /// Highest IT power of any timeline interval that begins after the warm-up (of any interval, if none does).
    fn peak_it_power_w(&self, end: SimTime) -> f64 {
        let timeline = self.timeline(end);
        let powers = |from: f64| {
            (0..timeline.at_s.len())
                .filter(|&i| timeline.at_s[i] >= from)
                .map(|i| timeline.pools.iter().map(|pool| pool.power_w[i]).sum::<f64>())
                .fold(0.0, f64::max)
        };
        let measured = powers(self.warmup.as_secs_f64());
        if measured > 0.0 { measured } else { powers(0.0) }
    }

    fn pool_summaries(&self, measured_s: f64) -> Vec<PoolSummary> {
        let summaries = self.pools.iter().zip(&self.parameters.pools).enumerate().map(|(index, (record, pool))| {
            let provided_s = f64::from(pool.instances) * measured_s;
            let busy_s = seconds(record.busy_ns);
            // A performance model that gives durations only has no utilization of compute or memory.
            let known = record.compute_ns > 0 || record.memory_ns > 0;
            let blocks = pool.kv_blocks as f64;
            let energy_j = record.energy.total().it_j();
            PoolSummary {
                name: pool.name.clone(),
                role: pool.role,
                hardware: pool.hardware.clone(),
                model: pool.model.clone(),
                instances: pool.instances,
                chips: pool.instances * pool.chips_per_instance,
                // Every nanosecond is booked once, as busy, idle or off: the ratio of integers never exceeds 1.
                utilization: share(record.busy_ns as f64, (record.busy_ns + record.idle_ns + self.outages.down_ns(index)) as f64),
                mfu: ratio(seconds(record.compute_ns), if known { busy_s } else { 0.0 }),
                mbu: ratio(seconds(record.memory_ns), if known { busy_s } else { 0.0 }),
                iterations: record.iterations,
                iteration_ms_mean: ratio(seconds(record.iteration_ns) * 1e3, record.iterations as f64),
                batch_mean: share(seconds(record.running), provided_s),
                max_num_seqs: pool.max_num_seqs,
                kv_utilization_mean: share(seconds(record.kv_blocks), provided_s * blocks),
                kv_utilization_peak: share(record.kv_peak as f64, blocks),
                kv_capacity_tokens: pool.kv_blocks * u64::from(pool.block_size),
                queue_mean: share(seconds(record.waiting), measured_s),
                queue_peak: record.queue_peak,
                prefix_hit_rate: ratio(record.hit_tokens as f64, record.lookup_tokens as f64),
                preemptions: record.preemptions,
                energy_j,
                mean_power_w: ratio(energy_j, measured_s),
                energy_by_phase: by_phase(&record.energy, power::Energy::it_j),
                cost_usd: 0.0,
                perf: pool.perf.clone(),
            }
        });
        summaries.collect()
    }

    fn class_summaries(&self) -> Vec<ClassSummary> {
        let summaries = self.classes.iter().zip(&self.parameters.classes).map(|(record, class)| {
            let latency = Latency {
                ttft_ms: record.ttft.distribution_ms(),
                ttst_ms: record.ttst.distribution_ms(),
                tpot_ms: record.tpot.distribution_ms(),
                itl_ms: record.itl.distribution_ms(),
                e2e_ms: record.e2e.distribution_ms(),
            };
            let met = |asked: bool, met: u64| if asked { ratio(met as f64, record.attainment.judged() as f64) } else { None };
            ClassSummary {
                name: class.name.clone(),
                requests: record.counts,
                slo: class.slo,
                slo_attainment: met(class.slo.any(), record.attainment.good()),
                slo_attainment_95: record.attainment.interval().filter(|_| class.slo.any()),
                ttft_attainment: met(class.slo.ttft_ms.is_some(), record.ttft_met),
                tpot_attainment: met(class.slo.tpot_ms.is_some(), record.tpot_met),
                latency,
                jitter: jitter(latency.itl_ms, &record.request_std),
            }
        });
        summaries.collect()
    }

    fn handoff(&self, measured_s: f64) -> HandoffSummary {
        let worst = self.handoffs.iter().max_by_key(|record| record.blocked).copied().unwrap_or_default();
        HandoffSummary { waiting_mean: share(seconds(worst.waiting), measured_s), blocked_share: share(seconds(worst.blocked), measured_s) }
    }

    fn network(&self, facts: &RunFacts) -> NetworkSummary {
        let transfers = self.transfers.distribution_ms();
        NetworkSummary {
            transfers: self.transfers.count(),
            bytes: self.transfer_bytes,
            transfer_ms_mean: transfers.map(|t| t.mean),
            transfer_ms_p99: transfers.map(|t| t.p99),
            peak_port_utilization: facts.peak_port_utilization,
        }
    }

    fn timeline(&self, end: SimTime) -> Timeline {
        let interval = self.bins.interval_ns();
        let starts: Vec<u64> = (0..end.ns().div_ceil(interval).max(1)).map(|i| i * interval).collect();
        let count = starts.len();
        // The end of the run truncates the last interval.
        let width_ns = |i: usize| (end.ns().saturating_sub(i as u64 * interval)).clamp(1, interval) as f64;
        let counts = self.bins.counts();
        let rate = |i: usize, of: fn(&super::bins::CountBin) -> u64| counts.get(i).map_or(0.0, |bin| of(bin) as f64 / (width_ns(i) * 1e-9));
        let pools = self.parameters.pools.iter().enumerate().map(|(index, pool)| {
            let bins = self.bins.pool(index);
            let mean = |of: fn(&super::bins::PoolBin) -> u128, scale: f64| {
                (0..count).map(|i| bins.get(i).map_or(0.0, |bin| of(bin) as f64 / width_ns(i) * scale)).collect::<Vec<f64>>()
            };
            PoolTimeline {
                name: pool.name.clone(),
                queue: mean(|bin| bin.waiting, 1.0),
                queue_most: (0..count).map(|i| bins.get(i).map_or(0.0, |bin| bin.waiting_most as f64)).collect(),
                running: mean(|bin| bin.running, 1.0),
                kv_utilization: mean(|bin| bin.kv_blocks, 1.0 / (pool.kv_blocks as f64 * f64::from(pool.instances))),
                power_w: mean(|bin| bin.it_pj, 1e-3),
                instances: self.outages.serving(index, pool.instances, end, interval),
            }
        });
        Timeline {
            interval_s: interval as f64 * 1e-9,
            at_s: starts.iter().map(|&start| start as f64 * 1e-9).collect(),
            arrivals_per_s: (0..count).map(|i| rate(i, |bin| bin.arrivals)).collect(),
            completions_per_s: (0..count).map(|i| rate(i, |bin| bin.completions)).collect(),
            lost_per_s: (0..count).map(|i| rate(i, |bin| bin.lost)).collect(),
            output_tokens_per_s: (0..count).map(|i| rate(i, |bin| bin.tokens)).collect(),
            pools: pools.collect(),
        }
    }

    fn distributions(&self) -> Distributions {
        let cdfs = |of: fn(&ClassRecord) -> &Values| {
            let classes = self.classes.iter().zip(&self.parameters.classes).filter(|(record, _)| of(record).count() > 0);
            classes
                .map(|(record, class)| {
                    let (value, fraction) = of(record).cdf_ms(CDF_POINTS);
                    Cdf { label: class.name.clone(), value, fraction }
                })
                .collect()
        };
        Distributions {
            ttft_ms: cdfs(|class| &class.ttft),
            itl_ms: cdfs(|class| &class.itl),
            tpot_ms: cdfs(|class| &class.tpot),
            e2e_ms: cdfs(|class| &class.e2e),
        }
    }
}

fn by_phase(meter: &EnergyMeter, at: fn(power::Energy) -> f64) -> EnergyByPhase {
    let joules = |phase| at(meter.of(phase));
    EnergyByPhase {
        prefill_j: joules(Phase::Prefill),
        decode_j: joules(Phase::Decode),
        transfer_j: joules(Phase::Transfer),
        idle_j: joules(Phase::Idle),
        startup_j: joules(Phase::Startup),
    }
}
