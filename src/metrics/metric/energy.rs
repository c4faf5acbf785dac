//! The metrics of a run: energy, power and cost.

use super::super::summary::Summary;
use super::Metric;
use super::table::Better::{Less, More, Neither};

type Run = Metric<Summary>;

/// Boundaries of the energy: chips only; with hosts, fans, NICs and supplies; IT times PUE.
pub(super) const BOUNDARIES: &[&str] = &["chips", "IT", "facility"];
/// What energy is used for.
pub(super) const PHASE_NAMES: &[&str] = &["prefill", "decode", "transfer", "idle", "start-up"];

pub(super) const ENERGY: &[Run] = &[
    Run::number("energy.chip_j", "energy", "J", Less, "energy", "Energy of the chips alone.", |s| Some(s.energy.chip_j)),
    Run::number("energy.it_j", "energy", "J", Less, "energy", "With hosts, fans, NICs and supplies.", |s| Some(s.energy.it_j)),
    Run::number("energy.facility_j", "energy", "J", Less, "energy", "At the facility: IT energy × PUE.", |s| Some(s.energy.facility_j)),
];

pub(super) const PHASES: &[Run] = &[
    Run::number("energy.by_phase.prefill_j", "IT", "J", Less, "energy", "IT energy of computing prompts.", |s| {
        Some(s.energy.by_phase.prefill_j)
    }),
    Run::number("energy.by_phase.decode_j", "IT", "J", Less, "energy", "IT energy of generating tokens.", |s| {
        Some(s.energy.by_phase.decode_j)
    }),
    Run::number("energy.by_phase.transfer_j", "IT", "J", Less, "energy", "IT energy of waiting for KV transfers.", |s| {
        Some(s.energy.by_phase.transfer_j)
    }),
    Run::number("energy.by_phase.idle_j", "IT", "J", Less, "energy", "IT energy of idle time.", |s| Some(s.energy.by_phase.idle_j)),
    Run::number("energy.by_phase.startup_j", "IT", "J", Less, "energy", "IT energy of start-up.", |s| Some(s.energy.by_phase.startup_j)),
    Run::number("energy.chip_by_phase.prefill_j", "chips", "J", Less, "energy", "Energy of the chips computing prompts.", |s| {
        Some(s.energy.chip_by_phase.prefill_j)
    }),
    Run::number("energy.chip_by_phase.decode_j", "chips", "J", Less, "energy", "Energy of the chips generating tokens.", |s| {
        Some(s.energy.chip_by_phase.decode_j)
    }),
    Run::number("energy.chip_by_phase.transfer_j", "chips", "J", Less, "energy", "Energy of the chips waiting for KV transfers.", |s| {
        Some(s.energy.chip_by_phase.transfer_j)
    }),
    Run::number("energy.chip_by_phase.idle_j", "chips", "J", Less, "energy", "Energy of the chips while idle.", |s| {
        Some(s.energy.chip_by_phase.idle_j)
    }),
    Run::number("energy.chip_by_phase.startup_j", "chips", "J", Less, "energy", "Energy of the chips during start-up.", |s| {
        Some(s.energy.chip_by_phase.startup_j)
    }),
];

pub(super) const EFFICIENCY: &[Run] = &[
    Run::number(
        "energy.output_tokens_per_j.chip",
        "output tokens per joule",
        "tokens/J",
        More,
        "tokens-per-joule",
        "Output tokens per joule of the chips.",
        |s| s.energy.output_tokens_per_j.chip,
    ),
    Run::number(
        "energy.output_tokens_per_j.it",
        "output tokens per joule",
        "tokens/J",
        More,
        "tokens-per-joule",
        "Output tokens per IT joule.",
        |s| s.energy.output_tokens_per_j.it,
    ),
    Run::number(
        "energy.output_tokens_per_j.facility",
        "output tokens per joule",
        "tokens/J",
        More,
        "tokens-per-joule",
        "Output tokens per joule at the facility.",
        |s| s.energy.output_tokens_per_j.facility,
    ),
    Run::number(
        "energy.total_tokens_per_j.chip",
        "all tokens per joule",
        "tokens/J",
        More,
        "tokens-per-joule",
        "All tokens per joule of the chips.",
        |s| s.energy.total_tokens_per_j.chip,
    ),
    Run::number(
        "energy.total_tokens_per_j.it",
        "all tokens per joule",
        "tokens/J",
        More,
        "tokens-per-joule",
        "All tokens per IT joule.",
        |s| s.energy.total_tokens_per_j.it,
    ),
    Run::number(
        "energy.total_tokens_per_j.facility",
        "all tokens per joule",
        "tokens/J",
        More,
        "tokens-per-joule",
        "All tokens per joule at the facility.",
        |s| s.energy.total_tokens_per_j.facility,
    ),
];

