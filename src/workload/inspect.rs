//! Statistics of a trace. Must not know how traces are read.

use hdrhistogram::Histogram;
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;
use serde::Serialize;

use super::trace::{ReadOptions, SessionOptions, SessionTrace, SkippedLines, TraceFormat, TraceReader, TraceRecord, TraceSource};
use super::{MAX_TOKENS, WorkloadError};

mod sessions;

pub use sessions::{DelayStatistics, SessionStatistics};

/// Up to this many lengths are stored individually, with exact percentiles; beyond it, percentiles are accurate to 0.1 %.
const EXACT: usize = 4_000_000;

/// Statistics of a trace. Undefined values are null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TraceStatistics {
    /// The trace.
    pub file: String,
    /// The format it was read in.
    pub format: TraceFormat,
    /// Number of requests.
    pub requests: u64,
    /// From the first arrival to the last, seconds; null for sessions, whose calls arrive at times that only a run determines.
    pub span_s: Option<f64>,
    /// Mean arrival rate: gaps over span, requests per second.
    pub mean_rate_per_s: Option<f64>,
    /// Coefficient of variation of the gaps; 1 for Poisson arrivals.
    pub gap_cv: Option<f64>,
    /// Highest rate in any of the 10 s bins that start with the first request, requests per second. `None` for a trace shorter than one.
    pub peak_rate_10s_per_s: Option<f64>,
    /// Highest rate in bins of 60 s.
    pub peak_rate_60s_per_s: Option<f64>,
    /// Prompt lengths.
    pub prompt_tokens: LengthStatistics,
    /// Output lengths.
    pub output_tokens: LengthStatistics,
    /// Prompt and output tokens together.
    pub total_tokens: u64,
    /// Tokens per block of the prefix ids.
    pub prefix_block_tokens: Option<u32>,
    /// Share of the prompt tokens that an unlimited prefix cache would hold on arrival: the leading blocks seen in earlier requests.
    pub prefix_hit_rate: Option<f64>,
    /// Statistics of sessions, if the trace has any.
    pub sessions: Option<SessionStatistics>,
    /// Skipped lines.
    pub skipped: SkippedLines,
}

/// Statistics of lengths, tokens. Percentiles are nearest-rank.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LengthStatistics {
    /// Sum.
    pub total: u64,
    /// Mean.
    pub mean: f64,
    /// Shortest.
    pub min: u32,
    /// Median.
    pub p50: u32,
    /// 90th percentile.
    pub p90: u32,
    /// 99th percentile.
    pub p99: u32,
    /// Longest.
    pub max: u32,
}

/// Reads a trace to its end. Memory: four bytes per length up to four million requests, and the distinct prefix ids.
///
/// # Errors
/// The trace cannot be read or has no usable request.
pub fn inspect(source: &TraceSource, options: ReadOptions) -> Result<TraceStatistics, WorkloadError> {
    if let Some(trace) = SessionTrace::open(source, options, SessionOptions::default(), 1)? {
        return sessions::inspect(trace);
    }
    let mut reader = TraceReader::open(source, options)?;
    let (mut arrivals, mut prompts, mut outputs) = (Arrivals::default(), Lengths::new(EXACT), Lengths::new(EXACT));
    let mut prefixes = Prefixes::new(reader.block_tokens());
    while let Some(record) = reader.next_record()? {
        arrivals.note(record.at_ns);
        prompts.note(record.prompt_tokens);
        outputs.note(record.output_tokens);
        prefixes.note(&record);
    }
    let skipped = reader.skipped().clone();
    let (Some(prompt_tokens), Some(output_tokens)) = (prompts.finish(), outputs.finish()) else {
        let problem = format!("there is no usable request in the trace ({skipped})");
        return Err(WorkloadError::Trace { file: reader.file().to_owned(), problem });
    };
    Ok(TraceStatistics {
        file: reader.file().to_owned(),
        format: reader.format(),
        requests: arrivals.count,
        span_s: Some(arrivals.span_s()),
        mean_rate_per_s: arrivals.mean_rate(),
        gap_cv: arrivals.gap_cv(),
        peak_rate_10s_per_s: arrivals.ten_seconds.peak(arrivals.span_s()),
        peak_rate_60s_per_s: arrivals.minute.peak(arrivals.span_s()),
        prompt_tokens,
        output_tokens,
        total_tokens: prompt_tokens.total + output_tokens.total,
        prefix_block_tokens: reader.block_tokens(),
        prefix_hit_rate: prefixes.block_tokens.map(|_| prefixes.hit_tokens as f64 / prompt_tokens.total as f64),
        sessions: None,
        skipped,
    })
}

