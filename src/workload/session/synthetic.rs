//! Generated sessions: user messages and answers, with tool calls in between, over a growing context.

use super::delays::DelayDistribution;
use super::script::{Script, SessionSource, Step};
use super::{BLOCK_BITS, MOST_SESSIONS, own_blocks};
use crate::kv::Blocks;
use crate::sim::{Purpose, SimDuration, Stream, Streams};
use crate::workload::error::{Problems, refuse};
use crate::workload::lengths::LengthSampler;
use crate::workload::{ClassId, LengthDistribution, MAX_TOKENS, ParameterProblem, SharedPrefix, WorkloadError};

/// Maximum number of calls per session.
const MOST_CALLS: u32 = 1_000_000;

/// Parameters of generated sessions.
///
/// A session has a number of messages. The prompt of the first call is the system prompt and the first message; every answer is added to the context,
/// and so is the new text of the next call: a tool result or the next message.
#[derive(Debug, Clone, PartialEq)]
pub struct SyntheticSessionParameters {
    /// Number of sessions, at least 1; unlimited if not given.
    pub sessions: Option<u64>,
    /// Messages per session.
    pub messages: LengthDistribution,
    /// Text at the start of every prompt of a session, shared by the sessions of a group.
    pub system_prompt: Option<SharedPrefix>,
    /// Length of a message.
    pub message_tokens: LengthDistribution,
    /// Length of an answer.
    pub output_tokens: LengthDistribution,
    /// Time from an answer to the next message.
    pub think_time: DelayDistribution,
    /// Tool calls, if any.
    pub tools: Option<ToolParameters>,
    /// The session ends before a call whose prompt and answer together would exceed this number of tokens; the first call is always sent.
    pub max_context: Option<u32>,
    /// Tokens per block of the identities, at least 1.
    pub block_tokens: u32,
}

/// Answers that call a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolParameters {
    /// Probability that an answer calls a tool instead of ending the turn, 0 to below 1: a message has 1 / (1 − p) calls on average.
    pub probability: f64,
    /// Length of a tool result.
    pub result_tokens: LengthDistribution,
    /// Time from the answer to the call with the result.
    pub time: DelayDistribution,
}

impl SyntheticSessionParameters {
    /// All problems of these parameters; empty if valid.
    pub fn validate(&self) -> Vec<ParameterProblem> {
        let mut problems = Problems::default();
        let groups = u64::from(self.system_prompt.map_or(0, |prompt| prompt.groups));
        problems.require(
            self.sessions.is_none_or(|n| (1..=MOST_SESSIONS).contains(&n)),
            "sessions",
            shown(self.sessions),
            "1 to 8,388,608 sessions",
        );
        problems.require(groups <= MOST_SESSIONS, "system_prompt.groups", groups, "at most 8,388,608 groups");
        problems.require(self.block_tokens >= 1, "block_tokens", self.block_tokens, "at least 1");
        problems.require(self.max_context != Some(0), "max_context", 0, "at least 1 token");
        problems.within("system_prompt", self.system_prompt.map(|prompt| prompt.validate()).unwrap_or_default());
        problems.within("messages", self.messages.validate());
        problems.within("message_tokens", self.message_tokens.validate());
        problems.within("output_tokens", self.output_tokens.validate());
        problems.within("think_time", self.think_time.validate());
        if let Some(tools) = &self.tools {
            let expected = "a number from 0 to 0.999";
            problems.require((0.0..=0.999).contains(&tools.probability), "tools.probability", tools.probability, expected);
            problems.within("tools.result_tokens", tools.result_tokens.validate());
            problems.within("tools.time", tools.time.validate());
        }
        problems.into_vec()
    }
}