pub(super) const POWER: &[Run] = &[
    Run::number("energy.mean_power_w", "mean power", "W", Less, "power", "Mean power at the facility.", |s| s.energy.mean_power_w),
    Run::number(
        "energy.peak_power_w",
        "peak power",
        "W",
        Less,
        "power",
        "Highest mean facility power over an interval of the timeline.",
        |s| Some(s.energy.peak_power_w),
    ),
    Run::number("energy.peak_power_window_s", "interval of the peak", "s", Neither, "power", "Length of that interval.", |s| {
        Some(s.energy.peak_power_window_s)
    }),
    Run::number(
        "energy.output_tokens_per_s_per_mw",
        "output tokens per MW",
        "tokens/s/MW",
        More,
        "tokens-per-joule",
        "Output tokens per second and megawatt at the facility.",
        |s| s.energy.output_tokens_per_s_per_mw,
    ),
    Run::number("energy.carbon_g", "carbon", "g CO2e", Less, "carbon", "Greenhouse gas emissions of the facility's energy.", |s| {
        Some(s.energy.carbon_g)
    }),
];

pub(super) const COST: &[Run] = &[
    Run::number("cost.total_usd", "total", "$", Less, "cost-per-token", "Everything.", |s| Some(s.cost.total_usd)),
    Run::number("cost.usd_per_hour", "whole cluster", "$/h", Less, "cost-per-token", "Per hour of the whole cluster.", |s| {
        s.cost.usd_per_hour
    }),
    Run::number(
        "cost.usd_per_m_output_tokens",
        "cost of output tokens",
        "$/M tokens",
        Less,
        "cost-per-token",
        "Per million output tokens.",
        |s| s.cost.usd_per_m_output_tokens,
    ),
    Run::number(
        "cost.usd_per_m_total_tokens",
        "cost of all tokens",
        "$/M tokens",
        Less,
        "cost-per-token",
        "Per million prompt and output tokens.",
        |s| s.cost.usd_per_m_total_tokens,
    ),
    Run::number(
        "cost.usd_per_m_prompt_tokens_by_phase",
        "prefill of prompt tokens",
        "$/M tokens",
        Less,
        "cost-per-token",
        "Prefill work per million prompt tokens.",
        |s| s.cost.usd_per_m_prompt_tokens_by_phase,
    ),
    Run::number(
        "cost.usd_per_m_output_tokens_by_phase",
        "decode of output tokens",
        "$/M tokens",
        Less,
        "cost-per-token",
        "Decode work per million output tokens.",
        |s| s.cost.usd_per_m_output_tokens_by_phase,
    ),
    Run::number("cost.breakdown.capital", "capital", "$", Less, "cost-per-token", "Depreciation of owned nodes.", |s| {
        Some(s.cost.breakdown.capital)
    }),
    Run::number("cost.breakdown.energy", "energy", "$", Less, "cost-per-token", "Energy at the facility, of owned nodes.", |s| {
        Some(s.cost.breakdown.energy)
    }),
    Run::number("cost.breakdown.hosting", "hosting", "$", Less, "cost-per-token", "Building, cooling and staff, of owned nodes.", |s| {
        Some(s.cost.breakdown.hosting)
    }),
    Run::number("cost.breakdown.rent", "rent", "$", Less, "cost-per-token", "Rent.", |s| Some(s.cost.breakdown.rent)),
];
