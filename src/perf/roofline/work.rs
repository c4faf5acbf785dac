//! What the busiest chip of an instance, and a mean one, have to do in an iteration.

use super::experts::ExpertSpread;
use crate::perf::BatchShape;

/// The quantities that operators are linear in, for one chip (or the tensor-parallel group it belongs to).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Quantities {
    /// Tokens through the linear layers.
    pub rows: f64,
    /// Tokens that need logits.
    pub logits: f64,
    pub prefill_tokens: f64,
    pub prefill_pairs: f64,
    pub prefill_windowed_pairs: f64,
    pub prefill_context: f64,
    pub prefill_windowed_context: f64,
    pub decode_sequences: f64,
    pub decode_context: f64,
    pub decode_windowed_context: f64,
    /// Rows through the routed experts of one chip.
    pub expert_rows: f64,
    /// Rows that their tiles waste.
    pub expert_padding: f64,
    /// Routed experts of the chip that at least one token uses.
    pub active_experts: f64,
}

/// The work of an iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Work {
    /// Of the busiest chip: it sets the duration.
    pub busy: Quantities,
    /// Of the mean chip: times the number of chips, it sets FLOPs and bytes.
    pub mean: Quantities,
    /// Fractions of rows and logits that prefill causes.
    pub rows_share: f64,
    pub logits_share: f64,
}

/// How a batch spreads over the data-parallel groups and expert ranks of an instance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    /// Data-parallel groups.
    pub dp: u32,
    /// Absent for dense models.
    pub experts: Option<ExpertSpread>,
}

impl Spread {
    /// Sequences stay whole: the busiest of `dp` groups has ⌈n/dp⌉ of `n`, its share of all sums.
    pub(super) fn busiest(&self, sequences: u32) -> f64 {
        if self.dp == 1 || sequences == 0 { 1.0 } else { f64::from(sequences.div_ceil(self.dp)) / f64::from(sequences) }
    }

    /// The work of `batch`, which is not empty.
    pub(super) fn work(&self, batch: &BatchShape) -> Work {
        let mut work = self.attention(batch);
        if let Some(experts) = self.experts {
            experts.fill(batch.tokens() as f64, &mut work.busy, &mut work.mean);
        }
        work
    }

    /// The same without the experts, which attention does not need.
    pub(super) fn attention(&self, batch: &BatchShape) -> Work {
        let even = 1.0 / f64::from(self.dp);
        let mean = quantities(batch, even, even);
        let busy = if self.dp == 1 {
            mean
        } else {
            quantities(batch, self.busiest(batch.prefill_sequences), self.busiest(batch.decode_sequences))
        };
        Work {
            rows_share: batch.prefill_tokens as f64 / batch.tokens() as f64,
            logits_share: share(f64::from(batch.prefill_completions), f64::from(batch.decode_sequences)),
            busy,
            mean,
        }
    }
}

/// `part / (part + rest)`; 0 where there is neither.
fn share(part: f64, rest: f64) -> f64 {
    if part > 0.0 { part / (part + rest) } else { 0.0 }
}

/// The sums of `batch` scaled by the chip's share of its prefill and its decode part.
fn quantities(batch: &BatchShape, prefill: f64, decode: f64) -> Quantities {
    let decode_sequences = f64::from(batch.decode_sequences) * decode;
    let prefill_tokens = batch.prefill_tokens as f64 * prefill;
    let prefill_context = batch.prefill_context as f64 * prefill;
    Quantities {
        rows: prefill_tokens + decode_sequences,
        logits: f64::from(batch.prefill_completions) * prefill + decode_sequences,
        prefill_tokens,
        prefill_pairs: batch.prefill_pairs as f64 * prefill,
        prefill_windowed_pairs: batch.prefill_windowed_pairs as f64 * prefill,
        prefill_context,
        prefill_windowed_context: batch.prefill_windowed_context as f64 * prefill,
        decode_sequences,
        decode_context: batch.decode_context as f64 * decode,
        decode_windowed_context: batch.decode_windowed_context as f64 * decode,
        ..Quantities::default()
    }
}
