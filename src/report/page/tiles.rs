//! The four headline numbers, each with its limit or reference.
//!
//! Owns: the content of a tile. Must not know: markup.

use serde::Serialize;

use super::super::jitter::{Shown, shown};
use super::super::number::{duration_ms, duration_s, limit_ms, number, or_none, percent, si, usd};
use super::super::text::{glue, shortened};
use crate::metrics::{Check, SloMetric, Standing, Summary, checks};

/// One tile.
#[derive(Debug, Serialize)]
pub(super) struct Tile {
    name: &'static str,
    /// Definition linked from the name.
    definition: &'static str,
    value: String,
    unit: &'static str,
    /// Lines next to the value.
    beside: Vec<String>,
    /// `met`, `missed` or `unsure` if there is a limit.
    state: Option<&'static str>,
    /// Share of the limit in percent, at most 100, for the bar.
    share: Option<String>,
}

impl Tile {
    /// A value with nothing next to it.
    const fn new(name: &'static str, definition: &'static str, value: String) -> Self {
        Self { name, definition, value, unit: "", beside: Vec::new(), state: None, share: None }
    }
}

/// TTFT, jitter, tokens per watt, cost per token.
pub(super) fn tiles(summary: &Summary) -> [Tile; 4] {
    [latency(summary), jitter(summary), tokens_per_watt(summary), cost(summary)]
        .map(|tile| Tile { beside: tile.beside.iter().map(|line| glue(line)).collect(), ..tile })
}

/// TTFT of the class closest to its limit; replaced by another metric that misses its limit by more.
fn latency(summary: &Summary) -> Tile {
    let checks = checks(&summary.classes);
    let ratio = |check: &&Check| check.ratio().unwrap_or(f64::INFINITY);
    let worst = |wanted: &dyn Fn(&&Check) -> bool| checks.iter().filter(wanted).max_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    let ttft = worst(&|check| check.metric == SloMetric::Ttft);
    let check = worst(&|_| true).filter(|check| check.standing() != Standing::Met || ttft.is_none()).or(ttft);
    let several = summary.classes.len() > 1;
    let seen = match check.filter(|_| several) {
        Some(check) => summary.classes.iter().find(|class| class.name == check.class).map(|class| class.latency),
        None => Some(summary.latency),
    };
    let (name, definition, distribution) = match check.map(|check| check.metric) {
        Some(SloMetric::Tpot) => ("TPOT p99", "tpot", seen.and_then(|l| l.tpot_ms)),
        Some(SloMetric::E2e) => ("E2E p99", "e2e", seen.and_then(|l| l.e2e_ms)),
        _ => ("TTFT p99", "ttft", seen.and_then(|l| l.ttft_ms)),
    };
    let mut tile = Tile::new(name, definition, or_none(distribution.map(|d| d.p99), duration_ms));
    if let Some(check) = check {
        let class = if several { format!(" ({})", shortened(&check.class, 24)) } else { String::new() };
        tile.beside.push(format!("SLO {}{class}", limit_ms(check.limit_ms)));
    }
    tile.beside.push(distribution.map_or_else(|| "no request reached this point".to_owned(), |d| format!("median {}", duration_ms(d.p50))));
    if let Some((check, ratio)) = check.and_then(|check| Some((check, check.ratio()?))) {
        tile.state = Some(check.standing().name());
        tile.share = Some(format!("{:.1}", ratio.clamp(0.0, 1.0) * 100.0));
        tile.beside.push(if ratio < 2.0 {
            format!("{} of the limit", percent(ratio))
        } else {
            format!("{} times the limit", number(ratio))
        });
        if check.standing() == Standing::Unsure {
            let side = if ratio > 1.0 { "below" } else { "above" };
            tile.beside.push(format!("an estimate: it may be {side} the limit"));
        }
    }
    tile
}

/// With several classes, all lines are of the one with the widest spread of gaps.
fn jitter(summary: &Summary) -> Tile {
    let Shown { class, itl_ms, jitter } = shown(summary);
    let mut tile = Tile::new("Jitter: ITL p99 − p50", "jitter", or_none(jitter.itl_p99_minus_p50_ms, duration_ms));
    tile.beside.extend(class.map(|class| format!("of {class}, the most uneven class")));
    tile.beside.push(itl_ms.map_or_else(|| "no gap between tokens".to_owned(), |itl| format!("median gap {}", duration_ms(itl.p50))));
    tile.beside.extend(jitter.longest_stall_ms.map(|ms| format!("longest stall {}", duration_ms(ms))));
    tile.beside.extend(jitter.request_itl_std_ms.map(|std| format!("within a request, p99 {} std", duration_ms(std.p99))));
    tile
}

fn tokens_per_watt(summary: &Summary) -> Tile {
    let energy = &summary.energy;
    let per_joule = energy.output_tokens_per_j;
    let mut beside = Vec::new();
    if per_joule.facility.is_some() {
        beside.push(format!("facility; {} IT, {} chips", or_none(per_joule.it, number), or_none(per_joule.chip, number)));
    }
    beside.extend(energy.output_tokens_per_s_per_mw.map(|rate| format!("{} output tokens/s per MW", number(rate))));
    // Without measured time the peak is that of the warm-up.
    beside.push(energy.mean_power_w.map_or_else(
        || "no time was measured".to_owned(),
        |mean| {
            let (mean, peak) = (si(mean, "W"), si(energy.peak_power_w, "W"));
            format!("{mean} mean, {peak} peak over {}", duration_s(energy.peak_power_window_s))
        },
    ));
    let unit = if per_joule.facility.is_some() { "output tokens/J" } else { "" };
    Tile { unit, beside, ..Tile::new("Tokens per watt", "tokens-per-joule", or_none(per_joule.facility, number)) }
}

fn cost(summary: &Summary) -> Tile {
    let cost = &summary.cost;
    let per_token = cost.usd_per_m_output_tokens;
    let mut beside: Vec<String> = cost.usd_per_m_total_tokens.map(|v| format!("{} per M tokens in all", usd(v))).into_iter().collect();
    beside.push(cost.usd_per_hour.map_or_else(|| "no time was measured".to_owned(), |rate| format!("cluster {} per hour", usd(rate))));
    let unit = if per_token.is_some() { "per M output tokens" } else { "" };
    Tile { unit, beside, ..Tile::new("Cost per token", "cost-per-token", or_none(per_token, usd)) }
}
