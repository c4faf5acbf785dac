//! Traces with missing or disordered parts: rejected even if bad lines are skipped.

use super::{AZURE, SkipReason, gzip, memory, options, read, refused};

#[test]
fn truncated_or_damaged_compressed_data_are_rejected_even_if_lines_are_skipped() {
    let line = "2023-11-16 18:17:13.9799600,7,9\n";
    let whole = gzip(format!("{AZURE}{}", line.repeat(1000)).as_bytes());
    let cut = &whole[..whole.len() - 12];
    // Up to 1 + 4 + 1000 lines, those before the checksum, can still be read.
    let message = refused(cut);
    let lines = message.strip_prefix("trace.csv: the compressed data end after line ").unwrap();
    let lines = lines.strip_suffix("; the rest is missing").unwrap().replace(',', "").parse::<u64>().unwrap();
    assert!((900..=1005).contains(&lines), "{message}");
    assert_eq!(read(&memory(cut), options(true)).unwrap_err().to_string(), message);
    let mut damaged = whole.clone();
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    assert_eq!(refused(damaged), "trace.csv: the compressed data are damaged after line 1,005; the rest is missing");
    // Cut inside the gzip header itself.
    assert_eq!(refused(&whole[..5]), "trace.csv: the compressed data end before the end of line 1; the rest is missing");
}

/// `skip_bad_lines` is for single lines: the hundred lines after one wrong time are not at fault.
#[test]
fn a_time_far_ahead_is_an_error_instead_of_skipping_the_rest() {
    let trace = |after: usize| {
        let lines: Vec<String> = (1..=after).map(|second| format!("{second},5,5\n")).collect();
        format!("arrival_s,prompt_tokens,output_tokens\n0,1,1\n315619251.9,9,9\n{}", lines.concat())
    };
    let message =
        "trace.csv:4: time: found an arrival 315,619,250.9 s before that of line 3, expected times in order: one of the two is wrong";
    assert_eq!(refused(trace(200)), message);
    let message =
        "trace.csv: 100 requests in a row arrive before line 3, which precedes them: its time is wrong, or the trace is not in order";
    assert_eq!(read(&memory(trace(100)), options(true)).unwrap_err().to_string(), message);
    let (records, skipped) = read(&memory(trace(99)), options(true)).unwrap();
    assert_eq!((records.len(), skipped.by_reason), (2, [(SkipReason::OutOfOrder, 99)].into()));
    // Intermittent disorder is skipped.
    let late = (1..=300).map(|second| format!("{second},5,5\n{},5,5\n", second - 1));
    let text = format!("arrival_s,prompt_tokens,output_tokens\n{}", late.collect::<String>());
    assert_eq!(read(&memory(text), options(true)).unwrap().0.len(), 300);
}
