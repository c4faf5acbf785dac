//! The shape of a generated request: its lengths and its shared prefix. Must not know arrival times.

use super::error::{ParameterProblem, Problems};
use super::lengths::{LengthDistribution, LengthSampler, MAX_TOKENS};
use super::request::{ClassId, RequestSpec};
use crate::kv::Blocks;
use crate::sim::{Purpose, Stream, Streams};

/// Group numbers take 24 bits of a prefix id.
const MAX_GROUPS: u32 = 1 << 24;

/// Lengths and prefixes of generated requests.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestShape {
    /// Prompt lengths. The shared prefix is part of the prompt, not added to it.
    pub prompt: LengthDistribution,
    /// Output lengths, independent of prompt lengths.
    pub output: LengthDistribution,
    /// Text shared between prompts, if any.
    pub shared_prefix: Option<SharedPrefix>,
}

/// Groups of requests with a common prefix, such as the system prompts of several applications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedPrefix {
    /// Number of distinct prefixes, one per group; each request belongs to a group, all equally likely. 1 to 2²⁴.
    pub groups: u32,
    /// Length of the common text, tokens, 1 to [`MAX_TOKENS`]. A shorter prompt has only its start.
    pub tokens: u32,
    /// Tokens per block of the ids, at least 1; only full blocks are shared.
    pub block_tokens: u32,
}

impl RequestShape {
    /// All problems of these parameters; empty if valid.
    pub fn validate(&self) -> Vec<ParameterProblem> {
        let mut problems = Problems::default();
        problems.within("prompt", self.prompt.validate());
        problems.within("output", self.output.validate());
        problems.within("shared_prefix", self.shared_prefix.map(|shared| shared.validate()).unwrap_or_default());
        problems.into_vec()
    }
}

impl SharedPrefix {
    /// All problems of these parameters; empty if valid.
    pub fn validate(&self) -> Vec<ParameterProblem> {
        let mut problems = Problems::default();
        problems.require((1..=MAX_GROUPS).contains(&self.groups), "groups", self.groups, "1 to 16,777,216 groups");
        problems.require((1..=MAX_TOKENS).contains(&self.tokens), "tokens", self.tokens, "tokens from 1 to 16,777,216");
        problems.require(
            (1..=self.tokens.max(1)).contains(&self.block_tokens),
            "block_tokens",
            self.block_tokens,
            "tokens per block, 1 to the length of the prefix: only full blocks are shared",
        );
        problems.into_vec()
    }
}

/// Draws requests in order. Prompt lengths, output lengths and prefixes each have their own stream, so that a change of one distribution does not
/// change the draws of the others.
#[derive(Debug)]
pub(super) struct RequestDraws {
    class: ClassId,
    prompt: (LengthSampler, Stream),
    output: (LengthSampler, Stream),
    prefix: Option<(SharedPrefix, Stream)>,
}

impl RequestDraws {
    /// `shape` must be valid.
    pub(super) fn new(class: ClassId, shape: &RequestShape, streams: Streams) -> Self {
        let lengths = |distribution, side| {
            let entity = 2 * u32::from(class.0) + side;
            (LengthSampler::new(distribution), streams.stream(Purpose::Lengths, entity))
        };
        Self {
            class,
            prompt: lengths(&shape.prompt, 0),
            output: lengths(&shape.output, 1),
            prefix: shape.shared_prefix.map(|shared| (shared, streams.stream(Purpose::Prefixes, u32::from(class.0)))),
        }
    }

    pub(super) fn next(&mut self) -> RequestSpec {
        let prompt_tokens = self.prompt.0.draw(&mut self.prompt.1);
        let output_tokens = self.output.0.draw(&mut self.output.1);
        let class = self.class;
        let blocks = self.prefix.as_mut().map_or_else(Blocks::default, |(shared, stream)| {
            let group = stream.below(u64::from(shared.groups));
            Blocks::run(class.block_id(group << 24), shared.tokens.min(prompt_tokens) / shared.block_tokens)
        });
        RequestSpec::new(class, prompt_tokens, output_tokens).with_blocks(blocks)
    }

    /// Tokens per block of the prefix ids; `None` without shared prefixes.
    pub(super) fn block_tokens(&self) -> Option<u32> {
        self.prefix.as_ref().map(|(shared, _)| shared.block_tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(output: LengthDistribution, shared_prefix: Option<SharedPrefix>) -> RequestShape {
        RequestShape { prompt: LengthDistribution::Uniform { min: 1, max: 100 }, output, shared_prefix }
    }

    #[test]
    fn prompts_do_not_depend_on_outputs_and_prefixes() {
        let fixed = shape(LengthDistribution::Fixed { tokens: 7 }, None);
        let shared = SharedPrefix { groups: 3, tokens: 32, block_tokens: 16 };
        let other = shape(LengthDistribution::Uniform { min: 1, max: 9 }, Some(shared));
        let prompts = |shape: &RequestShape| {
            let mut draws = RequestDraws::new(ClassId(2), shape, Streams::new(5));
            (0..100).map(|_| draws.next().prompt_tokens).collect::<Vec<_>>()
        };
        assert_eq!(prompts(&fixed), prompts(&other));
    }

    #[test]
    fn a_group_shares_full_blocks_and_different_groups_and_classes_share_none() {
        let shape = RequestShape {
            prompt: LengthDistribution::Uniform { min: 10, max: 80 },
            output: LengthDistribution::Fixed { tokens: 1 },
            shared_prefix: Some(SharedPrefix { groups: 2, tokens: 40, block_tokens: 16 }),
        };
        let mut beginnings = std::collections::BTreeSet::new();
        for class in [ClassId(0), ClassId(1)] {
            let mut draws = RequestDraws::new(class, &shape, Streams::new(5));
            for _ in 0..200 {
                let request = draws.next();
                // 40 tokens are two full blocks of 16; shorter prompts have as many as fit.
                assert_eq!(request.blocks.len(), (request.prompt_tokens / 16).min(2));
                beginnings.extend(request.blocks.ids().next());
            }
        }
        assert_eq!(beginnings.len(), 4);
    }

    #[test]
    fn problems_include_the_path_of_the_part() {
        let shared = SharedPrefix { groups: 0, tokens: 8, block_tokens: 16 };
        let problems = shape(LengthDistribution::Fixed { tokens: 0 }, Some(shared)).validate();
        let fields: Vec<_> = problems.iter().map(|p| p.field.as_str()).collect();
        assert_eq!(fields, ["output.tokens", "shared_prefix.groups", "shared_prefix.block_tokens"]);
    }
}
