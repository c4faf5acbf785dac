//! Sessions of coding agents as in the kv-cache-tester traces: one session per line, with run-length coded identities of 64-token blocks, and
//! sub-agents.
//!
//! `think_s` is the time from the answer to the next call. If it is missing, it is the gap minus the server time of the previous call. The time of a
//! sub-agent is its end if the agent waited for it, and its start otherwise: an entry was not waited for if its calls, counted back from its time,
//! would have started a second or more before the previous answer. Consecutive sub-agents that were waited for start together; the next call of the
//! agent follows the last of them. Their identities are those of the session.

use serde::Deserialize;

use super::super::field::{LineProblem, from_json, nearest_ns};
use super::super::skipped::SkipReason;
use super::notes::SessionNotes;
use super::{SessionFormat, SessionOptions, with_answer};
use crate::kv::Blocks;
use crate::sim::SimDuration;
use crate::workload::session::{BLOCK_BITS, own_blocks};
use crate::workload::{MAX_TOKENS, Script, Step};

/// Recorded times are whole seconds.
const RESOLUTION_S: f64 = 1.0;
/// The latest time, seconds.
const LATEST_S: f64 = 9.2e9;

#[derive(Debug, Deserialize)]
struct Line {
    block_size: u32,
    hash_id_scope: String,
    requests: Vec<Entry>,
}

/// A call, or a sub-agent with its own calls.
#[derive(Debug, Deserialize)]
struct Entry {
    t: f64,
    #[serde(rename = "in")]
    prompt: Option<u64>,
    #[serde(rename = "out")]
    output: Option<u64>,
    api_s: Option<f64>,
    think_s: Option<f64>,
    #[serde(default)]
    h: Vec<(u64, u32)>,
    sub: Option<Vec<Entry>>,
}

#[derive(Debug)]
struct Call {
    t: f64,
    prompt: u64,
    output: u64,
    api_s: Option<f64>,
    think_s: Option<f64>,
    h: Vec<(u64, u32)>,
}

#[derive(Debug)]
enum Recorded {
    Call(Call),
    SubAgent { t: f64, calls: Vec<Call> },
}

impl Entry {
    fn call(self, place: &str) -> Result<Call, LineProblem> {
        let Self { t, prompt, output, api_s, think_s, h, sub } = self;
        let missing = |what: &str| LineProblem::new(SkipReason::Field, format!("{place}: {what}"));
        if sub.is_some() {
            return Err(missing("found a sub-agent of a sub-agent, expected a call"));
        }
        let prompt = prompt.ok_or_else(|| missing("found no `in`, expected the tokens of the prompt"))?;
        let output = output.ok_or_else(|| missing("found no `out`, expected the tokens of the answer"))?;
        Ok(Call { t, prompt, output, api_s, think_s, h })
    }

    fn recorded(mut self, place: &str) -> Result<Recorded, LineProblem> {
        let Some(sub) = self.sub.take() else { return self.call(place).map(Recorded::Call) };
        let calls = sub.into_iter().enumerate().map(|(number, entry)| entry.call(&format!("{place}.sub[{number}]")));
        Ok(Recorded::SubAgent { t: self.t, calls: calls.collect::<Result<_, _>>()? })
    }
}

impl Call {
    /// Time of its answer, as far as known.
    fn end(&self) -> f64 {
        self.t + self.api_s.unwrap_or_default()
    }
}

/// A call during conversion to a step.
#[derive(Debug)]
struct Planned<'a> {
    call: &'a Call,
    after: Vec<usize>,
    delay_s: f64,
    /// The next call of the same chain.
    next: Option<usize>,
}

/// Reader of such sessions.
#[derive(Debug)]
pub(super) struct KvCacheTester {
    options: SessionOptions,
    block_tokens: Option<u32>,
    notes: SessionNotes,
}

