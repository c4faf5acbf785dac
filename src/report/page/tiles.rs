//! The four headline numbers, each with its limit or its reference beside it.
//!
//! Owns: what stands in a tile. Must not know: markup.

use serde::Serialize;

use super::super::answer::checks;
use super::super::number::{duration_ms, gauge, limit_ms, number, or_none, percent, si, usd};
use super::super::text::{glue, shortened};
use crate::metrics::Summary;

/// One tile.
#[derive(Debug, Serialize)]
pub(super) struct Tile {
    name: &'static str,
    /// Definition that the name links to.
    definition: &'static str,
    value: String,
    unit: &'static str,
    /// Lines beside the value.
    beside: Vec<String>,
    /// `met` or `missed` where there is a limit.
    state: Option<&'static str>,
    /// Share of the limit in percent, at most 100, for the bar.
    share: Option<String>,
}

/// TTFT, jitter, tokens per watt, cost per token.
pub(super) fn tiles(summary: &Summary) -> [Tile; 4] {
    [ttft(summary), jitter(summary), tokens_per_watt(summary), cost(summary)]
}

fn ttft(summary: &Summary) -> Tile {
    let mut tile = Tile {
        name: "TTFT p99",
        definition: "ttft",
        value: or_none(summary.latency.ttft_ms.map(|d| d.p99), duration_ms),
        unit: "",
        beside: vec![
            summary.latency.ttft_ms.map_or_else(|| "no request got a token".to_owned(), |d| format!("median {}", duration_ms(d.p50))),
        ],
        state: None,
        share: None,
    };
    let checks = checks(&summary.classes);
    let worst = checks
        .iter()
        .filter(|check| check.metric == "TTFT")
        .max_by(|a, b| a.ratio().unwrap_or(f64::INFINITY).total_cmp(&b.ratio().unwrap_or(f64::INFINITY)));
    if let Some(check) = worst {
        let class = if summary.classes.len() > 1 { format!(" ({})", shortened(&check.class, 24)) } else { String::new() };
        tile.value = or_none(check.p99_ms, duration_ms);
        tile.beside.insert(0, glue(&format!("SLO {}{class}", limit_ms(check.limit_ms))));
        if let Some(ratio) = check.ratio() {
            tile.state = Some(if ratio > 1.0 { "missed" } else { "met" });
            tile.share = Some(format!("{:.1}", ratio.clamp(0.0, 1.0) * 100.0));
            tile.beside.push(if ratio < 2.0 {
                format!("{} of the limit", percent(ratio))
            } else {
                format!("{} times the limit", number(ratio))
            });
        }
    }
    tile
}

fn jitter(summary: &Summary) -> Tile {
    let jitter = &summary.jitter;
    let mut beside = Vec::new();
    beside.extend(summary.latency.itl_ms.map(|d| format!("median gap {}", duration_ms(d.p50))));
    beside.extend(jitter.longest_stall_ms.map(|ms| format!("longest stall {}", duration_ms(ms))));
    beside.extend(jitter.itl_cov.map(|cov| format!("coefficient of variation {}", gauge(cov))));
    if beside.is_empty() {
        beside.push("no gap between tokens".to_owned());
    }
    Tile {
        name: "Jitter: ITL p99 − p50",
        definition: "jitter",
        value: or_none(jitter.itl_p99_minus_p50_ms, duration_ms),
        unit: "",
        beside,
        state: None,
        share: None,
    }
}

fn tokens_per_watt(summary: &Summary) -> Tile {
    let energy = &summary.energy;
    let per_joule = energy.output_tokens_per_j;
    let mut beside = Vec::new();
    if per_joule.facility.is_some() {
        beside.push(format!("facility; {} IT, {} chips", or_none(per_joule.it, number), or_none(per_joule.chip, number)));
    }
    beside.extend(energy.output_tokens_per_s_per_mw.map(|rate| format!("{} output tokens/s per MW", number(rate))));
    beside.push(glue(&format!("{} mean, {} peak", si(energy.mean_power_w, "W"), si(energy.peak_power_w, "W"))));
    Tile {
        name: "Tokens per watt",
        definition: "tokens-per-joule",
        value: or_none(per_joule.facility, number),
        unit: if per_joule.facility.is_some() { "output tokens/J" } else { "" },
        beside,
        state: None,
        share: None,
    }
}

fn cost(summary: &Summary) -> Tile {
    let cost = &summary.cost;
    let per_token = cost.usd_per_m_output_tokens;
    let mut beside: Vec<String> = cost.usd_per_m_total_tokens.map(|v| format!("{} per M tokens in all", usd(v))).into_iter().collect();
    beside.push(format!("cluster {} per hour", usd(cost.usd_per_hour)));
    Tile {
        name: "Cost per token",
        definition: "cost-per-token",
        value: or_none(per_token, usd),
        unit: if per_token.is_some() { "per M output tokens" } else { "" },
        beside,
        state: None,
        share: None,
    }
}
