//! Traces of which a part is missing or in disorder: refused, also where bad lines are skipped.

use super::{AZURE, SkipReason, gzip, memory, options, read, refused};

#[test]
fn compressed_data_cut_short_or_damaged_are_refused_also_where_lines_are_skipped() {
    let line = "2023-11-16 18:17:13.9799600,7,9\n";
    let whole = gzip(format!("{AZURE}{}", line.repeat(1000)).as_bytes());
    let cut = &whole[..whole.len() - 12];
    // What comes before the checksum, 1 + 4 + 1000 lines, can still be read or a little less.
    let message = refused(cut);
    let lines = message.strip_prefix("trace.csv: the compressed data end after line ").unwrap();
    let lines = lines.strip_suffix("; all that follows is missing").unwrap().replace(',', "").parse::<u64>().unwrap();
    assert!((900..=1005).contains(&lines), "{message}");
    assert_eq!(read(&memory(cut), options(true)).unwrap_err().to_string(), message);
    let mut damaged = whole.clone();
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    assert_eq!(refused(damaged), "trace.csv: the compressed data are damaged after line 1,005; all that follows is missing");
    // Cut inside the gzip header itself.
    assert_eq!(refused(&whole[..5]), "trace.csv: the compressed data end before the end of line 1; all that follows is missing");
}

/// Skipping lines is for lines: a hundred after one absurd time are not what is wrong.
#[test]
fn a_time_far_ahead_is_told_instead_of_leaving_out_all_that_follow() {
    let trace = |after: usize| {
        let lines: Vec<String> = (1..=after).map(|second| format!("{second},5,5\n")).collect();
        format!("arrival_s,prompt_tokens,output_tokens\n0,1,1\n315619251.9,9,9\n{}", lines.concat())
    };
    let message =
        "trace.csv:4: time: found an arrival 315,619,250.9 s before that of line 3, expected times in order: one of the two is wrong";
    assert_eq!(refused(trace(200)), message);
    let message =
        "trace.csv: 100 requests in a row arrive before line 3, which stands above them: its time is wrong, or the trace is not in order";
    assert_eq!(read(&memory(trace(100)), options(true)).unwrap_err().to_string(), message);
    let (records, skipped) = read(&memory(trace(99)), options(true)).unwrap();
    assert_eq!((records.len(), skipped.by_reason), (2, [(SkipReason::OutOfOrder, 99)].into()));
    // Disorder that comes and goes is no such thing.
    let late = (1..=300).map(|second| format!("{second},5,5\n{},5,5\n", second - 1));
    let text = format!("arrival_s,prompt_tokens,output_tokens\n{}", late.collect::<String>());
    assert_eq!(read(&memory(text), options(true)).unwrap().0.len(), 300);
}
