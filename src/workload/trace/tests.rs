//! Rules for every format, on traces in memory and on real ones.

mod damage;

use std::io::Write;

use proptest::prelude::*;

use super::super::request::{ClassId, Workload};
use super::super::{LimitedWorkload, WorkloadError, inspect};
use super::*;
use crate::kv::Blocks;
use crate::sim::SimDuration;

const AZURE: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0319600,3180,8\n\
                     2023-11-16 18:17:04.0319600,110,27\n2023-11-16 18:17:13.9799600,7,9\n";
const BURSTGPT: &str = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n\
                        45.5,ChatGPT,1087,230,1317,Conversation log\n118,GPT-4,417,0,417,API log\n119,GPT-4,417,1,418,API log\n";
const MOONCAKE: &str = "{\"timestamp\": 0, \"input_length\": 1100, \"output_length\": 5, \"hash_ids\": [0, 1, 2]}\n\
                        {\"timestamp\": 3000, \"input_length\": 1100, \"output_length\": 6, \"hash_ids\": [0, 1, 3]}\n";
const PLAIN: &str = "arrival_s,prompt_tokens,output_tokens,prefix_ids_16\n0.5,40,5,0 ff\n1.5,40,6,0 fe\n3.5,15,7,\n";

fn memory(bytes: impl Into<Vec<u8>>) -> TraceSource {
    TraceSource::Memory { name: "trace.csv".to_owned(), bytes: bytes.into().into() }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn options(skip_bad_lines: bool) -> ReadOptions {
    ReadOptions { format: None, skip_bad_lines }
}

fn read(source: &TraceSource, options: ReadOptions) -> Result<(Vec<TraceRecord>, SkippedLines), WorkloadError> {
    let mut reader = TraceReader::open(source, options)?;
    let records = reader.by_ref().collect::<Result<_, _>>()?;
    Ok((records, reader.skipped().clone()))
}

fn refused(bytes: impl Into<Vec<u8>>) -> String {
    read(&memory(bytes), options(false)).unwrap_err().to_string()
}

/// Times in ms and output lengths of a whole workload.
fn replay(parameters: TraceParameters) -> Vec<(u64, u32)> {
    let mut workload = TraceWorkload::open(ClassId(0), parameters).unwrap();
    let mut requests = Vec::new();
    while let Some((at, request)) = workload.next().unwrap() {
        requests.push((at.ns() / 1_000_000, request.output_tokens));
    }
    assert!(workload.is_exhausted());
    requests
}

fn seconds(s: f64) -> SimDuration {
    SimDuration::from_secs_f64(s).unwrap()
}

#[test]
fn every_format_is_recognised_by_its_first_line() {
    for (text, format, count) in [(AZURE, TraceFormat::Azure, 4), (MOONCAKE, TraceFormat::Mooncake, 2), (PLAIN, TraceFormat::Plain, 3)] {
        let reader = TraceReader::open(&memory(text), options(false)).unwrap();
        assert_eq!(reader.format(), format);
        assert_eq!(reader.map(Result::unwrap).count(), count);
        assert_eq!(format.name().parse(), Ok(format));
    }
    let (records, skipped) = read(&memory(BURSTGPT), options(true)).unwrap();
    assert_eq!((records.len(), skipped.to_string().as_str()), (3, "1 line skipped: 1 zero tokens"));
    assert_eq!(records[1], TraceRecord { at_ns: 45_500_000_000, prompt_tokens: 1087, output_tokens: 230, prefix: Blocks::default() });
}

#[test]
fn errors_of_invalid_lines_name_file_line_and_field() {
    let azure = |line: &str| refused(format!("{AZURE}{line}\n"));
    let at = "2023-11-16 18:17:14";
    assert_eq!(azure(&format!("{at},0,5")), "trace.csv:6: ContextTokens: found `0`, expected at least 1 token");
    assert_eq!(azure(&format!("{at},5,0")), "trace.csv:6: GeneratedTokens: found `0`, expected at least 1 token");
    assert_eq!(azure(&format!("{at},-4,5")), "trace.csv:6: ContextTokens: found `-4`, expected a whole number of tokens, at least 1");
    assert_eq!(azure(&format!("{at},NaN,5")), "trace.csv:6: ContextTokens: found `NaN`, expected a whole number of tokens, at least 1");
    assert_eq!(azure(&format!("{at},5,99999999")), "trace.csv:6: GeneratedTokens: found `99999999`, expected at most 16,777,216 tokens");
    assert_eq!(azure(&format!("{at},5")), format!("trace.csv:6: found 2 columns in `{at},5`, expected 3"));
    assert_eq!(azure(&format!("{at},5,5,5")), format!("trace.csv:6: found 4 columns in `{at},5,5,5`, expected 3"));
    assert_eq!(
        azure("yesterday,5,5"),
        "trace.csv:6: TIMESTAMP: found `yesterday`, expected a time from 1970 to 2261 such as `2023-11-16 18:17:03.9799600`"
    );
    assert_eq!(
        azure("2023-11-16 18:17:13.4799600,5,5"),
        "trace.csv:6: time: found an arrival 0.5 s before that of line 5, expected times in order: one of the two is wrong"
    );
    assert_eq!(refused(BURSTGPT), "trace.csv:4: Response tokens: found `0`, expected at least 1 token");
}

#[test]
fn bad_lines_are_skipped_and_counted_by_reason_on_request() {
    let text =
        format!("{AZURE}\n  \n2023-11-16 18:17:14,0,5\nx\n2023-11-16 18:17:12,5,5\n2023-11-16 18:17:15,x,5\n2023-11-16 18:17:16,5,5\ntorn");
    let (records, skipped) = read(&memory(text), options(true)).unwrap();
    assert_eq!((records.len(), skipped.total), (5, 5));
    let expected = [(SkipReason::Structure, 2), (SkipReason::Field, 1), (SkipReason::ZeroTokens, 1), (SkipReason::OutOfOrder, 1)];
    assert_eq!(skipped.by_reason, expected.into());
    assert_eq!(skipped.examples.iter().map(|example| example.line).collect::<Vec<_>>(), [8, 9, 10, 11, 13]);
    let json = serde_json::to_value(&skipped).unwrap();
    assert_eq!(json["by_reason"]["zero_tokens"], 1);
}

#[test]
fn a_torn_last_line_is_rejected_even_if_it_looks_complete() {
    let message = refused(AZURE.trim_end());
    assert!(message.starts_with("trace.csv:5: found the last line `2023-11-16 18:17:13.9799600,7,9` without a line end"), "{message}");
    for cut in 1..30 {
        assert!(refused(&AZURE.as_bytes()[..AZURE.len() - cut]).starts_with("trace.csv:5: "));
    }
    // The closing brace of JSON shows that the line is complete.
    assert_eq!(read(&memory(MOONCAKE.trim_end()), options(false)).unwrap().0.len(), 2);
    assert!(refused(&MOONCAKE.as_bytes()[..MOONCAKE.len() - 2]).starts_with("trace.csv:2: found `"));
}

#[test]
fn a_file_that_is_not_a_trace_is_always_rejected() {
    for skip in [false, true] {
        let refused = |bytes: &[u8], format| read(&memory(bytes), ReadOptions { format, skip_bad_lines: skip }).unwrap_err().to_string();
        assert_eq!(refused(b"", None), "trace.csv:1: the file is empty, expected a trace");
        assert_eq!(
            refused(b"a,b,c\n1,2,3\n", None),
            "trace.csv:1: header: found `a,b,c`, expected the first line of one of the formats azure, mooncake, burstgpt, kv-cache-tester, kernelbook, plain"
        );
        assert!(refused(&[0, 159, 146, 150, 10, 7], None).starts_with("trace.csv:1: header: found `\\0"));
        assert_eq!(
            refused(AZURE.as_bytes(), Some(TraceFormat::BurstGpt)),
            "trace.csv:1: header: found `TIMESTAMP,ContextTokens,GeneratedTokens`, expected a column `Request tokens`, as in \
             `Timestamp,Request tokens,Response tokens`; it looks like the format `azure`"
        );
    }
    let directory = TraceReader::open(&TraceSource::File(env!("CARGO_MANIFEST_DIR").into()), options(true)).unwrap_err();
    assert!(directory.to_string().ends_with("is a directory, expected a trace file"), "{directory}");
    let missing = TraceReader::open(&TraceSource::File("no/such/trace.csv".into()), options(true)).unwrap_err();
    assert!(missing.to_string().starts_with("no/such/trace.csv: "), "{missing}");
}

#[test]
fn a_trace_without_a_usable_request_is_an_error() {
    let header = AZURE.lines().next().unwrap();
    let open = |text: String| {
        let parameters = TraceParameters { read: options(true), ..TraceParameters::new(memory(text)) };
        TraceWorkload::open(ClassId(0), parameters).unwrap_err().to_string()
    };
    assert_eq!(open(format!("{header}\n")), "trace.csv: there is no request in the trace");
    assert_eq!(
        open(format!("{header}\n2023-11-16 18:17:14,0,5\n")),
        "trace.csv: there is no usable request in the trace (1 line skipped: 1 zero tokens)"
    );
    let window = TraceWindow { from: seconds(60.0), to: None };
    let error = TraceWorkload::open(ClassId(0), TraceParameters { window, repeat: 9, ..TraceParameters::new(memory(AZURE)) }).unwrap_err();
    assert_eq!(error.to_string(), "trace.csv: the window contains no request");
}

#[test]
fn gzip_is_recognised_by_content_in_one_member_or_many() {
    let plain = read(&memory(AZURE), options(false)).unwrap();
    assert_eq!(read(&memory(gzip(AZURE.as_bytes())), options(false)).unwrap(), plain);
    let (one, other) = AZURE.as_bytes().split_at(77);
    assert_eq!(read(&memory([gzip(one), gzip(other)].concat()), options(false)).unwrap(), plain);
    let with_mark = ["\u{feff}", &AZURE.replace('\n', "\r\n")].concat();
    assert_eq!(read(&memory(with_mark), options(false)).unwrap(), plain);
    assert_eq!(read(&memory(["\u{feff}", MOONCAKE].concat()), options(false)).unwrap().0.len(), 2);
}

#[test]
fn a_replay_starts_at_zero_and_scales_the_gaps() {
    assert_eq!(replay(TraceParameters::new(memory(PLAIN))), [(0, 5), (1000, 6), (3000, 7)]);
    assert_eq!(replay(TraceParameters { rate_scale: 2.0, ..TraceParameters::new(memory(PLAIN)) }), [(0, 5), (500, 6), (1500, 7)]);
    assert_eq!(replay(TraceParameters { limit: Some(2), ..TraceParameters::new(memory(PLAIN)) }), [(0, 5), (1000, 6)]);
}

#[test]
fn a_window_includes_its_start_and_not_its_end() {
    let window = |from, to| TraceParameters {
        window: TraceWindow { from: seconds(from), to: Some(seconds(to)) },
        ..TraceParameters::new(memory(PLAIN))
    };
    assert_eq!(replay(window(1.0, 3.0)), [(0, 6)]);
    assert_eq!(replay(window(0.5, 3.1)), [(0, 6), (2000, 7)]);
    // Lines after the window are not read.
    let text = format!("{PLAIN}9.5,1,1,\nbroken\n");
    let bounded = TraceParameters { source: memory(text), ..window(0.0, 5.0) };
    assert_eq!(replay(bounded).len(), 3);
}

#[test]
fn replays_follow_each_other_by_the_window_or_by_one_mean_gap() {
    // Last arrival at 3 s, mean gap 3/2 s: the next replay starts at 4.5 s.
    let whole = TraceParameters { repeat: 2, ..TraceParameters::new(memory(PLAIN)) };
    assert_eq!(replay(whole.clone()), [(0, 5), (1000, 6), (3000, 7), (4500, 5), (5500, 6), (7500, 7)]);
    // A window of 2 s that ends before the trace does: the next replay starts 2 s later.
    let window = TraceWindow { from: SimDuration::ZERO, to: Some(seconds(2.0)) };
    assert_eq!(replay(TraceParameters { window, ..whole.clone() }), [(0, 5), (1000, 6), (2000, 5), (3000, 6)]);
    // A window that ends after the trace adds no silence.
    let window = TraceWindow { from: SimDuration::ZERO, to: Some(seconds(99.0)) };
    assert_eq!(replay(TraceParameters { window, limit: Some(4), rate_scale: 0.5, ..whole.clone() }).last(), Some(&(9000, 5)));
    let window = TraceWindow { from: seconds(2.0), to: None };
    let mut single = TraceWorkload::open(ClassId(0), TraceParameters { window, ..whole }).unwrap();
    single.next().unwrap();
    assert!(single.peek().unwrap_err().to_string().contains("a single request has no gap"));
    assert!(single.is_exhausted() && single.next().unwrap().is_none());
}

#[test]
fn an_invalid_line_in_the_middle_is_reported_when_reached() {
    let mut workload = TraceWorkload::open(ClassId(0), TraceParameters::new(memory(BURSTGPT))).unwrap();
    assert!(workload.next().unwrap().is_some() && workload.next().unwrap().is_some());
    assert!(!workload.is_exhausted());
    assert!(matches!(workload.peek(), Err(WorkloadError::BadLine { line: 4, .. })));
    assert!(workload.is_exhausted() && workload.next().unwrap().is_none());
}

#[test]
fn skipped_lines_are_counted_once_regardless_of_repeats() {
    let parameters = TraceParameters { read: options(true), repeat: 3, ..TraceParameters::new(memory(BURSTGPT)) };
    let mut workload = TraceWorkload::open(ClassId(4), parameters).unwrap();
    while workload.next().unwrap().is_some() {}
    let skipped = workload.skipped();
    assert_eq!((skipped.len(), skipped[0].0, skipped[0].1.total), (1, ClassId(4), 1));
}

#[test]
fn prefix_ids_differ_between_classes_and_class_zero_keeps_those_of_the_trace() {
    let prefix =
        |class| TraceWorkload::open(ClassId(class), TraceParameters::new(memory(MOONCAKE))).unwrap().next().unwrap().unwrap().1.blocks;
    assert_eq!(prefix(0), Blocks::run(0, 2));
    assert!(prefix(1).ids().all(|id| prefix(0).ids().all(|other| other != id)));
    let workload = TraceWorkload::open(ClassId(1), TraceParameters::new(memory(MOONCAKE))).unwrap();
    assert_eq!((workload.block_tokens(ClassId(1)), workload.block_tokens(ClassId(0))), (Some(512), None));
}

#[test]
fn an_imported_trace_has_the_same_requests() {
    for text in [AZURE, MOONCAKE, PLAIN] {
        let mut out = Vec::new();
        let transcript = import(&memory(text), options(false), &mut out).unwrap();
        let (mut original, _) = read(&memory(text), options(false)).unwrap();
        let origin = original[0].at_ns;
        for record in &mut original {
            record.at_ns -= origin;
        }
        let (imported, _) = read(&memory(out), options(false)).unwrap();
        assert_eq!(imported, original);
        assert_eq!(transcript.requests, imported.len() as u64);
    }
    assert!(import(&memory("arrival_s,prompt_tokens,output_tokens\n"), options(false), Vec::new()).is_err());
}

#[test]
fn a_generated_trace_equals_its_workload() {
    let workload = || TraceWorkload::open(ClassId(0), TraceParameters::new(memory(MOONCAKE))).unwrap();
    let mut out = Vec::new();
    assert_eq!(generate(&mut workload(), ClassId(0), &mut out).unwrap().requests, 2);
    let expected = "arrival_s,prompt_tokens,output_tokens,prefix_ids_512\n0.000000000,1100,5,0 1\n3.000000000,1100,6,0 1\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    let mut out = Vec::new();
    assert_eq!(generate(&mut LimitedWorkload::new(workload(), Some(1), None), ClassId(0), &mut out).unwrap().requests, 1);
    let mut out = Vec::new();
    let error = generate(&mut LimitedWorkload::new(workload(), Some(0), None), ClassId(0), &mut out).unwrap_err();
    assert!(matches!(error, WorkloadError::NoRequest) && out.is_empty(), "{error}");
}

#[test]
fn statistics_of_a_small_trace_agree_with_arithmetic_by_hand() {
    let found = inspect(&memory(PLAIN), options(false)).unwrap();
    // Gaps 1 s and 2 s: mean 1.5, standard deviation 0.5.
    assert_eq!((found.requests, found.span_s, found.mean_rate_per_s), (3, Some(3.0), Some(2.0 / 3.0)));
    approx::assert_relative_eq!(found.gap_cv.unwrap(), 1.0 / 3.0, max_relative = 1e-12);
    assert_eq!((found.peak_rate_10s_per_s, found.peak_rate_60s_per_s), (None, None));
    assert_eq!((found.prompt_tokens.total, found.prompt_tokens.p50, found.prompt_tokens.min, found.total_tokens), (95, 40, 15, 113));
    // Of 95 prompt tokens, one block of 16 was seen before.
    approx::assert_relative_eq!(found.prefix_hit_rate.unwrap(), 16.0 / 95.0);
    let alone = inspect(&memory("arrival_s,prompt_tokens,output_tokens\n7,1,1\n"), options(false)).unwrap();
    assert_eq!((alone.mean_rate_per_s, alone.gap_cv, alone.prefix_hit_rate), (None, None, None));
}

/// A real trace, or `None` with a message if the data are not next to the repository.
fn real(name: &str) -> Option<TraceSource> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/traces").join(name);
    if path.exists() {
        return Some(TraceSource::File(path));
    }
    println!("skipped: {} is not there", path.display());
    None
}

