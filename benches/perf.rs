//! The roofline of llama-3.3-70b on four H100: one iteration, and the line that a run of decode iterations follows.
//!
//! Floor: 1 M calls per second each. The cluster asks once for every change of a batch, not once per iteration.
//!
//! `cargo bench --bench perf`

use divan::{Bencher, black_box};
use tokenmill::perf::BatchShape;

mod common;

fn main() {
    divan::main();
}

fn decode(sequences: u32) -> BatchShape {
    let context = u64::from(sequences) * 1_500;
    BatchShape { decode_sequences: sequences, decode_context: context, decode_windowed_context: context, ..BatchShape::default() }
}

#[divan::bench(args = [1, 32, 256, 1024])]
fn decode_iteration(bencher: Bencher<'_, '_>, sequences: u32) {
    let perf = common::roofline();
    let batch = decode(sequences);
    bencher.bench_local(|| perf.iteration(black_box(&batch)));
}

#[divan::bench(args = [1, 32, 256, 1024])]
fn decode_run(bencher: Bencher<'_, '_>, sequences: u32) {
    let perf = common::roofline();
    let batch = decode(sequences);
    bencher.bench_local(|| perf.decode_run(black_box(&batch), sequences));
}

#[divan::bench(args = [512, 8192])]
fn prefill_iteration(bencher: Bencher<'_, '_>, tokens: u64) {
    let perf = common::roofline();
    let batch = BatchShape {
        prefill_tokens: tokens,
        prefill_sequences: 1,
        prefill_completions: 1,
        prefill_pairs: tokens * (tokens + 1) / 2,
        prefill_windowed_pairs: tokens * (tokens + 1) / 2,
        prefill_context: tokens,
        prefill_windowed_context: tokens,
        ..decode(32)
    };
    bencher.bench_local(|| perf.iteration(black_box(&batch)));
}
