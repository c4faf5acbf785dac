//! The metrics of a run.

use super::super::summary::Summary;
use super::Given::{Faults, Frontends, Sessions, Slo};
use super::class::{jitter, latency, requests};
use super::energy::{BOUNDARIES, COST, EFFICIENCY, ENERGY, PHASE_NAMES, PHASES, POWER};
use super::table::Better::{Less, More, Neither};
use super::{Group, Metric, Table};

type Run = Metric<Summary>;

const TIME: &[Run] = &[
    Run::number("simulated_s", "simulated", "s", Less, "time", "Simulated time from 0 to the last event.", |s| Some(s.simulated_s)),
    Run::number("measured_s", "measured", "s", Less, "time", "Measured part of it: from the end of the warm-up.", |s| Some(s.measured_s)),
    Run::number("arriving_s", "until the last arrival", "s", Neither, "time", "From the end of the warm-up to the last arrival.", |s| {
        Some(s.arriving_s)
    }),
    Run::number("warmup.s", "warm-up", "s", Neither, "time", "Length of the warm-up.", |s| Some(s.warmup.s)),
    Run::count("warmup.requests", "requests in the warm-up", "requests", Neither, "requests", "Arrived during the warm-up.", |s| {
        Some(s.warmup.requests)
    }),
    Run::count("events", "events", "events", Neither, "time", "Events handled, iterations included.", |s| Some(s.events)),
];

const TOKENS: &[Run] = &[
    Run::count("tokens.prompt", "prompt", "tokens", More, "tokens", "Prompt tokens served, cached ones included.", |s| {
        Some(s.tokens.prompt)
    }),
    Run::count("tokens.output", "output", "tokens", More, "tokens", "Output tokens.", |s| Some(s.tokens.output)),
    Run::count("tokens.cached_prompt", "cached prompt", "tokens", More, "prefix", "Prompt tokens found in a prefix cache.", |s| {
        Some(s.tokens.cached_prompt)
    }),
    Run::count("tokens.recomputed", "recomputed", "tokens", Less, "preemption", "Prompt and output tokens recomputed.", |s| {
        Some(s.tokens.recomputed)
    }),
    Run::number("lengths.prompt_mean", "prompt length, mean", "tokens", Neither, "tokens", "Mean length of all prompts.", |s| {
        s.lengths.prompt_mean
    }),
    Run::number(
        "lengths.output_mean",
        "output length, mean",
        "tokens",
        Neither,
        "tokens",
        "Mean length of the outputs of completed requests.",
        |s| s.lengths.output_mean,
    ),
];

const THROUGHPUT: &[Run] = &[
    Run::number(
        "throughput.offered_requests_per_s",
        "offered",
        "requests/s",
        Neither,
        "offered",
        "Arrivals per second, from the first to the last.",
        |s| s.throughput.offered_requests_per_s,
    ),
    Run::number(
        "throughput.served_requests_per_s",
        "served while arriving",
        "requests/s",
        More,
        "offered",
        "Completions per second over the same time.",
        |s| s.throughput.served_requests_per_s,
    ),
    Run::number("throughput.requests_per_s", "completed", "requests/s", More, "throughput", "Completions per second.", |s| {
        s.throughput.requests_per_s
    }),
    Run::number(
        "throughput.output_tokens_per_s",
        "output tokens per second",
        "tokens/s",
        More,
        "throughput",
        "Output tokens per second.",
        |s| s.throughput.output_tokens_per_s,
    ),
    Run::number(
        "throughput.total_tokens_per_s",
        "all tokens per second",
        "tokens/s",
        More,
        "throughput",
        "Prompt and output tokens per second.",
        |s| s.throughput.total_tokens_per_s,
    ),
    Run::number(
        "throughput.output_tokens_per_s_per_chip",
        "output tokens per chip",
        "tokens/s",
        More,
        "throughput",
        "Output tokens per second and chip.",
        |s| s.throughput.output_tokens_per_s_per_chip,
    ),
];

const GOODPUT: &[Run] = &[
    Run::number(
        "goodput.requests_per_s",
        "good requests",
        "requests/s",
        More,
        "goodput",
        "Completions per second that met all limits.",
        |s| s.goodput?.requests_per_s,
    )
    .given(Slo),
    Run::number(
        "goodput.output_tokens_per_s",
        "their output tokens",
        "tokens/s",
        More,
        "goodput",
        "Output tokens per second of these requests.",
        |s| s.goodput?.output_tokens_per_s,
    )
    .given(Slo),
    Run::number("goodput.slo_attainment", "SLO attainment", "share", More, "slo", "Requests that met all limits / requests judged.", |s| {
        s.goodput?.slo_attainment
    })
    .given(Slo),
];

const LIFECYCLE: &[Run] = &[
    Run::number("lifecycle.queue_ms", "queue", "ms", Less, "lifecycle", "Waiting for the first iteration.", |s| {
        Some(s.lifecycle?.queue_ms)
    }),
    Run::number("lifecycle.prefill_ms", "prefill", "ms", Less, "lifecycle", "From the first iteration to the first token.", |s| {
        Some(s.lifecycle?.prefill_ms)
    }),
    Run::number("lifecycle.reserve_ms", "wait for decode memory", "ms", Less, "lifecycle", "Waiting for memory on the decode side.", |s| {
        Some(s.lifecycle?.reserve_ms)
    }),
    Run::number("lifecycle.transfer_ms", "KV transfer", "ms", Less, "lifecycle", "KV transfer time not overlapped by prefill.", |s| {
        Some(s.lifecycle?.transfer_ms)
    }),
    Run::number("lifecycle.decode_queue_ms", "wait for decode batch", "ms", Less, "lifecycle", "Waiting to join a decode batch.", |s| {
        Some(s.lifecycle?.decode_queue_ms)
    }),
    Run::number("lifecycle.decode_ms", "decode", "ms", Less, "lifecycle", "Generating.", |s| Some(s.lifecycle?.decode_ms)),
    Run::number("lifecycle.recovery_ms", "recovery from failures", "ms", Less, "recovery", "Time lost to instance failures.", |s| {
        s.lifecycle?.recovery_ms
    })
    .given(Faults),
    Run::number("lifecycle.frontend_ms", "frontend", "ms", Less, "lifecycle", "In a frontend, waiting or in service.", |s| {
        s.lifecycle?.frontend_ms
    })
    .given(Frontends),
];

