//! Statistics of a trace of sessions.

use serde::Serialize;

use super::{EXACT, LengthStatistics, Lengths, TraceStatistics};
use crate::kv::{Blocks, KvStore};
use crate::workload::{SessionNotes, SessionSource, SessionTrace, Step, WorkloadError};

/// Statistics of sessions. Undefined values are null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionStatistics {
    /// Number of sessions.
    pub sessions: u64,
    /// Calls per session.
    pub calls: LengthStatistics,
    /// Times from an answer, or the last of several, to the next call. `None` if no session has a second call.
    pub delays_s: Option<DelayStatistics>,
    /// Share of the prompt tokens that an unlimited prefix cache would hold if answers were not cached; [`TraceStatistics::prefix_hit_rate`] includes
    /// them.
    pub prompt_hit_rate: Option<f64>,
    /// Ambiguities of the trace.
    pub notes: SessionNotes,
}

/// Statistics of times, seconds. Percentiles are nearest-rank.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DelayStatistics {
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Longest.
    pub max: f64,
}

/// Reads a trace of sessions to its end. Memory: four bytes per length up to four million calls, and the distinct blocks of its text.
pub(super) fn inspect(mut trace: SessionTrace) -> Result<TraceStatistics, WorkloadError> {
    let [mut prompts, mut outputs, mut calls] = [Lengths::new(EXACT), Lengths::new(EXACT), Lengths::new(EXACT)];
    let (mut sessions, mut delays) = (0, Vec::new());
    let mut caches = None;
    while let Some(script) = trace.next_script()? {
        sessions += 1;
        calls.note(script.steps.iter().map(|_| 1u32).sum());
        let caches = caches.get_or_insert_with(|| trace.block_tokens().map(|tokens| [Endless::new(tokens), Endless::new(tokens)]));
        for step in &script.steps {
            prompts.note(step.prompt_tokens);
            outputs.note(step.output_tokens);
            if !step.after.is_empty() {
                delays.push(step.delay.as_secs_f64());
            }
            if let Some([with_answers, prompts_alone]) = caches {
                with_answers.note(step, step.blocks.len());
                prompts_alone.note(step, step.prompt_tokens / prompts_alone.block_tokens);
            }
        }
    }
    let (Some(prompt_tokens), Some(output_tokens), Some(calls)) = (prompts.finish(), outputs.finish(), calls.finish()) else {
        let problem = format!("there is no usable session in the trace ({})", trace.skipped_lines());
        return Err(WorkloadError::Trace { file: trace.file(), problem });
    };
    let rate = |cache: &Endless| cache.hit_tokens as f64 / prompt_tokens.total as f64;
    let [prefix_hit_rate, prompt_hit_rate] = caches.flatten().map_or([None, None], |caches| caches.map(|cache| Some(rate(&cache))));
    Ok(TraceStatistics {
        file: trace.file(),
        format: trace.format(),
        requests: calls.total,
        span_s: None,
        mean_rate_per_s: None,
        gap_cv: None,
        peak_rate_10s_per_s: None,
        peak_rate_60s_per_s: None,
        prompt_tokens,
        output_tokens,
        total_tokens: prompt_tokens.total + output_tokens.total,
        prefix_block_tokens: trace.block_tokens(),
        prefix_hit_rate,
        sessions: Some(SessionStatistics { sessions, calls, delays_s: statistics(delays), prompt_hit_rate, notes: trace.notes() }),
        skipped: trace.skipped_lines().clone(),
    })
}

fn statistics(mut delays: Vec<f64>) -> Option<DelayStatistics> {
    delays.sort_unstable_by(f64::total_cmp);
    let max = *delays.last()?;
    let percentile = |percent: usize| delays[((delays.len() * percent).div_ceil(100)).max(1) - 1];
    let mean = delays.iter().sum::<f64>() / delays.len() as f64;
    Some(DelayStatistics { mean, p50: percentile(50), p90: percentile(90), p99: percentile(99), max })
}

/// An unlimited prefix cache.
#[derive(Debug)]
struct Endless {
    block_tokens: u32,
    store: Option<KvStore>,
    hit_tokens: u64,
}

impl Endless {
    fn new(block_tokens: u32) -> Self {
        Self { block_tokens, store: KvStore::new(u64::MAX / 4, block_tokens, Some(block_tokens)).ok(), hit_tokens: 0 }
    }

    /// Looks up the blocks of a call's prompt, and stores the call's first `kept` blocks.
    fn note(&mut self, step: &Step, kept: u32) {
        let Some(store) = &mut self.store else { return };
        let blocks: Blocks = step.blocks.leading(kept);
        let hit = store.lookup(&blocks, step.prompt_tokens / self.block_tokens);
        self.hit_tokens += u64::from(hit) * u64::from(self.block_tokens);
        if let Some(mut lease) = store.lease(&blocks, hit, u64::from(blocks.len() - hit)) {
            store.publish(&blocks, blocks.len().saturating_mul(self.block_tokens), &mut lease);
            store.release(&blocks, lease, None);
        }
    }
}
