//! Mooncake traces (Qin et al., FAST 2025): JSON lines with a timestamp in ms and the ids of 512-token prompt blocks, prefix-chained.
//! Usually the last block of a prompt is partly filled; only full blocks become prefix ids, as only they can be reused.

use serde::Deserialize;
use serde_json::Value;

use super::field::{self, LineProblem, shown, unexpected};
use super::format::{LineFormat, TraceRecord};
use super::skipped::SkipReason;
use crate::kv::Blocks;

/// Tokens per block (README of the published traces).
pub(super) const BLOCK_TOKENS: u32 = 512;

/// A line, with the field names and aliases used by its readers.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    /// Milliseconds.
    #[serde(alias = "created_time")]
    pub(super) timestamp: Option<f64>,
    #[serde(alias = "input_tokens")]
    input_length: u64,
    #[serde(alias = "output_tokens")]
    output_length: u64,
    #[serde(default)]
    hash_ids: Vec<u64>,
    pub(super) session_id: Option<SessionId>,
    /// Milliseconds after the answer to the previous turn.
    #[serde(alias = "delay_ms")]
    pub(super) delay: Option<f64>,
}

/// Name of a session.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum SessionId {
    Name(String),
    Number(serde_json::Number),
}

impl SessionId {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

impl Line {
    /// Tokens of prompt and answer, and the full blocks of the prompt.
    pub(super) fn lengths(self) -> Result<(u32, u32, Blocks), LineProblem> {
        let tokens = |name, number: u64| field::tokens(name, number.to_string().as_bytes());
        let (prompt_tokens, output_tokens) = (tokens("input_length", self.input_length)?, tokens("output_length", self.output_length)?);
        let (full, all) = ((prompt_tokens / BLOCK_TOKENS) as usize, prompt_tokens.div_ceil(BLOCK_TOKENS) as usize);
        if self.hash_ids.len() > all {
            let text = format!(
                "hash_ids: found {} ids, expected at most {all}, the blocks of {BLOCK_TOKENS} tokens in {prompt_tokens}",
                self.hash_ids.len()
            );
            return Err(LineProblem::new(SkipReason::Field, text));
        }
        Ok((prompt_tokens, output_tokens, self.hash_ids.into_iter().take(full).collect()))
    }
}

/// Parses a line without further checks.
pub(super) fn parse(line: &[u8]) -> Result<Line, LineProblem> {
    // Serde would accept an array of values in place of the object.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err(LineProblem::new(SkipReason::Structure, format!("found `{}`, expected a JSON object", shown(line))));
    }
    serde_json::from_slice(line).map_err(|_| explain(line))
}

#[derive(Debug, Default)]
pub(super) struct Mooncake;

impl LineFormat for Mooncake {
    fn header(&mut self, _line: &[u8]) -> Result<bool, LineProblem> {
        Ok(false)
    }

    fn record(&mut self, line: &[u8]) -> Result<TraceRecord, LineProblem> {
        let found = parse(line)?;
        if found.session_id.is_some() || found.delay.is_some() {
            let text = "session_id: found a turn of a session after requests without one, expected `session_id` from the first line on";
            return Err(LineProblem::new(SkipReason::Field, text));
        }
        let Some(timestamp) = found.timestamp else {
            let text = "missing field `timestamp`; expected `timestamp`, `input_length`, `output_length` and `hash_ids`";
            return Err(LineProblem::new(SkipReason::Field, text));
        };
        let at_ns = field::nearest_ns(timestamp * 1e6).and_then(|ns| u64::try_from(ns).ok()).ok_or_else(|| {
            unexpected(SkipReason::Field, "timestamp", timestamp.to_string().as_bytes(), "milliseconds, 0 or more and below 9.2e12")
        })?;
        let (prompt_tokens, output_tokens, prefix) = found.lengths()?;
        Ok(TraceRecord { at_ns, prompt_tokens, output_tokens, prefix })
    }

    /// A JSON object without its closing brace is invalid.
    fn can_be_torn_unseen(&self) -> bool {
        false
    }

    fn block_tokens(&self) -> Option<u32> {
        Some(BLOCK_TOKENS)
    }
}

/// Reads the line again, slowly, to find the faulty field.
fn explain(line: &[u8]) -> LineProblem {
    let mut json = serde_json::Deserializer::from_slice(line);
    let (path, what) = match serde_path_to_error::deserialize::<_, Line>(&mut json) {
        Err(error) => (error.path().to_string(), error.into_inner()),
        // The object itself is valid, so there is text after it.
        Ok(_) => match json.end() {
            Err(error) => (String::new(), error),
            Ok(()) => return LineProblem::new(SkipReason::Structure, format!("found `{}`, expected one JSON object", shown(line))),
        },
    };
    // The parser counts lines and columns of this one line; only the column is useful.
    let message = what.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message);
    match what.classify() {
        serde_json::error::Category::Data if path.is_empty() || path == "." => {
            LineProblem::new(SkipReason::Field, format!("{message}; expected `timestamp`, `input_length`, `output_length` and `hash_ids`"))
        }
        serde_json::error::Category::Data => match field_at(line, &path) {
            Some((found, expected)) => unexpected(SkipReason::Field, &path, found.to_string().as_bytes(), expected),
            None => LineProblem::new(SkipReason::Field, format!("{path}: {message}")),
        },
        _ => LineProblem::new(
            SkipReason::Structure,
            format!("found `{}`, expected a JSON object ({message} in column {})", shown(line), what.column()),
        ),
    }
}

