//! The metrics of a run.

use super::super::summary::Summary;
use super::Given::{Faults, Frontends, Slo};
use super::class::{latency, requests};
use super::table::Better::{Less, More, Neither};
use super::{Metric, Table};

type Run = Metric<Summary>;

const TIME: &[Run] = &[
    Run::number("simulated_s", "s", Less, "time", "Simulated time from 0 to the last event.", |s| Some(s.simulated_s)),
    Run::number("measured_s", "s", Less, "time", "Measured part of it: from the end of the warm-up.", |s| Some(s.measured_s)),
    Run::number("arriving_s", "s", Neither, "time", "From the end of the warm-up to the last arrival.", |s| Some(s.arriving_s)),
    Run::number("warmup.s", "s", Neither, "time", "Length of the warm-up.", |s| Some(s.warmup.s)),
    Run::count("warmup.requests", "requests", Neither, "requests", "Arrived during the warm-up.", |s| Some(s.warmup.requests)),
    Run::count("events", "events", Neither, "time", "Events handled, iterations included.", |s| Some(s.events)),
];

const SERVED: &[Run] = &[
    Run::count("tokens.prompt", "tokens", More, "tokens", "Prompt tokens served, cached ones included.", |s| Some(s.tokens.prompt)),
    Run::count("tokens.output", "tokens", More, "tokens", "Output tokens.", |s| Some(s.tokens.output)),
    Run::count("tokens.cached_prompt", "tokens", More, "prefix", "Prompt tokens found in a prefix cache.", |s| {
        Some(s.tokens.cached_prompt)
    }),
    Run::count("tokens.recomputed", "tokens", Less, "preemption", "Prompt and output tokens recomputed.", |s| Some(s.tokens.recomputed)),
    Run::number("lengths.prompt_mean", "tokens", Neither, "tokens", "Mean length of all prompts.", |s| s.lengths.prompt_mean),
    Run::number("lengths.output_mean", "tokens", Neither, "tokens", "Mean length of the outputs of completed requests.", |s| {
        s.lengths.output_mean
    }),
    Run::number(
        "throughput.offered_requests_per_s",
        "requests/s",
        Neither,
        "offered",
        "Arrivals per second, from the first to the last.",
        |s| s.throughput.offered_requests_per_s,
    ),
    Run::number("throughput.served_requests_per_s", "requests/s", More, "offered", "Completions per second over the same time.", |s| {
        s.throughput.served_requests_per_s
    }),
    Run::number("throughput.requests_per_s", "requests/s", More, "throughput", "Completions per second.", |s| s.throughput.requests_per_s),
    Run::number("throughput.output_tokens_per_s", "tokens/s", More, "throughput", "Output tokens per second.", |s| {
        s.throughput.output_tokens_per_s
    }),
    Run::number("throughput.total_tokens_per_s", "tokens/s", More, "throughput", "Prompt and output tokens per second.", |s| {
        s.throughput.total_tokens_per_s
    }),
    Run::number("throughput.output_tokens_per_s_per_chip", "tokens/s", More, "throughput", "Output tokens per second and chip.", |s| {
        s.throughput.output_tokens_per_s_per_chip
    }),
];

const GOOD: &[Run] = &[
    Run::number("goodput.requests_per_s", "requests/s", More, "goodput", "Completions per second that met all limits.", |s| {
        s.goodput?.requests_per_s
    })
    .given(Slo),
    Run::number("goodput.output_tokens_per_s", "tokens/s", More, "goodput", "Output tokens per second of these requests.", |s| {
        s.goodput?.output_tokens_per_s
    })
    .given(Slo),
    Run::number("goodput.slo_attainment", "share", More, "slo", "Requests that met all limits / requests judged.", |s| {
        s.goodput?.slo_attainment
    })
    .given(Slo),
];

const LIFECYCLE: &[Run] = &[
    Run::number("lifecycle.queue_ms", "ms", Less, "lifecycle", "Waiting for the first iteration.", |s| Some(s.lifecycle?.queue_ms)),
    Run::number("lifecycle.prefill_ms", "ms", Less, "lifecycle", "From the first iteration to the first token.", |s| {
        Some(s.lifecycle?.prefill_ms)
    }),
    Run::number("lifecycle.reserve_ms", "ms", Less, "lifecycle", "Waiting for memory on the decode side.", |s| {
        Some(s.lifecycle?.reserve_ms)
    }),
    Run::number("lifecycle.transfer_ms", "ms", Less, "lifecycle", "KV transfer time not overlapped by prefill.", |s| {
        Some(s.lifecycle?.transfer_ms)
    }),
    Run::number("lifecycle.decode_queue_ms", "ms", Less, "lifecycle", "Waiting to join a decode batch.", |s| {
        Some(s.lifecycle?.decode_queue_ms)
    }),
    Run::number("lifecycle.decode_ms", "ms", Less, "lifecycle", "Generating.", |s| Some(s.lifecycle?.decode_ms)),
    Run::number("lifecycle.recovery_ms", "ms", Less, "recovery", "Time lost to instance failures.", |s| s.lifecycle?.recovery_ms)
        .given(Faults),
    Run::number("lifecycle.frontend_ms", "ms", Less, "lifecycle", "In a frontend, waiting or in service.", |s| s.lifecycle?.frontend_ms)
        .given(Frontends),
];

