//! What an iteration computes, as sums only, so that its description costs O(1) whatever the batch.

use crate::units::nearest;

/// The work of one iteration of one instance. Sums over the sequences in the batch.
///
/// "Pairs" are (query, key) pairs under the causal mask: a chunk of `n` new tokens after `p` already cached has
/// `n·p + n·(n+1)/2` of them. The windowed sums cap each query's keys at the model's sliding window and equal the plain
/// ones if there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchShape {
    /// Prompt tokens computed in this iteration.
    pub prefill_tokens: u64,
    /// Chunks they belong to, one per sequence.
    pub prefill_sequences: u32,
    /// Of these, chunks that finish their prompt and so need logits.
    pub prefill_completions: u32,
    /// Attention pairs of the prefill chunks.
    pub prefill_pairs: u64,
    /// Attention pairs under the sliding window.
    pub prefill_windowed_pairs: u64,
    /// KV tokens read by the prefill chunks: Σ (p + n).
    pub prefill_context: u64,
    /// The same under the sliding window: Σ (min(p, w) + n).
    pub prefill_windowed_context: u64,
    /// Sequences that generate one token each.
    pub decode_sequences: u32,
    /// Their KV tokens, the one being computed included.
    pub decode_context: u64,
    /// The same with each sequence capped at the sliding window.
    pub decode_windowed_context: u64,
}

impl BatchShape {
    /// Tokens that pass through the linear layers.
    pub const fn tokens(&self) -> u64 {
        self.prefill_tokens + self.decode_sequences as u64
    }
    /// True if nothing is computed.
    pub const fn is_empty(&self) -> bool {
        self.tokens() == 0
    }
    /// The decode part alone.
    #[must_use]
    pub fn decode_only(&self) -> Self {
        Self {
            decode_sequences: self.decode_sequences,
            decode_context: self.decode_context,
            decode_windowed_context: self.decode_windowed_context,
            ..Self::default()
        }
    }
}

/// What an iteration takes and moves on the whole instance (all its chips together).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct IterationCost {
    /// Wall time, nanoseconds, > 0 for a batch that is not empty.
    pub duration_ns: f64,
    /// Time the arithmetic would take at the chips' dense peaks, nanoseconds: MFU = `compute_ns / duration_ns`.
    pub compute_ns: f64,
    /// Time the memory traffic would take at peak bandwidth, nanoseconds: MBU = `memory_ns / duration_ns`.
    pub memory_ns: f64,
    /// Arithmetic, FLOPs.
    pub flops: f64,
    /// Bytes moved from and to the chips' memory.
    pub memory_bytes: f64,
    /// Bytes each chip sends over the scale-up link.
    pub link_bytes: f64,
    /// Fraction of the duration that prefill caused, 0 to 1.
    pub prefill_share: f64,
}

/// A run of decode iterations of one unchanged batch. Iteration `j` (from 0) costs `first + j · step`, for `j < iterations`.
///
/// The end of iteration `n` lies at `start + round(F(n))` with `F(n) = n·first + n·(n−1)/2·step`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DecodeRun {
    /// Cost of iteration 0.
    pub first: IterationCost,
    /// Increase of each cost from one iteration to the next; its `prefill_share` is unused.
    pub step: IterationCost,
    /// For how many iterations this line holds, at least 1.
    pub iterations: u64,
}

impl DecodeRun {
    /// Nanoseconds from the start of the run to the end of its iteration `n`: `round(F(n))`.
    pub fn elapsed_ns(&self, n: u64) -> u64 {
        let n = n as f64;
        nearest(n * self.first.duration_ns + 0.5 * n * (n - 1.0) * self.step.duration_ns)
    }
}
