//! A request: its specification, progress, timeline and usage.

use super::snapshot::Snapshot;
use crate::cluster::ids::{InstanceId, Slot, StationId};
use crate::cluster::observe::{Observation, Observer};
use crate::kv::{Blocks, Lease, Residue};
use crate::network::{RouteId, TransferId};
use crate::policy::Pick;
use crate::sim::{SimDuration, SimTime};
use crate::workload::{ClassId, RequestSpec, Turn};

/// Stage of a request. From every stage a failure leads back to `Arrived`. `Done` lasts only until the iteration, service or transfer
/// that uses its resources ends.
///
/// ```text
/// Arrived → [AtFrontend → InFrontend → Arrived →] Waiting → Prefilling → [Reserving → Transferring → Resident →] Decoding → Done
///              ↑           │                                                  │
///              └───────────┴──────────── preempted ───────────────────────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// On no instance: it has just arrived, or waits for a retry.
    Arrived,
    /// In the queue of a frontend.
    AtFrontend,
    /// In service at a frontend.
    InFrontend,
    /// In the queue of an instance.
    Waiting,
    /// Its prompt (or, after preemption, prompt and output so far) is being computed.
    Prefilling,
    /// Its prompt is done; it waits for memory on the decode side.
    Reserving,
    /// Its KV is on the wire.
    Transferring,
    /// The receiver of its KV has failed; it waits for the sender timeout.
    Stalled,
    /// Its KV is on the decode side; it waits to join the batch.
    Resident,
    /// Generating.
    Decoding,
    /// Timed out; its resources are released when its iteration, service or transfer ends.
    Done,
}

/// The specification of a request.
#[derive(Debug)]
pub(crate) struct Ask {
    /// Number in order of arrival, from 0.
    pub(super) id: u64,
    /// The mark that its workload gave it.
    pub(super) tag: u64,
    pub(super) class: ClassId,
    pub(super) turn: Option<Turn>,
    pub(super) prompt: u32,
    /// Output tokens, cut at the context limit. Engine-side only: no policy reads it.
    pub(super) output: u32,
    pub(super) truncated: bool,
    /// Identities of the leading blocks of prompt and answer.
    pub(super) blocks: Blocks,
}

/// Stage of a request, its progress, and its resources there.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(super) stage: Stage,
    /// True once its end has been reported; it may still hold memory.
    pub(super) reported: bool,
    /// Changes whenever scheduled events and heap entries for this request become void.
    pub(super) epoch: u32,
    /// Station where it waits or is served.
    pub(super) station: Option<StationId>,
    pub(super) instance: InstanceId,
    pub(super) prefill_instance: InstanceId,
    pub(super) decode_instance: Option<InstanceId>,
    /// Tokens whose KV must be computed before the next token leaves, and those computed so far.
    pub(super) target: u32,
    pub(super) computed: u32,
    pub(super) cached: u32,
    /// Its share of the pending tokens of its instance.
    pub(super) pending: u64,
    /// KV memory on its instance.
    pub(super) held: Lease,
    /// Blocks it may find again on its instance, while it waits after a preemption.
    pub(super) residue: Option<Residue>,
    pub(super) generated: u32,
    /// Stored KV tokens when it joined the decode batch.
    pub(super) joined_context: u32,
    pub(super) joined: Snapshot,
    pub(super) preemptions: u32,
    /// True while it waits in the queue after a preemption.
    pub(super) returning: bool,
    /// Peak of the tokens whose KV was computed and lost.
    pub(super) lost: u32,
    /// Failed attempts: an instance failed, or none accepted it.
    pub(super) failures: u32,
    pub(super) let_in: bool,
    /// The router of its handoff has it wait, or has refused it.
    pub(super) held_by: Option<Pick>,
    /// Receiver of its KV that the router chose on arrival.
    pub(super) bound_for: Option<InstanceId>,
}

/// Handoff of its KV to the decode side.
#[derive(Debug, Default)]
pub(crate) struct Handoff {
    /// True if there is none: its prefill instance keeps it to the end.
    pub(super) kept: bool,
    /// Memory reserved on the decode side, until the KV has arrived.
    pub(super) reserved: Lease,
    /// Leading prompt tokens cached on the decode side at the time of the reservation.
    pub(super) decode_hit: u32,
    pub(super) transfer: Option<TransferId>,
    /// Route to the receiver and bandwidth limit of both ends, bytes per second. Known once something has been sent.
    pub(super) way: Option<(RouteId, f64)>,
    /// Bytes of the current chunk whose layers are not yet computed.
    pub(super) layer_bytes: f64,
    /// Leading prompt tokens whose KV has been offered to the network.
    pub(super) offered: u32,
    /// Bytes offered to the network so far.
    pub(super) bytes: f64,
    /// True once the finished prompt has left the batch; its blocks wait to be read.
    pub(super) held_back: bool,
    /// After a receiver failure: earliest time to offer the KV again.
    pub(super) not_before: SimTime,
}