/// The value of a line at `path`, and a description of valid values.
fn field_at(line: &[u8], path: &str) -> Option<(Value, &'static str)> {
    let (name, index) = path.split_once('[').map_or((path, None), |(name, index)| (name, index.strip_suffix(']')));
    let found = serde_json::from_slice::<Value>(line).ok()?.get_mut(name)?.take();
    let expected = match (name, index) {
        ("timestamp" | "created_time" | "delay" | "delay_ms", _) => "milliseconds, 0 or more and below 9.2e12",
        ("session_id", _) => "a name or a number",
        ("hash_ids", None) => "a list of whole numbers",
        ("hash_ids", Some(_)) => "a whole number, 0 or more",
        _ => "a whole number of tokens, at least 1",
    };
    let found = match index {
        Some(index) => found.get(index.parse::<usize>().ok()?)?.clone(),
        None => found,
    };
    Some((found, expected))
}

#[cfg(test)]
mod tests {
    use super::SkipReason::{Field, TooManyTokens, ZeroTokens};
    use super::*;

    fn record(line: &str) -> Result<TraceRecord, LineProblem> {
        Mooncake.record(line.as_bytes())
    }

    #[test]
    fn only_full_blocks_become_the_prefix() {
        let read = record(r#"{"timestamp": 27000, "input_length": 1535, "output_length": 5, "hash_ids": [0, 46, 47]}"#).unwrap();
        assert_eq!(
            read,
            TraceRecord { at_ns: 27_000_000_000, prompt_tokens: 1535, output_tokens: 5, prefix: [0, 46].into_iter().collect() }
        );
        let read = record(r#"{"timestamp": 0.5, "input_length": 1536, "output_length": 5, "hash_ids": [0, 46, 47], "more": {}}"#).unwrap();
        assert_eq!((read.at_ns, read.prefix), (500_000, [0, 46, 47].into_iter().collect()));
        assert!(record(r#"{"timestamp": 0, "input_length": 100, "output_length": 5}"#).unwrap().prefix.is_empty());
    }

    #[test]
    fn errors_of_invalid_lines_name_the_field() {
        let line = |time: &str, input: &str, output: &str, ids: &str| {
            let text = format!(r#"{{"timestamp": {time}, "input_length": {input}, "output_length": {output}, "hash_ids": {ids}}}"#);
            let problem = record(&text).unwrap_err();
            (problem.reason, problem.text)
        };
        assert_eq!(line("0", "0", "1", "[]").0, ZeroTokens);
        assert_eq!(line("0", "9", "0", "[]"), (ZeroTokens, "output_length: found `0`, expected at least 1 token".to_owned()));
        assert_eq!(line("0", "99999999", "1", "[]").0, TooManyTokens);
        assert_eq!(
            line("0", "-9", "1", "[]"),
            (Field, "input_length: found `-9`, expected a whole number of tokens, at least 1".to_owned())
        );
        assert_eq!(line("-1", "9", "1", "[]").0, Field);
        assert_eq!(line("1e18", "9", "1", "[]").0, Field);
        assert_eq!(line("\"x\"", "9", "1", "[]").0, Field);
        let (reason, text) = line("0", "513", "1", "[1, 2, 3]");
        assert_eq!((reason, text.as_str()), (Field, "hash_ids: found 3 ids, expected at most 2, the blocks of 512 tokens in 513"));
        assert_eq!(line("0", "513", "1", "[1, -2]").1, "hash_ids[1]: found `-2`, expected a whole number, 0 or more");
        assert_eq!(line("0", "513", "1", "7").1, "hash_ids: found `7`, expected a list of whole numbers");
        assert_eq!(line("0", "600.5", "1", "[]").1, "input_length: found `600.5`, expected a whole number of tokens, at least 1");
        assert_eq!(line("\"x\"", "9", "1", "[]").1, "timestamp: found `\"x\"`, expected milliseconds, 0 or more and below 9.2e12");
    }

    #[test]
    fn text_other_than_an_object_is_a_structure_error() {
        for text in ["", "[]x", "[0, 9, 1, []]", "{", r#"{"timestamp": 0, "input_length": 67"#, "\u{1}", r#"{"timestamp": NaN}"#] {
            assert_eq!(record(text).unwrap_err().reason, SkipReason::Structure, "{text}");
        }
        assert_eq!(record(r#"{"timestamp": 0}"#).unwrap_err().reason, SkipReason::Field);
        let two = r#"{"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": []} {}"#;
        assert_eq!(record(two).unwrap_err().reason, SkipReason::Structure);
    }
}
