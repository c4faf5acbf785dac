//! Costs that are looked up instead of computed again.

use super::PerfModel;
use super::batch::{BatchShape, IterationCost};

/// Longest prompt whose cost is kept, tokens. Bounds the memory of a table to 1 MiB.
const LONGEST: usize = 16_384;

/// Costs of iterations that compute one whole prompt and nothing else, by its length. Such an iteration depends on nothing but the length,
/// and prompts of one length return often.
#[derive(Debug, Clone, Default)]
pub(crate) struct LonePrompts {
    costs: Vec<Option<IterationCost>>,
}

impl LonePrompts {
    /// The cost of an iteration by a model, which must be the same one in every call.
    pub(crate) fn iteration(&mut self, model: &dyn PerfModel, batch: &BatchShape) -> IterationCost {
        let Some(length) = length(batch) else { return model.iteration(batch) };
        if self.costs.len() <= length {
            self.costs.resize(length + 1, None);
        }
        *self.costs[length].get_or_insert_with(|| model.iteration(batch))
    }
}

/// Length of the prompt, if the batch is nothing but one whole prompt of which no token is cached.
fn length(batch: &BatchShape) -> Option<usize> {
    let lone = batch.prefill_sequences == 1 && batch.prefill_completions == 1 && batch.decode_sequences == 0;
    let length = usize::try_from(batch.prefill_tokens).ok()?;
    (lone && batch.prefill_context == batch.prefill_tokens && length <= LONGEST).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::Basis;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Charges each token once per pair, and counts how often it is asked.
    #[derive(Debug, Default)]
    struct Counted(AtomicU64);

    impl PerfModel for Counted {
        fn iteration(&self, batch: &BatchShape) -> IterationCost {
            self.0.fetch_add(1, Ordering::Relaxed);
            let duration_ns = (batch.prefill_pairs + 1000 * batch.prefill_context + batch.decode_context) as f64;
            IterationCost { duration_ns, ..IterationCost::default() }
        }
        fn provenance(&self) -> String {
            String::new()
        }
        fn basis(&self) -> Basis {
            Basis::default()
        }
    }

    fn prompt(tokens: u64) -> BatchShape {
        BatchShape {
            prefill_tokens: tokens,
            prefill_sequences: 1,
            prefill_completions: 1,
            prefill_pairs: tokens * (tokens + 1) / 2,
            prefill_context: tokens,
            ..BatchShape::default()
        }
    }

    #[test]
    fn only_whole_prompts_alone_are_kept() {
        let (model, mut kept) = (Counted::default(), LonePrompts::default());
        let whole = prompt(300);
        let others = [
            BatchShape { prefill_completions: 0, ..whole },
            BatchShape { prefill_context: 500, ..whole },
            BatchShape { prefill_sequences: 2, ..whole },
            BatchShape { decode_sequences: 1, decode_context: 7, ..whole },
            prompt(LONGEST as u64 + 1),
        ];
        for round in 0..3 {
            for batch in [whole, prompt(7), prompt(LONGEST as u64)].iter().chain(&others) {
                assert_eq!(kept.iteration(&model, batch), model.iteration(batch), "{round}: {batch:?}");
            }
        }
        // Eight batches in three rounds, each computed once for comparison; of the others all, of the lone prompts the first of each length.
        assert_eq!(model.0.into_inner(), 3 * 8 + 3 * 5 + 3);
    }
}