const ENERGY: &[Run] = &[
    Run::number("energy.chip_j", "J", Less, "energy", "Energy of the chips alone.", |s| Some(s.energy.chip_j)),
    Run::number("energy.it_j", "J", Less, "energy", "With hosts, fans, NICs and supplies.", |s| Some(s.energy.it_j)),
    Run::number("energy.facility_j", "J", Less, "energy", "At the facility: IT energy × PUE.", |s| Some(s.energy.facility_j)),
    Run::number("energy.by_phase.prefill_j", "J", Less, "energy", "IT energy of computing prompts.", |s| Some(s.energy.by_phase.prefill_j)),
    Run::number("energy.by_phase.decode_j", "J", Less, "energy", "IT energy of generating tokens.", |s| Some(s.energy.by_phase.decode_j)),
    Run::number("energy.by_phase.transfer_j", "J", Less, "energy", "IT energy of waiting for KV transfers.", |s| {
        Some(s.energy.by_phase.transfer_j)
    }),
    Run::number("energy.by_phase.idle_j", "J", Less, "energy", "IT energy of idle time.", |s| Some(s.energy.by_phase.idle_j)),
    Run::number("energy.by_phase.startup_j", "J", Less, "energy", "IT energy of start-up.", |s| Some(s.energy.by_phase.startup_j)),
    Run::number("energy.chip_by_phase.prefill_j", "J", Less, "energy", "Energy of the chips computing prompts.", |s| {
        Some(s.energy.chip_by_phase.prefill_j)
    }),
    Run::number("energy.chip_by_phase.decode_j", "J", Less, "energy", "Energy of the chips generating tokens.", |s| {
        Some(s.energy.chip_by_phase.decode_j)
    }),
    Run::number("energy.chip_by_phase.transfer_j", "J", Less, "energy", "Energy of the chips waiting for KV transfers.", |s| {
        Some(s.energy.chip_by_phase.transfer_j)
    }),
    Run::number("energy.chip_by_phase.idle_j", "J", Less, "energy", "Energy of the chips while idle.", |s| {
        Some(s.energy.chip_by_phase.idle_j)
    }),
    Run::number("energy.chip_by_phase.startup_j", "J", Less, "energy", "Energy of the chips during start-up.", |s| {
        Some(s.energy.chip_by_phase.startup_j)
    }),
];

const EFFICIENCY: &[Run] = &[
    Run::number("energy.output_tokens_per_j.chip", "tokens/J", More, "tokens-per-joule", "Output tokens per joule of the chips.", |s| {
        s.energy.output_tokens_per_j.chip
    }),
    Run::number("energy.output_tokens_per_j.it", "tokens/J", More, "tokens-per-joule", "Output tokens per IT joule.", |s| {
        s.energy.output_tokens_per_j.it
    }),
    Run::number(
        "energy.output_tokens_per_j.facility",
        "tokens/J",
        More,
        "tokens-per-joule",
        "Output tokens per joule at the facility.",
        |s| s.energy.output_tokens_per_j.facility,
    ),
    Run::number("energy.total_tokens_per_j.chip", "tokens/J", More, "tokens-per-joule", "All tokens per joule of the chips.", |s| {
        s.energy.total_tokens_per_j.chip
    }),
    Run::number("energy.total_tokens_per_j.it", "tokens/J", More, "tokens-per-joule", "All tokens per IT joule.", |s| {
        s.energy.total_tokens_per_j.it
    }),
    Run::number("energy.total_tokens_per_j.facility", "tokens/J", More, "tokens-per-joule", "All tokens per joule at the facility.", |s| {
        s.energy.total_tokens_per_j.facility
    }),
    Run::number("energy.mean_power_w", "W", Less, "power", "Mean power at the facility.", |s| s.energy.mean_power_w),
    Run::number("energy.peak_power_w", "W", Less, "power", "Highest mean facility power over an interval of the timeline.", |s| {
        Some(s.energy.peak_power_w)
    }),
    Run::number("energy.peak_power_window_s", "s", Neither, "power", "Length of that interval.", |s| Some(s.energy.peak_power_window_s)),
    Run::number(
        "energy.output_tokens_per_s_per_mw",
        "tokens/s/MW",
        More,
        "tokens-per-joule",
        "Output tokens per second and megawatt at the facility.",
        |s| s.energy.output_tokens_per_s_per_mw,
    ),
    Run::number("energy.carbon_g", "g CO2e", Less, "carbon", "Greenhouse gas emissions of the facility's energy.", |s| {
        Some(s.energy.carbon_g)
    }),
];

