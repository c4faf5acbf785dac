//! The serving engine of an instance: four phases per iteration, after vLLM v1.
//!
//! 1. **Form batch** (`batch.rs`): running sequences first, then arrived KV, then new prompts.
//! 2. **Execute**: the performance model says how long; the end is scheduled.
//! 3. **Complete**: tokens leave, sequences finish, prompts are handed on.
//! 4. **Schedule next**: the next batch is formed at once, or the instance falls idle.
//!
//! An undisturbed decode batch is *run ahead*: one event for many iterations. Whoever touches the instance from outside first
//! completes the iterations that lie before the present place in the order of events (`catch_up`), and what it does takes effect
//! at the next boundary. Stepping and running ahead go through the same `complete`, so they agree to the byte.

use super::event::{Event, InstanceId, Slot, iteration_key};
use super::instance::{InFlight, Instance, Run};
use super::observe::{IterationRecord, Observer};
use super::request::{Requests, Stage};
use super::state::{Cluster, PoolState};
use crate::perf::IterationCost;
use crate::power::{Energy, Phase};
use crate::sim::{SimDuration, SimTime};
use crate::units::nearest;

impl<O: Observer> Cluster<O> {
    /// Begins an iteration if the instance is idle and has work.
    pub(super) fn kick(&mut self, id: InstanceId) {
        if self.instances[id].current.is_none() {
            self.begin(id);
        }
    }

    /// Brings an instance to the present and makes it form a new batch at its next boundary.
    pub(super) fn touch(&mut self, id: InstanceId) {
        self.catch_up(id);
        let instance = &mut self.instances[id];
        if instance.planned > 1
            && let Some(current) = instance.current
        {
            instance.planned = 1;
            let generation = instance.generation.bump();
            let event = Event::IterationFinished { instance: id, generation };
            self.queue.push(event.key(current.end), event);
        }
    }

    /// Completes the iterations of a run that end before the present place in the order of events.
    pub(super) fn catch_up(&mut self, id: InstanceId) {
        loop {
            let instance = &self.instances[id];
            let Some(current) = instance.current.filter(|_| instance.planned > 1) else { return };
            if iteration_key(current.end, id) >= self.order {
                return;
            }
            self.complete_iteration(id);
            self.advance_run(id);
        }
    }

    /// The event of an instance: completes what was planned and goes on.
    pub(super) fn on_iteration_finished(&mut self, id: InstanceId) {
        while self.instances[id].planned > 1 {
            self.complete_iteration(id);
            self.advance_run(id);
        }
        let now = self.now;
        debug_assert_eq!(self.instances[id].current.map(|current| current.end), Some(now));
        self.complete_iteration(id);
        self.instances[id].planned = 0;
        self.finish_sequences(id);
        self.finish_prompts(id);
        self.begin(id);
    }

    /// Phases 1, 2 and 4: forms a batch and executes it, or lets the instance fall idle.
    pub(super) fn begin(&mut self, id: InstanceId) {
        let batch = self.form_batch(id);
        let now = self.now;
        let fast_forward = self.spec.fast_forward;
        let instance = &mut self.instances[id];
        if batch.shape.is_empty() {
            if instance.current.take().is_some() {
                instance.idle_since = now;
            }
            return;
        }
        if instance.current.is_none() {
            settle_idle(instance, &self.pools[instance.pool], &mut self.observer, now);
        }
        let perf = &self.pools[instance.pool].spec.perf;
        if batch.shape.prefill_tokens > 0 {
            let cost = perf.iteration(&batch.shape);
            let end = now + SimDuration::from_ns(whole_ns(cost.duration_ns));
            instance.run = None;
            instance.current = Some(InFlight { start: now, end, cost: Some(cost) });
            instance.planned = 1;
        } else {
            if batch.changed || instance.run.is_none_or(|run| run.done >= run.cost.iterations) {
                let cost = perf.decode_run(&batch.shape, instance.decode.windowed_growth());
                instance.run = Some(Run { start: now, cost, done: 0 });
            }
            self.plan_run(id, fast_forward);
        }
        let instance = &mut self.instances[id];
        let Some(current) = instance.current else { return };
        let last = instance.run.filter(|_| current.cost.is_none());
        let end = last.map_or(current.end, |run| boundary(&run, run.done + instance.planned));
        let generation = instance.generation.bump();
        let event = Event::IterationFinished { instance: id, generation };
        self.queue.push(event.key(end), event);
        self.start_layer_wise_transfers(id);
        if std::mem::take(&mut self.instances[id].returned) {
            self.memory_freed(id);
        }
    }

    /// Sets the next decode iteration of a run in flight and decides how many to run ahead.
    fn plan_run(&mut self, id: InstanceId, fast_forward: bool) {
        let Self { instances, requests, .. } = self;
        let instance = &mut instances[id];
        let Some(run) = instance.run else { return };
        instance.current = Some(InFlight { start: self.now, end: boundary(&run, run.done + 1), cost: None });
        instance.planned = if fast_forward && !instance.look_again {
            let milestone = instance.decode.iterations_to_milestone(|slot, epoch| requests.is_current(slot, epoch));
            let most = milestone.min(run.cost.iterations - run.done);
            instance.decode.iterations_within(instance.kv.free(), most).saturating_add(1).min(most)
        } else {
            1
        };
    }