/// The fullest of consecutive bins.
#[derive(Debug)]
struct Bins {
    seconds: u64,
    current: u64,
    count: u64,
    most: u64,
}

impl Bins {
    const fn of(seconds: u64) -> Self {
        Self { seconds, current: 0, count: 0, most: 0 }
    }

    fn note(&mut self, since_first_ns: u64) {
        let bin = since_first_ns / (self.seconds * 1_000_000_000);
        if bin != self.current {
            (self.current, self.count) = (bin, 0);
        }
        self.count += 1;
        self.most = self.most.max(self.count);
    }

    /// Its rate; `None` if arrivals span less than one bin, where it would be below their mean rate.
    fn peak(&self, span_s: f64) -> Option<f64> {
        (span_s >= self.seconds as f64).then(|| self.most as f64 / self.seconds as f64)
    }
}

#[derive(Debug)]
struct Arrivals {
    count: u64,
    first_ns: u64,
    last_ns: u64,
    /// Sum of the squared gaps, s².
    squares: f64,
    ten_seconds: Bins,
    minute: Bins,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self { count: 0, first_ns: 0, last_ns: 0, squares: 0.0, ten_seconds: Bins::of(10), minute: Bins::of(60) }
    }
}

impl Arrivals {
    fn note(&mut self, at_ns: u64) {
        if self.count == 0 {
            (self.first_ns, self.last_ns) = (at_ns, at_ns);
        }
        let gap = (at_ns - self.last_ns) as f64 / 1e9;
        self.squares += gap * gap;
        self.last_ns = at_ns;
        self.count += 1;
        self.ten_seconds.note(at_ns - self.first_ns);
        self.minute.note(at_ns - self.first_ns);
    }

    fn span_s(&self) -> f64 {
        (self.last_ns - self.first_ns) as f64 / 1e9
    }

    fn mean_rate(&self) -> Option<f64> {
        (self.last_ns > self.first_ns).then(|| (self.count - 1) as f64 / self.span_s())
    }

    /// √(mean of squares − square of mean) / mean over the gaps.
    fn gap_cv(&self) -> Option<f64> {
        let mean = 1.0 / self.mean_rate()?;
        let variance = self.squares / (self.count - 1) as f64 - mean * mean;
        // Rounding can put equal gaps slightly below zero.
        Some(if variance > 0.0 { variance.sqrt() / mean } else { 0.0 })
    }
}

/// Lengths stored individually, or in a histogram if there are too many.
#[derive(Debug)]
struct Lengths {
    /// Maximum number stored individually.
    most_exact: usize,
    total: u64,
    count: u64,
    exact: Vec<u32>,
    histogram: Option<Histogram<u64>>,
    range: Option<(u32, u32)>,
}

impl Lengths {
    const fn new(most_exact: usize) -> Self {
        Self { most_exact, total: 0, count: 0, exact: Vec::new(), histogram: None, range: None }
    }

