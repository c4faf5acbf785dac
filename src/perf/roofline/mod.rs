//! The default performance model: for each operator the time of arithmetic and memory traffic at measured efficiencies; plus collectives
//! and overheads.
//!
//! Owns: the operators of an iteration and their cost. Must not know: requests, queues, how efficiencies were measured.
//!
//! # Formulas
//! A kernel takes `start + (c^p + m^p)^(1/p)` on each chip, with `c = FLOPs / (peak · MFU)` and `m = bytes / (bandwidth · MBU)`.
//!
//! * Matrix products: `gemm_start`, `gemm_compute`, `gemm_memory` and `p = gemm_corner` of the chip by number format. All four are fitted
//!   together to public tables of isolated kernels. The tables time a linear layer as an engine runs it, so with 8 or 4 bits `start` and
//!   MFU include the quantization of the input, and no kernel is added for it. Few rows are memory-bound, many compute-bound; in between
//!   (64 to 512 rows) neither roof alone gives the time: measured products take up to 1.4 times the larger one there.
//! * Decode attention: `start + head · sequences · KV heads + max(c, m)`, all four figures measured: linear in the batch and in the
//!   context. Only latent attention with many heads on a chip is compute-bound, at a rate of its own (prefill's does not enter).
//! * Prefill attention: `max(c, m)` with `prefill_attention` against the 16-bit peak.
//! * Routed experts: one grouped product with `p = 2`, whose MFU depends on the inner width of an expert on one chip and whose start
//!   includes sorting the rows by expert. Rows are padded to tiles. The busiest expert-parallel rank sets the time, see `experts`.
//! * Norms, rotary embedding, activations, sampling: bytes at 0.8 of the bandwidth and 3 µs each.
//! * All-reduce: measured times by size. All-to-all: measured start and rate.
//!
//! `iteration_overhead` is the only correction of these sums for the engine around the kernels: where serving took longer than its kernels,
//! kernels and corners turned out to be missing; they are terms here, not a factor.
//!
//! Formulas for FLOPs and bytes follow those published with aiconfigurator; mixture-of-experts layers read the *expected* number of
//! distinct experts. Biases and sinks are neglected.
//!
//! # Speed
//! Everything that does not depend on the batch is computed once. In a decode batch only attention depends on the context; the cost of the
//! other operators is kept per number of sequences. An iteration with prefill evaluates some twenty linear forms, most of them in the short
//! form of `plan`, which gives the same bits.

mod collective;
mod experts;
mod layers;
mod operator;
mod options;
mod plan;
mod rates;
#[cfg(test)]
mod tests;
mod work;

pub use collective::AllReduce;
pub use experts::expected_distinct_experts;
pub use operator::{Bound, OperatorCost};
pub use options::{RooflineOptions, ScaleUp};

use self::experts::ExpertSpread;
use self::layers::Builder;
use self::operator::{Growth, Kernel, Operator, Sums};
use self::plan::Plan;
use self::rates::Rates;
use self::work::{Input, Spread, rows_share};
use super::{Basis, BatchShape, DecodeRun, IterationCost, Parallelism, PerfError, PerfModel};
use crate::hardware::{AllToAll, Chip};
use crate::model::Model;

/// Inputs of a roofline.
#[derive(Debug, Clone, Copy)]
pub struct RooflineParameters<'a> {
    /// The model served.
    pub model: &'a Model,
    /// The chip; all chips of the instance are equal.
    pub chip: &'a Chip,
    /// The link between the chips of the instance.
    pub scale_up: ScaleUp,
    /// How the model is spread.
    pub parallelism: Parallelism,
    /// Other parameters.
    pub options: RooflineOptions,
}

/// The roofline of one instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Roofline {
    /// All operators, in execution order.
    operators: Vec<Operator>,
    /// The operators that depend on the context of decoding sequences.
    decode_attention: Vec<Kernel>,
    /// The other operators.
    base: Plan,
    /// Sums over these other operators for a decode batch, by its number of sequences.
    decode_base: Vec<Sums>,
    spread: Spread,
    chips: f64,
    overhead_ns: f64,
    provenance: String,
    basis: Basis,
}

/// Decode batches up to this size are precomputed.
const PRECOMPUTED_BATCHES: u32 = 1024;

impl Roofline {
    /// Checks that the inputs are consistent and computes everything that does not depend on the batch.
    pub fn new(parameters: &RooflineParameters<'_>) -> Result<Self, PerfError> {
        let RooflineParameters { model, chip, scale_up, parallelism, options } = parameters;
        parallelism.validate(model)?;
        options.validate()?;
        scale_up.validate()?;
        let shape = model.architecture();
        let mut rates = Rates::new(chip, options)?;
        let all_reduce = AllReduce::new(parallelism.tp, &chip.all_reduce, scale_up);
        let measured = all_reduce.is_measured();
        let collectives = match (parallelism.tp, measured) {
            (1, _) => "",
            (_, true) if all_reduce.is_extended() => ", all-reduce beyond the measured groups",
            (_, true) => ", measured all-reduce",
            (_, false) => ", all-reduce from the link's bandwidth and latency",
        };
        let all_to_all = chip.all_to_all.as_ref().filter(|_| parallelism.dp > 1);
        let rates_of = &mut rates;
        let builder =
            Builder { model, parallelism: *parallelism, options, scale_up, all_reduce, all_to_all, rates: rates_of, operators: Vec::new() };
        let operators = builder.build()?;
        let experts = shape.experts.map(|e| ExpertSpread::new(e.routed, e.active, parallelism.ep, options.hot_rank, options.expert_tile));
        let overhead_ns = rates.overhead_ns(options);
        if measured {
            rates.read.insert("all_reduce".into());
        }
        if let Some(all_to_all) = all_to_all {
            rates.read.extend(exchange_figures(all_to_all));
        }
        let own_exchange = parallelism.dp > 1 && all_to_all.is_none();
        let link_is_used = parallelism.chips() > 1;
        let scale_up = ["bandwidth", "latency", "efficiency"].into_iter().filter(|_| link_is_used).map(str::to_owned).collect();
        let notes = [&[String::new()], rates.notes.as_slice()].concat().join("; ");
        let decode_attention = operators.iter().filter_map(Operator::decode_attention).copied().collect();
        let chips = f64::from(parallelism.chips());
        let base = Plan::new(&operators, chips);
        let mut roofline = Self {
            operators,
            decode_attention,
            base,
            decode_base: Vec::new(),
            spread: Spread::new(parallelism.dp, experts),
            chips,
            overhead_ns,
            provenance: format!("roofline: {} on {} × {}{collectives}{notes}", model.name(), parallelism.chips(), chip.name),
            basis: Basis { chip: rates.read, scale_up, own: options.figures(shape.experts.is_some(), parallelism.ep, own_exchange) },
        };
        roofline.decode_base = (0..=PRECOMPUTED_BATCHES).map(|sequences| roofline.base_of_decode(sequences)).collect();
        Ok(roofline)
    }

