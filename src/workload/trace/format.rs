//! The formats and their common interface. Owns the contract of a format; each format has its own file.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::azure::Azure;
use super::burstgpt::BurstGpt;
use super::field::LineProblem;
use super::mooncake::Mooncake;
use super::plain::Plain;
use crate::kv::Blocks;

/// One request of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceRecord {
    /// Arrival, nanoseconds since an origin specific to the format.
    pub at_ns: u64,
    /// Prompt length, tokens, at least 1.
    pub prompt_tokens: u32,
    /// Output length, tokens, at least 1.
    pub output_tokens: u32,
    /// The trace's own ids of the prompt's leading full blocks; empty if unknown.
    pub prefix: Blocks,
}

/// A format. Its state comes from the header.
pub(super) trait LineFormat: fmt::Debug + Send {
    /// Reads the first line. True if it was a header, false if it is already a request.
    fn header(&mut self, line: &[u8]) -> Result<bool, LineProblem>;

    /// Reads a line with a request.
    fn record(&mut self, line: &[u8]) -> Result<TraceRecord, LineProblem>;

    /// True if a truncated line can look complete: the last line then needs its line end.
    fn can_be_torn_unseen(&self) -> bool {
        true
    }

    /// Tokens per block of the prefix ids; `None` if the trace has none. Known after the header.
    fn block_tokens(&self) -> Option<u32> {
        None
    }
}

/// The format of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TraceFormat {
    /// Azure LLM inference traces (Splitwise): CSV `TIMESTAMP,ContextTokens,GeneratedTokens`.
    Azure,
    /// Mooncake: JSON lines `timestamp` (ms), `input_length`, `output_length`, `hash_ids` (512-token blocks).
    Mooncake,
    /// `BurstGPT`: CSV `Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type`.
    BurstGpt,
    /// Sessions of coding agents with run-length coded block ids, one per line (kv-cache-tester).
    #[serde(rename = "kv-cache-tester")]
    KvCacheTester,
    /// Sessions of a coding agent without block ids, one per line (`KernelBook` replay).
    KernelBook,
    /// Our own: CSV `arrival_s,prompt_tokens,output_tokens` and optionally `prefix_ids_<tokens per block>`.
    Plain,
}

impl TraceFormat {
    /// All formats.
    pub const ALL: [Self; 6] = [Self::Azure, Self::Mooncake, Self::BurstGpt, Self::KvCacheTester, Self::KernelBook, Self::Plain];

    /// The name used in scenarios and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Azure => "azure",
            Self::Mooncake => "mooncake",
            Self::BurstGpt => "burstgpt",
            Self::KvCacheTester => "kv-cache-tester",
            Self::KernelBook => "kernelbook",
            Self::Plain => "plain",
        }
    }

    /// An example of a first line in this format.
    const fn first_line(self) -> &'static str {
        match self {
            Self::Azure => "TIMESTAMP,ContextTokens,GeneratedTokens",
            Self::Mooncake => r#"{"timestamp": 0, "input_length": 1100, "output_length": 5, "hash_ids": [0, 1, 2]}"#,
            Self::KvCacheTester => {
                r#"{"id": "a", "block_size": 64, "hash_id_scope": "local", "requests": [{"t": 0, "in": 130, "out": 9, "h": [[1, 2]]}]}"#
            }
            Self::KernelBook => r#"{"session": 0, "turns": [{"turn": 0, "delay_before_s": 0, "input_tokens": 90, "output_tokens": 9}]}"#,
            Self::BurstGpt => "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type",
            Self::Plain => "arrival_s,prompt_tokens,output_tokens",
        }
    }

    /// The first lines of these formats, as a hint for a file in none of them; `None` without formats.
    pub fn beginnings(formats: &[Self]) -> Option<String> {
        match formats {
            [] => None,
            [one] => Some(format!("a trace in the format `{one}` begins like `{}`", one.first_line())),
            several => {
                let lines: Vec<String> = several.iter().map(|format| format!("\n  {:16}{}", format.name(), format.first_line())).collect();
                Some(format!("a trace begins like one of these formats:{}", lines.concat()))
            }
        }
    }

    /// The format that matches this first line.
    pub(super) fn detect(first_line: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|format| match format {
            Self::KvCacheTester => Keys::of(first_line).is_some_and(|keys| keys.requests.is_some() && keys.hash_id_scope.is_some()),
            Self::KernelBook => Keys::of(first_line).is_some_and(|keys| keys.turns.is_some()),
            // Broken JSON is reported when the line is read.
            Self::Mooncake => {
                let is_json = first_line.trim_ascii_start().starts_with(b"{");
                is_json && Keys::of(first_line).is_none_or(|keys| keys.requests.is_none() && keys.turns.is_none())
            }
            // Other errors in such a line are reported when it is read.
            Self::Plain => Plain::has_columns(first_line),
            Self::Azure | Self::BurstGpt => format.reader().is_some_and(|mut reader| reader.header(first_line).is_ok()),
        })
    }

    /// The reader of its lines; `None` if they are sessions.
    pub(super) fn reader(self) -> Option<Box<dyn LineFormat>> {
        Some(match self {
            Self::Azure => Box::<Azure>::default(),
            Self::Mooncake => Box::<Mooncake>::default(),
            Self::BurstGpt => Box::<BurstGpt>::default(),
            Self::Plain => Box::<Plain>::default(),
            Self::KvCacheTester | Self::KernelBook => return None,
        })
    }
}

/// Keys that identify a line of JSON.
#[derive(Debug, Deserialize)]
struct Keys {
    requests: Option<IgnoredAny>,
    hash_id_scope: Option<IgnoredAny>,
    turns: Option<IgnoredAny>,
}

impl Keys {
    /// `None` if the line is not a JSON object.
    fn of(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

impl fmt::Display for TraceFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TraceFormat {
    type Err = String;

    /// By name, in lower case.
    fn from_str(name: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| format!("found `{name}`, expected one of {}", known()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_recognised_by_their_beginnings() {
        for format in TraceFormat::ALL {
            assert_eq!(TraceFormat::detect(format.first_line().as_bytes()), Some(format));
        }
    }

    #[test]
    fn beginnings_name_the_requested_formats() {
        assert_eq!(TraceFormat::beginnings(&[]), None);
        let one = TraceFormat::beginnings(&[TraceFormat::Plain]).unwrap();
        assert_eq!(one, "a trace in the format `plain` begins like `arrival_s,prompt_tokens,output_tokens`");
        assert_eq!(TraceFormat::beginnings(&TraceFormat::ALL).unwrap().lines().count(), 7);
    }
}