/// Timestamps of a request.
#[derive(Debug)]
pub(crate) struct Timeline {
    pub(super) arrived: SimTime,
    /// When it left the frontend.
    pub(super) admitted: SimTime,
    pub(super) prefill_start: Option<SimTime>,
    /// When its prompt was first computed, unless lost before its first token left.
    pub(super) prefill_end: Option<SimTime>,
    pub(super) first_token: Option<SimTime>,
    pub(super) second_token: Option<SimTime>,
    /// Since when it has been refused decode memory before its prefill, and how long the last refusal lasted.
    pub(super) refused_at: Option<SimTime>,
    pub(super) memory_wait: SimDuration,
    pub(super) reserved_at: Option<SimTime>,
    pub(super) transfer_start: Option<SimTime>,
    pub(super) delivered: Option<SimTime>,
    pub(super) decode_start: Option<SimTime>,
    pub(super) last_token: SimTime,
    /// Start of the present failure, and the time lost to earlier ones, before and after its first token.
    pub(super) failed_at: Option<SimTime>,
    pub(super) recovery: [SimDuration; 2],
    pub(super) resumed: Option<SimTime>,
}

/// Resource usage of a request, and the gaps between its tokens.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    pub(super) gap_count: u64,
    pub(super) gap_sum: u64,
    pub(super) gap_squares: u128,
    /// Energy of computing its prompt on its prefill instance, and of everything else, J.
    pub(super) prefill_energy_j: f64,
    pub(super) decode_energy_j: f64,
    pub(super) prefill_s: f64,
    pub(super) decode_s: f64,
    /// Tokens recomputed after their KV was lost; tokens found in a cache are not among them.
    pub(super) recomputed: u64,
}

/// One live request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(super) ask: Ask,
    pub(super) progress: Progress,
    pub(super) handoff: Handoff,
    pub(super) timeline: Timeline,
    pub(super) usage: Usage,
    pub(super) links: Links,
}

/// Neighbours in the list that contains the request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Links {
    pub(super) before: Option<Slot>,
    pub(super) after: Option<Slot>,
}

impl Request {
    pub(crate) fn new(id: u64, at: SimTime, spec: RequestSpec) -> Self {
        let RequestSpec { tag, class, turn, prompt_tokens, output_tokens, blocks } = spec;
        Self {
            ask: Ask { id, tag, class, turn, prompt: prompt_tokens, output: output_tokens, truncated: false, blocks },
            progress: Progress {
                stage: Stage::Arrived,
                reported: false,
                epoch: 0,
                station: None,
                instance: InstanceId(u32::MAX),
                prefill_instance: InstanceId(u32::MAX),
                decode_instance: None,
                target: prompt_tokens,
                computed: 0,
                cached: 0,
                pending: 0,
                held: Lease::default(),
                residue: None,
                generated: 0,
                joined_context: 0,
                joined: Snapshot::default(),
                preemptions: 0,
                returning: false,
                lost: 0,
                failures: 0,
                let_in: false,
                held_by: None,
                bound_for: None,
            },
            handoff: Handoff::default(),
            timeline: Timeline {
                arrived: at,
                admitted: at,
                prefill_start: None,
                prefill_end: None,
                first_token: None,
                second_token: None,
                refused_at: None,
                memory_wait: SimDuration::ZERO,
                reserved_at: None,
                transfer_start: None,
                delivered: None,
                decode_start: None,
                last_token: at,
                failed_at: None,
                recovery: [SimDuration::ZERO; 2],
                resumed: None,
            },
            usage: Usage::default(),
            links: Links::default(),
        }
    }

    /// Cuts its output to a context of `context` tokens, which is longer than its prompt.
    pub(crate) fn cut(&mut self, context: u32) {
        let room = context.saturating_sub(self.ask.prompt);
        self.ask.truncated |= self.ask.output > room;
        self.ask.output = self.ask.output.min(room);
    }

    /// Records a token that leaves at `now`; returns the gap since the previous token, if any.
    pub(crate) fn emit(&mut self, now: SimTime) -> Option<SimDuration> {
        let timeline = &mut self.timeline;
        let gap = timeline.first_token.map(|_| now.since(timeline.last_token));
        if timeline.first_token.is_none() {
            timeline.first_token = Some(now);
        } else if timeline.second_token.is_none() {
            timeline.second_token = Some(now);
        }
        timeline.last_token = now;
        if let Some(since) = timeline.failed_at.take() {
            timeline.recovery[1] += now.since(since);
            timeline.resumed = Some(now);
        }
        self.progress.generated += 1;
        if let Some(gap) = gap {
            self.usage.add_gaps(1, gap.ns(), u128::from(gap.ns()) * u128::from(gap.ns()));
        }
        gap
    }

