//! The memory of one instance: weights, activations and KV blocks.
//!
//! # Sliding windows
//! Layers with a window keep only its last tokens. As in vLLM's hybrid allocator, a block then covers only the layers with full attention,
//! and the windows of `max_num_seqs` sequences are reserved first. If that leaves fewer blocks than a single pool in which every layer
//! keeps everything (wide windows, many sequences, or windows on every layer), the single pool is used.

use super::{Parallelism, PerfError};
use crate::hardware::Chip;
use crate::model::{Attention, Model, Part, UNQUANTIZED};
use crate::units::Bytes;

/// Default fraction of a chip's memory that an engine takes: vLLM's default.
pub const DEFAULT_GPU_MEMORY_UTILIZATION: f64 = 0.9;
/// Default tokens of a KV block: vLLM's default.
pub const DEFAULT_BLOCK_SIZE: u32 = 16;
/// Bytes per chip for the driver's context, captured graphs and communication buffers. An estimate.
const RUNTIME_BYTES: f64 = 1_073_741_824.0;
/// Bytes of an element of an activation.
const ELEMENT: f64 = 2.0;

/// Inputs of the KV capacity of an instance. Engine settings have vLLM's names and meaning.
#[derive(Debug, Clone, Copy)]
pub struct MemoryParameters<'a> {
    /// The model served.
    pub model: &'a Model,
    /// The chip.
    pub chip: &'a Chip,
    /// How the model is spread.
    pub parallelism: Parallelism,
    /// Fraction of each chip's memory that the engine takes, above 0 to 1.
    pub gpu_memory_utilization: f64,
    /// Maximum tokens of one iteration, at least 1.
    pub max_num_batched_tokens: u32,
    /// Maximum sequences of one iteration, at least 1.
    pub max_num_seqs: u32,
    /// Tokens of a KV block, at least 1.
    pub block_size: u32,
}

/// The memory of one instance by use. Bytes are of the whole instance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KvCapacity {
    /// KV blocks, all data-parallel groups together.
    pub blocks: u64,
    /// Tokens of one block.
    pub block_size: u32,
    /// Bytes of one block, copies for tensor parallelism included.
    pub block_bytes: u64,
    /// Weights, including what is replicated between chips.
    pub weight_bytes: u64,
    /// Activations at the largest batch, logits and the engine's own buffers: an estimate.
    pub activation_bytes: u64,
    /// Reserved for the windows of sliding-window layers.
    pub window_bytes: u64,
    /// Memory of the blocks.
    pub kv_bytes: u64,
    /// Memory that the engine may use: utilization · memory · chips.
    pub budget_bytes: u64,
}

impl KvCapacity {
    /// Tokens that the blocks hold.
    pub const fn tokens(&self) -> u64 {
        self.blocks * self.block_size as u64
    }
}

/// The KV capacity of an instance.
pub fn kv_capacity(parameters: &MemoryParameters<'_>) -> Result<KvCapacity, PerfError> {
    let p = parameters;
    p.validate()?;
    let (chips, tp) = (f64::from(p.parallelism.chips()), f64::from(p.parallelism.tp));
    let budget = p.gpu_memory_utilization * p.chip.memory.capacity.value.get();
    let (weights, activations) = (p.weight_bytes_per_chip(), p.activation_bytes_per_chip());
    let left = budget - weights - activations;
    // Per chip, one token in one layer.
    let token = p.model.kv_bytes_per_token_and_layer() * f64::from(p.parallelism.kv_copies(p.model)) / tp;
    let shape = p.model.architecture();
    let block = |layers: u32| token * f64::from(layers) * f64::from(p.block_size);
    let window = shape.window.filter(|w| w.layers < shape.layers).map_or(0.0, |w| {
        let sequences = p.max_num_seqs.div_ceil(p.parallelism.dp);
        token * f64::from(w.layers) * f64::from(w.tokens) * f64::from(sequences)
    });
    let everything = (whole(left / block(shape.layers)), block(shape.layers), 0.0);
    let capped = (whole((left - window) / block(shape.full_layers().max(1))), block(shape.full_layers().max(1)), window);
    let (blocks, block_bytes, window_bytes) = if window > 0.0 && capped.0 > everything.0 { capped } else { everything };
    if blocks == 0 {
        return Err(p.does_not_fit(chips * (weights + activations + everything.1), chips * budget));
    }
    let blocks = blocks * u64::from(p.parallelism.dp);
    Ok(KvCapacity {
        blocks,
        block_size: p.block_size,
        block_bytes: whole((block_bytes * tp).ceil()),
        weight_bytes: whole(chips * weights),
        activation_bytes: whole(chips * activations),
        window_bytes: whole(chips * window_bytes),
        kv_bytes: whole(blocks as f64 * block_bytes * tp),
        budget_bytes: whole(chips * budget),
    })
}

