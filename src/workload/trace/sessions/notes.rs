//! What is noticed while sessions are read. Owns the counts and how they are told.

use serde::Serialize;

use crate::units::grouped;

/// Counts of what a trace of sessions leaves open, and how it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SessionNotes {
    /// Calls that are recorded without an answer; taken as one token.
    pub empty_answers: u64,
    /// Delays from which the server time could not be taken off, because it was not recorded.
    pub delays_with_service: u64,
    /// Later turns with a time and a delay, of which the delay was taken.
    pub unused_times: u64,
    /// Later turns whose prompt is shorter than the one before, or begins with another block.
    pub turns_not_repeating: u64,
}

impl SessionNotes {
    /// Each as a sentence; none if there is nothing to say.
    pub fn sentences(&self) -> Vec<String> {
        let counted = |count: u64, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{} {many}", grouped(&count.to_string()))),
        };
        let not_repeating = |found: String| format!("{found}; if turns hold new text only, `turns: delta` adds the history");
        [
            counted(self.empty_answers, "answer of 0 tokens is taken as 1 token", "answers of 0 tokens are taken as 1 token"),
            counted(
                self.delays_with_service,
                "delay contains the time of the server, which is not recorded",
                "delays contain the time of the server, which is not recorded",
            ),
            counted(
                self.unused_times,
                "later turn has a `timestamp` and a `delay`: the delay counts, from the answer",
                "later turns have a `timestamp` and a `delay`: the delay counts, from the answer",
            ),
            counted(
                self.turns_not_repeating,
                "later turn does not repeat the prompt before it",
                "later turns do not repeat the prompt before them",
            )
            .map(not_repeating),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
