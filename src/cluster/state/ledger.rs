//! The ledger of an instance: gauges, idle time, and the shares of iterations charged to requests.

use super::flight::InFlight;
use super::instance::{Batch, Chunk, Instance};
use super::requests::Requests;
use crate::cluster::ids::InstanceId;
use crate::cluster::observe::{Observation, Observer};
use crate::cluster::segment::{KvBlocks, Members, RunSegment, Sums, Work};
use crate::cluster::spec::PoolSpec;
use crate::perf::IterationCost;
use crate::policy::Life;
use crate::power::{Energy, Phase};
use crate::sim::{SimDuration, SimTime};
use crate::units::nearest_wide;
use crate::workload::ClassId;

/// Booking context of iterations: the instance, its requests, and the observer.
pub(super) struct Ledger<'a, O> {
    pub(super) id: InstanceId,
    pub(super) pool: &'a PoolSpec,
    /// True if first tokens of prompts that are handed off leave from the decode side.
    pub(super) keeps_token: bool,
    pub(super) requests: &'a mut Requests,
    pub(super) observer: &'a mut O,
}

/// Reports the gauges for the time since their last change. Called before each change.
pub(super) fn settle_gauges<O: Observer>(id: InstanceId, instance: &mut Instance, observer: &mut O, now: SimTime) {
    if now <= instance.gauges_since && instance.traffic.unreported.is_empty() {
        return;
    }
    let mut kv_blocks = instance.kv.used() - instance.traffic.unreported_blocks();
    let mut report = |until, from: &mut SimTime, kv_blocks| {
        if until > *from {
            let (pool, from, running) = (instance.pool, std::mem::replace(from, until), instance.running());
            observer.on(until, &Observation::Gauge { pool, instance: id, from, running, kv_blocks });
        }
    };
    let mut since = instance.gauges_since;
    let shown = instance.traffic.unreported.partition_point(|&(at, _)| at <= now);
    for &(at, blocks) in &instance.traffic.unreported[..shown] {
        report(at, &mut since, kv_blocks);
        kv_blocks += blocks;
    }
    report(now, &mut since, kv_blocks);
    instance.gauges_since = since;
    if shown > 0 {
        instance.traffic.unreported.drain(..shown);
    }
}

/// Reports blocks reserved by `at`, the end of a segment. Returns their number.
fn report_reserved<O: Observer>(instance: &mut Instance, observer: &mut O, at: SimTime) -> u64 {
    if instance.traffic.unreported.is_empty() {
        return 0;
    }
    let shown = instance.traffic.unreported.partition_point(|&(reserved_at, _)| reserved_at <= at);
    let mut reserved = 0;
    for (from, kv_blocks) in instance.traffic.unreported.drain(..shown) {
        reserved += kv_blocks;
        if from < at {
            observer.on(at, &Observation::Reserved { pool: instance.pool, from, kv_blocks });
        }
    }
    reserved
}

/// Reports idle time up to now, and its energy.
pub(super) fn settle_idle<O: Observer>(instance: &mut Instance, pool: &PoolSpec, life: Life, observer: &mut O, now: SimTime) {
    if now > instance.idle_since {
        let from = std::mem::replace(&mut instance.idle_since, now);
        let phase = match life {
            Life::Down => return observer.on(now, &Observation::Down { pool: instance.pool, from }),
            Life::Starting => Phase::Startup,
            Life::Active | Life::Draining if instance.traffic.transfers > 0 => Phase::Transfer,
            Life::Active | Life::Draining => Phase::Idle,
        };
        let energy = pool.power.idle_energy(now.since(from));
        observer.on(now, &Observation::Idle { pool: instance.pool, from, phase, energy: &energy });
    }
}

/// Counts the decode sequences of each class, and those whose gap is the first iteration since the last booking.
fn count_members(batch: &mut Batch, requests: &Requests) {
    let Batch { decode, members, fresh, .. } = batch;
    members.clear();
    members.extend(decode.by_class().iter().map(|&(class, count)| Members { class, count, on_time: count }));
    let gone = batch.leaving.iter().filter(|slot| !batch.prefilling.contains(slot) && !fresh.contains(slot));
    for slot in fresh.iter().chain(gone) {
        let class = requests[*slot].ask.class;
        if let Ok(place) = members.binary_search_by_key(&class, |member| member.class) {
            members[place].on_time -= 1;
        }
    }
}

/// Sums over a single iteration.
fn single_sums(span: SimDuration, energy: Energy, compute_ns: f64, memory_ns: f64) -> Sums {
    let squared_gaps = u128::from(span.ns()) * u128::from(span.ns());
    let (compute_ns, memory_ns) = (nearest_wide(compute_ns), nearest_wide(memory_ns));
    Sums { span_ns: span.ns(), energy, compute_ns, memory_ns, squared_gaps, taken_ns: 0 }
}

