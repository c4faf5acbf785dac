//! Sessions of a workload as parameters of the workload layer.

use super::super::file::{Sessions, TraceSessions};
use super::workload::{PREFIX_BLOCK_TOKENS, lengths, shared_prefix, tokens};
use crate::document::{Document, Problems};
use crate::units::Count;
use crate::workload::{
    ArrivalProcess, DiurnalEnvelope, SessionOptions, SessionReplay, SessionStart, SyntheticSessionParameters, ToolParameters,
};

/// Generated sessions, and when they start.
pub(super) fn generated(
    entry: &Sessions,
    at: &str,
    document: &Document,
    problems: &mut Problems<'_>,
) -> Option<(SyntheticSessionParameters, SessionStart)> {
    let mut draw = |entry, key: &str| lengths(entry, &format!("{at}.{key}"), document, problems);
    let messages = draw(&entry.messages, "messages");
    let message_tokens = draw(&entry.message_tokens, "message_tokens");
    let output_tokens = draw(&entry.output_tokens, "output_tokens");
    let result_tokens = entry.tools.as_ref().map(|tools| draw(&tools.result_tokens, "tools.result_tokens"));
    let system_prompt = entry.system_prompt.map(|prompt| shared_prefix(prompt, &format!("{at}.system_prompt"), problems));
    let max_context = entry.max_context.map(|most| tokens(most, &format!("{at}.max_context"), problems));
    if entry.diurnal.is_some() && entry.arrivals.is_none() {
        problems.note(&format!("{at}.diurnal"), "no rate to multiply: expected `arrivals` instead of `at_once`", None);
        return None;
    }
    let tools = match (&entry.tools, result_tokens) {
        (Some(tools), Some(result)) => {
            Some(ToolParameters { probability: tools.probability.get(), result_tokens: result?, time: tools.time })
        }
        _ => None,
    };
    let parameters = SyntheticSessionParameters {
        sessions: entry.sessions.and_then(Count::whole),
        messages: messages?,
        system_prompt: system_prompt.map_or(Some(None), |prompt| prompt.map(Some))?,
        message_tokens: message_tokens?,
        output_tokens: output_tokens?,
        think_time: entry.think_time,
        tools,
        max_context: max_context.map_or(Some(None), |most| most.map(Some))?,
        block_tokens: PREFIX_BLOCK_TOKENS,
    };
    Some((parameters, start(entry.at_once, entry.arrivals, entry.diurnal)))
}

/// Replay settings of the sessions of a trace.
pub(super) fn replayed(entry: &TraceSessions) -> SessionReplay {
    SessionReplay {
        start: start(entry.at_once, entry.arrivals, None),
        max_delay: entry.max_delay,
        options: SessionOptions { turns: entry.turns, sub_agents: entry.sub_agents, cache_answers: entry.cache_answers },
    }
}

fn start(at_once: Option<u32>, arrivals: Option<ArrivalProcess>, envelope: Option<DiurnalEnvelope>) -> SessionStart {
    match (at_once, arrivals) {
        (Some(count), _) => SessionStart::AtOnce(count),
        (None, Some(process)) => SessionStart::Arrivals { process, envelope },
        (None, None) => SessionStart::AsRecorded,
    }
}
