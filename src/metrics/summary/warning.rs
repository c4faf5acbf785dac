//! Warnings: their kinds and the words for them.

use serde::Serialize;

/// What a reader must know before trusting the numbers.
#[derive(Debug, Clone, Serialize)]
pub struct Warning {
    /// Which kind, in kebab-case, such as `overload`.
    pub code: WarningCode,
    /// One sentence with the numbers.
    pub message: String,
}

/// The kinds of warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "&'static str")]
pub enum WarningCode {
    /// Requests pile up, or give up because they would.
    Overload,
    /// Requests that no instance could ever serve.
    NeverServed,
    /// Requests that a policy refused.
    Refused,
    /// Clients that gave up although nothing held their requests up.
    TimedOut,
    /// Instances that did not serve all the time.
    Outages,
    /// Requests still inside when the run ended.
    Unfinished,
    /// KV memory that was full.
    KvSaturation,
    /// A batch that was full although there was memory.
    BatchLimit,
    /// A link that cannot join the pools.
    LinkReach,
    /// Outputs cut short at the context limit.
    Truncated,
    /// A measured time that begins before the cluster has filled.
    WarmUpNotSettled,
    /// Lines of a trace that were left out.
    SkippedLines,
    /// What a trace leaves open, and how it was taken.
    TraceRemarks,
    /// Too few requests for a 99th percentile.
    FewRequests,
    /// Headlines that rest on figures that nobody measured or published.
    AssumedFigures,
}

impl WarningCode {
    /// Stable name in `summary.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overload => "overload",
            Self::NeverServed => "never-served",
            Self::Refused => "refused",
            Self::TimedOut => "timed-out",
            Self::Outages => "outages",
            Self::Unfinished => "unfinished",
            Self::KvSaturation => "kv-saturation",
            Self::BatchLimit => "batch-limit",
            Self::LinkReach => "link-reach",
            Self::Truncated => "truncated",
            Self::WarmUpNotSettled => "warm-up-not-settled",
            Self::SkippedLines => "skipped-lines",
            Self::TraceRemarks => "trace-remarks",
            Self::FewRequests => "few-requests",
            Self::AssumedFigures => "assumed-figures",
        }
    }
}

impl From<WarningCode> for &'static str {
    fn from(code: WarningCode) -> Self {
        code.name()
    }
}
