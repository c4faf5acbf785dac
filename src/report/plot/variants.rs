//! Overlaid variants: latencies, and the runs on one time axis.
//!
//! Owns: the choice of charts of a comparison. Must not know: the drawing of a distribution or a panel.

use super::intervals::MOST;
use super::timeline::VariantTimeline;
use super::{Chart, PlotError, cdf, intervals, timeline};
use crate::metrics::{Cdf, Distributions};
use crate::study::compare::{Comparison, MetricComparison, Picture};

/// All charts of a comparison in the order of the page; `metrics` are the numbers whose differences are drawn, each with its title.
///
/// # Errors
/// Internal errors only.
pub(crate) fn comparison_charts(comparison: &Comparison, metrics: &[(String, &MetricComparison)]) -> Result<Vec<Chart>, PlotError> {
    let mut out = vec![intervals::chart(comparison, metrics)?];
    let marks = |latency: &str, variant: &str| {
        let place = comparison.variants.iter().position(|name| name == variant)?;
        let of =
            |statistic: &str| Some(comparison.metric(&format!("latency.{latency}.{statistic}"))?.of.get(place)?.as_ref()?.estimate?.value);
        Some([of("p50")?, of("p90")?, of("p99")?])
    };
    out.extend(cdf::overlaid(&overlaid(comparison), marks)?);
    let timelines = comparison.variants.iter().zip(&comparison.pictures).take(MOST);
    let timelines: Vec<VariantTimeline<'_>> =
        timelines.map(|(name, picture)| VariantTimeline { name, timeline: &picture.timeline, end_s: picture.simulated_s }).collect();
    out.push(timeline::overlaid(&timelines)?);
    Ok(out)
}

/// The distributions of all variants, each under its name.
fn overlaid(comparison: &Comparison) -> Distributions {
    let of = |column: fn(&Distributions) -> &Vec<Cdf>| {
        let named =
            |(name, picture): (&String, &Picture)| Some(Cdf { label: name.clone(), ..column(&picture.distributions).first()?.clone() });
        comparison.variants.iter().zip(&comparison.pictures).filter_map(named).collect()
    };
    Distributions { ttft_ms: of(|d| &d.ttft_ms), itl_ms: of(|d| &d.itl_ms), tpot_ms: of(|d| &d.tpot_ms), e2e_ms: of(|d| &d.e2e_ms) }
}