/// Figures computed from the same files with Python's csv, json, gzip and datetime.
#[test]
fn statistics_of_the_azure_traces_agree_with_an_independent_computation() {
    let tokens = |t: super::super::LengthStatistics| (t.total, t.min, t.p50, t.p90, t.p99, t.max);
    if let Some(source) = real("azure_llm_2023/AzureLLMInferenceTrace_conv_first_half.csv") {
        let found = inspect(&source, options(false)).unwrap();
        assert_eq!((found.requests, found.span_s), (9739, Some(1_750.845_894)));
        assert_eq!(tokens(found.prompt_tokens), (12_049_382, 2, 1035, 4075, 4122, 14_050));
        assert_eq!(tokens(found.output_tokens), (2_155_198, 7, 140, 428, 612, 1000));
        approx::assert_relative_eq!(found.gap_cv.unwrap(), 1.072_743_264_843_394_6, max_relative = 1e-9);
        approx::assert_relative_eq!(found.peak_rate_10s_per_s.unwrap(), 8.8);
        approx::assert_relative_eq!(found.peak_rate_60s_per_s.unwrap(), 8.0);
    }
    if let Some(source) = real("azure_llm_2023/AzureLLMInferenceTrace_code_first_half.csv") {
        let found = inspect(&source, options(false)).unwrap();
        assert_eq!((found.requests, found.span_s), (5353, Some(1_705.797_496)));
        assert_eq!(tokens(found.prompt_tokens), (10_857_844, 3, 1465, 4995, 7436, 7437));
        approx::assert_relative_eq!(found.gap_cv.unwrap(), 13.637_591_491_988_669, max_relative = 1e-9);
        approx::assert_relative_eq!(found.peak_rate_10s_per_s.unwrap(), 32.7);
    }
}

