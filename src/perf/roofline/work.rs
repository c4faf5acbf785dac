//! The work of the busiest chip of an instance, and of a mean one, in an iteration.

use super::experts::ExpertSpread;
use crate::perf::BatchShape;

/// The quantity that an operator is linear in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// Tokens through the linear layers.
    Rows,
    /// Tokens that need logits.
    Logits,
    PrefillFull,
    PrefillWindowed,
    DecodeFull,
    DecodeWindowed,
    Experts,
    /// Tokens whose latent is expanded to keys and values.
    Expanded,
    /// Tokens whose queries and outputs are absorbed.
    Absorbed,
}

impl Input {
    const COUNT: usize = 9;

    /// True if it grows with the context of decoding sequences.
    pub(super) const fn sees_decode_context(self) -> bool {
        matches!(self, Self::DecodeFull | Self::DecodeWindowed)
    }
}

/// The quantities that an operator is linear in, for one chip (or its tensor-parallel group).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Load {
    /// Rows: tokens or sequences; at 0 the operator does not run.
    pub x: f64,
    /// Further quantity that FLOPs are linear in: pairs, KV tokens, rows wasted in expert tiles.
    pub flops_y: f64,
    /// Further quantity that bytes are linear in: KV tokens, routed experts used by at least one token.
    pub bytes_y: f64,
}

impl Load {
    const fn rows(x: f64) -> Self {
        Self { x, flops_y: 0.0, bytes_y: 0.0 }
    }
}

/// The work of an iteration, by [`Input`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Work {
    /// Loads of the busiest chip: they set the duration.
    busy: [Load; Input::COUNT],
    /// Loads of the mean chip: times the number of chips, they set FLOPs and bytes.
    mean: [Load; Input::COUNT],
    /// Shares caused by prefill.
    prefill: [f64; Input::COUNT],
}

impl Work {
    /// Load of the busiest chip.
    pub(super) const fn busy(&self, input: Input) -> Load {
        self.busy[input as usize]
    }

    /// Load of the mean chip.
    pub(super) const fn mean(&self, input: Input) -> Load {
        self.mean[input as usize]
    }

    /// Share of an operator caused by prefill.
    pub(super) const fn prefill_share(&self, input: Input) -> f64 {
        self.prefill[input as usize]
    }
}

/// How a batch spreads over the data-parallel groups and expert ranks of an instance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    /// Data-parallel groups.
    dp: u32,
    /// Share of the mean group in all sums.
    even: f64,
    /// Absent for dense models.
    experts: Option<ExpertSpread>,
}

impl Spread {
    pub(super) fn new(dp: u32, experts: Option<ExpertSpread>) -> Self {
        Self { dp, even: 1.0 / f64::from(dp), experts }
    }

    /// Share of the mean group in all sums.
    pub(super) const fn even(&self) -> f64 {
        self.even
    }

    /// Sequences stay whole: the busiest of `dp` groups has ⌈n/dp⌉ of `n`, its share in all sums.
    pub(super) fn busiest(&self, sequences: u32) -> f64 {
        if self.dp == 1 || sequences == 0 { 1.0 } else { f64::from(sequences.div_ceil(self.dp)) / f64::from(sequences) }
    }

    /// The work of `batch`, which is not empty.
    pub(super) fn work(&self, batch: &BatchShape) -> Work {
        let mean = loads(batch, self.even, self.even);
        let busy =
            if self.dp == 1 { mean } else { loads(batch, self.busiest(batch.prefill_sequences), self.busiest(batch.decode_sequences)) };
        let rows = rows_share(batch);
        let logits = share(f64::from(batch.prefill_completions), f64::from(batch.decode_sequences));
        let mut work = Work { busy, mean, prefill: [rows, logits, 1.0, 1.0, 0.0, 0.0, rows, 1.0, 0.0] };
        if let Some(experts) = self.experts {
            let (busy, mean) = experts.loads(batch.tokens() as f64);
            work.busy[Input::Experts as usize] = busy;
            work.mean[Input::Experts as usize] = mean;
        }
        work
    }

    /// Load of decode attention in `batch`, over layers with full attention or with a window: on the busiest and on the mean chip.
    pub(super) fn decode_attention(&self, batch: &BatchShape, input: Input) -> [Load; 2] {
        let mean = decode_load(batch, input, self.even);
        [if self.dp == 1 { mean } else { decode_load(batch, input, self.busiest(batch.decode_sequences)) }, mean]
    }
}

/// Share of prefill in the rows of `batch`, which is not empty.
pub(super) fn rows_share(batch: &BatchShape) -> f64 {
    batch.prefill_tokens as f64 / batch.tokens() as f64
}

/// `part / (part + rest)`; 0 if both are 0.
fn share(part: f64, rest: f64) -> f64 {
    if part > 0.0 { part / (part + rest) } else { 0.0 }
}

/// The sums of `batch` scaled by the chip's share of its decode part.
fn decode_load(batch: &BatchShape, input: Input, decode: f64) -> Load {
    let tokens = if input == Input::DecodeWindowed { batch.decode_windowed_context } else { batch.decode_context };
    let context = tokens as f64 * decode;
    Load { x: f64::from(batch.decode_sequences) * decode, flops_y: context, bytes_y: context }
}

/// The sums of `batch` scaled by the chip's share of its prefill and its decode part; empty for experts, whose load spans all groups.
fn loads(batch: &BatchShape, prefill: f64, decode: f64) -> [Load; Input::COUNT] {
    let decode_sequences = f64::from(batch.decode_sequences) * decode;
    let tokens = batch.prefill_tokens as f64 * prefill;
    let context = batch.prefill_context as f64 * prefill;
    let windowed = batch.prefill_windowed_context as f64 * prefill;
    [
        Load::rows(tokens + decode_sequences),
        Load::rows(f64::from(batch.prefill_completions) * prefill + decode_sequences),
        Load { x: tokens, flops_y: batch.prefill_pairs as f64 * prefill, bytes_y: context },
        Load { x: tokens, flops_y: batch.prefill_windowed_pairs as f64 * prefill, bytes_y: windowed },
        decode_load(batch, Input::DecodeFull, decode),
        decode_load(batch, Input::DecodeWindowed, decode),
        Load::default(),
        Load::rows(context),
        Load::rows(decode_sequences),
    ]
}