fn shown(number: Option<u64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

/// Generated sessions, in order: the n-th does not depend on its start time.
#[derive(Debug)]
pub struct SyntheticSessions {
    parameters: SyntheticSessionParameters,
    class: ClassId,
    messages: LengthSampler,
    message: LengthSampler,
    output: LengthSampler,
    result: Option<LengthSampler>,
    /// Draws of lengths, of the course of a session, and of delays.
    lengths: Stream,
    course: Stream,
    delays: Stream,
    next: u64,
}

impl SyntheticSessions {
    /// The sessions of the workload `class`; their draws depend only on the seed of `streams` and on the class.
    ///
    /// # Errors
    /// [`WorkloadError::Parameters`] with all problems.
    pub fn new(class: ClassId, parameters: SyntheticSessionParameters, streams: &Streams) -> Result<Self, WorkloadError> {
        refuse(parameters.validate())?;
        let entity = u32::from(class.0);
        Ok(Self {
            class,
            messages: LengthSampler::new(&parameters.messages),
            message: LengthSampler::new(&parameters.message_tokens),
            output: LengthSampler::new(&parameters.output_tokens),
            result: parameters.tools.as_ref().map(|tools| LengthSampler::new(&tools.result_tokens)),
            lengths: streams.stream(Purpose::Lengths, entity),
            course: streams.stream(Purpose::Sessions, entity),
            delays: streams.stream(Purpose::Delays, entity),
            next: 0,
            parameters,
        })
    }

    /// The next session; it has at least one call.
    fn draw(&mut self) -> Script {
        let session = self.next;
        self.next += 1;
        let group = self.parameters.system_prompt.map(|prompt| (self.course.below(u64::from(prompt.groups)), prompt.tokens));
        let mut context = group.map_or(0, |(_, tokens)| tokens);
        let shared = context / self.parameters.block_tokens;
        let of_group = (group.map_or(0, |(group, _)| group << BLOCK_BITS), shared);
        let mut messages = self.messages.draw(&mut self.course);
        let (mut steps, mut tool) = (Vec::new(), false);
        while steps.len() < MOST_CALLS as usize {
            let (added, delay) = self.draw_call(tool, steps.is_empty());
            let output_tokens = self.output.draw(&mut self.lengths);
            let prompt_tokens = context.saturating_add(added);
            let whole = prompt_tokens.saturating_add(output_tokens);
            let most = self.parameters.max_context.unwrap_or(MAX_TOKENS).min(MAX_TOKENS);
            if whole > most && !steps.is_empty() {
                break;
            }
            // The last token of an answer is never an input, so its KV is not computed.
            let blocks = (whole - 1) / self.parameters.block_tokens;
            let own = (own_blocks(session) + u64::from(shared), blocks.saturating_sub(shared));
            steps.push(Step {
                after: (0..).zip(&steps).last().map(|(last, _)| last).into_iter().collect(),
                delay,
                not_before: SimDuration::ZERO,
                prompt_tokens: prompt_tokens.min(MAX_TOKENS),
                output_tokens,
                blocks: Blocks::of_runs([of_group, own]),
            });
            context = whole;
            tool = self.parameters.tools.as_ref().is_some_and(|tools| self.course.uniform() < tools.probability);
            messages -= u32::from(!tool);
            if messages == 0 {
                break;
            }
        }
        Script { session, start: None, steps }
    }

    /// Tokens added to the context by the next call, and its delay.
    fn draw_call(&mut self, tool: bool, first: bool) -> (u32, SimDuration) {
        match (&self.parameters.tools, &self.result) {
            (Some(tools), Some(result)) if tool => (result.draw(&mut self.lengths), tools.time.draw(&mut self.delays)),
            _ if first => (self.message.draw(&mut self.lengths), SimDuration::ZERO),
            _ => (self.message.draw(&mut self.lengths), self.parameters.think_time.draw(&mut self.delays)),
        }
    }
}

impl SessionSource for SyntheticSessions {
    fn next_script(&mut self) -> Result<Option<Script>, WorkloadError> {
        if self.parameters.sessions.is_some_and(|sessions| self.next >= sessions) {
            return Ok(None);
        }
        if self.next == MOST_SESSIONS {
            let problem =
                "found more than 8,388,608 sessions, the limit for distinct block identities; expected a number of `sessions`".to_owned();
            return Err(WorkloadError::Script { class: self.class.0, problem });
        }
        Ok(Some(self.draw()))
    }

    fn handed_out(&self) -> Option<f64> {
        self.parameters.sessions.map(|sessions| self.next as f64 / sessions as f64)
    }

    fn block_tokens(&self) -> Option<u32> {
        Some(self.parameters.block_tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parameters() -> SyntheticSessionParameters {
        SyntheticSessionParameters {
            sessions: Some(200),
            messages: LengthDistribution::Uniform { min: 1, max: 9 },
            system_prompt: Some(SharedPrefix { groups: 3, tokens: 100, block_tokens: 16 }),
            message_tokens: LengthDistribution::Uniform { min: 1, max: 300 },
            output_tokens: LengthDistribution::Uniform { min: 1, max: 200 },
            think_time: DelayDistribution::Exponential { mean: 10.0 },
            tools: Some(ToolParameters {
                probability: 0.75,
                result_tokens: LengthDistribution::Fixed { tokens: 40 },
                time: DelayDistribution::Fixed(2.0),
            }),
            max_context: None,
            block_tokens: 16,
        }
    }

    fn all(parameters: &SyntheticSessionParameters) -> Vec<Script> {
        let mut source = SyntheticSessions::new(ClassId(0), parameters.clone(), &Streams::new(7)).unwrap();
        std::iter::from_fn(|| source.next_script().unwrap()).collect()
    }

    #[test]
    fn every_prompt_repeats_the_previous_one_and_its_answer() {
        let scripts = all(&parameters());
        assert_eq!(scripts.len(), 200);
        for script in &scripts {
            assert_eq!(script.fault(), None);
            for pair in script.steps.windows(2) {
                let whole = pair[0].prompt_tokens + pair[0].output_tokens;
                assert!(pair[1].prompt_tokens > whole);
                // The second repeats all known blocks of the first, up to the last token of the answer.
                assert_eq!(pair[0].blocks.len(), (whole - 1) / 16);
                assert_eq!(pair[0].blocks.common(&pair[1].blocks), pair[0].blocks.len());
            }
        }
    }

    #[test]
    fn sessions_share_the_system_prompt_of_their_group_and_nothing_else() {
        let scripts = all(&parameters());
        let first: Vec<&Blocks> = scripts.iter().map(|script| &script.steps[0].blocks).collect();
        let shared: Vec<u32> = first.iter().skip(1).map(|blocks| first[0].common(blocks)).collect();
        // 100 tokens are six full blocks.
        assert!(shared.iter().all(|&common| common == 0 || common == 6.min(first[0].len())));
        let same = shared.iter().filter(|&&common| common > 0).count();
        assert!((50..85).contains(&same), "{same} of 199 sessions are in the group of the first");
    }

    #[test]
    fn the_number_of_calls_per_message_matches_the_probability() {
        let one = SyntheticSessionParameters { messages: LengthDistribution::Fixed { tokens: 1 }, sessions: Some(20_000), ..parameters() };
        let calls: usize = all(&one).iter().map(|script| script.steps.len()).sum();
        approx::assert_relative_eq!(calls as f64 / 20_000.0, 4.0, max_relative = 0.03);
    }

    proptest! {
        #[test]
        fn a_context_never_exceeds_the_limit(most in 1u32..3000) {
            for script in all(&SyntheticSessionParameters { max_context: Some(most), sessions: Some(20), ..parameters() }) {
                prop_assert!(script.steps.iter().skip(1).all(|step| step.prompt_tokens + step.output_tokens <= most));
            }
        }
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let bad = SyntheticSessionParameters {
            sessions: Some(0),
            messages: LengthDistribution::Fixed { tokens: 0 },
            think_time: DelayDistribution::Exponential { mean: f64::NAN },
            tools: Some(ToolParameters { probability: 1.0, ..parameters().tools.unwrap() }),
            ..parameters()
        };
        let fields: Vec<_> = bad.validate().into_iter().map(|problem| problem.field).collect();
        assert_eq!(fields, ["sessions", "messages.tokens", "think_time.exponential.mean", "tools.probability"]);
    }
}