impl KvCacheTester {
    pub(super) fn new(options: SessionOptions) -> Self {
        Self { options, block_tokens: None, notes: SessionNotes::default() }
    }

    /// The calls of a session with their dependencies. Counts delays for which no server time is recorded.
    fn plan<'a>(&mut self, entries: &'a [Recorded]) -> Result<Vec<Planned<'a>>, LineProblem> {
        let mut plan: Vec<Planned<'a>> = Vec::new();
        let mut last: Option<usize> = None;
        // Of the sub-agents since the last call: the last call of each one that was waited for, and the time when they ended.
        let (mut joined, mut joined_s): (Vec<usize>, f64) = (Vec::new(), 0.0);
        for (index, entry) in entries.iter().enumerate() {
            match entry {
                Recorded::Call(call) => {
                    let delay_s = match last.map(|last| plan[last].call) {
                        None => 0.0,
                        Some(_) if !joined.is_empty() => call.t - joined_s,
                        Some(before) => self.delay(before, call),
                    };
                    let after = last.into_iter().chain(joined.drain(..)).collect();
                    if let Some(last) = last.replace(plan.len()) {
                        plan[last].next = Some(plan.len());
                    }
                    plan.push(Planned { call, after, delay_s, next: None });
                }
                Recorded::SubAgent { .. } if !self.options.sub_agents => {}
                Recorded::SubAgent { t, calls } => {
                    let Some(before) = last else {
                        let text = format!("requests[{index}]: found a sub-agent, expected a call before it");
                        return Err(LineProblem::new(SkipReason::Field, text));
                    };
                    let Some(end) = calls.last().map(Call::end) else { continue };
                    let answered = plan[before].call.end();
                    let waited_for = t - end >= answered - RESOLUTION_S;
                    let begin = if waited_for { t - end } else { *t };
                    for (number, call) in calls.iter().enumerate() {
                        let (after, delay_s) = match number.checked_sub(1) {
                            None => (before, begin - answered),
                            Some(earlier) => (plan.len() - 1, self.delay(&calls[earlier], call)),
                        };
                        let next = (number + 1 < calls.len()).then_some(plan.len() + 1);
                        plan.push(Planned { call, after: vec![after], delay_s, next });
                    }
                    if waited_for {
                        joined.push(plan.len() - 1);
                        joined_s = joined_s.max(*t);
                    }
                }
            }
        }
        Ok(plan)
    }

    fn delay(&mut self, before: &Call, call: &Call) -> f64 {
        self.notes.delays_with_service += u64::from(before.api_s.is_none());
        call.think_s.unwrap_or_else(|| call.t - before.end())
    }

    /// Known blocks of a prompt; `place` is its position, for messages.
    fn blocks(call: &Call, block_tokens: u32, number: u64, place: &str) -> Result<Blocks, LineProblem> {
        let beyond = call.h.iter().any(|&(first, count)| first.saturating_add(count.into()) > 1 << BLOCK_BITS);
        let count: u64 = call.h.iter().map(|&(_, count)| u64::from(count)).sum();
        let full = call.prompt / u64::from(block_tokens);
        if beyond || count > full || call.h.iter().any(|&(_, count)| count == 0) {
            let text = format!(
                "{place}.h: found {count} ids, expected runs of at most {full} ids below 2^{BLOCK_BITS}, one for each full block of the prompt"
            );
            return Err(LineProblem::new(SkipReason::Field, text));
        }
        let own = own_blocks(number);
        Ok(Blocks::of_runs(call.h.iter().map(|&(first, count)| (own + first, count))))
    }

    fn steps(&mut self, plan: &[Planned<'_>], block_tokens: u32, number: u64) -> Result<Vec<Step>, LineProblem> {
        let mut prompts = Vec::with_capacity(plan.len());
        for (index, planned) in plan.iter().enumerate() {
            let place = format!("call {index}");
            let lengths = tokens(planned.call, &place)?;
            prompts.push((Self::blocks(planned.call, block_tokens, number, &place)?, lengths));
        }
        let mut steps = Vec::with_capacity(plan.len());
        for (planned, (prompt, [prompt_tokens, output_tokens])) in plan.iter().zip(&prompts) {
            self.notes.empty_answers += u64::from(*output_tokens == 0);
            let output_tokens = (*output_tokens).max(1);
            let next = planned.next.filter(|_| self.options.cache_answers).map(|next| &prompts[next].0);
            steps.push(Step {
                after: planned.after.iter().filter_map(|&before| u32::try_from(before).ok()).collect(),
                not_before: SimDuration::ZERO,
                delay: seconds(planned.delay_s)?,
                prompt_tokens: *prompt_tokens,
                output_tokens,
                blocks: with_answer(prompt, next, *prompt_tokens, output_tokens, block_tokens),
            });
        }
        Ok(steps)
    }
}