impl<O: Observer> Ledger<'_, O> {
    /// Books a single iteration: time, energy, tokens of the decode batch.
    pub(super) fn book_single(&mut self, instance: &mut Instance, current: InFlight, cost: &IterationCost) {
        let InFlight { start, end, .. } = current;
        let span = end.since(start);
        let energy = self.pool.power.busy_energy(span, cost.compute_ns, cost.memory_ns);
        let (prefill_energy, decode_energy) = energy.split(cost.prefill_share);
        let prefill_tokens: u64 = instance.batch.chunks.iter().map(|chunk| u64::from(chunk.tokens)).sum();
        let generates = !std::mem::take(&mut instance.batch.without_decode);
        count_members(&mut instance.batch, self.requests);
        if !generates {
            instance.batch.members.clear();
        }
        if instance.queue.is_ordered() {
            self.tell_queue(instance, 1);
        }
        let sequences = if generates { instance.batch.decode.count() } else { 0 };
        let gone = if generates { instance.gone_from_decode().count() as u64 } else { 0 };
        let first = instance.batch.chunks.iter().filter(|&&chunk| self.sends_token(chunk)).count() as u64;
        let settled = instance.gauges_since > start;
        if settled {
            settle_gauges(self.id, instance, self.observer, end);
        }
        instance.gauges_since = end;
        let base = instance.kv.used() - instance.traffic.unreported_blocks();
        let reserved = report_reserved(instance, self.observer, end);
        let segment = RunSegment {
            pool: instance.pool,
            instance: self.id,
            prefill_tokens,
            prefill_share: cost.prefill_share,
            decode_sequences: sequences,
            tokens_out: u64::from(sequences) - gone + first,
            running: instance.running(),
            members: &instance.batch.members,
            first: 0,
            end: 1,
            span: [start, end],
            gauged_from: u64::from(settled),
            gauged_ns: if settled { 0 } else { span.ns() },
            work: Work::Single,
            kv: KvBlocks { reserved, ..KvBlocks::constant(base) },
            sums: single_sums(span, energy, cost.compute_ns, cost.memory_ns),
        };
        self.observer.on(end, &Observation::Run(&segment));
        self.book_prefill(instance, cost, prefill_energy, prefill_tokens, span);
        if sequences > 0 {
            let each = 1.0 / f64::from(sequences);
            let totals = &mut instance.totals;
            totals.gap_sum += span.ns();
            totals.gap_squares += u128::from(span.ns()) * u128::from(span.ns());
            totals.energy_j += decode_energy.it_j() * each;
            totals.time_s += span.as_secs_f64() * (1.0 - cost.prefill_share) * each;
            self.advance_decode(instance, 1);
            let totals = instance.totals;
            self.book_first_iterations(instance, [start, end], None, (totals.gap_sum, totals.gap_squares));
        }
        instance.batch.ahead = false;
    }

    /// Charges the prefill part of an iteration to its chunks by tokens. Recomputation on a decode instance counts as decode.
    fn book_prefill(&mut self, instance: &Instance, cost: &IterationCost, energy: Energy, tokens: u64, span: SimDuration) {
        for chunk in &instance.batch.chunks {
            let share = f64::from(chunk.tokens) / tokens as f64;
            let request = &mut self.requests[chunk.slot];
            let (joules, seconds) = (share * energy.it_j(), share * cost.prefill_share * span.as_secs_f64());
            if self.id == request.progress.prefill_instance {
                request.usage.prefill_energy_j += joules;
                request.usage.prefill_s += seconds;
            } else {
                request.usage.decode_energy_j += joules;
                request.usage.decode_s += seconds;
            }
        }
    }

    /// Books the next `n` iterations of a run at once.
    pub(super) fn book_run(&mut self, instance: &mut Instance, n: u64) {
        count_members(&mut instance.batch, self.requests);
        if instance.queue.is_ordered() {
            self.tell_queue(instance, n);
        }
        let Some(run) = &instance.flight.run else { return };
        let (first, end) = (run.done, run.done + n);
        let kv = instance.batch.blocks_of_run();
        let (sequences, sums, taken) = (kv.sequences, run.sums(end, &kv), [first, end - 1].map(|n| kv.taken(n)));
        let (start, at) = (run.start + SimDuration::from_ns(run.booked.span_ns), run.start + SimDuration::from_ns(sums.span_ns));
        let next = if n == 1 { at } else { run.boundary(first + 1) };
        // End of the part whose gauges are reported on their own.
        let settled = instance.gauges_since > start;
        let (gauged_at, taken_ns) =
            if settled { (next, kv.taken_ns(&run.cost.durations, first + 1)) } else { (start, run.booked.taken_ns) };
        if settled {
            settle_gauges(self.id, instance, self.observer, next);
        }
        let gone = instance.gone_from_decode().count() as u64;
        let running = instance.running();
        let held = instance.kv.used() - instance.traffic.unreported_blocks();
        let reserved = report_reserved(instance, self.observer, at);
        let kv = KvBlocks { base: held - taken[0], reserved, ..instance.batch.blocks_of_run() };
        let Some(run) = &mut instance.flight.run else { return };
        let segment = RunSegment {
            pool: instance.pool,
            instance: self.id,
            prefill_tokens: 0,
            prefill_share: 0.0,
            decode_sequences: sequences,
            tokens_out: u64::from(sequences) - gone,
            running,
            members: &instance.batch.members,
            first,
            end,
            span: [start, at],
            gauged_from: first + u64::from(settled),
            gauged_ns: at.since(gauged_at).ns(),
            work: Work::Run { start: run.start, cost: run.cost, power: run.power },
            kv,
            sums: sums - Sums { taken_ns, ..run.booked },
        };
        self.observer.on(at, &Observation::Run(&segment));
        (run.done, run.booked) = (end, sums);
        instance.gauges_since = at;
        instance.totals = run.totals(sequences);
        let second = (n > 1 && !instance.batch.fresh.is_empty()).then(|| run.boundary(first + 2));
        let first_gaps = if instance.batch.fresh.is_empty() { (0, 0) } else { run.gaps(first + 1) };
        // The batch of each further iteration takes its blocks at the boundary before it.
        let grown = instance.kv.grow_pooled(taken[1] - taken[0]);
        debug_assert!(grown, "a run ends before its blocks run out");
        self.advance_decode(instance, n);
        self.book_first_iterations(instance, [start, next], second, first_gaps);
        instance.batch.ahead = false;
    }

    /// True if a token leaves when a chunk is computed.
    fn sends_token(&self, chunk: Chunk) -> bool {
        let request = &self.requests[chunk.slot];
        request.completes(chunk.tokens) && (!self.keeps_token || request.is_kept())
    }

    /// A queue order hears of the tokens of the next `n` iterations, those of members that have timed out excluded.
    #[cold]
    fn tell_queue(&self, instance: &mut Instance, n: u64) {
        let Instance { queue, batch, .. } = instance;
        let gone = batch.leaving.iter().filter(|slot| !batch.prefilling.contains(slot));
        let gone: Vec<ClassId> = gone.map(|&slot| self.requests[slot].ask.class).collect();
        let decoded = batch.members.iter().map(|&Members { class, count, .. }| {
            let gone = gone.iter().filter(|&&other| other == class).count() as u64;
            (class, 0, (u64::from(count) - gone) * n)
        });
        let token = |chunk: &Chunk| u64::from(self.sends_token(*chunk));
        let computed = batch.chunks.iter().map(|chunk| (self.requests[chunk.slot].ask.class, chunk.tokens.into(), token(chunk)));
        queue.served(self.requests, computed.chain(decoded));
    }

    /// Adds `n` tokens to every member of the decode batch.
    fn advance_decode(&mut self, instance: &mut Instance, n: u64) {
        let requests = &*self.requests;
        if instance.batch.decode.advance(n, |slot, epoch| requests.is_current(slot, epoch)) {
            // A full window changes the slope of the line that the run follows.
            instance.flight.run = None;
        }
    }

    /// Books the first iteration of members that have just joined: their gap began with their last token, not with this iteration. `gaps`:
    /// sum and sum of squares of the instance's gaps up to the end of this iteration. `second`: end of the next iteration, if also booked.
    fn book_first_iterations(&mut self, instance: &mut Instance, [start, end]: [SimTime; 2], second: Option<SimTime>, gaps: (u64, u128)) {
        if instance.batch.second.is_empty() && instance.batch.fresh.is_empty() {
            return;
        }
        for slot in instance.batch.second.drain(..) {
            self.requests[slot].second_token_leaves(end);
        }
        for slot in instance.batch.fresh.drain(..) {
            let request = &mut self.requests[slot];
            if request.is_done() {
                continue;
            }
            request.timeline.decode_start.get_or_insert(start);
            if request.timeline.first_token.is_none() {
                instance.batch.second.push(slot);
            }
            request.send_token(self.observer, end);
            (request.progress.joined.gap_sum, request.progress.joined.gap_squares) = gaps;
        }
        if let Some(at) = second {
            for slot in instance.batch.second.drain(..) {
                self.requests[slot].second_token_leaves(at);
            }
        }
    }

    /// Reports the completed part of an iteration that is cut off. None of its tokens leaves.
    pub(super) fn book_cut_off(&mut self, instance: &Instance, now: SimTime) {
        let Some(current) = instance.flight.current.filter(|current| current.start < now) else { return };
        let Some(cost) = instance.flight.cost() else { return };
        let span = now.since(current.start);
        let part = span.ns() as f64 / current.end.since(current.start).ns() as f64;
        let (compute_ns, memory_ns) = (cost.compute_ns * part, cost.memory_ns * part);
        let energy = self.pool.power.busy_energy(span, compute_ns, memory_ns);
        let segment = RunSegment {
            pool: instance.pool,
            instance: self.id,
            prefill_tokens: 0,
            prefill_share: cost.prefill_share,
            decode_sequences: 0,
            tokens_out: 0,
            running: instance.running(),
            members: &[],
            first: 0,
            end: 1,
            span: [current.start, now],
            // Its gauges have been reported.
            gauged_from: 1,
            gauged_ns: 0,
            work: Work::Single,
            kv: KvBlocks::constant(instance.kv.used()),
            sums: single_sums(span, energy, compute_ns, memory_ns),
        };
        self.observer.on(now, &Observation::Run(&segment));
    }
}