    /// Between two iterations of a run: what forming the same batch again would do.
    fn advance_run(&mut self, id: InstanceId) {
        let instance = &mut self.instances[id];
        instance.planned -= 1;
        let blocks = instance.decode.blocks_needed();
        let taken = instance.kv.grow_pooled(blocks);
        debug_assert!(taken, "a run ends before its blocks run out");
        instance.ahead = true;
        if let (Some(run), Some(current)) = (&instance.run, &mut instance.current) {
            *current = InFlight { start: current.end, end: boundary(run, run.done + 1), cost: None };
        }
    }

    /// Phase 3, the part that every iteration has: time, energy, tokens of the decode batch.
    fn complete_iteration(&mut self, id: InstanceId) {
        let Self { instances, requests, observer, pools, events, .. } = self;
        let instance = &mut instances[id];
        let Some(InFlight { start, end, cost }) = &instance.current else { return };
        let (start, end) = (*start, *end);
        let pool = &pools[instance.pool];
        *events += 1;
        let cost = match (cost, instance.run.as_mut()) {
            (Some(cost), _) => *cost,
            (None, Some(run)) => {
                let cost = run_cost(run);
                run.done += 1;
                cost
            }
            (None, None) => return,
        };
        let span = end.since(start);
        let energy = pool.spec.power.busy_energy(span, cost.compute_ns, cost.memory_ns);
        let (prefill_energy, decode_energy) = energy.split(cost.prefill_share);
        let prefill_tokens: u64 = instance.chunks.iter().map(|chunk| u64::from(chunk.tokens)).sum();
        settle_gauges(id, instance, observer, end);
        let sequences = instance.decode.count;
        let gone = gone_from_batch(instance).count();
        let first = instance.chunks.iter().filter(|chunk| completes(requests, **chunk)).count();
        let tokens_out = u64::from(sequences) - gone as u64 + first as u64;
        observer.iteration(&IterationRecord {
            pool: instance.pool,
            instance: id,
            start,
            end,
            prefill_tokens,
            decode_sequences: sequences,
            tokens_out,
            prefill_share: cost.prefill_share,
            compute_ns: cost.compute_ns,
            memory_ns: cost.memory_ns,
            energy,
        });
        book_prefill(id, instance, requests, &cost, prefill_energy, prefill_tokens, span);
        if sequences > 0 {
            book_decode(instance, requests, observer, &cost, decode_energy, (start, end));
        }
        instance.ahead = false;
    }

    /// Sequences that have generated their last token leave.
    fn finish_sequences(&mut self, id: InstanceId) {
        let now = self.now;
        let mut freed = false;
        loop {
            let Self { instances, requests, .. } = self;
            let instance = &mut instances[id];
            let Some(slot) = instance.decode.pop_finished(|slot, epoch| requests.is_current(slot, epoch)) else { break };
            instance.leave_decode(requests, slot);
            requests[slot].timeline.last_token = now;
            freed = true;
            self.complete_request(slot);
        }
        if freed {
            self.memory_freed(id);
        }
    }

    /// Prompts that are done emit a token and go on: to the decode batch, to the handoff, or out.
    fn finish_prompts(&mut self, id: InstanceId) {
        let now = self.now;
        let mut chunks = std::mem::take(&mut self.instances[id].chunks);
        let mut shared = false;
        for chunk in &chunks {
            let Self { instances, loads, requests, observer, .. } = self;
            let instance = &mut instances[id];
            let request = &mut requests[chunk.slot];
            let computed = request.progress.computed + chunk.tokens;
            request.usage.recomputed += u64::from(request.progress.lost.min(computed).saturating_sub(request.progress.computed));
            request.progress.computed = computed;
            loads[id].computed(request, chunk.tokens);
            let computed = request.progress.computed.min(request.ask.prompt);
            shared |= instance.kv.publish(&request.ask.prefix, computed, &mut request.progress.held);
            if request.progress.computed < request.progress.target || request.progress.stage == Stage::Done {
                self.chunk_computed(chunk.slot);
                continue;
            }
            let first = request.timeline.first_token.is_none();
            let (class, prompt, cached) = (request.ask.class, request.ask.prompt, request.progress.cached);
            if let Some(gap) = request.emit(now) {
                observer.gaps(now, class, gap.ns(), 1);
            }
            if first {
                observer.first_token(now, class, prompt, cached);
            }
            instance.prefilling.retain(|&other| other != chunk.slot);
            self.chunk_computed(chunk.slot);
            self.prompt_done(id, chunk.slot);
        }
        chunks.clear();
        self.instances[id].chunks = chunks;
        if shared {
            self.memory_freed(id);
        }
    }