    /// The second token leaves at `at`, with those of the whole batch.
    pub(super) fn second_token_leaves(&mut self, at: SimTime) {
        self.timeline.second_token.get_or_insert(at);
        self.timeline.last_token = at;
    }

    /// A token leaves at `now`: the first one, or one whose gap is reported on its own.
    pub(super) fn send_token<O: Observer>(&mut self, observer: &mut O, now: SimTime) {
        let (class, prompt, cached) = (self.ask.class, self.ask.prompt, self.progress.cached);
        let gap = self.emit(now);
        observer.on(
            now,
            &match gap {
                Some(gap) => Observation::Gap { class, ns: gap.ns() },
                None => Observation::FirstToken { class, prompt, cached },
            },
        );
    }

    /// Iterations of the decode batch that it has taken part in; `step`: those of the instance so far. It leaves before its output is
    /// exceeded, so there are no more iterations than tokens.
    #[expect(clippy::cast_possible_truncation, reason = "at most its output, which is 32 bits")]
    pub(super) const fn iterations(&self, step: u64) -> u32 {
        (step - self.progress.joined.step) as u32
    }

    /// Charges a member of a decode batch for its iterations, up to the instance's sums `totals` after `step` iterations.
    pub(super) fn book_decode(&mut self, step: u64, totals: &Snapshot) {
        let (iterations, joined) = (self.iterations(step), self.progress.joined);
        // The first iteration was booked on its own, because its gap began earlier.
        if let Some(later) = iterations.checked_sub(1) {
            self.progress.generated += later;
            self.usage.add_gaps(u64::from(later), totals.gap_sum - joined.gap_sum, totals.gap_squares - joined.gap_squares);
        }
        self.usage.decode_energy_j += totals.energy_j - joined.energy_j;
        self.usage.decode_s += totals.time_s - joined.time_s;
    }

    /// Its KV is lost: its prompt and all tokens that have left must be recomputed, on some instance.
    pub(super) fn start_over(&mut self, now: SimTime) {
        self.void_handoff(SimTime::ZERO);
        self.handoff.held_back = false;
        let Self { ask, progress, timeline, .. } = self;
        progress.stage = Stage::Arrived;
        progress.lost = progress.lost.max(progress.computed);
        progress.computed = 0;
        progress.target = ask.prompt + progress.generated;
        (progress.returning, progress.bound_for) = (false, None);
        let since = if timeline.first_token.is_none() {
            timeline.prefill_end = None;
            timeline.prefill_start.take()
        } else {
            None
        };
        timeline.failed_at.get_or_insert(since.unwrap_or(now));
        timeline.decode_start = None;
    }

    /// Its reservation on the decode side is void. Its KV is not offered again before `not_before`.
    pub(super) fn void_handoff(&mut self, not_before: SimTime) {
        debug_assert!(self.handoff.transfer.is_none() && self.handoff.reserved.is_empty(), "a transfer or reservation is left");
        self.handoff = Handoff { held_back: self.handoff.held_back, not_before, ..Handoff::default() };
        self.progress.decode_instance = None;
        self.progress.epoch = self.progress.epoch.wrapping_add(1);
        self.timeline.reserved_at = None;
        self.timeline.transfer_start = None;
        self.timeline.delivered = None;
    }

    pub(crate) const fn prompt(&self) -> u32 {
        self.ask.prompt
    }
    pub(crate) const fn target(&self) -> u32 {
        self.progress.target
    }
    pub(crate) const fn computed(&self) -> u32 {
        self.progress.computed
    }
    pub(crate) const fn is_kept(&self) -> bool {
        self.handoff.kept
    }
    /// True once memory on the decode side has been reserved for it.
    pub(crate) const fn is_reserved(&self) -> bool {
        self.timeline.reserved_at.is_some()
    }
    /// True if its last token has left.
    pub(crate) const fn is_finished(&self) -> bool {
        self.progress.generated >= self.ask.output
    }

    /// True once it has timed out or its last token has left.
    pub(crate) fn is_done(&self) -> bool {
        self.progress.stage == Stage::Done
    }

    /// True if `tokens` more complete its prompt and it has not timed out.
    pub(super) fn completes(&self, tokens: u32) -> bool {
        self.progress.computed + tokens >= self.progress.target && !self.is_done()
    }
}

impl Usage {
    /// Adds gaps by their number, sum and sum of squares.
    pub(super) fn add_gaps(&mut self, count: u64, sum: u64, squares: u128) {
        self.gap_count += count;
        self.gap_sum += sum;
        self.gap_squares += squares;
    }
}
