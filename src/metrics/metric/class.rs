//! The metrics of a class of requests, and those shared by a run and its classes.

use super::super::summary::ClassSummary;
use super::table::Better::{Less, More, Neither};
use super::{Group, Metric, Table};

/// Counts of requests by outcome: for any type with `requests`.
macro_rules! requests {
    ($of:ty) => {
        &[
            Metric::<$of>::count("requests.arrived", "arrived", "requests", Neither, "requests", "Arrived in the measured time.", |s| {
                Some(s.requests.arrived)
            }),
            Metric::<$of>::count("requests.completed", "completed", "requests", More, "requests", "Received their last token.", |s| {
                Some(s.requests.completed)
            }),
            Metric::<$of>::count(
                "requests.rejected",
                "rejected",
                "requests",
                Less,
                "requests",
                "Rejected by a policy, or too large for any instance.",
                |s| Some(s.requests.rejected),
            ),
            Metric::<$of>::count("requests.refused", "refused", "requests", Less, "requests", "Rejected by a policy.", |s| {
                Some(s.requests.refused)
            }),
            Metric::<$of>::count("requests.timed_out", "timed out", "requests", Less, "requests", "Gave up.", |s| {
                Some(s.requests.timed_out)
            }),
            Metric::<$of>::count("requests.failed", "failed", "requests", Less, "requests", "Lost to failures.", |s| {
                Some(s.requests.failed)
            }),
            Metric::<$of>::count("requests.in_flight", "in flight", "requests", Less, "requests", "In flight when the run ended.", |s| {
                Some(s.requests.in_flight)
            }),
            Metric::<$of>::count(
                "requests.truncated",
                "truncated",
                "requests",
                Less,
                "requests",
                "Completed, but truncated at the context limit.",
                |s| Some(s.requests.truncated),
            ),
            Metric::<$of>::count(
                "requests.preemptions",
                "preemptions",
                "times",
                Less,
                "preemption",
                "Times a running request lost its KV memory.",
                |s| Some(s.requests.preemptions),
            ),
        ]
    };
}

/// Latency: for any type with `latency`.
macro_rules! latency {
    ($of:ty) => {
        &[
            Metric::<$of>::distribution("latency.ttft_ms", "TTFT", "ms", Less, "ttft", "Time to first token.", |s| s.latency.ttft_ms),
            Metric::<$of>::distribution("latency.ttst_ms", "TTST", "ms", Less, "ttst", "Time to second token.", |s| s.latency.ttst_ms),
            Metric::<$of>::distribution("latency.tpot_ms", "TPOT", "ms", Less, "tpot", "Time per output token of a request.", |s| {
                s.latency.tpot_ms
            }),
            Metric::<$of>::distribution("latency.itl_ms", "ITL", "ms", Less, "itl", "Gaps between tokens, of all requests.", |s| {
                s.latency.itl_ms
            }),
            Metric::<$of>::distribution("latency.e2e_ms", "E2E", "ms", Less, "e2e", "From arrival to the last token.", |s| {
                s.latency.e2e_ms
            }),
        ]
    };
}

/// Jitter: for any type with `jitter`.
macro_rules! jitter {
    ($of:ty) => {
        &[
            Metric::<$of>::number("jitter.itl_std_ms", "std", "ms", Less, "jitter", "Standard deviation of the gaps.", |s| {
                s.jitter.itl_std_ms
            }),
            Metric::<$of>::number("jitter.itl_cov", "variation", "", Less, "jitter", "Coefficient of variation of the gaps.", |s| {
                s.jitter.itl_cov
            }),
            Metric::<$of>::number(
                "jitter.itl_p99_minus_p50_ms",
                "p99 − p50",
                "ms",
                Less,
                "jitter",
                "99th percentile of the gaps minus their median.",
                |s| s.jitter.itl_p99_minus_p50_ms,
            ),
            Metric::<$of>::number(
                "jitter.itl_p99_over_p50",
                "p99 / p50",
                "",
                Less,
                "jitter",
                "99th percentile of the gaps over their median.",
                |s| s.jitter.itl_p99_over_p50,
            ),
            Metric::<$of>::number("jitter.longest_stall_ms", "longest stall", "ms", Less, "jitter", "Longest gap.", |s| {
                s.jitter.longest_stall_ms
            }),
            Metric::<$of>::number(
                "jitter.request_itl_std_ms.mean",
                "request std, mean",
                "ms",
                Less,
                "jitter",
                "Standard deviation of the gaps of one request: mean over requests.",
                |s| s.jitter.request_itl_std_ms.map(|std| std.mean),
            ),
            Metric::<$of>::number(
                "jitter.request_itl_std_ms.p99",
                "request std, p99",
                "ms",
                Less,
                "jitter",
                "Standard deviation of the gaps of one request: 99th percentile over requests.",
                |s| s.jitter.request_itl_std_ms.map(|std| std.p99),
            ),
        ]
    };
}

pub(super) use {jitter, latency, requests};

const ATTAINMENT: &[Metric<ClassSummary>] = &[
    Metric::number("slo.ttft_ms", "TTFT limit", "ms", Neither, "slo", "Limit of the time to first token.", |c| c.slo.ttft_ms),
    Metric::number("slo.tpot_ms", "TPOT limit", "ms", Neither, "slo", "Limit of the time per output token.", |c| c.slo.tpot_ms),
    Metric::number("slo.e2e_ms", "E2E limit", "ms", Neither, "slo", "Limit of the time from arrival to the last token.", |c| c.slo.e2e_ms),
    Metric::number("slo_attainment", "all limits met", "share", More, "slo", "Requests that met all limits / requests judged.", |c| {
        c.slo_attainment
    }),
    Metric::number("slo_attainment_95.low", "95 % from", "share", More, "interval", "Lower end of the 95 % interval of that share.", |c| {
        c.slo_attainment_95.map(|interval| interval.low)
    }),
    Metric::number("slo_attainment_95.high", "95 % to", "share", More, "interval", "Upper end of the 95 % interval of that share.", |c| {
        c.slo_attainment_95.map(|interval| interval.high)
    }),
    Metric::number("ttft_attainment", "TTFT met", "share", More, "slo", "Share that met the limit of the time to first token.", |c| {
        c.ttft_attainment
    }),
    Metric::number("tpot_attainment", "TPOT met", "share", More, "slo", "Share that met the limit of the time per output token.", |c| {
        c.tpot_attainment
    }),
];

/// The metrics of a class over the measured time.
pub const CLASS: Table<ClassSummary> = &[
    Group::new("requests", "Requests", requests!(ClassSummary)),
    Group::new("classes", "Classes: limits and attainment", ATTAINMENT),
    Group::new("latency", "Latency", latency!(ClassSummary)),
    Group::new("jitter", "Jitter: gaps between tokens", jitter!(ClassSummary)),
];
