//! Session scripts.

use crate::kv::Blocks;
use crate::sim::SimDuration;
use crate::workload::{SkippedLines, WorkloadError};

/// One call of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Indices of the earlier calls whose answers it waits for; empty if it waits only for the start of the session.
    pub after: Box<[u32]>,
    /// Time from the last of these answers, or from the start, to its arrival.
    pub delay: SimDuration,
    /// Earliest arrival, relative to the start of the session.
    pub not_before: SimDuration,
    /// Prompt length, tokens, at least 1.
    pub prompt_tokens: u32,
    /// Output length, tokens, at least 1.
    pub output_tokens: u32,
    /// Identities of the leading full blocks of prompt and answer, unique in its workload: see [`RequestSpec::blocks`].
    ///
    /// [`RequestSpec::blocks`]: crate::workload::RequestSpec::blocks
    pub blocks: Blocks,
}

/// One session: its calls, each after the calls it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its number, unique in its workload.
    pub session: u64,
    /// Its start, relative to that of the first session, if known.
    pub start: Option<SimDuration>,
    /// Its calls, at least one.
    pub steps: Vec<Step>,
}

impl Script {
    /// Why it is invalid; `None` if it is valid.
    pub fn fault(&self) -> Option<String> {
        if self.steps.is_empty() {
            return Some("found a session without a call".to_owned());
        }
        let late = |(number, step): (usize, &Step)| step.after.iter().any(|&before| before as usize >= number).then_some(number);
        let found = self.steps.iter().enumerate().find_map(late)?;
        Some(format!("found a call ({found}) that waits for itself or for a later one, expected earlier ones"))
    }
}

/// A source of sessions, in order. Known starts never decrease.
pub trait SessionSource: std::fmt::Debug + Send {
    /// The next session.
    ///
    /// # Errors
    /// A broken line of a trace.
    fn next_script(&mut self) -> Result<Option<Script>, WorkloadError>;

    /// Progress: the share of all sessions handed out, 0 to 1; `None` if unknown.
    fn handed_out(&self) -> Option<f64>;

    /// Tokens per block of the identities.
    fn block_tokens(&self) -> Option<u32>;

    /// Remarks from reading sessions, as sentences.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// Trace lines skipped so far, if a trace is read.
    fn skipped(&self) -> Option<&SkippedLines> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_waits_for_earlier_ones() {
        let step = |after: &[u32]| Step {
            after: after.into(),
            delay: SimDuration::ZERO,
            not_before: SimDuration::ZERO,
            prompt_tokens: 1,
            output_tokens: 1,
            blocks: Blocks::default(),
        };
        let script = |steps| Script { session: 0, start: None, steps };
        assert_eq!(script(vec![step(&[]), step(&[0]), step(&[0, 1])]).fault(), None);
        assert!(script(vec![step(&[]), step(&[1])]).fault().unwrap().contains("(1)"));
        assert!(script(vec![]).fault().is_some());
    }
}