const COST: &[Run] = &[
    Run::number("cost.total_usd", "$", Less, "cost-per-token", "Everything.", |s| Some(s.cost.total_usd)),
    Run::number("cost.usd_per_hour", "$/h", Less, "cost-per-token", "Per hour of the whole cluster.", |s| s.cost.usd_per_hour),
    Run::number("cost.usd_per_m_output_tokens", "$/M tokens", Less, "cost-per-token", "Per million output tokens.", |s| {
        s.cost.usd_per_m_output_tokens
    }),
    Run::number("cost.usd_per_m_total_tokens", "$/M tokens", Less, "cost-per-token", "Per million prompt and output tokens.", |s| {
        s.cost.usd_per_m_total_tokens
    }),
    Run::number(
        "cost.usd_per_m_prompt_tokens_by_phase",
        "$/M tokens",
        Less,
        "cost-per-token",
        "Prefill work per million prompt tokens.",
        |s| s.cost.usd_per_m_prompt_tokens_by_phase,
    ),
    Run::number(
        "cost.usd_per_m_output_tokens_by_phase",
        "$/M tokens",
        Less,
        "cost-per-token",
        "Decode work per million output tokens.",
        |s| s.cost.usd_per_m_output_tokens_by_phase,
    ),
    Run::number("cost.breakdown.capital", "$", Less, "cost-per-token", "Depreciation of owned nodes.", |s| Some(s.cost.breakdown.capital)),
    Run::number("cost.breakdown.energy", "$", Less, "cost-per-token", "Energy at the facility, of owned nodes.", |s| {
        Some(s.cost.breakdown.energy)
    }),
    Run::number("cost.breakdown.hosting", "$", Less, "cost-per-token", "Building, cooling and staff, of owned nodes.", |s| {
        Some(s.cost.breakdown.hosting)
    }),
    Run::number("cost.breakdown.rent", "$", Less, "cost-per-token", "Rent.", |s| Some(s.cost.breakdown.rent)),
];

const FLEET: &[Run] = &[
    Run::count("fleet.outages", "times", Less, "availability", "Times an instance went down, by failure or as planned.", |s| {
        Some(s.fleet.as_ref()?.outages)
    })
    .given(Faults),
    Run::number("fleet.down_s", "s", Less, "availability", "Instance time spent off.", |s| Some(s.fleet.as_ref()?.down_s)).given(Faults),
    Run::count("fleet.hit_requests", "requests", Less, "recovery", "Requests whose instance failed, or that found no instance.", |s| {
        Some(s.fleet.as_ref()?.hit_requests)
    })
    .given(Faults),
    Run::number(
        "fleet.recovery_ms_mean",
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
        "requests",
        Less,
        "lifecycle",
        "Requests waiting for memory on the decode side, mean over time.",
        |s| Some(s.handoff.waiting_mean),
    ),
    Run::number("handoff.blocked_share", "share", Less, "lifecycle", "Share of the time in which at least one request waited.", |s| {
        Some(s.handoff.blocked_share)
    }),
    Run::count("network.transfers", "requests", Neither, "transfer", "Requests whose KV was sent.", |s| Some(s.network.transfers)),
    Run::number("network.bytes", "bytes", Less, "transfer", "Bytes moved.", |s| Some(s.network.bytes)),
    Run::number("network.transfer_ms_mean", "ms", Less, "transfer", "Mean time of a transfer.", |s| s.network.transfer_ms_mean),
    Run::number("network.transfer_ms_p99", "ms", Less, "transfer", "99th percentile of the time of a transfer.", |s| {
        s.network.transfer_ms_p99
    }),
    Run::number("network.peak_port_utilization", "share", Less, "port", "Share of its bandwidth used by the busiest port.", |s| {
        s.network.peak_port_utilization
    }),
];

/// The metrics of a run over the measured time.
pub const RUN: Table<Summary> =
    &[TIME, requests!(Summary), SERVED, latency!(Summary), GOOD, LIFECYCLE, ENERGY, EFFICIENCY, COST, FLEET, HANDOFF];
