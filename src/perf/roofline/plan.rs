//! The operators in the form in which they are summed, some twenty per iteration: terms that are zero for most of them are left out.
//!
//! Every sum has the same bits as that over [`Operator::add_to`]: only terms that are zero are dropped, and values shared by several
//! operators are computed once. Nothing else may be merged, because rounding does not distribute.

use super::collective::AllReduce;
use super::operator::{Collective, Corner, Kernel, Operator, Sums};
use super::work::{Input, Work};

/// One operator.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Stream(Stream),
    Product(Product),
    /// The all-reduce shared by all layers, and the number of layers.
    Reduce(f64),
    Other(Operator),
}

/// A kernel that only moves bytes, in proportion to its rows.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stream {
    input: Input,
    layers: f64,
    bytes_x: f64,
    start_ns: f64,
    byte_ns: f64,
    ideal_byte_ns: f64,
}

/// A product of its rows with weights that are read once.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Product {
    input: Input,
    corner: Corner,
    layers: f64,
    flops_x: f64,
    bytes_once: f64,
    bytes_x: f64,
    start_ns: f64,
    flop_ns: f64,
    byte_ns: f64,
    ideal_flop_ns: f64,
    ideal_byte_ns: f64,
}

/// All operators that do not depend on the context of decoding sequences, in execution order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    steps: Vec<Step>,
    /// Bytes to reduce per row, and the collective.
    reduction: Option<(f64, AllReduce)>,
    chips: f64,
}

impl Plan {
    /// The plan of `operators` on an instance of `chips`.
    pub(super) fn new(operators: &[Operator], chips: f64) -> Self {
        let mut plan = Self { steps: Vec::new(), reduction: None, chips };
        for operator in operators.iter().filter(|operator| operator.decode_attention().is_none()) {
            let step = plan.step(operator);
            plan.steps.push(step);
        }
        plan
    }

    fn step(&mut self, operator: &Operator) -> Step {
        match operator {
            Operator::Kernel(kernel) => special(kernel).unwrap_or_else(|| Step::Other(operator.clone())),
            Operator::Transfer(transfer) => {
                let Collective::AllReduce(all_reduce) = &transfer.collective else { return Step::Other(operator.clone()) };
                let shared = self.reduction.get_or_insert_with(|| (transfer.bytes_x, all_reduce.clone()));
                let same = transfer.input == Input::Rows && shared.0.to_bits() == transfer.bytes_x.to_bits() && shared.1 == *all_reduce;
                if same { Step::Reduce(f64::from(transfer.layers)) } else { Step::Other(operator.clone()) }
            }
        }
    }

    /// Sums over the operators.
    pub(super) fn sums(&self, work: &Work) -> Sums {
        let mut sums = Sums::default();
        let rows = work.busy(Input::Rows).x;
        let reduced = self.reduction.as_ref().map_or((0.0, 0.0), |(bytes_x, all_reduce)| {
            let bytes = bytes_x * rows;
            (all_reduce.time_ns(bytes), all_reduce.ring_bytes(bytes))
        });
        for step in &self.steps {
            match step {
                Step::Stream(stream) => stream.add_to(&mut sums, work, self.chips),
                Step::Product(product) => product.add_to(&mut sums, work, self.chips),
                Step::Reduce(layers) => {
                    sums.add_time(layers * reduced.0, work.prefill_share(Input::Rows));
                    sums.cost.link_bytes += layers * reduced.1;
                }
                // By value, so that the sums stay in registers for all other steps.
                Step::Other(operator) => sums = operator.added_to(sums, work, self.chips),
            }
        }
        sums
    }
}

/// The step of a kernel of the two common kinds.
fn special(kernel: &Kernel) -> Option<Step> {
    let Kernel { input, flops_x, flops_y, bytes_once, bytes_x, bytes_y, flop_ns, byte_ns, start_ns, start_x_ns, corner, .. } = *kernel;
    let Kernel { layers, ideal_flop_ns, ideal_byte_ns, .. } = *kernel;
    let none = |coefficients: &[f64]| coefficients.iter().all(|c| c.to_bits() == 0);
    if !none(&[flops_y, bytes_y, start_x_ns]) {
        return None;
    }
    if none(&[flops_x, bytes_once]) && corner == Corner::Sharp {
        return Some(Step::Stream(Stream { input, layers, bytes_x, start_ns, byte_ns, ideal_byte_ns }));
    }
    let product = Product { input, corner, layers, flops_x, bytes_once, bytes_x, start_ns, flop_ns, byte_ns, ideal_flop_ns, ideal_byte_ns };
    Some(Step::Product(product))
}

