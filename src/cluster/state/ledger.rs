//! The books of an instance: gauges, idle time, and what an iteration costs whom.

use super::flight::InFlight;
use super::instance::Instance;
use super::request::Requests;
use crate::cluster::ids::InstanceId;
use crate::cluster::observe::{IterationRecord, Observer};
use crate::cluster::spec::PoolSpec;
use crate::perf::IterationCost;
use crate::power::{Energy, Phase};
use crate::sim::{SimDuration, SimTime};

/// Reports the gauges for the time since they last changed. To be called before they change.
pub(super) fn settle_gauges<O: Observer>(id: InstanceId, instance: &mut Instance, observer: &mut O, now: SimTime) {
    if now > instance.gauges_since {
        observer.gauges(instance.pool, id, instance.gauges_since, now, instance.running(), instance.kv.used());
        instance.gauges_since = now;
    }
}

/// Reports the energy of the time without work so far.
pub(super) fn settle_idle<O: Observer>(instance: &mut Instance, pool: &PoolSpec, observer: &mut O, now: SimTime) {
    if now > instance.idle_since {
        let span = now.since(instance.idle_since);
        let phase = if instance.traffic.transfers > 0 { Phase::Transfer } else { Phase::Idle };
        observer.idle(instance.pool, instance.idle_since, now, phase, pool.power.idle_energy(span));
        instance.idle_since = now;
    }
}

/// Reports the part of an iteration that had been run when it was cut off. None of its tokens has left.
pub(super) fn settle_cut_off<O: Observer>(id: InstanceId, instance: &Instance, pool: &PoolSpec, observer: &mut O, now: SimTime) {
    let Some(current) = instance.flight.current.filter(|current| current.start < now) else { return };
    let Some(cost) = instance.flight.cost() else { return };
    let span = now.since(current.start);
    let part = span.ns() as f64 / current.end.since(current.start).ns() as f64;
    let (compute_ns, memory_ns) = (cost.compute_ns * part, cost.memory_ns * part);
    observer.iteration(&IterationRecord {
        pool: instance.pool,
        instance: id,
        start: current.start,
        end: now,
        prefill_tokens: 0,
        decode_sequences: 0,
        tokens_out: 0,
        prefill_share: cost.prefill_share,
        compute_ns,
        memory_ns,
        energy: pool.power.busy_energy(span, compute_ns, memory_ns),
    });
}

/// The part of an iteration's end that every iteration has: time, energy, tokens of the decode batch.
pub(super) fn book_iteration<O: Observer>(
    id: InstanceId,
    instance: &mut Instance,
    requests: &mut Requests,
    pool: &PoolSpec,
    observer: &mut O,
) {
    let (Some(InFlight { start, end, .. }), Some(cost)) = (instance.flight.current, instance.flight.cost()) else { return };
    if let Some(run) = instance.flight.run.as_mut() {
        run.done += 1;
    }
    let span = end.since(start);
    let energy = pool.power.busy_energy(span, cost.compute_ns, cost.memory_ns);
    let (prefill_energy, decode_energy) = energy.split(cost.prefill_share);
    let prefill_tokens: u64 = instance.batch.chunks.iter().map(|chunk| u64::from(chunk.tokens)).sum();
    settle_gauges(id, instance, observer, end);
    let sequences = instance.batch.decode.count();
    let gone = instance.gone_from_decode().count();
    let first = instance.batch.chunks.iter().filter(|chunk| requests[chunk.slot].completes(chunk.tokens)).count();
    observer.iteration(&IterationRecord {
        pool: instance.pool,
        instance: id,
        start,
        end,
        prefill_tokens,
        decode_sequences: sequences,
        tokens_out: u64::from(sequences) - gone as u64 + first as u64,
        prefill_share: cost.prefill_share,
        compute_ns: cost.compute_ns,
        memory_ns: cost.memory_ns,
        energy,
    });
    book_prefill(id, instance, requests, &cost, prefill_energy, prefill_tokens, span);
    if sequences > 0 {
        book_decode(instance, requests, observer, &cost, decode_energy, (start, end));
    }
    instance.batch.ahead = false;
}

/// Books the prefill part of an iteration to the chunks, by tokens, and to the place: what a decode instance computes again is its own.
fn book_prefill(
    id: InstanceId,
    instance: &Instance,
    requests: &mut Requests,
    cost: &IterationCost,
    energy: Energy,
    tokens: u64,
    span: SimDuration,
) {
    for chunk in &instance.batch.chunks {
        let share = f64::from(chunk.tokens) / tokens as f64;
        let request = &mut requests[chunk.slot];
        let (joules, seconds) = (share * energy.it_j(), share * cost.prefill_share * span.as_secs_f64());
        if id == request.progress.prefill_instance {
            request.usage.prefill_energy_j += joules;
            request.usage.prefill_s += seconds;
        } else {
            request.usage.decode_energy_j += joules;
            request.usage.decode_s += seconds;
        }
    }
}

/// Books the decode part: sums for the members, gaps for the observer, first iterations one by one.
fn book_decode<O: Observer>(
    instance: &mut Instance,
    requests: &mut Requests,
    observer: &mut O,
    cost: &IterationCost,
    energy: Energy,
    (start, end): (SimTime, SimTime),
) {
    let span = end.since(start);
    let each = 1.0 / f64::from(instance.batch.decode.count());
    let totals = &mut instance.totals;
    totals.gap_sum += span.ns();
    totals.gap_squares += u128::from(span.ns()) * u128::from(span.ns());
    totals.energy_j += energy.it_j() * each;
    totals.time_s += span.as_secs_f64() * (1.0 - cost.prefill_share) * each;
    if instance.batch.decode.advance(|slot, epoch| requests.is_current(slot, epoch)) {
        // The line that the run follows has a new slope from here on.
        instance.flight.run = None;
    }
    // The gap of a member that has just joined began when its last token left, not when this iteration started.
    let mut fresh = std::mem::take(&mut instance.batch.fresh);
    for &(class, members) in instance.batch.decode.by_class() {
        let of_class = |slot: &crate::cluster::ids::Slot| requests[*slot].ask.class == class;
        let joined = fresh.iter().filter(|slot| of_class(slot)).count();
        let gone = instance.gone_from_decode().filter(|slot| of_class(slot) && !fresh.contains(slot)).count();
        let rest = u64::from(members) - joined as u64 - gone as u64;
        if rest > 0 {
            observer.gaps(end, class, span.ns(), rest);
        }
    }
    for slot in fresh.drain(..) {
        let request = &mut requests[slot];
        if request.is_done() {
            continue;
        }
        request.timeline.decode_start.get_or_insert(start);
        if let Some(gap) = request.emit(end) {
            observer.gaps(end, request.ask.class, gap.ns(), 1);
        }
        request.progress.joined.gap_sum = instance.totals.gap_sum;
        request.progress.joined.gap_squares = instance.totals.gap_squares;
    }
    instance.batch.fresh = fresh;
}
