//! Notes from reading sessions. Owns the counts and their wording.

use serde::Serialize;

use crate::units::grouped;

/// Counts of ambiguities in a trace of sessions, and their interpretation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SessionNotes {
    /// Calls recorded without an answer; counted as one token.
    pub empty_answers: u64,
    /// Delays that include server time, as none was recorded to subtract.
    pub delays_with_service: u64,
    /// Later turns with a time and a delay, of which the delay is used.
    pub unused_times: u64,
    /// Later turns whose prompt is shorter than the previous one, or begins with another block.
    pub turns_not_repeating: u64,
}

impl SessionNotes {
    /// Each note as a sentence; empty without notes.
    pub fn sentences(&self) -> Vec<String> {
        let counted = |count: u64, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{} {many}", grouped(&count.to_string()))),
        };
        let not_repeating = |found: String| format!("{found}; if turns hold new text only, `turns: delta` adds the history");
        [
            counted(self.empty_answers, "answer of 0 tokens counts as 1 token", "answers of 0 tokens count as 1 token"),
            counted(
                self.delays_with_service,
                "delay includes the server time, which is not recorded",
                "delays include the server time, which is not recorded",
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
