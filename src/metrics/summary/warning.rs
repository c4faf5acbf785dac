//! Warnings: kinds and messages.

use serde::Serialize;

/// A caveat for the reader of the results.
#[derive(Debug, Clone, Serialize)]
pub struct Warning {
    /// Kind, in kebab-case, such as `overload`.
    pub code: WarningCode,
    /// One sentence with the numbers.
    pub message: String,
}

/// The kinds of warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "&'static str")]
pub enum WarningCode {
    /// The queue grows without bound, or would without timeouts.
    Overload,
    /// Requests that no instance can serve.
    NeverServed,
    /// Requests rejected by a policy.
    Refused,
    /// Client timeouts without a bottleneck.
    TimedOut,
    /// Outages of instances.
    Outages,
    /// Requests in flight when the run ended.
    Unfinished,
    /// KV memory full.
    KvSaturation,
    /// Batch full although memory was available.
    BatchLimit,
    /// A link that cannot connect the pools.
    LinkReach,
    /// Outputs truncated at the context limit.
    Truncated,
    /// The measured time begins before the cluster has reached a steady state.
    WarmUpNotSettled,
    /// Skipped lines of a trace.
    SkippedLines,
    /// Ambiguities of a trace, and their interpretation.
    TraceRemarks,
    /// Too few requests for a 99th percentile.
    FewRequests,
    /// Headlines that depend on figures neither measured nor published.
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