    fn note(&mut self, tokens: u32) {
        self.total += u64::from(tokens);
        self.count += 1;
        let (min, max) = self.range.unwrap_or((tokens, tokens));
        self.range = Some((min.min(tokens), max.max(tokens)));
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(u64::from(tokens));
            return;
        }
        self.exact.push(tokens);
        if self.exact.len() > self.most_exact
            && let Ok(mut histogram) = Histogram::new_with_max(u64::from(MAX_TOKENS), 3)
        {
            self.exact.drain(..).for_each(|tokens| histogram.saturating_record(u64::from(tokens)));
            self.exact.shrink_to_fit();
            self.histogram = Some(histogram);
        }
    }

    /// `None` if there are no lengths.
    fn finish(mut self) -> Option<LengthStatistics> {
        let (min, max) = self.range?;
        self.exact.sort_unstable();
        let percentile = |percent: u64| {
            let rank = (self.count * percent).div_ceil(100);
            match &self.histogram {
                Some(histogram) => u32::try_from(histogram.value_at_quantile(percent as f64 / 100.0)).unwrap_or(max).min(max),
                None => usize::try_from(rank).ok().and_then(|rank| self.exact.get(rank - 1)).copied().unwrap_or(max),
            }
        };
        let (p50, p90, p99) = (percentile(50), percentile(90), percentile(99));
        Some(LengthStatistics { total: self.total, mean: self.total as f64 / self.count as f64, min, p50, p90, p99, max })
    }
}

/// An unlimited prefix cache.
#[derive(Debug)]
struct Prefixes {
    block_tokens: Option<u32>,
    seen: IndexSet<u64, FxBuildHasher>,
    hit_tokens: u64,
}

impl Prefixes {
    fn new(block_tokens: Option<u32>) -> Self {
        Self { block_tokens, seen: IndexSet::default(), hit_tokens: 0 }
    }

    fn note(&mut self, record: &TraceRecord) {
        let Some(block_tokens) = self.block_tokens else { return };
        let hits = record.prefix.ids().take_while(|id| self.seen.contains(id)).count();
        self.hit_tokens += hits as u64 * u64::from(block_tokens);
        self.seen.extend(record.prefix.ids().skip(hits));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statistics(most_exact: usize, lengths: impl Iterator<Item = u32>) -> (LengthStatistics, bool) {
        let mut all = Lengths::new(most_exact);
        lengths.for_each(|tokens| all.note(tokens));
        let exact = all.histogram.is_none();
        (all.finish().unwrap(), exact)
    }

    #[test]
    fn percentiles_are_nearest_rank() {
        // Of 1 to 10: ranks 5, 9 and ⌈9.9⌉ = 10.
        let (found, _) = statistics(100, (1..=10).rev());
        assert_eq!((found.p50, found.p90, found.p99, found.min, found.max, found.total), (5, 9, 10, 1, 10, 55));
        let (one, _) = statistics(100, [7].into_iter());
        assert_eq!((one.p50, one.p99), (7, 7));
        assert_eq!(Lengths::new(1).finish(), None);
    }

    #[test]
    fn beyond_the_cap_memory_is_constant_and_percentiles_are_accurate_to_0_1_percent() {
        let lengths = || (1..=20_000u32).map(|i| i * 37 % 20_011);
        let (exact, is_exact) = statistics(20_000, lengths());
        let (rough, is_rough) = statistics(100, lengths());
        assert!(is_exact && !is_rough);
        for (a, b) in [(exact.p50, rough.p50), (exact.p90, rough.p90), (exact.p99, rough.p99)] {
            approx::assert_relative_eq!(f64::from(a), f64::from(b), max_relative = 1e-3);
        }
        assert_eq!((exact.total, exact.min, exact.max), (rough.total, rough.min, rough.max));
    }

    #[test]
    fn the_peak_is_the_rate_of_the_fullest_bin() {
        let mut bins = Bins::of(10);
        for s in [0, 9, 10, 11, 19, 35, 36] {
            bins.note(s * 1_000_000_000);
        }
        approx::assert_relative_eq!(bins.peak(36.0).unwrap(), 0.3);
        assert_eq!(bins.peak(9.9), None);
    }
}
