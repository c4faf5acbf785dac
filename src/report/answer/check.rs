//! Wording for a limit and its percentile.

use super::super::number::{duration_ms, limit_ms};
use super::super::text::shortened;
use super::NAME;
use crate::metrics::{Check, Standing};

/// The word between percentile and limit.
pub(in crate::report) fn against(check: &Check) -> &'static str {
    match check.standing() {
        Standing::Met => "of",
        Standing::Missed => "exceeds",
        Standing::Unsure => "against",
    }
}

/// `p99 TTFT 423 ms of 600 ms`, with the class if there are several; `None` without a percentile.
pub(super) fn clause(check: &Check, several: bool) -> Option<String> {
    let class = if several { format!(" ({})", shortened(&check.class, NAME)) } else { String::new() };
    let (p99, limit) = (duration_ms(check.p99_ms?), limit_ms(check.limit_ms));
    Some(format!("p99 {} {p99} {} {limit}{class}", check.metric.name(), against(check)))
}