/// Rounds down; 0 for negative values.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates: a negative remainder is no blocks at all")]
fn whole(value: f64) -> u64 {
    value as u64
}

impl MemoryParameters<'_> {
    fn validate(&self) -> Result<(), PerfError> {
        self.parallelism.validate(self.model)?;
        if !(self.gpu_memory_utilization > 0.0 && self.gpu_memory_utilization <= 1.0) {
            return Err(PerfError::bad("gpu_memory_utilization", self.gpu_memory_utilization, "above 0 and at most 1"));
        }
        let counts =
            [("max_num_batched_tokens", self.max_num_batched_tokens), ("max_num_seqs", self.max_num_seqs), ("block_size", self.block_size)];
        match counts.into_iter().find(|&(_, count)| count == 0) {
            Some((what, _)) => Err(PerfError::bad(what, 0.0, "at least 1")),
            None => Ok(()),
        }
    }

    /// Weights on one chip: matrices are split over the tensor-parallel group, routed experts over all chips; KV projections are
    /// replicated where `tp` exceeds the KV heads; latent down-projections, routers and norms are on every chip.
    fn weight_bytes_per_chip(&self) -> f64 {
        let (count, shape) = (self.model.parameters(), self.model.architecture());
        let tp = f64::from(self.parallelism.tp);
        let (layers, hidden) = (f64::from(shape.layers), f64::from(shape.hidden));
        let attention = count.attention as f64;
        let attention = match shape.attention {
            Attention::Grouped { kv_heads, head_dim, .. } => {
                let copies = f64::from(self.parallelism.kv_copies(self.model));
                let kv = layers * hidden * 2.0 * f64::from(kv_heads) * f64::from(head_dim);
                (attention + kv * (copies - 1.0)) / tp
            }
            Attention::Latent { q_lora, kv_lora, rope, .. } => {
                let replicated = layers * hidden * f64::from(q_lora.unwrap_or(0) + kv_lora + rope);
                replicated + (attention - replicated) / tp
            }
        };
        let plain = count.embedding as f64 / tp + (count.router + count.norms) as f64;
        let parts = [
            (Part::Head, count.head as f64 / tp),
            (Part::Attention, attention),
            (Part::Dense, count.dense_ffn as f64 / tp),
            (Part::Experts, count.routed_experts as f64 / f64::from(self.parallelism.chips())),
            (Part::SharedExperts, count.shared_experts as f64 / tp),
        ];
        plain * UNQUANTIZED.bytes() + parts.iter().map(|&(part, weights)| weights * self.model.precision().part(part).bytes()).sum::<f64>()
    }

    /// The largest transients of one iteration on one chip: four residual streams; gate, up and their product in the feed-forward
    /// part, for mixtures of experts with the routed copies of every token; logits in 16 and 32 bits. An estimate of what an engine
    /// measures in its profiling run, plus its own buffers.
    fn activation_bytes_per_chip(&self) -> f64 {
        let shape = self.model.architecture();
        let (tp, hidden) = (f64::from(self.parallelism.tp), f64::from(shape.hidden));
        let dense = 3.0 * f64::from(shape.dense_intermediate.unwrap_or(0)) / tp;
        let experts = shape.experts.map_or(0.0, |e| {
            let shards = if self.parallelism.ep == 1 { tp } else { 1.0 };
            f64::from(e.active) * (3.0 * f64::from(e.intermediate) / shards + hidden)
        });
        let tokens = f64::from(self.max_num_batched_tokens);
        let logits = tokens.min(f64::from(self.max_num_seqs)) * f64::from(shape.vocab) * (ELEMENT + 4.0);
        tokens * (4.0 * hidden + dense.max(experts)) * ELEMENT + logits + RUNTIME_BYTES
    }

    fn does_not_fit(&self, needed: f64, available: f64) -> PerfError {
        // Figures in the message are in whole megabytes; values beyond the range of a quantity are shown as its upper end.
        let bytes = |value: f64| Bytes::new((value / 1e6).ceil() * 1e6).or_else(|| Bytes::new(9.0e15));
        match (bytes(needed), bytes(available), bytes(needed - available)) {
            (Some(needed), Some(available), Some(short_by)) => PerfError::DoesNotFit {
                model: self.model.name().to_owned(),
                weights: self.model.precision().weights.name(),
                chip: self.chip.name.clone(),
                chips: self.parallelism.chips(),
                tp: self.parallelism.tp,
                needed,
                available,
                short_by,
            },
            _ => PerfError::bad("memory needed", needed, "a finite number of bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::fixtures::{h100, model, model_in};
    use crate::units::Dtype;

    fn capacity(model: &Model, parallelism: Parallelism, max_num_seqs: u32) -> Result<KvCapacity, PerfError> {
        let (gpu_memory_utilization, block_size) = (DEFAULT_GPU_MEMORY_UTILIZATION, DEFAULT_BLOCK_SIZE);
        let chip = h100();
        kv_capacity(&MemoryParameters {
            model,
            chip: &chip,
            parallelism,
            gpu_memory_utilization,
            max_num_batched_tokens: 8192,
            max_num_seqs,
            block_size,
        })
    }

    #[test]
    fn the_blocks_of_a_70b_model_on_four_chips_are_those_worked_out_by_hand() {
        let kv = capacity(&model("llama-3.3-70b"), Parallelism::tensor(4), 256).unwrap();
        // Per chip: 0.9 · 80 GB = 72 GB; weights (70,553,706,496 − norms 1,318,912)/4 · 2 B + norms · 2 B = 35,278,831,616;
        // activations 8192 · (4·8192 + 3·7168) · 2 B = 889,192,448, logits 256 · 128256 · 6 B = 197,001,216, 1 GiB 1,073,741,824.
        assert_eq!(kv.weight_bytes, 4 * 35_278_831_616);
        assert_eq!(kv.activation_bytes, 4 * (889_192_448 + 197_001_216 + 1_073_741_824));
        // Left 34,561,232,896 B; a block is 16 · 80 · 1024 B = 1,310,720 B a chip: 26,368 blocks.
        assert_eq!((kv.blocks, kv.block_bytes), (26_368, 4 * 1_310_720));
        assert_eq!(kv.tokens(), 26_368 * 16);
        assert!(kv.kv_bytes + kv.weight_bytes + kv.activation_bytes <= kv.budget_bytes);
    }

    #[test]
    fn a_model_that_does_not_fit_says_by_how_much_and_what_to_change() {
        let error = capacity(&model("llama-3.3-70b"), Parallelism::tensor(1), 256).unwrap_err();
        // 141,107,412,992 weights + 8192·(4·8192 + 3·28672)·2 + 197,001,216 + 2^30 activations + one block 5,242,880 B, against 72 GB.
        let message = error.to_string();
        assert_eq!(
            message,
            "`llama-3.3-70b` (bf16 weights) does not fit on 1 × `test-h100`: needs 144.33 GB, has 72 GB, short by 72.33 GB; \
             raise `tp` (now 1), choose a smaller weight format or a chip with more memory"
        );
        assert!(capacity(&model_in("llama-3.3-70b", Dtype::Fp8, Dtype::Fp8), Parallelism::tensor(2), 256).is_ok());
    }

    #[test]
    fn the_cache_is_copied_where_chips_outnumber_kv_heads() {
        let llama = model("llama-3.3-70b");
        assert_eq!(Parallelism::tensor(8).kv_copies(&llama), 1);
        assert_eq!(Parallelism::tensor(16).kv_copies(&llama), 2);
        assert_eq!(Parallelism::tensor(8).kv_copies(&model("deepseek-r1")), 8);
        let block = |tp| capacity(&llama, Parallelism::tensor(tp), 256).unwrap().block_bytes;
        assert_eq!(block(16), 2 * block(8));
        // 61 layers · 576 elements · 2 B · 16 tokens on each of 16 chips.
        let latent = capacity(&model("deepseek-r1"), Parallelism { ep: 16, ..Parallelism::tensor(16) }, 256).unwrap();
        assert_eq!(latent.block_bytes, 16 * 16 * 70_272);
        // Attention in data-parallel groups holds each sequence once.
        let spread = capacity(&model("deepseek-r1"), Parallelism { tp: 1, ep: 32, dp: 32 }, 256).unwrap();
        assert_eq!(spread.block_bytes, 16 * 70_272);
    }

    #[test]
    fn windows_are_set_aside_once_and_blocks_count_the_other_layers() {
        let gpt = model("gpt-oss-120b");
        let few = capacity(&gpt, Parallelism::tensor(2), 256).unwrap();
        assert_eq!(few.block_bytes, 16 * 36_864);
        assert_eq!(few.window_bytes, 256 * 128 * 36_864);
        // So many sequences that their windows would take more memory than they save: one pool for all layers.
        let many = capacity(&gpt, Parallelism::tensor(2), 16_384).unwrap();
        assert_eq!((many.block_bytes, many.window_bytes), (16 * 73_728, 0));
        assert!(many.blocks < few.blocks);
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let (model, chip) = (model("qwen3-8b"), h100());
        let good = MemoryParameters {
            model: &model,
            chip: &chip,
            parallelism: Parallelism::default(),
            gpu_memory_utilization: 0.9,
            max_num_batched_tokens: 8192,
            max_num_seqs: 256,
            block_size: 16,
        };
        for bad in [f64::NAN, 0.0, 1.5, -1.0] {
            assert!(kv_capacity(&MemoryParameters { gpu_memory_utilization: bad, ..good }).is_err());
        }
        assert_eq!(
            kv_capacity(&MemoryParameters { block_size: 0, ..good }).unwrap_err().to_string(),
            "`block_size` is 0, expected at least 1"
        );
    }
}