    /// A prompt is done and its token has left.
    fn prompt_done(&mut self, id: InstanceId, slot: Slot) {
        let Self { instances, requests, .. } = self;
        let instance = &mut instances[id];
        let request = &mut requests[slot];
        if request.progress.generated >= request.ask.output {
            instance.admitted.remove(requests, slot);
            self.complete_request(slot);
            self.memory_freed(id);
        } else if self.pools[instance.pool].hands_on {
            instance.admitted.remove(requests, slot);
            self.hand_on(slot);
        } else {
            request.progress.stage = Stage::Decoding;
            let stored = request.progress.computed;
            join_decode(instance, request, slot, stored);
        }
    }
}

/// Adds a running sequence to the decode batch.
pub(super) fn join_decode(instance: &mut Instance, request: &mut super::request::Request, slot: Slot, stored: u32) {
    request.progress.joined_context = stored;
    request.progress.joined = instance.totals;
    request.progress.joined.step = instance.decode.step;
    instance.decode.join(slot, request.progress.epoch, request.ask.class, stored, request.ask.output - request.progress.generated);
    instance.fresh.push(slot);
    instance.run = None;
}

/// End of iteration `n` of a run.
fn boundary(run: &Run, n: u64) -> SimTime {
    run.start + SimDuration::from_ns(run.cost.elapsed_ns(n))
}

/// Cost of the next iteration of a run.
pub(super) fn run_cost(run: &Run) -> IterationCost {
    let n = run.done as f64;
    let (first, step) = (&run.cost.first, &run.cost.step);
    IterationCost {
        duration_ns: first.duration_ns + n * step.duration_ns,
        compute_ns: first.compute_ns + n * step.compute_ns,
        memory_ns: first.memory_ns + n * step.memory_ns,
        flops: first.flops + n * step.flops,
        memory_bytes: first.memory_bytes + n * step.memory_bytes,
        link_bytes: first.link_bytes + n * step.link_bytes,
        prefill_share: 0.0,
    }
}

/// A duration as whole nanoseconds, at least one: an iteration of no length would stop the clock.
fn whole_ns(duration_ns: f64) -> u64 {
    nearest(duration_ns).max(1)
}

fn completes(requests: &Requests, chunk: super::instance::Chunk) -> bool {
    let request = &requests[chunk.slot];
    request.progress.computed + chunk.tokens >= request.progress.target && !request.is_done()
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
    for chunk in &instance.chunks {
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

/// Members of the decode batch whose clients have left since the iteration began: they hold their memory until its end, and nobody gets their
/// token.
fn gone_from_batch(instance: &Instance) -> impl Iterator<Item = Slot> {
    instance.aborted.iter().copied().filter(|slot| !instance.prefilling.contains(slot))
}

/// Books the decode part: sums for the members, gaps for the listeners, first iterations one by one.
fn book_decode<O: Observer>(
    instance: &mut Instance,
    requests: &mut Requests,
    observer: &mut O,
    cost: &IterationCost,
    energy: Energy,
    (start, end): (SimTime, SimTime),
) {
    let span = end.since(start);
    let each = 1.0 / f64::from(instance.decode.count);
    instance.totals.gap_sum += span.ns();
    instance.totals.gap_squares += u128::from(span.ns()) * u128::from(span.ns());
    instance.totals.energy_j += energy.it_j() * each;
    instance.totals.time_s += span.as_secs_f64() * (1.0 - cost.prefill_share) * each;
    if instance.decode.advance(|slot, epoch| requests.is_current(slot, epoch)) {
        // The line that the run follows has a new slope from here on.
        instance.run = None;
    }
    // The gap of a member that has just joined began when its last token left, not when this iteration started.
    let mut fresh = std::mem::take(&mut instance.fresh);
    for &(class, members) in instance.decode.by_class() {
        let of_class = |slot: &Slot| requests[*slot].ask.class == class;
        let joined = fresh.iter().filter(|slot| of_class(slot)).count();
        let gone = gone_from_batch(instance).filter(|slot| of_class(slot) && !fresh.contains(slot)).count();
        let rest = u64::from(members) - joined as u64 - gone as u64;
        if rest > 0 {
            observer.gaps(end, class, span.ns(), rest);
        }
    }
    for &slot in &fresh {
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
    fresh.clear();
    instance.fresh = fresh;
}

/// Reports the gauges for the time since they last changed. To be called before they change.
pub(super) fn settle_gauges<O: Observer>(id: InstanceId, instance: &mut Instance, observer: &mut O, now: SimTime) {
    if now > instance.gauges_since {
        observer.gauges(instance.pool, id, instance.gauges_since, now, instance.running(), instance.kv.used());
        instance.gauges_since = now;
    }
}

/// Reports the energy of the time without work so far.
pub(super) fn settle_idle<O: Observer>(instance: &mut Instance, pool: &PoolState, observer: &mut O, now: SimTime) {
    if now > instance.idle_since {
        let span = now.since(instance.idle_since);
        let phase = if instance.transfers > 0 { Phase::Transfer } else { Phase::Idle };
        observer.idle(instance.pool, instance.idle_since, now, phase, pool.spec.power.idle_energy(span));
        instance.idle_since = now;
    }
}