impl SessionFormat for KvCacheTester {
    fn script(&mut self, line: &[u8], number: u64) -> Result<Script, LineProblem> {
        let Line { block_size, hash_id_scope, requests } = from_json(line, "an object with `block_size`, `hash_id_scope` and `requests`")?;
        let refused = |text: String| Err(LineProblem::new(SkipReason::Field, text));
        if hash_id_scope != "local" {
            return refused(format!("hash_id_scope: found `{hash_id_scope}`, expected `local`: ids of one session"));
        }
        let expected = *self.block_tokens.get_or_insert(block_size);
        if block_size != expected || block_size == 0 {
            return refused(format!("block_size: found {block_size}, expected {}, the same in every session", expected.max(1)));
        }
        if let Some(index) = requests.windows(2).position(|pair| pair[1].t < pair[0].t) {
            return refused(format!("requests[{}].t: found a time earlier than the previous one, expected times in order", index + 1));
        }
        let recorded = requests.into_iter().enumerate().map(|(index, entry)| entry.recorded(&format!("requests[{index}]")));
        let recorded: Vec<Recorded> = recorded.collect::<Result<_, _>>()?;
        let plan = self.plan(&recorded)?;
        if plan.is_empty() {
            return refused("requests: found no call, expected at least one".to_owned());
        }
        Ok(Script { session: number, start: None, steps: self.steps(&plan, block_size, number)? })
    }

    fn block_tokens(&self) -> Option<u32> {
        self.block_tokens
    }

    fn notes(&self) -> SessionNotes {
        self.notes
    }
}

/// Tokens of prompt and answer; an answer may be empty.
fn tokens(call: &Call, place: &str) -> Result<[u32; 2], LineProblem> {
    let within = |number: u64| u32::try_from(number).ok().filter(|&tokens| tokens <= MAX_TOKENS);
    match (within(call.prompt).filter(|&tokens| tokens > 0), within(call.output)) {
        (Some(prompt), Some(output)) => Ok([prompt, output]),
        (None, _) => Err(LineProblem::new(
            if call.prompt == 0 { SkipReason::ZeroTokens } else { SkipReason::TooManyTokens },
            format!("{place}.in: found {}, expected tokens from 1 to 16,777,216", call.prompt),
        )),
        (_, None) => {
            let text = format!("{place}.out: found {}, expected at most 16,777,216 tokens", call.output);
            Err(LineProblem::new(SkipReason::TooManyTokens, text))
        }
    }
}

/// A recorded time between two events; rounding can put the second slightly before the first.
fn seconds(span: f64) -> Result<SimDuration, LineProblem> {
    let ns = (span < LATEST_S).then(|| nearest_ns(span.max(0.0) * 1e9)).flatten().and_then(|ns| u64::try_from(ns).ok());
    ns.map(SimDuration::from_ns)
        .ok_or_else(|| LineProblem::new(SkipReason::Field, format!("found a delay of {span} s, expected one below 9.2e9 s")))
}
