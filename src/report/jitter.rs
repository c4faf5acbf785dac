//! The jitter shown first in a report: that of one population, and its class.
//!
//! Owns: the choice. Must not know: the layout.

use super::text::shortened;
use crate::metrics::{Distribution, Jitter, Summary};

/// Maximum characters of a name.
const NAME: usize = 24;

/// Jitter and gaps of one class, or of the only one.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    /// Its name if there are several.
    pub(super) class: Option<String>,
    /// Its gaps.
    #[cfg_attr(not(feature = "report"), expect(dead_code, reason = "drawn on the page"))]
    pub(super) itl_ms: Option<Distribution>,
    /// Its jitter.
    pub(super) jitter: Jitter,
}

/// Jitter of the class with the widest spread of gaps: pooled, the gaps of a steady class would hide those of another, or steady classes with
/// different rates would appear uneven.
pub(super) fn shown(summary: &Summary) -> Shown {
    let spread = |jitter: &Jitter| jitter.itl_p99_minus_p50_ms;
    let uneven = summary.classes.iter().filter(|class| spread(&class.jitter).is_some());
    let worst = uneven.max_by(|a, b| spread(&a.jitter).unwrap_or_default().total_cmp(&spread(&b.jitter).unwrap_or_default()));
    match worst.filter(|_| summary.classes.len() > 1) {
        Some(class) => Shown { class: Some(shortened(&class.name, NAME)), itl_ms: class.latency.itl_ms, jitter: class.jitter },
        None => Shown { class: None, itl_ms: summary.latency.itl_ms, jitter: summary.jitter },
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn the_most_uneven_class_is_shown_with_its_own_numbers() {
        let mut summary = fixture::two_pools().summary;
        summary.classes[1].jitter.longest_stall_ms = Some(99.0);
        let worst = shown(&summary);
        assert_eq!(worst.class.as_deref(), Some("batch-summaries"));
        assert_eq!(worst.jitter.longest_stall_ms, Some(99.0));
        let itl = summary.classes[1].latency.itl_ms.unwrap();
        assert_eq!(worst.jitter.itl_p99_minus_p50_ms, Some(itl.p99 - itl.p50));
        summary.classes.truncate(1);
        assert_eq!((shown(&summary).class, shown(&summary).jitter.longest_stall_ms), (None, summary.jitter.longest_stall_ms));
    }
}