    /// The table behind [`iteration`](PerfModel::iteration): the cost of each operator, in execution order. Its columns add up to the
    /// iteration's cost (within rounding). Empty for an empty batch.
    pub fn operators(&self, batch: &BatchShape) -> Vec<OperatorCost> {
        if batch.is_empty() {
            return Vec::new();
        }
        let work = self.spread.work(batch);
        let mut rows: Vec<_> = self.operators.iter().filter_map(|o| o.cost(&work, self.chips)).collect();
        let mut sums = Sums::default();
        self.operators.iter().for_each(|operator| operator.add_to(&mut sums, &work, self.chips));
        rows.push(OperatorCost {
            name: "host",
            layers: 1.0,
            flops: 0.0,
            memory_bytes: 0.0,
            link_bytes: 0.0,
            duration_ns: self.overhead_ns,
            compute_ns: 0.0,
            memory_ns: 0.0,
            bound: Bound::Host,
            prefill_share: sums.prefill_share(rows_share(batch)),
        });
        rows
    }

    /// Sums over the operators that do not depend on the context of decoding sequences, for a batch that is not empty.
    fn base(&self, batch: &BatchShape) -> Sums {
        self.base.sums(&self.spread.work(batch))
    }

    /// The same sums for a decode batch of `sequences`.
    fn base_of_decode(&self, sequences: u32) -> Sums {
        let batch = BatchShape { decode_sequences: sequences, ..BatchShape::default() };
        if batch.is_empty() { Sums::default() } else { self.base(&batch) }
    }

    /// The cost of a batch that is not empty.
    fn cost(&self, batch: &BatchShape) -> IterationCost {
        let (mut sums, rows_share) = if batch.prefill_tokens > 0 {
            (self.base(batch), rows_share(batch))
        } else {
            let ahead = self.decode_base.get(batch.decode_sequences as usize);
            (ahead.copied().unwrap_or_else(|| self.base_of_decode(batch.decode_sequences)), 0.0)
        };
        for kernel in &self.decode_attention {
            let [busy, mean] = self.spread.decode_attention(batch, kernel.input);
            kernel.add_to(&mut sums, busy, mean, 0.0, self.chips);
        }
        let prefill_share = sums.prefill_share(rows_share);
        IterationCost { duration_ns: (sums.cost.duration_ns + self.overhead_ns).max(1.0), prefill_share, ..sums.cost }
    }
}

/// The figures of a measured exchange, by their paths.
fn exchange_figures(all_to_all: &AllToAll) -> Vec<String> {
    let parts = [("dispatch", all_to_all.dispatch.len()), ("combine", all_to_all.combine.len())];
    let kernels = parts.into_iter().flat_map(|(name, count)| (0..count).map(move |index| format!("all_to_all.{name}[{index}]")));
    kernels.flat_map(|kernel| ["start", "efficiency", "least"].map(|figure| format!("{kernel}.{figure}"))).collect()
}

impl PerfModel for Roofline {
    fn iteration(&self, batch: &BatchShape) -> IterationCost {
        if batch.is_empty() { IterationCost::default() } else { self.cost(batch) }
    }

    fn decode_run(&self, batch: &BatchShape, windowed_growth: u32) -> DecodeRun {
        let mut run = DecodeRun { first: self.iteration(batch), step: IterationCost::default(), iterations: 1 };
        if batch.is_empty() || batch.prefill_tokens > 0 {
            return run;
        }
        run.iterations = u64::MAX;
        // Growth per iteration of the context on the busiest and on the mean chip.
        let shares = [self.spread.busiest(batch.decode_sequences), self.spread.even()];
        for kernel in &self.decode_attention {
            let [load, _] = self.spread.decode_attention(batch, kernel.input);
            let tokens = if kernel.input == Input::DecodeWindowed { windowed_growth } else { batch.decode_sequences };
            let Growth { duration_ns, flops, memory_bytes, compute_ns, memory_ns, iterations } =
                kernel.growth(load, shares.map(|share| f64::from(tokens) * share), self.chips);
            run.step.duration_ns += duration_ns;
            run.step.flops += flops;
            run.step.memory_bytes += memory_bytes;
            run.step.compute_ns += compute_ns;
            run.step.memory_ns += memory_ns;
            run.iterations = run.iterations.min(iterations);
        }
        run
    }

    fn provenance(&self) -> String {
        self.provenance.clone()
    }

    fn basis(&self) -> Basis {
        self.basis.clone()
    }
}