const FLEET: &[Run] = &[
    Run::count("fleet.outages", "outages", "times", Less, "availability", "Times an instance went down, by failure or as planned.", |s| {
        Some(s.fleet.as_ref()?.outages)
    })
    .given(Faults),
    Run::number("fleet.down_s", "time off", "s", Less, "availability", "Instance time spent off.", |s| Some(s.fleet.as_ref()?.down_s))
        .given(Faults),
    Run::count(
        "fleet.hit_requests",
        "requests hit",
        "requests",
        Less,
        "recovery",
        "Requests whose instance failed, or that found no instance.",
        |s| Some(s.fleet.as_ref()?.hit_requests),
    )
    .given(Faults),
    Run::number(
        "fleet.recovery_ms_mean",
        "their recovery, mean",
        "ms",
        Less,
        "recovery",
        "Mean time lost to failures, over the completed ones of these requests.",
        |s| s.fleet.as_ref()?.recovery_ms_mean,
    )
    .given(Faults),
];

const HANDOFF: &[Run] = &[
    Run::number(
        "handoff.waiting_mean",
        "requests waiting, mean",
        "requests",
        Less,
        "lifecycle",
        "Requests waiting for memory on the decode side, mean over time.",
        |s| Some(s.handoff.waiting_mean),
    ),
    Run::number(
        "handoff.blocked_share",
        "time with a wait",
        "share",
        Less,
        "lifecycle",
        "Share of the time in which at least one request waited.",
        |s| Some(s.handoff.blocked_share),
    ),
];

const NETWORK: &[Run] = &[
    Run::count("network.transfers", "transfers", "requests", Neither, "transfer", "Requests whose KV was sent.", |s| {
        Some(s.network.transfers)
    }),
    Run::number("network.bytes", "moved", "bytes", Less, "transfer", "Bytes moved.", |s| Some(s.network.bytes)),
    Run::number("network.transfer_ms_mean", "mean transfer", "ms", Less, "transfer", "Mean time of a transfer.", |s| {
        s.network.transfer_ms_mean
    }),
    Run::number("network.transfer_ms_p99", "p99 transfer", "ms", Less, "transfer", "99th percentile of the time of a transfer.", |s| {
        s.network.transfer_ms_p99
    }),
    Run::number(
        "network.peak_port_utilization",
        "busiest port",
        "share",
        Less,
        "port",
        "Share of its bandwidth used by the busiest port.",
        |s| s.network.peak_port_utilization,
    ),
];

const SESSIONS: &[Run] = &[
    Run::count(
        "sessions.started",
        "started",
        "sessions",
        Neither,
        "session",
        "Sessions whose first call arrived in the measured time.",
        |s| Some(s.sessions?.started),
    )
    .given(Sessions),
    Run::count("sessions.calls", "calls", "requests", Neither, "session", "Calls of sessions that arrived in the measured time.", |s| {
        Some(s.sessions?.calls)
    })
    .given(Sessions),
];

const SESSION_LATENCY: &[Run] = &[
    Run::distribution("sessions.first_ttft_ms", "TTFT, first calls", "ms", Less, "session", "Time to first token of first calls.", |s| {
        s.sessions?.first_ttft_ms
    })
    .given(Sessions),
    Run::distribution("sessions.later_ttft_ms", "TTFT, later calls", "ms", Less, "session", "Time to first token of later calls.", |s| {
        s.sessions?.later_ttft_ms
    })
    .given(Sessions),
];

/// The metrics of a run over the measured time.
pub const RUN: Table<Summary> = &[
    Group::new("time", "Time", TIME),
    Group::new("requests", "Requests", requests!(Summary)),
    Group::new("tokens", "Tokens", TOKENS),
    Group::new("throughput", "Throughput", THROUGHPUT),
    Group::new("latency", "Latency", latency!(Summary)),
    Group::new("jitter", "Jitter: gaps between tokens", jitter!(Summary)),
    Group::new("goodput", "Goodput", GOODPUT),
    Group::new("lifecycle", "Stages of a request, mean", LIFECYCLE),
    Group::new("energy", "Energy", ENERGY).across(BOUNDARIES),
    Group::new("energy-by-phase", "Energy by phase", PHASES).across(PHASE_NAMES),
    Group::new("efficiency", "Tokens per joule", EFFICIENCY).across(BOUNDARIES),
    Group::new("power", "Power and carbon", POWER),
    Group::new("cost", "Cost", COST),
    Group::new("outages", "Outages", FLEET),
    Group::new("handoff", "Waits for decode memory", HANDOFF),
    Group::new("network", "Network: KV transfers", NETWORK),
    Group::new("sessions", "Sessions", SESSIONS),
    Group::new("sessions-latency", "Sessions: latency", SESSION_LATENCY),
];