impl Stream {
    #[inline]
    fn add_to(&self, sums: &mut Sums, work: &Work, chips: f64) {
        let x = work.busy(self.input).x;
        if x <= 0.0 {
            return;
        }
        sums.add_time(self.layers * (self.start_ns + self.bytes_x * x * self.byte_ns), work.prefill_share(self.input));
        let bytes = self.layers * (self.bytes_x * work.mean(self.input).x);
        sums.cost.memory_bytes += bytes * chips;
        sums.cost.memory_ns += bytes * self.ideal_byte_ns;
    }
}

impl Product {
    #[inline]
    fn add_to(&self, sums: &mut Sums, work: &Work, chips: f64) {
        let x = work.busy(self.input).x;
        if x <= 0.0 {
            return;
        }
        let (compute, memory) = (self.flops_x * x * self.flop_ns, (self.bytes_once + self.bytes_x * x) * self.byte_ns);
        sums.add_time(self.layers * (self.start_ns + self.corner.join(compute, memory)), work.prefill_share(self.input));
        let x = work.mean(self.input).x;
        let (flops, bytes) = (self.layers * (self.flops_x * x), self.layers * (self.bytes_once + self.bytes_x * x));
        sums.cost.flops += flops * chips;
        sums.cost.memory_bytes += bytes * chips;
        sums.cost.compute_ns += flops * self.ideal_flop_ns;
        sums.cost.memory_ns += bytes * self.ideal_byte_ns;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Roofline, RooflineOptions, RooflineParameters};
    use super::*;
    use crate::perf::fixtures::{h100, model, nvlink};
    use crate::perf::{BatchShape, Parallelism};

    fn rooflines() -> Vec<Roofline> {
        let parallelism = |tp, dp, ep| Parallelism { tp, ep, dp };
        [
            ("llama-3.3-70b", parallelism(4, 1, 1)),
            ("qwen3-8b", parallelism(1, 1, 1)),
            ("gpt-oss-120b", parallelism(2, 1, 2)),
            ("deepseek-r1", parallelism(1, 16, 16)),
            ("qwen3-235b-a22b", parallelism(4, 2, 8)),
        ]
        .map(|(name, parallelism)| {
            let (model, chip, scale_up, options) = (model(name), h100(), nvlink(), RooflineOptions::default());
            Roofline::new(&RooflineParameters { model: &model, chip: &chip, scale_up, parallelism, options }).unwrap()
        })
        .into()
    }

    #[test]
    fn most_steps_are_short_and_all_reductions_are_shared() {
        let roofline = &rooflines()[0];
        let count = |of: fn(&Step) -> bool| roofline.base.steps.iter().filter(|step| of(step)).count();
        assert_eq!(count(|step| matches!(step, Step::Reduce(_))), 3);
        // Prefill attention and the gather of logits.
        assert_eq!(count(|step| matches!(step, Step::Other(_))), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]
        #[test]
        fn sums_have_the_bits_of_those_over_the_operators(
            batches in proptest::collection::vec((0u64..20_000, 0u32..40, 0u32..2000, 1u64..5000), 50),
        ) {
            for roofline in rooflines() {
                for &(tokens, completions, sequences, context) in &batches {
                    let batch = BatchShape {
                        prefill_tokens: tokens,
                        prefill_sequences: completions.max(1),
                        prefill_completions: if tokens > 0 { completions } else { 0 },
                        prefill_pairs: tokens * context,
                        prefill_windowed_pairs: tokens * context.min(128),
                        prefill_context: tokens + context,
                        prefill_windowed_context: tokens + context.min(128),
                        decode_sequences: sequences,
                        decode_context: u64::from(sequences) * context,
                        decode_windowed_context: u64::from(sequences) * context.min(128),
                    };
                    if batch.is_empty() {
                        continue;
                    }
                    let work = roofline.spread.work(&batch);
                    let mut sums = Sums::default();
                    for operator in roofline.operators.iter().filter(|operator| operator.decode_attention().is_none()) {
                        operator.add_to(&mut sums, &work, roofline.chips);
                    }
                    prop_assert_eq!(roofline.base.sums(&work), sums);
                }
            }
        }
    }
}