#[test]
fn statistics_of_the_mooncake_trace_agree_with_an_independent_computation() {
    let Some(source) = real("mooncake/conversation_trace_first_half.jsonl.gz") else { return };
    let found = inspect(&source, options(false)).unwrap();
    assert_eq!((found.requests, found.span_s, found.prefix_block_tokens), (5606, Some(1767.0), Some(512)));
    assert_eq!((found.prompt_tokens.total, found.output_tokens.total), (72_511_056, 1_937_157));
    approx::assert_relative_eq!(found.gap_cv.unwrap(), 2.918_240_821_422_662_3, max_relative = 1e-9);
    approx::assert_relative_eq!(found.prefix_hit_rate.unwrap(), 0.346_341_666_848_707_9, max_relative = 1e-12);
    let mut plain = Vec::new();
    import(&source, options(false), &mut plain).unwrap();
    let again = inspect(&memory(plain), options(false)).unwrap();
    assert_eq!((again.prompt_tokens, again.prefix_hit_rate, again.gap_cv), (found.prompt_tokens, found.prefix_hit_rate, found.gap_cv));
}

/// Reads a trace in every possible way; the result is either requests in order or an error.
fn exercise(bytes: &[u8]) {
    for format in TraceFormat::ALL.map(Some).into_iter().chain([None]) {
        for skip_bad_lines in [false, true] {
            let read = ReadOptions { format, skip_bad_lines };
            let _ = inspect(&memory(bytes), read);
            let _ = import(&memory(bytes), read, Vec::new());
            let parameters = TraceParameters { read, repeat: 3, rate_scale: 1.5, ..TraceParameters::new(memory(bytes)) };
            let Ok(mut workload) = TraceWorkload::open(ClassId(0), parameters) else { continue };
            let (mut last, mut count) = (crate::sim::SimTime::ZERO, 0);
            while let Ok(Some((at, request))) = workload.next() {
                assert!(at >= last && request.prompt_tokens > 0 && request.output_tokens > 0);
                (last, count) = (at, count + 1);
            }
            assert!(workload.is_exhausted() && count <= 3 * bytes.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_and_truncated_traces_never_panic_or_hang(
        which in 0..4usize,
        compress in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), prop::sample::select(b"0-9,.\n{}[]\"e ".to_vec())]), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = [AZURE, BURSTGPT, MOONCAKE, PLAIN][which].as_bytes();
        let mut bytes = if compress { gzip(text) } else { text.to_vec() };
        for (index, byte) in edits {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(bytes.len() - cut.index(bytes.len() + 1) / 2);
        exercise(&bytes);
    }

    #[test]
    fn binary_junk_never_panics_or_hangs(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        exercise(&bytes);
    }
}
